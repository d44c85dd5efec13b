import pytest
from snakedriz import settings
from snakedriz.settings import named_solutions


def test_solutions_asked_for_by_name():
    found = settings.validate_config(
        {
            "candidates": [
                "IDC_*-FIT_SVM_GAIAeDR3", "aposteriori", {"name": "svm", "headerlets": "downloads/hlets"}, "default",
                {"wcsname": "*-HSC30"}, "IDC_*",
            ],
            "promotion": {"rank": ["svm", "default"], "choose": "hsc30"},
        }
    )  # fmt: skip
    assert found["candidates"] == ["default", "aposteriori", "fit_svm_gaiaedr3", "svm", "hsc30", "idc"]
    assert found.named_solutions == {
        "fit_svm_gaiaedr3": {"either": "IDC_*-FIT_SVM_GAIAeDR3"}, "svm": {"headerlets": "downloads/hlets"},
        "hsc30": {"wcsname": "*-HSC30"}, "idc": {"either": "IDC_*"},
    }  # fmt: skip
    given = settings.validate_config({"candidates": "[default, '*-GSC240', {name: a_1, hdrname: x_hlet.fits}]"})
    assert given["candidates"] == ["default", "gsc240", "a_1"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("IDC_*-FIT_SVM_GAIAeDR3", "fit_svm_gaiaedr3"), ("*-GSC240", "gsc240"),
        ("IDC_2731450pi-HSC30", "idc_2731450pi_hsc30"),
        ("IDC_*", "idc"), ("OPUS", "opus"), ("jbt122x8q_flc_9ec245_hlet.fits", "jbt122x8q_flc_9ec245"),
        ("mastDownload/HST/", "hst"), ("*-FIT_???_GAIA*", "fit_gaia"),
        ("hst_11665_06_wfc3_uvis_f555w_ib4606c6_flc_IDC_2731450pi-FIT_SVM_GAIADR2-hlet.fits",
         "hst_11665_06_wfc3_uvis_f555w_ib4606c6_flc_idc_2731450pi_fit"),
    ],
)  # fmt: skip
def test_names_made_of_patterns(text, name):
    assert named_solutions.slug(text) == name
