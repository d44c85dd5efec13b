import pytest
from snakedriz.fits_headers import wcsnames
from snakedriz.products import final


@pytest.mark.parametrize(
    ("wcsname", "root", "kind", "is_fit"),
    [
        ("IDC_0461802ej", "0461802ej", "", False),
        ("IDC_0461802ej-GSC240", "0461802ej", "GSC240", False),
        ("IDC_4bb1536cj-FIT_SVM_GAIAeDR3", "4bb1536cj", "FIT_SVM_GAIAeDR3", True),
        ("OPUS", "", "", False),
        ("", "", "", False),
        ("-FIT", "", "FIT", True),
        ("my own-solution", "", "solution", False),
    ],
)
def test_any_wcsname_is_taken_apart_without_a_crash(wcsname, root, kind, is_fit):
    """B28: names that follow no convention crashed the final keyword loop after all work was done."""
    name = wcsnames.parse(wcsname)
    assert (name.idcroot, name.kind, name.is_fit) == (root, kind, is_fit)
    assert final.wcs_type(wcsname)


def test_order_of_preference():
    order = [
        "FIT_SVM_GAIAeDR3", "FIT_REL_GAIAeDR3", "FIT_IMG_GAIADR3", "FIT_REL_GAIADR2", "FIT_IMG_GAIADR2",
        "FIT_REL_GAIADR1", "HSC30", "GSC240", "",
    ]  # fmt: skip
    ranks = [wcsnames.parse(f"IDC_x-{kind}" if kind else "IDC_x").rank for kind in order]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)


@pytest.mark.parametrize("value", ["jref$0461802ej_idc.fits", "/a/b/0461802ej_idc.fits", "0461802ej_idc.fits "])
def test_root_of_an_idctab(value):
    assert wcsnames.idcroot(value) == "0461802ej"
    assert wcsnames.default_name(value) == "IDC_0461802ej"
