"""Where a solution puts the pixels of every chip on the sky: the measure by which switches are proved."""

from __future__ import annotations

import re

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from stwcs.wcsutil import HSTWCS

from snakedriz.errors import SnakedrizError
from snakedriz.exposures.skeleton import extension_name, science_extensions
from snakedriz.fits_headers import keywords
from snakedriz.wcs import headerlets
from snakedriz.wcs.solutions import HEADERLET, WcsSolution, with_own_headers

#: Two WCSs are the same if they agree to this at every point of the grid.
LIMIT_MICROARCSEC = 1.0
#: Points of the grid along each axis of a chip, edges included.
GRID = 7
_TABLES = re.compile(r"(CPDIS|CPERR|DP|D2IMDIS|D2IMERR|D2IM)\d(\..*)?")

Points = dict[int, np.ndarray]


def grid(skeleton: fits.HDUList, chip: int) -> np.ndarray:
    """Return pixels (x, y), 1-based, shape (GRID**2, 2), over a chip of an exposure.

    The size is that of the array, or SIZAXIS where the file holds less than it announces (archive headers without
    their pixels).
    """
    hdu = skeleton["SCI", chip]
    ny, nx = hdu.shape[-2:] if len(hdu.shape) > 1 else (0, 0)
    nx = max(nx, int(keywords.number(hdu.header, "SIZAXIS1") or 0), 2)
    ny = max(ny, int(keywords.number(hdu.header, "SIZAXIS2") or 0), 2)
    return np.array([(x, y) for x in np.linspace(1, nx, GRID) for y in np.linspace(1, ny, GRID)])


def sky(header: fits.Header, tables: fits.HDUList | None, pixels: np.ndarray, key: str = "") -> np.ndarray:
    """Return the sky positions (deg, shape (n, 2)) of 1-based pixels by one WCS of a header.

    A WCS whose CTYPE does not say ``-SIP`` is one without distortion: the terms that the header holds for another
    WCS do not apply to it. `tables` is what holds the NPOL and D2IM tables; without it they do not apply.

    Raises
    ------
    SnakedrizError
        If the header does not make a WCS.
    """
    header = header.copy()
    for keyword in keywords.broken_cards(header):
        header.remove(keyword, ignore_missing=True, remove_all=True)
    if not str(header.get(f"CTYPE1{key}", "")).endswith("-SIP"):
        headerlets.clear_distortion(header)
    if tables is None:
        for keyword in [k for k in header if _TABLES.fullmatch(k)]:
            header.remove(keyword, ignore_missing=True, remove_all=True)
    try:
        return WCS(header, fobj=tables, key=key or " ").all_pix2world(pixels, 1)
    except Exception as error:  # wcslib and astropy raise many types here, none with the reason alone
        found = " ".join(str(error).split()) or type(error).__name__
        raise SnakedrizError(f"not a usable WCS: {found}", "use another solution of the exposure") from error


def of_solution(skeleton: fits.HDUList, solution: WcsSolution, tables: bool = True) -> Points:
    """Return the sky positions (deg) of the grid of every chip that a solution has, by the solution's own WCS.

    Without `tables` the NPOL and D2IM corrections are left out.
    """
    if solution.where == HEADERLET:
        return of_headerlet(skeleton, headerlets.open_headerlet(skeleton[solution.place]), tables)
    found = {}
    for chip in solution.chips:
        header = skeleton["SCI", chip].header
        found[chip] = sky(header, skeleton if tables else None, grid(skeleton, chip), solution.key)
    return found


def of_headerlet(skeleton: fits.HDUList, headerlet: fits.HDUList, tables: bool = True) -> Points:
    """Return the sky positions (deg) of the grid of every chip of an exposure that a headerlet has a WCS for."""
    chips = set(science_extensions(skeleton))
    found = {}
    for hdu in headerlet[1:]:
        if extension_name(hdu)[0] == "SIPWCS":
            chip = int(keywords.number(hdu.header, "TG_EVER") or 0)
            if chip in chips:
                found[chip] = sky(hdu.header, headerlet if tables else None, grid(skeleton, chip))
    return found


def of_exposure(exposure: fits.HDUList) -> Points:
    """Return the sky positions (deg) of the grid of every chip by the active WCS as stwcs and AstroDrizzle see it."""
    clean = keywords.without_broken_cards(with_own_headers(exposure))
    return {
        chip: HSTWCS(clean, ext=("SCI", chip)).all_pix2world(grid(exposure, chip), 1)
        for chip in science_extensions(exposure)
    }


def difference(first: Points, second: Points) -> float:
    """Return the largest distance on the sky between two sets of positions, micro-arcsec; inf if chips differ."""
    if set(first) != set(second):
        return float("inf")
    worst = 0.0
    for chip, a in first.items():
        b = second[chip]
        ra = (a[:, 0] - b[:, 0] + 180) % 360 - 180
        apart = np.hypot(ra * np.cos(np.radians(b[:, 1])), a[:, 1] - b[:, 1]) * 3.6e9
        worst = max(worst, float(np.max(np.where(np.isfinite(apart), apart, np.inf))))
    return worst


def largest_difference(skeleton: fits.HDUList, first: WcsSolution, second: WcsSolution) -> float:
    """Return the largest distance on the sky between two solutions of an exposure, micro-arcsec."""
    return difference(of_solution(skeleton, first), of_solution(skeleton, second))
