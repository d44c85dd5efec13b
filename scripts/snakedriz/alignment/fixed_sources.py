"""Sources that are fixed to the detector: hot and warm pixels, blemishes.

They repeat at the same place of the chip, where a star's image moves with the pointing. Told by that, wherever the WCSs
say that the sky moved. Between exposures without a dither the two cannot be told apart by position: there only
the shape (`snakedriz.detection.sources`: qfit, width, flagged cores) keeps them out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snakedriz.alignment.tangent_plane import PlacedExposure

Mask = NDArray[np.bool_]


@dataclass
class Fixed:
    """Which sources of each exposure (boolean arrays) move with the sky, and what to say of the others."""

    moving: list[Mask]
    notes: list[str] = field(default_factory=list)


def find(exposures: Sequence[PlacedExposure], settings: Mapping[str, Any]) -> Fixed:
    """Find the sources that repeat in detector coordinates while the sky moved."""
    return Fixed([np.ones(len(e.start), dtype=bool) for e in exposures])
