"""Positions on the sky of points spread over the chips of a simulated exposure: as it has them, and as they are."""

import numpy as np
from snakedriz.exposures import skeleton
from stwcs.wcsutil import HSTWCS

MICROARCSEC = 1.0 / 3.6e9  # deg


def _points(shape):
    ny, nx = shape
    return np.array([(x, y) for x in np.linspace(0, nx - 1, 5) for y in np.linspace(0, ny - 1, 5)])


def corners(exposure):
    """Sky positions (deg) of points spread over every chip."""
    return np.concatenate(
        [
            HSTWCS(exposure, ext=("SCI", chip)).all_pix2world(_points(exposure["SCI", chip].shape), 0)
            for chip in skeleton.science_extensions(exposure)
        ]
    )


def true_corners(truth, index):
    """The same points where the simulation put them."""
    return np.concatenate([wcs.all_pix2world(_points(truth.visit.chip_shape), 0) for wcs in truth.wcs[index]])


def offset_mas(measured, true):
    """(dRA cos dec, dDec) of sky positions in mas, one row per point."""
    d = measured - true
    return np.column_stack([d[:, 0] * np.cos(np.radians(true[:, 1])), d[:, 1]]) * 3.6e6
