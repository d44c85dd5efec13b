"""The command ``snakedriz``."""
