"""The guide-star service."""

import pytest
from astropy.table import Table
from helpers.failing import EVERY
from helpers.loopback import Reply, serve
from snakedriz.services import failures, guide_stars
from snakedriz.settings.configuration import Services
from snakedriz.wcs import guide_star_offsets

# what stwcs publishes for j94f05bgq
VALUES = ("0.00163279", "-0.00024635", "0.05507061", "0.99852027", "4.870375", "-72.181833", "4.87200779",
          "-72.18207935", "GSC240")  # fmt: skip
REAL = dict(zip(guide_star_offsets.COLUMNS[1:], VALUES, strict=True))


def guide(request):
    assert request.path == "/ws/GSCConvert/GSCconvert.aspx"
    root = request.query["IPPPSSOOT"]
    if root == "JNOBODY1Q":
        return Reply(b"<a><msg>Failure: JNOBODY1Q is not known</msg></a>", "text/xml")
    inner = "".join(f"<{key}>{value}</{key}>" for key, value in REAL.items())
    return Reply(f'<?xml version="1.0"?><GSCConvert><msg>Success 1</msg>{inner}</GSCConvert>'.encode(), "text/xml")


def fetch_guide(server, client, path, roots=("j94f05bgq", "jnobody1q")):
    return guide_stars.fetch(path, roots, Services(guide_stars=server.url + "/ws"), {}, client)


def test_offsets_are_read_back(client, tmp_path):
    with serve(guide) as server:
        fetch_guide(server, client, tmp_path / "o.ecsv")
    rows = guide_star_offsets.read_offsets(tmp_path / "o.ecsv")
    assert set(rows) == {"j94f05bgq"}
    assert rows["j94f05bgq"].delta[0] == 0.00163279
    assert rows["j94f05bgq"].catalog == "GSC240"
    assert Table.read(tmp_path / "o.ecsv").meta["unknown"] == ["jnobody1q"]


def test_no_offsets_at_all(client, tmp_path):
    with serve(guide) as server:
        fetch_guide(server, client, tmp_path / "o.ecsv", ["jnobody1q"])
    assert guide_star_offsets.read_offsets(tmp_path / "o.ecsv") == {}


@pytest.mark.parametrize("fault", EVERY)
def test_guide_star_failure_then_recovery(client, tmp_path, fault):
    with serve(guide) as server:
        server.fault = fault
        with pytest.raises(EVERY[fault]):
            fetch_guide(server, client, tmp_path / "o.ecsv")
        assert list(tmp_path.iterdir()) == []
        server.fault = None
        assert len(fetch_guide(server, client, tmp_path / "o.ecsv")) == 1


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"<a><msg>Failure: SQL timeout</msg></a>", failures.ServiceSaidError),
        (b"<a><msg>Success</msg></a>", failures.BadAnswer),
        (b"<a>" + b"".join(b"<%s>x</%s>" % (k.encode(), k.encode()) for k in REAL) + b"<msg>Success</msg></a>",
         failures.BadAnswer),
        (b"<a></a>", failures.BadAnswer),
    ],
)  # fmt: skip
def test_guide_star_nonsense_is_never_an_offset_of_zero(client, tmp_path, body, error):
    with serve(lambda request: Reply(body, "text/xml")) as server, pytest.raises(error):
        fetch_guide(server, client, tmp_path / "o.ecsv")
    assert list(tmp_path.iterdir()) == []
