"""Catalogues in Parquet: one file, or a folder of partitions as in HATS, of which only the field is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike

from snakedriz.errors import SnakedrizError

SUFFIXES = (".parquet", ".parq")


@dataclass(frozen=True)
class Box:
    """A range of declination and of right ascension (deg); `west` is above `east` where it holds RA 0."""

    west: float
    east: float
    south: float
    north: float


def around(polygons: Sequence[ArrayLike], margin_arcsec: float) -> Box:
    """Return the box that holds some outlines (RA, DEC in deg) and a margin."""
    corners = np.vstack([np.asarray(polygon, dtype=float) for polygon in polygons])
    margin = margin_arcsec / 3600.0
    south, north = float(corners[:, 1].min()) - margin, float(corners[:, 1].max()) + margin
    if max(abs(south), abs(north)) >= 89.9:  # every right ascension is near the pole
        return Box(0.0, 360.0, south, north)
    first = float(corners[0, 0])
    away = (corners[:, 0] - first + 180.0) % 360.0 - 180.0
    wide = margin / float(np.cos(np.radians(max(abs(south), abs(north)))))
    return Box((first + float(away.min()) - wide) % 360.0, (first + float(away.max()) + wide) % 360.0, south, north)


def read(path: Path, aliases: tuple[Sequence[str], Sequence[str]], box: Box | None) -> Table:
    """Read the rows within a box.

    Parameters
    ----------
    path : path
        A file, or a folder, all Parquet files below which are partitions of one table.
    aliases : pair of sequences of str
        Names (lower case) of the columns of right ascension and declination (deg), best first.
    box : Box, optional
        None for all rows.

    Returns
    -------
    `~astropy.table.Table`
        `meta["parts"]`: names of the files with rows in the box, below `path`; of a file its own.

    Raises
    ------
    SnakedrizError
        Without pyarrow, for a folder without Parquet files, and without columns of positions.
    """
    try:
        import pyarrow.dataset as arrow
    except ImportError as error:
        raise SnakedrizError(
            f"{path}: pyarrow, which reads Parquet, is not installed",
            "install it (pip install 'snakedriz[parquet]'), or save the field as ECSV or FITS",
        ) from error
    files = (
        sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES and p.name[0] not in "._")
        if path.is_dir()
        else [path]
    )
    if not files:
        raise SnakedrizError(
            f"{path}: a folder without Parquet files ({', '.join(SUFFIXES)})", "give a folder of partitions"
        )
    whole = arrow.dataset([str(file) for file in files], format="parquet")
    wanted = None if box is None else _filter(arrow, box, *(_column(path, whole.schema.names, one) for one in aliases))
    # a partition that holds no row of the box is told by the limits in its footer, and not read
    parts = [file for file, part in zip(files, whole.get_fragments(), strict=True) if part.count_rows(filter=wanted)]
    rows = whole.to_table(filter=wanted)
    table = Table({name: _values(rows[name]) for name in whole.schema.names if _flat(rows.schema.field(name))})
    table.meta["parts"] = [file.relative_to(path).as_posix() if path.is_dir() else file.name for file in parts]
    return table


def _column(path: Path, names: Sequence[str], aliases: Sequence[str]) -> str:
    lower = {name.lower(): name for name in names}
    found = next((lower[alias] for alias in aliases if alias in lower), None)
    if found is None:
        raise SnakedrizError(
            f"{path}: has none of the columns {', '.join(aliases)}; found {', '.join(names)}", "rename the column"
        )
    return found


def _filter(arrow: Any, box: Box, ra: str, dec: str) -> Any:
    east, north = arrow.field(ra), arrow.field(dec)
    inside = (north >= box.south) & (north <= box.north)
    if box.west <= box.east:
        return inside & (east >= box.west) & (east <= box.east)
    return inside & ((east >= box.west) | (east <= box.east))


def _flat(field: Any) -> bool:
    import pyarrow.types as types

    return not types.is_nested(field.type)


def _values(column: Any) -> np.ndarray:
    """Return a column as an array; a missing number is NaN."""
    import pyarrow.types as types

    if types.is_floating(column.type) or (column.null_count and types.is_integer(column.type)):
        return np.array(column.to_numpy(), dtype=float)
    return np.array(column.to_pylist())
