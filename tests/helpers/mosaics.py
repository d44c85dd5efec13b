"""Drizzled mosaics with known truth, and exposures with hot pixels that nobody flagged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray
from snakedriz.drizzle import singles

from helpers.drizzled import _Placing, _star

Array = NDArray[np.float64]


def _header(shape: tuple[int, int], scale: float) -> fits.Header:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix = [10.0, 10.0], [shape[1] / 2, shape[0] / 2]
    wcs.wcs.cd = np.diag([-scale, scale]) / 3600
    header = wcs.to_header()
    header["BUNIT"] = "ELECTRONS/S"
    return header


def save(
    folder: Path, images: Sequence[Array], masks: Sequence[NDArray[np.uint8]], exptime: float, scale: float = 0.05,
    grids: Sequence[Array] = (),
) -> tuple[Path, Path]:  # fmt: skip
    """Write single drizzles (electrons/s) with their masks, and their mean as the product; return the paths.

    `grids`: where the detector's pixels of each exposure lie, shape (chips, 2, n, n).
    """
    header = _header(images[0].shape, scale)
    bundle = fits.HDUList([fits.PrimaryHDU()])
    light, weight = np.zeros(images[0].shape, np.float32), np.zeros(images[0].shape, np.float32)
    for index, (image, mask) in enumerate(zip(images, masks, strict=True), start=1):
        covered = (mask & singles.COVERED) > 0
        own = header.copy()
        own["ROOTNAME"], own["EXPTIME"], own["CRFLAGS"] = f"jtest{index:02d}q", exptime, 0
        own["NPIXELS"] = int(covered.sum())
        bundle += [
            fits.ImageHDU(np.where(covered, image, 0).astype(np.float32), own, name="SCI", ver=index),
            fits.ImageHDU(mask, fits.Header([("ROOTNAME", own["ROOTNAME"])]), name="MASK", ver=index),
        ]
        if len(grids):
            bundle.append(fits.ImageHDU(grids[index - 1], name="DETECTOR", ver=index))
        light += np.where(covered, image, 0)
        weight += covered
    bundle.writeto(folder / "singles.fits", overwrite=True)
    primary = fits.PrimaryHDU()
    primary.header["EXPTIME"] = exptime * len(images)
    product = np.where(weight > 0, light / np.maximum(weight, 1), np.nan).astype(np.float32)
    fits.HDUList(
        [primary, fits.ImageHDU(product, header, name="SCI"), fits.ImageHDU(weight, header, name="WHT")]
    ).writeto(folder / "product.fits", overwrite=True)
    return folder / "product.fits", folder / "singles.fits"


@dataclass
class Mosaic:
    """Pointings one above the other, each with as many exposures.

    `displaced`: stars of an exposure, by its number, on the grid, (dx, dy) px. `step`: from one pointing to the next;
    less than the height of an exposure overlaps.
    """

    pointings: int = 4
    exposures: int = 2
    height: int = 960
    width: int = 2000
    step: int = 1210
    stars: int = 80  # in each pointing
    displaced: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    noise: float = 0.02  # electrons/s
    scale: float = 0.05
    seed: int = 3

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write product and single drizzles; return the paths."""
        rng = np.random.default_rng(self.seed)
        shape = (self.step * (self.pointings - 1) + self.height + 20, self.width)
        xs, ys, rates = [], [], []
        for pointing in range(self.pointings):
            xs.append(rng.uniform(20, shape[1] - 20, self.stars))
            ys.append(rng.uniform(20, self.height - 20, self.stars) + 10 + pointing * self.step)
            rates.append(10 ** rng.uniform(1.2, 2.5, self.stars))
        x, y, rate = np.concatenate(xs), np.concatenate(ys), np.concatenate(rates)
        images, masks = [], []
        for index in range(self.pointings * self.exposures):
            first = 10 + index // self.exposures * self.step
            covered = np.zeros(shape, bool)
            covered[first : first + self.height, 20:-20] = True
            image = np.zeros(shape, np.float32)
            part = image[max(0, first - 20) : first + self.height + 20]
            dx, dy = self.displaced.get(index, (0.0, 0.0))
            for px, py, flux in zip(x + dx, y + dy - max(0, first - 20), rate, strict=True):
                if -10 < py < len(part) + 10:
                    _star(part, px, py, flux)
            part += rng.normal(0, self.noise, part.shape).astype(np.float32)
            images.append(image)
            masks.append(np.where(covered, np.uint8(1 + (1 << singles.CHIP_SHIFT)), np.uint8(0)))
        return save(folder, images, masks, 500.0, self.scale)


@dataclass
class HotPixels:
    """Exposures of one detector full of hot pixels, between which the telescope moved on the sky by `drift` px.

    Dark currents of the hot pixels are log-uniform from 0.14 to 20 electrons/s; of them `left` stays after the dark was
    subtracted (1 sigma; 1: they became hot after it), the same in all exposures. A share `flagged` of them is flagged.
    The WCS knows the drift (`known`), as after a fit, or does not, as observed: then the product shows stars twice.
    """

    stars: int = 15
    hot: float = 0.015  # of the pixels
    drift: float = 3.0  # of each exposure against the one before
    known: bool = False
    exposures: int = 2
    left: float = 0.05
    flagged: float = 0.0
    side: int = 1000
    exptime: float = 500.0
    grids: bool = True  # whether the bundle says where the detector's pixels lie
    seed: int = 3

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write product and single drizzles; return the paths."""
        rng = np.random.default_rng(self.seed)
        side, time = self.side, self.exptime
        middle, factor = np.array([side, side]) / 2, 1 + np.array([0.02, 0.012])
        x, y = rng.uniform(10, side - 10, (2, self.stars))
        rate = 10 ** rng.uniform(3.2, 4.6, self.stars) / time
        dark, left, flags = np.zeros((side, side)), np.zeros((side, side)), np.zeros((side, side), bool)
        where = rng.choice(side * side, int(self.hot * side * side), replace=False)
        dark.flat[where] = np.exp(rng.uniform(np.log(0.14), np.log(20), len(where)))
        stays = np.ones(len(where)) if self.left == 1 else self.left * rng.standard_normal(len(where))
        left.flat[where] = dark.flat[where] * stays
        flags.flat[where[: int(self.flagged * len(where))]] = True
        images, masks, grids = [], [], []
        for index in range(self.exposures):
            moved = self.drift * index * np.array([0.8, 0.6])
            true = _Placing(middle, factor, np.array([0.3, 0.2]) + moved * factor)
            assumed = true if self.known else _Placing(middle, factor, np.array([0.3, 0.2]))
            sky = np.zeros((side, side))
            for px, py, flux in zip(x, y, rate, strict=True):
                u, v = true.detector(np.array(px), 0), true.detector(np.array(py), 1)
                _star(sky, float(u), float(v), flux * 0.85, 0.8)
                _star(sky, float(u), float(v), flux * 0.15, 2.2)
            electrons = rng.poisson((sky + 0.1 + dark) * time) + rng.normal(0, 4.5, sky.shape) + (left - dark) * time
            images.append(assumed.drizzle(electrons / time - 0.1))
            fixed = assumed.drizzle(flags.astype(float)) > 0
            masks.append((assumed.reached(sky.shape) * singles.COVERED + fixed * singles.FIXED).astype(np.uint8))
            nodes = np.linspace(0, side - 1, singles.NODES)
            grids.append(np.array([np.meshgrid(assumed.grid(nodes, 0), assumed.grid(nodes, 1))]))
        return save(folder, images, masks, time, grids=grids if self.grids else ())


def numbers_with(numbers: Mapping[str, Any], **registration: Any) -> dict[str, Any]:
    """Return a detector's numbers of the verification with others for its registration."""
    return {**numbers, "registration": {**numbers["registration"], **registration}}
