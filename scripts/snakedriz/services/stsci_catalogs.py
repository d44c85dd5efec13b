"""The catalogue service of STScI (GAIAeDR3, GAIADR3, GSC242, 2MASS, PS1...): cones and polygons, answers in CSV.

Asked without EPOCH: with it the service mixes positions that it has moved with others that it could not, and does not
say which. Proper motions are applied on our side (`reference.at_epoch`).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from urllib.parse import urlencode

import numpy as np
from astropy.table import Table

from snakedriz.geometry import Cone
from snakedriz.services import failures, transport
from snakedriz.services.transport import Client

#: Names of ours that the service spells otherwise.
ALIASES = {"PS1": "PS1DR2"}
#: Units other than those of the normal form (mas): PS1 gives the errors of mean positions in arcsec.
UNITS = {"rameanerr": "arcsec", "decmeanerr": "arcsec"}
_TEXT = ("objid", "source_id", "designation", "name", "id")
#: A number of rows in the comment that an answer begins with.
_COUNT = re.compile(r"(?i)\b(\d+) (?:objects|rows|records|sources)\b|\b(?:objects|rows|records) found ?[:=] ?(\d+)")
_BLANK = ("", "null", "nan", "none")


def query(
    client: Client,
    base: str,
    name: str,
    cone: Cone | None = None,
    polygon: Sequence[tuple[float, float]] | None = None,
    mindet: int = 5,
) -> tuple[Table, str]:
    """Ask for a catalogue.

    Parameters
    ----------
    client : Client
        Of the service.
    base : str
        Its address, ``.../webservices``.
    name : str
        Catalogue, as the service calls it.
    cone, polygon
        One of them: a cone, or corners (RA, DEC in deg).
    mindet : int
        Least number of detections of an object.

    Returns
    -------
    table : `~astropy.table.Table`
        As the service gives it: numbers where a column holds numbers, NaN where it is blank. No rows for a field
        without objects, which is an outcome and no failure.
    url : str
        What was asked.

    Raises
    ------
    ServiceError
        Of the type of the failure; a failure never gives an empty table.
    """
    if (cone is None) == (polygon is None):
        raise ValueError("give a cone or a polygon")
    if cone is not None:
        where = {"RA": f"{cone.ra:.5f}", "DEC": f"{cone.dec:.5f}", "SR": f"{cone.radius:.4f}"}
    else:
        where = {"STCS": "polygon " + " ".join(f"{ra:.5f} {dec:.5f}" for ra, dec in polygon or ())}
    asked = {**where, "FORMAT": "CSV", "CAT": ALIASES.get(name, name), "MINDET": str(mindet)}
    url = f"{base}/vo/CatalogSearch.aspx?" + urlencode(asked).replace("+", "%20")
    answer = client.ask(url, transport.CSV, headers={"Accept": "text/csv", "Content-Type": "text/csv"})
    measured = "Content-Length" in answer.headers or "chunked" in answer.headers.get("Transfer-Encoding", "").lower()
    return parse(answer.content, client.service, url, measured), url


def parse(body: bytes, service: str, url: str, measured: bool = False) -> Table:
    """Read an answer: lines that end in CRLF; a comment, the names of the columns, rows.

    Parameters
    ----------
    body : bytes
    service, url : str
        For errors.
    measured : bool
        Whether the protocol says that the body is complete; else its last line must be.

    Raises
    ------
    ServiceError
        ServiceSaidError if the first line begins with "Error"; WrongLineEnds; Truncated if a row has another number of
        fields than there are columns or the last line has no end; Incomplete if the comment counts more rows than there
        are; BadAnswer for anything else that is no table.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise failures.BadAnswer(service, url, f"bytes that are no text ({error})") from error
    first = text.lstrip().partition("\n")[0].strip()
    if first.lstrip("# ").lower().startswith("error"):
        raise failures.ServiceSaidError(service, url, f"it answered {first[:200]!r}")
    if "no data records" in text[:1000].lower():
        return Table()
    without = text.replace("\r\n", "")
    if "\n" in without or "\r" in without:
        raise failures.WrongLineEnds(service, url, "lines that do not end in CRLF")
    lines = [line for line in text.split("\r\n") if line.strip()]
    names = _names(lines[0])
    start = 1
    if names is None and len(lines) > 1:
        names, start = _names(lines[1]), 2
    if names is None:
        raise failures.BadAnswer(
            service, url, f"no line of column names with ra and dec among the first two; the first is {first[:80]!r}"
        )
    rows = list(csv.reader(lines[start:]))
    for number, row in enumerate(rows, start=1):
        if len(row) != len(names):
            raise failures.Truncated(
                service, url, f"row {number} of {len(rows)} has {len(row)} fields, there are {len(names)} columns"
            )
    if not measured and not text.endswith("\r\n"):
        raise failures.Truncated(service, url, f"row {len(rows)} has no end, and nothing says that it is the last")
    if start == 2 and (said := _COUNT.search(lines[0])) and int(said[1] or said[2]) > len(rows):
        raise failures.Incomplete(service, url, f"{len(rows)} rows, and its first line says {lines[0][:80]!r}")
    table = Table()
    for i, column in enumerate(names):
        table[column] = _values(column, [row[i].strip() for row in rows])
        if column.lower() in UNITS:
            table[column].unit = UNITS[column.lower()]
    return table


def _names(line: str) -> list[str] | None:
    """Return the column names that a line holds, None if it is no such line."""
    fields = [field.strip().strip('"') for field in line.lstrip("#").split(",")]
    return fields if {"ra", "dec"} <= {field.lower() for field in fields} else None


def _values(name: str, fields: list[str]) -> np.ndarray:
    if name.lower() in _TEXT:
        return np.array(fields, dtype=str)
    try:
        return np.array([np.nan if field.lower() in _BLANK else float(field) for field in fields], dtype=float)
    except ValueError:  # a column of text; one that should be numbers is refused when the table is normalised
        return np.array(fields, dtype=str)
