"""Cosmic-ray masks: which detector pixels AstroDrizzle flagged, as bundles and in the DQ arrays of exposures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits

from snakedriz.artefacts.verification import Verification
from snakedriz.exposures.skeleton import science_extensions
from snakedriz.files import whole

#: DQ bit of cosmic rays found by AstroDrizzle.
CR_BIT = 4096
#: Flags of one exposure: from EXTVER to a boolean array (ny, nx), True where flagged.
ChipMasks = Mapping[int, np.ndarray]


def read_bundle(path: str | Path) -> dict[str, dict[int, np.ndarray]]:
    """Read a bundle of masks; returns the flags of each exposure, by rootname (lower case)."""
    masks: dict[str, dict[int, np.ndarray]] = {}
    with fits.open(path, memmap=False) as bundle:
        for hdu in bundle[1:]:
            masks.setdefault(hdu.header["EXTNAME"].lower(), {})[int(hdu.header["EXTVER"])] = hdu.data.astype(bool)
    return masks


def to_reuse(default: Sequence[str]) -> str | None:
    """Return the CR masks that a candidate is drizzled with: the default's, or None to flag afresh.

    Parameters
    ----------
    default : sequence of str
        verification.json and CR masks of the default candidate; empty for the default itself.
    """
    if not default:
        return None
    verification, crmask = default
    return crmask if Verification.read(verification).flags_trusted else None


def same(first: Mapping[str, ChipMasks], second: Mapping[str, ChipMasks]) -> bool:
    """Whether two bundles flag the same pixels."""
    return first.keys() == second.keys() and all(
        first[root].keys() == second[root].keys()
        and all(np.array_equal(mask, second[root][version]) for version, mask in first[root].items())
        for root in first
    )


def write_bundle(path: str | Path, masks: Mapping[str, ChipMasks]) -> None:
    """Write masks as a bundle of compressed images (EXTNAME = rootname, EXTVER = that of the SCI extension)."""
    bundle = fits.HDUList([fits.PrimaryHDU()])
    for root in masks:
        for version, mask in sorted(masks[root].items()):
            hdu = fits.CompImageHDU(mask.astype(np.uint8), name=root.upper(), compression_type="PLIO_1")
            hdu.header["EXTVER"] = version
            bundle.append(hdu)
    with whole(path) as temporary:
        bundle.writeto(temporary)


def from_exposure(path: str | Path) -> dict[int, np.ndarray]:
    """Return the flags in the DQ arrays of an exposure that AstroDrizzle has flagged."""
    with fits.open(path, memmap=True) as hdul:
        return {
            version: (hdul["DQ", version].data & CR_BIT) > 0
            for version in science_extensions(hdul)
            if ("DQ", version) in hdul and hdul["DQ", version].data is not None
        }


def into_dq(flags: ChipMasks | None) -> Callable[[int, np.ndarray], np.ndarray]:
    """Return what `skeleton.join` calls to clear the CR bit in a DQ array and set it where `flags` says.

    Without flags the bit is only cleared.
    """

    def apply(version: int, dq: np.ndarray) -> np.ndarray:
        out = dq & ~np.array(CR_BIT, dtype=dq.dtype)
        if flags is not None:
            out[flags[version]] |= CR_BIT
        return out

    return apply
