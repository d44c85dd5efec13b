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

from snakedriz.alignment.linear_fit import PARAMETERS, Array, LinearFit, align
from snakedriz.statistics import limits

MOST_FOLDS = 10


@dataclass
class Unit:
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


def folds(names: Sequence[str], number: int) -> NDArray[np.intp]:
    """Return the fold of each name: even shares, by the rank of the name's sha256, so that no order matters."""
    digest = [hashlib.sha256(name.encode()).hexdigest() for name in names]
    rank = np.empty(len(names), dtype=np.intp)
    rank[sorted(range(len(names)), key=lambda i: (digest[i], names[i]))] = np.arange(len(names))
    return rank % number


def cross_validate(
    units: Sequence[Unit],
    reference: Array,
    reference_error: Array,
    names: Sequence[str],
    geometry: str,
    settings: Mapping[str, Any],
    scale_mas: float,
) -> dict[str, Any]:
    """Hold catalogue stars out of a fit, fold by fold, and predict them.

    Parameters
    ----------
    units : sequence of Unit
        Under the WCS of the fit, which differs from the one it started from by a transform of the same geometry: so a
        fit made again from here is the same fit.
    reference, reference_error, names
        Positions (n, 2) and errors per axis (n,) of the catalogue rows (px), and their names.
    geometry : {"shift", "rshift", "rscale", "general"}
    settings : mapping
        Block `fitting`.
    scale_mas : float
        Size of a px.

    Returns
    -------
    dict
        outcome ("measured" or "unmeasurable"), reason, geometry, stars, folds; held_out_rms_mas and in_sample_rms_mas
        (root mean square separation about zero), ratio of the two; zero_point_error_mas and zero_point_error95_mas
        (half-widths per axis, from the jackknife).
    """
    rows = np.unique(np.concatenate([unit.row for unit in units])) if units else np.empty(0, np.intp)
    out: dict[str, Any] = {
        "outcome": "unmeasurable",
        "reason": "",
        "geometry": geometry,
        "stars": len(rows),
        "folds": 0,
    }
    out.update(dict.fromkeys(("held_out_rms_mas", "in_sample_rms_mas", "ratio")))
    out.update(dict.fromkeys(("zero_point_error_mas", "zero_point_error95_mas")))
    number = min(MOST_FOLDS, len(rows))
    least = PARAMETERS[geometry] // 2 + 1
    fold = np.full(len(reference), -1, dtype=np.intp)
    if number:
        fold[rows] = folds([names[int(row)] for row in rows], number)
    left = [int((fold[unit.row] != k).sum()) for unit in units for k in range(number)]
    if number < 2 or min(left) < least:
        fewest = min((len(unit.row) for unit in units), default=0)
        out["reason"] = f"{fewest} stars: {geometry} needs {least} besides those held out"
        return out

    def solve(unit: Unit, keep: NDArray[np.bool_]) -> LinearFit:
        row = unit.row[keep]
        return align(unit.uv[keep], unit.error[keep], reference[row], reference_error[row], geometry, settings)

    whole = [solve(unit, np.ones(len(unit.row), dtype=bool)) for unit in units]
    middles = [fit.middle for fit in whole]
    inside, outside = _Mean(len(reference)), _Mean(len(reference))
    zero, weight = np.zeros((number, 2)), np.zeros(number)
    for unit, fit, middle in zip(units, whole, middles, strict=True):
        inside.add(unit, unit.uv @ fit.matrix.T + fit.shift - reference[unit.row])
        for k in range(number):
            held = fold[unit.row] == k
            fit = solve(unit, ~held)
            predicted = Unit(unit.uv[held], unit.error[held], unit.row[held])
            outside.add(predicted, predicted.uv @ fit.matrix.T + fit.shift - reference[predicted.row])
            zero[k] += (fit.matrix @ middle + fit.shift - middle) / len(units)
            weight[k] += (1.0 / (predicted.error**2 + reference_error[predicted.row] ** 2)).sum()
    held_out, in_sample = outside.rms(rows) * scale_mas, inside.rms(rows) * scale_mas
    variance = (number - 1) / number * float(((zero - zero.mean(axis=0)) ** 2).sum()) / 2.0
    # Folds of unequal weight count as fewer (Satterthwaite 1946): a star that outweighs the rest hides behind them.
    freedom = max(round(2.0 * (float(weight.sum() ** 2 / (weight**2).sum()) - 1.0)), 1)
    one, two = limits(math.sqrt(variance) * scale_mas, freedom, float(settings["zero_point_floor_mas"]))
    out.update(outcome="measured", folds=number, held_out_rms_mas=held_out, in_sample_rms_mas=in_sample)
    out.update(ratio=held_out / in_sample if in_sample > 0 else None)
    out.update(zero_point_error_mas=one, zero_point_error95_mas=two)
    return out


class _Mean:
    """Weighted mean residual of each catalogue row over the exposures that saw it."""

    def __init__(self, rows: int) -> None:
        self.total, self.weight = np.zeros((rows, 2)), np.zeros(rows)

    def add(self, unit: Unit, residual: Array) -> None:
        weight = unit.error**-2.0
        np.add.at(self.total, unit.row, residual * weight[:, None])
        np.add.at(self.weight, unit.row, weight)

    def rms(self, rows: NDArray[np.intp]) -> float:
        mean = self.total[rows] / self.weight[rows, None]
        return math.sqrt(float((mean**2).sum(axis=1).mean()))
