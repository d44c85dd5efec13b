"""Similarity index: blind neither to displaced exposures (B1) nor to stars flagged as cosmic rays."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.drizzled import Scene, numbers, read, write
from scipy import ndimage
from snakedriz.verification import frames as frames_
from snakedriz.verification import similarity

SETTINGS = numbers()


def _index(scene, directory):
    return similarity.measure(read(scene, directory), SETTINGS)


def _compare(a, b, touched=None, weight=1.0):
    return similarity.compare(a, b, np.ones(a.shape, bool), touched, None, weight, SETTINGS)


def _field(shift=0.0, noise=0.01, seed=1):
    """Twelve sources of peak 1, 5 x 5 px and more above threshold, on noise of 0.01."""
    image = np.random.default_rng(seed).normal(0, noise, (120, 200))
    for y in (20, 60, 100):
        for x in (20, 60, 100, 140):
            yy, xx = np.mgrid[:120, :200]
            image += np.exp(-((xx - x - shift) ** 2 + (yy - y) ** 2) / (2 * 1.7**2))
    return image.astype(np.float32)


def test_normalisation_is_what_the_documentation_says():
    same = _compare(_field(seed=1), _field(seed=2))
    # Noise of 0.01 in both, 300 px or more with a power of about 1/2 each: its error is 0.01^2 x 2 / 0.5 / sqrt(300)
    assert same.mse == pytest.approx(0.0, abs=1e-3)
    assert same.hamming < 0.15  # pixels near the threshold: at most a quarter of the circumference
    nothing = _compare(_field(), _field(20.0, seed=2))
    assert nothing.mse == pytest.approx(2.0, abs=0.02)
    assert nothing.hamming == pytest.approx(2.0, abs=0.1)
    # Half the power in common: b = a/2 + c/2 with c elsewhere gives sum(a-b)^2 = 1/4 + 1/4, power 1 + 1/2
    half = _compare(_field(0, 0.001), _field(0, 0.001, 2) / 2 + _field(20, 0.001, 3) / 2)
    assert half.mse == pytest.approx(2 * 0.5 / 1.5, abs=0.02)


def test_sign_of_the_image_cannot_make_it_pass():
    """B1: a negative sum of the image gave a negative index, which passed. Here the sky does not enter at all."""
    for sky in (0.0, -5.0):
        images = [frames_.source_response(image + np.float32(sky), 1.5) for image in (_field(), _field(20.0, seed=2))]
        assert _compare(*images).index > 1


def test_weight_scales_the_hamming_distance_only():
    one, tenth = (_compare(_field(), _field(20.0, seed=2), weight=w) for w in (1.0, 0.1))
    assert tenth.hamming == pytest.approx(0.1 * one.hamming)
    assert tenth.mse == one.mse
    assert tenth.index == min(tenth.hamming, tenth.mse)


def test_touched_pixels_are_left_out_unless_they_hold_most_sources():
    single, product = _field(), _field(seed=2)
    single[15:26, 15:26] = 0.0  # one star of twelve lost
    touched = np.zeros(single.shape, bool)
    touched[15:26, 15:26] = True
    assert _compare(single, product, touched).index < 0.1
    # All but one lost, and flagged: leaving them out would leave one star that agrees with itself
    single[:, 40:], single[40:] = 0.01, 0.01
    touched[:, 40:], touched[40:] = True, True
    single += np.random.default_rng(3).normal(0, 0.01, single.shape).astype(np.float32)
    found = _compare(single, product, touched)
    assert found.eaten > 0.5
    assert found.index > 1


def test_nothing_to_compare_is_none():
    noise = np.random.default_rng(1).normal(0, 1, (100, 100)).astype(np.float32)
    assert _compare(noise, noise).index is None
    assert _compare(np.zeros_like(noise), np.zeros_like(noise)).index is None


def test_own_share_is_taken_out():
    a, b = _field(), _field(20.0, seed=2)
    share = np.full(a.shape, 0.25, np.float32)
    np.testing.assert_allclose(similarity.without_share(0.25 * a + 0.75 * b, a, share, 0.75), b, atol=1e-5)


@pytest.mark.parametrize("exposures", [2, 3, 4, 8])
def test_displaced_exposure_that_is_not_flagged(tmp_path, exposures):
    aligned = Scene(exptimes=(500.0,) * exposures, flags="true")
    # Noise is taken out, and the drizzled stars are the same: what remains is the jitter of 0.01 px
    assert _index(aligned, tmp_path).index < 0.1
    moved = Scene(exptimes=(500.0,) * exposures, flags="true", displaced={1: (4.0, -3.0)})
    assert _index(moved, tmp_path).index > 1.5


@pytest.mark.parametrize("exposures", [3, 4, 8])
@pytest.mark.parametrize("stars", [8, 80, 300])
def test_displaced_exposure_whose_stars_were_taken_for_cosmic_rays(tmp_path, exposures, stars):
    scene = Scene(exptimes=(500.0,) * exposures, stars=stars, displaced={0: (3.0, 4.0)})
    found = _index(scene, tmp_path)
    assert found.exposures[0].eaten > 0.5
    assert found.index > 1.5


def test_short_exposures_count_by_their_time(tmp_path):
    found = _index(Scene(exptimes=(50.0, 500.0, 500.0), displaced={0: (5.0, 0.0)}, flags="true"), tmp_path)
    first = found.exposures[0]
    assert first.index == pytest.approx(first.hamming)  # about 2 x 0.1
    assert first.index < 0.5
    assert _index(Scene(exptimes=(50.0, 500.0, 500.0)), tmp_path).index < 0.2


def test_region_is_the_true_overlap(tmp_path):
    """B10: footprints are where the exposures have data, not the frame they were drizzled to."""
    frames = read(Scene(dither=30), tmp_path)
    found = similarity.measure(frames, SETTINGS)
    assert {e.region for e in found.exposures} == {"largest overlap"}
    deepest = frames.depth == 4
    assert 0.3 < deepest.mean() < 0.9
    # Nonsense outside the overlap changes nothing
    for single in frames.singles:
        single.response[~deepest] += 100
    assert similarity.measure(frames, SETTINGS).index == pytest.approx(found.index)


def test_exposure_outside_the_largest_overlap_is_compared_where_it_overlaps_any(tmp_path):
    frames = read(Scene(stars=200), tmp_path)
    # All four overlap in 5 columns only, a sliver of the last one's 155; it shares the rest with the third.
    halves = [np.s_[:, :250], np.s_[:, :250], np.s_[:, 200:], np.s_[:, 245:]]
    for single, half in zip(frames.singles, halves, strict=True):
        keep = np.zeros(single.covered.shape, bool)
        keep[half] = True
        single.covered &= keep
    found = similarity.measure(frames, SETTINGS)
    assert found.exposures[3].region == "any overlap"
    assert found.index < 0.1


def test_default_and_candidate_differ_by_pointing_only(tmp_path):
    default = read(Scene(seed=5), tmp_path)
    (tmp_path / "x_drc.fits").rename(tmp_path / "default.fits")
    moved = np.roll(default.product, (3, -2), (0, 1))
    candidate = frames_.Frames(
        ndimage.shift(moved, (0.4, 0.3), order=3, output=np.float32), default.covered, default.singles,
        regions=default.regions,
    )  # fmt: skip
    candidate.response = frames_.source_response(candidate.product, SETTINGS["log_sigma_px"])
    found = similarity.to_default(candidate, tmp_path / "default.fits", SETTINGS)
    assert found.shift_px == pytest.approx([1.7, -3.4], abs=0.1)
    # Linear interpolation at 0.4 px lowers peaks by up to 0.4 x 0.6 / 2 / 1.7^2 = 4 %
    assert found.index < 0.05
    smeared = read(Scene(seed=5, displaced={0: (5, 0), 1: (-5, 0), 2: (0, 5), 3: (0, -5)}, flags="none"), tmp_path)
    assert similarity.to_default(smeared, tmp_path / "default.fits", SETTINGS).index > 1


def test_same_input_same_result(tmp_path):
    paths = write(Scene(), tmp_path)
    sigma = SETTINGS["log_sigma_px"]
    one, two = (similarity.measure(frames_.prepare(frames_.read(*paths), sigma), SETTINGS) for _ in range(2))
    assert one == two
