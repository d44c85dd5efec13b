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


def _mdriztab(name: str) -> fits.HDUList:
    """Rows for filter ANY, ascending in ``numimages``: drizzlepac takes the last one that is not above the count."""
    counts = MDRIZTAB_IMAGES
    several = [n > 1 for n in counts]
    strings: dict[str, list[str]] = {
        "filter": ["ANY"] * len(counts),
        "driz_sep_kernel": ["turbo"] * len(counts),
        "driz_sep_wt_scl": ["exptime"] * len(counts),
        "skystat": ["median"] * len(counts),
        # The minimum guards the median of few images against cosmic rays; from six on the median suffices.
        "combine_type": ["minmed" if n < 6 else "median" for n in counts],
        "combine_nsigma": ["4 3"] * len(counts),
        "blot_interp": ["poly5"] * len(counts),
        "driz_cr_snr": ["3.5 3.0"] * len(counts),
        "driz_cr_scale": ["1.5 1.2"] * len(counts),
        "final_kernel": ["square"] * len(counts),
        "final_wt_scl": ["exptime"] * len(counts),
        "final_wht_type": ["EXP"] * len(counts),
        "final_units": ["cps"] * len(counts),
    }
    integers: dict[str, list[int]] = {
        "numimages": list(counts),
        "driz_sep_bits": [336 if n > 1 else 65535 for n in counts],
        "skyclip": [5] * len(counts),
        "combine_nlow": [0] * len(counts),
        "combine_nhigh": [0] * len(counts),
        "combine_grow": [1] * len(counts),
        "driz_cr_grow": [1] * len(counts),
        "driz_cr_ctegrow": [0] * len(counts),
        "final_bits": [336 if n > 1 else 65535 for n in counts],
    }
    undefined = [math.nan] * len(counts)  # NaN is how an MDRIZTAB says "let AstroDrizzle decide"
    reals: dict[str, list[float]] = {
        "static_sig": [4.0] * len(counts),
        "skywidth": [0.1] * len(counts),
        "skylower": undefined,
        "skyupper": undefined,
        "skylsigma": [4.0] * len(counts),
        "skyusigma": [4.0] * len(counts),
        "driz_sep_pixfrac": [1.0] * len(counts),
        "driz_sep_scale": undefined,
        "driz_sep_rot": undefined,
        "driz_sep_fillval": undefined,
        "combine_maskpt": [0.3] * len(counts),
        "blot_sinscl": [1.0] * len(counts),
        "final_pixfrac": [1.0] * len(counts),
        "final_scale": undefined,
        "final_rot": undefined,
        "final_fillval": undefined,
    }
    booleans: dict[str, list[bool]] = {
        "static": several,
        "skysub": several,
        "driz_separate": several,
        "median": several,
        "median_newmasks": several,
        "blot": several,
        "driz_cr": several,
        "driz_cr_corr": [False] * len(counts),
        "driz_combine": [True] * len(counts),
        "build": [True] * len(counts),  # runastrodriz counts on it: it looks for one file with all extensions
    }
    # drizzlepac.mdzhandler knows only the formats nA, 1J, 1E and 1L; anything else is "unrecognized".
    columns = [fits.Column(n, f"{max(map(len, v))}A", array=v) for n, v in strings.items()]
    columns += [fits.Column(n, "1J", array=v) for n, v in integers.items()]
    columns += [fits.Column(n, "1E", array=v) for n, v in reals.items()]
    columns += [fits.Column(n, "1L", array=v) for n, v in booleans.items()]
    return fits.HDUList([_primary(name, "MDRIZTAB", {}), fits.BinTableHDU.from_columns(columns)])
