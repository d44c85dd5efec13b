"""What the catalogue service of STScI is asked, and how its answers are read."""

import pytest
from helpers.loopback import Reply, serve
from snakedriz.services import failures, stsci_catalogs


def test_polygon(client):
    body = b"ra,dec\r\n1,2\r\n1.05,2.05\r\n"
    with serve(lambda request: Reply(body, "text/csv")) as server:
        corners = [(1.0, 2.0), (1.1, 2.0), (1.1, 2.1)]
        table, _ = stsci_catalogs.query(client, server.url, "GAIAeDR3", polygon=corners)
        assert server.asked[0].query["STCS"] == "polygon 1.00000 2.00000 1.10000 2.00000 1.10000 2.10000"
    assert len(table) == 2


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"# 2 objects\r\nra,dec,mag\r\n1,2,3\r\n1,2,15", failures.Truncated),  # was it 15.5?
        (b"# 3 objects\r\nra,dec,mag\r\n1,2,3\r\n1,2,15\r\n", failures.Incomplete),
        (b"# 2 objects\r\nra,dec,mag\r\n1,2,3\r\n1,2,15\r\n", None),
    ],
)
def test_the_end_of_an_answer_without_length(body, error):
    if error is None:
        assert len(stsci_catalogs.parse(body, "s", "http://x")) == 2
        return
    with pytest.raises(error):
        stsci_catalogs.parse(body, "s", "http://x")
