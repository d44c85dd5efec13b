"""Files from a service: resumed where they broke off, verified, whole or not there."""

import hashlib

import pytest
from helpers.loopback import Reply, serve
from snakedriz.services import failures
from snakedriz.services.download import download, partial

BODY = (b"SIMPLE  =" + b"q" * 2880 * 60)[: 2880 * 60]


def with_ranges(request):
    asked = request.headers.get("Range", "")
    if not asked:
        return Reply(BODY, "application/fits")
    start = int(asked.removeprefix("bytes=").rstrip("-"))
    there = {"Content-Range": f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"}
    return Reply(BODY[start:], "application/fits", 206, there)


def ranges(server):
    return [request.headers.get("Range") for request in server.asked]


def test_what_broke_off_is_resumed(client, tmp_path):
    path = tmp_path / "a.fits"
    with serve(with_ranges) as server:
        server.fault, server.times = "cut", 2
        download(client, server.url, path, len(BODY))
        # 70 % of 172,800 bytes come, then 70 % of the rest: one whole chunk of 65,536 bytes each time
        assert ranges(server) == [None, "bytes=65536-", "bytes=131072-"]
    assert path.read_bytes() == BODY
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("size", [None, len(BODY)])
def test_a_part_from_an_earlier_run_is_resumed(client, tmp_path, size):
    path = tmp_path / "a.fits"
    partial(path).write_bytes(BODY[:5000])
    with serve(with_ranges) as server:
        download(client, server.url, path, size)
        download(client, server.url, path, size)  # there already
        assert ranges(server) == ["bytes=5000-"]
    assert path.read_bytes() == BODY


def test_a_service_without_ranges_sends_all_of_it(client, tmp_path):
    path = tmp_path / "a.fits"
    partial(path).write_bytes(b"SIMPLE  = of something else" * 9)
    with serve(lambda request: Reply(BODY, "application/fits")) as server:
        download(client, server.url, path, len(BODY))
    assert path.read_bytes() == BODY


def test_a_part_of_another_file_is_begun_anew(client, tmp_path):
    """The server cannot give that range (416): the part is as long as the file, or longer."""

    def answer(request):
        return Reply(b"no", "text/plain", 416) if "Range" in request.headers else Reply(BODY, "application/fits")

    path = tmp_path / "a.fits"
    partial(path).write_bytes(b"x" * (len(BODY) + 9))
    with serve(answer) as server:
        download(client, server.url, path)
    assert path.read_bytes() == BODY


@pytest.mark.parametrize(
    ("body", "size", "checksum", "error"),
    [
        (BODY, len(BODY) - 2880, None, failures.BadAnswer),
        (BODY, None, ("sha1", "0" * 40), failures.BadAnswer),
        (BODY[:-1], None, None, failures.Truncated),
        (b"<html>", None, None, failures.HtmlPage),
        (b"no fits", None, None, failures.BadAnswer),
    ],
)
def test_what_is_not_the_file_is_not_kept(client, tmp_path, body, size, checksum, error):
    with serve(lambda request: Reply(body, "application/fits")) as server, pytest.raises(error):
        download(client, server.url, tmp_path / "a.fits", size, checksum)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == 0  # at most an empty part
    right = ("sha1", hashlib.sha1(BODY).hexdigest().upper())
    with serve(with_ranges) as server:
        download(client, server.url, tmp_path / "a.fits", len(BODY), right)
    assert (tmp_path / "a.fits").read_bytes() == BODY
