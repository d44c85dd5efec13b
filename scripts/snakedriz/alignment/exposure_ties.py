"""How well the stars that exposures share tie each of them to the others."""

from __future__ import annotations

import math

import numpy as np

from snakedriz.alignment.joint_alignment import JointAlignment
from snakedriz.artefacts.fit import RelativeTie


def tie_of(work: JointAlignment, index: int) -> RelativeTie:
    """Describe the tie of an exposure to those it shares stars with; `nmatches` is 0 where it shares none.

    Errors are half-widths per axis that hold the difference between the exposure and the mean of those that hang
    together with it, in its middle, in 68 and 95 per cent.
    """
    exposure = work.exposures[index]
    rows, offset = work.shared(index)
    if not len(rows):
        return RelativeTie(nmatches=0, significance=None, reason="no star in common with another exposure")
    others = together(work, index)
    error, error95 = work.errors.relative(index, others)
    # Against the median of these: one that is displaced does not draw the others along.
    every = [work.exposures[i] for i in others]
    shift = exposure.moved - np.median([one.moved for one in every], axis=0)
    turn = exposure.rotation - float(np.median([one.rotation for one in every]))
    return RelativeTie(
        nmatches=len(rows),
        significance=None,
        geometry=str(work.options["relative"]["geometry"]),
        rms_px=float(np.sqrt((offset**2).sum(axis=1).mean())),
        offset_px=np.median(offset, axis=0).tolist(),
        error_px=error,
        error95_px=error95,
        shift_px=shift.tolist(),
        rotation_deg=math.degrees(turn),
        scale=exposure.scale / float(np.median([one.scale for one in every])),
        reason="",
    )


def together(work: JointAlignment, index: int) -> list[int]:
    """Indices of the exposures that hang together with one by common stars, itself among them."""
    component = work.pairing.component
    return [int(i) for i in np.flatnonzero(component == component[index])]
