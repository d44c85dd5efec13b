"""The bundle of single drizzles: grid, units, chips and flagged pixels."""

import numpy as np
import pytest
from astropy.io import fits
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
            chips, covered = mask >> singles_.CHIP_SHIFT, (mask & singles_.COVERED) > 0
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
