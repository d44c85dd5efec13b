"""Keywords of archive headers read without a crash: absent, blank, NaN and unparsable values are all None."""

from __future__ import annotations

import math
from typing import Any

from astropy.io import fits
from astropy.io.fits.verify import VerifyError


def value(header: fits.Header, keyword: str) -> Any:
    """Return the value of a keyword; None if it is absent, blank, not a number, or a card that cannot be parsed."""
    try:
        found = header.get(keyword)
    except (VerifyError, ValueError):
        return None  # such as RMS_RA = NaN, which FITS does not allow
    if isinstance(found, fits.card.Undefined) or (isinstance(found, float) and not math.isfinite(found)):
        return None
    return found


def text(header: fits.Header, keyword: str) -> str:
    """Return a keyword as text, blanks stripped, ``''`` if it has no value."""
    found = value(header, keyword)
    return "" if found is None else str(found).strip()


def number(header: fits.Header, keyword: str) -> float | None:
    """Return a keyword as a finite number, None if it is none."""
    found = value(header, keyword)
    if isinstance(found, str):
        try:
            found = float(found)
        except ValueError:
            return None
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        return None
    return float(found)


def broken_cards(header: fits.Header) -> list[str]:
    """Return the keywords whose value is NaN or cannot be parsed."""
    found = []
    for card in header.cards:
        try:
            content = card.value
        except (VerifyError, ValueError):
            found.append(card.keyword)
            continue
        if (isinstance(content, float) and not math.isfinite(content)) or str(content).strip().lower() == "nan":
            found.append(card.keyword)
    return found


def without_broken_cards(hdul: fits.HDUList) -> fits.HDUList:
    """Remove from all headers, in place, the cards that no library can read; returns `hdul`."""
    for hdu in hdul:
        for keyword in broken_cards(hdu.header):
            hdu.header.remove(keyword, ignore_missing=True, remove_all=True)
    return hdul
