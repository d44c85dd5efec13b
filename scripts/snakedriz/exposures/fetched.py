"""Which files are kept of a visit, and whether they cover its exposures. Asks nobody: read when jobs are planned.

A visit grows: exposures may come after the first fetch. What was fetched first stays as it is; what it does not cover
is fetched into a further file beside it, whose name has a key of what was asked.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from snakedriz.artefacts.provenance import Provenance, sidecar
from snakedriz.exposures import coverage
from snakedriz.exposures.association import FileIndex
from snakedriz.exposures.visits import Visits
from snakedriz.geometry import Cone

#: The outlines of all chips of a visit, read once for all its catalogues.
_outlines = functools.lru_cache(maxsize=16)(coverage.outlines)
#: Each observed visit by itself.
ONE_BY_ONE = Visits()
#: Ends of names of further files: an underscore and the key of what they were asked for.
KEY = r"(?:_[0-9a-f]{8})?"


def exposures(index: FileIndex, name: str, visits: Visits = ONE_BY_ONE) -> dict[str, str]:
    """Return one calibrated file of every exposure of a visit, by rootname."""
    roots = [root for root in index.rootnames("flt", "flc") if visits.fetched_with(root) == name]
    return {root: (index.paths(root, "flc") or index.paths(root, "flt"))[0] for root in sorted(roots)}


def first(folder: str | Path, kind: str, name: str, catalog: str = "") -> Path:
    """Return the path of the first file of a kind (headerlets, offsets, catalogs) for a visit."""
    folder = Path(folder)
    if kind == "headerlets":
        return folder / kind / name / "index.ecsv"
    return folder / kind / (f"{name}_{catalog}.ecsv" if catalog else f"{name}.ecsv")


def further(path: Path, asked: str) -> Path:
    """Return the path of a further file beside the first one."""
    return path.with_name(f"{path.stem}_{hashlib.sha256(asked.encode()).hexdigest()[:8]}{path.suffix}")


def files(path: Path) -> list[Path]:
    """Return the first file and the further ones beside it, as far as they are there, sorted by name."""
    wanted = re.compile(re.escape(path.stem) + KEY + re.escape(path.suffix))
    there = path.parent.iterdir() if path.parent.is_dir() else ()
    return sorted(other for other in there if wanted.fullmatch(other.name))


def _said(path: Path, key: str) -> Any:
    """Return a member of what a file was asked for; None where it does not say, as one that a person put there.

    The record beside it is quicker to read than the table, which says the same.
    """
    if sidecar(path).is_file():
        return Provenance.read(sidecar(path)).query.get(key)
    from astropy.table.meta import get_header_from_yaml

    with path.open(encoding="utf-8") as stream:  # the header alone: rows may be many
        lines = [line[2:] for line in itertools.takewhile(lambda line: line.startswith("#"), stream)]
    return (get_header_from_yaml(lines).get("meta") or {}).get(key) if lines else None


def asked(path: Path) -> frozenset[str] | None:
    """Return the rootnames that a table of headerlets or offsets was asked for; None: taken to cover all."""
    said = _said(path, "rootnames")
    return None if said is None else frozenset(said)


def uncovered(paths: Iterable[Path], roots: Iterable[str]) -> list[str]:
    """Return the rootnames that none of the tables was asked for, sorted."""
    left = set(roots)
    for path in paths:
        said = asked(path)
        left = set() if said is None else left - said
    return sorted(left)


def tables(
    folder: str | Path, kind: str, name: str, index: FileIndex, roots: Sequence[str], visits: Visits = ONE_BY_ONE
) -> tuple[list[Path], Path | None]:
    """Return the tables (of headerlets, offsets) that exposures of a visit need: those that are there, and one to come.

    Parameters
    ----------
    folder : path
        Of fetched files.
    kind : {"headerlets", "offsets"}
    name : str
        Visit.
    index : FileIndex
        Of the input folder: what is to come is for all exposures there of the visit that nothing covers.
    roots : sequence of str
        Exposures that are needed.
    visits : Visits
        What a visit is.
    """
    path = first(folder, kind, name)
    there = files(path)
    every = exposures(index, name, visits)
    if there and not uncovered(there, [root for root in roots if root in every]):
        return there, None
    return there, further(path, ",".join(uncovered(there, every))) if there else path


def field(path: Path) -> Cone | None:
    """Return the cone that a catalogue was asked for; None where it does not say, as one that a person put there."""
    if sidecar(path).is_file():
        query = Provenance.read(sidecar(path)).query
        return Cone(query["ra"], query["dec"], query["radius_deg"])
    said = _said(path, "field")
    return None if said is None else Cone(*map(float, said))


def catalog(
    folder: str | Path, name: str, index: FileIndex, catalog: str, visits: Visits = ONE_BY_ONE
) -> tuple[Path | None, Path | None]:
    """Return the table of a reference catalogue that covers a visit: the one that is there, or else one to come.

    Parameters
    ----------
    folder : path
        Of fetched files.
    name : str
        Visit.
    index : FileIndex
        Of the input folder.
    catalog : str
        Name of the catalogue.
    visits : Visits
        What a visit is.
    """
    path = first(folder, "catalogs", name, catalog)
    there = {one: field(one) for one in files(path)}
    if not there:
        return None, path
    for one, said in there.items():
        if said is None:
            return one, None
    paths = tuple(exposures(index, name, visits).values())
    corners = _outlines(paths)
    fitting = [(said.radius, one) for one, said in there.items() if said is not None and said.covers(corners)]
    if fitting or not corners:
        return min(fitting)[1] if fitting else min(there), None
    cone = coverage.cone(paths)
    return None, further(path, f"{cone.ra} {cone.dec} {cone.radius}")
