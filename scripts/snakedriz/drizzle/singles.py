"""The bundle of a candidate's single drizzles: for each exposure an image and a mask on the product's grid.

Extensions SCI (electrons/s, 0 where the exposure has no data) and MASK, with EXTVER 1, 2, ... in the order of the
exposures. The SCI header has the linear WCS, ROOTNAME, EXPTIME (s), CRFLAGS and NPIXELS (flagged and all detector
pixels). MASK is a sum: 1 the exposure has data, 2 a pixel flagged as a cosmic ray contributed, 4 times the EXTVER of
the chip (0 between the chips), 128 a pixel contributed that is flagged as bad for good: hot, warm, trap, bad column.
DETECTOR says where the detector's pixels lie: shape (chips, 2, 33, 33), x and y (px from 0) in the frame of a regular
grid of pixels that spans each chip from its first to its last; in order of the chips' EXTVER, which CHIP1, CHIP2, ...
of its header are.

Imports of stwcs and of what needs it are inside functions: verification reads the bundle without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy.interpolate import RectBivariateSpline
from scipy.ndimage import binary_dilation

from snakedriz.files import whole
from snakedriz.geometry import chip_corners

if TYPE_CHECKING:
    from snakedriz.drizzle.drizzle_input import DrizzleInput

COVERED, CR_TOUCHED, CHIP_SHIFT, FIXED = 1, 2, 2, 128
CHIP_BITS = 31  # of what is left after the shift
#: Nodes along each side of a chip: between them ACS/WFC's distortion is a cubic to 0.01 px.
NODES = 33
_EDGE = 16  # points along each edge of a chip: ACS/WFC's edges are curved by 50 px, a sixteenth of them by 0.2 px


def map_flags(
    skeleton: fits.HDUList, flags: Mapping[int, np.ndarray], output_wcs: WCS, shape: tuple[int, int]
) -> np.ndarray:
    """Mark the pixels of a drizzled frame that flagged detector pixels fall on.

    Parameters
    ----------
    skeleton : `~astropy.io.fits.HDUList`
        The exposure's WCS.
    flags : mapping
        From EXTVER to boolean (ny, nx).
    output_wcs : `~astropy.wcs.WCS`
        Linear WCS of the drizzled frame.
    shape : (int, int)
        Its (ny, nx).

    Returns
    -------
    ndarray of bool
        True within one pixel (3 x 3) of where a flagged pixel's centre falls: a drop of one pixel overlaps no
        other output pixels at pixfrac 1 and equal scale.
    """
    from stwcs.wcsutil import HSTWCS

    touched = np.zeros(shape, dtype=bool)
    for version, mask in flags.items():
        y, x = np.nonzero(mask)
        if len(x) == 0:
            continue
        ra, dec = HSTWCS(skeleton, ext=("SCI", version)).all_pix2world(x, y, 0)
        px, py = output_wcs.wcs_world2pix(ra, dec, 0)
        ix, iy = np.rint(px).astype(int), np.rint(py).astype(int)
        inside = (ix >= 0) & (ix < shape[1]) & (iy >= 0) & (iy < shape[0])
        touched[iy[inside], ix[inside]] = True
    return binary_dilation(touched, structure=np.ones((3, 3), dtype=bool))


def map_chips(skeleton: fits.HDUList, output_wcs: WCS, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return which chip (EXTVER) each pixel of a drizzled frame was seen by, 0 where by none.

    Parameters
    ----------
    skeleton : `~astropy.io.fits.HDUList`
        The exposure's WCS.
    output_wcs : `~astropy.wcs.WCS`
        Linear WCS of the drizzled frame.
    shape : (int, int)
        Its (ny, nx).
    """
    from skimage.draw import polygon
    from stwcs.wcsutil import HSTWCS

    from snakedriz.exposures.skeleton import science_extensions

    chips = np.zeros(shape, dtype=np.uint8)
    for version in science_extensions(skeleton):
        ny, nx = skeleton["SCI", version].shape
        step = np.arange(_EDGE) / _EDGE
        corners = chip_corners(nx, ny)
        edges = [a + step[:, None] * (b - a) for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)]
        sky = HSTWCS(skeleton, ext=("SCI", version)).all_pix2world(np.concatenate(edges), 0)
        x, y = output_wcs.wcs_world2pix(sky, 0).T
        chips[polygon(y, x, shape)] = version
    return chips


def detector_grid(skeleton: fits.HDUList, output_wcs: WCS) -> dict[int, NDArray[np.float64]]:
    """Return where a grid of each chip's pixels lies in a drizzled frame.

    Parameters
    ----------
    skeleton : `~astropy.io.fits.HDUList`
        The exposure's WCS.
    output_wcs : `~astropy.wcs.WCS`
        Linear WCS of the drizzled frame.

    Returns
    -------
    dict
        From EXTVER to x and y, px from 0: shape (2, 33, 33), rows of the grid along the chip's columns.
    """
    from stwcs.wcsutil import HSTWCS

    from snakedriz.exposures.skeleton import science_extensions

    grids = {}
    for version in sorted(science_extensions(skeleton)):
        ny, nx = skeleton["SCI", version].shape
        y, x = np.meshgrid(np.linspace(0, ny - 1, NODES), np.linspace(0, nx - 1, NODES), indexing="ij")
        sky = HSTWCS(skeleton, ext=("SCI", version)).all_pix2world(x.ravel(), y.ravel(), 0)
        grids[version] = np.array(output_wcs.wcs_world2pix(*sky, 0)).reshape(2, NODES, NODES)
    return grids


def map_fixed(
    flags: Mapping[int, np.ndarray], grids: Mapping[int, NDArray[np.float64]], shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Mark the pixels of a drizzled frame that flagged detector pixels fall on, within one pixel (3 x 3).

    As `map_flags`, but with positions from `detector_grid`: flags of a detector are many, and 0.01 px are enough.
    """
    touched = np.zeros(shape, dtype=bool)
    for version, mask in flags.items():
        y, x = np.nonzero(mask)
        nodes = [np.linspace(0, size - 1, NODES) for size in mask.shape]
        px, py = (RectBivariateSpline(*nodes, one)(y, x, grid=False) for one in grids[version])
        ix, iy = np.rint(px).astype(int), np.rint(py).astype(int)
        inside = (ix >= 0) & (ix < shape[1]) & (iy >= 0) & (iy < shape[0])
        touched[iy[inside], ix[inside]] = True
    return binary_dilation(touched, structure=np.ones((3, 3), dtype=bool))


def write(
    path: str | Path, exposures: Sequence[DrizzleInput], scratch: Path, masks: Mapping[str, Mapping[int, np.ndarray]],
    fixed_bits: int = 0,
) -> None:  # fmt: skip
    """Collect AstroDrizzle's single drizzles into one bundle.

    Parameters
    ----------
    path : path
        What to write.
    exposures : sequence of DrizzleInput
    scratch : Path
        Where the exposures, ``<root>_single_sci.fits`` and ``<root>_single_wht.fits`` are.
    masks : mapping
        CR flags, from rootname to EXTVER to boolean (ny, nx).
    fixed_bits : int
        Bits of DQ that a pixel of the detector has in every exposure.
    """
    # Written HDU by HDU: four full frames need not be in memory together.
    with whole(path) as temporary:
        fits.PrimaryHDU().writeto(temporary)
        for index, exposure in enumerate(exposures, start=1):
            _append(temporary, index, exposure, scratch, masks[exposure.rootname], fixed_bits)


def _fixed(path: Path, bits: int) -> dict[int, np.ndarray]:
    """Where the DQ arrays of an exposure have one of some bits, by EXTVER."""
    with fits.open(path, memmap=True) as hdul:
        return {hdu.ver: (hdu.data & bits) > 0 for hdu in hdul if hdu.name == "DQ" and hdu.data is not None}


def _append(
    path: Path, index: int, exposure: DrizzleInput, scratch: Path, flags: Mapping[int, np.ndarray], fixed_bits: int
) -> None:
    stem = scratch / f"{exposure.rootname}_single"
    with fits.open(f"{stem}_sci.fits", memmap=False) as single, fits.open(f"{stem}_wht.fits") as weight:
        image, header = single[0].data, single[0].header
        covered = weight[0].data > 0
    wcs = WCS(header)
    touched = map_flags(exposure.skeleton, flags, wcs, image.shape)
    chips = map_chips(exposure.skeleton, wcs, image.shape)
    grids = detector_grid(exposure.skeleton, wcs)
    fixed = map_fixed(_fixed(scratch / exposure.name, fixed_bits), grids, image.shape)
    out = wcs.to_header()
    out["ROOTNAME"], out["EXPTIME"] = exposure.rootname, exposure.exptime
    out["CRFLAGS"] = (sum(int(np.count_nonzero(mask)) for mask in flags.values()), "flagged detector pixels")
    out["NPIXELS"] = (sum(mask.size for mask in flags.values()), "detector pixels")
    out["BUNIT"] = "ELECTRONS/S"
    rate = np.where(np.isfinite(image), image, 0).astype(np.float32)
    if not str(header.get("BUNIT", "")).upper().endswith("/S"):
        rate /= np.float32(exposure.exptime)
    fits.append(path, rate, fits.Header([("EXTNAME", "SCI"), ("EXTVER", index), *out.cards]), verify=False)
    mask = (
        covered * np.uint8(COVERED) + touched * np.uint8(CR_TOUCHED) + (chips << CHIP_SHIFT) + fixed * np.uint8(FIXED)
    )
    mask_header = fits.Header([("EXTNAME", "MASK"), ("EXTVER", index), ("ROOTNAME", exposure.rootname)])
    fits.append(path, mask.astype(np.uint8), mask_header, verify=False)
    header = fits.Header([("EXTNAME", "DETECTOR"), ("EXTVER", index), ("ROOTNAME", exposure.rootname)])
    for number, version in enumerate(grids, start=1):
        header[f"CHIP{number}"] = (version, "EXTVER of the SCI extension")
    fits.append(path, np.array(list(grids.values())), header, verify=False)
