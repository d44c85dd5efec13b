"""Fits of an association's exposures to a reference catalogue.

Three methods, as the documented system has them, find the pairs. "relative": exposures are matched to each other first,
then what hangs together to the catalogue. "2dhist": each exposure by itself, a two-dimensional histogram finds its
offset. "default": each exposure by itself, its pointing taken to be within the tolerance. What the pairs say is solved
for in one way, whatever found them (`snakedriz.alignment.joint_solution`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
from astropy.table import Table

from snakedriz.alignment import fit_result
from snakedriz.alignment.exposure_sources import ExposureSources
from snakedriz.alignment.fit_quality import assess
from snakedriz.alignment.joint_alignment import JointAlignment, KnownPointing, NoFitError
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
    reference : `~astropy.table.Table`
        At the epochs of the exposures (`snakedriz.catalogs.field_catalog.in_field`), or at one epoch for all of them
        (`snakedriz.catalogs.reference.at_epoch`): RA, DEC (deg), sigma (mas), mag, objID.
    fitgeom : {"shift", "rscale", "general"}
        What the visit's correction may change. Exposures among themselves may differ by shift, rotation and scale.
    settings : mapping
        The detector's settings, with the blocks `fitting`, `fit_quality` and `priors`.
    catalog : str
        Name of the catalogue, as in WCSNAME.
    start : str
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

    def align(work: JointAlignment) -> None:
        work.solve(method)
        if method == "relative" and len(set(work.pairing.component.tolist())) == len(work.exposures):
            names = ", ".join(e.rootname for e in work.exposures)
            raise NoFitError(f"no two exposures could be tied to each other ({names}); {'; '.join(work.notes)}")

    how = FitMethod(method=method, wcs_kind="REL" if method == "relative" else "IMG")
    found = run(exposures, reference, align, how, fitgeom, settings, catalog)
    return Fit(**found.given(), **assess(found, settings).given(), start=start)


def run(
    exposures: Sequence[ExposureSources],
    reference: Table,
    align: Callable[[JointAlignment], Mapping[str, fit_result.Status] | None],
    how: FitMethod,
    fitgeom: Geometry,
    settings: Mapping[str, Any],
    catalog: str,
) -> FitNumbers:
    """Fit and describe the result.

    `align` solves for the exposures of the `JointAlignment` it is given, may take some out, and may return the status
    of exposures without a star. The other parameters are those of `fit`.
    """
    options: Mapping[str, Any] = settings["fitting"]
    about = _nothing_yet(reference, how, fitgeom, catalog)
    reason = _cannot_apply(exposures, reference, how.method, options)
    if reason:
        return about.model_copy(update={"outcome": "not_applicable", "reason": reason})
    try:
        plane, placed = place(exposures)
        work = JointAlignment(plane, placed, reference, fitgeom, options, KnownPointing.of(exposures, plane, settings))
        carried = align(work)
        return fit_result.describe(work, about, carried)
    except NoFitError as error:
        return about.model_copy(update={"outcome": "failed", "reason": str(error)})
    except np.linalg.LinAlgError as error:
        broken = {"outcome": "failed", "reason": f"the fit broke down: {error}", "code_error": True}
        return about.model_copy(update=broken)


def _nothing_yet(reference: Table, how: FitMethod, fitgeom: Geometry, catalog: str) -> FitNumbers:
    meta = reference.meta
    nothing: dict[str, Any] = dict.fromkeys(
        ("total_rms_mas", "zero_point_error_mas", "zero_point_error95_mas", "share", "significance")
    )
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
        nmatches=0,
        code_error=False,
        **nothing,
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
