"""Fits of an association's exposures to a reference catalogue.

Three methods, as the documented system has them. "relative": exposures to each other first, then all of them as one
rigid group to the catalogue. "2dhist": each exposure by itself, after a two-dimensional histogram found its offset.
"default": each exposure by itself, its pointing taken to be within the tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
from astropy.table import Table

from snakedriz.alignment import fit_result
from snakedriz.alignment.catalog_alignment import CatalogAlignment, NoFitError
from snakedriz.alignment.exposure_sources import ExposureSources
from snakedriz.alignment.fit_quality import assess
from snakedriz.alignment.tangent_plane import place
from snakedriz.artefacts.base import Geometry
from snakedriz.artefacts.fit import Fit, FitMethod, FitNumbers, ReferenceSummary
from snakedriz.errors import SnakedrizError
from snakedriz.files import number

Method = Literal["relative", "2dhist", "default"]


def fit(
    exposures: Sequence[ExposureSources],
    reference: Table,
    method: Method,
    fitgeom: Geometry,
    settings: Mapping[str, Any],
    catalog: str,
    start: Literal["default", "apriori", "aposteriori"] = "default",
) -> Fit:
    """Fit the exposures of an association to a reference catalogue.

    Parameters
    ----------
    exposures : sequence of ExposureSources
        Not changed.
    reference : `~astropy.table.Table`
        At the epochs of the exposures (`snakedriz.catalogs.field_catalog.in_field`), or at one epoch for all of them
        (`snakedriz.catalogs.reference.at_epoch`): RA, DEC (deg), sigma (mas), mag, objID.
    method : {"relative", "2dhist", "default"}
    fitgeom : {"shift", "rscale", "general"}
        Geometry of the fit to the catalogue.
    settings : mapping
        The detector's settings, with the blocks `fitting` and `fit_quality`.
    catalog : str
        Name of the catalogue, as in WCSNAME.
    start : {"default", "apriori", "aposteriori"}
        Candidate whose WCS the exposures have.

    Returns
    -------
    Fit
        `outcome` is "ok", "not_applicable" (no sources, no rows, one exposure for the relative method) or "failed" (no
        significant match, singular fit), with `reason`.

    Raises
    ------
    SnakedrizError
        For an unknown method or geometry, or inconsistent input.
    """
    if method not in get_args(Method):
        raise SnakedrizError(
            f"unknown method of fitting {method!r}", f"set fitting.methods to some of {', '.join(get_args(Method))}"
        )
    if fitgeom not in get_args(Geometry):
        raise SnakedrizError(
            f"unknown geometry {fitgeom!r}", f"set fitting.geometries to some of {', '.join(get_args(Geometry))}"
        )

    def strategy(work: CatalogAlignment) -> None:
        work.relative() if method == "relative" else work.one_by_one(histogram=method == "2dhist")

    how = FitMethod(method=method, wcs_kind="REL" if method == "relative" else "IMG")
    found = run(exposures, reference, strategy, how, fitgeom, settings, catalog)
    return Fit(**found.given(), **assess(found, settings).given(), start=start)


def run(
    exposures: Sequence[ExposureSources],
    reference: Table,
    strategy: Callable[[CatalogAlignment], None],
    how: FitMethod,
    fitgeom: Geometry,
    settings: Mapping[str, Any],
    catalog: str,
) -> FitNumbers:
    """Fit by a strategy, which corrects the exposures of the `CatalogAlignment` it is given, and describe the result.

    The other parameters are those of `fit`.
    """
    from tweakwcs.linearfit import NotEnoughPointsError, SingularMatrixError  # 1 s

    options: Mapping[str, Any] = settings["fitting"]
    about = _nothing_yet(reference, how, fitgeom, catalog)
    reason = _cannot_apply(exposures, reference, how.method, options)
    if reason:
        return about.model_copy(update={"outcome": "not_applicable", "reason": reason})
    try:
        plane, placed = place(exposures)
        work = CatalogAlignment(plane, placed, reference, fitgeom, options)
        strategy(work)
        return fit_result.describe(work, about)
    except NoFitError as error:
        return about.model_copy(update={"outcome": "failed", "reason": str(error)})
    except (SingularMatrixError, NotEnoughPointsError, np.linalg.LinAlgError) as error:
        broken = {"outcome": "failed", "reason": f"the fit broke down: {error}", "code_error": True}
        return about.model_copy(update=broken)


def _nothing_yet(reference: Table, how: FitMethod, fitgeom: Geometry, catalog: str) -> FitNumbers:
    meta = reference.meta
    return FitNumbers(
        **how.given(),
        outcome="ok",
        reason="",
        catalog=catalog,
        fitgeom=fitgeom,
        fitgeom_used=None,
        reference=ReferenceSummary(
            rows=len(reference),
            source=meta.get("source"),
            epoch=number(meta.get("epoch")),
            epochs=dict(zip(meta.get("exposures", ()), meta.get("epochs", ()), strict=True)),
            without_pm=meta.get("without_pm"),
            pm_policy=meta.get("pm_policy"),
            with_parallax=meta.get("with_parallax"),
            median_sigma_mas=number(np.median(reference["sigma"])) if len(reference) else None,
        ),
        exposures=[],
        total_rms_mas=None,
        nmatches=0,
        zero_point_error_mas=None,
        zero_point_error95_mas=None,
        share=None,
        significance=None,
        code_error=False,
    )


def _cannot_apply(
    exposures: Sequence[ExposureSources], reference: Table, method: str, options: Mapping[str, Any]
) -> str:
    least = int(options["required"]["shift"])
    usable = {e.rootname: int(np.count_nonzero(e.sources["use"])) if len(e.sources) else 0 for e in exposures}
    if method == "relative" and len(exposures) < 2:
        return "one exposure: there is nothing to align it with before the catalogue"
    if max(usable.values(), default=0) < least:
        counts = ", ".join(f"{rootname} {n}" for rootname, n in usable.items())
        return f"too few usable sources ({counts}); at least {least} are needed in an exposure"
    if len(reference) < least:
        return f"the catalogue has {len(reference)} rows in the field; at least {least} are needed"
    return ""
