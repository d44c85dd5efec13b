"""What a visit needs from outside, asked for once and kept in the folder of fetched files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from astropy.table import Table

from .. import association, settings
from ..errors import SnakedrizError
from ..files import sha256, write_table
from . import archive, area, astrometry_db, catalogs, crds_files, guide_stars

#: What belongs in each folder of fetched files, for a person without a connection.
CONTENTS = {
    "catalogs": "a reference catalogue of the visit's field: any table with RA and DEC in deg, saved as ECSV",
    "headerlets": "an index of the astrometry database's headerlets (columns rootname, wcsname, best) with the "
    "*_hlet.fits beside it; without any, a table with these columns and no rows",
    "offsets": "a table of guide-star offsets with the columns of the service's reply (rootname, deltaRA, ...)",
}


class Keeper:
    """Asks the services on behalf of the fetch rules.

    Parameters
    ----------
    config : mapping
        The whole configuration, validated.
    environ : mapping
        Usually `os.environ`.

    Raises
    ------
    SnakedrizError
        If the configuration does not allow connections.
    """

    def __init__(self, config: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        if not config["network"]:
            raise SnakedrizError("network: false: no connection is opened; set `network: true` to fetch files")
        self.config, self.environ = config, environ
        self.services = config["services"]
        self.folder = Path(config["fetched"])

    def _exposures(self, visit: str) -> dict[str, str]:
        """Return one calibrated file of every exposure of a visit, by rootname."""
        index = association.FileIndex(self.config["input"], exclude=[self.config["output"]])
        roots = [root for root in index.rootnames("flt", "flc") if area.visit(root) == visit]
        if not roots:
            raise SnakedrizError(f"{self.config['input']}: has no exposure (FLT, FLC) of the visit {visit}")
        return {root: (index.paths(root, "flc") or index.paths(root, "flt"))[0] for root in roots}

    def catalog(self, visit: str, name: str) -> None:
        """Fetch a reference catalogue for all exposures of a visit."""
        source = next(entry["service"] for entry in self.config["catalogs"] if entry["name"] == name)
        cone = area.cone(self._exposures(visit).values())
        path = self.folder / "catalogs" / f"{visit}_{name}.ecsv"
        catalogs.fetch(path, name, source, cone, self.services, self.environ)

    def headerlets(self, visit: str) -> None:
        """Fetch all solutions of all exposures of a visit."""
        folder = self.folder / "headerlets" / visit
        astrometry_db.fetch(folder, list(self._exposures(visit)), self.services, self.environ)

    def offsets(self, visit: str) -> None:
        """Fetch the guide-star offsets of all exposures of a visit."""
        path = self.folder / "offsets" / f"{visit}.ecsv"
        guide_stars.fetch(path, list(self._exposures(visit)), self.services, self.environ)

    def references(self, visit: str) -> None:
        """Fetch the reference files of a visit that are not there, and list all of them."""
        paths = list(self._exposures(visit).values())
        files = crds_files.wanted(paths)
        if self.services.get("context"):
            files += crds_files.current(paths, self.services["context"], self.services, self.environ)
        cache = self.folder / "references"
        folders = settings.reference_directories(self.config, self.environ)
        found = crds_files.fetch(files, folders, cache, self.services, self.environ)
        rows = [(name, found[name], sha256(found[name])) for name in sorted(found)]
        _listing(cache / f"{visit}.ecsv", ("name", "path", "sha256"), rows)

    def exposures(self, listing: str, names: Sequence[str]) -> None:
        """Download associations of one visit into the input folder, then all that their exposures need."""
        Path(self.config["input"]).mkdir(parents=True, exist_ok=True)
        index = association.FileIndex(self.config["input"], exclude=[self.config["output"]])
        have = {
            f"{root}_{kind}.fits": path
            for kind in association.KINDS
            for root in index.rootnames(kind)
            for path in index.paths(root, kind)
        }
        kinds = (*archive.ALWAYS, *self.services.get("products", ()))
        rows = []
        for name in names:
            folder = Path(self.config["input"]) / name
            found = archive.fetch(name, folder, self.services, self.environ, kinds, have)
            rows += [(name, file, path, sha256(path)) for file, path in sorted(found.items())]
            have |= found
        for visit in sorted({area.visit(name) for name in names}):
            self._rest(visit)
        _listing(Path(listing), ("association", "name", "path", "sha256"), rows)

    def _rest(self, visit: str) -> None:
        """Fetch what a visit needs as the configuration says, as far as it is not there."""
        if not (self.folder / "references" / f"{visit}.ecsv").exists():
            self.references(visit)
        for entry in self.config["catalogs"]:
            path = self.folder / "catalogs" / f"{visit}_{entry['name']}.ecsv"
            if entry.get("service") and not self._covers(path, visit):
                self.catalog(visit, entry["name"])
        if self.config["solutions"]["headerlets"] == "fetch":
            self.headerlets(visit)
        if self.config["solutions"]["offsets"] == "fetch":
            self.offsets(visit)

    def _covers(self, path: Path, visit: str) -> bool:
        if not path.exists():
            return False
        field = Table.read(path).meta.get("field")
        corners = [corner for file in self._exposures(visit).values() for corner in area.chip_corners(file)]
        return field is None or area.Cone(*map(float, field)).covers(corners)


def _listing(path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    write_table(path, Table(rows=list(rows) or None, names=columns, dtype=[str] * len(columns)))


def refuse(file: str, folder: str) -> NoReturn:
    """Say what is missing.

    Parameters
    ----------
    file : str
        Path below the folder of fetched files, or ``fetch`` for the target itself.

    Raises
    ------
    SnakedrizError
        Always.
    """
    if file == "fetch":
        raise SnakedrizError(
            "fetch: network: false, so nothing is fetched; set `network: true` (--config network=true), or put the "
            f"files into {folder} by hand: " + "; ".join(f"{folder}/{kind}/: {what}" for kind, what in CONTENTS.items())
        )
    what = CONTENTS.get(file.partition("/")[0], "a file that a service has")
    raise SnakedrizError(
        f"{folder}/{file} is not there and network: false forbids to fetch it; put there {what}, or set `network: true`"
    )
