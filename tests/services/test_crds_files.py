"""CRDS: JSON-RPC and files."""

import hashlib
import json

import pytest
from astropy.io import fits
from helpers.failing import EVERY
from helpers.loopback import Reply, serve
from snakedriz.services import crds_files, failures
from snakedriz.settings.configuration import Services

BODY = (b"SIMPLE  =" + b"q" * 5760)[:5760]
SHA1 = hashlib.sha1(BODY).hexdigest()
NAMES = ["0461802ej_idc.fits", "02c1450oj_d2i.fits"]


@pytest.fixture
def exposure(tmp_path):
    path = tmp_path / "jdemo1a1q_flc.fits"
    header = fits.Header()
    header["IDCTAB"], header["D2IMFILE"] = f"jref${NAMES[0]}", f"jref${NAMES[1]}"
    header["NPOLFILE"], header["INSTRUME"] = "N/A", "ACS"
    fits.PrimaryHDU(header=header).writeto(path)
    return str(path)


def crds(sha1=SHA1):
    def answer(request):
        if request.path.startswith("/unchecked_get/references/hst/"):
            return Reply(BODY, "application/octet-stream")
        asked = json.loads(request.body)
        assert request.path.startswith(f"/json/{asked['method']}/")
        result = {
            "get_server_info": lambda: {
                "reference_url": {"unchecked": {"hst": f"{server_url[0]}/unchecked_get/references/hst"}},
                "crds_version": {"str": "13.1.0"},
            },
            "get_default_context": lambda *a: "hst_1234.pmap",
            "get_file_info": lambda context, name: {"size": str(len(BODY)), "sha1sum": sha1},
            "get_best_references": lambda context, header, kinds: {
                "idctab": "NEW_IDC.FITS".lower(), "offtab": "NOT FOUND n/a", "npolfile": "N/A"},
        }[asked["method"]](*asked["params"])  # fmt: skip
        return Reply(json.dumps({"error": None, "result": result, "id": asked["id"]}).encode(), "application/json")

    server_url = [""]
    return answer, server_url


def run(server, client, exposure, cache, folders=None):
    files = crds_files.wanted([exposure])
    return crds_files.fetch(files, folders or {}, cache, Services(crds=server.url), {}, client)


def test_missing_files_are_fetched_once(client, tmp_path, exposure):
    answer, url = crds()
    with serve(answer) as server:
        url[0] = server.url
        found = run(server, client, exposure, tmp_path / "cache")
        count = len(server.asked)
        assert run(server, client, exposure, tmp_path / "cache") == found
        assert len(server.asked) == count  # what is there is not asked for
    assert sorted(found) == sorted(NAMES)
    path = tmp_path / "cache" / "jref" / NAMES[0]
    assert path.read_bytes() == BODY
    record = json.loads((path.parent / (path.name + ".provenance.json")).read_text())
    assert record["query"]["context"] == "hst_1234.pmap"
    assert record["query"]["keyword"] == "IDCTAB"
    assert record["url"] == server.url
    assert record["service_version"] == "13.1.0"


def test_files_of_the_user_come_first_without_a_connection(client, tmp_path, exposure):
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in NAMES:
        (mine / name).write_bytes(b"mine")
    answer, _ = crds()
    with serve(answer) as server:
        found = run(server, client, exposure, tmp_path / "cache", {"jref": str(mine)})
        assert server.asked == []
    assert found[NAMES[0]] == str(mine / NAMES[0])


def test_best_by_context(client, exposure):
    answer, _ = crds()
    with serve(answer) as server:
        found = crds_files.current([exposure], "latest", Services(crds=server.url), {}, client)
        (request,) = [r for r in server.asked if "best" in r.path]
    assert [(f.keyword, f.variable, f.name) for f in found] == [("IDCTAB", "jref", "new_idc.fits")]
    assert json.loads(request.body)["params"][0] == "hst_1234.pmap"


def test_wrong_checksum_leaves_nothing(client, tmp_path, exposure):
    answer, url = crds(sha1="0" * 40)
    with serve(answer) as server:
        url[0] = server.url
        with pytest.raises(failures.BadAnswer, match="sha1"):
            run(server, client, exposure, tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_the_server_says_no(client, tmp_path, exposure):
    def answer(request):
        return Reply(json.dumps({"error": {"message": "unknown file"}, "result": None}).encode(), "application/json")

    with serve(answer) as server, pytest.raises(failures.ServiceSaidError, match="unknown file") as caught:
        run(server, client, exposure, tmp_path / "cache")
    for part in ("D2IMFILE", NAMES[1], "put it into", "jdemo1a1q_flc.fits"):
        assert part in str(caught.value)


@pytest.mark.parametrize("what", ["json", "unchecked_get"])
@pytest.mark.parametrize("fault", EVERY)
def test_failure_then_recovery(client, tmp_path, exposure, fault, what):
    answer, url = crds()
    with serve(answer) as server:
        url[0] = server.url
        server.fault, server.only = fault, lambda request: request.path.startswith(f"/{what}")
        with pytest.raises(failures.ServiceError):
            run(server, client, exposure, tmp_path / "cache")
        assert not list((tmp_path / "cache").rglob("*.fits"))
        server.fault = None
        assert len(run(server, client, exposure, tmp_path / "cache")) == 2
