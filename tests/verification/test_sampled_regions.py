"""Large frames are looked at in tiles: the same answers, at places that map back to the frame."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.drizzled import Scene, numbers, write
from snakedriz.verification import frame_stars, frames, registration, similarity
from snakedriz.verification.sampled_regions import (
    CELL,
    CORE,
    MOST,
    PAD,
    SampledRegions,
    choose,
    footprint,
    looked_at,
    shared,
    source_blocks,
)

SETTINGS = numbers()
SHAPE = (2500, 2700)  # 6.7 Mpx; the mosaic has 4.2


def _spots(shape, positions):
    image = np.zeros(shape, np.float32)
    for x, y in positions:
        image[y, x] = 100.0
    return image


def test_small_frames_are_looked_at_whole():
    image = np.arange(12.0, dtype=">f4").reshape(3, 4)
    whole = choose((3, 4), [image > 0, image > 0], {}, [(0, 1)])
    assert whole == SampledRegions((3, 4))
    np.testing.assert_array_equal(whole.cut(image), image)
    assert whole.cut(image).dtype.isnative
    np.testing.assert_array_equal(whole.cut(image, (1, -1)), [[0, 4, 5, 6], [0, 8, 9, 10], [0, 0, 0, 0]])
    np.testing.assert_array_equal(whole.to_frame(np.array([[1.5, 2.0]])), [[1.5, 2.0]])


def test_every_pixel_of_a_tile_maps_back_to_its_place():
    rng = np.random.default_rng(1)
    frame = rng.normal(size=(1000, 1100)).astype(np.float32)
    tiles = SampledRegions(frame.shape, ((0, 0), (240, 480), (720, 720), (480, 0), (720, 240)))
    mosaic = tiles.cut(frame)
    assert mosaic.shape == (2 * CELL, 3 * CELL)
    for cell, corner in zip(tiles.cells(), tiles.corners, strict=True):
        core = mosaic[cell][PAD:-PAD, PAD:-PAD]
        np.testing.assert_array_equal(core, frame[corner[0] : corner[0] + CORE, corner[1] : corner[1] + CORE])
        y, x = np.mgrid[cell][:, 20:200:30, 15:220:40].reshape(2, -1)
        place = tiles.to_frame(np.column_stack([x, y]).astype(float)).astype(int)
        np.testing.assert_array_equal(mosaic[y, x], frame[place[:, 1], place[:, 0]])
    # A frame shifted by (3, -2) is read there
    moved = np.roll(frame, (3, -2), (0, 1))
    inside = np.s_[:CELL, CELL : 2 * CELL]
    np.testing.assert_array_equal(tiles.cut(moved, (3, -2))[inside], mosaic[inside])


def test_tiles_are_where_two_exposures_show_the_same():
    rng = np.random.default_rng(2)
    places = rng.integers(100, 2400, (30, 2))
    noise = [rng.normal(0, 1, SHAPE).astype(np.float32) for _ in range(3)]
    rays = [_spots(SHAPE, rng.integers(0, 2500, (1000, 2))) for _ in range(3)]
    covered = np.ones(SHAPE, bool)
    images = [n + r + _spots(SHAPE, places) for n, r in zip(noise, rays, strict=True)]
    sources = {i: source_blocks(image, covered) for i, image in enumerate(images)}
    tiles = choose(SHAPE, [footprint(covered)] * 3, sources, [(0, 1), (0, 2), (1, 2)])
    assert len(tiles.corners) == MOST
    chosen = set(tiles.corners)
    hit = [(y // CORE * CORE, x // CORE * CORE) in chosen for x, y in places]
    # 48 of 132 tiles; 1,000 rays in 105,000 blocks coincide in 29 of them, which rank as stars do
    assert np.mean(hit) > 0.85
    regions = {(y // CORE * 4 // 11, x // CORE * 4 // 12) for y, x in chosen}
    assert len(regions) >= 14  # some show nothing


def test_hot_pixels_do_not_draw_tiles(tmp_path):
    """Single bright pixels that all exposures have count less than stars, which are as bright and broad."""
    rng = np.random.default_rng(4)
    hot, stars = rng.integers(0, 2500, (40000, 2)), rng.integers(100, 2400, (30, 2))
    sources = {}
    for index in range(2):
        image = rng.normal(0, 1, SHAPE).astype(np.float32) + _spots(SHAPE, hot)
        for x, y in stars:
            image[y - 1 : y + 2, x - 1 : x + 2] += 50
        sources[index] = source_blocks(image, np.ones(SHAPE, bool))
    tiles = choose(SHAPE, [footprint(np.ones(SHAPE, bool))] * 2, sources, [(0, 1)])
    # Every tile has 300 hot pixels; 30 stars in 132 tiles
    assert {(y // CORE * CORE, x // CORE * CORE) for x, y in stars} <= set(tiles.corners)


def test_every_pair_has_its_tiles():
    """Three exposures along a strip, the second half on the first, the third on a fifth of the second; one apart."""
    shape = (1500, 9600)
    bounds = ((0, 4000), (2000, 6000), (5200, 9000), (9100, 9600))
    footprints = []
    for low, high in bounds:
        covered = np.zeros(shape, bool)
        covered[:, low:high] = True
        footprints.append(footprint(covered))
    assert shared(footprints)[0, 1] == pytest.approx(2000 * 1500 / 64, rel=0.01)
    nothing = np.zeros((shape[0] // 8, shape[1] // 8), np.uint8)
    tiles = choose(shape, footprints, {0: nothing, 1: nothing}, [(0, 1), (1, 2), (3, 3)])
    for low, high, least in ((2000, 4000, 45), (5200, 6000, 24), (9100, 9600, 10)):
        inside = [x for _, x in tiles.corners if low - CORE < x < high]
        assert len(inside) >= least
    assert looked_at(footprints) == [0, 1, 2, 3]
    assert looked_at(footprints[:1] * 9) == [0, 1, 2, 3]


def test_mosaics_of_tiles_are_laid_out_as_others():
    rng = np.random.default_rng(1)
    frame = rng.normal(size=(1000, 1100)).astype(np.float32)
    tiles = SampledRegions(frame.shape, ((0, 0), (240, 480), (480, 0), (720, 240), (720, 720)))
    some = SampledRegions(frame.shape, ((240, 480), (720, 720)))
    covered = np.zeros(frame.shape, bool)
    covered[300:, 500:] = True
    assert tiles.where(footprint(covered)) == some
    np.testing.assert_array_equal(tiles.onto(tiles.cut(frame), some), some.cut(frame))
    back = some.onto(some.cut(frame), tiles)
    np.testing.assert_array_equal(back[tiles.cells()[1]], tiles.cut(frame)[tiles.cells()[1]])
    assert not back[tiles.cells()[0]].any()
    assert tiles.onto(back, tiles) is back


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """One exposure of four moved by (0.3, -0.2) px and turned by 0.01 deg about the middle."""
    folder = tmp_path_factory.mktemp("large")
    scene = Scene(
        shape=SHAPE, stars=500, jitter=0.0, displaced={2: (0.3, -0.2)}, rotation_deg={2: 0.01}, flags="true", seed=4
    )
    return write(scene, folder)


def test_shift_and_rotation_are_those_of_the_whole_frame(large):
    found = frames.prepare(frames.read(*large, threads=2), SETTINGS["log_sigma_px"])
    assert found.product.shape == (7 * CELL, 7 * CELL)
    lists = frame_stars.of_frames(found, SETTINGS)
    rows = registration.measure(found, lists, SETTINGS).exposures
    assert rows[2].method == "sources"
    assert rows[2].nmatches > 120
    # The stars' middle is not the axis of rotation: 0.01 deg of 150 px are 0.026 px
    assert rows[2].dx == pytest.approx(0.3, abs=4 * rows[2].dx_err + 0.026)
    assert rows[2].dy == pytest.approx(-0.2, abs=4 * rows[2].dy_err + 0.026)
    assert rows[2].rotation_deg == pytest.approx(0.01, abs=4 * rows[2].rotation_deg_err)
    assert rows[2].rotation_deg_err < 0.001
    assert all(abs(rows[i].rotation_deg) < 4 * rows[i].rotation_deg_err + 1e-3 for i in (0, 1, 3))
    assert all(len(set(map(tuple, one.positions))) == len(one) for one in lists)  # pads give nothing twice


def test_threads_change_nothing(large):
    results = []
    for threads in (1, 2):
        found = frames.prepare(frames.read(*large, threads=threads), SETTINGS["log_sigma_px"])
        results.append(registration.measure(found, frame_stars.of_frames(found, SETTINGS), SETTINGS))
    assert results[0] == results[1]


def test_a_product_is_like_itself_in_tiles(large):
    found = frames.prepare(frames.read(*large), SETTINGS["log_sigma_px"])
    same = similarity.to_default(found, large[0], SETTINGS)
    assert same.shift_px == [0.0, 0.0]
    assert same.index == 0.0
