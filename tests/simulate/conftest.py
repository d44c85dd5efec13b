"""Simulated visits that tests of several modules look at."""

import shutil
from pathlib import Path

import pytest
from astropy.io import fits
from helpers.simulated import CLEAN, EXTRA, OPTIONS, ROLL
from snakedriz.simulate import Visit, simulate_visit
from stwcs.updatewcs import updatewcs


@pytest.fixture(scope="package")
def truth(tmp_path_factory):
    return simulate_visit(Visit(**OPTIONS), tmp_path_factory.mktemp("visit"))


@pytest.fixture(scope="package")
def clean(tmp_path_factory):
    """Noise-free stars without defects; exposure 1 is displaced and exposure 2 is rolled against the others."""
    visit = Visit(
        n_exposures=3,
        chip_shape=(256, 512),
        n_stars=60,
        mag_range=(19.0, 21.0),
        exposure_errors={1: EXTRA},
        exposure_rolls={2: ROLL},
        make_raw=False,
        **CLEAN,
    )
    return simulate_visit(visit, tmp_path_factory.mktemp("clean"))


@pytest.fixture(scope="package")
def updated(clean, tmp_path_factory):
    """The FLC files of ``clean`` after stwcs has read its reference files through the variable ``jref``."""
    directory = tmp_path_factory.mktemp("updated")
    files = [Path(shutil.copy(p, directory)) for p in clean.flc]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("jref", f"{clean.ref}/")
        for path in files:
            with fits.open(path, mode="update") as hdus:
                updatewcs(hdus, checkfiles=False, use_db=False)
    return files
