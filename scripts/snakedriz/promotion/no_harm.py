"""Do no harm: a candidate is held against every one that it would replace, beyond the errors of both.

Compared are what the candidate does to the exposures among themselves (the worst registration of an exposure or chip),
to the stars in the product (their width), and to the sky (the offset from the catalogue).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from snakedriz.statistics import shift_error

#: Widths of the same stars in products on different pixel grids agree to this (of the width): pixel phases differ.
WIDTH_FLOOR = 0.01


def worst_registration(metrics: Mapping[str, Any]) -> tuple[float, float, str] | None:
    """Return the largest displacement of an exposure or chip (px), half of its 2-sigma error, and its name."""
    found = []
    for exposure in (metrics.get("registration") or {}).get("exposures", []):
        chips = [(f"{exposure['rootname']} chip {chip['extver']}", chip) for chip in exposure.get("chips", [])]
        for name, row in [(exposure["rootname"], exposure), *chips]:
            if row.get("dx") is not None:
                found.append((*shift_error(row), name))
    return max(found) if found else None


def _check(name: str, value: float, limit: float, unit: str, note: str) -> dict[str, Any]:
    return {
        "name": name, "value": value, "limit": limit, "unit": unit, "passed": value <= limit,
        "policy": ["measured", "documented", "drizzlepac"], "note": note,
    }  # fmt: skip


def absolute(metrics: Mapping[str, Any]) -> tuple[str, float, float] | None:
    """Return the catalogue, the offset from it (mas) and its 68 % error per axis; None where it was not measured."""
    found = (metrics.get("astrometry") or {}).get("absolute") or {}
    if found.get("offset_mas") is None:
        return None
    return found["catalog"], math.hypot(*found["offset_mas"]), found["error_mas"]


def _strictest(checks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [min(checks, key=lambda check: check["limit"])] if checks else []


def checks(candidate: Mapping[str, Any], replaced: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Compare a candidate with those that it would replace.

    Parameters
    ----------
    candidate : mapping
        Its metrics.json.
    replaced : sequence of mappings
        metrics.json of the candidates that come after it in the order of preference and have a solution.

    Returns
    -------
    list of dict
        The checks `no_harm` (px), `no_harm_width` and `no_harm_offset` (mas, where both have the same catalogue), each
        against the strictest of the others: its value plus three times the errors of both. Left out where either side
        could not be measured.
    """
    mine, here = worst_registration(candidate), absolute(candidate)
    shifts, widths, offsets = [], [], []
    for other in replaced:
        theirs = worst_registration(other)
        if mine is not None and theirs is not None:
            limit = theirs[0] + 3.0 * math.hypot(mine[1], theirs[1])
            note = f"worst: {mine[2]}; {other['candidate']}: {theirs[0]:.3f} px ({theirs[2]})"
            shifts.append(_check("no_harm", mine[0], limit, "px", note))
        own, his = candidate.get("psf_width") or {}, other.get("psf_width") or {}
        if own.get("ratio") is not None and his.get("ratio") is not None:
            limit = his["ratio"] + WIDTH_FLOOR + 3.0 * math.hypot(own["ratio_err"], his["ratio_err"])
            note = f"width of stars over that in the singles; {other['candidate']}: {his['ratio']:.3f}"
            widths.append(_check("no_harm_width", own["ratio"], limit, "of the singles", note))
        there = absolute(other)
        if here is not None and there is not None and here[0] == there[0]:
            limit = there[1] + 3.0 * math.hypot(here[2], there[2])
            note = f"offset from {here[0]}; {other['candidate']}: {there[1]:.2f} mas"
            offsets.append(_check("no_harm_offset", here[1], limit, "mas", note))
    return _strictest(shifts) + _strictest(widths) + _strictest(offsets)
