"""The visits that several files of this room fit."""

import logging

import numpy as np
import pytest
from helpers.displaced_visit import VISIT
from helpers.fit_simulator import Scene, start_from_default, trial
from snakedriz.simulate import simulate_visit


@pytest.fixture(autouse=True)
def _quiet():
    """Without what tweakwcs says of every fit; of each test by itself, other rooms test logging."""
    logging.disable(logging.INFO)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="package")
def visit(tmp_path_factory):
    """`helpers.displaced_visit.VISIT` and its skeletons with the default WCS."""
    truth = simulate_visit(VISIT, tmp_path_factory.mktemp("fits"))
    return truth, start_from_default(truth)


@pytest.fixture(scope="package")
def scene(tmp_path_factory):
    """Three exposures 350 mas east and 400 mas south of the truth, and 400 stars."""
    return Scene.make(tmp_path_factory.mktemp("scene"))


@pytest.fixture
def fitted(scene):
    """A fit of the scene to 40 catalogue stars."""
    return trial(scene, np.random.default_rng(3), 40, geometry="rscale")
