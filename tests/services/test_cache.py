"""The cache that workflows share."""

import threading

import pytest
from astropy.table import Table
from helpers.loopback import Reply, serve
from snakedriz.artefacts.provenance import describe, sidecar
from snakedriz.geometry import Cone
from snakedriz.services import cache, catalogs, failures
from snakedriz.settings.configuration import Services


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
    cone = Cone(10.0, -60.0, 0.05)
    with serve(lambda request: answer) as server:
        for name, where in (("a", None), ("b", str(tmp_path / "cache")), ("c", str(tmp_path / "cache"))):
            config = Services(catalogs=server.url, cache=where)
            catalogs.fetch(tmp_path / name / "t.ecsv", "G", "stsci", cone, config, {}, client)
        assert len(server.asked) == 2
    texts = [(tmp_path / name / "t.ecsv").read_bytes() for name in "abc"]
    assert texts[0] == texts[1] == texts[2]
    said = [describe(tmp_path / name / "t.ecsv") for name in "abc"]
    assert said[0] == said[1] == said[2]
    assert said[0].service == "the service"  # as the client of the tests is called
    sidecar(tmp_path / "a" / "t.ecsv").unlink()  # the table travels alone: it says itself what was asked
    alone = describe(tmp_path / "a" / "t.ecsv", Table.read(tmp_path / "a" / "t.ecsv").meta)
    assert alone.model_copy(update={"version": said[0].version}) == said[0]
