"""Gaia DR3 by TAP (an asynchronous job, as UWS has it) and VizieR."""

import io
from urllib.parse import parse_qs

import numpy as np
import pytest
from astropy.io.votable import from_table
from astropy.table import Table
from helpers.failing import EVERY
from helpers.loopback import Reply, serve
from snakedriz.catalogs import reference
from snakedriz.geometry import Cone
from snakedriz.services import catalogs, failures
from snakedriz.settings.configuration import Services

CONE = Cone(10.0, -60.0, 0.05)
GAIA = Table({
    "source_id": [4611686018427387905, 7], "ra": [10.0, 10.01], "dec": [-60.0, -60.01], "ra_error": [0.1, 0.2],
    "dec_error": [0.1, 0.2], "pmra": [5.0, np.nan], "pmdec": [1.0, np.nan], "ref_epoch": [2016.0, 2016.0],
    "ruwe": [1.0, 2.5], "parallax": [0.5, np.nan], "ra_pmra_corr": [0.3, np.nan], "phot_g_mean_mag": [18.0, 19.0],
})  # fmt: skip


def votable(table, info='<INFO name="QUERY_STATUS" value="OK"/>', after=""):
    stream = io.BytesIO()
    from_table(table).to_xml(stream)
    text = stream.getvalue().decode()
    text = text.replace("<TABLE", f"{info}<TABLE", 1).replace("</TABLE>", f"</TABLE>{after}")
    text = text.replace('type="results"', "").replace("<RESOURCE", '<RESOURCE type="results"', 1)
    return Reply(text.encode(), "application/x-votable+xml")


def uws(request, base, phase="COMPLETED", error=""):
    error = f'<uws:errorSummary type="fatal"><uws:message>{error}</uws:message></uws:errorSummary>' if error else ""
    return Reply(
        f"""<?xml version="1.0"?>
<uws:job xmlns:uws="http://www.ivoa.net/xml/UWS/v1.0" xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1">
<uws:jobId>j1</uws:jobId><uws:phase>{phase}</uws:phase><uws:quote/><uws:executionDuration>60</uws:executionDuration>
<uws:destruction/><uws:parameters/>
<uws:results><uws:result id="result" xlink:href="{base}/tap/async/j1/results/result"/></uws:results>{error}
</uws:job>""".encode(),
        "text/xml",
    )


class Gaia:
    """A TAP service whose jobs end at once."""

    def __init__(self):
        self.base, self.result, self.phase, self.error, self.queries, self.deleted = (
            "",
            votable(GAIA),
            "COMPLETED",
            "",
            [],
            0,
        )

    def __call__(self, request):
        if request.method == "DELETE":
            self.deleted += 1
            return Reply(b"gone", "text/plain")
        if request.path == "/tap/async":
            self.queries.append(parse_qs(request.body)["QUERY"][0])
            return Reply(b"see", "text/plain", 303, {"Location": f"{self.base}/tap/async/j1"})
        if request.path.endswith("/results/result"):
            return self.result
        if request.path == "/tap/async/j1/phase" and request.method == "POST":
            return Reply(b"see", "text/plain", 303, {"Location": f"{self.base}/tap/async/j1"})
        return uws(request, self.base, self.phase, self.error)


def fetch_gaia(server, client, path):
    return catalogs.fetch(path, "GAIADR3", "gaia", CONE, Services(tap=server.url + "/tap"), {}, client)


def test_gaia(client, tmp_path):
    gaia = Gaia()
    with serve(gaia) as server:
        gaia.base = server.url
        fetch_gaia(server, client, tmp_path / "g.ecsv")
    assert "CIRCLE('ICRS', 10.00000, -60.00000, 0.0500)" in gaia.queries[0]
    assert len(gaia.queries) == 1
    assert gaia.deleted == 1
    table = reference.load_catalog(tmp_path / "g.ecsv", "GAIADR3")
    assert table["objID"][0] == "4611686018427387905"
    assert list(table["ruwe"]) == [1.0, 2.5]
    assert table["ra_pmra_corr"][0] == 0.3
    assert np.isnan(table["pmra"][1])
    assert table["mag"][0] == 18.0


def test_gaia_says_what_is_wrong(client, tmp_path):
    gaia = Gaia()
    gaia.phase, gaia.error = "ERROR", "column nonsense not found"
    with serve(gaia) as server:
        gaia.base = server.url
        with pytest.raises(failures.ServiceSaidError, match="column nonsense not found"):
            fetch_gaia(server, client, tmp_path / "g.ecsv")
    assert list(tmp_path.iterdir()) == []


def test_gaia_left_rows_out(client, tmp_path):
    gaia = Gaia()
    gaia.result = votable(GAIA, after='<INFO name="QUERY_STATUS" value="OVERFLOW"/>')
    with serve(gaia) as server:
        gaia.base = server.url
        with pytest.raises(failures.Incomplete):
            fetch_gaia(server, client, tmp_path / "g.ecsv")
    assert list(tmp_path.iterdir()) == []


def test_empty_field_in_gaia(client, tmp_path):
    gaia = Gaia()
    gaia.result = votable(GAIA[:0])
    with serve(gaia) as server:
        gaia.base = server.url
        assert fetch_gaia(server, client, tmp_path / "g.ecsv").meta["outcome"] == "empty"


FAULTS = [fault for fault in EVERY if fault != "other type"]  # a VOTable under another name is a VOTable
CASES = [
    (fault, where)
    for where in ("/tap/async", "/results/result")
    for fault in FAULTS
    # where a job is made the text is that of a redirect, which nobody reads
    if where != "/tap/async" or not fault.startswith("cut")
]


def expected(fault):
    """A VOTable that ends too early without a length may be told by its parser."""
    return (failures.Truncated, failures.BadAnswer) if fault == "cut without length" else EVERY[fault]


@pytest.mark.parametrize(("fault", "where"), CASES)
def test_gaia_failure_then_recovery(client, tmp_path, fault, where):
    gaia = Gaia()
    with serve(gaia) as server:
        gaia.base = server.url
        server.fault, server.only = fault, lambda request: request.path.endswith(where)
        with pytest.raises(expected(fault)):
            fetch_gaia(server, client, tmp_path / "g.ecsv")
        assert list(tmp_path.iterdir()) == []
        server.fault = None
        assert len(fetch_gaia(server, client, tmp_path / "g.ecsv")) == 2


TWOMASS = Table({"RAJ2000": [10.0], "DEJ2000": [-60.0], "Jmag": [14.0], "_2MASS": ["x"]})


def vizier(request):
    assert request.path == "/viz-bin/votable"
    return votable(TWOMASS, "")


def fetch_vizier(server, client, path):
    return catalogs.fetch(path, "2MASS", "vizier", CONE, Services(vizier=server.url), {}, client)


def test_vizier(client, tmp_path):
    with serve(vizier) as server:
        table = fetch_vizier(server, client, tmp_path / "v.ecsv")
        assert "II/246/out" in parse_qs(server.asked[0].body)["-source"][0]
    assert len(table) == 1
    assert table["mag"][0] == 14.0


@pytest.mark.parametrize("fault", FAULTS)
def test_vizier_failure_then_recovery(client, tmp_path, fault):
    with serve(vizier) as server:
        server.fault = fault
        with pytest.raises(expected(fault)):
            fetch_vizier(server, client, tmp_path / "v.ecsv")
        assert list(tmp_path.iterdir()) == []
        server.fault = None
        assert len(fetch_vizier(server, client, tmp_path / "v.ecsv")) == 1


def test_vizier_says_what_is_wrong(client, tmp_path):
    def answer(request):
        return votable(TWOMASS[:0], '<INFO name="Errors" value="no such catalogue"/>')

    with serve(answer) as server, pytest.raises(failures.ServiceSaidError, match="no such catalogue"):
        fetch_vizier(server, client, tmp_path / "v.ecsv")
