"""The truth of a simulation, read back."""

import json

import numpy as np
import pytest
from snakedriz.simulate import read_truth


def test_read_truth_gives_back_what_was_simulated(truth):
    again = read_truth(truth.directory)
    assert again.visit == truth.visit
    assert (again.flt, again.flc, again.asn_table, again.references) == (
        truth.flt, truth.flc, truth.asn_table, truth.references,
    )  # fmt: skip
    assert np.array_equal(again.scene["ra"], truth.scene["ra"])
    assert again.details == json.loads(json.dumps(truth.details))
    with pytest.raises(FileNotFoundError):
        read_truth(truth.directory / "data")
