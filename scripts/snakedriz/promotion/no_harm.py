"""Do no harm: a candidate is held against every one that it would replace, beyond the errors of both.

Compared are what the candidate does to the exposures among themselves (the worst registration of an exposure or chip),
to the stars in the product (their width), and to the sky (the offset from the catalogue). A registration that could not
be measured is no better than one that was: only where the exposures lie among themselves as before does it not count.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import get_args

from snakedriz.artefacts.base import Policy
from snakedriz.artefacts.common import Check
from snakedriz.artefacts.metrics import Metrics
from snakedriz.promotion import relative_alignment
from snakedriz.verification.displacements import displacement, displacements

NAMES = ("no_harm", "no_harm_width", "no_harm_offset")

#: Widths of the same stars in products on different pixel grids agree to this (of the width): pixel phases differ.
WIDTH_FLOOR = 0.01


def worst_registration(metrics: Metrics) -> tuple[float, float, str] | None:
    """Return the largest displacement of an exposure or chip (px), half of its 2-sigma error, and its name.

    Of two exposures it is half of that against each other: a group that is displaced against another shows in pairs.
    """
    if metrics.registration is None:
        return None
    found = [one for exposure in metrics.registration.exposures for one in displacements(exposure)]
    parts = ((displacement(pair), " and ".join(pair.exposures)) for pair in metrics.registration.pairs if pair.measured)
    return max([*found, *((one[0] / 2.0, one[1] / 2.0, name) for one, name in parts if one)], default=None)


def _width(metrics: Metrics) -> tuple[float, float] | None:
    """Return the width of the stars in the product over that in the singles, and its 68 % error."""
    found = metrics.psf_width
    return None if found is None or found.ratio is None or found.ratio_err is None else (found.ratio, found.ratio_err)


def _offset(metrics: Metrics) -> tuple[str, float, float] | None:
    """Return the catalogue, the offset from it (mas) and its 68 % error per axis; None where it was not measured."""
    found = metrics.astrometry.absolute if metrics.astrometry else None
    if found is None or found.catalog is None or found.offset_mas is None or found.error_mas is None:
        return None
    return found.catalog, math.hypot(*found.offset_mas), found.error_mas


def _check(name: str, value: float, limit: float, unit: str, note: str) -> Check:
    return Check(
        name=name, value=value, limit=limit, unit=unit, passed=value <= limit, policy=get_args(Policy), note=note
    )


def _unmeasured(candidate: Metrics, replaced: Sequence[Metrics]) -> Check | None:
    """Return a check that is open where a candidate could not be measured and changes what was measured to be good."""
    if relative_alignment.known(candidate) != "unmeasured":
        return None
    for other in replaced:
        same = relative_alignment.is_unchanged(candidate) and relative_alignment.is_unchanged(other)
        if relative_alignment.known(other) == "measured" and not same:
            note = f"not measured, and not the relative geometry of {other.candidate}, which is good"
            return Check(
                name="no_harm", value=None, limit=None, unit="px", passed=None, policy=get_args(Policy), note=note
            )
    return None


def checks(candidate: Metrics, replaced: Sequence[Metrics]) -> list[Check]:
    """Compare a candidate with those that it would replace, which have a solution and come after it in the rank.

    The checks are `no_harm` (px), `no_harm_width` and `no_harm_offset` (mas, where both have the same catalogue), each
    against the strictest of the others: its value plus three times the errors of both. Left out where either side could
    not be measured; but `no_harm` is open (None) for a candidate that could not, and that moves exposures among
    themselves which were measured to be aligned.
    """
    shift, width, offset = worst_registration(candidate), _width(candidate), _offset(candidate)
    shifts, widths, offsets = [], [], []
    for other in replaced:
        name = other.candidate
        if shift is not None and (their_shift := worst_registration(other)) is not None:
            limit = their_shift[0] + 3.0 * math.hypot(shift[1], their_shift[1])
            note = f"worst: {shift[2]}; {name}: {their_shift[0]:.3f} px ({their_shift[2]})"
            shifts.append((limit, _check("no_harm", shift[0], limit, "px", note)))
        if width is not None and (their_width := _width(other)) is not None:
            limit = their_width[0] + WIDTH_FLOOR + 3.0 * math.hypot(width[1], their_width[1])
            note = f"width of stars over that in the singles; {name}: {their_width[0]:.3f}"
            widths.append((limit, _check("no_harm_width", width[0], limit, "of the singles", note)))
        their_offset = _offset(other)
        if offset is not None and their_offset is not None and offset[0] == their_offset[0]:
            limit = their_offset[1] + 3.0 * math.hypot(offset[2], their_offset[2])
            note = f"offset from {offset[0]}; {name}: {their_offset[1]:.2f} mas"
            offsets.append((limit, _check("no_harm_offset", offset[1], limit, "mas", note)))
    found = [min(pairs, key=lambda pair: pair[0])[1] for pairs in (shifts, widths, offsets) if pairs]
    # What was measured of a part of the exposures can refute, and cannot confirm.
    refuted = any(check.name == "no_harm" and not check.passed for check in found)
    if not refuted and (hidden := _unmeasured(candidate, replaced)) is not None:
        found = [hidden, *(check for check in found if check.name != "no_harm")]
    return found
