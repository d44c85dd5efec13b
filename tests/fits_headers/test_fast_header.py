import pytest
from astropy.io import fits
from helpers.shared_data import shared
from helpers.small_exposures import write_exposure, write_table
from snakedriz.errors import SnakedrizError
from snakedriz.fits_headers import fast_header

REAL = [
    "hrc_47tuc/j8bt06nyq_flt.fits",
    "hrc_47tuc/j8bt06o6q_raw.fits",
    "headers/sample_flc_header.fits",
    "headers/sample_ipppssoot_flc.fits",
    "wfpc2_omegacen/u40x010hm_c0m.fits",
]


def by_astropy(header):
    found = {}
    for key in header:
        if key in ("", "COMMENT", "HISTORY") or "." in key:
            continue
        value = header[key]
        value = None if isinstance(value, fits.card.Undefined) else value
        found[key] = value.rstrip(" \0") if isinstance(value, str) else value
    return found


@pytest.mark.parametrize("name", REAL)
def test_real_headers_read_as_astropy_does(name):
    path = shared(name)
    with fits.open(path) as hdul:
        expected = [by_astropy(hdu.header) for hdu in hdul]
        sizes = [hdul.fileinfo(n)["datLoc"] for n in range(len(hdul))]
    units = fast_header.units(path)
    assert fast_header.primary_cards(path) == expected[0]
    # DP1.EXTVER and the like: astropy takes the one text "EXTVER: 1" apart, here it stays text
    records = {"DP1", "DP2", "D2IM1", "D2IM2"}
    assert [{k: v for k, v in unit.cards.items() if k not in records} for unit in units] == expected
    assert [unit.data_start for unit in units] == sizes


def test_values_of_every_type(tmp_path):
    path = write_exposure(
        tmp_path / "a_flt.fits",
        {"QUOTED": "it's 'so'", "LONGTEXT": "x" * 150, "NEGATIVE": -3, "SMALL": 1.5e-12, "YES": True, "EMPTY": "   "},
    )
    cards = fast_header.primary_cards(path)
    assert (cards["QUOTED"], cards["LONGTEXT"], cards["NEGATIVE"]) == ("it's 'so'", "x" * 150, -3)
    assert (cards["SMALL"], cards["YES"], cards["EMPTY"]) == (1.5e-12, True, "")
    assert "NOTTHERE" not in cards
    assert fast_header.primary_cards(path, ("YES", "NOTTHERE")) == {"YES": True}


def test_first_of_two_equal_keywords_and_fortran_exponents(tmp_path):
    cards = ["SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   =                    0"]
    cards += ["TWICE   =                    1", "TWICE   =                    2", "FORTRAN =              1.5D+02"]
    cards += ["NULS    = 'ab\0\0    '", "UNDEF   =", "END"]
    path = tmp_path / "a.fits"
    path.write_bytes("".join(card.ljust(80) for card in cards).ljust(2880).encode())
    found = fast_header.primary_cards(path, ("TWICE", "FORTRAN", "NULS", "UNDEF"))
    assert found == {"TWICE": 1, "FORTRAN": 150.0, "NULS": "ab", "UNDEF": None}


def test_header_longer_than_the_first_read(tmp_path):
    path = write_exposure(tmp_path / "a_flt.fits", {f"KEY{n}": n for n in range(700)})
    assert fast_header.primary_cards(path)["KEY699"] == 699


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a FITS file"),
        (b"<html>not found</html>", "not a FITS file: it begins with b'<html>"),
        (b"SIMPLE  =                    T".ljust(80) + b" " * 3000, "no END within the 3080 bytes"),
        (b"SIMPLE  =                    T".ljust(80) + b"END".ljust(80), None),
    ],
)
def test_damaged_primary_headers(tmp_path, content, message):
    path = tmp_path / "a.fits"
    path.write_bytes(content)
    if message is None:
        assert fast_header.primary_cards(path) == {"SIMPLE": True}
        with pytest.raises(SnakedrizError, match="lacks BITPIX"):
            fast_header.units(path)
        return
    with pytest.raises(SnakedrizError, match=message):
        fast_header.primary_cards(path)


def test_missing_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(SnakedrizError, match=r"nothere\.fits: cannot be read"):
        fast_header.primary_cards(tmp_path / "nothere.fits")


def test_every_truncation_is_found(tmp_path):
    whole = write_exposure(tmp_path / "a_flt.fits", chips=1).read_bytes()
    ends = {unit.end for unit in fast_header.units(tmp_path / "a_flt.fits")}
    cut = tmp_path / "cut_flt.fits"
    for size in range(400, len(whole), 977):
        cut.write_bytes(whole[:size])
        padding = any(0 <= unit.end - size < unit.end - unit.data_start - unit.data_size for unit in _units(whole, cut))
        if size in ends or padding:  # whole units, or only padding lost: the data are complete
            continue
        with pytest.raises(SnakedrizError, match=r"truncated|not a FITS"):
            fast_header.units(cut)


def _units(whole, cut):
    other = cut.with_name("whole.fits")
    other.write_bytes(whole)
    return fast_header.units(other)


def test_table_cells(tmp_path):
    path = write_table(tmp_path / "a_asn.fits", [(b"JA\0\0JUNK", b"EXP-DTH  ", False), (b"  JB  ", b"PROD-DTH", True)])
    rows = fast_header.table_rows(path, ("MEMNAME", "MEMTYPE", "MEMPRSNT"))
    assert rows[0] == {"MEMNAME": "JA", "MEMTYPE": "EXP-DTH", "MEMPRSNT": False}
    assert rows[1] == {"MEMNAME": "JB", "MEMTYPE": "PROD-DTH", "MEMPRSNT": True}
    with pytest.raises(SnakedrizError, match="no binary table"):
        fast_header.table_rows(write_exposure(tmp_path / "a_flt.fits"), ("MEMNAME",))
