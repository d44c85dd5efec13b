"""Every solution of real archive headers is listed."""

import pytest
from astropy.io import fits
from helpers.real_headers import assert_same_sky, copy_of, read, set_raw, sha, sky_of_file, sky_of_headerlet
from helpers.real_solutions import ACTIVE, EXPECTED
from helpers.shared_data import shared
from snakedriz.errors import SnakedrizError
from snakedriz.fits_headers import keywords
from snakedriz.wcs import solutions, switching, undo_records


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_every_solution_is_listed(name):
    found = read(shared(f"headers/{name}.fits"))
    attached = [s for s in found if s.where == solutions.HEADERLET]
    listed = [
        (s.extver, s.wcsname, s.hdrname, s.distortion, s.nmatch, s.rms_ra_mas and round(s.rms_ra_mas, 3),
         s.rms_dec_mas and round(s.rms_dec_mas, 3)) for s in attached
    ]  # fmt: skip
    assert listed == EXPECTED[name]
    wcsname, nmatch, ra, dec = ACTIVE[name]
    primary = found[0]
    assert (primary.where, primary.active, primary.wcsname, primary.nmatch) == ("primary", True, wcsname, nmatch)
    assert (primary.rms_ra_mas, primary.rms_dec_mas) == pytest.approx((ra, dec), abs=6e-4)
    scale = {"sample_flc_header": 0.05}.get(name, 0.12825 if name.endswith("flt") else 0.03962)  # arcsec/px, IDCSCALE
    assert primary.rms_ra_px == pytest.approx(ra / 1000 / scale, rel=1e-3)
    chips = (1,) if name.endswith("flt") else (1, 2)
    assert {s.chips for s in found} == {chips}
    assert [s.wcsname for s in attached if s.active] == [wcsname]
    alternates = {s.key: s.wcsname for s in found if s.where == solutions.ALTERNATE}
    header = fits.getheader(shared(f"headers/{name}.fits"), ("SCI", 1))
    assert alternates == {k[-1]: header[k] for k in header if k.startswith("WCSNAME") and len(k) == 8}


def test_nan_keywords_are_read_as_none_and_survive_a_switch(tmp_path):
    path = copy_of("sample_svm_flc", tmp_path)
    for keyword in ("RMS_RA", "RMS_RAC"):
        set_raw(path, ("SCI", 1), keyword, "NaN")
    digest = sha(path)
    primary = read(path)[0]
    assert (primary.rms_ra_mas, primary.rms_ra_px) == (None, None)
    assert primary.rms_dec_mas == pytest.approx(5.190018)
    assert keywords.broken_cards(solutions.open_exposure(path)["SCI", 1].header) == ["RMS_RA", "RMS_RAC"]
    switching.switch(path, "*-GSC240")
    assert_same_sky(sky_of_headerlet(path, 3), sky_of_file(path))
    undo_records.undo(path)
    assert sha(path) == digest
    switching.switch(path, "*-FIT_REL_GAIAeDR3")  # alternate C, whose own RMS is NaN
    assert read(path)[0].wcsname == "IDC_2731450pi-FIT_REL_GAIAeDR3"
    set_raw(path, ("SCI", 2), "CRVAL1B", "NaN")
    problems = next(s for s in read(path) if s.key == "B").problems
    assert [p.code for p in problems] == ["not-a-number"]
    with pytest.raises(SnakedrizError, match="CRVAL1B of SCI,2 is not a number"):
        switching.refuse(next(s for s in read(path) if s.key == "B"), force=True)
