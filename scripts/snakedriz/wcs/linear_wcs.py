"""The linear WCS of a SCI header: which keywords it is made of, and how a new one is written."""

from __future__ import annotations

import re
from collections.abc import Sequence

from astropy.io import fits

from snakedriz.geometry import orientation

#: Keywords of the linear WCS, before the letter of an alternate.
KEYWORDS = re.compile(
    r"(WCSAXES|CRPIX\d|CRVAL\d|CDELT\d|CTYPE\d|CUNIT\d|CROTA\d|CRDER\d|CSYER\d|CD\d_\d|PC\d_\d|PV\d_\d+|PS\d_\d+"
    r"|LONPOLE|LATPOLE|RADESYS|EQUINOX|RESTFRQ|RESTWAV|WCSNAME|ORIENTAT)"
)


def write(header: fits.Header, crval: Sequence[float], cd: Sequence[Sequence[float]], wcsname: str) -> None:
    """Write CRVAL (deg), CD (deg/px), ORIENTAT (deg) and WCSNAME into a SCI header."""
    header["CRVAL1"], header["CRVAL2"] = float(crval[0]), float(crval[1])
    for i in range(2):
        for j in range(2):
            header[f"CD{i + 1}_{j + 1}"] = float(cd[i][j])
    header["ORIENTAT"] = orientation(cd)
    header["WCSNAME"] = wcsname
