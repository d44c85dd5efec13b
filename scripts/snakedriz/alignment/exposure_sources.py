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

    Its skeleton (`snakedriz.exposures.skeleton`) has the WCS to start from; sources are from
    `snakedriz.detection.sources.find_sources`; exposure time in s, epoch as a Julian year.
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

    `tables` are the paths ``<root>.ecsv`` of the source tables. With `not_alignable` exposures are returned, too, that
    are used but that no sources can be looked for in (spectra), with an empty table.
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
