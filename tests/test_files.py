"""A name that exists is a finished file."""

import hashlib

import pytest
from astropy.table import Table
from snakedriz import files


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "a.fits"
    with files.whole(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
        assert (temporary.parent, temporary.suffix) == (path.parent, ".fits")
    assert path.read_text() == "new"
    with pytest.raises(RuntimeError), files.whole(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "new"
    assert [p.name for p in path.parent.iterdir()] == ["a.fits"]


def test_json_and_tables_come_back(tmp_path):
    files.write_json(tmp_path / "a.json", {"é": [1, 2.5, None]})
    assert files.read_json(tmp_path / "a.json") == {"é": [1, 2.5, None]}
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "a.json", float("nan"))
    assert files.read_json(tmp_path / "a.json") == {"é": [1, 2.5, None]}
    files.write_table(tmp_path / "t.ecsv", Table({"a": [1, 2]}))
    assert list(Table.read(tmp_path / "t.ecsv")["a"]) == [1, 2]


@pytest.mark.parametrize(("value", "found"), [(1, 1.0), (None, None), (float("inf"), None), (float("nan"), None)])
def test_numbers_that_json_can_carry(value, found):
    assert files.number(value) == found


def test_checksums(tmp_path):
    content = bytes(range(256)) * 5000  # more than one piece
    (tmp_path / "a").write_bytes(content)
    assert files.sha256(tmp_path / "a") == hashlib.sha256(content).hexdigest()
