"""What a fit is worth on stars it has not seen: catalogue stars are held out in turn and predicted by the others.

An RMS of the stars that made a fit is too small, the more so the fewer they are. Stars held out of the fit have no
part in it, so their RMS is that of any other star of the field. The zero points of the fits without each fold
(delete-a-group jackknife) scatter as the zero point itself would with other stars.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snakedriz.alignment.linear_fit import PARAMETERS, LinearFit, align
from snakedriz.alignment.tangent_plane import Array, PlacedRows
from snakedriz.artefacts.astrometry import CrossValidation
from snakedriz.statistics import limits

MOST_FOLDS = 10


@dataclass(frozen=True)
class MatchedGroup:
    """Sources that share one transform (the group, or one exposure) and the catalogue rows they are.

    Attributes
    ----------
    uv, error : arrays, shapes (n, 2) and (n,)
        Positions and errors per axis (px).
    row : integer array, shape (n,)
    """

    uv: Array
    error: Array
    row: NDArray[np.intp]

    def __getitem__(self, which: NDArray[np.bool_]) -> MatchedGroup:
        return MatchedGroup(self.uv[which], self.error[which], self.row[which])


def folds(names: Sequence[str], number: int) -> NDArray[np.intp]:
    """Return the fold of each name: even shares, by the rank of the name's sha256, so that no order matters."""
    digest = [hashlib.sha256(name.encode()).hexdigest() for name in names]
    rank = np.empty(len(names), dtype=np.intp)
    rank[sorted(range(len(names)), key=lambda i: (digest[i], names[i]))] = np.arange(len(names))
    return rank % number


def cross_validate(
    catalog: str,
    groups: Sequence[MatchedGroup],
    reference: PlacedRows,
    names: Sequence[str],
    geometry: str,
    settings: Mapping[str, Any],
    scale_mas: float,
) -> CrossValidation:
    """Hold catalogue stars out of a fit, fold by fold, and predict them.

    Parameters
    ----------
    catalog : str
        Name of the catalogue, for the result.
    groups : sequence of MatchedGroup
        Under the WCS of the fit, which differs from the one it started from by a transform of the same geometry: so a
        fit made again from here is the same fit.
    reference, names
        The catalogue's rows and their names.
    geometry : {"shift", "rshift", "rscale", "general"}
    settings : mapping
        Block `fitting`.
    scale_mas : float
        Size of a px.
    """
    rows = np.unique(np.concatenate([group.row for group in groups])) if groups else np.empty(0, np.intp)
    number = min(MOST_FOLDS, len(rows))
    least = PARAMETERS[geometry] // 2 + 1
    fold = np.full(len(reference.uv), -1, dtype=np.intp)
    if number:
        fold[rows] = folds([names[int(row)] for row in rows], number)
    left = [int((fold[group.row] != k).sum()) for group in groups for k in range(number)]
    few = number < 2 or min(left) < least
    fewest = min((len(group.row) for group in groups), default=0)
    found = {} if few else _held_out(groups, reference, rows, fold, geometry, settings, scale_mas)
    numbers = ("held_out_rms_mas", "in_sample_rms_mas", "ratio", "zero_point_error_mas", "zero_point_error95_mas")
    return CrossValidation(
        catalog=catalog,
        outcome="unmeasurable" if few else "measured",
        reason=f"{fewest} stars: {geometry} needs {least} besides those held out" if few else "",
        geometry=geometry,
        stars=len(rows),
        folds=0 if few else number,
        **{name: found.get(name) for name in numbers},
    )


def _held_out(
    groups: Sequence[MatchedGroup],
    reference: PlacedRows,
    rows: NDArray[np.intp],
    fold: NDArray[np.intp],
    geometry: str,
    settings: Mapping[str, Any],
    scale_mas: float,
) -> dict[str, float | None]:
    """Fit with and without the stars of each fold; returns the numbers of `CrossValidation`."""

    def solve(group: MatchedGroup) -> LinearFit:
        ref = reference.uv[group.row]
        return align(group.uv, group.error, ref, reference.error[group.row], geometry, settings)

    number = int(fold.max()) + 1
    inside, outside = _MeanResiduals(reference), _MeanResiduals(reference)
    zero, weight = np.zeros((number, 2)), np.zeros(number)
    for group in groups:
        whole = solve(group)
        inside.add(group, whole)
        for k in range(number):
            held = fold[group.row] == k
            fit = solve(group[~held])
            predicted = group[held]
            outside.add(predicted, fit)
            zero[k] += (fit.matrix @ whole.middle + fit.shift - whole.middle) / len(groups)
            weight[k] += (1.0 / (predicted.error**2 + reference.error[predicted.row] ** 2)).sum()
    held_out, in_sample = outside.rms(rows) * scale_mas, inside.rms(rows) * scale_mas
    variance = (number - 1) / number * float(((zero - zero.mean(axis=0)) ** 2).sum()) / 2.0
    # Folds of unequal weight count as fewer (Satterthwaite 1946): a star that outweighs the rest hides behind them.
    freedom = max(round(2.0 * (float(weight.sum() ** 2 / (weight**2).sum()) - 1.0)), 1)
    one, two = limits(math.sqrt(variance) * scale_mas, freedom, float(settings["zero_point_floor_mas"]))
    return {
        "held_out_rms_mas": held_out,
        "in_sample_rms_mas": in_sample,
        "ratio": held_out / in_sample if in_sample > 0 else None,
        "zero_point_error_mas": one,
        "zero_point_error95_mas": two,
    }


class _MeanResiduals:
    """Weighted mean residual of each catalogue row over the exposures that saw it."""

    def __init__(self, reference: PlacedRows) -> None:
        self.reference = reference.uv
        self.total, self.weight = np.zeros_like(reference.uv), np.zeros(len(reference.uv))

    def add(self, group: MatchedGroup, fit: LinearFit) -> None:
        residual = group.uv @ fit.matrix.T + fit.shift - self.reference[group.row]
        weight = group.error**-2.0
        np.add.at(self.total, group.row, residual * weight[:, None])
        np.add.at(self.weight, group.row, weight)

    def rms(self, rows: NDArray[np.intp]) -> float:
        mean = self.total[rows] / self.weight[rows, None]
        return math.sqrt(float((mean**2).sum(axis=1).mean()))
