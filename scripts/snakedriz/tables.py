"""Rows printed as a table, as ECSV or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from astropy.table import Table

FORMATS = ("table", "ecsv", "json")


def show_rows(rows: Sequence[Mapping[str, Any]], kind: str, columns: Sequence[str] = ()) -> None:
    """Print rows to the terminal.

    Parameters
    ----------
    rows : sequence of mappings
        Keys are columns; None and missing keys are masked in ECSV, null in JSON, ``-`` in a table.
    kind : str
        One of `FORMATS`.
    columns : sequence of str
        Which, in which order; all by default. JSON always has all.
    """
    if kind == "json":
        print(json.dumps(list(rows), indent=1, allow_nan=False))
        return
    columns = columns or list(dict.fromkeys(key for row in rows for key in row))
    if kind == "ecsv":
        as_table(rows, columns).write(sys.stdout, format="ascii.ecsv")
        return
    if rows:
        from tabulate import tabulate  # here: only a person's terminal needs it

        cells = [[cell(row.get(column)) for column in columns] for row in rows]
        print(tabulate([columns, *cells], tablefmt="plain", disable_numparse=True))


def cell(content: Any) -> str:
    """Return a value as a cell of a table."""
    if content is None or content == "":
        return "-"
    if isinstance(content, bool):
        return "*" if content else "-"
    if isinstance(content, float):
        return f"{content:.2f}"
    if isinstance(content, list | tuple):
        return ", ".join(map(str, content)) or "-"
    return str(content)


def as_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> Table:
    """Return rows as a table; None and missing keys are masked, lists become text.

    Parameters
    ----------
    rows, columns
        As in `show_rows`.
    """
    import numpy as np
    from astropy.table import MaskedColumn, Table

    columns = columns or list(dict.fromkeys(key for row in rows for key in row))
    table = Table()
    for name in columns:
        cells = [row.get(name) for row in rows]
        if any(isinstance(cell, list | tuple) for cell in cells):
            cells = [", ".join(map(str, cell or ())) for cell in cells]
        kinds = {type(cell) for cell in cells if cell is not None}
        dtype = (
            bool if kinds == {bool} else int if kinds == {int} else float if kinds and kinds <= {int, float} else str
        )
        empty = np.array([cell is None for cell in cells], bool)
        filled = [dtype() if cell is None else dtype(cell) for cell in cells]
        table[name] = MaskedColumn(np.array(filled, dtype=dtype), mask=empty) if empty.any() else filled
    return table
