"""What is generated from the configuration's model is what is committed."""

import pytest
from jsonschema import Draft202012Validator
from snakedriz import settings
from snakedriz.settings import __main__ as command
from snakedriz.settings import documents


@pytest.mark.parametrize("path", documents.documents(), ids=lambda path: path.name)
def test_committed_files_are_those_of_the_model(path):
    assert path.read_text() == documents.documents()[path], "run python -m snakedriz.settings"


def test_the_command_writes_and_checks(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "documents", lambda: {tmp_path / "new" / "a.yaml": "a: 1\n"})
    assert command.main(["--check"]) == 1
    assert not (tmp_path / "new").exists()
    assert command.main([]) == 0
    assert (tmp_path / "new" / "a.yaml").read_text() == "a: 1\n"
    assert command.main(["--check"]) == 0
    assert "differs" in capsys.readouterr().out
    monkeypatch.setattr(command, "ROOT", tmp_path)
    with pytest.raises(ValueError, match="is no checkout"):
        command.main([])


def test_the_schema_accepts_what_the_model_accepts():
    schema = documents.schema()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    values = settings.validate_config({"catalogs": [{"name": "A", "file": "a"}]}).as_dict()
    del values["alternatives"]
    assert not list(validator.iter_errors(values))
    refused = [
        {"inptu": 1}, {"pictures": {"positions": [[1, 95]]}}, {"drizzle": {"final_kernel": "squar"}},
        {"promotion": {"rank": ["a", "a"]}}, {"services": {"timeout": 0}}, {"catalogs": [{"file": "x"}]},
    ]  # fmt: skip
    for bad in refused:
        assert list(validator.iter_errors(bad)), bad


def test_every_key_is_explained():
    def keys(part):
        for name, item in part.get("properties", {}).items():
            yield name, item
            for inner in (item, item.get("items"), *item.get("anyOf", ())):
                if isinstance(inner, dict):
                    yield from keys(inner)
                    yield from keys(inner.get("items") if isinstance(inner.get("items"), dict) else {})

    found = list(keys(documents.schema()))
    assert len(found) > 100
    assert not [name for name, item in found if not item.get("description")]
    page = documents.reference_page()
    assert not [name for name, _ in found if f"| `{name}` |" not in page]
