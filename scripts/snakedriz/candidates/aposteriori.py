"""The candidates `aposteriori` and `visit`: a fit to a reference catalogue, written into every exposure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from astropy.io import fits

from snakedriz.artefacts.fit import FitExposure, FitResult, FitSummary
from snakedriz.artefacts.solution import Solution, SolutionExposure
from snakedriz.artefacts.visit_fit import VisitExposure, VisitFit
from snakedriz.candidates import bundle
from snakedriz.exposures.skeleton import Skeletons, science_extensions
from snakedriz.fits_headers import wcsnames
from snakedriz.fits_headers.rootnames import ExposureKey
from snakedriz.wcs import headerlets, linear_wcs


def make(
    skeletons: Skeletons,
    fit: FitResult | None,
    reason: str,
    candidate: Literal["aposteriori", "visit"] = "aposteriori",
) -> Solution:
    """Write the chosen fit into every chip of every exposure, FLT as FLC, with the keywords of the fit.

    Parameters
    ----------
    skeletons : dict
        Skeletons with the WCS that the fit started from; changed in place.
    fit : FitResult or None
        The chosen fit, None where no fit is valid. It may hold other exposures as well.
    reason : str
        Why this fit, or why none.
    candidate : {"aposteriori", "visit"}
    """
    if fit is None:
        return bundle.not_applicable(candidate, reason)
    by_root = {exposure.rootname: exposure for exposure in fit.exposures}
    without = sorted({owner.rootname for owner in skeletons} - set(by_root))
    if without:
        left_out = fit.left_out if isinstance(fit, VisitFit) else ()
        why = {row.rootname: f" ({row.reason})" for row in left_out}
        listed = ", ".join(f"{root}{why.get(root, '')}" for root in without)
        text = f"{listed} cannot be fitted, and applying the fit to the others only would misalign the set"
        return bundle.not_applicable(candidate, text)
    exposures = [_apply(owner, exposure, by_root[owner.rootname], fit) for owner, exposure in skeletons.items()]
    return Solution(
        candidate=candidate, outcome="ok", reason=reason, wcsname=bundle.wcsnames_of(skeletons), exposures=exposures
    )


def _apply(owner: ExposureKey, skeleton: fits.HDUList, result: FitExposure, fit: FitResult) -> SolutionExposure:
    """Write the fit into one file of an exposure; the WCS that the fit started from is attached as a headerlet."""
    base = wcsnames.default_name(str(skeleton[0].header["IDCTAB"]))
    start_name = str(skeleton["SCI", science_extensions(skeleton)[0]].header["WCSNAME"]).strip()
    start = headerlets.make(
        skeleton, headerlets.unique_hdrname(*owner, start_name), descrip="WCS that the fit started from"
    )
    wcsname = f"{base}-FIT_{fit.wcs_kind}_{fit.catalog}"
    headerlets.clear_fit_keywords(skeleton)
    chips = {chip.extver: chip for chip in result.chips}
    for extver in science_extensions(skeleton):
        header = skeleton["SCI", extver].header
        linear_wcs.write(header, chips[extver].crval, chips[extver].cd, wcsname)
        _write_fit_keywords(header, result, fit, headerlets.unique_hdrname(*owner, wcsname))
    headerlets.sync_companions(skeleton)
    headerlets.attach(skeleton, [start])
    source = f"fit to {fit.catalog}"
    if isinstance(result, VisitExposure) and result.inherits:
        source = f"solution of {result.inherits.giver}, inherited: {result.inherits.why}"
        skeleton[0].header["HISTORY"] = f"snakedriz: {source}"
    return SolutionExposure(rootname=owner.rootname, file=str(owner), source=source)


def _write_fit_keywords(header: fits.Header, result: FitExposure, fit: FitResult, hdrname: str) -> None:
    """Write what HST users read from a fitted SCI header: RMS in mas, errors of the zero point in deg."""
    header["HDRNAME"] = (hdrname, "name of the headerlet of this WCS")
    header["NMATCHES"] = (result.nmatches, "sources matched to the catalogue")
    header["CATALOG"] = (fit.catalog, "astrometric catalogue of the fit")
    header["FITGEOM"] = (str(fit.fitgeom_used), "geometry of the fit")
    for number, axis, rms in ((1, "RA", result.rms_ra_mas), (2, "Dec", result.rms_dec_mas)):
        if rms is not None:  # an exposure without stars of its own, carried along by the others, has none
            header[f"RMS_{axis.upper()}"] = (rms, f"[mas] RMS of the fit in {axis}")
            header[f"CRDER{number}"] = (rms / 3.6e6, f"[deg] random error in {axis}")


def with_fits(
    solution: Solution, fits_: Sequence[FitResult], paths: Sequence[str], chosen: FitResult | None
) -> Solution:
    """Return a solution with the list of fits that were there to choose from, in the order of their files."""
    rows = [FitSummary.of(fit, Path(path).name, fit is chosen) for fit, path in zip(fits_, paths, strict=True)]
    return solution.model_copy(update={"fits": rows})
