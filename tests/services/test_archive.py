"""MAST: listing by the portal's protocol, downloads that break off, proprietary data, cloud copies."""

import json
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from helpers.archive_tables import COLUMNS, PRODUCT, table
from helpers.failing import EVERY
from helpers.loopback import HTML, Reply, serve
from snakedriz.services import archive, failures
from snakedriz.settings.configuration import Services

SIZE = 2880 * 60
FILES = {
    f"{root}_{kind}.fits": (b"SIMPLE  =" + bytes([i]) * SIZE)[:SIZE]
    for i, (root, kind) in enumerate([("iepw14030", "asn"), ("iepw14s0q", "raw"), ("iepw14s0q", "flt"),
                                      ("iepw14s0q", "flc"), ("iepw14030", "drc")])
}  # fmt: skip


def mast(rights="PUBLIC", size=SIZE):
    """The portal's invoke, its columns' description, and Download/file with ranges."""

    def answer(request):
        if request.path.endswith("columnsconfig"):
            described = {name: {"text": name, "type": kind} for name, kind in COLUMNS.items()}
            return Reply(json.dumps(described).encode(), "text/plain")
        if request.path == "/api/v0/invoke":
            asked = json.loads(parse_qs(request.body)["request"][0])
            if asked["service"] == "Mast.Caom.Filtered":
                names = {f["paramName"]: f["values"] for f in asked["params"]["filters"]}
                known = names["obs_id"] == ["iepw14030"]
                rows = [{"obsid": "77", "obs_collection": "HST", "obs_id": "iepw14030", "target_name": "M"}] * known
                return Reply(json.dumps(table(COLUMNS, rows)).encode(), "text/json")
            assert asked["service"] == "Mast.Caom.Products"
            assert asked["params"]["obsid"] == "77"
            rows = [
                {"obsID": "77", "productFilename": name, "dataURI": f"mast:HST/product/{name}", "size": size,
                 "dataRights": rights, "obs_collection": "HST", "productType": "SCIENCE"}
                for name in FILES
            ]  # fmt: skip
            return Reply(json.dumps(table(PRODUCT, rows)).encode(), "text/json")
        return file_of(request, request.query["uri"].rpartition("/")[2])

    return answer


def file_of(request, name):
    body, asked = FILES[name], request.headers.get("Range", "")
    if asked:
        start = int(asked.removeprefix("bytes=").rstrip("-"))
        there = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
        return Reply(body[start:], "application/fits", 206, there)
    return Reply(body, "application/fits")


def fetch(server, client, folder, **options):
    return archive.fetch("iepw14030", folder, Services(mast=server.url), {}, asker=client, **options)


def downloads(server):
    return [request for request in server.asked if request.path.endswith("Download/file")]


def test_all_files_are_there_and_are_not_asked_for_again(client, tmp_path):
    with serve(mast()) as server:
        found = fetch(server, client, tmp_path)
        assert sorted(found) == sorted(name for name in FILES if "drc" not in name)
        for name, path in found.items():
            assert Path(path).read_bytes() == FILES[name]
        assert len(downloads(server)) == 4
        fetch(server, client, tmp_path)
        assert len(downloads(server)) == 4
        fetch(server, client, tmp_path, kinds=("DRC",))
        assert (tmp_path / "iepw14030_drc.fits").is_file()
    assert len(list(tmp_path.glob("*.provenance.json"))) == 5


def test_what_is_elsewhere_is_not_fetched(client, tmp_path):
    elsewhere = tmp_path / "mine.fits"
    elsewhere.write_bytes(b"x")
    with serve(mast()) as server:
        found = fetch(server, client, tmp_path / "new", have={"iepw14s0q_flc.fits": str(elsewhere)})
        assert len(downloads(server)) == 3
    assert found["iepw14s0q_flc.fits"] == str(elsewhere)


def test_proprietary_data_are_refused_before_any_download(client, tmp_path):
    with serve(mast("EXCLUSIVE_ACCESS")) as server:
        with pytest.raises(failures.Proprietary, match=r"iepw14s0q_flc.fits.*not public.*credentials"):
            fetch(server, client, tmp_path)
        assert downloads(server) == []
    assert list(tmp_path.iterdir()) == []


def test_unknown_association(client, tmp_path):
    with serve(mast()) as server, pytest.raises(ValueError, match="has no observation iepw99010"):
        archive.fetch("iepw99010", tmp_path, Services(mast=server.url), {}, asker=client)


def test_wrong_size_is_no_file(client, tmp_path):
    with serve(mast(size=SIZE - 2880)) as server, pytest.raises(failures.BadAnswer, match="listing says"):
        fetch(server, client, tmp_path)
    assert not list(tmp_path.glob("*.fits"))


@pytest.mark.parametrize("fault", ["503", "html", "empty", "cut", "redirect", "silence", "hang up"])
def test_listing_failure_then_recovery(client, tmp_path, fault):
    with serve(mast()) as server:
        server.fault = fault
        server.only = lambda request: request.path == "/api/v0/invoke"
        with pytest.raises(failures.ServiceError) as caught:
            fetch(server, client, tmp_path)
        assert isinstance(caught.value, EVERY[fault])
        assert list(tmp_path.iterdir()) == []
        server.fault = None
        assert len(fetch(server, client, tmp_path)) == 4


@pytest.mark.parametrize("fault", EVERY)
def test_download_failure_then_recovery(client, tmp_path, fault):
    with serve(mast()) as server:
        server.fault = fault
        server.only = lambda request: "raw" in request.query.get("uri", "")
        with pytest.raises(EVERY[fault]):
            fetch(server, client, tmp_path)
        assert not list(tmp_path.glob("iepw14s0q_raw*"))
        assert not any(HTML[:9].encode() in path.read_bytes() for path in tmp_path.iterdir())
        server.fault = None
        fetch(server, client, tmp_path)
    assert (tmp_path / "iepw14s0q_raw.fits").read_bytes() == FILES["iepw14s0q_raw.fits"]
    assert not list(tmp_path.glob(".*part"))


def test_cloud_copies_come_first_and_mast_has_the_rest(client, tmp_path):
    def bucket(request):
        name = request.path.rpartition("/")[2]
        if name.endswith("_raw.fits"):
            return Reply(b"<Error><Code>NoSuchKey</Code></Error>", "application/xml", 404)
        assert request.path.startswith("/hst/public/iepw/iepw14")
        return file_of(request, name)

    with serve(mast()) as server, serve(bucket) as cloud:
        config = Services(mast=server.url, cloud=cloud.url, from_cloud=True)
        archive.fetch("iepw14030", tmp_path, config, {}, asker=client)
        assert [r.query["uri"].rpartition("_")[2] for r in downloads(server)] == ["raw.fits"]
        assert len(cloud.asked) == 4
    assert all((tmp_path / name).read_bytes() == body for name, body in FILES.items() if "drc" not in name)
