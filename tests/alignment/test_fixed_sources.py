"""What repeats on the detector while the sky moves is no star; what repeats with the sky is."""

import numpy as np
import pytest
from astropy.table import Table
from helpers.plane_exposures import FITTING
from snakedriz.alignment.fixed_sources import find
from snakedriz.alignment.tangent_plane import PlacedExposure

SIZE = 2000.0


def exposure(name, stars, hot, rng, dither=(0.0, 0.0), pointing=(0.0, 0.0), detector="ACS/WFC", origin=(0.0, 0.0)):
    """One chip: the WCS knows of the dither, not of the rest of the pointing; stars come first, hot pixels then."""
    pixels = np.vstack([stars - np.add(dither, pointing), hot]) + rng.normal(0, 0.03, (len(stars) + len(hot), 2))
    n = len(pixels)
    table = Table({"chip": np.ones(n, int), "x": pixels[:, 0] - origin[0], "y": pixels[:, 1] - origin[1]})
    table.meta = {"detector": detector, "chips": [{"chip": 1, "ccdchip": 2, "origin_px": list(origin)}]}
    return PlacedExposure(
        rootname=name, correctors={}, sources=table, exptime=500.0, start=pixels + np.asarray(dither),
        error=np.full(n, 0.03), mag=np.full(n, 20.0), row=np.arange(n),
        centre=SIZE / 2 + np.asarray(dither), outlines=[],
    )  # fmt: skip


def scene(seed, stars, hot):
    rng = np.random.default_rng(seed)
    return rng, rng.uniform(0, SIZE, (stars, 2)), rng.uniform(0, SIZE, (hot, 2))


@pytest.mark.parametrize("hot", [30, 300])
def test_hot_pixels_of_dithered_exposures_are_found(hot):
    """Fewer or more than the stars: where they are most of all, the stars' own match tells them from stars."""
    rng, stars, pixels = scene(0, 100, hot)
    exposures = [exposure(f"j{i}", stars, pixels, rng, (7.3 * i, -4.0 * i)) for i in range(3)]
    found = find(exposures, FITTING)
    for moving in found.moving:
        assert moving[:100].sum() >= 98  # a star on the place of another's hot pixel is one too few
        # Centroids of 0.03 px per axis, differences of 0.042: 0.3 px are seven of these.
        assert not moving[100:].any()
    assert sum("same place of the detector" in note for note in found.notes) == 3


def test_pairs_without_a_dither_share_their_stars():
    """Two and two: hot pixels repeat in all four and are told by the dither between the pairs, also within a pair."""
    rng, stars, pixels = scene(1, 100, 40)
    exposures = [exposure(f"j{i}", stars, pixels, rng, (12.5 * (i // 2), 0.0)) for i in range(4)]
    for moving in find(exposures, FITTING).moving:
        assert moving[:100].sum() >= 98
        assert not moving[100:].any()
    # Without any dither nothing tells them by place.
    alone = find(exposures[:2], FITTING)
    assert all(moving.all() for moving in alone.moving)
    assert alone.notes == ["no dither: pixels fixed to the detector are told from stars by their flags and shape alone"]


def test_stars_are_kept_where_the_wcs_errs():
    """The WCSs claim a dither of 5 px that was none: all stars stay on the detector, and none is a hot pixel."""
    rng, stars, _ = scene(2, 100, 0)
    exposures = [exposure(f"j{i}", stars, np.empty((0, 2)), rng, (5.0 * i, 0), (-5.0 * i, 0)) for i in range(2)]
    found = find(exposures, FITTING)
    assert all(moving.all() for moving in found.moving)
    assert "taken for stars" in found.notes[0]


def test_subarrays_and_other_detectors():
    """The same pixels by another origin are the same; those of another detector are not."""
    rng, stars, pixels = scene(3, 100, 40)
    whole = exposure("j1", stars, pixels, rng)
    part = exposure("j2", stars, pixels, rng, (7.0, 3.0), origin=(300.0, 400.0))
    other = exposure("j3", stars, pixels, rng, (7.0, 3.0), detector="WFC3/UVIS")
    assert not any(moving[100:].any() for moving in find([whole, part], FITTING).moving)
    assert all(moving.all() for moving in find([whole, other], FITTING).moving)
    empty = exposure("j4", stars[:0], pixels[:0], rng)
    assert [len(moving) for moving in find([whole, empty], FITTING).moving] == [140, 0]
