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

from snakedriz.drizzle.singles import CHIP_SHIFT, COVERED, CR_TOUCHED
from snakedriz.verification.sampled_regions import CELL, MOST, SampledRegions, choose

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]
_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass
class SingleDrizzle:
    """The single drizzle of one exposure; images and masks of shape (ny, nx)."""

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


@dataclass
class Frames:
    """Product and singles of one candidate on one pixel grid: the whole frame, or the mosaic of its tiles."""

    product: Image  # shape (ny, nx), electrons/s; 0 where not covered
    covered: Mask  # where the product has weight
    singles: list[SingleDrizzle] = field(default_factory=list)
    scale: float = 1.0  # arcsec per pixel
    response: Image = field(default_factory=lambda: np.empty((0, 0), np.float32))  # `source_response` of the product
    regions: SampledRegions = field(default_factory=lambda: SampledRegions((0, 0)))  # what part the images show
    threads: int = 1  # that work on the exposures; the result does not depend on it

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
            depth += single.covered
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
        # Of many exposures, those that say where the stars are: four are enough.
        few = versions[:: -(-len(versions) // 4)]
        data = [(hdul["SCI", v].data, hdul["MASK", v].data) for v in versions]
        shape = data[0][0].shape
        part = SampledRegions(shape)
        found = Frames(np.empty((0, 0), np.float32), np.empty((0, 0), bool), threads=threads)
        if shape[0] * shape[1] > MOST * CELL**2:

            def whole(version: int) -> tuple[Image, Mask]:
                image = hdul["SCI", version].data.astype(np.float32)
                image[~np.isfinite(image)] = 0
                return image, (hdul["MASK", version].data & COVERED) > 0

            part = choose(shape, *zip(*found.each(whole, few), strict=True))

        def one(version: int) -> SingleDrizzle:
            header, mask = hdul["SCI", version].header, part.cut(hdul["MASK", version].data)
            image = part.cut(hdul["SCI", version].data).astype(np.float32, copy=False)
            has = ((mask & COVERED) > 0) & np.isfinite(image)
            image[~has] = 0
            part.close_seams(has)
            return SingleDrizzle(
                str(header["ROOTNAME"]), float(header["EXPTIME"]), image, has, (mask & CR_TOUCHED) > 0,
                (mask >> CHIP_SHIFT).astype(np.uint8), int(header["CRFLAGS"]), int(header["NPIXELS"]),
            )  # fmt: skip

        found.singles = found.each(one, versions)
        del data
    found.regions = part
    found.product, found.covered, found.scale = read_product(product, part)
    part.close_seams(found.covered)
    return found


def of_others(singles: Sequence[SingleDrizzle], index: int) -> tuple[Image, Mask]:
    """Combine other singles so that cosmic rays drop out: the reference that an exposure is compared with.

    Three images give their median, two their minimum, per pixel, by how many of them cover it; a cosmic ray is
    positive, and rarely hits twice. Of more than three others, the three that overlap the exposure best for longest
    take part: they suffice against cosmic rays, in a time that does not grow with the visit.

    Returns
    -------
    (ndarray of float32, ndarray of bool)
        The combination (electrons/s, 0 elsewhere) and where at least one of them covers. Where only one does, its
        cosmic rays are still in it.
    """
    own = singles[index].covered[::8, ::8]
    rank = sorted(
        (-float(np.count_nonzero(own & single.covered[::8, ::8])) * single.exptime, i)
        for i, single in enumerate(singles)
        if i != index
    )
    others = [singles[i] for _, i in rank[:3]]
    if not others:
        return np.zeros_like(singles[index].image), np.zeros_like(singles[index].covered)
    if len(others) == 1:
        return others[0].image, others[0].covered
    images = [np.where(single.covered, single.image, np.float32(np.nan)) for single in others]
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
