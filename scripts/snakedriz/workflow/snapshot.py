"""All that an association's results were made of in one archive, which makes them again offline, bit for bit.

The archive holds inputs, reference files, catalogues, solutions, the records of what was fetched, the configuration
with paths of its own, the workflow itself, the versions of the software, checksums of its content and of the products.
The same files give the same bytes: names are sorted, and times and owners are constants.
"""

from __future__ import annotations

import copy
import hashlib
import importlib.metadata
import io
import platform
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from astropy.table import Table

from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.provenance import sidecar
from snakedriz.errors import SnakedrizError
from snakedriz.files import sha256, whole

#: Of every file in an archive: 1980-01-01, the earliest that all tools accept.
MTIME = 315532800
#: What of the workflow's folder is needed to run it.
WORKFLOW = ("Snakefile", "rules", "scripts", "config", "profiles", "envs", "pyproject.toml", "LICENSE", "README.md")


class Contents:
    """Files of an archive, by their names in it."""

    def __init__(self) -> None:
        self.files: dict[str, Path | bytes] = {}

    def add(self, name: str, path: str | Path) -> None:
        """Add a file, or a folder with all that is in it; beside a fetched file goes its record.

        Raises
        ------
        SnakedrizError
            If another file has that name.
        """
        path = Path(path)
        if path.is_dir():
            for one in sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith(".")):
                self.add(f"{name}/{one.relative_to(path).as_posix()}", one)
            return
        there = self.files.setdefault(name, path)
        if there != path and isinstance(there, Path) and sha256(there) != sha256(path):
            raise SnakedrizError(f"{there} and {path} would both be {name} in the snapshot", "rename one of them")
        if sidecar(path).is_file():
            self.files[sidecar(name).as_posix()] = sidecar(path)

    def text(self, name: str, text: str) -> None:
        """Add a text."""
        self.files[name] = text.encode()

    def checksums(self) -> str:
        """Return the lines that sha256sum -c reads."""
        digests = {
            name: sha256(file) if isinstance(file, Path) else hashlib.sha256(file).hexdigest()
            for name, file in sorted(self.files.items())
        }
        return "".join(f"{digest}  {name}\n" for name, digest in digests.items())

    def write(self, path: str | Path, folder: str) -> None:
        """Write the archive; everything in it is below `folder`."""
        with whole(path) as temporary, tarfile.open(temporary, "w", format=tarfile.GNU_FORMAT) as archive:
            for name, file in sorted(self.files.items()):
                about = tarfile.TarInfo(f"{folder}/{name}")
                about.mtime, about.mode = MTIME, 0o755 if name.endswith(".sh") else 0o644
                if isinstance(file, bytes):
                    about.size = len(file)
                    archive.addfile(about, io.BytesIO(file))
                else:
                    about.size = file.stat().st_size
                    with file.open("rb") as stream:
                        archive.addfile(about, stream)


@dataclass(frozen=True)
class UsedFiles:
    """What an association used, and what was made of it.

    Attributes
    ----------
    inputs : sequence of str
        Exposures and association tables.
    inventories : sequence of Inventory
        Of the associations, for the reference files.
    fetched : sequence of str
        Files below `fetched` that were used; a table of headerlets stands for all headerlets beside it.
    tables : sequence of str
        ``catalogs/<catalog>.ecsv`` of the associations: they say which partitions of a catalogue were used.
    results : sequence of str
        What the archive makes again.
    """

    inputs: Sequence[str]
    inventories: Sequence[Inventory]
    fetched: Sequence[str]
    tables: Sequence[str]
    results: Sequence[str]


def gather(
    association: str,
    associations: Sequence[str],
    config: Mapping[str, Any],
    used: UsedFiles,
    switches: Mapping[str, bool],
    workflow: str | Path,
) -> Contents:
    """Gather what an association used.

    Parameters
    ----------
    association : str
    associations : sequence of str
        It and those of its visit, where that takes part.
    config : mapping
        Validated configuration.
    used : UsedFiles
    switches : mapping
        `settings.environment_switches`.
    workflow : path
        Folder of the Snakefile.
    """
    found, own = Contents(), copy.deepcopy(dict(config))
    for path in sorted(used.inputs):
        found.add(f"data/{Path(path).name}", path)
    references = _add_references(found, used.inventories)
    for path in sorted(used.fetched):
        place = Path(path).relative_to(config["fetched"])
        if place.parts[0] == "headerlets":
            found.add(f"fetched/{place.parent.as_posix()}", Path(path).parent)
        found.add(f"fetched/{place.as_posix()}", path)
    _add_catalogs(found, own["catalogs"], used.tables)
    _add_solutions(found, own["solutions"])
    own["candidates"] = [_candidate(name, own["alternatives"], found) for name in own["candidates"]]
    own |= {"input": "data", "output": "results", "fetched": "fetched", "network": False, "services": {}}
    own |= {"references": references, "associations": sorted(associations)}
    del own["alternatives"], own["demo"]
    found.text("config.yaml", yaml.safe_dump(own, sort_keys=True))
    for name in WORKFLOW:
        if (Path(workflow) / name).exists():
            _add_source(found, f"workflow/{name}", Path(workflow) / name)
    found.text("versions.txt", versions())
    made = Contents()
    for path in sorted(used.results):
        made.add(f"results/{Path(path).relative_to(config['output']).as_posix()}", path)
    found.text("products.sha256", made.checksums())
    found.text("rerun.sh", _script(association, [n for n in made.files if n.endswith("manifest.tsv")], switches))
    found.text("contents.sha256", found.checksums())
    return found


def _add_references(found: Contents, inventories: Iterable[Inventory]) -> dict[str, str]:
    """Add the reference files; return where they are, by the variable that headers name their folder with."""
    folders = {}
    for entry in (one for inventory in inventories for files in inventory.reference_files.values() for one in files):
        variable = entry.name.partition("$")[0].lower()
        folders[variable] = f"references/{variable}"
        found.add(f"{folders[variable]}/{Path(entry.path).name}", entry.path)
    return folders


def _add_catalogs(found: Contents, catalogs: Iterable[dict[str, Any]], tables: Iterable[str]) -> None:
    """Add the files of reference catalogues, and say in the configuration where they are."""
    parts: dict[str, list[str]] = {}
    for path in sorted(tables):
        parts.setdefault(Path(path).stem, []).extend(Table.read(path, format="ascii.ecsv").meta.get("parts", ()))
    for number, catalog in enumerate(catalogs, start=1):
        if catalog.get("file"):
            name = f"catalogs/{number}/{Path(catalog['file']).name}"
            if Path(catalog["file"]).is_dir():
                for part in sorted(set(parts.get(catalog["name"], ()))):
                    found.add(f"{name}/{part}", Path(catalog["file"]) / part)
            else:
                found.add(name, catalog["file"])
            catalog["file"] = name


def _add_solutions(found: Contents, solutions: dict[str, Any]) -> None:
    """Add the user's headerlets and offsets, and say in the configuration where they are."""
    for kind in ("headerlets", "offsets"):
        path = solutions[kind]
        if path and path != "fetch":
            solutions[kind] = kind if kind == "headerlets" else f"offsets/{Path(path).name}"
            found.add(solutions[kind], path)


def _candidate(name: str, alternatives: Mapping[str, Mapping[str, str]], found: Contents) -> Any:
    """Return an entry of `candidates` as the configuration has it; its folder of headerlets goes into the archive."""
    if name not in alternatives:
        return name
    ((way, text),) = alternatives[name].items()
    if way == "either":
        return text
    if way == "headerlets":
        found.add(f"candidates/{name}", text)
        text = f"candidates/{name}"
    return {"name": name, way: text}


def _add_source(found: Contents, name: str, path: Path) -> None:
    if path.is_file():
        found.add(name, path)
        return
    for one in sorted(path.iterdir()):
        if one.name != "__pycache__" and not one.name.endswith(".egg-info") and not one.name.startswith("."):
            _add_source(found, f"{name}/{one.name}", one)


def versions() -> str:
    """Return the versions of Python and of all that is installed, a line each, as pip's constraints."""
    there = {str(d.metadata["Name"]).lower(): d.version for d in importlib.metadata.distributions()}
    lines = [f"# Python {platform.python_version()} on {platform.system()} {platform.machine()}"]
    return "\n".join([*lines, *(f"{name}=={version}" for name, version in sorted(there.items()))]) + "\n"


def _script(association: str, targets: Sequence[str], switches: Mapping[str, bool]) -> str:
    said = {True: "on", False: "off"}
    return f"""#!/bin/sh
# Makes the products of {association} again from what is here, without a network, and compares them with the first ones.
# Wants the software of versions.txt (pip install -c versions.txt "snakedriz @ file://$PWD/workflow"). Argument: cores.
# PYTHON names the interpreter that has it, if `python` is another one.
set -eu
cd "$(dirname "$0")"
sha256sum --quiet -c contents.sha256
unset jref iref uref
export PYTHONPATH="$PWD/workflow/scripts" PYTHONDONTWRITEBYTECODE=1
export ASTROMETRY_APPLY_APRIORI={said[switches["apply_apriori"]]}
export ASTROMETRY_COMPUTE_APOSTERIORI={said[switches["compute_aposteriori"]]}
"${{PYTHON:-python}}" -m snakemake --snakefile workflow/Snakefile --configfile config.yaml --cores "${{1:-1}}" \\
    {" ".join(targets)}
sha256sum -c products.sha256
"""
