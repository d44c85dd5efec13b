"""The bundle of single drizzles: grid, units, chips and flagged pixels."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from helpers.drizzle_runs import FIXED_BITS
from scipy.ndimage import binary_dilation
from snakedriz.drizzle import singles as singles_


def test_singles_share_the_product_grid_units_and_masks(drizzled):
    for name in "ab":
        with fits.open(drizzled / f"{name}_singles.fits") as singles, fits.open(drizzled / f"{name}_drc.fits") as out:
            product = out["SCI"].data
            for version in (1, 2):
                image, mask = singles["SCI", version].data, singles["MASK", version].data
                assert image.shape == product.shape == mask.shape
                assert image.dtype == np.dtype(">f4")
                clean = ((mask & 3) == singles_.COVERED) & (product > 0.5) & (product < 30)
                assert clean.sum() > 100
                # The same sky, so the same rate: CRs are in neither, and stars fill most of the pixels chosen.
                assert np.median(image[clean] / product[clean]) == pytest.approx(1.0, abs=0.05)


def test_chips_are_mapped_onto_the_single(drizzled):
    """What an exposure has lies on its chips; the gap between them has neither data nor a chip."""
    with fits.open(drizzled / "a_singles.fits") as singles:
        for version in (1, 2):
            mask, header = singles["MASK", version].data, singles["SCI", version].header
            chips, covered = (mask >> singles_.CHIP_SHIFT) & singles_.CHIP_BITS, (mask & singles_.COVERED) > 0
            # Only the outermost pixels, which a chip covers in part, differ: 4 edges of a frame of some 500 px a side
            assert np.mean((chips > 0) != covered) < 0.015
            assert set(np.unique(chips)) == {0, 1, 2}
            assert np.count_nonzero(chips == 1) == pytest.approx(np.count_nonzero(chips == 2), rel=0.1)
            assert header["NPIXELS"] > 0.8 * np.count_nonzero(covered)
            assert 0.003 < header["CRFLAGS"] / header["NPIXELS"] < 0.05


def test_flagged_pixels_are_mapped_onto_the_single(drizzled):
    """Where the flagging run's single is far above the product, the mask says that a flagged pixel touched it."""
    with fits.open(drizzled / "a_singles.fits") as singles, fits.open(drizzled / "a_drc.fits") as out:
        product = np.nan_to_num(out["SCI"].data)
        image, mask = singles["SCI", 1].data, singles["MASK", 1].data
        # 200 electrons in 500 s above the product, away from stars, whose wings vary with the pixel phase
        hits = (image - product > 0.4) & (product < 0.05) & ((mask & singles_.COVERED) > 0)
        assert hits.sum() > 300
        assert np.mean((mask[hits] & singles_.CR_TOUCHED) > 0) > 0.97


def test_places_of_the_detector_are_in_the_bundle(drizzled, small_visit):
    """Corners of the chips as the WCS has them: the grid spans the chips, and what is covered lies within."""
    with fits.open(drizzled / "a_singles.fits") as bundle:
        for version in (1, 2):
            hdu, mask = bundle["DETECTOR", version], bundle["MASK", version].data
            assert hdu.data.shape == (2, 2, singles_.NODES, singles_.NODES)
            assert [hdu.header["CHIP1"], hdu.header["CHIP2"]] == [1, 2]
            for number, chip in enumerate((1, 2)):
                y, x = np.nonzero((mask >> singles_.CHIP_SHIFT) & singles_.CHIP_BITS == chip)
                low, high = hdu.data[number].min(axis=(1, 2)), hdu.data[number].max(axis=(1, 2))
                # The grid ends at the middles of the outermost pixels
                np.testing.assert_allclose([x.min(), y.min()], low, atol=1.5)
                np.testing.assert_allclose([x.max(), y.max()], high, atol=1.5)


def test_flagged_pixels_of_the_detector_are_mapped(drizzled, small_visit):
    """As many as are flagged, where the WCS has them: within the 3 x 3 px around each."""
    from stwcs.wcsutil import HSTWCS

    with fits.open(drizzled / "a_singles.fits") as bundle, fits.open(small_visit.flc[0]) as exposure:
        fixed = bundle["MASK", 1].data & singles_.FIXED > 0
        wcs = WCS(bundle["SCI", 1].header)
        seen = np.zeros(fixed.shape, bool)
        for chip in (1, 2):
            y, x = np.nonzero(exposure["DQ", chip].data & FIXED_BITS)
            assert len(x) > 10
            sky = HSTWCS(exposure, ext=("SCI", chip)).all_pix2world(x, y, 0)
            px, py = np.rint(wcs.wcs_world2pix(*sky, 0)).astype(int)
            inside = (px >= 1) & (px < fixed.shape[1] - 1) & (py >= 1) & (py < fixed.shape[0] - 1)
            assert fixed[py[inside], px[inside]].all()
            seen[py[inside], px[inside]] = True
        around = binary_dilation(seen, np.ones((5, 5), bool))
        assert not (fixed[2:-2, 2:-2] & ~around[2:-2, 2:-2]).any()
    # A run that was not told of bits marks nothing
    with fits.open(drizzled / "b_singles.fits") as bundle:
        assert not (bundle["MASK", 1].data & singles_.FIXED).any()


def test_places_between_the_nodes_are_as_good():
    """Flags of a chip with a strong distortion, 5 % and of fourth order: within 0.1 px of the truth, rounded alike."""
    ny, nx = 400, 800

    def frame(x, y):
        u, v = x / nx - 0.5, y / ny - 0.5
        return 20 + x + 20 * u * v + 10 * u**2 + 3 * v**4, 30 + y - 10 * u * v + 5 * v**3

    rows, columns = np.meshgrid(np.linspace(0, ny - 1, 33), np.linspace(0, nx - 1, 33), indexing="ij")
    flags = np.random.default_rng(1).uniform(size=(ny, nx)) < 0.001
    found = singles_.map_fixed({1: flags}, {1: np.array(frame(columns, rows))}, (500, 900))
    y, x = np.nonzero(flags)
    px, py = frame(x.astype(float), y.astype(float))
    expected = np.zeros((500, 900), bool)
    expected[np.rint(py).astype(int), np.rint(px).astype(int)] = True
    expected = binary_dilation(expected, np.ones((3, 3), bool))
    assert (found ^ expected).sum() <= 0.02 * expected.sum()
