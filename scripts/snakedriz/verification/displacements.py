"""What a registration says of displacements: of exposures, chips and pairs, and which exposures hang together.

Read from artefacts alone, so that promotion needs nothing of what measures pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from snakedriz.artefacts.verification import ChipRegistration, ExposureRegistration, PairRegistration
from snakedriz.statistics import factor

#: Groups of exposures that have less than this part of an exposure in common need not be measured against each other:
#: what a displacement smears is as little.
LEAST_LINK = 0.05


def displacement(
    row: ExposureRegistration | ChipRegistration | PairRegistration, sigmas: float = 2.0
) -> tuple[float, float] | None:
    """Return the total displacement of an exposure, a chip or a pair, and half of its 2-sigma error, px.

    The mean shift, and what rotation and scale add, in quadrature; None if not measured. With another number of
    `sigmas` the part of that error which one sigma is of them.
    """
    if row.dx is None or row.dy is None or row.dx_err is None or row.dy_err is None or row.freedom is None:
        return None
    field, field_err = (None, None) if isinstance(row, ChipRegistration) else (row.field, row.field_err)
    error = math.hypot(row.dx_err, row.dy_err, field_err or 0.0)
    return (
        math.hypot(row.dx, row.dy, field or 0.0),
        error * factor(sigmas, row.freedom) / factor(1.0, row.freedom) / sigmas,
    )  # fmt: skip


def displacements(exposure: ExposureRegistration) -> Iterator[tuple[float, float, str]]:
    """Yield what was measured of an exposure and of each of its chips: `displacement` and name."""
    chips = [(f"{exposure.rootname} chip {chip.extver}", chip) for chip in exposure.chips]
    rows: list[tuple[str, ExposureRegistration | ChipRegistration]] = [(exposure.rootname, exposure), *chips]
    for name, row in rows:
        if (found := displacement(row)) is not None:
            yield (*found, name)


def unlinked(rows: Sequence[PairRegistration]) -> list[list[str]]:
    """Return groups of exposures that overlap each other by `LEAST_LINK` or more, but were not measured as a whole.

    Each group is measured in itself, or is one exposure; empty where everything that overlaps hangs together.
    """
    import numpy as np
    from scipy.sparse.csgraph import connected_components

    names = sorted({name for row in rows for name in row.exposures})
    number = {name: index for index, name in enumerate(names)}
    graphs = np.zeros((2, len(names), len(names)), bool)
    for row in rows:
        i, j = (number[name] for name in row.exposures)
        graphs[0, i, j] = row.measured or row.overlap >= LEAST_LINK
        graphs[1, i, j] = row.measured
    if not names:
        return []
    (_, whole), (_, part) = (connected_components(graph, directed=False) for graph in graphs)
    out = []
    for component in range(int(whole.max()) + 1):
        parts = sorted(set(part[whole == component]))
        if len(parts) > 1:
            out += [[name for name in names if part[number[name]] == one] for one in parts]
    return out
