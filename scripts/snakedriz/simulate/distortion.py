"""Numbers of the ACS/WFC distortion model and the chip layout that follows from them.

The polynomials, the V2/V3 positions and the time-dependent terms are those of the real IDCTAB ``0461802ej_idc.fits``
(ACS ISR 2015-06; fifth order), rows CLEAR1L/F814W and F606W/CLEAR2L. The amplitudes of the look-up tables are the
standard deviations of the real ``02c1450oj_d2i.fits`` (D2IMFILE) and of ``02c1450rj_npl.fits`` and
``02c14514j_npl.fits`` (NPOLFILE, F814W and F606W).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

import numpy as np
import yaml
from numpy.typing import NDArray

NOMINAL_SCALE = 0.05
"""Scale of the undistorted pixel, arcsec (column SCALE of the IDCTAB)."""

REAL_CHIP_SHAPE = (2048, 4096)
"""Rows and columns of a real ACS/WFC chip."""

Triangle = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class ChipModel:
    """One row of the IDCTAB: ``cx[n-1][m]`` is CXnm, in arcsec per pixel to the power n; V2/V3 in arcsec."""

    v2: float
    v3: float
    cx: Triangle
    cy: Triangle

    def offset(self, dx: float, dy: float) -> NDArray[np.float64]:
        """Position (arcsec, idealised frame of the chip) of a point dx, dy pixels from the reference pixel."""
        terms = [
            np.array([c * dx**m * dy ** (n - m) for m, c in enumerate(row)])
            for poly in (self.cx, self.cy)
            for n, row in enumerate(poly, start=1)
        ]
        half = len(self.cx)
        return np.array([sum(t.sum() for t in terms[:half]), sum(t.sum() for t in terms[half:])])


@dataclass(frozen=True)
class FilterModel:
    """What depends on the filter: wheel positions, chips (by CCDCHIP), photometry, look-up table amplitudes.

    ``zeropoint`` is the magnitude that gives 1 e-/s; ``npol_sigma`` maps (CCDCHIP, axis name) to pixels.
    """

    filter1: str
    filter2: str
    chips: dict[int, ChipModel]
    photflam: float
    photplam: float
    photbw: float
    zeropoint: float
    npol_sigma: dict[tuple[int, str], float]


TDD = {
    "TDD_DATE": 2004.5,
    "TDD_CTB1": 1.8294973833e-06,
    "TDD_CTB2": 1.7872250212e-06,
    "TDD_CXB1": -3.9664897146e-07,
    "TDD_CXB2": -3.9760082443e-07,
}
"""Primary header of 0461802ej_idc.fits: linear change of the first-order terms per year, by chip."""

D2IM_SIGMA = {(2, "DX"): 0.0186, (2, "DY"): 0.0166, (1, "DX"): 0.0410, (1, "DY"): 0.0472}
"""Standard deviation (pixels) of the real D2IMFILE by CCDCHIP and axis."""


def _read_filters() -> dict[str, FilterModel]:
    """Return the models in the file beside this module, by the name of the filter."""
    text = resources.files(__package__).joinpath("acs_wfc_distortion.yaml").read_text(encoding="ascii")
    found = {}
    for name, numbers in yaml.safe_load(text).items():
        chips = numbers.pop("chips")
        sigma = {(chip, axis): value for chip, row in chips.items() for axis, value in row.pop("npol_sigma").items()}
        for row in chips.values():
            row |= {axis: tuple(map(tuple, row[axis])) for axis in ("cx", "cy")}
        models = {chip: ChipModel(**row) for chip, row in chips.items()}
        found[name] = FilterModel(**numbers, chips=models, npol_sigma=sigma)
    return found


FILTERS = _read_filters()


def filter_model(name: str) -> FilterModel:
    """The numbers for a filter. Raises ValueError for a filter whose numbers are not embedded here."""
    try:
        return FILTERS[name.upper()]
    except KeyError:
        raise ValueError(f"filter {name!r} cannot be simulated; known: {', '.join(sorted(FILTERS))}") from None


def chip_v2v3(model: FilterModel, shape: tuple[int, int]) -> dict[int, tuple[float, float]]:
    """V2/V3 (arcsec) of the reference pixels of both chips for chips of ``shape`` (rows, columns).

    Chips of the real size keep the real numbers. Smaller chips are moved towards the gap, so that the edges that face
    each other (at the middle column) stay where the real ones are: the gap keeps its real width of about 50 pixels.
    V3 runs against y (parity -1), V2 along x.
    """
    rows, real_rows = shape[0], REAL_CHIP_SHAPE[0]
    moved = {}
    for chip, sign in ((1, -1), (2, +1)):
        numbers = model.chips[chip]
        # Facing edges: the lower one of chip 1 (y = 0.5), the upper one of chip 2 (y = rows + 0.5).
        edge_real = numbers.offset(0.0, sign * real_rows / 2 + 0.5)
        edge_here = numbers.offset(0.0, sign * rows / 2 + 0.5)
        dx, dy = edge_real - edge_here
        moved[chip] = (numbers.v2 + dx, numbers.v3 - dy)
    return moved
