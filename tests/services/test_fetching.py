"""From exposures to kept files: the field of a visit, the fetcher, the fetch rules."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from astropy.table import Table
from helpers.loopback import Reply, serve
from snakedriz import settings
from snakedriz.artefacts.provenance import Provenance
from snakedriz.errors import SnakedrizError
from snakedriz.files import sha256
from snakedriz.services import fetching

REPOSITORY = Path(__file__).resolve().parents[2]
COLUMNS = "ra,ra_error,dec,dec_error,pmra,pmra_error,pmdec,pmdec_error,mag,objID,epoch"
OFFSETS = ["deltaRA", "deltaDEC", "deltaROLL", "deltaSCALE", "dGSinputRA", "dGSinputDEC", "dGSoutputRA", "dGSoutputDEC"]


def outside(request):
    """The three services, as far as these tests ask them."""
    if request.path.endswith("CatalogSearch.aspx"):
        ra, dec = request.query["RA"], request.query["DEC"]
        return Reply(f"# 1\r\n{COLUMNS}\r\n{ra},0.1,{dec},0.1,,,,,18,1,2016.0\r\n".encode(), "text/csv")
    if request.path.endswith("GSCconvert.aspx"):
        inner = "".join(f"<{name}>0.5</{name}>" for name in OFFSETS) + "<outputCatalog>GSC240</outputCatalog>"
        return Reply(f"<a><msg>Success</msg>{inner}</a>".encode(), "text/xml")
    return Reply(b"<xml><status>ERROR</status><msg>observation not found</msg></xml>", "text/xml", 404)


def addresses(server):
    return {
        "ASTROMETRIC_CATALOG_URL": f"{server.url}/ws",
        "GSSS_WEBSERVICES_URL": f"{server.url}/ws",
        "ASTROMETRY_SERVICE_URL": f"{server.url}/db/",
    }


@pytest.fixture
def config(small_visit, tmp_path):
    return settings.validate_config({
        "input": str(small_visit.flc[0].parent), "output": str(tmp_path / "out"), "fetched": str(tmp_path / "fetched"),
        "network": True, "catalogs": [{"name": "GAIAeDR3", "service": "stsci"}],
        "references": {"jref": str(small_visit.ref)},
    })  # fmt: skip


def test_fetcher(config, tmp_path, small_visit):
    before = {path: sha256(path) for path in small_visit.flc[0].parent.iterdir()}
    fetched = tmp_path / "fetched"
    with serve(outside) as server:
        fetcher = fetching.VisitFetcher(config, addresses(server))
        fetcher.catalog(fetched / "catalogs" / "jdemo1_GAIAeDR3.ecsv", "jdemo1", "GAIAeDR3")
        fetcher.headerlets(fetched / "headerlets" / "jdemo1" / "index.ecsv", "jdemo1")
        fetcher.offsets(fetched / "offsets" / "jdemo1.ecsv", "jdemo1")
        fetcher.references("jdemo1")
        assert len(server.asked) == 1 + 2 + 2  # one question for the field, one for each exposure
    assert len(Table.read(fetched / "catalogs" / "jdemo1_GAIAeDR3.ecsv")) == 1
    assert len(Table.read(fetched / "headerlets" / "jdemo1" / "index.ecsv")) == 0
    assert len(Table.read(fetched / "offsets" / "jdemo1.ecsv")) == 2
    assert len(Table.read(fetched / "references" / "jdemo1.ecsv")) > 0
    for record in fetched.rglob("*.provenance.json"):
        assert (record.parent / Provenance.read(record).file).is_file()
    assert {path: sha256(path) for path in small_visit.flc[0].parent.iterdir()} == before


def test_no_network_no_fetcher(config):
    with pytest.raises(ValueError, match="network: false"):
        fetching.VisitFetcher(config.model_copy(update={"network": False}), {})


@pytest.mark.parametrize(
    ("file", "reason", "remedy"),
    [
        ("fetch", "nothing is fetched", "headerlets/: an index"),
        ("offsets/jdemo1.ecsv", "jdemo1.ecsv is not there", "put a table of guide-star offsets"),
        ("headerlets/jdemo1/index_0123abcd.ecsv", "index.ecsv do not cover jdemo1a2q", "network=true fetch"),
        ("catalogs/jdemo1_G_0123abcd.ecsv", "(within 0.1 deg of 1, 2) covers all", "jdemo1_G_0123abcd.ecsv"),
    ],
)
def test_without_network_it_says_what_is_missing(small_visit, tmp_path, file, reason, remedy):
    for name, meta in (("headerlets/jdemo1/index", {"rootnames": ["jdemo1a1q"]}),
                       ("catalogs/jdemo1_G", {"field": [1.0, 2.0, 0.1]})):  # fmt: skip
        path = tmp_path / f"{name}.ecsv"
        path.parent.mkdir(parents=True)
        Table({"rootname": ["x"]}, meta=meta).write(path, format="ascii.ecsv")
    with pytest.raises(SnakedrizError) as caught:
        fetching.refuse_without_network(file, str(tmp_path), str(small_visit.data), str(tmp_path / "out"), "auto")
    assert reason.replace("of 1, 2", "of 1.0, 2.0") in caught.value.reason
    assert remedy in caught.value.remedy


def run(folder, visit, network, target, environ, catalogs="[{name: GAIAeDR3, service: stsci}]"):
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile"), "-j1", target,
               "--config", f"input={visit.flc[0].parent}", f"network={network}", f"catalogs={catalogs}",
               "solutions={headerlets: fetch, offsets: fetch}", f"references={{jref: {visit.ref}}}",
               "services={attempts: 2, timeout: 5}"]  # fmt: skip
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "scripts"), **environ},
        capture_output=True,
        text=True,
    )


@pytest.mark.workflow
def test_fetch_rules(small_visit, tmp_path):
    """A fault ends in its own words and leaves nothing; then all comes; then nothing is asked again."""
    offline = run(tmp_path, small_visit, False, "fetch", {})
    assert offline.returncode != 0
    assert "set `network: true`" in offline.stderr
    assert not (tmp_path / "fetched").exists()
    with serve(outside) as server:
        server.fault, server.only = "html", lambda request: "CatalogSearch" in request.path
        faulty = run(tmp_path, small_visit, True, "fetch", addresses(server))
        assert faulty.returncode != 0
        assert "STScI catalogue service: a web page instead of data" in faulty.stderr
        assert not list((tmp_path / "fetched").glob("catalogs/*"))
        server.fault = None
        assert run(tmp_path, small_visit, True, "fetch", addresses(server)).returncode == 0
        asked = len(server.asked)
        again = run(tmp_path, small_visit, True, "fetch", addresses(server))
        assert again.returncode == 0
        assert "Nothing to be done" in again.stderr
        assert len(server.asked) == asked
    missing = run(tmp_path, small_visit, False, "results/missing/catalogs/jdemo1_2MASS.ecsv", {})
    assert missing.returncode != 0
    assert "fetched/catalogs/jdemo1_2MASS.ecsv is not there" in missing.stderr
