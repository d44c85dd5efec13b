"""Choice of the sources that a fit uses, made when all exposures are known.

A short and a long exposure both have more good sources than a fit needs, and their brightest ones are different stars:
those of the short one are saturated in the long one. So an exposure's places are shared out among windows of flux that
are common to the exposures of a detector and filter: each begins where one of these begins to show good sources, and
has its brightest. Within a window, places are shared out among cells of the chip, so that a cluster in one corner does
not take them all. Other filters show the same stars at other fluxes: exposures of each choose among themselves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
PER_CELL = 14  # places per cell of the chip, so that 500 are shared out among 6 x 6
NEAR_MAG = 0.5  # windows that begin so close to each other are one
MOST_WINDOWS = 4  # of an exposure; each must have places enough to tie it to the exposures it is for
#: The window of an exposure begins at its brightest good source but these (a share of all, at most so many), some of
#: which are blends or rays. Beginning a little faint costs nothing, beginning too bright the common stars.
ODD_SHARE, MOST_ODD = 0.02, 10


def choose(tables: Sequence[Table]) -> list[Table]:
    """Choose sources; returns the tables with `use` for the chosen ones only, at most `max_per_chip` in each chip.

    Parameters
    ----------
    tables : sequence of Table
        From `snakedriz.detection.sources.find_sources`, of all exposures that are to be fitted together. Magnitudes are
        of rates, and so comparable within a detector and filter. A table that does not say how many sources a chip
        shall have keeps all.
    """
    groups: dict[tuple[str, str], list[int]] = {}
    for i, table in enumerate(tables):
        key = (str(table.meta.get("detector", "")), str(table.meta.get("filter", "")))
        groups.setdefault(key, []).append(i)
    begins: dict[int, list[float]] = {}
    for members in groups.values():
        starts = {i: _first_good(tables[i]) for i in members}
        common = _apart([start for start in starts.values() if start is not None])
        for i in members:
            begins[i] = _windows(starts[i], common)
    return [_chosen(table, begins[i]) for i, table in enumerate(tables)]


def _first_good(table: Table) -> float | None:
    """Magnitude from which on an exposure has good sources; None if it has none."""
    if not len(table) or not np.any(table["use"]):
        return None
    mag = np.sort(np.asarray(table["mag"], dtype=float)[np.asarray(table["use"], dtype=bool)])
    return float(mag[min(MOST_ODD, int(ODD_SHARE * len(mag)))])


def _apart(starts: Sequence[float]) -> list[float]:
    """Starts of common windows, bright to faint; of those close together the faintest."""
    out: list[float] = []
    for start in sorted(starts, reverse=True):
        if not out or out[-1] - start > NEAR_MAG:
            out.append(start)
    return out[::-1]


def _windows(own: float | None, common: Sequence[float]) -> list[float]:
    """Starts of an exposure's windows: its own, open to the bright side, and those of less sensitive exposures."""
    if own is None:
        return []
    fainter = [start for start in common if start > own + NEAR_MAG]
    if len(fainter) >= MOST_WINDOWS:
        fainter = [fainter[i] for i in np.linspace(0, len(fainter) - 1, MOST_WINDOWS - 1).round().astype(int)]
    return [-math.inf, *fainter]


def _chosen(table: Table, begins: Sequence[float]) -> Table:
    """Choose the sources of one exposure; the table itself if all of them are."""
    most = table.meta.get("settings", {}).get("max_per_chip")
    if most is None or not len(table):
        return table
    use = np.asarray(table["use"], dtype=bool)
    keep = np.zeros(len(table), dtype=bool)
    for chip in np.unique(np.asarray(table["chip"])):
        rows = np.flatnonzero(use & (np.asarray(table["chip"]) == chip))
        keep[rows if len(rows) <= int(most) else _of_chip(table, rows, begins, int(most))] = True
    if (keep == use).all():
        return table
    out = table.copy()
    out["use"] = keep
    return out


def _of_chip(table: Table, rows: Rows, begins: Sequence[float], most: int) -> Rows:
    """Choose `most` of the good sources (`rows`) of a chip."""
    mag, x, y = (np.asarray(table[name], dtype=float)[rows] for name in ("mag", "x", "y"))
    cell = _cells(x, y, most)
    taken = np.zeros(len(rows), dtype=bool)
    for k, begin in enumerate(begins):
        places = (most - int(taken.sum())) // (len(begins) - k)
        free = np.flatnonzero(~taken & (mag >= begin))
        taken[free[_spread(mag[free], cell[free], rows[free], places)]] = True
    free = np.flatnonzero(~taken)  # where a window had too few
    taken[free[_spread(mag[free], cell[free], rows[free], most - int(taken.sum()))]] = True
    return rows[taken]


def _cells(x: Array, y: Array, most: int) -> Rows:
    """Cell of each source in a grid over the sources' extent."""
    across = max(1, int(math.sqrt(most / PER_CELL)))
    number = np.zeros(len(x), dtype=np.intp)
    for axis in (x, y):
        low, high = float(axis.min()), float(axis.max())
        part = (axis - low) / max(high - low, 1.0) * across
        number = number * across + np.minimum(part.astype(np.intp), across - 1)
    return number


def _spread(mag: Array, cell: Rows, row: Rows, places: int) -> Rows:
    """Take the brightest of each cell, then the second of each, and so on."""
    order = np.lexsort((row, mag, cell))
    first = np.r_[True, np.diff(cell[order]) > 0] if len(order) else np.empty(0, dtype=bool)
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(len(order)) - np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
    return np.lexsort((row, mag, rank))[: max(places, 0)]
