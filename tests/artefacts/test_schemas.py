"""JSON schemas equal the models, and both take and refuse the same files."""

import copy
import json
from pathlib import Path

import jsonschema
import pytest
from snakedriz.artefacts_.registry import ARTEFACTS, SCHEMAS, json_schema, write_schemas
from snakedriz.errors import SnakedrizError

EXAMPLES = sorted((Path(__file__).parent / "examples").glob("*.json"))


def _example(path):
    content = json.loads(path.read_text(encoding="utf-8"))
    return content, ARTEFACTS[content["schema"].partition("/")[0]]


def _places(node, path=()):
    """Paths of all values but those of free-form objects."""
    yield path
    if path[-1:] == ("query",) and isinstance(node, dict):
        return
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in pairs:
        yield from _places(value, (*path, key))


def _at(content, path):
    for step in path:
        content = content[step]
    return content


def test_files_equal_the_models(tmp_path):
    write_schemas(tmp_path)
    made = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_text(encoding="utf-8") for path in SCHEMAS.iterdir()}, (
        "run `python -m snakedriz.artefacts`"
    )


@pytest.mark.parametrize("name", ARTEFACTS)
def test_names_agree(name):
    model = ARTEFACTS[name]
    jsonschema.Draft202012Validator.check_schema(json_schema(model))
    assert model.__name__ == "".join(word.capitalize() for word in name.split("_"))
    assert model.__module__.rpartition(".")[2] == name
    assert any(path.stem.startswith(name) for path in EXAMPLES)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_broken_place_is_refused(path):
    content, model = _example(path)
    validator = jsonschema.Draft202012Validator(json_schema(model))
    validator.validate(content)
    refused = 0
    for place in _places(content):
        for broken in (_with_unknown_key, _with_wrong_type, _without):
            other = broken(copy.deepcopy(content), place)
            if other is None:
                continue
            fits = validator.is_valid(other)
            try:
                model.parse(other, "file")
                assert fits, (place, broken)
            except SnakedrizError:
                assert not fits, (place, broken)
                refused += 1
    assert refused > len(content)


def _with_unknown_key(content, place):
    found = _at(content, place)
    if not isinstance(found, dict) or place[-1:] == ("query",):
        return None
    found["unheard of"] = {"of": {}}
    return content


def _with_wrong_type(content, place):
    if not place:
        return [content]
    _at(content, place[:-1])[place[-1]] = {"unheard of": {"of": {}}}
    return content if place[-1] != "query" else None


def _without(content, place):
    if not place or isinstance(place[-1], int):
        return None
    del _at(content, place[:-1])[place[-1]]
    return content if place != ("schema",) else None  # the models fill in their own
