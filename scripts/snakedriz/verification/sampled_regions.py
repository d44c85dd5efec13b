"""Which parts of a large drizzled frame the verification looks at.

A frame of a few million pixels is looked at whole. Of a larger one, the tiles with most sources are cut out and laid
side by side in one image, the mosaic: 48 tiles hold hundreds of stars where there are any, in a seventh of the time
that a full frame of ACS/WFC takes. They are chosen from every part of the frame, so that rotations are seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Side of a tile's own pixels, and what is cut out around them for the filters (px).
CORE, PAD = 240, 8
CELL = CORE + 2 * PAD
#: Tiles cut out of a frame larger than as many cells; a multiple of 16, as the frame is divided into 4 x 4 regions.
MOST = 48
_BLOCK = 8  # px: the scale on which sources are looked for when tiles are chosen
_ENOUGH = 40  # blocks with sources; more of them (a nebula, a saturated star) make a tile no better


@dataclass(frozen=True)
class SampledRegions:
    """The tiles of a frame, or the whole frame where `corners` is empty."""

    shape: tuple[int, int]  # (ny, nx) of the frame
    #: (y, x) of the first pixel of each tile's core; tiles lie side by side in the mosaic in this order.
    corners: tuple[tuple[int, int], ...] = ()

    @property
    def columns(self) -> int:
        """Cells in a row of the mosaic."""
        return int(np.ceil(np.sqrt(len(self.corners))))

    def cells(self) -> list[tuple[slice, slice]]:
        """Return where each tile lies in the mosaic, pads included; the whole frame is not divided: empty."""
        return [
            np.s_[r * CELL : (r + 1) * CELL, c * CELL : (c + 1) * CELL]
            for r, c in (divmod(i, self.columns) for i in range(len(self.corners)))
        ]

    def cut(self, frame: NDArray[Any], offset: tuple[int, int] = (0, 0)) -> NDArray[Any]:
        """Cut the tiles out of a frame (ny, nx) of any byte order; a memory map is read only where tiles lie.

        `offset` is added to the tiles' (y, x): for a frame whose grid is shifted against the one that they were chosen
        on. Returns a copy, the mosaic in native byte order, 0 where tiles reach beyond the frame.
        """
        dtype = frame.dtype.newbyteorder("=")
        if not self.corners:
            whole = np.zeros(self.shape, dtype)
            _copy(frame, (-offset[0], -offset[1]), whole)
            return whole
        rows = -(-len(self.corners) // self.columns)
        out = np.zeros((rows * CELL, self.columns * CELL), dtype)
        for (y, x), cell in zip(self.corners, self.cells(), strict=True):
            _copy(frame, (PAD - y - offset[0], PAD - x - offset[1]), out[cell])
        return out

    def close_seams(self, covered: NDArray[np.bool_]) -> None:
        """Mark the outermost pixels of every tile as not covered: what lies side by side does not belong together."""
        if self.corners:
            for start in (0, CELL - 1):
                covered[start::CELL], covered[:, start::CELL] = False, False

    def to_frame(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return positions (n, 2) in the mosaic (x, y from 0) as positions in the frame."""
        if not self.corners:
            return np.array(positions, dtype=float)
        column, row = (np.floor((positions + 0.5) / CELL).astype(int)).T
        corners = np.array(self.corners)[row * self.columns + column]
        return np.asarray(positions - np.column_stack([column, row]) * CELL + corners[:, ::-1] - PAD, dtype=float)


def _copy(frame: NDArray[Any], at: tuple[int, int], out: NDArray[Any]) -> None:
    """Copy the part of `frame` that falls into `out` when the frame's first pixel is put `at` (y, x) of it."""
    source, target = [], []
    for start, size, room in zip(at, frame.shape, out.shape, strict=True):
        low, high = max(0, start), min(room, start + size)
        if high <= low:
            return
        target.append(slice(low, high))
        source.append(slice(low - start, high - start))
    out[tuple(target)] = frame[tuple(source)]


def _blocks(frame: NDArray[Any]) -> NDArray[Any]:
    """Largest value of each block of 8 x 8 px; rows and columns that fill no block are left out."""
    ny, nx = (size // _BLOCK for size in frame.shape)
    rows = frame[: ny * _BLOCK, : nx * _BLOCK].reshape(ny, _BLOCK, nx * _BLOCK).max(axis=1)
    return np.asarray(rows.reshape(ny, nx, _BLOCK).max(axis=2))


def choose(shape: tuple[int, int], images: Sequence[NDArray[Any]], covered: Sequence[NDArray[Any]]) -> SampledRegions:
    """Choose the tiles of a frame of a shape by what at least two of its exposures show.

    Parameters
    ----------
    images : sequence of ndarrays of float32
        Single drizzles, 0 where an exposure has no data. One in which most stars were flagged as cosmic rays in the
        product still has them.
    covered : sequence of ndarrays of bool
        Where each has data.

    Returns
    -------
    SampledRegions
        The whole frame if it is no larger than the mosaic would be, or of fewer than two exposures.
    """
    if shape[0] * shape[1] <= MOST * CELL**2 or len(images) < 2:
        return SampledRegions(shape)
    highest = []
    for image, cover in zip(images, covered, strict=True):
        sample = image[::4, ::4][cover[::4, ::4]]
        scatter = 1.4826 * float(np.median(np.abs(sample - np.median(sample)))) if sample.size else 0.0
        highest.append(_blocks(image) / np.float32(max(scatter, 1e-12)))
    seen_twice = np.sort(np.array(highest), axis=0)[-2] > 8.0
    per_tile = CORE // _BLOCK
    ny, nx = (size // CORE for size in shape)
    score = np.zeros((ny, nx))
    for y in range(ny):
        for x in range(nx):
            inside = seen_twice[y * per_tile : (y + 1) * per_tile, x * per_tile : (x + 1) * per_tile]
            score[y, x] = min(int(np.count_nonzero(inside)), _ENOUGH)
    order = sorted(((y, x) for y in range(ny) for x in range(nx)), key=lambda p: (-score[p], p))
    chosen: list[tuple[int, int]] = []
    left = dict.fromkeys(((y * 4 // ny, x * 4 // nx) for y in range(ny) for x in range(nx)), MOST // 16)
    for y, x in order:
        region = (y * 4 // ny, x * 4 // nx)
        if left[region] and score[y, x] > 0:
            left[region] -= 1
            chosen.append((y, x))
    taken = set(chosen)
    chosen += [place for place in order if place not in taken][: MOST - len(chosen)]
    return SampledRegions(shape, tuple((y * CORE, x * CORE) for y, x in sorted(chosen)))
