"""Names of HST files are split in one place."""

from pathlib import Path

import pytest
from snakedriz.fits_headers.rootnames import ExposureKey, clean_name


@pytest.mark.parametrize(
    ("name", "rootname", "kind"),
    [
        ("jdemo1a1q_flc.fits", "jdemo1a1q", "flc"),
        (Path("data/JDEMO1A1Q_FLT.FITS"), "jdemo1a1q", "flt"),
        ("jdemo1a1q", "jdemo1a1q", ""),
        ("hst_9019_06_acs_hrc_f606w_flc.fits", "hst_9019_06_acs_hrc_f606w", "flc"),
        ("_flc.fits", "", "flc"),
        ("", "", ""),
    ],
)
def test_a_name_is_rootname_and_kind(name, rootname, kind):
    key = ExposureKey.parse(name)
    assert key == (rootname, kind)
    if kind and rootname:
        assert ExposureKey.parse(str(key)) == key


@pytest.mark.parametrize("said", ["jdemo1010", " data/JDEMO1010_asn.fits ", "jdemo1010_raw"])
def test_a_person_may_name_a_file_for_the_association(said):
    assert clean_name(said) == "jdemo1010"


def test_other_endings_belong_to_the_name():
    assert clean_name("jdemo1010_drc.fits") == "jdemo1010_drc"
