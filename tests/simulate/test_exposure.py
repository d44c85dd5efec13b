"""Association tables, exposures and raw files in the layout of the archive."""

import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits


def test_association_table_is_read_by_stsci_tools(truth):
    # It looks for the exposures in the working directory, hence the process of its own.
    code = "import sys, stsci.tools.asnutil as a; t = a.readASNTable(sys.argv[1]); print(*t['order'], t['output'])"
    command = [sys.executable, "-c", code, truth.asn_table.name]
    run = subprocess.run(command, check=True, cwd=truth.data, capture_output=True, text=True)
    assert run.stdout.split() == ["jdemo1a1q", "jdemo1a2q", "JDEMO1010"]
    with fits.open(truth.asn_table) as hdus:
        assert hdus[0].header["ASN_ID"] == "JDEMO1010"
        assert hdus["ASN"].columns.formats == ["14A", "14A", "1L"]
        assert list(hdus["ASN"].data["MEMNAME"]) == ["JDEMO1A1Q", "JDEMO1A2Q", "JDEMO1010"]
        assert list(hdus["ASN"].data["MEMTYPE"]) == ["EXP-DTH", "EXP-DTH", "PROD-DTH"]
        assert hdus["ASN"].data["MEMPRSNT"].all()


def test_exposures_have_the_layout_and_keywords_of_acs(truth):
    for index, (path, suffix) in enumerate([(truth.flt[0], "flt"), (truth.flc[1], "flc")]):
        with fits.open(path) as hdus:
            names = [(h.name, h.ver, h.header.get("BITPIX")) for h in hdus[1:]]
            assert names == [(n, v, b) for v in (1, 2) for n, b in (("SCI", -32), ("ERR", -32), ("DQ", 16))]
            assert [hdus["SCI", v].header["CCDCHIP"] for v in (1, 2)] == [2, 1]
            primary, sci = hdus[0].header, hdus["SCI", 1].header
            assert primary["FILENAME"] == path.name
            assert primary["PCTECORR"] == ("COMPLETE" if suffix == "flc" else "OMIT")
            for key, value in {
                "INSTRUME": "ACS", "DETECTOR": "WFC", "OBSTYPE": "IMAGING", "IMAGETYP": "EXT", "MTFLAG": "",
                "FGSLOCK": "FINE", "EXPFLAG": "NORMAL", "QUALITY": "", "DRIZCORR": "PERFORM", "SUBARRAY": False,
                "FILTER1": "CLEAR1L", "FILTER2": "F814W", "CCDAMP": "ABCD", "CCDGAIN": 2.0, "READNSEA": 4.5,
                "ASN_ID": "JDEMO1010", "ASN_TAB": "jdemo1010_asn.fits", "EXPTIME": (300.0, 450.0)[index],
                "DATE-OBS": "2012-07-04", "IDCTAB": "jref$9d1snakej_idc.fits", "MDRIZTAB": "jref$9d1snakej_mdz.fits",
            }.items():  # fmt: skip
                assert primary[key] == value, key
            assert primary["EXPEND"] - primary["EXPSTART"] == pytest.approx(primary["EXPTIME"] / 86400)
            assert (sci["BUNIT"], sci["CTYPE1"], sci["CRPIX1"], sci["CRPIX2"]) == ("ELECTRONS", "RA---TAN", 80.0, 48.0)
            assert sci["NGOODPIX"] == np.sum(hdus["DQ", 1].data == 0)
            # A plain linear solution: what updatewcs adds (SIP, IDC..., names, look-up tables) is not there yet.
            assert not [c for h in hdus[1:] for c in h.header if c.startswith(("A_", "IDC", "WCSNAME", "CPDIS"))]
            assert not [c for h in hdus for c in h.header if c in ("DATE", "CHECKSUM")]


def test_raw_file_carries_drizcorr_and_no_pixels(truth):
    with fits.open(truth.raw[0]) as hdus:
        assert len(hdus) == 1
        assert hdus[0].header["DRIZCORR"] == "PERFORM"
        assert hdus[0].header["NEXTEND"] == 0
