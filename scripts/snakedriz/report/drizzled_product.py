"""A drizzled product as comparisons see it: image, coverage, depth, saturated stars and WCS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray

from snakedriz import settings
from snakedriz.artefacts.comparison import ComparedProduct
from snakedriz.errors import NotApplicable, SnakedrizError
from snakedriz.verification import focus
from snakedriz.verification.frames import Image, Mask, read_product

Array = NDArray[np.float64]
DEEP = 0.6  # of the median weight: both of two exposures, three of four (own choice)


@dataclass(frozen=True)
class DrizzledProduct:
    """A drizzled product as it is compared.

    Attributes
    ----------
    path : str
    wcsname, filters : str
    image : ndarray of float32, shape (ny, nx)
        Electrons/s; 0 where not covered.
    covered : ndarray of bool, shape (ny, nx)
    deep : ndarray of bool, shape (ny, nx)
        Where the weight is at least `DEEP` of its median: where fewer exposures contribute, cosmic rays remain.
    saturated : ndarray of bool, shape (ny, nx)
        Saturated stars and their surroundings.
    wcs : `~astropy.wcs.WCS`
    scale : float
        arcsec per pixel.
    """

    path: str
    wcsname: str
    filters: str
    image: Image
    covered: Mask
    deep: Mask
    saturated: Mask
    wcs: WCS
    scale: float

    @property
    def name(self) -> str:
        """Name of the file with its folder, which says the candidate."""
        return "/".join(Path(self.path).parts[-2:])

    def sky(self, xy: Array) -> Array:
        """Right ascension and declination (deg), shape (n, 2), of pixels x, y (from 0)."""
        return np.asarray(self.wcs.wcs_pix2world(xy, 0), dtype=float)

    def pixel(self, sky: Array) -> Array:
        """Pixels x, y (from 0), shape (n, 2), of right ascension and declination (deg)."""
        return np.asarray(self.wcs.wcs_world2pix(sky, 0), dtype=float)

    def has(self, xy: Array) -> Mask:
        """Whether pixels x, y, shape (n, 2), are covered."""
        x, y = np.rint(np.where(np.isfinite(xy), xy, -1.0)).astype(np.int64).T
        inside = (x >= 0) & (y >= 0) & (x < self.image.shape[1]) & (y < self.image.shape[0])
        out = np.zeros(len(xy), dtype=bool)
        out[inside] = self.covered[y[inside], x[inside]]
        return out

    def summary(self) -> ComparedProduct:
        """Return what the report says of the file."""
        return ComparedProduct(file=self.path, wcsname=self.wcsname, filter=self.filters)


def read(path: str | Path, detectors: Mapping[str, Any]) -> tuple[DrizzledProduct, dict[str, Any]]:
    """Read a product, and the numbers of its detector.

    Raises
    ------
    NotApplicable
        If the file is the outcome card of a candidate that does not apply.
    SnakedrizError
        If it is no drizzled product, without data, or of a detector without numbers.
    """
    try:
        with fits.open(path, memmap=True) as hdul:
            primary = hdul[0].header
            if "OUTCOME" in primary and len(hdul) == 1:
                raise NotApplicable(
                    f"{'/'.join(Path(path).parts[-2:])} holds no image: {primary['OUTCOME']}: {primary.get('REASON')}"
                )
            if "SCI" not in hdul or "WHT" not in hdul:
                found = ", ".join(hdu.name for hdu in hdul)
                raise SnakedrizError(
                    f"{path}: expected a drizzled product with SCI and WHT, found {found}", "name a drc or drz file"
                )
            header = hdul["SCI"].header.copy()
            weight = np.asarray(hdul["WHT"].data, dtype=np.float32)
            longest = _longest(hdul, path)
            filters = _filters(primary)
            owner = str(primary.get("INSTRUME", "")), str(primary.get("DETECTOR", ""))
    except OSError as error:
        raise SnakedrizError(
            f"{path}: cannot be read as FITS: {error}", "check the name, or make the file anew"
        ) from error
    numbers = settings.detector_settings(detectors, *owner)
    image, covered, scale = read_product(path)
    if not covered.any():
        raise SnakedrizError(
            f"{path}: no pixel has weight, expected a drizzled product with data", "name another product"
        )
    limits = numbers["verification"]
    deep = covered & (weight >= DEEP * np.median(weight[covered]))
    saturated = focus.saturated(image, longest, float(limits["full_well"]), int(limits["saturation_growth_px"]))
    wcsname = str(header.get("WCSNAME", "")).strip()
    product = DrizzledProduct(str(path), wcsname, filters, image, covered, deep, saturated, WCS(header), scale)
    return product, numbers


def _filters(primary: fits.Header) -> str:
    names = [str(primary[key]) for key in ("FILTER", "FILTER1", "FILTER2") if primary.get(key)]
    return "/".join(name for name in names if not name.upper().startswith("CLEAR"))


def _longest(hdul: fits.HDUList, path: str | Path) -> float:
    """Exposure time (s) of the longest exposure: a pixel saturates in one exposure, not in their sum."""
    if "HDRTAB" in hdul and "EXPTIME" in hdul["HDRTAB"].columns.names:
        return float(np.max(hdul["HDRTAB"].data["EXPTIME"]))
    found = hdul[0].header.get("EXPTIME")
    if not isinstance(found, int | float) or found <= 0:
        raise SnakedrizError(
            f"{path}: EXPTIME is {found!r}, expected seconds, to tell saturated stars",
            "set EXPTIME in the primary header to the time of the longest exposure",
        )
    return float(found)
