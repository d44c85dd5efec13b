"""The same rows for a person, for astropy and for a program."""

import json

import pytest
from astropy.table import Table
from snakedriz import tables

ROWS = [{"name": "a", "rms": 1.234, "on": True, "tags": ["x", "y"]}, {"name": "longer", "rms": None, "on": False}]


def test_for_a_person(capsys):
    tables.show_rows(ROWS, "table", ("name", "rms", "on", "tags"))
    assert capsys.readouterr().out.splitlines() == [
        "name    rms   on  tags",
        "a       1.23  *   x, y",
        "longer  -     -   -",
    ]
    tables.show_rows([], "table")
    assert capsys.readouterr().out == ""


def test_for_a_program(capsys):
    tables.show_rows(ROWS, "json", ("name",))
    assert json.loads(capsys.readouterr().out) == ROWS  # all columns, whatever was asked for
    tables.show_rows(ROWS, "ecsv", ("name", "rms"))
    found = Table.read(capsys.readouterr().out, format="ascii.ecsv")
    assert found.colnames == ["name", "rms"]
    assert list(found["rms"].mask) == [False, True]


@pytest.mark.parametrize(("column", "kind"), [("name", "U"), ("rms", "f"), ("on", "b"), ("tags", "U")])
def test_types_of_columns(column, kind):
    assert tables.as_table(ROWS)[column].dtype.kind == kind
