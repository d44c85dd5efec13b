"""Where a simulated exposure points: skeletons without pixels whose world coordinate system stwcs itself computes."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass, replace

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from stwcs.updatewcs import updatewcs
from stwcs.wcsutil import HSTWCS

from snakedriz.geometry import orientation
from snakedriz.simulate.distortion import NOMINAL_SCALE
from snakedriz.simulate.exposure import CHIPS, Facts, chip_header, primary_header
from snakedriz.simulate.references import ReferenceFiles
from snakedriz.simulate.scene import sky_offset


@dataclass(frozen=True)
class Pointing:
    """An exposure aimed at a place: facts for the headers, full and linear solution of each chip (in SCI order).

    ``crval`` (deg) and ``cd`` (deg per pixel) are what a calacs header would hold; ``wcs`` is stwcs's solution with
    polynomial, look-up tables, time-dependent terms and velocity aberration.
    """

    facts: Facts
    wcs: tuple[HSTWCS, HSTWCS]
    crval: tuple[tuple[float, float], ...]
    cd: tuple[NDArray[np.float64], ...]


def solve(facts: Facts, references: ReferenceFiles, crval: tuple[float, float]) -> Pointing:
    """The solution ``updatewcs`` gives an exposure whose chip 2 has ``crval`` (deg) at its middle pixel."""
    paths = {n: str(getattr(references, n.lower())) for n in ("IDCTAB", "D2IMFILE", "NPOLFILE")}
    hdus: list[fits.PrimaryHDU | fits.ImageHDU] = [fits.PrimaryHDU(header=primary_header(facts, paths, "flt"))]
    # Neither the matrix nor chip 1's position matter here: updatewcs derives both from PA_V3 and the IDCTAB.
    cd = np.array([[-1.0, 0.0], [0.0, 1.0]]) * NOMINAL_SCALE / 3600
    for chip in CHIPS:
        header = chip_header(facts, chip, "SCI", crval, cd)
        # stwcs wants NAXIS1/2. Nobody looks at the pixels, and untouched zeros take no memory.
        hdus.append(fits.ImageHDU(np.zeros(facts.shape, dtype=np.uint8), header=header))
    hdulist = fits.HDUList(hdus)
    with contextlib.redirect_stdout(io.StringIO()):  # stwcs prints which IDCTAB row it took
        updatewcs(hdulist, checkfiles=False, use_db=False)
        wcs = tuple(HSTWCS(hdulist, ext=("SCI", version)) for version in (1, 2))
    headers = [hdulist["SCI", version].header for version in (1, 2)]
    crvals = tuple((float(h["CRVAL1"]), float(h["CRVAL2"])) for h in headers)
    # The linear solution on disk is free of velocity aberration, like calacs's: updatewcs multiplies it in.
    cds = tuple(np.array([[h[f"CD{i}_{j}"] for j in (1, 2)] for i in (1, 2)]) / facts.vafactor for h in headers)
    return Pointing(facts, (wcs[0], wcs[1]), crvals, cds)


def aperture_position(pointing: Pointing) -> tuple[float, float]:
    """Sky position (deg) of the aperture's reference point: the middle of the gap between the chips."""
    rows, columns = pointing.facts.shape
    lower = pointing.wcs[0].all_pix2world([[columns / 2, rows + 0.5]], 1)[0]
    upper = pointing.wcs[1].all_pix2world([[columns / 2, 0.5]], 1)[0]
    dra = (upper[0] - lower[0] + 180.0) % 360.0 - 180.0
    return float(lower[0] + dra / 2) % 360.0, float((lower[1] + upper[1]) / 2)


def separation(start: tuple[float, float], end: tuple[float, float]) -> tuple[float, float]:
    """Offset from start to end (deg) as (dRA cos dec, dDec) in arcsec; for small separations."""
    dra = (end[0] - start[0] + 180.0) % 360.0 - 180.0
    return float(dra * np.cos(np.deg2rad((start[1] + end[1]) / 2)) * 3600), (end[1] - start[1]) * 3600


def aim(facts: Facts, references: ReferenceFiles, place: tuple[float, float], near: Pointing | None = None) -> Pointing:
    """Point the aperture's reference point at ``place`` (deg), with the PA_V3 in ``facts``, to 1e-6 arcsec.

    A solution for a place nearby saves iterations: the offset of the chips from the aperture is nearly the same.
    """
    crval = place
    if near is not None:
        crval = sky_offset(*near.crval[0], *separation(aperture_position(near), place))
    for _ in range(8):
        pointing = solve(facts, references, crval)
        east, north = separation(aperture_position(pointing), place)
        if np.hypot(east, north) < 1e-6:
            break
        crval = sky_offset(*crval, east, north)
    else:
        raise RuntimeError(f"{facts.rootname}: pointing at {place} did not converge; too close to a pole?")
    pa_aper = orientation(pointing.cd[1])
    return replace(pointing, facts=replace(facts, aperture=place, pa_aper=pa_aper))


def displace(pointing: Pointing, dx: float, dy: float) -> tuple[float, float]:
    """Where to aim so that the stars move by dx, dy arcsec along the detector's x and y (a POS TARG), deg."""
    rotation = pointing.cd[0] / np.sqrt(np.abs(np.linalg.det(pointing.cd[0])))
    east, north = -(rotation @ np.array([dx, dy]))
    return sky_offset(*aperture_position(pointing), float(east), float(north))
