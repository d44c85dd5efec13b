"""A field in which nothing can be measured: what is delivered, and that no limit verifies it."""

import json

import pytest
from astropy.io import fits
from helpers import workflow
from snakedriz.simulate import Visit, simulate_visit

pytestmark = pytest.mark.workflow
#: Four exposures without a star or galaxy; the pointing is 530 mas off, guide-star offsets leave 36 mas of it.
EMPTY = Visit(chip_shape=(256, 512), n_stars=0, n_galaxies=0, seed=12)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("empty")
    simulate_visit(EMPTY, folder)
    workflow.write_config(folder)
    done = workflow.run(folder, "results/jdemo1010/final/jdemo1010_drc.fits")
    assert done.code == 0, done.tail
    return folder


def test_a_better_pointing_is_delivered_and_not_called_verified(finished):
    """Corrected guide stars are known to 200 mas, the pointing as observed in 2012 to 300 mas."""
    found = workflow.promotion(finished)
    assert (found["winner"], found["verified"]) == ("apriori", False), found["reason"]
    assert found["verdict"] == "unmeasured, changes nothing"
    default, apriori, fit = found["candidates"]
    assert (default["expected_error"]["value_mas"], apriori["expected_error"]["value_mas"]) == (300.0, 200.0)
    assert (default["verdict"], fit["outcome"]) == ("unmeasured", "not_applicable")
    assert apriori["relative_geometry"]["unchanged"]
    header = fits.getheader(finished / "results/jdemo1010/final/jdemo1010_drc.fits")
    assert (header["SDWINNER"], header["SDVERIFD"], header["SDEXPERR"]) == ("apriori", False, 200.0)


def test_no_limit_verifies_what_was_not_measured(finished):
    """With any limit set, every candidate was once verified that no check spoke against."""
    limits = json.dumps({"limits": {"registration": 5.0, "psf_width": 9.0, "similarity": 9.0, "no_harm": 9.0}})
    done = workflow.run(finished, "results/jdemo1010/promotion.json", "--config", f"promotion={limits}")
    assert done.rules == ["promotion"], done.tail
    found = workflow.promotion(finished)
    assert not found["verified"]
    assert not any(row["verified"] or any(row["verdicts"].values()) for row in found["candidates"])
