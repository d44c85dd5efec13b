"""The astrometry database of MAST."""

import io

import pytest
from astropy.io import fits
from helpers.failing import EVERY
from helpers.loopback import Reply, serve
from snakedriz.candidates import apriori
from snakedriz.services import astrometry_db, failures
from snakedriz.settings.configuration import Services

NAMES = ["IDC_0461802ej-GSC240", "IDC_0461802ej-HSC30", "IDC_0461802ej-FIT_REL_GAIAeDR3"]
UNKNOWN = b"<xml><status>ERROR</status><msg>ipppssoot observation not found - check dataset ID</msg><data/></xml>"


def hlet(root, name):
    primary = fits.PrimaryHDU()
    primary.header["DESTIM"], primary.header["WCSNAME"] = root, name
    stream = io.BytesIO()
    fits.HDUList([primary, fits.ImageHDU(name="SIPWCS")]).writeto(stream)
    return stream.getvalue()


def database(request):
    root = request.path.rpartition("/")[2]
    assert request.path.startswith("/db/observation/read/")
    if root == "jnobody1q":
        return Reply(UNKNOWN, "text/xml", 404)
    if "wcsname" in request.query:
        return Reply(hlet(root, request.query["wcsname"]), "application/fits")
    listed = "".join(
        f"<solution><solutionID>{i}</solutionID><wcsName>{name}</wcsName><nMatch>9</nMatch></solution>"
        for i, name in enumerate(NAMES)
    )
    return Reply(f"<xml><status>OK</status><data>{listed}<bestSolutionID>1</bestSolutionID></data></xml>".encode(),
                 "text/xml; charset=utf-8")  # fmt: skip


def fetch_db(server, client, folder, roots=("jdemo1a1q", "jdemo1a2q")):
    return astrometry_db.fetch(folder, roots, Services(astrometry=server.url + "/db/"), {}, client)


@pytest.mark.parametrize("roots", [("jnobody1q", "jdemo1a1q"), ("jdemo1a1q", "jnobody1q"), ("jdemo1a1q",)])
def test_headerlets_and_index(client, tmp_path, roots):
    with serve(database) as server:
        index = fetch_db(server, client, tmp_path, roots)
    assert index.meta["unknown"] == [root for root in roots if root == "jnobody1q"]  # and the other has all of its own
    assert sorted(index["wcsname"]) == sorted(NAMES)
    assert apriori.best_flags(tmp_path) == {("jdemo1a1q", NAMES[1])}
    assert len(list(tmp_path.glob("jdemo1a1q_*_hlet.fits"))) == 3


def test_all_unknown(client, tmp_path):
    with serve(database) as server:
        index = fetch_db(server, client, tmp_path, ["jnobody1q"])
    assert len(index) == 0
    assert apriori.best_flags(tmp_path) == set()


DATABASE = {**EVERY, "404 of a wrong address": failures.Refused}


@pytest.mark.parametrize("what", ["list", "headerlet"])
@pytest.mark.parametrize("fault", DATABASE)
def test_database_failure_then_recovery(client, tmp_path, fault, what):
    expected = DATABASE[fault]
    with serve(database) as server:
        server.fault = fault
        # the second exposure fails: nothing of the first may be left
        server.only = lambda r: "jdemo1a2q" in r.path and ("wcsname" in r.query) == (what == "headerlet")
        with pytest.raises(expected):
            fetch_db(server, client, tmp_path / "h")
        assert not (tmp_path / "h").exists()
        server.fault = None
        assert len(fetch_db(server, client, tmp_path / "h")) == 6


def test_a_headerlet_of_another_exposure_is_refused(client, tmp_path):
    def answer(request):
        reply = database(request)
        return Reply(hlet("jother1aq", NAMES[0]), "application/fits") if "wcsname" in request.query else reply

    with serve(answer) as server, pytest.raises(failures.BadAnswer, match="jother1aq"):
        fetch_db(server, client, tmp_path)
