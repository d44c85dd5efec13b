"""What belongs together: association tables, single exposures, and the files of each exposure."""

from __future__ import annotations

import difflib
import functools
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from snakedriz.artefacts.inventory import Kind
from snakedriz.errors import SnakedrizError
from snakedriz.fits_headers.fast_header import primary_cards, table_rows
from snakedriz.fits_headers.rootnames import EXPOSURE_KINDS, KINDS, ROOTNAME, ExposureKey, clean_name

TABLE_REMEDY = "correct the table, or fetch it again"


class FileIndex:
    """Where the input files are: one recursive scan of a folder, symbolic links followed, hidden names left out.

    Parameters
    ----------
    directory : str or Path
        Folder to scan. Paths are given out as this path joined with what is below it: relative if it is relative.
    exclude : collection of str or Path
        Folders not to enter, such as the results of the workflow where they lie inside the input folder.

    Raises
    ------
    SnakedrizError
        If the folder does not exist or a folder below it cannot be read.
    """

    def __init__(self, directory: str | Path, exclude: Collection[str | Path] = ()) -> None:
        self.directory = os.fspath(directory)
        self._files: dict[ExposureKey, list[str]] = {}
        if not os.path.isdir(self.directory):  # noqa: PTH112
            raise SnakedrizError(
                f"{self.directory}: the input folder does not exist", "set `input:` in the configuration"
            )
        seen = {_identity(os.fspath(path)) for path in exclude if os.path.isdir(path)}  # noqa: PTH112
        seen.discard(_identity(self.directory))
        folders = [self.directory]
        while folders:
            folder = folders.pop()
            identity = _identity(folder)
            if identity in seen:  # excluded, or reached before through a link
                continue
            seen.add(identity)
            folders.extend(self._scan(folder))
        for paths in self._files.values():
            paths.sort()

    def _scan(self, folder: str) -> list[str]:
        below = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    name = entry.name.lower()
                    if name.startswith("."):
                        continue
                    if name.endswith(".fits"):
                        key = ExposureKey.parse(name)
                        if key.kind in KINDS and key.rootname and entry.is_file():
                            self._files.setdefault(key, []).append(entry.path)
                    elif entry.is_dir():
                        below.append(entry.path)
        except OSError as error:
            raise SnakedrizError(
                f"{folder}: cannot be read: {error.strerror or error}", "make the folder readable"
            ) from error
        return below

    def path(self, name: str) -> str:
        """Return the path of a file by its name, ``<rootname>_<kind>.fits``.

        Raises
        ------
        SnakedrizError
            If there is no such file, or more than one.
        """
        found = self.get(*ExposureKey.parse(name))
        if found is None:
            raise SnakedrizError(f"{name} was not found below {self.directory}", "put it there")
        return found

    def get(self, rootname: str, kind: str) -> str | None:
        """Return the path of ``<rootname>_<kind>.fits``, or None.

        Raises
        ------
        SnakedrizError
            If two files of that name lie in different folders.
        """
        paths = self._files.get(ExposureKey(rootname, kind))
        if not paths:
            return None
        if len(paths) > 1:
            raise SnakedrizError(
                f"{rootname}_{kind}.fits is there more than once below {self.directory}: {', '.join(paths)}",
                "keep the one that is meant and move the others away",
            )
        return paths[0]

    def paths(self, rootname: str, kind: str) -> list[str]:
        """Return all files of that name, sorted: none, one, or several in different folders."""
        return list(self._files.get(ExposureKey(rootname, kind), ()))

    def has(self, rootname: str, kind: str) -> bool:
        """Whether there is at least one such file."""
        return (rootname, kind) in self._files

    def rootnames(self, *kinds: str) -> list[str]:
        """Return the rootnames that have a file of one of the kinds, sorted."""
        return sorted({root for root, kind in self._files if kind in kinds and ROOTNAME.fullmatch(root)})


@dataclass(frozen=True)
class AssociationMember:
    """One exposure of an association: rootname (lower case), MEMTYPE (upper case) and MEMPRSNT."""

    rootname: str
    type: str
    present: bool


@dataclass(frozen=True)
class Association:
    """Exposures that make one product.

    Attributes
    ----------
    name : str
        Rootname of the table or of the single exposure, lower case.
    kind : str
        ``association`` or ``single``.
    table : str or None
        Path of the association table.
    members : tuple of AssociationMember
        Exposures in the order of the table, those not present included.
    product : str
        Rootname of the final product, which may differ from the table's.
    subproducts : tuple of str
        Products of parts of the exposures that the table names (CR-split and repeat groups). All exposures go into the
        one product; these names are recorded only.
    kinds : tuple of str
        Kinds of calibrated files that are there for all exposures, the one to verify with first: ``("flc", "flt")``,
        ``("flt",)`` or ``("flc",)``; empty if there is a problem, or for WFPC2 files.
    warnings : tuple of str
        What files were left aside.
    problem : SnakedrizError or None
        Why this cannot be processed as it is (a damaged table, a missing file). It is kept
        here instead of being raised so that one bad association among many fails in its own job.
    """

    name: str
    kind: Literal["association", "single"]
    table: str | None
    members: tuple[AssociationMember, ...]
    product: str
    subproducts: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()
    warnings: tuple[str, ...] = ()
    problem: SnakedrizError | None = None

    @property
    def verification_kind(self) -> Kind | None:
        """``flc`` where every exposure has one, else ``flt``: what candidates are judged on."""
        return self.kinds[0] if self.kinds else None

    @functools.cached_property
    def present(self) -> tuple[str, ...]:
        """Rootnames of the exposures that the table says are there."""
        return tuple(member.rootname for member in self.members if member.present)


@dataclass(frozen=True)
class ExposureFiles:
    """Files of one exposure, None where there is none."""

    rootname: str
    raw: str | None
    flt: str | None
    flc: str | None


def find(index: FileIndex, name: str) -> str:
    """Return the rootname of the association or single exposure called `name`, without reading any table.

    Raises
    ------
    SnakedrizError
        If there is neither a table nor an exposure of that name.
    """
    root = clean_name(name)
    if ROOTNAME.fullmatch(root) and any(index.has(root, kind) for kind in ("asn", *EXPOSURE_KINDS)):
        return root
    known = index.rootnames("asn", *EXPOSURE_KINDS)
    near = difflib.get_close_matches(root, known, n=1)
    remedy = f"did you mean {near[0]}? Correct the name" if near else "correct the name, or put the files there"
    raise SnakedrizError(
        f"{name}: neither {root}_asn.fits nor {root}_raw.fits, _flt.fits or _flc.fits was found below "
        f"{index.directory}",
        remedy,
    )


def list_associations(index: FileIndex) -> list[str]:
    """Return the rootnames of everything there is to process, sorted.

    These are all association tables, and all single exposures (a raw file, or a lone FLT or FLC without raw) that
    belong to no table. A table that cannot be read is listed too: its own job will say what is wrong with it.
    """
    tables = index.rootnames("asn")
    taken = set(tables)
    for name in tables:
        try:
            association = _read_table(index, name)
        except SnakedrizError:  # said again, and reported, by the association's own job
            continue
        taken.update(member.rootname for member in association.members)
        taken.update((association.product, *association.subproducts))
    return sorted({*tables, *(set(index.rootnames(*EXPOSURE_KINDS)) - taken)})


def read(index: FileIndex, name: str) -> Association:
    """Read one association and see which of its files are there.

    Parameters
    ----------
    index : FileIndex
        Where the files are.
    name : str
        Rootname of a table or of a single exposure.

    Returns
    -------
    Association
        With `problem` set if the table is damaged, lacks a column or names no exposure, if a calibrated file of an
        exposure is missing, or if a name occurs in two folders.

    Raises
    ------
    SnakedrizError
        If there is nothing of that name.
    """
    root = find(index, name)
    association = Association(root, "association" if index.has(root, "asn") else "single", None, (), root)
    try:
        association = _read_table(index, root)
        if is_wfpc2(index, association):
            return association
        files = _exposure_files(index, association)
        found, warnings = _kinds(index, association, files)
    except SnakedrizError as error:
        return replace(association, problem=error)
    return replace(association, kinds=tuple(found), warnings=tuple(warnings))


def _read_table(index: FileIndex, root: str) -> Association:
    table = index.get(root, "asn")
    if table is None:
        return Association(root, "single", None, (AssociationMember(root, "SINGLE", True),), root)
    members: dict[str, AssociationMember] = {}
    products: list[tuple[str, str]] = []
    for number, row in enumerate(table_rows(table, ("MEMNAME", "MEMTYPE", "MEMPRSNT")), start=1):
        missing = {"MEMNAME", "MEMTYPE"} - set(row)
        if missing:
            raise SnakedrizError(
                f"{table}: not an association table: it has no column {' or '.join(sorted(missing))}", TABLE_REMEDY
            )
        member, kind = row["MEMNAME"].lower(), row["MEMTYPE"].upper()
        if not member:
            continue
        if not ROOTNAME.fullmatch(member):
            raise SnakedrizError(
                f"{table}: row {number}: MEMNAME {member!r} is not a rootname of letters and digits", TABLE_REMEDY
            )
        if kind.startswith("PROD"):
            products.append((kind, member))
        elif kind.startswith("EXP"):
            members.setdefault(member, AssociationMember(member, kind, row.get("MEMPRSNT", True)))
    if not members:
        raise SnakedrizError(f"{table}: names no exposure (no row with a MEMTYPE that begins with EXP)", TABLE_REMEDY)
    product = _product(root, products)
    others = tuple(dict.fromkeys(name for _, name in products if name != product))
    found = Association(root, "association", table, tuple(members.values()), product, others)
    if not found.present:
        raise SnakedrizError(f"{table}: none of the exposures it names is marked as present (MEMPRSNT)", TABLE_REMEDY)
    return found


def _product(root: str, products: Sequence[tuple[str, str]]) -> str:
    """Return the one product: PROD-DTH, else the only product named, else the table's own name.

    Several CR-split products without a PROD-DTH have no name for the whole, so the whole takes the table's.
    """
    dithered = [name for kind, name in products if kind == "PROD-DTH"]
    if dithered:
        return dithered[0]
    return products[0][1] if len({name for _, name in products}) == 1 else root


def _exposure_files(index: FileIndex, association: Association) -> list[ExposureFiles]:
    """Return the files of the exposures that are present, in the order of the table.

    Raises
    ------
    SnakedrizError
        If an exposure has neither FLT nor FLC, or a name occurs in two folders.
    """
    roots = association.present
    found = [ExposureFiles(root, *(index.get(root, kind) for kind in ("raw", "flt", "flc"))) for root in roots]
    missing = [files.rootname for files in found if files.flt is None and files.flc is None]
    if missing:
        raise _missing(index, association, missing, ("flt", "flc"))
    return found


def files(association: Association, index: FileIndex) -> list[str]:
    """Return all files that the inventory of an association depends on, as far as they are there: exposures first.

    Nothing is raised for what is missing or ambiguous; the inventory itself will say it.
    """
    found = [
        path
        for kind in (*association.kinds, "raw", "c0m", "d0m")
        for root in association.present
        if len(index.paths(root, kind)) == 1
        for path in index.paths(root, kind)
    ]
    return [*found, *index.paths(association.name, "asn")]


def _kinds(index: FileIndex, association: Association, files: Sequence[ExposureFiles]) -> tuple[list[Kind], list[str]]:
    """Say which kinds of calibrated files the association has, the one to verify with first.

    FLC leads where every present exposure has one; otherwise FLT serves for all, and the FLC of a part are left aside,
    because exposures with and without CTE correction do not belong in one product.

    Returns
    -------
    kinds : list of str
        ``["flc", "flt"]``, ``["flt"]`` or ``["flc"]``.
    warnings : list of str
        What was left aside.

    Raises
    ------
    SnakedrizError
        If no kind is there for all exposures.
    """
    with_flc = [f.rootname for f in files if f.flc is not None]
    with_flt = [f.rootname for f in files if f.flt is not None]
    both: tuple[tuple[Kind, list[str]], ...] = (("flc", with_flc), ("flt", with_flt))
    complete = [kind for kind, have in both if len(have) == len(files)]
    if not complete:
        without = [f.rootname for f in files if f.flt is None]
        raise _missing(index, association, without, ("flt",))
    warnings = []
    for kind, have in both:
        if have and kind not in complete:
            lacking = [f.rootname for f in files if f.rootname not in have]
            warnings.append(
                f"{', '.join(lacking)} {'has' if len(lacking) == 1 else 'have'} no {kind.upper()}: "
                f"the {kind.upper()} files of the others are left aside, {complete[0].upper()} is used for all"
            )
    return complete, warnings


def headerlets_for(folder: str | Path, rootnames: Collection[str]) -> list[str]:
    """Return the headerlet files below `folder` that are meant for one of the exposures (keyword DESTIM), sorted.

    The folder is read once for all associations. A file that cannot be read is left out here; the job that opens the
    headerlets says what is wrong with it.
    """
    wanted = set(rootnames)
    return [path for path, root in _headerlet_targets(os.fspath(folder)) if root in wanted]


def unreadable_headerlets(folder: str | Path) -> list[str]:
    """Return the headerlet files below `folder` that do not say which exposure they are for, sorted."""
    return [path for path, root in _headerlet_targets(os.fspath(folder)) if not root]


@functools.cache
def _headerlet_targets(folder: str) -> tuple[tuple[str, str | None], ...]:
    found: list[tuple[str, str | None]] = []
    for path in sorted(map(str, Path(folder).rglob("*hlet.fits"))):
        try:
            found.append((path, str(primary_cards(path, ("DESTIM",)).get("DESTIM") or "").strip().lower()))
        except SnakedrizError:
            found.append((path, None))
    return tuple(found)


def is_wfpc2(index: FileIndex, association: Association) -> bool:
    """Whether the exposures are WFPC2 files (c0m or d0m) and nothing else."""
    return any(index.has(root, kind) for root in association.present for kind in ("c0m", "d0m")) and not any(
        index.has(root, kind) for root in association.present for kind in ("flt", "flc")
    )


def _missing(index: FileIndex, association: Association, roots: Sequence[str], wanted: Sequence[str]) -> SnakedrizError:
    files = " or ".join(f"_{kind}.fits" for kind in wanted)
    names = ", ".join(roots)
    if association.table is None:
        return SnakedrizError(
            f"{names}: no calibrated file ({names}{files}) was found below {index.directory}", "put it there"
        )
    return SnakedrizError(
        f"{names}: named in {association.table}, but no file {files} was found below {index.directory}",
        "put the missing file there, or mark the exposure as not present (MEMPRSNT = F) in a copy of the table",
    )


def _identity(path: str) -> tuple[int, int]:
    status = os.stat(path)  # noqa: PTH116
    return status.st_dev, status.st_ino
