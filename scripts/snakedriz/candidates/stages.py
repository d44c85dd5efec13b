"""How each candidate's exposures get their WCS: default, apriori, aposteriori, visit. All on skeletons.

Every function returns a `solution`, a dict in JSON form::

    {"schema": "solution/1", "candidate": "apriori", "outcome": "ok", "reason": "...", "wcsname": "IDC_x-GSC240",
     "exposures": [{"rootname": ..., "source": "headerlet ...", "attached": [...]}]}

and changes the skeletons it is given (from ``<root>_<kind>`` to HDUList) in place.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from astropy.io import fits

from snakedriz.errors import NotApplicable
from snakedriz.exposures import fetched
from snakedriz.exposures.skeleton import read_bundle, science_extensions
from snakedriz.files import read_json
from snakedriz.fits_headers import wcsnames
from snakedriz.services import provenance
from snakedriz.wcs import guide_star_offsets, headerlets

Skeletons = dict[str, fits.HDUList]


@contextlib.contextmanager
def reference_directories(directories: Mapping[str, str]) -> Iterator[None]:
    """Set the variables (jref, iref, uref) that stwcs finds reference files by, for the duration of the block."""
    before = {name: os.environ.get(name) for name in directories}
    # stwcs joins variable and file name without a separator
    os.environ.update({name: os.path.join(path, "") for name, path in directories.items()})  # noqa: PTH118
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def solution(candidate: str, outcome: str, reason: str, wcsname: str, exposures: Sequence[Mapping]) -> dict[str, Any]:
    """Return a solution in its JSON form."""
    return {
        "schema": "solution/1",
        "candidate": candidate,
        "outcome": outcome,
        "reason": reason,
        "wcsname": wcsname,
        "exposures": list(exposures),
    }


def not_applicable(candidate: str, reason: str, exposures: Sequence[Mapping] = ()) -> dict[str, Any]:
    """Return the solution of a candidate that cannot apply to this data."""
    return solution(candidate, "not_applicable", reason, "", exposures)


def _wcsname(skeletons: Skeletons) -> str:
    found = sorted({str(s["SCI", science_extensions(s)[0]].header["WCSNAME"]).strip() for s in skeletons.values()})
    return found[0] if len(found) == 1 else ",".join(found)


def default(skeletons: Skeletons, directories: Mapping[str, str]) -> dict[str, Any]:
    """Apply the distortion model alone: the pipeline-default WCS, ``IDC_<root>``.

    Parameters
    ----------
    skeletons : dict
        Skeletons of the input exposures; changed in place. Whatever solution the archive had made primary is replaced,
        the file's HDRLET extensions are kept.
    directories : mapping
        Where reference files are, by variable name (jref, iref, uref).
    """
    from stwcs.updatewcs import updatewcs

    exposures = []
    with reference_directories(directories):
        for owner, skeleton in skeletons.items():
            headerlets.clear_fit_keywords(skeleton)
            with contextlib.redirect_stdout(io.StringIO()) as said:
                updatewcs(skeleton, use_db=False, checkfiles=False)
            print(f"{owner}: {said.getvalue().strip()}")
            headerlets.sync_companions(skeleton)
            exposures.append({"rootname": owner.rpartition("_")[0], "file": owner, "source": "distortion model"})
    return solution(
        "default", "ok", "distortion model applied to the pointing as observed", _wcsname(skeletons), exposures
    )


def _choose(available: Mapping[str, Mapping[str, Any]]) -> tuple[str, str]:
    """Choose the a priori solution that all exposures have; returns its kind and why.

    Parameters
    ----------
    available : mapping
        From rootname to the kinds it has (``GSC240``, ``HSC30``), each with where it comes from.

    Raises
    ------
    NotApplicable
        If an exposure has none, or no kind is common to all: mixing kinds would break the relative alignment.
    """
    without = sorted(root for root, kinds in available.items() if not kinds)
    if len(without) == len(available):
        raise NotApplicable("no database headerlet and no guide-star offset for any exposure")
    if without:
        raise NotApplicable(f"no database headerlet and no guide-star offset for {', '.join(without)}")
    common = set.intersection(*(set(kinds) for kinds in available.values()))
    if not common:
        each = "; ".join(f"{root}: {', '.join(sorted(kinds))}" for root, kinds in sorted(available.items()))
        raise NotApplicable(f"no a priori solution is common to all exposures ({each})")
    best = [kind for kind in common if all(kinds[kind].get("best") for kinds in available.values())]
    ranked = sorted(best or common, key=lambda kind: (wcsnames.parse(f"IDC_x-{kind}").rank, kind))
    why = "flagged best by the database" if best else "first in the order of preference"
    return ranked[0], f"{why} among {', '.join(sorted(common))}"


def best_flags(directory: str | Path | None) -> set[tuple[str, str]]:
    """Read which solution the database flags as best, from the indexes beside the headerlets, if there are any.

    Returns
    -------
    set of (rootname, WCSNAME)
        Columns `rootname`, `wcsname` and `best` (bool) of ``index*.ecsv``; empty without one.
    """
    from astropy.table import Table

    found = set()
    for path in indexes(directory):
        rows = Table.read(path, format="ascii.ecsv")
        found |= {(str(r["rootname"]).lower(), str(r["wcsname"])) for r in rows if str(r["best"]) in ("True", "1")}
    return found


def indexes(directory: str | Path | None) -> list[Path]:
    """Return the indexes beside headerlets: the first, and those of exposures that came later."""
    return fetched.files(Path(directory) / "index.ecsv") if directory else []


def apriori(
    skeletons: Skeletons,
    headerlet_directory: str | None,
    offsets: str | Sequence[str] | None = None,
    enabled: bool = True,
) -> dict[str, Any]:
    """Apply the best pre-computed WCS that all exposures have; attach the other solutions of the same IDCTAB.

    Parameters
    ----------
    skeletons : dict
        Skeletons with the default WCS; changed in place.
    headerlet_directory : str or None
        Directory of ``*_hlet.fits`` of the astrometry database, matched to exposures by DESTIM.
    offsets : str or sequence of str, optional
        Tables of guide-star offsets (`guidestar.COLUMNS`).
    enabled : bool
        False when ASTROMETRY_APPLY_APRIORI switched this stage off.
    """
    if not enabled:
        return not_applicable("apriori", "switched off by ASTROMETRY_APPLY_APRIORI")
    tables = [offsets] if isinstance(offsets, str) else list(offsets or ())
    if not headerlet_directory and not tables:
        return not_applicable(
            "apriori",
            "no database headerlets (solutions.headerlets) and no guide-star offsets (solutions.offsets) given",
        )
    files = headerlets.read_directory(headerlet_directory) if headerlet_directory else []
    flagged = best_flags(headerlet_directory)
    moved = {
        root: (path, row) for path in reversed(tables) for root, row in guide_star_offsets.read_offsets(path).items()
    }
    available: dict[str, dict[str, Any]] = {}
    notes: dict[str, list[str]] = {}
    usable: dict[str, list[headerlets.HeaderletFile]] = {}
    for owner, skeleton in skeletons.items():
        root = owner.rpartition("_")[0]
        wanted = wcsnames.idcroot(str(skeleton[0].header["IDCTAB"]))
        chips = set(science_extensions(skeleton))
        kinds, said, mine = available.setdefault(root, {}), notes.setdefault(root, []), usable.setdefault(root, [])
        if mine or said or kinds:
            continue  # the other kind of the same exposure: same rootname, same solutions
        for file in (f for f in files if f.destim == root):
            if file.name.idcroot != wanted:
                said.append(f"{file.wcsname}: made for another distortion model than {wcsnames.default_name(wanted)}")
            elif file.problem:
                said.append(f"{file.path}: {file.problem}")
            elif not chips <= set(file.chips):
                said.append(f"{file.path}: has chips {list(file.chips)}, the exposure has {sorted(chips)}")
            else:
                mine.append(file)
                if file.name.kind and not file.name.is_fit:
                    kinds[file.name.kind] = {"headerlet": file, "best": (root, file.wcsname) in flagged}
        if root in moved and moved[root][1]["outputCatalog"]:
            kinds.setdefault(moved[root][1]["outputCatalog"], {"offsets": moved[root]})
        fits_only = [file.wcsname for file in mine if file.name.is_fit]
        if fits_only and not kinds:
            said.append(f"only a posteriori solutions ({', '.join(fits_only)}), which are not pre-computed corrections")
    about = [{"rootname": root, "available": sorted(kinds), "notes": notes[root]} for root, kinds in available.items()]
    try:
        kind, why = _choose(available)
    except NotApplicable as outcome:
        details = "; ".join(note for item in about for note in item["notes"])
        return not_applicable("apriori", outcome.reason + (f" ({details})" if details else ""), about)
    exposures = []
    sources: dict[str, str] = {}
    for owner, skeleton in skeletons.items():
        root = owner.rpartition("_")[0]
        kind_of_file = owner.rpartition("_")[2]
        base = wcsnames.default_name(str(skeleton[0].header["IDCTAB"]))
        own = headerlets.make(skeleton, headerlets.unique_hdrname(root, kind_of_file, base), descrip="default WCS")
        chosen = available[root][kind]
        if "headerlet" in chosen:
            file = chosen["headerlet"]
            headerlets.apply(skeleton, headerlets.load(file.path))
            sources[Path(file.path).name] = file.path
            entry = {"source": "headerlet", "path": file.path, "hdrname": file.hdrname}
        else:
            wcsname = f"{base}-{kind}"
            path, row = chosen["offsets"]
            shift = guide_star_offsets.apply_offsets(skeleton, row, wcsname)
            sources[Path(path).name] = path
            entry = {"source": "guide-star offsets", "path": path, "shift_px": list(shift)}
        others = [headerlets.load(f.path) for f in usable[root]]
        headerlets.attach(skeleton, [own, *others])
        exposures.append(
            {
                "rootname": root,
                "file": owner,
                **entry,
                "attached": [f.wcsname for f in usable[root]],
                "notes": notes[root],
            }
        )
    made = solution("apriori", "ok", f"{kind}: {why}", _wcsname(skeletons), exposures)
    return {**made, "sources": [provenance.describe(sources[name]) for name in sorted(sources)]}


def aposteriori(
    skeletons: Skeletons, fit: Mapping[str, Any] | None, reason: str, candidate: str = "aposteriori"
) -> dict[str, Any]:
    """Write the chosen fit into every chip of every exposure, FLT as FLC, with the keywords of the fit.

    Parameters
    ----------
    skeletons : dict
        Skeletons with the WCS that the fit started from; changed in place.
    fit : mapping or None
        The chosen fit in the form of `fitting.fit`, None where no fit is valid. It may hold other exposures as well.
    reason : str
        Why this fit, or why none.
    candidate : {"aposteriori", "visit"}
    """
    if fit is None:
        return not_applicable(candidate, reason)
    by_root = {exposure["rootname"]: exposure for exposure in fit["exposures"]}
    without = sorted({owner.rpartition("_")[0] for owner in skeletons} - set(by_root))
    if without:
        why = {row["rootname"]: f" ({row['reason']})" for row in fit.get("left_out", ())}
        listed = ", ".join(f"{root}{why.get(root, '')}" for root in without)
        return not_applicable(candidate, f"{listed} cannot be fitted, and the others alone would part from it")
    exposures = []
    for owner, skeleton in skeletons.items():
        root, _, kind = owner.rpartition("_")
        result = by_root[root]
        base = wcsnames.default_name(str(skeleton[0].header["IDCTAB"]))
        start_name = str(skeleton["SCI", science_extensions(skeleton)[0]].header["WCSNAME"]).strip()
        start = headerlets.make(
            skeleton, headerlets.unique_hdrname(root, kind, start_name), descrip="WCS that the fit started from"
        )
        wcsname = f"{base}-FIT_{fit['wcs_kind']}_{fit['catalog']}"
        headerlets.clear_fit_keywords(skeleton)
        chips = {chip["extver"]: chip for chip in result["chips"]}
        for chip in science_extensions(skeleton):
            header = skeleton["SCI", chip].header
            guide_star_offsets.set_linear_wcs(header, chips[chip]["crval"], chips[chip]["cd"], wcsname)
            _fit_keywords(header, result, fit, headerlets.unique_hdrname(root, kind, wcsname))
        headerlets.sync_companions(skeleton)
        headerlets.attach(skeleton, [start])
        source = f"fit to {fit['catalog']}"
        if inherits := result.get("inherits"):
            source = f"solution of {inherits['from']}, inherited: {inherits['why']}"
            skeleton[0].header["HISTORY"] = f"snakedriz: {source}"
        exposures.append({"rootname": root, "file": owner, "source": source})
    return solution(candidate, "ok", reason, _wcsname(skeletons), exposures)


def _fit_keywords(header: fits.Header, result: Mapping[str, Any], fit: Mapping[str, Any], hdrname: str) -> None:
    """Write what HST users read from a fitted SCI header: RMS in mas, errors of the zero point in deg."""
    header["HDRNAME"] = (hdrname, "name of the headerlet of this WCS")
    header["NMATCHES"] = (int(result["nmatches"] or 0), "sources matched to the catalogue")
    header["CATALOG"] = (str(fit["catalog"]), "astrometric catalogue of the fit")
    header["FITGEOM"] = (str(fit["fitgeom_used"]), "geometry of the fit")
    for axis, name, key in (("RA", "rms_ra_mas", "RMS_RA"), ("Dec", "rms_dec_mas", "RMS_DEC")):
        if result[name] is not None:  # an exposure without stars of its own, carried along by the others
            header[key] = (float(result[name]), f"[mas] RMS of the fit in {axis}")
            header[f"CRDER{1 if axis == 'RA' else 2}"] = (float(result[name]) / 3.6e6, f"[deg] random error in {axis}")


def about(solution: Mapping[str, Any]) -> dict[str, str]:
    """Return the keywords that a bundle's primary header says of its solution."""
    reason = str(solution["reason"]).encode("ascii", "replace").decode()
    return {"CANDIDAT": solution["candidate"], "OUTCOME": solution["outcome"], "WCSNAME": solution["wcsname"],
            "REASON": reason}  # fmt: skip


def starting_point(paths: Sequence[str]) -> tuple[str, Skeletons]:
    """Return the name and skeletons of the best candidate to start a fit from.

    Parameters
    ----------
    paths : sequence of str
        solution.json and bundle of each possible candidate, the most preferred last. The last one whose outcome is ok
        is taken: the closer the start, the smaller the search.

    Raises
    ------
    NotApplicable
        If none is ok.
    """
    for solution_file, bundle in reversed(list(zip(paths[::2], paths[1::2], strict=True))):
        found = read_json(solution_file)
        if found["outcome"] == "ok":
            return found["candidate"], read_bundle(bundle)
    raise NotApplicable("no candidate has a WCS to start from")


def fit_summaries(
    fits_: Sequence[Mapping[str, Any]], paths: Sequence[str], chosen: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """Return one row per fit for the report and the promotion: what it is, how good, and whether it was chosen."""
    rows = []
    for fit, path in zip(fits_, paths, strict=True):
        row = {key: fit.get(key) for key in _FIT_SUMMARY}
        rows.append({"file": Path(path).name, "chosen": fit is chosen, **row})
    return rows


_FIT_SUMMARY = (
    "outcome", "reason", "catalog", "method", "fitgeom_used", "wcs_kind", "nmatches", "total_rms_mas",
    "zero_point_error_mas", "zero_point_error95_mas", "fit_quality", "checks", "refusals",
)  # fmt: skip
