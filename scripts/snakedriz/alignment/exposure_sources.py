"""An exposure's sources together with the WCS they are to be seen through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from astropy.io import fits
from astropy.table import Table

from snakedriz.artefacts.inventory import Inventory
from snakedriz.exposures import field
from snakedriz.fits_headers.rootnames import ExposureKey


@dataclass(frozen=True)
class ExposureSources:
    """One exposure as a fit needs it.

    Attributes
    ----------
    rootname : str
    skeleton : `~astropy.io.fits.HDUList`
        Headers and WCS extensions (`snakedriz.exposures.skeleton`), with the WCS to start from.
    sources : `~astropy.table.Table`
        From `snakedriz.detection.sources.find_sources`.
    exptime : float
        Seconds.
    epoch : float
        Julian year of the exposure.
    """

    rootname: str
    skeleton: fits.HDUList
    sources: Table
    exptime: float
    epoch: float


def collect(
    inventory: Inventory,
    skeletons: Mapping[ExposureKey, fits.HDUList],
    tables: Sequence[str],
    not_alignable: bool = False,
) -> list[ExposureSources]:
    """Return the exposures of an inventory that sources can be looked for in, with their source tables.

    Parameters
    ----------
    inventory : Inventory
    skeletons : mapping
        As `snakedriz.exposures.skeleton.read_bundle` returns them.
    tables : sequence of str
        Paths ``<root>.ecsv`` of the source tables.
    not_alignable : bool
        Return exposures, too, that are used but that no sources can be looked for in (spectra), with an empty table.
    """
    paths = {Path(path).stem: path for path in tables}
    found = []
    for exposure in inventory.used:
        if not (exposure.alignable or not_alignable):
            continue
        table = Table.read(paths[exposure.rootname])
        found.append(
            ExposureSources(
                exposure.rootname,
                skeletons[ExposureKey(exposure.rootname, str(inventory.verification_kind))],
                table if exposure.alignable else table[:0],
                float(exposure.exptime or 0.0),
                field.epoch(exposure),
            )
        )
    return found
