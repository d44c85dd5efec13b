"""Types of the configuration's values, and what is said of one that does not fit.

Values from a command line may be text where a list, a mapping, a number or a switch is meant: it is read as YAML.
Nothing else is converted: ``5`` is no text, and ``1`` is no switch.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    Discriminator,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    Tag,
    ValidationError,
    WrapValidator,
)
from pydantic_core import PydanticCustomError, core_schema

T = TypeVar("T")
#: What a text that must look like this is called, by regular expression.
REMARKS = {
    (ROOTNAME := r"^[A-Za-z0-9]+(_(asn|raw|flt|flc|c0m|d0m)(\.fits)?)?$"): "a rootname of letters and digits",
    (CATALOG_NAME := r"^[A-Za-z0-9_]+$"): "letters, digits and underscores",
    (CANDIDATE_NAME := r"^[a-z0-9_]{1,60}$"): "lower-case letters, digits and underscores, 60 at most",
    (TWO_NUMBERS := r"^\s*[0-9.]+\s+[0-9.]+\s*$"): 'two numbers in one text, such as "3.5 3.0"',
}
#: What pydantic's types of error say was expected.
_EXPECTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}
_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "from"),
    "less_than_equal": ("le", "up to"),
    "finite_number": ("", "finite"),
}


def from_text(value: Any) -> Any:
    """Read text as YAML; text that is no YAML stays, for the message to show it."""
    if not isinstance(value, str):
        return value
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        return value


def mapping_from_text(value: Any) -> Any:
    """Read text as YAML, and make the keys of a mapping text."""
    value = from_text(value)
    return {str(key): item for key, item in value.items()} if isinstance(value, Mapping) else value


def _without_fraction(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _whole(value: Any) -> Any:
    return _without_fraction(from_text(value))


def _nothing(value: Any) -> Any:
    return None if isinstance(value, str) and value.strip().lower() in ("null", "~", "") else value


def kind(value: Any) -> str:
    """Name the kind of a value, for messages that show the value behind it."""
    if isinstance(value, bool):
        return "the switch"
    if value is None:
        return "nothing:"
    if isinstance(value, int | float):
        return "the number"
    if isinstance(value, str):
        return "the text"
    return "the mapping" if isinstance(value, Mapping) else "the list"


#: Marks of the members of a union, for `by_kind`: no key can be mistaken for one.
TEXT, LIST, MAPPING = (Tag(f"<{name}>") for name in ("text", "list", "mapping"))


def by_kind(*tags: Tag, expected: str) -> Discriminator:
    """Choose the member of a union by the kind of the value, so that errors speak of that member only."""
    known = {tag.tag for tag in tags}

    def choose(value: Any) -> str | None:
        tag = kind(value).replace("the ", "<") + ">"
        return tag if tag in known else None

    return Discriminator(choose, custom_error_type="kind", custom_error_message=expected)


def refusal(text: str) -> PydanticCustomError:
    """Return an error for a validator to raise: what was found and what was expected."""
    return PydanticCustomError("refused", "{text}", {"text": text})


class Once:
    """A list that names nothing twice."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        """Check after the list itself is valid."""
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, core: Any, handler: Callable[[Any], Any]) -> Any:
        """Say so in the JSON schema."""
        return {**handler(core), "uniqueItems": True}

    @staticmethod
    def check(value: list[T]) -> list[T]:
        """Return the list, or refuse it."""
        for item in value:
            if value.count(item) > 1:
                raise refusal(f"{item!r} is named twice; expected once")
        return value


def as_a_whole(expected: str) -> WrapValidator:
    """Report whatever is wrong inside a value as one finding about all of it."""

    def check(value: Any, handler: Callable[[Any], Any]) -> Any:
        try:
            return handler(value)
        except ValidationError as error:
            raise refusal(f"found {kind(value)} {value!r}; expected {expected}") from error

    return WrapValidator(check)


Text = StrictStr
Filled = Annotated[StrictStr, Field(min_length=1)]
TextOrNothing = Annotated[StrictStr | None, BeforeValidator(_nothing)]
Switch = Annotated[StrictBool, BeforeValidator(from_text)]
WholeNumber = Annotated[StrictInt, BeforeValidator(_whole)]
PositiveWholeNumberOrNothing = Annotated[Annotated[StrictInt, Field(ge=1)] | None, BeforeValidator(_whole)]
Number = Annotated[StrictInt | StrictFloat, BeforeValidator(from_text)]
NumberOrNothing = Annotated[StrictInt | StrictFloat | None, BeforeValidator(from_text)]
PositiveNumberOrNothing = Annotated[Annotated[StrictInt | StrictFloat, Field(gt=0)] | None, BeforeValidator(from_text)]
#: Julian year.
EpochOrNothing = Annotated[
    Annotated[StrictInt | StrictFloat, Field(ge=1900, le=2100)] | None, BeforeValidator(from_text)
]
Bits = Annotated[StrictStr | StrictInt, BeforeValidator(_without_fraction)]
TwoNumbers = Annotated[StrictStr, Field(pattern=TWO_NUMBERS)]
Rootname = Annotated[StrictStr, Field(pattern=ROOTNAME)]
Limit = Annotated[
    Annotated[Number, Tag("<number>")] | Annotated[list[Number], Field(min_length=2, max_length=2), LIST],
    Discriminator(lambda value: "<list>" if isinstance(value, list) else "<number>"),
    BeforeValidator(from_text),
]


def members(annotation: Any) -> Iterator[Any]:
    """Yield the types that an annotation allows, without what is annotated of them."""
    if get_origin(annotation) is Annotated:
        yield from members(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for part in get_args(annotation):
            yield from members(part)
    else:
        yield annotation


def is_nothing(value: Any, annotation: Any) -> bool:
    """Return whether nothing is given for a value that cannot be nothing, also as text where it cannot be text."""
    allowed = list(members(annotation))
    takes_text = any(one is str or get_origin(one) is Literal for one in allowed)
    return NoneType not in allowed and (value if takes_text else _nothing(value)) is None


def model_in(annotation: Any) -> Any:
    """Return the model or typed dictionary that an annotation holds; None if it holds none."""
    if isinstance(annotation, type) and (issubclass(annotation, BaseModel) or hasattr(annotation, "__total__")):
        return annotation
    return next((found for part in get_args(annotation) if (found := model_in(part))), None)


def _keys(model: Any) -> dict[str, Any]:
    """Return the keys of a model or typed dictionary with their annotations."""
    hints = get_type_hints(model, include_extras=True)
    names = model.model_fields if issubclass(model, BaseModel) else hints
    return {name: hints[name] for name in names if not name.startswith("_")}


def _annotation(model: Any, location: tuple[int | str, ...]) -> Any:
    found = model
    for part in location:
        if isinstance(part, str) and (inner := model_in(found)):
            found = _keys(inner).get(part, found)
    return found


def _choices(annotation: Any) -> list[str]:
    """Return the texts of the Literal that an annotation holds."""
    parts = get_args(annotation)
    if parts and not any(isinstance(part, type) or get_args(part) for part in parts):
        return [part for part in parts if isinstance(part, str)]
    return next((found for part in parts if (found := _choices(part))), [])


def explain(error: ValidationError, model: Any) -> list[str]:
    """Say in words what is wrong with a value of a model or typed dictionary: a sentence for each finding."""
    places: dict[tuple[int | str, ...], list[Any]] = {}
    for one in error.errors(include_url=False):
        places.setdefault(tuple(part for part in one["loc"] if not _is_branch(part)), []).append(one)
    order = sorted(places, key=lambda place: [str(part) for part in place])
    return [line for place in order for line in _say(place, places[place], model)]


def _is_branch(part: int | str) -> bool:
    """Return whether a part of a location names a member of a union, and no key."""
    return isinstance(part, str) and (part.startswith("<") or part in ("int", "float", "str"))


def _say(place: tuple[int | str, ...], findings: list[Any], model: Any) -> Iterator[str]:
    annotation, found = _annotation(model, place), findings[0]["input"]
    expected = [_EXPECTED[one["type"]] for one in findings if one["type"] in _EXPECTED]
    if expected:
        if "a number" in expected:
            expected = [word for word in expected if word != "a whole number"]
        if isinstance(place[-1] if place else 0, str) and NoneType in members(annotation):
            expected.append("null")
        yield f"{_at(place)}expected {' or '.join(dict.fromkeys(expected))}, found {kind(found)} {found!r}"
    for one in (one for one in findings if one["type"] not in _EXPECTED):
        if one["type"] in ("extra_forbidden", "missing"):
            known = sorted(_keys(model_in(_annotation(model, place[:-1]))))
            yield _at(place[:-1]) + (
                f"the key {place[-1]} must be given" if one["type"] == "missing" else _unknown(str(place[-1]), known)
            )
        else:
            yield _at(place) + _refusal(one, annotation)


def _at(place: tuple[int | str, ...]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
    return f"{text}: " if text else ""


def _unknown(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.5)
    meant = f", did you mean `{near[0]}`?" if near else ""
    return f"unknown key `{key}`{meant} (valid keys: {', '.join(known)})"


def _refusal(one: Mapping[str, Any], annotation: Any) -> str:
    found, context = one["input"], one.get("ctx", {})
    shown = f"found {kind(found)} {found!r}"
    match one["type"]:
        case "refused":
            return str(context["text"])
        case "literal_error":
            choices = ["null"] * (NoneType in members(annotation)) + _choices(annotation)
            near = difflib.get_close_matches(found.lower(), choices, n=1) if isinstance(found, str) else []
            meant = f" (did you mean {near[0]}?)" if near else ""
            return f"expected one of {', '.join(choices)}; found {found!r}{meant}"
        case "string_pattern_mismatch":
            return f"found {found!r}; expected {REMARKS[context['pattern']]}"
        case "string_too_short":
            return "found empty text; expected at least one character"
        case "too_short":
            return f"{shown}; expected {context['min_length']} or more in it"
        case "too_long":
            return f"{shown}; expected {context['max_length']} in it at most"
        case "kind":
            return f"expected {one['msg']}, {shown}"
        case bound if bound in _BOUNDS:
            name, word = _BOUNDS[bound]
            return f"{shown}; expected a number {word} {context.get(name, '')}".rstrip()
    return f"{shown}; {one['msg']}"
