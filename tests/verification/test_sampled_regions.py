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
    assert len(regions) == 16


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
