"""Writes the calibration reference files a simulated visit names in its headers: IDCTAB, D2IMFILE, NPOLFILE, MDRIZTAB.

The IDCTAB holds the real polynomials for chips of any size. The two look-up tables keep the real layout (DX and DY for
each chip, one node every 64 pixels) and the real amplitude, but not the real pattern: they are smooth waves, because
the 16,000 numbers of the real tables are data, not facts one embeds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from snakedriz.simulate.distortion import D2IM_SIGMA, FILTERS, NOMINAL_SCALE, TDD, FilterModel, chip_v2v3

ORDER = 5
NODE_STEP = 64  # pixels between the nodes of D2IMFILE and NPOLFILE, as in the real files
MDRIZTAB_IMAGES = (1, 2, 4, 6, 8)


@dataclass(frozen=True)
class ReferenceFiles:
    """Paths of the four reference files; ``keyword(name)`` gives what a header says (``jref$...``)."""

    idctab: Path
    d2imfile: Path
    npolfile: Path
    mdriztab: Path

    def keyword(self, name: str) -> str:
        """Header value for IDCTAB, D2IMFILE, NPOLFILE or MDRIZTAB."""
        path: Path = getattr(self, name.lower())
        return f"jref${path.name}"


def reference_paths(directory: Path, stem: str, model: FilterModel) -> ReferenceFiles:
    """Paths of the files: one IDCTAB, D2IMFILE and MDRIZTAB for all filters, an NPOLFILE for each.

    The stem of a filter's NPOLFILE has the filter's first digit before its final letter, but for F814W's, which is
    ``stem``.
    """
    name = next(name for name, one in FILTERS.items() if one is model)
    own = stem if name == "F814W" else f"{stem[:-2]}{name[1]}{stem[-1]}"
    stems = {"idc": stem, "d2i": stem, "npl": own, "mdz": stem}
    return ReferenceFiles(*(directory / f"{stems[kind]}_{kind}.fits" for kind in stems))


def write_references(directory: Path, stem: str, model: FilterModel, shape: tuple[int, int]) -> ReferenceFiles:
    """Write all four files to ``directory`` (which must exist) under names starting with ``stem``.

    ``stem`` is 9 characters, the last one being ``j`` for ACS, like the names of real reference files. ``shape`` is
    (rows, columns) of a chip. Existing files are replaced.
    """
    files = reference_paths(directory, stem, model)
    _idctab(shape, files.idctab.name).writeto(files.idctab, overwrite=True)
    _lookup(D2IM_SIGMA, shape, "WFC D2I FILE", files.d2imfile.name, 0.0).writeto(files.d2imfile, overwrite=True)
    _lookup(model.npol_sigma, shape, "DXY GRID", files.npolfile.name, 1.0).writeto(files.npolfile, overwrite=True)
    _mdriztab(files.mdriztab.name).writeto(files.mdriztab, overwrite=True)
    return files


def _primary(name: str, filetype: str, extra: dict[str, Any]) -> fits.PrimaryHDU:
    hdu = fits.PrimaryHDU()
    cards = {"TELESCOP": "HST", "INSTRUME": "ACS", "DETECTOR": "WFC", "FILENAME": name, "FILETYPE": filetype}
    for key, value in {**cards, "USEAFTER": "Mar 01 2002 00:00:00", "PEDIGREE": "DUMMY", **extra}.items():
        hdu.header[key] = value
    hdu.header["DESCRIP"] = "Simulated reference file of snakedriz.simulate"
    return hdu


def _idctab(shape: tuple[int, int], name: str) -> fits.HDUList:
    """Rows of all filters and chips."""
    rows, columns = shape
    every = [(model, chip) for model in FILTERS.values() for chip in sorted(model.chips)]
    n = len(every)
    positions = [chip_v2v3(model, shape)[chip] for model, chip in every]
    table = [
        fits.Column("DETCHIP", "1I", array=[chip for _, chip in every]),
        fits.Column("DIRECTION", "8A", array=["FORWARD"] * n),
        fits.Column("FILTER1", "8A", array=[model.filter1 for model, _ in every]),
        fits.Column("FILTER2", "8A", array=[model.filter2 for model, _ in every]),
        fits.Column("XSIZE", "1J", unit="pixels", array=[columns] * n),
        fits.Column("YSIZE", "1J", unit="pixels", array=[rows] * n),
        fits.Column("XREF", "1D", unit="pixels", array=[columns / 2] * n),
        fits.Column("YREF", "1D", unit="pixels", array=[rows / 2] * n),
        fits.Column("V2REF", "1D", unit="arcsec", array=[v2 for v2, _ in positions]),
        fits.Column("V3REF", "1D", unit="arcsec", array=[v3 for _, v3 in positions]),
        fits.Column("SCALE", "1D", unit="arcsec", array=[NOMINAL_SCALE] * n),
    ]
    for axis in ("cx", "cy"):
        for order in range(1, ORDER + 1):
            for m in range(order + 1):
                values = [getattr(model.chips[chip], axis)[order - 1][m] for model, chip in every]
                table.append(fits.Column(f"{axis.upper()}{order}{m}", "1D", array=values))
    primary = _primary(name, "DISTORTION COEFFICIENTS", {"NORDER": ORDER, "PARITY": -1, **TDD})
    return fits.HDUList([primary, fits.BinTableHDU.from_columns(table)])


def _waves(shape: tuple[int, int], sigma: float, phase: float) -> NDArray[np.float32]:
    """A smooth two-dimensional pattern on the grid of nodes with the given standard deviation and no mean."""
    ny, nx = (math.ceil(n / NODE_STEP) for n in shape)
    y, x = np.mgrid[0:ny, 0:nx].astype(float)
    # Periods of 5 to 12 nodes (320 to 770 pixels): the fine structure a polynomial of fifth order cannot follow.
    wave = np.sin(2 * np.pi * (x / 6.1 + y / 11.7) + phase) + 0.7 * np.cos(
        2 * np.pi * (x / 9.3 - y / 5.3) + 2.1 * phase
    )
    wave -= wave.mean()
    return (wave * (sigma / max(float(wave.std()), 1e-12))).astype(np.float32)


def _lookup(
    sigma: dict[tuple[int, str], float], shape: tuple[int, int], filetype: str, name: str, phase: float
) -> fits.HDUList:
    hdus: list[Any] = [_primary(name, filetype, {"NEXTEND": 4, "OBSTYPE": "IMAGING"})]
    for version, chip in ((1, 2), (2, 1)):
        for axis in ("DX", "DY"):
            pattern = _waves(shape, sigma[chip, axis], phase + version + (2.5 if axis == "DY" else 0.0))
            hdu = fits.ImageHDU(pattern, name=axis, ver=version)
            hdu.header["ONAXIS1"] = shape[1]
            hdu.header["ONAXIS2"] = shape[0]
            hdu.header["CDELT1"] = NODE_STEP
            hdu.header["CDELT2"] = NODE_STEP
            hdu.header["CCDCHIP"] = chip
            hdus.append(hdu)
    return fits.HDUList(hdus)


_SEVERAL = tuple(n > 1 for n in MDRIZTAB_IMAGES)
_BITS = tuple(336 if n > 1 else 65535 for n in MDRIZTAB_IMAGES)
#: Columns of the MDRIZTAB, by FITS format: a value for all rows, or a tuple with one for each of `MDRIZTAB_IMAGES`.
#: drizzlepac.mdzhandler knows only the formats nA, 1J, 1E and 1L; anything else is "unrecognized".
_MDRIZTAB: dict[str, dict[str, Any]] = {
    "A": {
        "filter": "ANY", "driz_sep_kernel": "turbo", "driz_sep_wt_scl": "exptime", "skystat": "median",
        # The minimum guards the median of few images against cosmic rays; from six on the median suffices.
        "combine_type": tuple("minmed" if n < 6 else "median" for n in MDRIZTAB_IMAGES),
        "combine_nsigma": "4 3", "blot_interp": "poly5", "driz_cr_snr": "3.5 3.0", "driz_cr_scale": "1.5 1.2",
        "final_kernel": "square", "final_wt_scl": "exptime", "final_wht_type": "EXP", "final_units": "cps",
    },
    "1J": {
        "numimages": MDRIZTAB_IMAGES, "driz_sep_bits": _BITS, "skyclip": 5, "combine_nlow": 0, "combine_nhigh": 0,
        "combine_grow": 1, "driz_cr_grow": 1, "driz_cr_ctegrow": 0, "final_bits": _BITS,
    },
    "1E": {  # NaN is how an MDRIZTAB says "let AstroDrizzle decide"
        "static_sig": 4.0, "skywidth": 0.1, "skylower": math.nan, "skyupper": math.nan, "skylsigma": 4.0,
        "skyusigma": 4.0, "driz_sep_pixfrac": 1.0, "driz_sep_scale": math.nan, "driz_sep_rot": math.nan,
        "driz_sep_fillval": math.nan, "combine_maskpt": 0.3, "blot_sinscl": 1.0, "final_pixfrac": 1.0,
        "final_scale": math.nan, "final_rot": math.nan, "final_fillval": math.nan,
    },
    "1L": {
        "static": _SEVERAL, "skysub": _SEVERAL, "driz_separate": _SEVERAL, "median": _SEVERAL,
        "median_newmasks": _SEVERAL, "blot": _SEVERAL, "driz_cr": _SEVERAL, "driz_cr_corr": False,
        "driz_combine": True, "build": True,  # runastrodriz counts on it: it looks for one file with all extensions
    },
}  # fmt: skip


def _mdriztab(name: str) -> fits.HDUList:
    """Rows for filter ANY, ascending in ``numimages``: drizzlepac takes the last one that is not above the count."""
    columns = []
    for form, values in _MDRIZTAB.items():
        for column, value in values.items():
            rows = list(value) if isinstance(value, tuple) else [value] * len(MDRIZTAB_IMAGES)
            columns.append(fits.Column(column, f"{max(map(len, rows))}A" if form == "A" else form, array=rows))
    return fits.HDUList([_primary(name, "MDRIZTAB", {}), fits.BinTableHDU.from_columns(columns)])
