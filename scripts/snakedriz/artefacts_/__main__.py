"""Write the JSON schemas anew: ``python -m snakedriz.artefacts``."""

from snakedriz.artefacts_.registry import write_schemas

if __name__ == "__main__":
    write_schemas()
