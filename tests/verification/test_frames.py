"""Frames as the verification sees them: what is read, how the others are combined, masks and noise."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from helpers.drizzled import SCALE, Scene, write
from snakedriz.verification import frames


def _single(value, covered=True):
    image = np.full((16, 16), value, np.float32)
    covers = np.full(image.shape, covered)
    return frames.SingleDrizzle(f"s{value}", 100.0, np.where(covers, image, 0).astype(np.float32), covers, ~covers)


def test_what_was_written_is_read(tmp_path):
    scene = Scene(shape=(120, 100), exptimes=(500.0, 250.0), stars=5, dither=4.0, gap=10)
    paths = write(scene, tmp_path)
    found = frames.read(*paths, threads=2)
    assert [(single.rootname, single.exptime) for single in found.singles] == [("jtest01q", 500.0), ("jtest02q", 250.0)]
    assert found.scale == pytest.approx(SCALE)
    assert set(np.unique(found.singles[0].chips)) == {1, 2}
    assert (found.depth == sum(single.covered.astype(int) for single in found.singles)).all()
    assert all((single.image[~single.covered] == 0).all() for single in found.singles)
    with fits.open(paths[1]) as bundle:
        assert found.singles[1].flagged == bundle["SCI", 2].header["CRFLAGS"]
    assert (found.product[~found.covered] == 0).all()


def test_counts_become_rates(tmp_path):
    path, _ = write(Scene(shape=(60, 60), stars=5), tmp_path)
    rates, covered, _ = frames.read_product(path)
    with fits.open(path, mode="update") as hdul:
        hdul["SCI"].header["BUNIT"], hdul[0].header["EXPTIME"] = "ELECTRONS", 50.0
    counts, _, _ = frames.read_product(path)
    np.testing.assert_allclose(counts[covered], rates[covered] / 50.0, rtol=1e-6)


@pytest.mark.parametrize(("values", "expected"), [((), 0), ((7,), 7), ((7, 3), 3), ((7, 3, 5), 5), ((9, 7, 3, 5), 5)])
def test_others_are_combined_by_median_of_three_or_minimum_of_two(values, expected):
    # Of four, the three before the last: all overlap alike, and the first come first
    image, covered = frames.of_others([_single(1), *map(_single, values)], 0)
    assert (image == (7 if len(values) == 4 else expected)).all()
    assert covered.all() == bool(values)


def test_others_that_do_not_cover_do_not_count():
    image, covered = frames.of_others([_single(1), _single(9), _single(3, covered=False)], 0)
    assert (image == 9).all()
    assert covered.all()


def test_flagged_pixels_are_lowered_to_the_others_and_never_raised():
    singles = [_single(5), _single(3)]
    singles[0].touched[2, 2] = singles[0].touched[5, 5] = True
    singles[0].image[5, 5] = 1.0
    found = frames.prepare(frames.Frames(singles[0].image, singles[0].covered, singles), 1.5)
    changed = singles[0].image.copy()
    changed[2, 2] = 3.0
    np.testing.assert_array_equal(found.singles[0].response, frames.source_response(changed, 1.5))


def test_masks_grow_by_squares_and_shrink_from_the_edges():
    mask = np.zeros((20, 20), bool)
    mask[8, 9] = True
    assert np.argwhere(frames.grown(mask, 2)).min(axis=0).tolist() == [6, 7]
    assert frames.grown(mask, 2).sum() == 25
    assert frames.eroded(~mask, 2).sum() == 16 * 16 - 25


def test_noise_is_robust():
    image = np.random.default_rng(1).normal(3.0, 0.5, (300, 300)).astype(np.float32)
    image[::7, ::7] = 1000.0
    assert frames.noise(image, np.ones(image.shape, bool)) == pytest.approx(0.5, rel=0.05)
    assert frames.noise(image, np.zeros(image.shape, bool)) == 0.0
