"""Which parts of a large drizzled frame the verification looks at.

A frame of a few million pixels is looked at whole. Of a larger one, tiles are cut out and laid side by side in one
image, the mosaic: 48 tiles hold hundreds of stars where there are any, in a seventh of the time that a full frame of
ACS/WFC takes. Every two exposures that overlap get as many, those with most sources, from every part of what they have
in common, so that rotations are seen. Exposures of one pointing share them, and an exposure is read only where it has
data: the work grows with the exposures, whatever the shape of their mosaic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Side of a tile's own pixels, and what is cut out around them for the filters (px).
CORE, PAD = 240, 8
CELL = CORE + 2 * PAD
#: Tiles for every two exposures that overlap, in frames larger than as many cells; a multiple of 16, as what they have
#: in common is divided into 4 x 4 regions.
MOST = 48
#: px: footprints are sampled, and sources looked for when tiles are chosen, in blocks of as many.
BLOCK = 8
_PER_TILE = CORE // BLOCK
_ENOUGH = 40  # blocks with sources; more of them (a nebula, a saturated star) make a tile no better
_LEAST_COMMON = 0.02  # of a tile: two exposures that have less of it in common are not compared in it
_LOOKED_AT = 4  # exposures of each place that sources are looked for in: four say where the stars are
_NSIGMA = 8.0  # of a block with a source, over the scatter of the image

Mask = NDArray[np.bool_]


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

    @property
    def mosaic(self) -> tuple[int, int]:
        """(ny, nx) of the mosaic, or of the frame where it is looked at whole."""
        rows = -(-len(self.corners) // self.columns) if self.corners else 0
        return (rows * CELL, self.columns * CELL) if self.corners else self.shape

    def where(self, covered: Mask) -> SampledRegions:
        """Return the tiles that an exposure has data in, by its footprint sampled at every 8th pixel."""
        part = tuple(
            (y, x) for y, x in self.corners
            if covered[y // BLOCK : (y + CORE) // BLOCK, x // BLOCK : (x + CORE) // BLOCK].any()
        )  # fmt: skip
        # One without any still needs a frame, if an empty one.
        return SampledRegions(self.shape, part or self.corners[:1])

    def onto(self, mosaic: NDArray[Any], other: SampledRegions) -> NDArray[Any]:
        """Lay a mosaic of these tiles out as that of other tiles of the same frame: 0 in those that are not here.

        The mosaic itself where the tiles are the same.
        """
        if self.corners == other.corners:
            return mosaic
        here = dict(zip(self.corners, self.cells(), strict=True))
        out = np.zeros(other.mosaic, mosaic.dtype)
        for corner, cell in zip(other.corners, other.cells(), strict=True):
            if corner in here:
                out[cell] = mosaic[here[corner]]
        return out

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
        out = np.zeros(self.mosaic, dtype)
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


def footprint(mask: NDArray[Any]) -> NDArray[Any]:
    """Sample a mask (ny, nx), a memory map or not, at the middle of every block of 8 x 8 px; a copy."""
    return np.array(mask[BLOCK // 2 :: BLOCK, BLOCK // 2 :: BLOCK])


def shared(footprints: Sequence[Mask]) -> NDArray[np.float64]:
    """Samples (`footprint`) that exposures have in common, shape (n, n); the diagonal: that each has."""
    flat = np.array([one.ravel() for one in footprints], dtype=np.float32)
    return np.asarray(flat @ flat.T, dtype=float)


def looked_at(footprints: Sequence[Mask]) -> list[int]:
    """Exposures that say where the stars are: four of every place, or all that there are."""
    times = np.zeros(footprints[0].shape, dtype=np.int16)
    chosen = []
    for index, one in enumerate(footprints):
        new = np.count_nonzero(one & (times < _LOOKED_AT))
        if new > 0.01 * np.count_nonzero(one):
            chosen.append(index)
            times += one
    return chosen


def _blocks(frame: NDArray[Any]) -> NDArray[Any]:
    """Largest value of each block of 8 x 8 px; rows and columns that fill no block are left out."""
    ny, nx = (size // BLOCK for size in frame.shape)
    rows = frame[: ny * BLOCK, : nx * BLOCK].reshape(ny, BLOCK, nx * BLOCK).max(axis=1)
    return np.asarray(rows.reshape(ny, nx, BLOCK).max(axis=2))


def source_blocks(image: NDArray[np.float32], covered: Mask) -> NDArray[np.uint8]:
    """Where an image (0 without data) shows sources: 2 in blocks of 8 x 8 px with a broad one, 1 with any, else 0.

    Broad: all of a cross of five pixels stands out, which it does on a star, and on few cosmic rays or hot pixels,
    which would draw the tiles to where the detector is worst.
    """
    sample = image[::4, ::4][covered[::4, ::4]]
    scatter = 1.4826 * float(np.median(np.abs(sample - np.median(sample)))) if sample.size else 0.0
    least = np.float32(_NSIGMA * max(scatter, 1e-12))
    cross = image[1:-1, 1:-1].copy()
    for other in (image[:-2, 1:-1], image[2:, 1:-1], image[1:-1, :-2], image[1:-1, 2:]):
        np.minimum(cross, other, out=cross)
    # Half as high: the neighbours of a star's brightest pixel have a half of its light and less.
    broad = _blocks(np.pad(cross, 1)) > least / 2
    return np.asarray(np.where(broad, 2, _blocks(image) > least), dtype=np.uint8)


def _per_tile(blocks: NDArray[Any], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Sum of the blocks of each tile; `shape`: of the frame in tiles, the last of which may be incomplete."""
    short = [tiles * _PER_TILE - size for tiles, size in zip(shape, blocks.shape, strict=True)]
    full = np.pad(blocks[: shape[0] * _PER_TILE, : shape[1] * _PER_TILE], [(0, max(0, n)) for n in short])
    return full.reshape(shape[0], _PER_TILE, shape[1], _PER_TILE).sum(axis=(1, 3), dtype=float)


def choose(
    shape: tuple[int, int], footprints: Sequence[Mask], sources: Mapping[int, NDArray[np.uint8]],
    pairs: Iterable[tuple[int, int]],
) -> SampledRegions:  # fmt: skip
    """Choose the tiles of a frame of a shape by what two of the exposures show.

    Parameters
    ----------
    footprints : sequence of ndarrays of bool
        Where each exposure has data (`footprint`).
    sources : mapping
        `source_blocks` of those exposures that are `looked_at`. A single drizzle in which most stars were flagged as
        cosmic rays in the product still has them.
    pairs : iterable of (int, int)
        Exposures that overlap, each with the other; one that overlaps none, with itself.

    Returns
    -------
    SampledRegions
        The whole frame if it is no larger than the mosaic would be.
    """
    if shape[0] * shape[1] <= MOST * CELL**2:
        return SampledRegions(shape)
    tiles = (-(-shape[0] // CORE), -(-shape[1] // CORE))
    size = (shape[0] // BLOCK, shape[1] // BLOCK)
    broad, any_ = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    for blocks in sources.values():
        broad += blocks > 1
        any_ += blocks > 0
    seen_twice, seen_at_all = (_per_tile(count > 1, tiles) for count in (broad, any_))
    # What is not broad counts where there is nothing better.
    score = np.minimum(seen_twice, _ENOUGH) + 0.01 * np.minimum(seen_at_all, _ENOUGH)
    chosen = np.zeros(tiles, dtype=bool)
    for i, j in pairs:
        common = _per_tile(footprints[i] & footprints[j], tiles) / _PER_TILE**2
        _add(chosen, common, score)
    if not chosen.any():
        chosen.flat[int(np.argmax(score))] = True
    return SampledRegions(shape, tuple((int(y) * CORE, int(x) * CORE) for y, x in np.argwhere(chosen)))


def _add(chosen: Mask, common: NDArray[np.float64], score: NDArray[np.float64]) -> None:
    """Add tiles for two exposures, of which they have the shares `common`, to those chosen already.

    Of each of 4 x 4 regions of what they have in common a sixteenth of `MOST`, the best first and as long as they show
    something broad; then the best of what is left that does. Then the same with what shows anything, until there are
    `MOST`, or all.
    """
    y, x = np.nonzero(common >= _LEAST_COMMON)
    if not len(y):
        return
    # Places at the rim of a common area are as good as their share of it.
    worth = score[y, x] * common[y, x]
    order = np.lexsort((x, y, -common[y, x], -worth))
    y, x = y[order], x[order]
    region = (y - y.min()) * 4 // (np.ptp(y) + 1) * 4 + (x - x.min()) * 4 // (np.ptp(x) + 1)
    here = chosen[y, x]
    for shows in (score[y, x] >= 1.0, score[y, x] > 0):
        for part in range(16):
            _fill(here, np.flatnonzero((region == part) & shows), MOST // 16)
        _fill(here, np.flatnonzero(shows), MOST)
    _fill(here, np.arange(len(here)), MOST)
    chosen[y[here], x[here]] = True


def _fill(here: Mask, candidates: NDArray[np.intp], number: int) -> None:
    """Mark the first of some candidates until as many of them are marked, and no more than `MOST` in all."""
    missing = min(number - int(np.count_nonzero(here[candidates])), MOST - int(np.count_nonzero(here)))
    here[candidates[~here[candidates]][: max(0, missing)]] = True
