"""Exposures in the plane with known stars, for what needs neither pixels nor a WCS."""

import numpy as np
from astropy.table import Table
from snakedriz.alignment.tangent_plane import PlacedExposure, PlacedRows
from snakedriz.settings import detector_settings, load_detectors

FITTING = detector_settings(load_detectors(), "ACS", "WFC")["fitting"]
HALF = 2100.0  # px, half the side of an exposure: ACS/WFC
ERROR = 0.02  # px per axis


def expose(name, stars, mag, rng, centre=(0.0, 0.0), off=(0.0, 0.0), roll=0.0, which=None, extra=0, half=HALF):
    """An exposure `off` (px) and turned (deg) about its middle; `row` are its stars' numbers, -1 for `extra` others."""
    centre = np.asarray(centre, dtype=float)
    seen = np.flatnonzero((np.abs(stars - centre) < half).all(axis=1))
    seen = seen if which is None else np.intersect1d(seen, which).astype(int)
    c, s = np.cos(np.radians(roll)), np.sin(np.radians(roll))
    xy = (stars[seen] - centre) @ np.array([[c, -s], [s, c]]).T + centre + off + rng.normal(0, ERROR, (len(seen), 2))
    other = centre + rng.uniform(-half, half, (extra, 2))
    corners = np.array([[-half, -half], [half, -half], [half, half], [-half, half]]) + centre
    n = len(seen) + extra
    return PlacedExposure(
        rootname=name, correctors={}, sources=Table(), exptime=500.0, start=np.vstack([xy, other]),
        error=np.full(n, ERROR), mag=np.r_[mag[seen], rng.uniform(18, 24, extra)],
        row=np.r_[seen, np.full(extra, -1)], centre=centre, outlines=[corners],
    )  # fmt: skip


def catalogue(stars, rng, which=None, error=0.01):
    """Some stars as rows of a catalogue, in their order."""
    which = np.arange(len(stars)) if which is None else np.asarray(which, dtype=int)
    return PlacedRows(stars[which] + rng.normal(0, error, (len(which), 2)), np.full(len(which), error))


def left(exposure, transform, stars):
    """Median error (px) of an exposure's stars under a transform (matrix, shift)."""
    matrix, shift = transform
    own = exposure.row >= 0
    return np.median((exposure.start @ matrix.T + shift)[own] - stars[exposure.row[own]], axis=0)
