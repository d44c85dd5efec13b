"""The documented scale and its five checks, and the misapplications that must not come back."""

from pathlib import Path

import numpy as np
import pytest
from snakedriz.alignment.fit_quality import assess
from snakedriz.artefacts.fit import Fit, MatchedShare
from snakedriz.settings import detector_settings, load_detectors

WFC = detector_settings(load_detectors(), "ACS", "WFC")


EXAMPLE = Fit.read(Path(__file__).parents[1] / "artefacts/examples/fit.json")


def stars(source_mag, ref_mag):
    return EXAMPLE.exposures[0].matches.model_copy(update={"source_mag": source_mag, "ref_mag": ref_mag})


def exposure(n=50, rms=3.0, shift=(0.3, -0.2), offset=(0.0, 0.0), slope=1.0, **more):
    mag = np.linspace(18, 22, n) if n else np.empty(0)
    own = slope * mag + np.random.default_rng(1).normal(0, 0.1, n)
    numbers = {
        "shift_arcsec": shift,
        "shift_px": (-20.0 * shift[0], 20.0 * shift[1]),
        "rotation_deg": 0.001,
        "scale": 1.00001,
        "nmatches": n,
        "rms_mas": rms,
        "common_offset_mas": offset,
        "matches": EXAMPLE.exposures[0].matches.model_copy(
            update={"source_mag": own.tolist(), "ref_mag": mag.tolist()}
        ),
    }
    return EXAMPLE.exposures[0].model_copy(update={**numbers, **more})


def make(*exposures, **more):
    rms = [e.rms_mas for e in exposures if e.rms_mas is not None]
    numbers = {
        "nmatches": max(e.nmatches for e in exposures),
        "total_rms_mas": float(np.sqrt(np.mean(np.square(rms)))) if rms else None,
        "share": MatchedShare(matches=60, sources=200, rows=80),
        "exposures": exposures,
    }
    return EXAMPLE.model_copy(update={**numbers, **more})


def failed(verdict):
    return {check.name for check in verdict.checks if not check.passed}


def test_scale():
    assert assess(make(exposure(), exposure()), WFC).fit_quality == 1
    assert assess(make(exposure(rms=12.0), exposure(rms=12.0)), WFC).fit_quality == 3
    assert assess(make(exposure(rms=9.99)), WFC).fit_quality == 1
    assert assess(make(exposure(rms=10.0)), WFC).fit_quality == 3
    two = assess(make(exposure(slope=-1.0)), WFC)
    assert (two.fit_quality, two.valid, two.compromised) == (2, True, True)
    four = assess(make(exposure(slope=-1.0, rms=50.0)), WFC)
    assert (four.fit_quality, four.valid, four.compromised) == (4, True, True)
    five = assess(make(exposure(), outcome="failed", reason="no significant peak"), WFC)
    assert (five.fit_quality, five.valid) == (5, False)
    assert assess(make(exposure(), outcome="failed", reason="x", code_error=True), WFC).fit_quality == -1


def test_every_check_has_value_limit_unit():
    verdict = assess(make(exposure(), exposure()), WFC)
    assert [c.name for c in verdict.checks] == [
        "consistency",
        "large_rms",
        "radial_offset",
        "nmatches",
        "cross_match",
    ]
    assert verdict.checks[0].unit == "mas"


def test_consistency_is_about_what_remains():
    # A displaced exposure that the fit repaired: shifts differ by 250 mas, nothing remains.
    repaired = make(exposure(), exposure(shift=(0.55, -0.2)))
    assert failed(assess(repaired, WFC)) == set()
    # Half of 50 mas each way: scatter 25 mas, above 20.
    left = assess(make(exposure(), exposure(offset=(50.0, 0.0))), WFC)
    assert failed(left) == {"consistency"}
    assert left.fit_quality == 2
    assert assess(make(exposure(), exposure(offset=(400.0, 0.0))), WFC).fit_quality == 5
    # Without common sources the shifts are compared, as the description has it: 250 mas apart, scatter 125.
    unmeasured = make(exposure(offset=None), exposure(offset=None, shift=(0.55, -0.2)))
    assert failed(assess(unmeasured, WFC)) == {"consistency"}
    # "or the mean RMS, whichever is larger"
    assert failed(assess(make(exposure(rms=30.0), exposure(rms=30.0, offset=(50.0, 0))), WFC)) == set()


def test_large_rms_is_invalid():
    verdict = assess(make(exposure(), exposure(rms=150.0)), WFC)
    assert (failed(verdict), verdict.fit_quality) == ({"large_rms"}, 5)
    unseen = exposure(n=0, rms=None)
    assert "large_rms" not in failed(assess(make(exposure(), unseen), WFC))  # tied to the others
    unseen = exposure(n=0, rms=None, relative=None)
    assert assess(make(exposure(), unseen, wcs_kind="IMG"), WFC).fit_quality == 5


@pytest.mark.parametrize(("n", "limit"), [(4, 10.4), (12, 12.0), (30, 13.5)])
def test_radial_offset_limits(n, limit):
    # behaviour 3e gives these limits for the same formula.
    check = next(c for c in assess(make(exposure(n=n)), WFC).checks if c.name == "radial_offset")
    assert check.limit == pytest.approx(limit, abs=0.06)
    assert assess(make(exposure(n=n, shift=(limit - 0.1, 0))), WFC).fit_quality in (1, 2)
    assert assess(make(exposure(n=n, shift=(limit + 0.1, 0))), WFC).fit_quality == 5


def test_b12_two_matches_with_a_large_rms_do_not_pass():
    """B12: drizzlepac passes 2 matches whenever the RMS exceeds 0.5 (mas)."""
    verdict = assess(make(exposure(n=2, rms=80.0), fitgeom_used="shift"), WFC)
    assert "nmatches" in failed(verdict)
    assert verdict.fit_quality == 5
    compromised = assess(make(exposure(n=8, rms=3.0)), WFC)  # 12 needed for rscale, 4 for a shift
    assert (failed(compromised), compromised.fit_quality) == ({"nmatches"}, 2)
    assert assess(make(exposure(n=8, rms=3.0), fitgeom_used="shift"), WFC).fit_quality == 1


def test_b13_anticorrelated_magnitudes_fail():
    """B13: |r| > 0.5 accepts an anti-correlation, and one pair always passes."""
    assert failed(assess(make(exposure(n=50, slope=-1.0)), WFC)) == {"cross_match"}
    assert failed(assess(make(exposure(n=150, slope=-1.0)), WFC)) == set()  # not asked from 100 matches on
    few = assess(make(exposure(n=2), fitgeom_used="shift"), WFC)
    assert "cross_match" in failed(few)
    without = exposure(matches=stars([20.0] * 50, [None] * 50))
    verdict = assess(make(without), WFC)
    assert failed(verdict) == {"cross_match"}
    assert "unmeasurable" in verdict.checks[4].note


def test_impossible_geometry_is_invalid():
    assert assess(make(exposure(scale=1.02)), WFC).fit_quality == 5
    assert assess(make(exposure(rotation_deg=1.0)), WFC).fit_quality == 5


def test_correction_beyond_the_search_radius_is_refused():
    """400 px of 0.05 arcsec are searched on ACS/WFC: 20 arcsec; so many matches that the radial check lets it pass."""
    many = {"nmatches": 1000, "share": MatchedShare(matches=1000, sources=1500, rows=1500)}
    verdicts = {x: assess(make(exposure(n=1000, shift=(x, 0.0)), **many), WFC) for x in (19.0, 20.5)}
    for x, verdict in verdicts.items():
        refusal = next(r for r in verdict.refusals if r.name == "correction")
        assert (refusal.value, refusal.limit) == (pytest.approx(x * 20), 400)
        assert refusal.passed == (x < 20)
    assert verdicts[20.5].fit_quality == 5
    assert "correction: 410 px, limit 400" in verdicts[20.5].quality_reason


@pytest.mark.parametrize(
    ("matches", "sources", "rows", "passed"), [(20, 300, 210, False), (22, 300, 210, True), (5, 2000, 5, True)]
)
def test_few_matches_among_many_are_refused(matches, sources, rows, passed):
    share = MatchedShare(matches=matches, sources=sources, rows=rows)
    verdict = assess(make(exposure(n=matches), share=share, fitgeom_used="shift"), WFC)
    refusal = next(r for r in verdict.refusals if r.name == "matched_share")
    assert refusal.value == pytest.approx(matches / min(sources, rows))
    assert (refusal.limit, refusal.passed, verdict.valid) == (0.1, passed, passed)
    assert passed or "matched_share: 0.09524 share, limit 0.1" in verdict.quality_reason


def test_kept_exposures_are_not_judged():
    assert assess(make(exposure(), exposure(rms=None, n=0, status="kept")), WFC).fit_quality == 1
