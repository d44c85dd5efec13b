"""What all artefacts share: kinds of values, reading, writing, and errors a person can act on.

A field without a default is in every file. A field with a default may be absent from a file: it is written only where
it was given, so that reading a file and writing it again changes nothing.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, Strict, StringConstraints, ValidationError, model_validator

from snakedriz.errors import SnakedrizError
from snakedriz.files import write_json

Integer = Annotated[int, Strict()]
Count = Annotated[int, Strict(), Field(ge=0)]
Switch = Annotated[bool, Strict()]
Real = Annotated[float, Strict()]
#: Either kind of number, kept as it is: what users set, and values whose unit is a count.
Amount = Annotated[Integer | Real, Field(union_mode="smart")]
#: None: not measured, or not finite, which JSON cannot carry.
Number = Real | None
Pair = Annotated[Sequence[Real], Field(min_length=2, max_length=2)]
Pixel = Annotated[Sequence[Count], Field(min_length=2, max_length=2)]
Matrix = Annotated[Sequence[Pair], Field(min_length=2, max_length=2)]
Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
CandidateName = Annotated[str, StringConstraints(pattern="^[a-z0-9_]+$")]
Policy = Literal["measured", "documented", "drizzlepac"]
Outcome = Literal["ok", "not_applicable", "failed"]
Measured = Literal["measured", "unmeasurable"]
Geometry = Literal["shift", "rscale", "general"]
#: The document's scale: 1 is best, 5 no valid solution, -1 the alignment code failed.
FitQuality = Literal[1, 2, 3, 4, 5, -1]


class Record(BaseModel):
    """A part of an artefact: its fields and no others, never changed once made (`model_copy(update=...)` instead).

    Numbers and arrays of numpy become Python's, and what is not finite becomes None.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True, defer_build=True
    )

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, given: Any) -> Any:
        return plain(given)

    def given(self) -> dict[str, Any]:
        """Return the fields that were given, by name, to make another record from; parts stay objects."""
        return {name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set}

    def to_json(self) -> dict[str, Any]:
        """Return what goes into the file, as JSON's types: without the fields that were not given."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class Artefact(Record):
    """A JSON file of the workflow."""

    schema_: str = Field(validation_alias="schema", serialization_alias="schema")

    @model_validator(mode="before")
    @classmethod
    def _with_schema(cls, given: Any) -> Any:
        """Count the schema's name as given, so that it is always written."""
        if isinstance(given, Mapping) and not {"schema", "schema_"} & given.keys():
            return {**given, "schema": cls.model_fields["schema_"].default}
        return given

    @classmethod
    def parse(cls, content: Any, what: str) -> Self:
        """Check what a file holds.

        Parameters
        ----------
        content : dict
            As JSON has it.
        what : str
            What it is, for the error: a path.

        Raises
        ------
        SnakedrizError
            If it does not fit, with every place where it does not.
        """
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            found = "; ".join(explain(error, cls))
            remedy = f"remove the file and run again: it should be a {cls.name()} artefact of this version"
            raise SnakedrizError(f"{what}: {found}", remedy) from error

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read and check a file; raises `SnakedrizError` if it is missing, is not JSON, or does not fit."""
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise SnakedrizError(f"{path}: there is no such file", "run the workflow to make it") from error
        except ValueError as error:
            raise SnakedrizError(f"{path}: is not JSON ({error})", "remove the file and run again") from error
        return cls.parse(content, str(path))

    def write(self, path: str | Path) -> None:
        """Write the file, whole."""
        write_json(path, self.to_json())

    @classmethod
    def name(cls) -> str:
        """Return the name and version of the schema, for example ``fit/1``."""
        return str(cls.model_fields["schema_"].default)


def schema(name: str) -> Any:
    """Return the field `schema_` of an artefact of this name and version."""
    return Field(default=name, validation_alias="schema", serialization_alias="schema")


def plain(value: Any) -> Any:
    """Replace what JSON cannot carry: numpy's numbers and arrays by Python's, what is not finite by None."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value


_EXPECTED = {
    "int_type": "a whole number", "float_type": "a number", "bool_type": "true or false", "string_type": "text",
    "none_required": "null", "sequence_str": "a list", "is_instance_of": "a list", "dict_type": "an object",
    "model_type": "an object", "string_pattern_mismatch": "text like {pattern}", "too_short": "{min_length} items",
    "too_long": "{max_length} items", "greater_than_equal": "at least {ge}", "greater_than": "more than {gt}",
    "string_too_short": "a text that is not empty", "value_error": "{error}",
}  # fmt: skip


def explain(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Say in words where a file does not fit its model, what was found there and what was expected."""
    said: list[str] = []
    wrong: dict[str, tuple[Any, list[str]]] = {}  # by place: what was found there, and what each alternative expects
    for one in error.errors(include_url=False):
        # Branches of a union are named by their type: places in the file are keys and positions only.
        steps = [step for step in one["loc"] if isinstance(step, int) or not _is_branch(step)]
        where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")
        if one["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(steps[-1]).lower(), _keys(model, steps[:-1]), n=1)
            said.append(f"{where}: unknown key" + (f", did you mean `{near[0]}`?" if near else ""))
        elif one["type"] == "missing":
            said.append(f"{where}: must be given")
        else:
            words = _EXPECTED.get(one["type"], one["msg"].removeprefix("Input should be "))
            expected = words.format(**one.get("ctx", {}))
            wrong.setdefault(where or "the file", (one["input"], []))[1].append(expected)
    for place, (found, alternatives) in wrong.items():
        kinds = [
            one for one in dict.fromkeys(alternatives) if one != "a whole number" or "a number" not in alternatives
        ]
        said.append(f"{place}: expected {' or '.join(kinds)}, found {_shown(found)}")
    return said


def _is_branch(step: str) -> bool:
    return "[" in step or "-" in step or step in ("int", "float", "str", "bool", "none")


def _keys(model: type[BaseModel], steps: Sequence[str | int]) -> list[str]:
    """Return the keys that the object at a place in the file may have, by the model's JSON schema."""
    whole = model.model_json_schema(by_alias=True)
    at: dict[str, Any] = whole
    for step in steps:
        inside = at.get("items") if isinstance(step, int) else at.get("properties", {}).get(step)
        at = _resolved(inside or at.get("additionalProperties") or {}, whole)
    return list(at.get("properties", {}))


def _resolved(at: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    for branch in at.get("anyOf", ()):
        if branch.get("type") != "null":
            at = branch
            break
    return dict(whole["$defs"][at["$ref"].rpartition("/")[2]]) if "$ref" in at else at


def _shown(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
