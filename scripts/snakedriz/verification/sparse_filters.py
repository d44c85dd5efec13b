"""Filters of scipy and a statistic of astropy, to the bit, in a fraction of their time.

A filter's value at a pixel depends on a window of known size, and scipy forms it in the same order whatever the array
around it. So a filter may be run on cut-outs with a margin, and gives there what it gives on the frame.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import count

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from snakedriz.verification.frames import Image, Mask

#: Sides of the tiles, px: for the peak no smaller than the reach of its widest filter, 12 px at sigma 3.
_PEAK_TILE, _SOURCE_TILE = 32, 4
#: Share of the tiles beyond which the whole frame is filtered instead.
_PEAK_SHARE = 1 / 16
#: Pixels that could be filtered in the time one more call takes.
_CALL = 1500
#: Elements of the window arrays of `_medians` at a time.
_CHUNK = 200_000


def _reach(sigma: float) -> int:
    """Half-width of the window of `scipy.ndimage.gaussian_laplace`, px (its `truncate` of 4)."""
    return int(4.0 * sigma + 0.5)


@lru_cache(maxsize=8)
def _kernels(sigma: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weights of scipy's Gaussian of a width and of its second derivative: their impulse responses."""
    impulse = np.zeros(2 * _reach(sigma) + 1)
    impulse[_reach(sigma)] = 1.0
    smooth, second = (ndimage.gaussian_filter1d(impulse, sigma, order=n, mode="constant") for n in (0, 2))
    return smooth, second


def _log(image: Image, sigma: float) -> Image:
    """`scipy.ndimage.gaussian_laplace` without making its kernels anew: on small windows that is half of its time."""
    smooth, second = _kernels(sigma)
    out = ndimage.correlate1d(ndimage.correlate1d(image, second, 0), smooth, 1)
    out += ndimage.correlate1d(ndimage.correlate1d(image, smooth, 0), second, 1)
    return out


def _weights(sigma: float) -> tuple[float, float]:
    """Return the largest absolute weight of the LoG window, and the sum of all."""
    smooth, second = _kernels(sigma)
    window = np.abs(np.outer(second, smooth) + np.outer(smooth, second))
    return float(window.max()), float(window.sum())


@dataclass(frozen=True)
class TileBounds:
    """What no |LoG| of an image, or of any masked version of it, can exceed in square tiles.

    Arrays of shape (tiles in y, tiles in x), over each tile with its eight neighbours.
    """

    largest: NDArray[np.float64]  # absolute value of a pixel
    total: NDArray[np.float64]  # sum of absolute values, with what reflection at the frame's edges adds

    @classmethod
    def of(cls, image: Image) -> TileBounds:
        """Tile an image of float32, shape (ny, nx)."""
        magnitude = np.abs(image)
        edges = [np.arange(0, n, _PEAK_TILE) for n in image.shape]
        largest = np.maximum.reduceat(np.maximum.reduceat(magnitude, edges[0], axis=0), edges[1], axis=1)
        total = np.add.reduceat(np.add.reduceat(magnitude, edges[0], axis=0), edges[1], axis=1).astype(np.float64)
        total = 9 * ndimage.uniform_filter(total, 3, mode="constant")
        inner = np.zeros(total.shape, bool)
        inner[2:-2, 2:-2] = True
        return cls(ndimage.maximum_filter(largest.astype(np.float64), 3), np.where(inner, total, 4 * total))

    def bound(self, sigma: float) -> NDArray[np.float64]:
        """No |LoG| in a tile is larger: |sum of w I| <= max|w| sum|I|, and <= max|I| sum|w|; 1 % for rounding."""
        highest, area = _weights(sigma)
        return 1.01 * np.minimum(highest * self.total, area * self.largest)


def log_peak(image: Image, mask: Mask, sigma: float, tiles: TileBounds) -> tuple[float, tuple[int, int]]:
    """Return the largest |LoG|, `sigma` px wide, of a masked image and the first place (y, x) that has it.

    Parameters
    ----------
    image, mask : ndarrays of float32 and bool, shape (ny, nx)
        Finite; what is False in the mask counts as 0.
    sigma : float
    tiles : TileBounds
        Of the image; tells which places cannot hold the peak, which is most of them.
    """
    bound = tiles.bound(sigma)
    order = np.argsort(-bound, axis=None, kind="stable")
    # In a narrower frame more is reflected than the bound allows for.
    most = int(_PEAK_SHARE * bound.size) if min(image.shape) >= 2 * _PEAK_TILE else 0
    best, place = -1.0, (0, 0)
    for tried, tile in enumerate(order):
        if bound.flat[tile] < best:
            return best, place
        if tried >= most:
            break
        y, x = (_PEAK_TILE * int(index) for index in divmod(int(tile), bound.shape[1]))
        value, found = _window_peak(image, mask, sigma, slice(y, y + _PEAK_TILE), slice(x, x + _PEAK_TILE))
        if value > best or (value == best and found < place):
            best, place = value, found
    return _window_peak(image, mask, sigma, slice(0, image.shape[0]), slice(0, image.shape[1]))


def _window_peak(image: Image, mask: Mask, sigma: float, rows: slice, columns: slice) -> tuple[float, tuple[int, int]]:
    window, inner = _with_margin((rows, columns), image.shape, _reach(sigma))
    response = np.abs(_log(np.where(mask[window], image[window], np.float32(0)), sigma)[inner])
    y, x = np.unravel_index(int(np.argmax(response)), response.shape)
    return float(response[y, x]), (rows.start + int(y), columns.start + int(x))


def _with_margin(
    part: tuple[slice, slice], shape: tuple[int, ...], margin: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return a part of a frame with a margin inside the frame, and the part's place in that."""
    starts = [max(0, side.start - margin) for side in part]
    window = [slice(a, min(n, side.stop + margin)) for a, side, n in zip(starts, part, shape, strict=True)]
    inner = [slice(side.start - a, side.stop - a) for side, a in zip(part, starts, strict=True)]
    return (window[0], window[1]), (inner[0], inner[1])


def sources(image: Image, threshold: np.float32, smooth: bool, sigma: float) -> Mask:
    """Mask where -LoG, `sigma` px wide, of what an image (ny, nx) has above a threshold is positive.

    The threshold is subtracted first, and what is below becomes 0; where `smooth`, the image is median-filtered before
    that, 5 by 5.
    """
    above = image > threshold
    if smooth:  # the median of 25 is above where 13 are
        y, x = np.divmod(np.flatnonzero(_count_5x5(above) >= 13), image.shape[1])
        values = _medians(image, y, x) - threshold
    else:
        y, x = np.divmod(np.flatnonzero(above), image.shape[1])
        values = image[y, x] - threshold
    found = np.zeros(image.shape, bool)
    if len(y) == 0:
        return found
    left = np.zeros_like(image)
    left[y, x] = values
    # Nothing in `left` is negative, so LoG is only where its weights are: within sqrt(2) sigma of something.
    active = np.zeros([-(-n // _SOURCE_TILE) for n in image.shape], bool)
    active[y // _SOURCE_TILE, x // _SOURCE_TILE] = True
    # A pixel more for the sampled filter.
    steps = math.ceil((math.sqrt(2) * sigma + 1) / _SOURCE_TILE)
    parts = [
        (part, *_with_margin(part, image.shape, _reach(sigma)))
        for part in _boxes(ndimage.maximum_filter(active, 2 * steps + 1))
    ]
    if sum((w[0].stop - w[0].start) * (w[1].stop - w[1].start) + _CALL for _, w, _ in parts) > image.size:
        return _log(left, sigma) < 0
    for part, window, inner in parts:
        found[part] = _log(left[window], sigma)[inner] < 0
    return found


def _boxes(active: Mask) -> Iterator[tuple[slice, slice]]:
    """Yield the boxes, in px, around what hangs together of active tiles; they may overlap."""
    for rows, columns in ndimage.find_objects(ndimage.label(active, np.ones((3, 3)))[0]):
        yield (
            slice(rows.start * _SOURCE_TILE, rows.stop * _SOURCE_TILE),
            slice(columns.start * _SOURCE_TILE, columns.stop * _SOURCE_TILE),
        )


def _count_5x5(mask: Mask) -> NDArray[np.uint8]:
    """Count the True of each 5 by 5 window; beyond the edges the mask is reflected, as scipy's filters do."""
    counts = np.pad(mask.view(np.uint8), 2, mode="symmetric")
    across = counts[:, :-4] + counts[:, 1:-3] + counts[:, 2:-2] + counts[:, 3:-1] + counts[:, 4:]
    return across[:-4] + across[1:-3] + across[2:-2] + across[3:-1] + across[4:]


def _medians(image: Image, y: NDArray[np.intp], x: NDArray[np.intp]) -> Image:
    """Medians of the 5 by 5 windows around some pixels."""
    rows, columns = (np.pad(np.arange(n), 2, mode="symmetric") for n in image.shape)
    out = np.empty(len(y), image.dtype)
    step = np.arange(5)
    for start in range(0, len(y), _CHUNK):
        part = slice(start, start + _CHUNK)
        windows = image[rows[y[part, None] + step][:, :, None], columns[x[part, None] + step][:, None, :]]
        out[part] = np.partition(windows.reshape(-1, 25), 12, axis=1)[:, 12]
    return out


def clipped_stats(values: Image, nsigma: float, iterations: int) -> tuple[np.float32, np.float32, np.float32]:
    """Return mean, median and standard deviation of sigma-clipped values, to the bit those of astropy's function.

    `astropy.stats.sigma_clipped_stats` of float32 works in float32: sums in the order of the array, so its copies of
    what is left are needed, but not those of its NaN functions.

    Parameters
    ----------
    values : ndarray of float32, shape (n,)
        Finite.
    nsigma : float
        Clips at the median plus and minus this many standard deviations.
    iterations : int
        At most; 0 for any number, as astropy has it; none if negative.
    """
    scratch = np.empty_like(values)
    mean, median, std = _stats(values, scratch)
    for _ in range(iterations) if iterations else count():
        keep = (values >= median - std * nsigma) & (values <= median + std * nsigma)
        if keep.all():
            break
        values = values[keep]
        mean, median, std = _stats(values, scratch)
    return mean, median, std


def _stats(values: Image, scratch: Image) -> tuple[np.float32, np.float32, np.float32]:
    number = np.int64(values.size)
    mean = np.float32(values.sum() / number)
    left = np.subtract(values, mean, out=scratch[: values.size])
    std = np.sqrt(np.float32(np.multiply(left, left, out=left).sum() / number))
    # With fewer than half on either side the median is 0: of all singles, whose negative pixels are set to 0.
    if 2 * max(np.count_nonzero(values < 0), np.count_nonzero(values > 0)) < values.size:
        return mean, np.float32(0), std
    return mean, np.float32(np.median(values)), std
