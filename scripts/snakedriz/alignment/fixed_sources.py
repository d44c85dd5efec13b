"""Sources that are fixed to the detector: hot and warm pixels, blemishes.

They repeat at the same place of the chip, where a star's image moves with the pointing. Told by that, wherever the WCSs
say that the sky moved. Between exposures without a dither the two cannot be told apart by position: there only flagged
pixels and the shape (`snakedriz.detection.sources`: qfit, width, share of the light in one pixel) keep them out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snakedriz.alignment import matching
from snakedriz.alignment.tangent_plane import Array, PlacedExposure

Mask = NDArray[np.bool_]
SAME_PLACE_PX = 0.3  # on the detector: three errors of a faint centroid (0.1 px at the least SNR of 10)
MOVED_PX = 1.0  # on the sky: three times that, so that no star of an undithered pair is ever meant
MAJORITY = 0.5  # share of sources that repeat from which on they may be the stars, and the WCSs wrong


@dataclass
class Fixed:
    """Which sources of each exposure (boolean arrays) move with the sky, and what to say of the others."""

    moving: list[Mask]
    notes: list[str] = field(default_factory=list)


def find(exposures: Sequence[PlacedExposure], settings: Mapping[str, Any]) -> Fixed:
    """Find the sources that repeat in detector coordinates while the sky moved.

    Where most of the sources of two exposures repeat, it may be the WCSs that say wrongly that the sky moved: then they
    are fixed only if the rest of the sources match each other significantly elsewhere.

    Parameters
    ----------
    settings : mapping
        Block `fitting` of the detector's settings.
    """
    moving = [np.ones(len(e.start), dtype=bool) for e in exposures]
    notes: list[str] = []
    for (i, j), (here, there) in sorted(_repeating(exposures).items()):
        share = len(here) / max(min(len(exposures[i].start), len(exposures[j].start)), 1)
        if share > MAJORITY and not _rest_matches(exposures, (i, j), (here, there), settings):
            distance = float(np.median(np.hypot(*(exposures[i].start[here] - exposures[j].start[there]).T)))
            notes.append(
                f"{exposures[i].rootname} and {exposures[j].rootname}: {len(here)} sources, most of all, lie where "
                f"they were on the detector, though their WCSs differ by {distance:.1f} px: taken for stars"
            )
            continue
        moving[i][here] = moving[j][there] = False
    for exposure, mask in zip(exposures, moving, strict=True):
        if count := int(np.count_nonzero(~mask)):
            notes.append(
                f"{exposure.rootname}: {count} of {len(mask)} sources repeat at the same place of the detector while "
                f"the sky moved; not used"
            )
    if len(exposures) > 1 and not _dithered(exposures):
        notes.append("no dither: pixels fixed to the detector are told from stars by their flags and shape alone")
    return Fixed(moving, notes)


def _dithered(exposures: Sequence[PlacedExposure]) -> bool:
    """Whether any exposure points elsewhere than another, by their WCSs."""
    middles = np.array([e.centre for e in exposures])
    return bool((np.hypot(*(middles - middles[0]).T) > MOVED_PX).any())


def _rest_matches(
    exposures: Sequence[PlacedExposure],
    pair: tuple[int, int],
    repeating: tuple[NDArray[np.intp], NDArray[np.intp]],
    settings: Mapping[str, Any],
) -> bool:
    one, other = (np.delete(exposures[i].start, rows, axis=0) for i, rows in zip(pair, repeating, strict=True))
    return len(matching.match(one, other, **matching.match_options(settings, "relative"))) > 0


def _repeating(
    exposures: Sequence[PlacedExposure],
) -> dict[tuple[int, int], tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Sources of pairs of exposures that lie at one place of the detector and at two of the sky."""
    from scipy.spatial import cKDTree

    places = [_on_detector(e) for e in exposures]
    chips = sorted({chip for _, own in places for chip in own})
    found: dict[tuple[int, int], list[NDArray[np.intp]]] = {}
    for chip in chips:
        rows = [np.flatnonzero(np.array(own) == chip) if len(own) else np.empty(0, np.intp) for _, own in places]
        owner = np.concatenate([np.full(len(r), i) for i, r in enumerate(rows)])
        row = np.concatenate(rows)
        spot = np.vstack([xy[r] for (xy, _), r in zip(places, rows, strict=True)])
        sky = np.vstack([e.start[r] for e, r in zip(exposures, rows, strict=True)])
        pair = cKDTree(spot).query_pairs(SAME_PLACE_PX, output_type="ndarray")
        pair = pair[owner[pair[:, 0]] != owner[pair[:, 1]]]
        away = np.hypot(*(sky[pair[:, 0]] - sky[pair[:, 1]]).T)
        pair = np.sort(pair[away > MOVED_PX], axis=1)  # exposures come one after the other, so their order is that
        key = owner[pair[:, 0]] * len(exposures) + owner[pair[:, 1]]
        order = np.lexsort((pair[:, 1], pair[:, 0], key))
        keys, first = np.unique(key[order], return_index=True)
        for ends, mine in zip(keys.tolist(), np.split(pair[order], first[1:]), strict=False):
            found.setdefault(divmod(ends, len(exposures)), []).append(row[mine])
    return {ends: (np.vstack(rows)[:, 0], np.vstack(rows)[:, 1]) for ends, rows in found.items()}


def _on_detector(exposure: PlacedExposure) -> tuple[Array, list[str]]:
    """Positions (n, 2) of an exposure's sources on the whole detector (px), and the name of its chip for each.

    A table of sources without columns has none; one that does not know its detector is taken to be of one detector.
    """
    table = exposure.sources
    if not {"chip", "x", "y"} <= set(table.colnames) or not len(exposure.row):
        return np.empty((0, 2)), []
    version = np.asarray(table["chip"])[exposure.row]
    xy = np.column_stack([np.asarray(table[name], dtype=float)[exposure.row] for name in ("x", "y")])
    name = np.array([f"EXTVER {v}" for v in version], dtype=object)
    for about in table.meta.get("chips", ()):
        own = version == about["chip"]
        xy[own] += about.get("origin_px", (0.0, 0.0))
        if "ccdchip" in about:
            name[own] = f"chip {about['ccdchip']}"
    detector = str(table.meta.get("detector", ""))
    return xy, [f"{detector} {one}" for one in name]
