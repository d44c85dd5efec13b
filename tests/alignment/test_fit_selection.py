"""Selection among fits: the same answer every time, with its reason."""

from pathlib import Path

import numpy as np
from snakedriz.alignment.fit_selection import adopt, expected_error, select
from snakedriz.artefacts.fit import Fit

EXAMPLE = Fit.read(Path(__file__).parents[1] / "artefacts/examples/fit.json")


def fit(quality=1, error=5.0, n=100, **more):
    numbers = {"fit_quality": quality, "field_error_mas": error, "total_rms_mas": error, "nmatches": n}
    return EXAMPLE.model_copy(update={**numbers, "quality_reason": "no valid solution: no significant peak", **more})


def test_quality_comes_first():
    index, reason = select([fit(3, 12.0), fit(2, 9.0), fit(1, 9.9)])
    assert index == 2
    assert "fit_quality 1" in reason


def test_then_the_expected_error():
    """A fit without rotation may have the smaller RMS of few stars; what counts is where stars of the field end up."""
    index, reason = select([fit(error=8.0, total_rms_mas=2.0), fit(error=4.0, catalog="GSC242", total_rms_mas=6.0)])
    assert index == 1
    assert "the least of that quality" in reason


def test_near_ties_go_to_relative_then_earlier_catalogue():
    a, b = fit(error=4.8, method="2dhist"), fit(error=5.0)
    assert select([a, b])[0] == 1
    assert select([b, a])[0] == 0
    assert "ties go to relative" in select([a, b])[1]
    assert select([fit(error=5.0), fit(error=4.9, catalog="GAIADR2")])[0] == 0
    assert select([fit(error=5.0), fit(error=5.0, fitgeom="general", fitgeom_used="general")])[0] == 0
    assert expected_error(fit(error=None)) == float("inf")


def test_order_of_the_list_decides_nothing_but_the_catalogue():
    """Ties and near-ties: the same fit whatever the order the files come in, as long as catalogues keep theirs."""
    fits = [fit(error=error, method=method) for method, error in (("2dhist", 4.8), ("relative", 5.0), ("default", 4.7))]
    fits += [fit(2, 3.0), fit(5, None, 0), fit(error=5.05, method="default")]
    rng = np.random.default_rng(0)
    chosen = []
    for _ in range(60):
        order = rng.permutation(len(fits))
        index, _ = select([fits[i] for i in order])
        chosen.append(int(order[index]))
    assert set(chosen) == {1}


def test_b4_a_later_failure_discards_nothing():
    """B4: drizzlepac's last catalogue takes an earlier valid fit with it."""
    bad = [fit(5, None, 0, catalog="2MASS"), fit(-1, None, 0, catalog="2MASS")]
    assert select([fit(2, 9.0), *bad])[0] == 0
    assert select([*bad, fit(2, 9.0)])[0] == 2


def test_none_valid():
    index, reason = select([fit(5, None, 0), fit(-1, None, 0)])
    assert index is None
    assert "no significant peak" in reason
    assert select([]) == (None, "No fit was made.")


def test_adopted_is_a_fit_or_none_with_a_reason():
    assert adopt([fit(3), fit(1)], True)[0].fit_quality == 1
    assert adopt([fit(1)], False) == (None, "switched off by ASTROMETRY_COMPUTE_APOSTERIORI")
    assert adopt([], True) == (None, "no reference catalogue given (catalogs)")
