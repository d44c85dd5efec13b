"""Whether two solutions of a set of exposures differ by more than where the set as a whole lies on the sky.

What the pixels say of the alignment of exposures to each other depends on their relative geometry alone. A solution
that moves, turns and scales the set as one body, as guide-star offsets mostly do, leaves it as it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray

from snakedriz import geometry
from snakedriz.exposures.skeleton import Skeletons, science_extensions
from snakedriz.wcs import sky_positions

#: The relative geometry is unchanged where no two positions of the set have moved against each other by more, px of
#: the detector. A tenth of what registration measures at best; a star with a FWHM of 2 px widens by 1e-5 of it.
LIMIT_PX = 0.01
#: Directions in which the spread of displacements is measured: 1 deg apart they find it to 4e-5 of it.
_DIRECTIONS = 180
#: Rounds of the fit with absolute instead of squared residuals, and the residual (px) that limits its weights.
_ROUNDS, _SMALLEST = 30, 1e-4

Array = NDArray[np.float64]


@dataclass(frozen=True)
class GeometryChange:
    """How far the positions of a set have moved against each other.

    Attributes
    ----------
    largest_px : float
        Largest distance by which any two positions have moved against each other, px of the detector, after one shift,
        rotation and scale of the whole set. Infinite where the sets have other exposures or chips, or no position.
    moved : tuple of str
        Rootnames of the exposures that have moved against most of the set by more than `LIMIT_PX`, sorted.
    """

    largest_px: float
    moved: tuple[str, ...] = ()

    @property
    def unchanged(self) -> bool:
        """Whether the relative geometry is the same."""
        return self.largest_px <= LIMIT_PX


def compare(reference: Skeletons, other: Skeletons) -> GeometryChange:
    """Compare the relative geometry of the same exposures with two solutions.

    Parameters
    ----------
    reference, other : dict
        Skeletons with a solution each.

    Notes
    -----
    The sky positions of a grid over every chip are projected onto the plane that is tangent at their mean direction,
    that of each solution: this takes any rotation of the sphere out but for one of the plane, exactly. The plane's
    rotation, its scale and what is left of the shift are fitted to absolute residuals, so that one exposure that has
    moved does not take the rest along.

    The measure is the largest difference between two displacements, not the largest displacement: of two exposures that
    part by 0.02 px each moves by 0.01 px from the middle.
    """
    if set(reference) != set(other) or not reference:
        return GeometryChange(np.inf, tuple(sorted({key.rootname for key in set(reference) ^ set(other)})))
    roots, first, second = [], [], []
    for key in sorted(reference, key=str):
        before, after = _positions(reference[key]), _positions(other[key])
        if set(before) != set(after):
            return GeometryChange(np.inf, (key.rootname,))
        for chip in sorted(before):
            first.append(before[chip])
            second.append(after[chip])
            roots += [key.rootname] * len(before[chip])
    displaced = _displacements(np.vstack(first), np.vstack(second), _pixel_size(reference))
    if not np.all(np.isfinite(displaced)):
        return GeometryChange(np.inf, tuple(sorted(set(np.array(roots)[~np.isfinite(displaced).all(axis=1)]))))
    return GeometryChange(_spread(displaced), _moved(displaced, np.array(roots)))


def _positions(skeleton: fits.HDUList) -> sky_positions.Points:
    """Return the sky positions (deg) of the grid of every chip by the active WCS.

    As `sky_positions.of_exposure`, of which half the time goes into cards that skeletons of a candidate do not have.
    """
    return {
        chip: WCS(skeleton["SCI", chip].header, fobj=skeleton).all_pix2world(sky_positions.grid(skeleton, chip), 1)
        for chip in science_extensions(skeleton)
    }


def _pixel_size(skeletons: Skeletons) -> float:
    """Return the size of a px of the detector, arcsec: the square root of the area that the linear WCS gives it."""
    return min(_scale(skeleton) for skeleton in skeletons.values())


def _scale(skeleton: fits.HDUList) -> float:
    header = skeleton["SCI", science_extensions(skeleton)[0]].header
    cd = np.array([[header[f"CD{i}_{j}"] for j in (1, 2)] for i in (1, 2)], dtype=float)
    return float(np.sqrt(abs(np.linalg.det(cd)))) * 3600


def _displacements(first: Array, second: Array, pixel: float) -> Array:
    """Return by how much positions (deg) differ after one common shift, rotation and scale, px (arcsec), (n, 2)."""
    z, w = _on_plane(first) / pixel, _on_plane(second) / pixel
    if not (np.all(np.isfinite(z)) and np.all(np.isfinite(w))):
        return np.column_stack([(w - z).real, (w - z).imag])
    # As complex numbers a rotation times a scale is one factor.
    weight = np.ones(len(z))
    for _ in range(_ROUNDS):
        total = weight.sum()
        z0, w0 = (weight * z).sum() / total, (weight * w).sum() / total
        factor = (weight * np.conj(z - z0) * (w - w0)).sum() / (weight * np.abs(z - z0) ** 2).sum()
        residual = (w - w0) - factor * (z - z0)
        weight = 1 / np.maximum(np.abs(residual), _SMALLEST)
    return np.column_stack([residual.real, residual.imag])


def _on_plane(sky: Array) -> NDArray[np.complex128]:
    """Return positions (deg) as xi + i eta (arcsec) on the plane tangent at their mean direction."""
    if not np.all(np.isfinite(sky)):
        return np.where(np.isfinite(sky).all(axis=1), 0, np.nan).astype(complex)
    ra0, dec0 = geometry.mean_direction(sky)
    xi, eta, front = geometry.sky_to_plane(sky[:, 0], sky[:, 1], ra0, dec0)
    return np.where(front, xi + 1j * eta, np.nan) * 3600


def _spread(displaced: Array) -> float:
    """Return the largest distance between any two of some points, shape (n, 2)."""
    angles = np.arange(_DIRECTIONS) * np.pi / _DIRECTIONS
    return float(np.ptp(displaced @ np.array([np.cos(angles), np.sin(angles)]), axis=0).max())


def _moved(displaced: Array, roots: NDArray[np.str_]) -> tuple[str, ...]:
    """Return the exposures with a position that has moved against the median of all."""
    apart = np.hypot(*(displaced - np.median(displaced, axis=0)).T)
    names = sorted(set(roots.tolist()))
    found = [name for name in names if apart[roots == name].max() > LIMIT_PX]
    # of two exposures that part neither is the one
    return tuple(found or (names if _spread(displaced) > LIMIT_PX else ()))
