"""What is drizzled: the exposures of an association with the WCS of one candidate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from astropy.io import fits

from snakedriz.artefacts.inventory import Inventory
from snakedriz.exposures import skeleton as skeletons_
from snakedriz.fits_headers.rootnames import ExposureKey


@dataclass(frozen=True)
class DrizzleInput:
    """One exposure to drizzle.

    Attributes
    ----------
    key : ExposureKey
    source : Path
        The input file, never changed.
    skeleton : `~astropy.io.fits.HDUList`
        Headers and WCS tables of the candidate.
    exptime : float
        Exposure time, s.
    """

    key: ExposureKey
    source: Path
    skeleton: fits.HDUList
    exptime: float

    @property
    def rootname(self) -> str:
        """Rootname of the exposure."""
        return self.key.rootname

    @property
    def name(self) -> str:
        """File name of the exposure."""
        return f"{self.key}.fits"


def read_inputs(inventory: Inventory, bundle: str | Path, product: Literal["drc", "drz"]) -> list[DrizzleInput]:
    """Return the exposures in use, in the order of the inventory, with the WCS of a candidate.

    Parameters
    ----------
    inventory : Inventory
    bundle : path
        The candidate's bundle of skeletons.
    product : {"drc", "drz"}
        "drc" is made of FLC files, "drz" of FLT files.
    """
    kind: Literal["flc", "flt"] = "flc" if product == "drc" else "flt"
    keys = [ExposureKey(exposure.rootname, kind) for exposure in inventory.used]
    skeletons = skeletons_.read_bundle(bundle, keys)
    found = []
    for key, exposure in zip(keys, inventory.used, strict=True):
        assert exposure.exptime is not None, "screening leaves none in use without an exposure time"
        found.append(DrizzleInput(key, Path(exposure.file(kind)), skeletons[key], exposure.exptime))
    return found
