"""The inventory of an association: facts of every exposure, what is used and why not, reference files, parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from snakedriz import settings
from snakedriz.errors import SnakedrizError
from snakedriz.exposures import association as associations
from snakedriz.exposures import facts as exposures
from snakedriz.exposures import mdriztab, reference_files, screening
from snakedriz.exposures.association import Association, FileIndex
from snakedriz.files import sha256
from snakedriz.fits_headers.fast_header import primary_cards

WFPC2_REASON = "WFPC2 files (c0m, d0m) cannot be processed by this version of snakedriz"


def build(
    association: Association,
    index: FileIndex,
    config: Mapping[str, Any],
    environ: Mapping[str, str],
    detectors: Mapping[str, Any],
) -> dict[str, Any]:
    """Take the inventory of one association.

    Parameters
    ----------
    association : Association
        From `association.read`.
    index : FileIndex
        Where the files are.
    config : mapping
        Validated configuration; `references` and `drizzle` are used.
    environ : mapping
        Usually `os.environ`: the switches, and folders of reference files.
    detectors : mapping
        Contents of ``config/detectors.yaml``.

    Returns
    -------
    dict
        In JSON form, as ``config/schemas/inventory.schema.json`` has it. `outcome` is ``process``, or
        ``not_applicable`` with a `reason`.

    Raises
    ------
    SnakedrizError
        If something is wrong with the input: a missing or damaged file, mixed detectors, a reference file not found.
    """
    drizcorr = _drizcorr(association, index)
    wanted, why_not = _wanted(drizcorr)
    if association.problem and wanted:
        raise SnakedrizError(association.problem)
    result: dict[str, Any] = {
        "schema": "inventory/1",
        "association": association.name,
        "kind": association.kind,
        "table": association.table,
        "product": association.product,
        "subproducts": list(association.subproducts),
        "instrument": None,
        "detector": None,
        "filter": None,
        "proposal": None,
        "outcome": "process",
        "reason": "",
        "drizcorr": drizcorr,
        "kinds": list(association.kinds),
        "verification_kind": association.verification_kind,
        "switches": settings.environment_switches(environ),
        "software": settings.software_versions(),
        "exposures": [],
        "absent": [member.rootname for member in association.members if not member.present],
        "reference_files": {},
        "drizzle": {"parameters": {}, "origin": {}, "mdriztab": None},
        "warnings": [*association.warnings, *_remarks(drizcorr)],
    }
    wfpc2 = associations.is_wfpc2(index, association)
    if wfpc2 or association.problem:
        reason = WFPC2_REASON if wfpc2 else why_not
        found = [_minimal(association, index, root, reason) for root in association.present]
    else:
        found = [_exposure(association, index, root) for root in association.present]
        _check_one_detector(found, association.kinds[0])
    result["exposures"] = found
    for key, value in (("instrument",) * 2, ("detector",) * 2, ("filter",) * 2, ("proposal", "proposid")):
        result[key] = _first(found, value)
    if result["absent"]:
        result["warnings"].append(f"not present by the association table: {', '.join(result['absent'])}")
    used = [entry for entry in found if entry["used"]]
    reason = WFPC2_REASON if wfpc2 else why_not or ("" if used else _nothing_used(found))
    if reason:
        result |= {"outcome": "not_applicable", "reason": reason}
    else:
        _complete(result, used, config, environ, detectors)
    settings.check(result, settings.read_schema("inventory"), f"inventory of {association.name}")
    return result


def quick_outcome(association: Association, index: FileIndex) -> tuple[bool, str]:
    """Say from headers alone whether an association will be processed, and why not.

    It stops at the first exposure that can be used. The verdict is that of `build`, but for data that are all zero,
    which only pixels tell. Where something is wrong with the input the answer is no, with the error as the reason: the
    inventory's own job then fails with that error, and nothing is asked of the stages after it.
    """
    try:
        wanted, reason = _wanted(_drizcorr(association, index))
        if not wanted:
            return False, reason
        if association.problem:
            return False, association.problem
        if associations.is_wfpc2(index, association):
            return False, WFPC2_REASON
        verdicts = []
        for root in association.present:
            verdict = screening.screen(*exposures.headers(index.path(f"{root}_{association.kinds[0]}.fits")))
            if verdict.used:
                return True, ""
            verdicts.append({"rootname": root, "reason": verdict.reason})
    except SnakedrizError as error:
        return False, str(error)
    return False, _nothing_used(verdicts)


def _drizcorr(association: Association, index: FileIndex) -> dict[str, Any]:
    """Read DRIZCORR of the first exposure: from its raw file, or, where there is none, from the calibrated one."""
    root = association.present[0] if association.present else ""
    for kind in ("raw", *(association.kinds or ("flc", "flt", "c0m", "d0m"))):
        path = next(iter(index.paths(root, kind)), None)
        if path is not None:
            value = screening.text(primary_cards(path, ("DRIZCORR",)), "DRIZCORR")
            return {"value": value or None, "source": kind, "file": path}
    return {"value": None, "source": None, "file": None}


def _wanted(drizcorr: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether DRIZCORR asks for drizzling, and the reason if not."""
    value, source, path = drizcorr["value"], drizcorr["source"], drizcorr["file"]
    if source is None or value == "PERFORM":
        return True, ""
    if value == "COMPLETE" and source != "raw":  # an archive's calibrated file: drizzled once, and to be drizzled again
        return True, ""
    return False, f"DRIZCORR is {value or 'not set'} in {path}, only PERFORM asks for drizzling"


def _remarks(drizcorr: Mapping[str, Any]) -> list[str]:
    source, path = drizcorr["source"], drizcorr["file"]
    if source in ("raw", None):
        return []
    again = "; COMPLETE there says that it was drizzled before, which is taken as PERFORM"
    return [f"no raw file: DRIZCORR was read from {path}" + again * (drizcorr["value"] == "COMPLETE")]


def _exposure(association: Association, index: FileIndex, root: str) -> dict[str, Any]:
    """Return the entry of one exposure, every calibrated file of it checked."""
    paths = {kind: index.get(root, kind) for kind in ("raw", "flt", "flc")}
    facts: dict[str, Any] = {}
    for kind in reversed(association.kinds):  # the one to verify with comes last and stays
        facts = exposures.facts(str(paths[kind]), pixels=kind == association.kinds[0])
    leading = str(paths[association.kinds[0]])
    verdict = screening.screen(*exposures.headers(leading), all_zero=facts["all_zero"])
    warnings = list(verdict.warnings)
    if not facts["all_zero"]:
        warnings += [f"SCI,{c['extver']}: all pixels are zero" for c in facts["chips"] if c["all_zero"]]
    if facts["rootname"] != root:
        warnings.append(f"{leading}: ROOTNAME in its header is {facts['rootname']}, the file's name is taken")
    return {
        "rootname": root,
        **{kind: path if kind == "raw" or kind in association.kinds else None for kind, path in paths.items()},
        "used": verdict.used,
        "alignable": verdict.alignable,
        "reason": verdict.reason,
        "warnings": warnings,
        **{key: value for key, value in facts.items() if key != "rootname"},
    }


def _minimal(association: Association, index: FileIndex, root: str, reason: str) -> dict[str, Any]:
    """Return the entry of an exposure of which only a primary header can be read, if that."""
    paths = {kind: next(iter(index.paths(root, kind)), None) for kind in associations.KINDS}
    path = next((paths[kind] for kind in ("c0m", "d0m", "raw", "flc", "flt") if paths[kind]), None)
    primary = primary_cards(path) if path else {}
    return {
        "rootname": root,
        "raw": paths["raw"] or paths["d0m"],
        "flt": paths["flt"],
        "flc": paths["flc"],
        "used": False,
        "alignable": False,
        "reason": reason,
        "warnings": [],
        **{key: value for key, value in exposures.primary_facts(primary).items() if key != "rootname"},
        "wcsname": None,
        "all_zero": None,
        "chips": [],
    }


def _check_one_detector(found: Sequence[Mapping[str, Any]], kind: str) -> None:
    groups: dict[str, list[str]] = {}
    for entry in found:
        groups.setdefault(f"{entry['instrument']}/{entry['detector']}", []).append(str(entry[kind]))
    if len(groups) > 1:
        listed = "; ".join(f"{name}: {', '.join(paths)}" for name, paths in groups.items())
        raise SnakedrizError(
            f"the exposures of one association are of different detectors ({listed}); expected one detector: "
            "split the association table"
        )


def _complete(
    result: dict[str, Any],
    used: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any],
    environ: Mapping[str, str],
    detectors: Mapping[str, Any],
) -> None:
    """Add what only an association that is processed has: reference files and AstroDrizzle parameters."""
    numbers = settings.detector_settings(detectors, result["instrument"] or "", result["detector"] or "")
    references = config.get("references") or {}
    result["reference_files"] = _reference_files(used, result["kinds"], references, environ)
    # the first exposure in use says which table and row, as in the pipeline
    first = used[0]
    result["filter"] = first["filter"]
    filters = sorted({entry["filter"] for entry in used})
    if len(filters) > 1:
        result["warnings"].append(
            f"exposures in different filters ({', '.join(filters)}) go into one product; drizzle parameters are those "
            f"for {first['filter']}"
        )
    table = _mdriztab(result, first, references, environ)
    if table is None:
        base, source = mdriztab.fallback(numbers.get("drizzle") or {}, len(used)), "fallback"
    else:
        base, source = mdriztab.parameters(table, first["filter"], len(used)), "mdriztab"
    exptimes = [entry["exptime"] for entry in used]
    parameters, origin = mdriztab.assemble(base, source, exptimes, config.get("drizzle") or {})
    result["drizzle"] = {"parameters": parameters, "origin": origin, "mdriztab": str(table) if table else None}


def _mdriztab(
    result: dict[str, Any], first: Mapping[str, Any], references: Mapping[str, Any], environ: Mapping[str, str]
) -> Path | None:
    """Return the MDRIZTAB; None, with a warning, where it is not to be had: it only steers the drizzling."""
    instead = "the drizzle parameters of config/detectors.yaml are used"
    owner = first[result["kinds"][0]]
    try:
        table = reference_files.resolve(first["mdriztab"], references, environ, "MDRIZTAB", owner)
    except SnakedrizError as error:
        result["warnings"].append(f"{error}; until then {instead}")
        return None
    if table is None:
        result["warnings"].append(f"{owner}: MDRIZTAB names no table ({first['mdriztab'] or 'not set'}): {instead}")
        return None
    result["reference_files"]["MDRIZTAB"] = [
        {"name": first["mdriztab"], "path": str(table), "sha256": sha256(table), "exposures": [first["rootname"]]}
    ]
    return table


def _reference_files(
    used: Sequence[Mapping[str, Any]],
    kinds: Sequence[str],
    references: Mapping[str, Any],
    environ: Mapping[str, str],
) -> dict[str, list[dict[str, Any]]]:
    """Return the distortion files of the exposures in use: by keyword, one entry for each distinct file."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for entry in used:
        for path in (entry[kind] for kind in kinds):
            primary = primary_cards(path, exposures.REFERENCE_KEYWORDS)
            for keyword in ("IDCTAB", "D2IMFILE", "NPOLFILE"):
                name = str(primary.get(keyword) or "").strip()
                if not reference_files.names_file(name):
                    if keyword == "IDCTAB":
                        raise SnakedrizError(
                            f"{path}: IDCTAB names no file ({name or 'not set'}); without a distortion model the "
                            "exposure cannot be drizzled: set IDCTAB in its primary header"
                        )
                    continue
                files = found.setdefault(keyword, {})
                if name not in files:
                    place = reference_files.resolve(name, references, environ, keyword, path)
                    assert place is not None
                    files[name] = {"name": name, "path": str(place), "sha256": sha256(place), "exposures": []}
                if entry["rootname"] not in files[name]["exposures"]:
                    files[name]["exposures"].append(entry["rootname"])
    return {keyword: list(files.values()) for keyword, files in found.items()}


def _nothing_used(found: Sequence[Mapping[str, Any]]) -> str:
    return "no exposure can be used: " + "; ".join(f"{entry['rootname']}: {entry['reason']}" for entry in found)


def _first(found: Sequence[Mapping[str, Any]], key: str) -> Any:
    return next((entry[key] for entry in found if entry.get(key) is not None), None)
