"""Displacements by artefacts alone, and which exposures hang together by measured pairs."""

import pytest
from snakedriz.artefacts.verification import PairRegistration
from snakedriz.verification.displacements import LEAST_LINK, displacement, unlinked
from snakedriz.verification.pairs import NO_SHIFT


def _row(one, two, overlap, measured):
    rest = {"nmatches": 0, "significance": None, "field": None, "field_err": None, "reason": ""}
    return PairRegistration(
        exposures=[one, two], overlap=overlap, measured=measured, method="sources" if measured else "unmeasurable",
        **dict(NO_SHIFT), **rest,
    )  # fmt: skip


def test_groups_that_were_not_measured_against_each_other_are_found():
    within = [_row("a", "b", 1.0, True), _row("c", "d", 1.0, True)]
    assert unlinked(within) == []
    assert unlinked([*within, _row("a", "c", 0.3, True), _row("b", "c", 0.3, False)]) == []
    assert unlinked([*within, _row("a", "c", 0.3, False)]) == [["a", "b"], ["c", "d"]]
    # A sliver smears no more than that
    assert unlinked([*within, _row("a", "c", 0.5 * LEAST_LINK, False)]) == []
    assert unlinked([]) == []


def test_displacement_of_a_pair_has_rotation_in_it():
    """3 and 4 px of shift with 12 px of rotation are 13 px; errors of 0.3, 0.4 and 1.2 are 1.3, with many stars."""
    shift = {"dx": 3.0, "dy": 4.0, "dx_err": 0.3, "dy_err": 0.4, "freedom": 1e6, "field": 12.0, "field_err": 1.2}
    row = _row("a", "b", 1.0, True)
    assert displacement(row) is None
    assert displacement(row.model_copy(update=shift)) == pytest.approx((13.0, 1.3), rel=1e-3)
