import hashlib

from snakedriz.products import manifest


def test_manifest_lists_every_file_once_with_its_checksum(tmp_path):
    (tmp_path / "b.fits").write_bytes(b"bb")
    (tmp_path / "a.fits").write_bytes(b"a")
    manifest.write_manifest(tmp_path / "m.tsv", [str(tmp_path / n) for n in ("b.fits", "a.fits", "b.fits")])
    lines = [line.split("\t") for line in (tmp_path / "m.tsv").read_text().splitlines()]
    assert lines[0] == ["file", "bytes", "sha256"]
    assert lines[1:] == [
        ["a.fits", "1", hashlib.sha256(b"a").hexdigest()],
        ["b.fits", "2", hashlib.sha256(b"bb").hexdigest()],
    ]


def test_trailer_tells_a_person_what_was_used_and_what_won(tmp_path):
    exposure = {"rootname": "ja", "exptime": None, "used": False, "reason": "EXPTIME is not set", "warnings": ["gyros"]}
    inventory = {
        "association": "jx", "instrument": "ACS", "detector": "WFC", "filter": "F814W", "warnings": ["no MDRIZTAB"],
        "drizcorr": {"value": "PERFORM", "source": "raw"}, "software": {"snakedriz": "1"}, "exposures": [exposure],
    }  # fmt: skip
    check = {"name": "focus", "value": 0.5, "limit": [-1.0, 3.0], "unit": "z-score", "passed": False, "note": "why"}
    solution = {"candidate": "default", "outcome": "ok", "reason": "the model", "wcsname": "IDC_x"}
    path = tmp_path / "jx.tra"
    promotion = {"winner": "default", "wcsname": "IDC_x", "reason": "because"}
    manifest.write_trailer(path, inventory, [solution], [{"candidate": "default", "checks": [check]}], promotion, ["f"])
    text = path.read_text()
    for words in ("EXPTIME is not set", "gyros", "no MDRIZTAB", "FAIL  focus: 0.5", "-1 to 3", "because", "IDC_x"):
        assert words in text
