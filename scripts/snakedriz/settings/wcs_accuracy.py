"""How far off the truth solutions of a kind are, by what is published: for candidates of which nothing was measured."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class WcsAccuracy:
    """The accuracy of a kind of solution.

    Attributes
    ----------
    kind : str
        Pattern of what follows the first ``-`` of WCSNAME; empty for the distortion model alone.
    until : float
        Exposures that began before this are meant, MJD.
    radius_mas : float
        Typical total error on the sky, with that of the instrument's place in the focal plane, mas.
    what : str
        What the positions are from, for people.
    source : str
        Where the number is published.
    """

    kind: str
    until: float
    radius_mas: float
    what: str
    source: str


_TABLE_1 = "STScI (2024), Improvements in HST Astrometry, table 1, total error, outerspace.stsci.edu"
#: First days of March 2006 (STIS Instrument Handbook, 8.4) and October 2017 (same table), when GSC 2.3 and GSC 2.4 came
#: into use for guide stars.
_GSC_232, _GSC_240 = 53795.0, 58027.0
_ALWAYS = float("inf")

#: First that fits counts. The page says "typical" and gives one figure, taken for the radius that holds 68 per cent.
TABLE = (
    WcsAccuracy("", _GSC_232, 1000.0, "pointing as observed, guide stars of GSC 1.1", _TABLE_1),
    WcsAccuracy("", _GSC_240, 300.0, "pointing as observed, guide stars of GSC 2.3", _TABLE_1),
    WcsAccuracy("", _ALWAYS, 200.0, "pointing as observed, guide stars of GSC 2.4", _TABLE_1),
    WcsAccuracy(r"GSC24\d", _ALWAYS, 200.0, "guide stars corrected to GSC 2.4", _TABLE_1),
    WcsAccuracy(r"HSC30", _ALWAYS, 200.0, "Hubble Source Catalog 3.0", _TABLE_1),
    WcsAccuracy(r"FIT_(REL|IMG|SVM|MVM)_GAIA\w*", _ALWAYS, 10.0, "archived fit to Gaia", _TABLE_1),
)


def published(kind: str, began: float | None) -> WcsAccuracy | None:
    """Return what is published of a kind of solution; None where nothing is.

    Parameters
    ----------
    kind : str
        What follows the first ``-`` of WCSNAME.
    began : float, optional
        When the earliest exposure began, MJD. What is not known is taken for the earliest era.
    """
    when = float("-inf") if began is None else began
    return next((row for row in TABLE if re.fullmatch(row.kind, kind, flags=re.IGNORECASE) and when < row.until), None)
