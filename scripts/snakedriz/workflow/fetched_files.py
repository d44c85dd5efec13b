"""What services have for the associations of a run: the files that are there, and those to be fetched.

Files of the user's own stand for them where the configuration names some.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakedriz import settings
from snakedriz.exposures import association as associations
from snakedriz.exposures import fetched

if TYPE_CHECKING:
    from snakedriz.workflow.plan import Plan


class FetchedFiles:
    """Reference files, catalogues, headerlets and guide-star offsets of the associations of a run.

    Parameters
    ----------
    plan : Plan
        What is fetched for: configuration, input files and associations.
    reference_directories : mapping
        Folders of reference files that the user names, by the variable that headers name them with.
    """

    def __init__(self, plan: Plan, reference_directories: Mapping[str, str]) -> None:
        self.plan = plan
        self.folder: str = plan.config["fetched"]
        self.reference_directories = reference_directories
        self._catalog = functools.cache(self._fetched_catalog)

    def own_references(self, asn: str) -> bool:
        """Whether the user says where the reference files of an association's instrument are."""
        return settings.reference_variable(asn) in self.reference_directories

    def fetched_folder(self, asn: str) -> dict[str, str]:
        """Return the folder of fetched reference files, by the instrument's variable, where nobody has set that."""
        variable = settings.reference_variable(asn)
        folder = f"{self.folder}/references/{variable}"
        there = self.plan.config["network"] or os.path.isdir(folder)  # noqa: PTH112
        return {variable: folder} if there and not self.own_references(asn) else {}

    def references(self, asn: str) -> dict[str, str]:
        """Return the folders of reference files by the variables that headers name them with."""
        return {**self.reference_directories, **self.fetched_folder(asn)}

    def reference_listing(self, asn: str) -> str | list[str]:
        """Return the list of a visit's reference files, where they are fetched and not in a folder of the user's."""
        path = f"{self.folder}/references/{self.visit_of(asn)}.ecsv"
        if not self.own_references(asn) and (self.plan.config["network"] or os.path.exists(path)):  # noqa: PTH110
            return self.plan.given(path)
        return []

    def visit_of(self, asn: str) -> str:
        """Return what an association is fetched with: its programme and visit, or what the user groups with it."""
        return self.plan.visits.fetched_with(asn)

    def _to_come(self, path: Path) -> str:
        """Return the path of a file to be fetched; without a connection, the one whose job says what is missing."""
        if self.plan.config["network"]:
            return self.plan.given(str(path))
        return f"{self.plan.out}/missing/{os.path.relpath(path, self.folder)}"

    def _fetched_catalog(self, visit: str, catalog: str) -> str:
        """Return the table that covers all exposures of a visit, there or to be fetched."""
        there, missing = fetched.catalog(self.folder, visit, self.plan.index, catalog, self.plan.visits)
        return self._to_come(missing) if missing else self.plan.given(str(there))

    def catalog(self, asn: str, name: str) -> str:
        """Return the table of a reference catalogue: the user's, or the one fetched for the visit."""
        file = self.plan.catalogs[name].get("file")
        return self.plan.given(file) if file else self._catalog(self.visit_of(asn), name)

    def catalog_options(self, name: str) -> dict[str, Any]:
        """Return what the configuration says of the positions in a catalogue."""
        return {key: self.plan.catalogs[name][key] for key in ("epoch", "without_pm", "parallax")}

    def tables(self, asn: str, kind: str) -> list[str]:
        """Return the tables of headerlets or offsets that an association needs, there or to be fetched, sorted."""
        there, missing = fetched.tables(
            self.folder, kind, self.visit_of(asn), self.plan.index, list(self.plan.members(asn)), self.plan.visits
        )
        return sorted([*(self.plan.given(str(path)) for path in there), *([self._to_come(missing)] if missing else [])])

    def headerlet_folder(self, asn: str) -> str | None:
        """Return where the headerlets of the astrometry database are, None where none are wanted."""
        given: str | None = self.plan.config["solutions"]["headerlets"]
        return f"{self.folder}/headerlets/{self.visit_of(asn)}" if given == "fetch" else given

    def headerlets(self, asn: str) -> list[str]:
        """Return headerlets for the members: what is known before they are opened (DESTIM decides in the job).

        Of fetched ones the indexes stand for all: which there are is not known before they are fetched.
        """
        folder = self.plan.config["solutions"]["headerlets"]
        if folder == "fetch":
            return self.tables(asn, "headerlets")
        return self._given(associations.headerlets_for(folder, self.plan.members(asn))) if folder else []

    def headerlets_of(self, asn: str, candidate: str) -> list[str]:
        """Return headerlets of a candidate's own folder: for the members, and of those that do not say for what."""
        folder = self.plan.config["alternatives"][candidate].get("headerlets")
        if not folder:
            return []
        return self._given(
            [*associations.headerlets_for(folder, self.plan.members(asn)), *associations.unreadable_headerlets(folder)]
        )

    def offsets(self, asn: str) -> list[str]:
        """Return the tables of guide-star offsets."""
        given = self.plan.config["solutions"]["offsets"]
        if given == "fetch":
            return self.tables(asn, "offsets")
        return self._given([given] if given else [])

    def _given(self, paths: Iterable[str]) -> list[str]:
        return [self.plan.given(path) for path in paths]

    def all_tables(self, asn: str) -> list[str]:
        """Return the tables below the folder of fetched files that an association reads."""
        found = [self.catalog(asn, name) for name, entry in self.plan.catalogs.items() if entry.get("service")]
        for kind in ("headerlets", "offsets"):
            if self.plan.config["solutions"][kind] == "fetch":
                found += self.tables(asn, kind)
        return found
