"""The drizzled frames of a candidate, read once, for all measurements of its verification."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales
from numpy.typing import NDArray
from scipy import ndimage

from snakedriz.drizzle.singles import CHIP_BITS, CHIP_SHIFT, COVERED, CR_TOUCHED, FIXED
from snakedriz.verification.sampled_regions import (
    BLOCK,
    CELL,
    MOST,
    SampledRegions,
    choose,
    footprint,
    looked_at,
    shared,
    source_blocks,
)

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]
Array = NDArray[np.float64]
_T = TypeVar("_T")
_R = TypeVar("_R")
_A = TypeVar("_A", bound=np.generic)
#: Exposures that have less than this part of the smaller one's pixels in common do not count as overlapping.
LEAST_OVERLAP = 0.01


@dataclass
class SingleDrizzle:
    """The single drizzle of one exposure; images and masks of shape (ny, nx), on the tiles that it has data in."""

    rootname: str
    exptime: float  # s
    image: Image  # electrons/s, sky-subtracted; 0 where not covered
    covered: Mask  # where the exposure has data
    touched: Mask  # where a pixel that the CR step flagged contributed
    #: EXTVER of the SCI extension that the data come from, 0 where it is not known or they come from several.
    chips: NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, 0), np.uint8))
    flagged: int = 0  # detector pixels that the CR step flagged, of all chips
    pixels: int = 0  # detector pixels of all chips
    others: Image = field(default_factory=lambda: np.empty((0, 0), np.float32))  # combined (`of_others`)
    others_covered: Mask = field(default_factory=lambda: np.empty((0, 0), bool))
    #: `source_response` of the image with the flagged pixels lowered to those of `others`: as free of cosmic rays as
    #: can be, and without holes that a filter would see as edges. Flagged pixels below `others` stay: where a displaced
    #: exposure lacks a star of the others, it must not be given one.
    response: Image = field(default_factory=lambda: np.empty((0, 0), np.float32))
    #: Where a pixel that is flagged as bad in every exposure of the detector (hot, trap, ...) contributed.
    fixed: Mask = field(default_factory=lambda: np.empty((0, 0), bool))
    regions: SampledRegions = field(default_factory=lambda: SampledRegions((0, 0)))  # its tiles
    #: Where the detector's pixels lie, shape (chips, 2, n, n), as the bundle has it (`singles`); empty if it has not.
    detector: Array = field(default_factory=lambda: np.empty((0, 2, 0, 0)))


@dataclass
class Frames:
    """Product and singles of one candidate on one pixel grid: the whole frame, or tiles of it."""

    product: Image  # shape (ny, nx), electrons/s; 0 where not covered
    covered: Mask  # where the product has weight
    singles: list[SingleDrizzle] = field(default_factory=list)
    scale: float = 1.0  # arcsec per pixel
    response: Image = field(default_factory=lambda: np.empty((0, 0), np.float32))  # `source_response` of the product
    regions: SampledRegions = field(default_factory=lambda: SampledRegions((0, 0)))  # what part the images show
    threads: int = 1  # that work on the exposures; the result does not depend on it
    #: Samples of the whole frame that exposures have in common, shape (n, n), where the images show tiles only.
    shared: Array = field(default_factory=lambda: np.empty((0, 0)))

    def overlaps(self) -> Array:
        """Share of each exposure's pixels (rows) that it has in common with each other (columns), in the whole frame.

        0 where it is less than `LEAST_OVERLAP` for both.
        """
        common = self.shared
        if len(common) != len(self.singles):
            common = shared([footprint(single.covered) for single in self.singles])
        share = common / np.maximum(np.diag(common)[:, None], 1.0)
        return np.asarray(np.where(np.maximum(share, share.T) >= LEAST_OVERLAP, share, 0.0), dtype=float)

    def on(self, single: SingleDrizzle, image: NDArray[_A]) -> NDArray[_A]:
        """Lay out an image of the frame, as the product is, on the tiles of an exposure."""
        return self.regions.onto(image, single.regions)

    def of(self, single: SingleDrizzle, image: NDArray[_A]) -> NDArray[_A]:
        """Lay out an image of an exposure, as the product is: 0 where it has no data."""
        return single.regions.onto(image, self.regions)

    def each(self, function: Callable[[_T], _R], items: Iterable[_T]) -> list[_R]:
        """Apply a function to exposures, in as many threads as there are, and return the results in order."""
        if self.threads < 2:
            return [function(item) for item in items]
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(function, items))

    @property
    def depth(self) -> NDArray[np.uint8]:
        """Number of exposures that cover each pixel."""
        depth = np.zeros(self.product.shape, dtype=np.uint8)
        for single in self.singles:
            depth += self.of(single, single.covered)
        return depth


def read_product(
    path: str | Path, regions: SampledRegions | None = None, offset: tuple[int, int] = (0, 0)
) -> tuple[Image, Mask, float]:
    """Read a product, or tiles of it.

    Parameters
    ----------
    path : path
    regions : SampledRegions, optional
        Which part; the whole frame without.
    offset : (int, int)
        (y, x) of the tiles in this frame less that in the frame they were chosen on.

    Returns
    -------
    (ndarray of float32, ndarray of bool, float)
        Electrons/s with 0 where it has no weight, where it has weight, and scale in arcsec per pixel.
    """
    with fits.open(path, memmap=True) as hdul:
        data = hdul["SCI"].data
        part = regions or SampledRegions(data.shape)
        image = part.cut(data, offset).astype(np.float32, copy=False)
        covered = np.isfinite(image) & (part.cut(hdul["WHT"].data, offset) > 0)
        scale = float(np.mean(proj_plane_pixel_scales(WCS(hdul["SCI"].header)))) * 3600.0
        unit = str(hdul["SCI"].header.get("BUNIT", "")).upper()
        exptime = float(hdul[0].header.get("EXPTIME", 1.0))
        del data
    image[~covered] = 0
    if not unit.endswith("/S"):
        image /= np.float32(exptime)
    return image, covered, scale


def source_response(image: Image, sigma: float) -> Image:
    """Return -LoG of an image, `sigma` px wide (same units): positive on sources of about the PSF's size."""
    return -ndimage.gaussian_laplace(image, sigma, output=np.float32, truncate=4.0)


def prepare(frames: Frames, sigma: float) -> Frames:
    """Fill in what several measurements share: the other exposures combined, and the filtered images."""

    def fill(index: int) -> None:
        if index == len(frames.singles):
            frames.response = source_response(frames.product, sigma)
            return
        single = frames.singles[index]
        single.others, single.others_covered = of_others(frames.singles, index)
        high = single.touched & single.others_covered & (single.image > single.others)
        single.response = source_response(np.where(high, single.others, single.image), sigma)

    frames.each(fill, range(len(frames.singles) + 1))
    return frames


def read(product: str | Path, singles: str | Path, threads: int = 1) -> Frames:
    """Read the product and the singles bundle of a candidate: all of a small frame, tiles of a large one.

    `threads` are for reading and for all that is measured afterwards.
    """
    with fits.open(singles, memmap=True) as hdul:
        versions = sorted(h.header["EXTVER"] for h in hdul[1:] if h.name == "SCI")
        data = [(hdul["SCI", v].data, hdul["MASK", v].data) for v in versions]
        grid = {h.header["EXTVER"]: h.data for h in hdul[1:] if h.name == "DETECTOR"}
        shape = data[0][0].shape
        found = Frames(
            np.empty((0, 0), np.float32), np.empty((0, 0), bool), regions=SampledRegions(shape), threads=threads
        )
        footprints = [np.zeros((1, 1), bool)] * len(versions)
        if shape[0] * shape[1] > MOST * CELL**2:
            footprints = [footprint(mask) & COVERED > 0 for _, mask in data]
            found.shared = shared(footprints)
            found.regions = _tiles(hdul, versions, footprints, found)

        def one(version: int, covered: Mask) -> SingleDrizzle:
            part = found.regions.where(covered)
            header, mask = hdul["SCI", version].header, part.cut(hdul["MASK", version].data)
            image = part.cut(hdul["SCI", version].data).astype(np.float32, copy=False)
            has = ((mask & COVERED) > 0) & np.isfinite(image)
            image[~has] = 0
            part.close_seams(has)
            return SingleDrizzle(
                str(header["ROOTNAME"]), float(header["EXPTIME"]), image, has, (mask & CR_TOUCHED) > 0,
                ((mask >> CHIP_SHIFT) & CHIP_BITS).astype(np.uint8), int(header["CRFLAGS"]), int(header["NPIXELS"]),
                fixed=(mask & FIXED) > 0, regions=part,
                detector=np.array(grid[version], dtype=float) if version in grid else np.empty((0, 2, 0, 0)),
            )  # fmt: skip

        found.singles = found.each(lambda given: one(*given), list(zip(versions, footprints, strict=True)))
        del data
    found.product, found.covered, found.scale = read_product(product, found.regions)
    found.regions.close_seams(found.covered)
    return found


def _tiles(hdul: fits.HDUList, versions: Sequence[int], footprints: Sequence[Mask], found: Frames) -> SampledRegions:
    """Choose the tiles of a large frame: for every two exposures that overlap, those where both show sources."""

    def blocks(index: int) -> NDArray[np.uint8]:
        out = np.zeros([size // BLOCK for size in found.regions.shape], dtype=np.uint8)
        y, x = np.nonzero(footprints[index])
        # Of a mosaic an exposure has a part: only that is read.
        first, last = (y.min(), x.min()), (min(y.max() + 1, out.shape[0]), min(x.max() + 1, out.shape[1]))
        part = tuple(slice(a * BLOCK, b * BLOCK) for a, b in zip(first, last, strict=True))
        mask = hdul["MASK", versions[index]].data[part]
        image = hdul["SCI", versions[index]].data[part].astype(np.float32)
        image[~np.isfinite(image) | (mask & FIXED > 0)] = 0
        out[first[0] : last[0], first[1] : last[1]] = source_blocks(image, mask & COVERED > 0)
        return out

    some = looked_at(footprints)
    sources = dict(zip(some, found.each(blocks, some), strict=True))
    share = found.shared / np.maximum(np.diag(found.shared)[:, None], 1.0)
    overlap = np.triu(np.maximum(share, share.T) >= LEAST_OVERLAP, 1)
    pairs = [(int(i), int(j)) for i, j in np.argwhere(overlap)]
    apart = np.flatnonzero(~(overlap | overlap.T).any(axis=1))
    return choose(found.regions.shape, footprints, sources, [*pairs, *((int(i), int(i)) for i in apart)])


def others_of(singles: Sequence[SingleDrizzle], index: int) -> list[int]:
    """Which others an exposure is compared with (`of_others`), best first; those that overlap it, if any do."""
    own, part = singles[index].covered[::8, ::8], singles[index].regions
    rank = []
    for i, single in enumerate(singles):
        if i != index:
            common = float(np.count_nonzero(own & single.regions.onto(single.covered, part)[::8, ::8]))
            rank.append((-common * single.exptime, i))
    best = sorted(rank)[:3]
    return [i for value, i in best if value < 0] or [i for _, i in best]


def of_others(singles: Sequence[SingleDrizzle], index: int) -> tuple[Image, Mask]:
    """Combine other singles so that cosmic rays drop out: the reference that an exposure is compared with.

    Three images give their median, two their minimum, per pixel, by how many of them cover it; a cosmic ray is
    positive, and rarely hits twice. Of more than three others, the three that overlap the exposure best for longest
    take part: they suffice against cosmic rays, in a time that does not grow with the visit.

    Returns
    -------
    (ndarray of float32, ndarray of bool)
        The combination (electrons/s, 0 elsewhere), on the exposure's tiles, and where at least one of them covers.
        Where only one does, its cosmic rays are still in it.
    """
    part = singles[index].regions
    others = [
        (singles[i].regions.onto(singles[i].image, part), singles[i].regions.onto(singles[i].covered, part))
        for i in others_of(singles, index)
    ]
    if not others:
        return np.zeros_like(singles[index].image), np.zeros_like(singles[index].covered)
    if len(others) == 1:
        return others[0]
    images = [np.where(covered, image, np.float32(np.nan)) for image, covered in others]
    lowest = np.fmin(images[0], images[1])
    if len(images) == 3:
        a, b, c = images
        middle = np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))  # NaN unless all three cover
        np.fmin(lowest, c, out=lowest)
        lowest = np.where(np.isnan(middle), lowest, middle)
    covered = np.isfinite(lowest)
    lowest[~covered] = 0
    return lowest, covered


def grown(mask: Mask, pixels: int) -> Mask:
    """Grow a mask by a square of `pixels` on each side (shifts of whole rows: far faster than a general dilation)."""
    out = mask.copy()
    for axis in (0, 1):
        view, source = np.moveaxis(out, axis, 0), np.moveaxis(out.copy(), axis, 0)
        for step in range(1, min(pixels, len(view) - 1) + 1):
            view[step:] |= source[:-step]
            view[:-step] |= source[step:]
    return out


def eroded(mask: Mask, pixels: int) -> Mask:
    """Shrink a mask by `pixels` on each side, and from the edges of the frame."""
    out = ~grown(~mask, pixels)
    if pixels > 0:
        out[:pixels], out[-pixels:], out[:, :pixels], out[:, -pixels:] = False, False, False, False
    return out


def noise(image: Image, mask: Mask) -> float:
    """Robust standard deviation of the background: 1.4826 times the median absolute deviation where `mask`.

    Of a large image every n-th row is used, 400,000 pixels or more; the statistic needs no more.
    """
    step = max(1, image.size // 1_000_000)
    values = image[::step][mask[::step]]
    if len(values) < 10_000:
        values = image[mask]
    if len(values) == 0:
        return 0.0
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))
