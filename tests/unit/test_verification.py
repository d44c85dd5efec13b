"""Focus, similarity and registration on drizzled frames built with known displacements.

The frames are synthetic: stars of FWHM 2.4 px (a drizzled HST star), noise, and cosmic rays, on one grid. Displaced
exposures are rendered at displaced positions, and the mask of flagged pixels is what a CR step would make of them.
"""

import numpy as np
import pytest
import yaml
from snakedriz import focus, frames, metrics, promotion, registration, settings, similarity
from workflow import ROOT

SIGMA_PSF = 1.02  # px: FWHM 2.4
SIZE = 400
DETECTORS = yaml.safe_load((ROOT / "config/detectors.yaml").read_text())
LIMITS = settings.detector_settings(DETECTORS, "ACS", "WFC")["verification"]


def render(x, y, flux, size=SIZE):
    """Stars as pixel-sampled Gaussians, total flux each."""
    image = np.zeros((size, size))
    reach = np.arange(-7, 8)
    for cx, cy, f in zip(x, y, flux, strict=True):
        ix, iy = round(cx), round(cy)
        gx = np.exp(-((ix + reach - cx) ** 2) / (2 * SIGMA_PSF**2))
        gy = np.exp(-((iy + reach - cy) ** 2) / (2 * SIGMA_PSF**2))
        yy, xx = np.meshgrid(iy + reach, ix + reach, indexing="ij")
        ok = (yy >= 0) & (yy < size) & (xx >= 0) & (xx < size)
        image[yy[ok], xx[ok]] += (f * np.outer(gy, gx) / (2 * np.pi * SIGMA_PSF**2))[ok]
    return image


def nebula(rng, n, dx, dy, size=SIZE):
    """Smooth blobs without a cusp that could be taken for a star."""
    y, x = np.mgrid[0:size, 0:size]
    image = np.zeros((size, size))
    for _ in range(n):
        cx, cy, width, flux = *rng.uniform(20, size - 20, 2), rng.uniform(4, 9), rng.uniform(0.3, 1.5)
        image += flux * np.exp(-((x - cx - dx) ** 2 + (1.3 * (y - cy - dy)) ** 2) / (2 * width**2))
    return image


def visit(
    seed=0, n=4, stars=80, displaced=(0.0, 0.0), which=1, exptimes=None, flagged=False, blobs=0, rays=150, partial=False
):
    """Frames of a visit in which exposure `which` is displaced by `displaced` px.

    With `flagged`, the CR step has done to it what it does: each exposure's pixels that stand out from the others'
    combination are flagged, and the product leaves them out.
    """
    rng = np.random.default_rng(seed)
    exptimes = exptimes or [500.0] * n
    # brighter stars are rarer; none saturates (84,700 electrons in 500 s are 169 e-/s in a pixel)
    x, y = rng.uniform(15, SIZE - 15, (2, stars))
    flux = 10 ** rng.uniform(0.7, 2.7, stars)
    blob_seed = int(rng.integers(1 << 30))
    singles = []
    for i in range(n):
        dx, dy = displaced if i == which else (0.0, 0.0)
        clean = render(x + dx, y + dy, flux)
        if blobs:
            clean = clean + nebula(np.random.default_rng(blob_seed), blobs, dx, dy)
        sigma = np.sqrt(np.clip(clean, 0, None) / exptimes[i] + (0.01 * np.sqrt(500 / exptimes[i])) ** 2)
        image = clean + rng.normal(size=clean.shape) * sigma
        cy, cx = rng.integers(0, SIZE, (2, rays))
        hit = np.zeros(image.shape, bool)
        for length, dy_, dx_ in zip(rng.integers(1, 4, rays), cy, cx, strict=True):
            hit[dy_, dx_ : dx_ + length] = True
        image[hit] += rng.exponential(2.0, np.count_nonzero(hit)) + 0.5
        covered = np.ones(image.shape, bool)
        if partial:
            covered[:, : 40 * i] = False
            covered[: 30 * (n - 1 - i)] = False
        image = np.where(covered, image, 0)
        touched = frames.ndimage.binary_dilation(hit, structure=np.ones((3, 3)))
        singles.append(frames.Single(f"exp{i}", exptimes[i], image.astype(np.float32), covered, touched & covered))
    if flagged:
        for i, single in enumerate(singles):
            others, _ = frames.of_others(singles, i)
            single.touched |= (single.image - others > 0.3 * np.abs(others) + 0.1) & single.covered
    weights = np.array([np.where(s.covered & ~s.touched, s.exptime, 0) for s in singles])
    total = weights.sum(axis=0)
    product = np.sum([w * s.image for w, s in zip(weights, singles, strict=True)], axis=0) / np.where(
        total > 0, total, 1
    )
    found = frames.Frames(product.astype(np.float32), total > 0, singles, 0.05)
    return frames.prepare(found, LIMITS["log_sigma_px"])


def judge(found):
    checks = [
        focus.check(focus.measure(found, LIMITS), LIMITS),
        similarity.check(similarity.measure(found, LIMITS), LIMITS["similarity_limit"]),
        registration.check(registration.measure(found, LIMITS), LIMITS),
    ]
    return checks, {policy: metrics.verdict(checks, policy) for policy in ("documented", "measured")}


@pytest.mark.parametrize("n", [2, 3, 4, 6])
@pytest.mark.parametrize("shift", [(0.3, -0.4), (3.0, 4.0), (-7.0, 6.0)])
def test_the_displacement_is_measured(n, shift):
    """To three of its own errors, which are below 0.03 px with 80 stars."""
    measured = registration.measure(visit(seed=n, n=n, displaced=shift), LIMITS)["exposures"][1]
    assert measured["method"] == "sources"
    assert 0.0 < measured["dx_err"] < 0.03
    assert abs(measured["dx"] - shift[0]) < 3 * measured["dx_err"]
    assert abs(measured["dy"] - shift[1]) < 3 * measured["dy_err"]


@pytest.mark.parametrize("n", [2, 4])
@pytest.mark.parametrize("flagged", [False, True])
def test_five_pixels_are_never_verified(n, flagged):
    """B1: today two exposures ten pixels apart are verified; here also where the CR step has eaten the stars."""
    for seed in range(5):
        _, verdicts = judge(visit(seed=seed, n=n, displaced=(3.0, 4.0), flagged=flagged))
        assert verdicts == {"documented": False, "measured": False}


def test_similarity_and_focus_alone_catch_a_displaced_exposure():
    """Without the registration: the documented indices done right see 5 px, in every way the CR step can go."""
    for flagged in (False, True):
        checks, _ = judge(visit(seed=1, displaced=(3.0, 4.0), flagged=flagged))
        assert False in [check["passed"] for check in checks[:2]], checks[:2]


def test_power_and_false_alarms():
    """Aligned visits pass; half a pixel with 80 stars is always seen, two tenths nearly always.

    The shift is known to about 0.02 px per axis; the limit of 0.1 px plus three errors of both axes is 0.18 px, so
    that 0.5 px is 15 sigma beyond it. 30 aligned visits of 4 exposures: an exposure fails beyond 0.18 px, 7 sigma.
    """
    aligned = [judge(visit(seed=100 + i))[1] for i in range(30)]
    assert sum(not v["measured"] for v in aligned) == 0
    assert sum(not v["documented"] for v in aligned) <= 1
    half = [judge(visit(seed=200 + i, displaced=(0.3, 0.4), which=i % 4))[1] for i in range(30)]
    assert sum(v["measured"] for v in half) == 0


@pytest.mark.parametrize("shift", [(0.0, 0.0), (1.2, -0.9)])
def test_a_field_without_stars_is_measured(shift):
    """By whatever works: knots of the nebula taken as sources, or the cross-correlation of tiles; both are true."""
    found = visit(seed=7, stars=0, blobs=60, displaced=shift, rays=60)
    measured = registration.measure(found, LIMITS)
    by_tiles = registration._by_correlation(found.singles[1], LIMITS)
    assert by_tiles["method"] == "correlation"
    for result in (measured["exposures"][1], by_tiles):
        # three errors plus a twentieth of a pixel for the grid of the correlation
        assert result["dx"] == pytest.approx(shift[0], abs=3 * result["dx_err"] + 0.05)
        assert result["dy"] == pytest.approx(shift[1], abs=3 * result["dy_err"] + 0.05)
    assert registration.check(measured, LIMITS)["passed"] is (shift == (0.0, 0.0))


@pytest.mark.parametrize("n", [2, 4])
def test_an_empty_field_is_unmeasurable_and_never_verified(n):
    checks, verdicts = judge(visit(seed=3, n=n, stars=0))
    assert verdicts == {"documented": False, "measured": False}
    assert checks[2]["passed"] is None
    assert "unmeasurable" in checks[2]["note"]


def test_unequal_exposure_times_and_partial_overlap():
    _, verdicts = judge(visit(seed=4, exptimes=[1000.0, 100.0, 500.0, 500.0]))
    assert verdicts["measured"]
    _, verdicts = judge(visit(seed=5, partial=True))
    assert verdicts["measured"]
    _, verdicts = judge(visit(seed=5, partial=True, displaced=(3.0, -4.0)))
    assert not verdicts["measured"]


def test_the_region_of_largest_overlap_is_the_true_one():
    """B10: today it is the whole frame."""
    found = visit(seed=6, partial=True)
    assert np.count_nonzero(found.depth == 4) < 0.7 * found.depth.size
    assert found.depth.min() < 4


def test_focus_verdict_does_not_underflow():
    """B2: with a small scatter the lower bound underflowed to -inf, and any blur passed."""
    singles = [{"value": v} for v in (100.0, 100.1, 99.9, 100.05)]
    blurred = {"singles": singles, "product": {"value": 50.0}}
    check = focus.check(blurred, LIMITS)
    assert check["passed"] is False
    assert np.isfinite(check["value"])
    sharp = {"singles": singles, "product": {"value": 99.0}}
    assert focus.check(sharp, LIMITS)["passed"] is True
    equal = {"singles": [{"value": 1.0}] * 3, "product": {"value": 0.1}}
    assert focus.check(equal, LIMITS)["passed"] is None


def test_focus_follows_blur():
    """A Gaussian star of width s under a LoG of width w peaks as 1 / (s^2 + w^2)^2: the ratio is a closed form."""
    values = []
    for width in (1.0, 1.4):
        y, x = np.mgrid[0:61, 0:61]
        star = np.exp(-((x - 30) ** 2 + (y - 30) ** 2) / (2 * width**2)) / (2 * np.pi * width**2)
        response = frames.source_response(star.astype(np.float32), 1.5)
        values.append(focus.focus_index(response, np.zeros(star.shape, bool))[0])
    expected = ((1.0**2 + 1.5**2) / (1.4**2 + 1.5**2)) ** 2
    assert values[1] / values[0] == pytest.approx(expected, rel=0.02)  # 2 %: pixel sampling of a 1 px Gaussian


def test_saturated_stars_do_not_set_the_focus():
    found = visit(seed=8)
    for single in found.singles:
        single.image[200:204, 100:110] = 169.0  # a flat top at the full well
    found.product[200:204, 100:110] = 169.0
    frames.prepare(found, LIMITS["log_sigma_px"])
    y, x = focus.measure(found, LIMITS)["product"]["position"]
    assert not (190 < y < 214 and 90 < x < 120)


def test_mse_index_has_its_meaning():
    """Equal images score about 0, images with nothing in common about 2, whatever their noise."""
    found = visit(seed=9, n=2, rays=0)
    a, other = found.singles[0], visit(seed=10, n=2, rays=0).singles[0]
    everywhere, nowhere = np.ones(a.image.shape, bool), np.zeros(a.image.shape, bool)
    same = similarity.compare(
        a.image, found.product, a.response, found.response, everywhere, nowhere, 500.0, 1.0, LIMITS
    )
    assert same["mse"] < 0.01
    assert same["hamming"] < 0.2
    different = similarity.compare(
        a.image, other.image, a.response, other.response, everywhere, nowhere, 500.0, 1.0, LIMITS
    )
    assert different["mse"] == pytest.approx(2.0, abs=0.15)
    assert different["index"] > 1


def test_similarity_to_the_default_ignores_the_pointing_but_not_the_sky():
    here, there = visit(seed=11), visit(seed=11)
    moved = frames.ndimage.shift(there.product, (1.4, -2.3), order=3).astype(np.float32)
    same = similarity.to_default(here, moved, np.ones(moved.shape, bool), LIMITS)
    assert same["index"] < 0.3
    # what was moved by +1.4 in y and -2.3 in x has to be followed by the same amount
    assert same["shift_px"] == pytest.approx([-2.3, 1.4], abs=0.1)
    other = visit(seed=12).product
    assert similarity.to_default(here, other, np.ones(other.shape, bool), LIMITS)["index"] > 1


def test_metrics_of_a_candidate_that_does_not_apply():
    solution = {"candidate": "apriori", "outcome": "not_applicable", "reason": "no offsets", "wcsname": ""}
    found = metrics.assess_candidate(None, None, solution, LIMITS)
    assert (found["outcome"], found["checks"]) == ("not_applicable", [])
    assert promotion.worst_registration(found) is None
