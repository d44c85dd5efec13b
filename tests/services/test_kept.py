"""What is kept of a visit and whether it covers its exposures; the cache that workflows share."""

import threading

import pytest
from astropy.table import Table
from helpers.loopback import Reply, serve
from snakedriz.exposures import fetched
from snakedriz.exposures.association import FileIndex
from snakedriz.services import addresses, area, cache, catalogs, failures, provenance

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
    cone = area.cone(small_visit.flc)
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


def test_visits_that_the_user_groups_are_fetched_together():
    group = [["jdemo1010", "jelse2010"], ["jthird010"]]
    assert [fetched.visit(root, group) for root in ("jelse2a1q", "jdemo1010", "jthird010", "jalone010")] == [
        "jdemo1", "jdemo1", "jthird", "jalone",
    ]  # fmt: skip


def test_one_asks_and_the_others_wait(tmp_path):
    asked, got = [], []

    def ask(folder):
        asked.append(1)
        threading.Event().wait(0.2)
        (folder / "a.txt").write_text("answer")

    def run():
        with cache.answer(tmp_path, "s", {"q": 1}, ask) as folder:
            got.append((folder / "a.txt").read_text())

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(asked), got) == (1, ["answer"] * 4)


def test_neither_failed_nor_partial_nor_damaged_answers_are_served(tmp_path):
    def half(folder):
        (folder / "a.txt").write_text("hal")
        raise failures.Truncated("s", "q", "cut")

    def whole(folder):
        (folder / "a.txt").write_text("whole")

    with pytest.raises(failures.Truncated), cache.answer(tmp_path, "s", {"q": 1}, half):
        pass
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and not p.name.endswith(".lock")]
    for _ in range(2):
        with cache.answer(tmp_path, "s", {"q": 1}, whole) as folder:
            assert (folder / "a.txt").read_text() == "whole"
        (folder / "a.txt").write_text("damaged")
    with cache.answer(tmp_path, "s", {"q": 2}, whole) as other:
        assert other != folder


def test_the_same_files_with_and_without_a_cache(client, tmp_path):
    answer = Reply(b"# 1\r\nra,dec,mag\r\n10.0,-60.0,15\r\n", "text/csv")
    cone = area.Cone(10.0, -60.0, 0.05)
    with serve(lambda request: answer) as server:
        for name, where in (("a", None), ("b", str(tmp_path / "cache")), ("c", str(tmp_path / "cache"))):
            config = {"catalogs": server.url, "cache": where}
            catalogs.fetch(tmp_path / name / "t.ecsv", "G", "stsci", cone, config, {}, client)
        assert len(server.asked) == 2
    texts = [(tmp_path / name / "t.ecsv").read_bytes() for name in "abc"]
    assert texts[0] == texts[1] == texts[2]
    said = [provenance.describe(tmp_path / name / "t.ecsv") for name in "abc"]
    assert said[0] == said[1] == said[2]
    assert said[0]["service"] == "the service"  # as the client of the tests is called
    provenance.sidecar(tmp_path / "a" / "t.ecsv").unlink()  # the table travels alone: it says itself what was asked
    alone = provenance.describe(tmp_path / "a" / "t.ecsv", Table.read(tmp_path / "a" / "t.ecsv").meta)
    assert {**alone, "version": said[0]["version"]} == said[0]


def test_what_must_not_be_shown():
    config = {"mast": "https://me:pass%20word@mast.example/x?token=abcdef", "timeout": 5}
    environ = {"MAST_API_TOKEN": "tokentoken", "https_proxy": "http://a:proxypass@p:1", "HOME": "/root"}
    assert addresses.secrets(config, environ) >= {"pass%20word", "pass word", "abcdef", "tokentoken", "proxypass"}
    assert "/root" not in addresses.secrets(config, environ)
