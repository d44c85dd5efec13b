"""Directions on the sky, the tangent plane, corners of chips, angles of linear maps: one of each.

Sky positions are ICRS RA and Dec in deg, as arrays of shape (n, 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Cone:
    """A circle on the sky: centre and radius, deg."""

    ra: float
    dec: float
    radius: float

    def covers(self, polygons: Sequence[ArrayLike]) -> bool:
        """Whether all corners of some outlines lie in the cone."""
        corners = np.vstack([np.asarray(polygon, dtype=float) for polygon in polygons])
        return bool(np.all(separation(self.ra, self.dec, corners) <= self.radius))


def separation(ra: float, dec: float, sky: Array) -> Array:
    """Return the angles (deg), shape (n,), between one direction and others."""
    from astropy.coordinates import angular_separation  # here, because planning jobs mostly needs no angle: 0.3 s

    angles = angular_separation(np.radians(ra), np.radians(dec), *np.radians(sky).T)
    return np.asarray(np.degrees(angles), dtype=float)


def mean_direction(sky: Array) -> tuple[float, float]:
    """Return the mean of directions as unit vectors: RA (0 to 360) and Dec, deg."""
    ra, dec = np.radians(sky).T
    x, y, z = (np.cos(dec) * np.cos(ra)).mean(), (np.cos(dec) * np.sin(ra)).mean(), np.sin(dec).mean()
    return float(np.degrees(np.arctan2(y, x) % (2 * np.pi))), float(np.degrees(np.arctan2(z, np.hypot(x, y))))


def sky_to_plane(ra: ArrayLike, dec: ArrayLike, ra0: float, dec0: float) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Project onto the plane tangent at (ra0, dec0), gnomonic (Calabretta & Greisen 2002, A&A 395, 1077, eq. 54).

    Parameters
    ----------
    ra, dec : arrays, shape (n,)
        Deg.
    ra0, dec0 : float
        Deg.

    Returns
    -------
    xi, eta : arrays
        Towards east and north, deg.
    front : boolean array
        Whether the direction lies in the hemisphere of the plane; the others' coordinates mean nothing.
    """
    a, d = np.radians(np.asarray(ra, dtype=float) - ra0), np.radians(np.asarray(dec, dtype=float))
    d0 = np.radians(dec0)
    cosine = np.sin(d) * np.sin(d0) + np.cos(d) * np.cos(d0) * np.cos(a)
    front = cosine > 0.1
    safe = np.where(front, cosine, 1.0)
    xi = np.degrees(np.cos(d) * np.sin(a) / safe)
    eta = np.degrees((np.sin(d) * np.cos(d0) - np.cos(d) * np.sin(d0) * np.cos(a)) / safe)
    return xi, eta, front


def plane_to_sky(xi: ArrayLike, eta: ArrayLike, ra0: float, dec0: float) -> Array:
    """Return the sky positions, shape (n, 2), of points (deg) of the plane tangent at (ra0, dec0).

    The inverse of `sky_to_plane` (Calabretta & Greisen 2002, eq. 55).
    """
    x, y, d0 = np.radians(xi), np.radians(eta), np.radians(dec0)
    down = np.cos(d0) - y * np.sin(d0)
    ra = np.degrees(np.arctan2(x, down)) + ra0
    dec = np.degrees(np.arctan2(np.sin(d0) + y * np.cos(d0), np.hypot(x, down)))
    return np.column_stack([ra % 360, dec])


def chip_corners(nx: int, ny: int) -> Array:
    """Return the outer corners of a chip's outermost pixels in order, shape (4, 2): x and y in px, 0-based."""
    return np.array([(-0.5, -0.5), (nx - 0.5, -0.5), (nx - 0.5, ny - 0.5), (-0.5, ny - 0.5)])


def rotation(matrix: Array) -> float:
    """Return the angle (rad) by which a matrix, shape (2, 2), turns: that of the nearest rotation times a scale."""
    return float(np.arctan2(matrix[1, 0] - matrix[0, 1], np.trace(matrix)))


def orientation(cd: Sequence[Sequence[float]] | Array) -> float:
    """Return the position angle (deg, east of north) of the y axis of a CD matrix: the keyword ORIENTAT."""
    return float(np.degrees(np.arctan2(cd[0][1], cd[1][1])))
