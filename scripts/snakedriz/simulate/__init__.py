"""Simulated ACS/WFC visits with known truth, for demonstrations, tests and calibration studies."""

from snakedriz.simulate.evaluate import measure_offsets
from snakedriz.simulate.truth import Truth, read_truth
from snakedriz.simulate.visit import Visit
from snakedriz.simulate.writing import simulate_associations, simulate_visit

__all__ = ["Truth", "Visit", "measure_offsets", "read_truth", "simulate_associations", "simulate_visit"]
