"""How many pixels were flagged as cosmic rays, against the other exposures, the exposure time and other candidates.

Misalignment eats stars: an exposure with far more flagged pixels than its time explains is displaced, or was hit by
something. Satellites trails and passages of the South Atlantic Anomaly do the same, so this warns and decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from snakedriz.artefacts.common import Check
from snakedriz.artefacts.verification import CosmicRayCount
from snakedriz.verification.frames import Frames


def measure(
    frames: Frames, settings: Mapping[str, Any], default: Sequence[CosmicRayCount] = ()
) -> list[CosmicRayCount]:
    """Count flagged detector pixels.

    `settings` has `cr_rate`, the share of the pixels that cosmic rays hit per second, as the detector's handbook has
    it; `default` is the default candidate's count, for the others.
    """
    shares = [single.flagged / max(single.pixels, 1) for single in frames.singles]
    rates = [share / single.exptime for share, single in zip(shares, frames.singles, strict=True)]
    before = {row.rootname: row.flagged for row in default}
    rows = []
    for index, single in enumerate(frames.singles):
        others = [rate for i, rate in enumerate(rates) if i != index]
        typical = float(np.median(others)) if others else 0.0
        expected = float(settings["cr_rate"]) * single.exptime
        earlier = before.get(single.rootname, 0.0)
        rows.append(CosmicRayCount(
            rootname=single.rootname, flagged=shares[index], per_second=rates[index],
            ratio_to_others=rates[index] / typical if typical > 0 else None,
            expected=expected, ratio_to_expected=shares[index] / expected if expected > 0 else None,
            ratio_to_default=shares[index] / earlier if earlier > 0 else None,
        ))  # fmt: skip
    return rows


def checks(rows: Sequence[CosmicRayCount], settings: Mapping[str, Any]) -> list[Check]:
    """Warn of exposures with many flagged pixels; these checks belong to no policy.

    `settings` has `census_limit` and `census_expected_limit`, for the ratios to the others and to what is expected.
    """
    return [
        _check("cr_census", {row.rootname: row.ratio_to_others for row in rows}, float(settings["census_limit"])),
        _check(
            "cr_expected", {row.rootname: row.ratio_to_expected for row in rows},
            float(settings["census_expected_limit"]),
        ),
    ]  # fmt: skip


def _check(name: str, ratios: Mapping[str, float | None], limit: float) -> Check:
    known = {root: ratio for root, ratio in ratios.items() if ratio is not None}
    worst = max(known, key=lambda root: known[root], default=None)
    value = None if worst is None else known[worst]
    return Check(
        name=name, value=value, limit=limit, unit="", passed=None if value is None else value <= limit, policy=[],
        note=f"a warning only; most flagged: {worst}" if worst else "no flags to compare",
    )  # fmt: skip
