"""The inventory of an association: facts of every exposure, what is used and why not, reference files, parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from snakedriz import settings
from snakedriz.artefacts.inventory import Drizcorr, DrizzleParameters, ExposureRecord, Inventory, Kind, ReferenceFile
from snakedriz.errors import SnakedrizError
from snakedriz.exposures import association as associations
from snakedriz.exposures import facts, mdriztab, reference_files, screening
from snakedriz.exposures.association import Association, FileIndex
from snakedriz.files import sha256
from snakedriz.fits_headers.fast_header import primary_cards

WFPC2_REASON = "WFPC2 files (c0m, d0m) cannot be processed by this version of snakedriz"
ReferenceFiles = dict[Literal["IDCTAB", "D2IMFILE", "NPOLFILE", "MDRIZTAB"], list[ReferenceFile]]


@dataclass(frozen=True)
class Surroundings:
    """What an inventory depends on beside the files of its association.

    Attributes
    ----------
    references : mapping
        `references` of the configuration: folders of reference files by variable.
    drizzle : mapping
        `drizzle` of the configuration: parameters of AstroDrizzle.
    environ : mapping
        Usually `os.environ`: folders of reference files.
    detectors : mapping
        The numbers per detector, from `settings.load_detectors`.
    switches, software : mapping
        Environment switches in force and versions, to be recorded.
    """

    references: Mapping[str, str | None]
    drizzle: Mapping[str, Any]
    environ: Mapping[str, str]
    detectors: Mapping[str, Any]
    switches: Mapping[str, bool]
    software: Mapping[str, str]


@dataclass(frozen=True)
class Processing:
    """What only an association that is processed has."""

    filter: str
    reference_files: ReferenceFiles
    drizzle: DrizzleParameters
    warnings: Sequence[str] = ()


def build(association: Association, index: FileIndex, around: Surroundings) -> Inventory:
    """Take the inventory of one association.

    Parameters
    ----------
    association : Association
        From `association.read`.
    index : FileIndex
        Where the files are.
    around : Surroundings

    Returns
    -------
    Inventory
        `outcome` is ``process``, or ``not_applicable`` with a `reason`.

    Raises
    ------
    SnakedrizError
        If something is wrong with the input: a missing or damaged file, mixed detectors, a reference file not found.
    """
    drizcorr = _drizcorr(association, index)
    reason = _why_not_wanted(drizcorr)
    if association.problem and not reason:
        raise association.problem
    if associations.is_wfpc2(index, association):
        reason = WFPC2_REASON
    if reason == WFPC2_REASON or association.problem:
        exposures = [_minimal(index, root, reason) for root in association.present]
    else:
        exposures = [_exposure(association, index, root) for root in association.present]
        _check_one_detector(exposures, association.kinds[0])
    used = [exposure for exposure in exposures if exposure.used]
    if not reason and not used:
        reason = _nothing_used((exposure.rootname, exposure.reason) for exposure in exposures)
    processing = None if reason else _processing(used, association.kinds, around)
    absent = [member.rootname for member in association.members if not member.present]
    missing = [f"not present by the association table: {', '.join(absent)}"] if absent else []
    return Inventory(
        association=association.name,
        kind=association.kind,
        table=association.table,
        product=association.product,
        subproducts=association.subproducts,
        instrument=_first(exposure.instrument for exposure in exposures),
        detector=_first(exposure.detector for exposure in exposures),
        filter=processing.filter if processing else _first(exposure.filter for exposure in exposures),
        proposal=_first(exposure.proposid for exposure in exposures),
        outcome="process" if processing else "not_applicable",
        reason=reason,
        drizcorr=drizcorr,
        kinds=association.kinds,
        verification_kind=association.verification_kind,
        switches=dict(around.switches),
        software=dict(around.software),
        exposures=exposures,
        absent=absent,
        reference_files=dict(processing.reference_files) if processing else {},
        drizzle=processing.drizzle if processing else DrizzleParameters(parameters={}, origin={}, mdriztab=None),
        warnings=[
            *association.warnings, *_remarks(drizcorr), *missing, *(processing.warnings if processing else ())
        ],
    )  # fmt: skip


def quick_outcome(association: Association, index: FileIndex) -> tuple[bool, str]:
    """Say from headers alone whether an association will be processed, and why not.

    It stops at the first exposure that can be used. The verdict is that of `build`, but for data that are all zero,
    which only pixels tell. Where something is wrong with the input the answer is no, with the error as the reason: the
    inventory's own job then fails with that error, and nothing is asked of the stages after it.
    """
    try:
        reason = _why_not_wanted(_drizcorr(association, index))
        if reason:
            return False, reason
        if association.problem:
            return False, str(association.problem)
        if associations.is_wfpc2(index, association):
            return False, WFPC2_REASON
        reasons = []
        for root in association.present:
            verdict = screening.screen(*facts.headers(index.path(f"{root}_{association.kinds[0]}.fits")))
            if verdict.used:
                return True, ""
            reasons.append((root, verdict.reason))
    except SnakedrizError as error:
        return False, str(error)
    return False, _nothing_used(reasons)


def _drizcorr(association: Association, index: FileIndex) -> Drizcorr:
    """Read DRIZCORR of the first exposure: from its raw file, or, where there is none, from the calibrated one."""
    root = association.present[0] if association.present else ""
    kinds: Sequence[Literal["raw", "flc", "flt", "c0m", "d0m"]] = association.kinds or ("flc", "flt", "c0m", "d0m")
    for kind in ("raw", *kinds):
        path = next(iter(index.paths(root, kind)), None)
        if path is not None:
            value = screening.text(primary_cards(path, ("DRIZCORR",)), "DRIZCORR")
            return Drizcorr(value=value or None, source=kind, file=path)
    return Drizcorr(value=None, source=None, file=None)


def _why_not_wanted(drizcorr: Drizcorr) -> str:
    """Return why DRIZCORR does not ask for drizzling, ``''`` if it does."""
    if drizcorr.source is None or drizcorr.value == "PERFORM":
        return ""
    if drizcorr.value == "COMPLETE" and drizcorr.source != "raw":
        return ""  # an archive's calibrated file: drizzled once, and to be drizzled again
    return f"DRIZCORR is {drizcorr.value or 'not set'} in {drizcorr.file}, only PERFORM asks for drizzling"


def _remarks(drizcorr: Drizcorr) -> list[str]:
    if drizcorr.source in ("raw", None):
        return []
    again = "; COMPLETE there says that it was drizzled before, which is taken as PERFORM"
    return [f"no raw file: DRIZCORR was read from {drizcorr.file}" + again * (drizcorr.value == "COMPLETE")]


def _exposure(association: Association, index: FileIndex, root: str) -> ExposureRecord:
    """Return the entry of one exposure, every calibrated file of it checked."""
    leading = index.path(f"{root}_{association.kinds[0]}.fits")
    found = facts.read(leading)
    for kind in association.kinds[1:]:
        facts.read(index.path(f"{root}_{kind}.fits"), pixels=False)
    verdict = screening.screen(*facts.headers(leading), all_zero=bool(found.all_zero))
    warnings = list(verdict.warnings)
    if not found.all_zero:
        warnings += [f"SCI,{chip.extver}: all pixels are zero" for chip in found.chips if chip.all_zero]
    if found.rootname != root:
        warnings.append(f"{leading}: ROOTNAME in its header is {found.rootname}, the file's name is taken")
    return ExposureRecord(
        **{**vars(found), "rootname": root},
        raw=index.get(root, "raw"),
        flt=index.get(root, "flt") if "flt" in association.kinds else None,
        flc=index.get(root, "flc") if "flc" in association.kinds else None,
        used=verdict.used,
        alignable=verdict.alignable,
        reason=verdict.reason,
        warnings=warnings,
    )


def _minimal(index: FileIndex, root: str, reason: str) -> ExposureRecord:
    """Return the entry of an exposure of which only a primary header can be read, if that."""
    paths = {kind: next(iter(index.paths(root, kind)), None) for kind in associations.KINDS}
    path = next((paths[kind] for kind in ("c0m", "d0m", "raw", "flc", "flt") if paths[kind]), None)
    found = facts.primary_facts(primary_cards(path) if path else {})
    return ExposureRecord(
        **{**vars(found), "rootname": root},
        raw=paths["raw"] or paths["d0m"],
        flt=paths["flt"],
        flc=paths["flc"],
        used=False,
        alignable=False,
        reason=reason,
        warnings=[],
        wcsname=None,
        all_zero=None,
        chips=[],
    )


def _check_one_detector(exposures: Iterable[ExposureRecord], kind: Kind) -> None:
    groups: dict[str, list[str]] = {}
    for exposure in exposures:
        groups.setdefault(f"{exposure.instrument}/{exposure.detector}", []).append(exposure.file(kind))
    if len(groups) > 1:
        listed = "; ".join(f"{name}: {', '.join(paths)}" for name, paths in groups.items())
        raise SnakedrizError(
            f"the exposures of one association are of different detectors ({listed}); expected one detector",
            "split the association table",
        )


def _processing(used: Sequence[ExposureRecord], kinds: Sequence[Kind], around: Surroundings) -> Processing:
    """Find the reference files and the parameters of AstroDrizzle."""
    first = used[0]  # the first exposure in use says which table and row, as in the pipeline
    numbers = settings.detector_settings(around.detectors, first.instrument or "", first.detector or "")
    files = _reference_files(used, kinds, around)
    warnings = []
    filters = sorted({exposure.filter for exposure in used})
    if len(filters) > 1:
        warnings.append(
            f"exposures in different filters ({', '.join(filters)}) go into one product; drizzle parameters are those "
            f"for {first.filter}"
        )
    found = _mdriztab(first, kinds[0], around)
    if isinstance(found, str):
        warnings.append(found)
        base = mdriztab.fallback(numbers.get("drizzle") or {}, len(used))
    else:
        files["MDRIZTAB"] = [found]
        base = mdriztab.parameters(found.path, first.filter, len(used))
    table = None if isinstance(found, str) else found.path
    exptimes = [exposure.exptime or 0.0 for exposure in used]
    return Processing(first.filter, files, mdriztab.assemble(base, table, exptimes, around.drizzle), warnings)


def _mdriztab(first: ExposureRecord, kind: Kind, around: Surroundings) -> ReferenceFile | str:
    """Return the MDRIZTAB, or a warning where it is not to be had: it only steers the drizzling."""
    instead = "the drizzle parameters of config/detectors.yaml are used"
    owner = first.file(kind)
    try:
        table = reference_files.resolve(first.mdriztab, around.references, around.environ, "MDRIZTAB", owner)
    except SnakedrizError as error:
        return f"{error}; until then {instead}"
    if table is None:
        return f"{owner}: MDRIZTAB names no table ({first.mdriztab or 'not set'}): {instead}"
    return _reference_file(str(first.mdriztab), table, first)


def _reference_file(name: str, path: Path, exposure: ExposureRecord) -> ReferenceFile:
    return ReferenceFile(name=name, path=str(path), sha256=sha256(path), exposures=[exposure.rootname])


def _reference_files(used: Sequence[ExposureRecord], kinds: Sequence[Kind], around: Surroundings) -> ReferenceFiles:
    """Return the distortion files of the exposures in use: by keyword, one entry for each distinct file."""
    keywords: tuple[Literal["IDCTAB", "D2IMFILE", "NPOLFILE"], ...] = ("IDCTAB", "D2IMFILE", "NPOLFILE")
    found: dict[Literal["IDCTAB", "D2IMFILE", "NPOLFILE"], dict[str, ReferenceFile]] = {}
    for exposure, path in ((exposure, exposure.file(kind)) for exposure in used for kind in kinds):
        primary = primary_cards(path, keywords)
        for keyword in keywords:
            name = str(primary.get(keyword) or "").strip()
            place = reference_files.resolve(name, around.references, around.environ, keyword, path)
            if place is None and keyword == "IDCTAB":
                raise SnakedrizError(
                    f"{path}: IDCTAB names no file ({name or 'not set'}); without a distortion model the exposure "
                    "cannot be drizzled",
                    "set IDCTAB in its primary header",
                )
            if place is None:
                continue
            files = found.setdefault(keyword, {})
            known = files.get(name)
            if known is None:
                files[name] = _reference_file(name, place, exposure)
            elif exposure.rootname not in known.exposures:
                files[name] = known.model_copy(update={"exposures": [*known.exposures, exposure.rootname]})
    return {keyword: list(files.values()) for keyword, files in found.items()}


def _nothing_used(reasons: Iterable[tuple[str, str]]) -> str:
    return "no exposure can be used: " + "; ".join(f"{rootname}: {reason}" for rootname, reason in reasons)


def _first(values: Iterable[Any]) -> Any:
    return next((value for value in values if value is not None), None)
