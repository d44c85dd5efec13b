"""Files as the bytes of their extensions."""

import pytest
from helpers.real_headers import codes, copy_of, read, rewrite, sha
from snakedriz.errors import SnakedrizError
from snakedriz.wcs import fits_bytes, switching


def test_truncated_files_and_headerlets_are_named(tmp_path):
    path = copy_of("sample_svm_flc", tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-5000])
    assert "truncated in HDRLET,10" in fits_bytes.pieces(path)[1]
    assert codes(path)["HDRLET,10"] == ["truncated"]
    digest = sha(path)
    with pytest.raises(SnakedrizError, match=r"truncated in HDRLET,10.*repair"):
        switching.switch(path, "*-GSC240")
    assert sha(path) == digest
    switching.repair_copy(path, tmp_path / "fixed_flc.fits")
    assert fits_bytes.pieces(tmp_path / "fixed_flc.fits")[1] == ""
    assert [s.extver for s in read(tmp_path / "fixed_flc.fits") if s.where == "headerlet"] == list(range(1, 10))
    piece = fits_bytes.pieces(copy_of("sample_svm_flc", tmp_path, "b_flc.fits"))[0][-1]
    path.write_bytes(whole[: piece.start - 500])  # within the header of the last extension
    assert fits_bytes.pieces(path)[1]
    path.write_bytes(whole[:4000])
    with pytest.raises(SnakedrizError, match=r"sample_svm_flc\.fits"):
        switching.switch(path, "*-GSC240")
    rest = copy_of("sample_svm_flc", tmp_path, "c_flc.fits")
    rewrite(rest, 4, lambda content: None)
    raw = bytearray(rest.read_bytes())
    part = next(p for p in fits_bytes.pieces(rest)[0] if p.name == ("HDRLET", 4))
    raw[part.start : part.start + part.size] = raw[part.start : part.start + 14400] + b" " * (part.size - 14400)
    rest.write_bytes(raw)
    assert codes(rest)["HDRLET,4"] == ["truncated"]
