"""What a visit needs from outside, asked for once and kept in the folder of fetched files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from astropy.table import Table

from snakedriz.errors import SnakedrizError
from snakedriz.exposures import coverage, fetched
from snakedriz.exposures.association import FileIndex
from snakedriz.exposures.visits import Group, Visits, observed_visit
from snakedriz.files import sha256, write_table
from snakedriz.fits_headers.rootnames import KINDS
from snakedriz.services import archive, astrometry_db, catalogs, crds_files, guide_stars
from snakedriz.settings.configuration import Configuration
from snakedriz.settings.switches import reference_directories

#: What belongs in each folder of fetched files, for a person without a connection.
CONTENTS = {
    "catalogs": "a reference catalogue of the visit's field: any table with RA and DEC in deg, saved as ECSV",
    "headerlets": "an index of the astrometry database's headerlets (columns rootname, wcsname, best) with the "
    "*_hlet.fits beside it, or a table with these columns and no rows if there are none",
    "offsets": "a table of guide-star offsets with the columns of the service's reply (rootname, deltaRA, ...)",
}

#: The key at the end of a further file's name.
KEYED = re.compile(r"_[0-9a-f]{8}$")


class VisitFetcher:
    """Asks the services on behalf of the fetch rules.

    Parameters
    ----------
    config : Configuration
        The whole configuration.
    environ : mapping
        Usually `os.environ`.

    Raises
    ------
    SnakedrizError
        If the configuration does not allow connections.
    """

    def __init__(self, config: Configuration, environ: Mapping[str, str]) -> None:
        if not config.network:
            raise SnakedrizError("network: false, so no connection is opened", "set `network: true` to fetch files")
        self.config, self.environ = config, environ
        self.services = config.services
        self.folder = Path(config.fetched)
        self.visits = Visits(config.visit.group)

    def _index(self) -> FileIndex:
        return FileIndex(self.config.input, exclude=[self.config.output])

    def _exposures(self, visit: str) -> dict[str, str]:
        """Return one calibrated file of every exposure of a visit, by rootname."""
        found = fetched.exposures(self._index(), visit, self.visits)
        if not found:
            reason = f"{self.config.input}: has no exposure (FLT, FLC) of the visit {visit}"
            raise SnakedrizError(reason, "check `input` and the name of the visit")
        return found

    def _uncovered(self, visit: str, kind: str) -> list[str]:
        """Return the exposures of a visit that no table of a kind was asked for."""
        return fetched.uncovered(fetched.files(fetched.first(self.folder, kind, visit)), self._exposures(visit))

    def catalog(self, path: str | Path, visit: str, name: str) -> None:
        """Fetch a reference catalogue for all exposures of a visit."""
        source = next(one.service for one in self.config.catalogs if one.name == name and one.service)
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
        if self.services.context:
            files += crds_files.current(paths, self.services.context, self.services, self.environ)
        cache = self.folder / "references"
        folders = reference_directories(self.config.as_dict(), self.environ)
        found = crds_files.fetch(files, folders, cache, self.services, self.environ)
        rows = [(name, found[name], sha256(found[name])) for name in sorted(found)]
        _listing(cache / f"{visit}.ecsv", ("name", "path", "sha256"), rows)

    def exposures(self, listing: str, names: Sequence[str]) -> None:
        """Download associations of one visit into the input folder, then all that their exposures need."""
        Path(self.config.input).mkdir(parents=True, exist_ok=True)
        index = self._index()
        have = {
            f"{root}_{kind}.fits": path
            for kind in KINDS
            for root in index.rootnames(kind)
            for path in index.paths(root, kind)
        }
        kinds = (*archive.ALWAYS, *self.services.products)
        rows = []
        for name in names:
            folder = Path(self.config.input) / name
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
        for entry in self.config.catalogs:
            if entry.service:
                _, to_come = fetched.catalog(self.folder, visit, index, entry.name, self.visits)
                if to_come:
                    self.catalog(to_come, visit, entry.name)
        for kind, fetch in (("headerlets", self.headerlets), ("offsets", self.offsets)):
            if getattr(self.config.solutions, kind) == "fetch":
                _, to_come = fetched.tables(self.folder, kind, visit, index, list(self._exposures(visit)), self.visits)
                if to_come:
                    fetch(to_come, visit)


def _listing(path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    write_table(path, Table(rows=list(rows) or None, names=columns, dtype=[str] * len(columns)))


def refuse_without_network(file: str, folder: str, inputs: str, output: str, group: Group) -> NoReturn:
    """Say which fetched file is missing, and what to put there.

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
    kind = file.partition("/")[0]
    what = CONTENTS.get(kind, "a file that a service has")
    if file == "fetch":
        by_hand = "; ".join(f"{folder}/{kind}/: {what}" for kind, what in CONTENTS.items())
        raise SnakedrizError(
            "network: false, so nothing is fetched",
            f"set `network: true` (--config network=true), or put the files into {folder} yourself: {by_hand}",
        )
    path = Path(folder) / file
    there = fetched.files(path.with_name(KEYED.sub("", path.stem) + path.suffix)) if kind in CONTENTS else []
    if there:
        lack = _what_is_not_covered(there, kind, path, FileIndex(inputs, exclude=[output]), Visits(group))
        raise SnakedrizError(
            f"{lack}; network: false, so nothing more is fetched",
            f"run `snakemake --config network=true fetch`, or put {what} into {folder}/{file}",
        )
    raise SnakedrizError(
        f"{folder}/{file} is not there, and network: false, so it is not fetched",
        f"put {what} there, or set `network: true`",
    )


def _what_is_not_covered(there: Sequence[Path], kind: str, path: Path, index: FileIndex, visits: Visits) -> str:
    """Say which exposures of a visit the files that are there do not cover."""
    visit = path.parent.name if kind == "headerlets" else observed_visit(path.name)
    if kind == "catalogs":
        cones = {one.name: fetched.field(one) for one in there}
        shown = [f"{one} (within {c.radius} deg of {c.ra}, {c.dec})" for one, c in cones.items() if c]
        return f"{path.parent}: none of {', '.join(shown)} covers all exposures of the visit {visit}"
    missing = fetched.uncovered(there, fetched.exposures(index, visit, visits))
    return f"{', '.join(map(str, there))} do not cover {', '.join(missing)}, which were added later"
