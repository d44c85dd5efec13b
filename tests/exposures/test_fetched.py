"""Which fetched files cover the exposures of a visit, and where the next one would go."""

import pytest
from astropy.table import Table
from snakedriz.exposures import coverage, fetched
from snakedriz.exposures.association import FileIndex

ROOTS = ["jdemo1a1q", "jdemo1a2q"]


def put(path, **meta):
    path.parent.mkdir(parents=True, exist_ok=True)
    Table({"rootname": ["x"]}, meta=meta).write(path, format="ascii.ecsv", overwrite=True)
    return path


@pytest.fixture
def index(small_visit):
    return FileIndex(small_visit.flc[0].parent)


@pytest.mark.parametrize("kind", ["headerlets", "offsets"])
def test_what_is_asked_for_is_what_nothing_covers(tmp_path, index, kind):
    first = fetched.first(tmp_path, kind, "jdemo1")
    assert fetched.tables(tmp_path, kind, "jdemo1", index, ROOTS) == ([], first)
    put(first, rootnames=ROOTS[:1])
    there, missing = fetched.tables(tmp_path, kind, "jdemo1", index, ROOTS)
    assert there == [first]
    assert fetched.tables(tmp_path, kind, "jdemo1", index, ROOTS[:1]) == ([first], None)
    put(missing, rootnames=ROOTS[1:])
    assert fetched.tables(tmp_path, kind, "jdemo1", index, ROOTS) == (sorted([first, missing]), None)
    assert fetched.tables(tmp_path, kind, "jdemo1", index, ["jelse1a1q"])[1] is None  # of another visit: not here


def test_a_table_that_a_person_put_there_covers_all(tmp_path, index):
    put(fetched.first(tmp_path, "offsets", "jdemo1"))
    assert fetched.tables(tmp_path, "offsets", "jdemo1", index, ROOTS)[1] is None


def test_the_smallest_catalogue_that_covers_the_visit(tmp_path, index, small_visit):
    cone = coverage.cone(small_visit.flc)
    first = fetched.first(tmp_path, "catalogs", "jdemo1", "G")
    assert fetched.catalog(tmp_path, "jdemo1", index, "G") == (None, first)
    put(first, field=[cone.ra + 1.0, cone.dec, cone.radius])
    nothing, missing = fetched.catalog(tmp_path, "jdemo1", index, "G")
    assert nothing is None
    put(missing, field=[cone.ra, cone.dec, cone.radius])
    put(fetched.further(first, "larger"), field=[cone.ra, cone.dec, 1.0])
    assert fetched.catalog(tmp_path, "jdemo1", index, "G") == (missing, None)
    put(first)  # put there by hand: it says no field
    assert fetched.catalog(tmp_path, "jdemo1", index, "G") == (first, None)
