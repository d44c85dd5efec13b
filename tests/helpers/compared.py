"""Pairs of drizzled products with a known offset, and their comparison."""

import numpy as np
from astropy.io import fits
from snakedriz import settings
from snakedriz.report import compare_images

from helpers import drizzled

DETECTORS = settings.load_detectors()
#: Stars that all exposures see at the same place: what moves is injected, not guiding.
QUIET = {"jitter": 0.0, "rays": 0.0}


def product(folder, name, east_mas=0.0, north_mas=0.0, wcsname="IDC_x", **scene):
    """A product whose WCS, and so every star, is displaced by a known offset; total exposure time from the scene."""
    scene = drizzled.Scene(**{**QUIET, **scene})
    folder = folder / name
    folder.mkdir()
    path, _ = drizzled.write(scene, folder, name)
    with fits.open(path, mode="update") as hdul:
        hdul[0].header.update(
            INSTRUME="ACS", DETECTOR="WFC", FILTER1="CLEAR1L", FILTER2="F814W", EXPTIME=float(max(scene.exptimes))
        )  # without HDRTAB the product's own time is taken for that of its longest exposure
        for hdu in hdul[1:]:
            hdu.header["WCSNAME"] = wcsname
            hdu.header["CRVAL2"] += north_mas / 3.6e6
            hdu.header["CRVAL1"] += east_mas / 3.6e6 / np.cos(np.radians(hdu.header["CRVAL2"]))
    return path


def compare(first, second, positions="auto", size=3.0, number=4):
    return compare_images.compare(first, second, DETECTORS, positions, size, number)
