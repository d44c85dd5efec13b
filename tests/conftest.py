"""Fixtures that more than one test file uses."""

import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items):
    """Files that run Snakemake first: a long one at the end would leave the other worker idle."""
    items.sort(key=lambda item: item.get_closest_marker("workflow") is None)


@pytest.fixture(scope="session")
def small_visit(tmp_path_factory):
    """Two exposures on small frames, 0.35 and -0.40 arcsec off, with offsets that leave (30, -20) mas."""
    from snakedriz.simulate import Visit, simulate_visit

    visit = Visit(chip_shape=(256, 512), n_exposures=2, n_stars=120, n_galaxies=5, seed=11)
    return simulate_visit(visit, tmp_path_factory.mktemp("small_visit"))


@pytest.fixture
def default_skeletons(small_visit):
    """Skeletons of the small visit's FLC and FLT files with the default WCS, fresh for every test."""
    from snakedriz.candidates import default
    from snakedriz.exposures import skeleton
    from snakedriz.fits_headers.rootnames import ExposureKey

    found = {ExposureKey.parse(path): skeleton.from_exposure(path) for path in (*small_visit.flc, *small_visit.flt)}
    default.make(found, {"jref": str(small_visit.ref)})
    return found
