"""How many pixels were flagged as cosmic rays, against the other exposures, the exposure time and other candidates.

Misalignment eats stars: an exposure with far more flagged pixels than its time explains is displaced, or was hit by
something. Satellites trails and passages of the South Atlantic Anomaly do the same, so this warns and decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from snakedriz.verification.frames import Frames


def measure(
    frames: Frames, settings: Mapping[str, Any], default: Sequence[Mapping[str, Any]] | None = None
) -> list[dict[str, Any]]:
    """Count flagged detector pixels.

    Parameters
    ----------
    frames : Frames
    settings : mapping
        `cr_rate`: share of the pixels that cosmic rays hit per second, as the detector's handbook has it.
    default : sequence of mappings, optional
        The default candidate's census, for the others.

    Returns
    -------
    list of dict
        Per exposure: `flagged` (share of its pixels), `per_second`, `ratio_to_others` (rate over the median rate of
        the others), `expected` (share that the exposure time predicts), `ratio_to_expected`, `ratio_to_default` (1
        where the default's flags were reused). None where there is nothing to compare with.
    """
    shares = [single.flagged / max(single.pixels, 1) for single in frames.singles]
    rates = [share / single.exptime for share, single in zip(shares, frames.singles, strict=True)]
    before = {row["rootname"]: row["flagged"] for row in default or ()}
    rows = []
    for index, single in enumerate(frames.singles):
        others = [rate for i, rate in enumerate(rates) if i != index]
        typical = float(np.median(others)) if others else 0.0
        expected = float(settings["cr_rate"]) * single.exptime
        earlier = before.get(single.rootname) or 0.0
        rows.append({
            "rootname": single.rootname, "flagged": shares[index], "per_second": rates[index],
            "ratio_to_others": rates[index] / typical if typical > 0 else None,
            "expected": expected, "ratio_to_expected": shares[index] / expected if expected > 0 else None,
            "ratio_to_default": shares[index] / earlier if earlier > 0 else None,
        })  # fmt: skip
    return rows


def checks(rows: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Warn of exposures with many flagged pixels; these checks belong to no policy.

    Parameters
    ----------
    rows : sequence of mappings
        From `measure`.
    settings : mapping
        `census_limit` and `census_expected_limit`, for the ratios to the others and to what is expected.
    """
    out: list[dict[str, Any]] = []
    for name, key, limit in (
        ("cr_census", "ratio_to_others", float(settings["census_limit"])),
        ("cr_expected", "ratio_to_expected", float(settings["census_expected_limit"])),
    ):
        known = [row for row in rows if row[key] is not None]
        worst = max(known, key=lambda row: row[key], default=None)
        value = worst[key] if worst else None
        out.append({
            "name": name, "value": value, "limit": limit, "unit": "",
            "passed": None if value is None else value <= limit, "policy": [],
            "note": f"a warning only; most flagged: {worst['rootname']}" if worst else "no flags to compare",
        })  # fmt: skip
    return out
