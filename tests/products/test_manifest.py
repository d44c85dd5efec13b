"""The list of final files."""

import hashlib

from snakedriz.products import manifest


def test_manifest_lists_every_file_once_with_its_checksum(tmp_path):
    (tmp_path / "b.fits").write_bytes(b"bb")
    (tmp_path / "a.fits").write_bytes(b"a")
    manifest.write(tmp_path / "m.tsv", [str(tmp_path / n) for n in ("b.fits", "a.fits", "b.fits")])
    lines = [line.split("\t") for line in (tmp_path / "m.tsv").read_text().splitlines()]
    assert lines[0] == ["file", "bytes", "sha256"]
    assert lines[1:] == [
        ["a.fits", "1", hashlib.sha256(b"a").hexdigest()],
        ["b.fits", "2", hashlib.sha256(b"bb").hexdigest()],
    ]
