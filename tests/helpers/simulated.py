"""Options of simulated visits, and what is read of their files."""

import hashlib
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from snakedriz.simulate.pixels import add_stars
from stwcs.wcsutil import HSTWCS

OPTIONS = {
    "chip_shape": (96, 160),
    "n_exposures": 2,
    "n_stars": 40,
    "n_galaxies": 3,
    "exptime": (300.0, 450.0),
    "exposure_errors": {1: (0.01, 0.02)},
    "pm_sigma": 5.0,
    "reference_error": 0.0,
    "reference_mag_range": (17.0, 25.5),
}
PLAIN = {"cr_rate": 0.0, "hot_pixels": 0.0, "warm_pixels": 0.0, "bad_columns": 0.0, "n_galaxies": 0, "make_raw": False}
EXTRA = (0.012, -0.007)
ROLL = 0.05
CLEAN = {"noise": False, "cr_rate": 0.0, "hot_pixels": 0.0, "warm_pixels": 0.0, "bad_columns": 0.0, "n_galaxies": 0}


def digests(directory: Path) -> dict[str, str]:
    files = sorted(p for p in directory.rglob("*") if p.is_file())
    return {str(p.relative_to(directory)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def arrays(path, name):
    with fits.open(path) as hdus:
        return [hdus[name, version].data.copy() for version in (1, 2)]


def difference(path: Path, true: tuple[HSTWCS, HSTWCS]) -> np.ndarray:
    """Sky of the file's solution minus the true one (arcsec, east and north) on a grid of pixels of both chips."""
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(1, 512, 7), np.linspace(1, 256, 5)))
    result = []
    with fits.open(path) as hdus:
        for version in (1, 2):
            found = np.array(HSTWCS(hdus, ext=("SCI", version)).all_pix2world(x, y, 1))
            right = np.array(true[version - 1].all_pix2world(x, y, 1))
            delta = (found - right) * 3600
            delta[0] *= np.cos(np.deg2rad(right[1]))
            result.append(delta)
    return np.concatenate(result, axis=1)


def product(path: Path, truth, shift: tuple[float, float]) -> Path:
    """A noise-free TAN image of the scene, its stars displaced by ``shift`` arcsec (east, north)."""
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    header["CRVAL1"], header["CRVAL2"], header["CRPIX1"], header["CRPIX2"] = (
        truth.visit.ra,
        truth.visit.dec,
        400.0,
        400.0,
    )
    header["CD1_1"], header["CD1_2"], header["CD2_1"], header["CD2_2"] = -0.05 / 3600, 0.0, 0.0, 0.05 / 3600
    stars = truth.star_table
    x, y = WCS(header).all_world2pix(stars["ra"], stars["dec"], 1)
    image = np.full((800, 800), 0.5)
    add_stars(image, x - shift[0] / 0.05, y + shift[1] / 0.05, np.asarray(stars["flux"]))
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(image.astype(np.float32), header, name="SCI")]).writeto(path)
    return path
