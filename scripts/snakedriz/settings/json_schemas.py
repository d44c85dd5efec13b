"""JSON schemas of artefacts, read and applied. Goes when `snakedriz.artefacts` has its models."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from snakedriz.errors import SnakedrizError
from snakedriz.files import read_json
from snakedriz.settings.values import kind as _kind

#: The schemas, where this library lies in its repository.
SCHEMAS = Path(__file__).resolve().parents[3] / "config" / "schemas"
_TYPE_NAMES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "boolean": "true or false",
    "number": "a number",
    "integer": "a whole number",
    "null": "null",
}


def read_schema(name: str) -> dict[str, Any]:
    """Read the JSON schema ``<name>.schema.json``."""
    if name == "config":
        return read_json(Path(str(resources.files(__package__) / "config.schema.json")))
    return read_json(SCHEMAS / f"{name}.schema.json")


def check(obj: Any, schema: Mapping[str, Any], what: str) -> None:
    """Check anything in JSON form against a schema.

    Parameters
    ----------
    obj : any
        What to check.
    schema : mapping
        JSON schema (draft 2020-12).
    what : str
        Name of the thing, for the message.

    Raises
    ------
    SnakedrizError
        With one line for each error: where, what was found, what was expected.
    """
    from jsonschema import Draft202012Validator

    errors = sorted(
        Draft202012Validator(schema).iter_errors(obj), key=lambda e: [str(part) for part in e.absolute_path]
    )
    lines = [line for error in errors for line in _explain(error)]
    if lines:
        raise SnakedrizError(f"{what}: " + "; ".join(dict.fromkeys(lines)))


def _explain(error: Any) -> Iterator[str]:
    """Say in words what a validation error means."""
    where = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path).lstrip(".")
    at = f"{where}: " if where else ""
    found = error.instance
    if error.validator == "additionalProperties" and isinstance(found, Mapping):
        known = sorted(error.schema.get("properties", {}))
        for key in sorted(set(map(str, found)) - set(known)):
            near = difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.5)
            yield (
                f"{at}unknown key `{key}`"
                + (f", did you mean `{near[0]}`?" if near else "")
                + (f" (valid keys: {', '.join(known)})")
            )
    elif error.validator == "type":
        types = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
        expected = " or ".join(_TYPE_NAMES.get(str(t), str(t)) for t in types)
        yield f"{at}expected {expected}, found {_kind(found)} {found!r}"
    elif error.validator == "enum":
        choices = ["null" if value is None else str(value) for value in error.validator_value]
        near = difflib.get_close_matches(found.lower(), choices, n=1) if isinstance(found, str) else []
        remarks = [f"did you mean {near[0]}?"] if near else []
        remarks += [error.schema["x-remark"]] if "x-remark" in error.schema else []
        yield f"{at}expected one of {', '.join(choices)}; found {found!r}" + (
            f" ({'; '.join(remarks)})" if remarks else ""
        )
    elif error.validator == "required":
        missing = [key for key in error.validator_value if key not in found]
        yield f"{at}the key{'s' * (len(missing) > 1)} {', '.join(missing)} must be given"
    elif error.validator == "pattern":
        yield f"{at}found {found!r}; expected {error.schema.get('x-remark', f'text like {error.validator_value}')}"
    elif error.validator in ("oneOf", "anyOf"):
        yield f"{at}found {_kind(found)} {found!r}; expected {error.schema.get('x-remark', 'another type')}"
    else:
        yield f"{at}{error.message}"
