"""Random generators that depend on a seed and a purpose only: changing one option does not reshuffle the rest."""

from __future__ import annotations

import zlib

import numpy as np


def generator(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """A generator for one purpose (and one exposure or chip, by ``index``) of a simulation.

    The purpose enters through a checksum, not through ``hash()``, which differs between Python processes.
    """
    return np.random.default_rng([seed, index, zlib.crc32(purpose.encode())])
