"""Catalogues from services, kept in normal form: those of STScI, and every way that its service fails."""

import numpy as np
import pytest
from helpers.failing import EVERY
from helpers.loopback import Reply, serve
from snakedriz.catalogs import reference
from snakedriz.geometry import Cone
from snakedriz.services import catalogs, failures
from snakedriz.settings.configuration import Services

CONE = Cone(10.0, -60.0, 0.05)
COLUMNS = "ra,ra_error,dec,dec_error,pmra,pmra_error,pmdec,pmdec_error,mag,objID,epoch"
ROWS = [
    "10.01,0.1,-60.01,0.2,5.5,0.1,-3.25,0.1,18.5,4611686018427387905,2016.0",
    "9.99,0.3,-59.99,0.4,,,,,19.5,4611686018427387906,2016.0",
    "10.0,0.3,-60.0,0.4,1,1,1,1,20.5,77,2016.0",
]


def csv(rows=ROWS, columns=COLUMNS):
    return Reply("\r\n".join([f"# {len(rows)} found", columns, *rows, ""]).encode(), "text/csv")


def fetch(server, client, path, name="GAIAeDR3", cone=CONE):
    return catalogs.fetch(path, name, "stsci", cone, Services(catalogs=server.url + "/webservices/"), {}, client)


def test_answer_becomes_the_normal_form(client, tmp_path):
    path = tmp_path / "c.ecsv"
    with serve(lambda request: csv()) as server:
        fetch(server, client, path)
        (request,) = server.asked
    assert request.path == "/webservices/vo/CatalogSearch.aspx"
    assert request.query == {"RA": "10.00000", "DEC": "-60.00000", "SR": "0.0500", "FORMAT": "CSV",
                             "CAT": "GAIAeDR3", "MINDET": "5"}  # fmt: skip
    table = reference.load_catalog(path, "GAIAeDR3")
    assert list(table["RA"]) == [9.99, 10.0, 10.01]  # sorted, whatever the order of the answer
    assert table["objID"][2] == "4611686018427387905"  # 64 bits survive
    assert np.isnan(table["pmra"][0])
    assert table["pmdec"][2] == -3.25


def test_order_of_rows_changes_nothing(client, tmp_path):
    for name, rows in (("a", ROWS), ("b", ROWS[::-1])):
        with serve(lambda request, rows=rows: csv(rows)) as server:
            fetch(server, client, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()  # nor does the address of the server


@pytest.mark.parametrize("body", [b"No data records found\r\n", b"# 0\r\nNo data records were found.\r\n"])
def test_empty_field_is_an_outcome(client, tmp_path, body):
    with serve(lambda request: Reply(body, "text/csv")) as server:
        table = fetch(server, client, tmp_path / "c.ecsv")
    assert len(table) == 0
    assert table.meta["outcome"] == "empty"
    kept = reference.load_catalog(tmp_path / "c.ecsv", "GAIAeDR3")
    assert len(reference.at_epoch(kept, 2005.0)) == 0


def test_no_rows_is_an_outcome_too(client, tmp_path):
    with serve(lambda request: csv([])) as server:
        assert fetch(server, client, tmp_path / "c.ecsv").meta["outcome"] == "empty"


FAILURES = {**EVERY, "LF": failures.WrongLineEnds, "error line": failures.ServiceSaidError}


@pytest.mark.parametrize("fault", FAILURES)
def test_failure_then_recovery(client, tmp_path, fault):
    path = tmp_path / "c.ecsv"
    with serve(lambda request: csv()) as server:
        server.fault = fault
        with pytest.raises(FAILURES[fault]) as caught:
            fetch(server, client, path)
        assert "CAT=GAIAeDR3" in str(caught.value)
        assert list(tmp_path.iterdir()) == []
        assert all("EPOCH" not in request.query for request in server.asked)
        assert len({tuple(sorted(request.query.items())) for request in server.asked}) == 1  # never another question
        server.fault = None
        fetch(server, client, path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.ecsv", "c.ecsv.provenance.json"]


@pytest.mark.parametrize(
    ("columns", "rows", "error"),
    [
        ("x,y", ["1,2"], failures.BadAnswer),
        ("ra,dec", ["one,two"], failures.BadAnswer),
        ("ra,dec", [","], failures.BadAnswer),
        ("ra,dec,mag", ["1,2,3", "1,2"], failures.Truncated),
    ],
)
def test_nonsense_is_no_catalogue(client, tmp_path, columns, rows, error):
    with serve(lambda request: csv(rows, columns)) as server, pytest.raises(error):
        fetch(server, client, tmp_path / "c.ecsv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "columns", "row", "expected"),
    [
        ("GSC242", "ra,raErr,dec,decErr,rapm,rapmErr,decpm,decpmErr,mag,objID,epoch",
         "1,20,2,30,4,1,5,1,15,N123,2015.5", {"ra_error": 20, "pmdec": 5, "epoch": 2015.5}),
        ("2MASS", "ra,dec,mag,objid,jdate", "1,2,14,5,2451545.0", {"epoch": 2000.0}),
        ("PS1", "ra,raMeanErr,dec,decMeanErr,mag,objid,epochMean", "1,0.01,2,0.02,15,9,56293.5",
         {"ra_error": 10, "dec_error": 20, "epoch": 2013.00205}),
    ],
)  # fmt: skip
def test_columns_of_other_catalogues(client, tmp_path, name, columns, row, expected):
    with serve(lambda request: csv([row], columns)) as server:
        table = fetch(server, client, tmp_path / "c.ecsv", name)
    for column, value in expected.items():
        assert table[column][0] == pytest.approx(value, abs=1e-4)


def test_names_of_columns_in_capitals_in_any_order_and_more_of_them(client, tmp_path):
    columns = "hstID,EPOCH,DEC,DEC_ERROR,Mag,objID,RA,ra_error,pmDEC,pmRA"
    with serve(lambda request: csv(["N1,2016.0,-60.01,0.2,18.5,7,10.01,0.1,-3.25,5.5"], columns)) as server:
        table = fetch(server, client, tmp_path / "c.ecsv")
    assert [table[c][0] for c in ("RA", "DEC", "ra_error", "pmra", "pmdec", "mag", "epoch")] == [
        10.01, -60.01, 0.1, 5.5, -3.25, 18.5, 2016.0,
    ]  # fmt: skip
