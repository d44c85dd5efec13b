"""Numbers of the ACS/WFC distortion model and the chip layout that follows from them.

The polynomials, the V2/V3 positions and the time-dependent terms are those of the real IDCTAB ``0461802ej_idc.fits``
(ACS ISR 2015-06; fifth order), rows CLEAR1L/F814W and F606W/CLEAR2L. The amplitudes of the look-up tables are the
standard deviations of the real ``02c1450oj_d2i.fits`` (D2IMFILE) and of ``02c1450rj_npl.fits`` and
``02c14514j_npl.fits`` (NPOLFILE, F814W and F606W).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
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

# fmt: off
FILTERS: dict[str, FilterModel] = {
    "F814W": FilterModel(
        filter1="CLEAR1L", filter2="F814W", zeropoint=25.5,
        photflam=7.0768959e-20, photplam=8045.5317, photbw=653.11078,
        npol_sigma={(2, "DX"): 0.0071, (2, "DY"): 0.0071, (1, "DX"): 0.0084, (1, "DY"): 0.0091},
        chips={
            1: ChipModel(
                v2=260.8724, v3=198.36651,
                cx=((0.002266655, 0.049220951),
                    (8.9266501e-08, -3.5592401e-07, 4.1273351e-07),
                    (3.5606551e-12, -2.471425e-11, -6.4422001e-12, -2.385955e-11),
                    (6.2676001e-15, -4.4804751e-16, 4.5253451e-15, 1.65536e-15, 8.7435501e-16),
                    (-8.3830001e-19, 3.228205e-19, -3.16271e-19, -5.2530001e-19, 9.5637501e-20, 2.354565e-19)),
                cy=((0.048577301, 0.002130085),
                    (-4.7059701e-07, 2.969175e-07, -1.25608e-07),
                    (-1.889195e-11, -3.00128e-12, -2.00174e-11, 4.5255751e-12),
                    (-7.0310501e-15, 4.3054501e-16, -5.3501001e-15, -1.841325e-15, -8.3039501e-16),
                    (-7.4524001e-20, -6.7342501e-19, -4.1633751e-19, 2.825395e-19, -3.4696951e-19, -2.747095e-19)),
            ),
            2: ChipModel(
                v2=256.602, v3=302.25201,
                cx=((0.00196141, 0.049827501),
                    (9.3287501e-08, -2.473275e-07, 4.2251801e-07),
                    (-2.980425e-13, -2.63193e-11, -2.43258e-12, -2.422565e-11),
                    (1.265805e-15, -4.4458401e-16, 1.84069e-15, 2.43379e-16, 1.216835e-15),
                    (8.7557501e-20, -1.75668e-19, -3.4364451e-20, 4.6448751e-20, -1.65819e-19, 1.429045e-19)),
                cy=((0.050270001, 0.001488685),
                    (-3.6017901e-07, 3.02789e-07, -7.5064001e-08),
                    (-1.921535e-11, -4.5377551e-12, -2.62028e-11, 4.3926551e-12),
                    (9.2641501e-17, 5.8451001e-16, -1.47544e-15, 5.3692001e-18, -8.4458501e-16),
                    (-1.43193e-18, 7.2550501e-19, -2.299785e-20, -6.3568001e-20, 8.8522001e-20, -1.74225e-19)),
            ),
        },
    ),
    "F606W": FilterModel(
        filter1="F606W", filter2="CLEAR2L", zeropoint=26.4,
        photflam=7.9064521e-20, photplam=5917.6797, photbw=672.31146,
        npol_sigma={(2, "DX"): 0.0012, (2, "DY"): 0.0011, (1, "DX"): 0.0019, (1, "DY"): 0.0021},
        chips={
            1: ChipModel(
                v2=260.8715, v3=198.36101,
                cx=((0.002266685, 0.049223051),
                    (8.9248501e-08, -3.5657701e-07, 4.1260801e-07),
                    (2.93297e-12, -2.52473e-11, -6.9686501e-12, -2.405145e-11),
                    (6.1766001e-15, -2.157355e-16, 4.6772851e-15, 1.827595e-15, 8.4749501e-16),
                    (-4.2605201e-19, 4.7370401e-19, -1.89521e-19, -3.199625e-19, 2.034265e-19, 2.70815e-19)),
                cy=((0.048580101, 0.00213096),
                    (-4.7165001e-07, 2.966425e-07, -1.258e-07),
                    (-2.02077e-11, -3.194295e-12, -2.062115e-11, 4.4806801e-12),
                    (-6.4257001e-15, 6.0514501e-16, -5.0298501e-15, -1.77696e-15, -7.8851501e-16),
                    (3.9973801e-19, -6.1880001e-19, 3.20429e-20, 3.7533401e-19, -2.52062e-19, -2.604405e-19)),
            ),
            2: ChipModel(
                v2=256.602, v3=302.25201,
                cx=((0.00196088, 0.049829701),
                    (9.3296501e-08, -2.471355e-07, 4.2277801e-07),
                    (-4.4987701e-13, -2.632465e-11, -2.40054e-12, -2.434965e-11),
                    (1.220185e-15, -6.9217001e-16, 1.73217e-15, 7.9200001e-17, 1.126405e-15),
                    (1.02557e-19, -1.62411e-19, 1.08975e-19, 1.545895e-19, -1.729215e-19, 1.858305e-19)),
                cy=((0.050273001, 0.00148939),
                    (-3.5925351e-07, 3.03311e-07, -7.4991001e-08),
                    (-2.1331e-11, -4.4769201e-12, -2.639705e-11, 4.4035601e-12),
                    (-8.7019501e-16, 3.09039e-16, -1.85665e-15, -1.262305e-16, -8.6550001e-16),
                    (2.60532e-19, 6.4735001e-19, 1.320105e-19, 1.89296e-20, 1.8142e-19, -1.7252e-19)),
            ),
        },
    ),
}
# fmt: on


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
