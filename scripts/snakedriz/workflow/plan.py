"""What a run works on, and where everything it makes goes: the paths that rules are written with.

A `Plan` is made once, when Snakemake reads the Snakefile. Association tables and headers are read when they are first
asked for, and kept: a rule's functions are called for every job.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from snakedriz import settings
from snakedriz.exposures import association as associations
from snakedriz.exposures import inventory
from snakedriz.exposures.association import Association, FileIndex
from snakedriz.exposures.visits import Visits
from snakedriz.workflow import resources
from snakedriz.workflow.fetched_files import FetchedFiles

#: Suffix of the product that is drizzled from the exposures of a kind.
PRODUCT_OF = {"flc": "drc", "flt": "drz"}
KIND_OF = {product: kind for kind, product in PRODUCT_OF.items()}

#: Gives for the wildcards of a job the files whose size counts.
Sized = Callable[[Any], str | Sequence[str]]


class Plan:
    """Configuration, input files and associations of a run, with the paths of what is made of them.

    Parameters
    ----------
    config : mapping
        Snakemake's configuration, not yet checked.
    environ : mapping
        Usually `os.environ`: switches and folders of reference files.
    given : callable
        Marks the path of a file that the run finds and does not make, such that no prefix of a workflow that uses this
        one is put before it: Snakemake's `local`.

    Attributes
    ----------
    config : Configuration
        The configuration, checked and complete.
    out : str
        Folder of results.
    fetched : FetchedFiles
        What services have for the associations, and the user's files that stand for it.
    catalogs : dict
        Configuration of the reference catalogues by name, in order of preference.
    switches, versions, detectors : dict
        Environment switches; versions of software that results depend on; numbers per detector.

    Raises
    ------
    SnakedrizError
        For a configuration that is wrong, or results that cannot be written where it says.
    """

    def __init__(
        self, config: Mapping[str, Any], environ: Mapping[str, str], given: Callable[[str], str] = str
    ) -> None:
        self.config = settings.validate_config(config)
        settings.check_output(self.config["output"])
        self.switches = settings.environment_switches(environ)
        self.versions = settings.software_versions()
        self.detectors = settings.load_detectors()
        self.visits = Visits(self.config["visit"]["group"])
        self.out: str = self.config["output"]
        self.catalogs: dict[str, Mapping[str, Any]] = {entry["name"]: entry for entry in self.config["catalogs"]}
        self.fetched = FetchedFiles(self, settings.reference_directories(self.config.as_dict(), environ))
        self.given = functools.cache(given)
        self.association = functools.cache(self._association)
        self.is_processed = functools.cache(self._is_processed)
        self.associations_of = functools.cache(self._associations_of)

    # Input: exposures and associations

    @functools.cached_property
    def index(self) -> FileIndex:
        """The files of the input folder, which is scanned when they are first asked for."""
        return FileIndex(self.config["input"], exclude=[self.out])

    def _association(self, name: str) -> Association:
        """Return an association table, or single exposure. What is wrong with it, its inventory job reports."""
        return associations.read(self.index, name)

    @functools.cached_property
    def wanted(self) -> list[str]:
        """Names of the associations asked for, sorted."""
        if self.config["associations"] == "all":
            return associations.list_associations(self.index)
        return sorted(set(self.config["associations"]))

    def _is_processed(self, asn: str) -> bool:
        """Whether headers alone say that there is something to process."""
        return inventory.quick_outcome(self.association(asn), self.index)[0]

    @functools.cached_property
    def processed(self) -> list[str]:
        """The associations asked for that have something to process, sorted."""
        return [asn for asn in self.wanted if self.is_processed(asn)]

    def is_complete(self, asn: str) -> bool:
        """Whether an association and all its exposures are in the input folder."""
        if not os.path.isdir(self.config["input"]):  # noqa: PTH112
            return False
        if not any(self.index.has(asn, kind) for kind in ("asn", "raw", "flt", "flc")):
            return False
        return self.association(asn).problem is None

    def members(self, asn: str) -> Sequence[str]:
        """Return the rootnames of the exposures of an association, in the order of its table."""
        return self.association(asn).present

    def kinds(self, asn: str) -> Sequence[str]:
        """Return the kinds of calibrated files that every exposure has, the one that candidates are judged on first."""
        return self.association(asn).kinds or ("flt",)

    def judged_kind(self, asn: str) -> str:
        """Return the kind of the exposures that candidates are judged on."""
        return self.kinds(asn)[0]

    def exposure(self, root: str, kind: str) -> str | list[str]:
        """Return the path of an exposure; an empty list where it is missing, which the inventory reports."""
        path = self.index.get(root, kind)
        return self.given(path) if path else []

    def exposures(self, asn: str, *kinds: str) -> list[str]:
        """Return the paths of the exposures of an association, by default of the kind that candidates are judged on."""
        found = (self.index.get(root, kind) for kind in kinds or self.kinds(asn)[:1] for root in self.members(asn))
        return [self.given(path) for path in found if path]

    def all_exposures(self, asn: str) -> list[str]:
        """Return the paths of the exposures of an association, of all kinds."""
        return self.exposures(asn, *self.kinds(asn))

    def association_files(self, asn: str) -> list[str]:
        """Return the table and every file of every exposure."""
        return [self.given(path) for path in associations.files(self.association(asn), self.index)]

    # Candidates

    def may_apply(self, candidate: str) -> bool:
        """Whether a candidate can have products at all, as far as the configuration tells."""
        if candidate == "apriori":
            return self.switches["apply_apriori"] and any(self.config["solutions"].values())
        if candidate in ("aposteriori", "visit"):
            return self.switches["compute_aposteriori"] and bool(self.catalogs)
        return True

    def candidates(self, asn: str) -> list[str]:
        """Return the candidates of an association."""
        return self.config["candidates"] if self.is_processed(asn) else []

    def folder(self, asn: str, candidate: str) -> str:
        """Return the folder of a candidate."""
        return f"{self.out}/{asn}/{asn}_{candidate}"

    def of_every_candidate(self, file: str) -> Callable[[Any], list[str]]:
        """Return a function that gives one file of every candidate of a job's association; ``{asn}`` is its name."""

        def files(wildcards: Any) -> list[str]:
            asn = wildcards.asn
            return [f"{self.folder(asn, name)}/{file.format(asn=asn)}" for name in self.candidates(asn)]

        return _signed(files)

    def drizzled(self, asn: str, candidate: str, what: str = "") -> str:
        """Return the path of the product that a candidate is judged on, or of what is named like it (``_crmask``)."""
        return f"{self.folder(asn, candidate)}/{asn}_{PRODUCT_OF[self.judged_kind(asn)]}{what}.fits"

    def crmasks(self, asn: str) -> list[str]:
        """Return the CR masks of every candidate that may apply, with which it is judged."""
        return [self.drizzled(asn, name, "_crmask") for name in self.candidates(asn) if self.may_apply(name)]

    def flags_to_reuse(self, asn: str, candidate: str = "") -> list[str]:
        """Return the default candidate's verdict, which says whether its CR flags can be trusted, and the flags.

        Nothing for the default itself.
        """
        if candidate == "default":
            return []
        return [f"{self.folder(asn, 'default')}/verification.json", self.drizzled(asn, "default", "_crmask")]

    def to_verify(self, asn: str, candidate: str) -> list[str]:
        """Return product and singles of a candidate; nothing where the configuration rules the candidate out."""
        if not self.may_apply(candidate):
            return []
        return [self.drizzled(asn, candidate), self.drizzled(asn, candidate, "_singles")]

    def to_compare_with(self, asn: str, candidate: str) -> list[str]:
        """Return product and verification of the default candidate, for the others."""
        if candidate == "default" or not self.may_apply(candidate):
            return []
        return [self.drizzled(asn, "default"), f"{self.folder(asn, 'default')}/verification.json"]

    def geometry_to_compare(self, asn: str, candidate: str) -> list[str]:
        """Return the bundles of headers of the default candidate and of another one."""
        if candidate == "default" or not self.may_apply(candidate):
            return []
        return [f"{self.folder(asn, name)}/{asn}_wcs.fits" for name in ("default", candidate)]

    def drizzlepac_numbers(self, asn: str, candidate: str) -> str | list[str]:
        """Return what drizzlepac 3.11 would say, where that is wanted and the candidate may apply."""
        wanted = self.config["promotion"]["drizzlepac_numbers"] and self.may_apply(candidate)
        return f"{self.folder(asn, candidate)}/drizzlepac.json" if wanted else []

    def astrometry(self, asn: str, candidate: str) -> str | list[str]:
        """Return the astrometry of a candidate, where there are catalogues and the candidate may apply."""
        wanted = self.catalogs and self.may_apply(candidate)
        return f"{self.folder(asn, candidate)}/astrometry.json" if wanted else []

    def keeps(self, least: str) -> bool:
        """Whether the configuration keeps as much as that: all, candidates or final."""
        return settings.KEEP.index(self.config["keep"]) <= settings.KEEP.index(least)

    # Sources and fits

    def sources(self, asn: str) -> list[str]:
        """Return the source tables of all members."""
        return [f"{self.out}/{asn}/sources/{root}.ecsv" for root in self.members(asn)]

    def fits(self, asn: str, catalog: str) -> list[str]:
        """Return every combination of method and geometry with a catalogue, in order of preference."""
        return [f"{self.out}/{asn}/fits/{catalog}_{name}.json" for name in settings.kinds_of_fit(self.config)]

    def all_fits(self, asn: str) -> list[str]:
        """Return every combination of catalogue, method and geometry, in order of preference."""
        if not self.may_apply("aposteriori"):
            return []
        return [path for catalog in self.catalogs for path in self.fits(asn, catalog)]

    def fits_chosen_from(self, asn: str, candidate: str) -> list[str]:
        """Return the fits that a candidate is one of; of those of a visit, which are other associations', none."""
        return self.all_fits(asn) if candidate == "aposteriori" else []

    def start_of_fit(self, asn: str) -> list[str]:
        """Return outcome and headers of the default, and of the a priori where it is asked for: fits start from it."""
        apriori = "apriori" in self.config["candidates"] and self.may_apply("apriori")
        return [
            f"{self.folder(asn, name)}/{file}"
            for name in (["default", "apriori"] if apriori else ["default"])
            for file in ("solution.json", f"{asn}_wcs.fits")
        ]

    def sources_to_compare(self, asn: str, candidate: str) -> list[str]:
        """Return the source tables; nothing where the configuration rules the candidate out."""
        return self.sources(asn) if self.may_apply(candidate) else []

    def catalogs_to_compare_with(self, asn: str, candidate: str) -> list[str]:
        """Return the reference catalogues in the field, in order of preference."""
        return self.field_catalogs(asn) if self.may_apply(candidate) else []

    def field_catalogs(self, asn: str) -> list[str]:
        """Return the reference catalogues in the field of an association, in order of preference."""
        return [f"{self.out}/{asn}/catalogs/{name}.ecsv" for name in self.catalogs]

    # Visits

    def visit_of(self, asn: str) -> str:
        """Return the visit that an association is fitted with as one body."""
        return self.visits.of(asn)

    def _associations_of(self, visit: str) -> list[str]:
        """Return the associations of a visit that are to be processed, sorted."""
        found = self.visits.associations(self.wanted, visit)
        return [asn for asn in found if self.is_processed(asn)]

    def of_every_association(self, pattern: str) -> Callable[[Any], list[str]]:
        """Return a function that gives one file of every association of a job's visit."""
        return lambda wildcards: [pattern.format(asn=asn) for asn in self.associations_of(wildcards.visit)]

    def visit_sources(self, visit: str) -> list[str]:
        """Return the source tables of a visit, one for an exposure that two associations have."""
        found = {
            root: path
            for asn in self.associations_of(visit)
            for root, path in zip(self.members(asn), self.sources(asn), strict=True)
        }
        return sorted(found.values())

    def visit_fits(self, asn: str) -> list[str]:
        """Return every combination of catalogue and geometry for an association's visit, in order of preference."""
        if not self.may_apply("visit"):
            return []
        return [
            f"{self.out}/visits/{self.visit_of(asn)}/{catalog}_{geometry}.json"
            for catalog in self.catalogs
            for geometry in self.config["fitting"]["geometries"]
        ]

    def visit_exposures(self, visit: str, state: str = "inputs") -> list[str]:
        """Return the exposures of a visit as they came (inputs) or as promoted (final); of each the kind judged on."""
        found: set[str] = set()
        for asn in self.associations_of(visit):
            final = (f"{self.out}/{asn}/final/{root}_{self.judged_kind(asn)}.fits" for root in self.members(asn))
            found.update(self.exposures(asn) if state == "inputs" else final)
        return sorted(found)

    def fitted_together(self, asn: str) -> list[str]:
        """Return an association and those that it is fitted with as one body, sorted."""
        if "visit" not in self.config["candidates"]:
            return [asn]
        return sorted({asn, *self.associations_of(self.visit_of(asn))})

    # What a snapshot holds: of an association and of those that it is fitted with

    def files_used(self, asn: str) -> list[str]:
        """Return the tables and every file of every exposure."""
        return [path for one in self.fitted_together(asn) for path in self.association_files(one)]

    def fetched_used(self, asn: str) -> list[str]:
        """Return the tables below the folder of fetched files, sorted."""
        return sorted({path for one in self.fitted_together(asn) for path in self.fetched.all_tables(one)})

    def field_catalogs_used(self, asn: str) -> list[str]:
        """Return the reference catalogues in the fields."""
        together = self.fitted_together(asn) if self.may_apply("aposteriori") else []
        return [path for one in together for path in self.field_catalogs(one)]

    # Final products

    def final_products(self, asn: str) -> list[str]:
        """Return the final products of an association: DRC from FLC where there are any, and DRZ from FLT."""
        name = f"{self.out}/{asn}/final/{self.association(asn).product}"
        return [f"{name}_{PRODUCT_OF[kind]}.fits" for kind in self.kinds(asn)]

    def final_files(self, asn: str) -> list[str]:
        """Return everything in final/ that the manifest lists."""
        owners = [f"{self.out}/{asn}/final/{root}_{kind}" for kind in self.kinds(asn) for root in self.members(asn)]
        return [
            *self.final_products(asn),
            *(f"{owner}.fits" for owner in owners),
            *(f"{owner}_hlet.fits" for owner in owners),
        ]

    # What jobs ask of the machine

    def resources(self, rule: str, paths: Sized | None = None, size: float = 0) -> dict[str, Any]:
        """Return memory, time and disk space that the jobs of a rule ask for: numbers or functions of Snakemake's.

        Parameters
        ----------
        rule : str
            Its name in `snakedriz.resources.ESTIMATES`.
        paths : callable, optional
            Gives for the wildcards the files whose size counts. They must be there before anything runs, so they are
            exposures, never what another rule makes.
        size : float
            Size of what has no files yet, MB.
        """
        return {
            # what depends neither on files nor on the attempt is a number: Snakemake calls a function for every job
            quantity: resources.request(rule, quantity, size)
            if resources.is_fixed(rule, quantity)
            else _request(rule, quantity, paths, size)
            for quantity in ("mem_mb", "runtime", "disk_mb")
        }


def of_job(function: Callable[..., Any], *names: str) -> Callable[[Any], Any]:
    """Return the function of Snakemake's that calls `function` with these wildcards of a job."""

    def call(wildcards: Any) -> Any:
        return function(*[getattr(wildcards, name) for name in names])

    return _signed(call)


def _signed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Note the parameters of a function on it (PEP 362).

    Snakemake asks for them many times a job, and finding them anew takes a twentieth of the planning of many jobs.
    """
    function.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    return function


def _request(rule: str, quantity: resources.Quantity, paths: Sized | None, size: float) -> Callable[[Any, int], int]:
    def asked(wildcards: Any, attempt: int) -> int:
        found = () if paths is None else paths(wildcards)
        there = resources.megabytes([found] if isinstance(found, str) else found)
        return resources.request(rule, quantity, size + there, attempt)

    return _signed(asked)
