"""An exposure's sources together with the WCS they are to be seen through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from astropy.io import fits
from astropy.table import Table

from snakedriz.artefacts.inventory import ExposureRecord, Inventory
from snakedriz.exposures import field
from snakedriz.fits_headers.rootnames import ExposureKey


@dataclass
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

    def sources(e: ExposureRecord) -> Table:
        table = Table.read(paths[e.rootname])
        return table if e.alignable else table[:0]

    return [
        ExposureSources(
            e.rootname,
            skeletons[ExposureKey(e.rootname, str(inventory.verification_kind))],
            sources(e),
            float(e.exptime or 0.0),
            field.epoch(e),
        )
        for e in inventory.used
        if e.alignable or not_alignable
    ]
