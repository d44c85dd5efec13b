"""The truth of a simulated visit: paths of its files, its tables, and how to read them back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from astropy.table import Table
from stwcs.wcsutil import HSTWCS

from snakedriz.simulate.distortion import filter_model
from snakedriz.simulate.references import ReferenceFiles, reference_paths
from snakedriz.simulate.visit import Visit

REFERENCE_STEM = "9d1snakej"  # of the reference files; the final j of their names means ACS


@dataclass(frozen=True)
class Truth:
    """Paths and tables of a simulated visit. ``scene`` is truth.ecsv, ``details`` is truth.json."""

    visit: Visit
    directory: Path
    asn_table: Path
    raw: tuple[Path, ...]
    flt: tuple[Path, ...]
    flc: tuple[Path, ...]
    references: ReferenceFiles
    gaia: Path
    offsets: Path
    scene: Table
    reference_table: Table
    offset_table: Table
    details: dict[str, Any]
    wcs: tuple[tuple[HSTWCS, HSTWCS], ...]

    @property
    def star_table(self) -> Table:
        """The stars of the scene: id, ra, dec (deg, epoch of the observation), mag, flux (e-/s), ..."""
        return self.scene[self.scene["kind"] == "star"]

    @property
    def data(self) -> Path:
        """Directory of the association table and the exposures."""
        return self.directory / "data"

    @property
    def ref(self) -> Path:
        """Directory of the reference files, without the final slash that the variable ``jref`` needs."""
        return self.directory / "ref"


def build_truth(
    visit: Visit,
    directory: Path,
    scene: Table,
    reference_table: Table,
    offset_table: Table,
    details: dict[str, Any],
    wcs: tuple[tuple[HSTWCS, HSTWCS], ...] = (),
) -> Truth:
    """A Truth with the paths that a simulation below ``directory`` has."""
    data = directory / "data"

    def paths(suffix: str, made: bool = True) -> tuple[Path, ...]:
        return tuple(data / f"{root}_{suffix}.fits" for root in visit.rootnames) if made else ()

    return Truth(
        visit=visit,
        directory=directory,
        asn_table=data / f"{visit.asn}_asn.fits",
        raw=paths("raw", visit.make_raw),
        flt=paths("flt"),
        flc=paths("flc", visit.make_flc),
        references=reference_paths(directory / "ref", REFERENCE_STEM, filter_model(visit.filter)),
        gaia=directory / "gaia.ecsv",
        offsets=directory / "offsets.ecsv",
        scene=scene,
        reference_table=reference_table,
        offset_table=offset_table,
        details=details,
        wcs=wcs,
    )


def read_truth(directory: Path) -> Truth:
    """The truth of a simulation written earlier; equal to what ``simulate_visit`` returned, but ``wcs`` is empty.

    Raises FileNotFoundError when ``directory`` holds no simulation.
    """
    directory = Path(directory)
    details = json.loads((directory / "truth.json").read_text(encoding="utf-8"))
    names = ("truth.ecsv", "gaia.ecsv", "offsets.ecsv")
    scene, gaia, offsets = (Table.read(directory / name, format="ascii.ecsv") for name in names)
    return build_truth(_visit(details["visit"]), directory, scene, gaia, offsets, details)


def plain(value: Any) -> Any:
    """Mappings with text keys, and lists, for JSON."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in sorted(value.items())}
    if isinstance(value, tuple | list):
        return [plain(v) for v in value]
    return value


def _visit(values: Mapping[str, Any]) -> Visit:
    """The Visit that ``plain`` made ``values`` of."""

    def tuples(value: Any) -> Any:
        return tuple(tuples(v) for v in value) if isinstance(value, list) else value

    restored = {k: tuples(v) for k, v in values.items()}
    for name in ("exposure_errors", "exposure_rolls"):
        restored[name] = {int(k): tuples(v) for k, v in restored[name].items()}
    return Visit(**restored)
