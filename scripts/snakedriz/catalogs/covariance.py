"""Errors of catalogue positions at another epoch: the full covariance of position, parallax and proper motion.

The astrometric parameters p = (ra cos dec, dec, parallax, pmra cos dec, pmdec) have a covariance C of five by five; a
position t years later is J p with J = ((1, 0, f_ra, t, 0), (0, 1, f_dec, 0, t)), f the parallax factors, so its
covariance is J C J' (ESA SP-1200, Hipparcos and Tycho Catalogues, vol. 1, section 1.5.5, to first order in t: the
directions of north and east change by pm t tan(dec), below 1e-4 for a star of 1 arcsec a year over 20 years at 45 deg).
"""

from __future__ import annotations

import itertools

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Error (mas) of a position whose catalogue gives none: 2MASS and GSC 2.4 quote 70 to 300 mas, Gaia always gives one.
DEFAULT_ERROR_MAS = 100.0
#: One-dimensional scatter of proper motions of faint stars (mas/yr): the error of a star without a proper motion, and
#: of a proper motion without an error.
PM_SCATTER_MAS_YR = 5.0
#: The excess noise of a source is no chance above this significance: documentation of gaia_source, Gaia DR2 to DR3.
EXCESS_NOISE_SIGNIFICANCE = 2.0
#: A unit weight error above this tells of no single star: documentation of gaia_source (ruwe), Gaia DR2 and later.
USUAL_RUWE = 1.4
#: Errors of the parameters and how `reference` calls their columns, in the order of the matrix.
_ERRORS = ("ra_error", "dec_error", "parallax_error", "pmra_error", "pmdec_error")
_NAMES = ("ra", "dec", "parallax", "pmra", "pmdec")
#: Correlations by the place in the matrix.
CORRELATIONS = {(i, j): f"{_NAMES[i]}_{_NAMES[j]}_corr" for i, j in itertools.combinations(range(5), 2)}


def column(table: Table, name: str) -> Array:
    """Return a column of numbers, NaN where the table has none."""
    if name not in table.colnames:
        return np.full(len(table), np.nan)
    return np.ma.filled(np.ma.asarray(table[name]).astype(float), np.nan)


def of_parameters(table: Table) -> Array:
    """Return the covariances, shape (n, 5, 5), mas and years, of a catalogue in normal form at its own epoch.

    Correlations that the catalogue does not give are 0. What shows that a star is not the single star that the errors
    were made for widens them:

    * all by the renormalised unit weight error (RUWE: Lindegren 2018, GAIA-C3-TN-LU-LL-124; Lindegren et al. 2021,
      A&A 649, A2), the root of the reduced chi-square, where it is above 1, as errors are scaled where residuals are
      larger than they say;
    * those of the position by the excess noise in quadrature (Lindegren et al. 2012, A&A 538, A78, section 3.6), where
      it is significant or nothing says how significant: by so much (rms) the star was off from the model at each of
      Gaia's observations, and may be at ours.

    Gaia's errors hold part of that already; of two estimates this is the larger.
    """
    moves = np.isfinite(column(table, "pmra")) & np.isfinite(column(table, "pmdec"))
    errors = [column(table, name) for name in _ERRORS]
    sigma = np.column_stack([
        *(np.where(np.isfinite(one), one, DEFAULT_ERROR_MAS) for one in errors[:2]),
        np.nan_to_num(errors[2]),
        *(np.where(moves & np.isfinite(one), one, PM_SCATTER_MAS_YR) for one in errors[3:]),
    ])  # fmt: skip
    known = np.column_stack([np.isfinite(one) for one in errors])
    known[:, 3:] &= moves[:, None]
    matrix = np.zeros((len(table), 5, 5))
    for i in range(5):
        matrix[:, i, i] = sigma[:, i] ** 2
    for (i, j), name in CORRELATIONS.items():
        rho = np.where(known[:, i] & known[:, j], np.clip(np.nan_to_num(column(table, name)), -1.0, 1.0), 0.0)
        matrix[:, i, j] = matrix[:, j, i] = rho * sigma[:, i] * sigma[:, j]
    matrix *= np.maximum(np.nan_to_num(column(table, "ruwe"), nan=1.0), 1.0)[:, None, None] ** 2
    for i in range(2):
        matrix[:, i, i] += excess_noise(table) ** 2
    return matrix


def excess_noise(table: Table) -> Array:
    """Return the excess noise (mas) of each row, 0 where it is none, or may be chance."""
    noise, significance = column(table, "excess_noise"), column(table, "excess_noise_sig")
    return np.where((noise > 0) & ~(significance <= EXCESS_NOISE_SIGNIFICANCE), np.nan_to_num(noise), 0.0)


def widened(table: Table) -> NDArray[np.bool_]:
    """Whether a row's errors are larger than its catalogue says for more than the usual scatter of RUWE."""
    return (column(table, "ruwe") > USUAL_RUWE) | (excess_noise(table) > 0)


def of_positions(table: Table, years: Array, factors: Array, with_parallax: NDArray[np.bool_]) -> Array:
    """Return the covariances of the positions, shape (n, 2, 2), mas, some years after the catalogue's epoch.

    Parameters
    ----------
    table : `~astropy.table.Table`
        In normal form, at its own epoch.
    years : array, shape (n,)
        From that epoch; 0 where it is not known.
    factors : array, shape (n, 2)
        Parallax factors: the shift towards east and north over the parallax.
    with_parallax : array of bool, shape (n,)
        Rows whose parallax is applied: its error, and what that has in common with the other errors, counts. Elsewhere
        what is left out does: the parallax, if it is positive, and its error in quadrature.
    """
    jacobian = np.zeros((len(table), 2, 5))
    jacobian[:, 0, 0] = jacobian[:, 1, 1] = 1.0
    jacobian[:, 0, 3] = jacobian[:, 1, 4] = years
    jacobian[:, :, 2] = np.where(with_parallax[:, None], factors, 0.0)
    found = jacobian @ of_parameters(table) @ np.swapaxes(jacobian, 1, 2)
    parallax, error = column(table, "parallax"), column(table, "parallax_error")
    left = np.maximum(np.nan_to_num(parallax), 0.0) ** 2 + np.nan_to_num(error) ** 2
    left = np.where(with_parallax, 0.0, left)
    return np.asarray(found + left[:, None, None] * factors[:, :, None] * factors[:, None, :])


def errors_and_correlation(covariance: Array) -> tuple[Array, Array, Array]:
    """Return the errors of both axes and their correlation, of covariances (n, 2, 2).

    Correlations that contradict each other can make a variance negative: it is taken as 0, and the correlation kept
    within -1 and 1.
    """
    first, second = (np.sqrt(np.maximum(covariance[:, i, i], 0.0)) for i in range(2))
    both = first * second
    rho = np.divide(covariance[:, 0, 1], both, out=np.zeros_like(both), where=both > 0)
    return first, second, np.clip(rho, -1.0, 1.0)
