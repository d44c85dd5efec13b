"""When the positions of well-known catalogues hold, for tables that do not say it."""

from __future__ import annotations

import re

#: Releases of Gaia: J2015.0 (DR1: Lindegren et al. 2016, A&A 595, A4), J2015.5 (DR2: Lindegren et al. 2018, A&A 616,
#: A2), J2016.0 (EDR3 and DR3: Lindegren et al. 2021, A&A 649, A2).
_GAIA = {"1": 2015.0, "2": 2015.5, "3": 2016.0}
_RELEASE = re.compile(r"gaia_?e?dr_?([123])(?!\d)", re.IGNORECASE)
#: Others by their names, lower case without underscores: Hipparcos J1991.25 (ESA SP-1200; van Leeuwen 2007, A&A 474,
#: 653), mean positions of Tycho-2 (Hog et al. 2000, A&A 355, L27), UCAC4 (Zacharias et al. 2013, AJ 145, 44) and PPMXL
#: (Roeser et al. 2010, AJ 139, 2440) J2000.0.
_OTHERS = {"hipparcos": 1991.25, "hip": 1991.25, "hip2": 1991.25, "tycho2": 2000.0, "tyc2": 2000.0, "ucac4": 2000.0,
           "ppmxl": 2000.0}  # fmt: skip


def known_epoch(name: str) -> float | None:
    """Return the epoch (Julian year) of a catalogue's positions by its name; None for one that is not known.

    A release of Gaia is known wherever it stands in the name (``GAIAeDR3_bright``), others by the whole name.
    """
    release = _RELEASE.search(name)
    return _GAIA[release[1]] if release else _OTHERS.get(name.lower().replace("_", ""))
