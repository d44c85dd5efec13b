"""What a visit needs from outside, asked for once and kept in the folder of fetched files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from astropy.table import Table

from snakedriz import settings
from snakedriz.errors import SnakedrizError
from snakedriz.exposures import association, coverage, fetched
from snakedriz.exposures.visits import Group, Visits, observed_visit
from snakedriz.files import sha256, write_table
from snakedriz.fits_headers.rootnames import KINDS
from snakedriz.services import archive, astrometry_db, catalogs, crds_files, guide_stars

#: What belongs in each folder of fetched files, for a person without a connection.
CONTENTS = {
    "catalogs": "a reference catalogue of the visit's field: any table with RA and DEC in deg, saved as ECSV",
    "headerlets": "an index of the astrometry database's headerlets (columns rootname, wcsname, best) with the "
    "*_hlet.fits beside it; without any, a table with these columns and no rows",
    "offsets": "a table of guide-star offsets with the columns of the service's reply (rootname, deltaRA, ...)",
}

#: The key at the end of a further file's name.
KEYED = re.compile(r"_[0-9a-f]{8}$")


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
        self.visits = Visits(config["visit"]["group"])

    def _index(self) -> association.FileIndex:
        return association.FileIndex(self.config["input"], exclude=[self.config["output"]])

    def _exposures(self, visit: str) -> dict[str, str]:
        """Return one calibrated file of every exposure of a visit, by rootname."""
        found = fetched.exposures(self._index(), visit, self.visits)
        if not found:
            raise SnakedrizError(f"{self.config['input']}: has no exposure (FLT, FLC) of the visit {visit}")
        return found

    def _uncovered(self, visit: str, kind: str) -> list[str]:
        """Return the exposures of a visit that no table of a kind was asked for."""
        return fetched.uncovered(fetched.files(fetched.first(self.folder, kind, visit)), self._exposures(visit))

    def catalog(self, path: str | Path, visit: str, name: str) -> None:
        """Fetch a reference catalogue for all exposures of a visit."""
        source = next(entry["service"] for entry in self.config["catalogs"] if entry["name"] == name)
        cone = coverage.cone(self._exposures(visit).values())
        catalogs.fetch(path, name, source, cone, self.services, self.environ)

    def headerlets(self, index: str | Path, visit: str) -> None:
        """Fetch all solutions of the exposures of a visit that were not asked for yet."""
        wanted = self._uncovered(visit, "headerlets")
        path = Path(index)
        astrometry_db.fetch(path.parent, wanted, self.services, self.environ, index=path.name)

    def offsets(self, path: str | Path, visit: str) -> None:
        """Fetch the guide-star offsets of the exposures of a visit that were not asked for yet."""
        guide_stars.fetch(path, self._uncovered(visit, "offsets"), self.services, self.environ)

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
        index = self._index()
        have = {
            f"{root}_{kind}.fits": path
            for kind in KINDS
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
        for visit in sorted({self.visits.fetched_with(name) for name in names}):
            self._rest(visit)
        _listing(Path(listing), ("association", "name", "path", "sha256"), rows)

    def _rest(self, visit: str) -> None:
        """Fetch what a visit needs as the configuration says, as far as it is not there."""
        if not (self.folder / "references" / f"{visit}.ecsv").exists():
            self.references(visit)
        index = self._index()
        for entry in self.config["catalogs"]:
            if entry.get("service"):
                _, to_come = fetched.catalog(self.folder, visit, index, entry["name"], self.visits)
                if to_come:
                    self.catalog(to_come, visit, entry["name"])
        for kind, fetch in (("headerlets", self.headerlets), ("offsets", self.offsets)):
            if self.config["solutions"][kind] == "fetch":
                _, to_come = fetched.tables(self.folder, kind, visit, index, list(self._exposures(visit)), self.visits)
                if to_come:
                    fetch(to_come, visit)


def _listing(path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    write_table(path, Table(rows=list(rows) or None, names=columns, dtype=[str] * len(columns)))


def refuse(file: str, folder: str, inputs: str, output: str, group: Group) -> NoReturn:
    """Say what is missing.

    Parameters
    ----------
    file : str
        Path below the folder of fetched files, or ``fetch`` for the target itself.
    folder, inputs, output : str
        Folders of fetched files, of exposures, of results.
    group : "auto" or list of lists of str
        `visit.group` of the configuration.

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
    kind = file.partition("/")[0]
    what = CONTENTS.get(kind, "a file that a service has")
    path = Path(folder) / file
    there = fetched.files(path.with_name(KEYED.sub("", path.stem) + path.suffix)) if kind in CONTENTS else []
    if there:
        visit = path.parent.name if kind == "headerlets" else observed_visit(path.name)
        exposures = fetched.exposures(association.FileIndex(inputs, exclude=[output]), visit, Visits(group))
        if kind == "catalogs":
            shown = [f"{one} (within {cone.radius} deg of {cone.ra}, {cone.dec})" for one in there
                     if (cone := fetched.field(one))]  # fmt: skip
            lack = f"none of {', '.join(shown)} covers all exposures of the visit {visit}"
        else:
            missing = fetched.uncovered(there, exposures)
            lack = f"{', '.join(map(str, there))} were fetched before {', '.join(missing)} came, and do not say of them"
        raise SnakedrizError(
            f"{lack}; network: false forbids to ask for it: run `snakemake --config network=true fetch`, or put "
            f"{what} into {folder}/{file}"
        )
    raise SnakedrizError(
        f"{folder}/{file} is not there and network: false forbids to fetch it; put there {what}, or set `network: true`"
    )
