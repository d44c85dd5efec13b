"""An exposure's sources together with the WCS they are to be seen through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from astropy.io import fits
from astropy.table import Table

from snakedriz.alignment import source_selection
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
    inventory: Inventory, skeletons: Mapping[ExposureKey, fits.HDUList], tables: Sequence[str]
) -> list[ExposureSources]:
    """Return the exposures of an inventory that sources can be looked for in, with the sources chosen for a fit.

    `tables` are the paths ``<root>.ecsv`` of the source tables.
    """
    return _choose(_read(inventory, skeletons, tables, not_alignable=False))


def collect_visit(
    inventories: Sequence[Inventory], skeletons: Mapping[ExposureKey, fits.HDUList], tables: Sequence[str]
) -> list[ExposureSources]:
    """Return the exposures of all associations of a visit, with the sources chosen for a fit of all of them.

    Exposures are among them that are used but that no sources can be looked for in (spectra), with an empty table.
    """
    return _choose([e for one in inventories for e in _read(one, skeletons, tables, not_alignable=True)])


def _read(
    inventory: Inventory, skeletons: Mapping[ExposureKey, fits.HDUList], tables: Sequence[str], not_alignable: bool
) -> list[ExposureSources]:
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


def _choose(exposures: Sequence[ExposureSources]) -> list[ExposureSources]:
    chosen = source_selection.choose([e.sources for e in exposures])
    return [replace(e, sources=table) for e, table in zip(exposures, chosen, strict=True)]
