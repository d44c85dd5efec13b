"""Fits of a visit's exposures to a reference catalogue, by tweakwcs.

Three methods, as the documented system has them. "relative": exposures to each other first, then all of them as one
rigid group to the catalogue. "2dhist": each exposure by itself, after a two-dimensional histogram found its offset.
"default": each exposure by itself, its pointing taken to be within the tolerance. Too few matches for the geometry
asked for: all exposures keep their relative geometry and share one shift.

A star seen in several exposures is one star: the group fit uses its mean position, once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from snakedriz.alignment import matching, star_motions
from snakedriz.alignment.exposure_sources import ExposureSources
from snakedriz.alignment.linear_fit import PARAMETERS, LinearFit, align
from snakedriz.alignment.relative_alignment import tie
from snakedriz.alignment.tangent_plane import Member, Plane, merge, place
from snakedriz.errors import SnakedrizError
from snakedriz.files import number

__all__ = ["ExposureSources", "fit"]

Array = NDArray[np.float64]
Method = Literal["relative", "2dhist", "default"]
Geometry = Literal["shift", "rscale", "general"]
SCHEMA = "fit/1"


class NoFitError(Exception):
    """The catalogue could not be matched or fitted, for a reason that goes into the result."""


def fit(
    exposures: Sequence[ExposureSources],
    reference: Table,
    method: Method,
    fitgeom: Geometry,
    settings: Mapping[str, Any],
    catalog: str,
) -> dict[str, Any]:
    """Fit the exposures of a visit to a reference catalogue.

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

    Returns
    -------
    dict
        Ready for JSON, schema "fit/1"; see `fit_result.describe` for its members. `outcome` is "ok",
        "not_applicable" (no sources, no rows, one exposure for the relative method) or "failed" (no significant match,
        singular fit), with `reason`. `fit_quality`, `checks`, `refusals` are those of `fit_quality.assess`.

    Raises
    ------
    SnakedrizError
        For an unknown method or geometry, or inconsistent input.
    """
    if method not in ("relative", "2dhist", "default"):
        raise SnakedrizError(f"unknown method of fitting {method!r}; expected relative, 2dhist or default")
    if fitgeom not in PARAMETERS:
        raise SnakedrizError(f"unknown geometry {fitgeom!r}; expected one of {', '.join(PARAMETERS)}")

    def strategy(work: Fit) -> None:
        work.relative() if method == "relative" else work.one_by_one(histogram=method == "2dhist")

    out: dict[str, Any] = {"schema": SCHEMA, "method": method, "wcs_kind": "REL" if method == "relative" else "IMG"}
    return run(exposures, reference, strategy, fitgeom, settings, catalog, out)


def run(
    exposures: Sequence[ExposureSources],
    reference: Table,
    strategy: Callable[[Fit], None],
    fitgeom: str,
    settings: Mapping[str, Any],
    catalog: str,
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """Fit by a strategy, which corrects the members of the `Fit` it is given, and describe and assess the result.

    Parameters
    ----------
    about : mapping
        `schema`, `method` and `wcs_kind` of the result; the other parameters and the result are those of `fit`.
    """
    from tweakwcs.linearfit import NotEnoughPointsError, SingularMatrixError

    from snakedriz.alignment.fit_quality import assess
    from snakedriz.alignment.fit_result import describe

    options: Mapping[str, Any] = settings.get("fitting", settings)
    out: dict[str, Any] = {
        **about,
        "outcome": "ok",
        "reason": "",
        "catalog": catalog,
        "fitgeom": fitgeom,
        "fitgeom_used": None,
        "reference": {
            "rows": len(reference),
            "source": reference.meta.get("source"),
            "epoch": number(reference.meta.get("epoch")),
            "epochs": dict(zip(reference.meta.get("exposures", ()), reference.meta.get("epochs", ()), strict=True)),
            "without_pm": reference.meta.get("without_pm"),
            "pm_policy": reference.meta.get("pm_policy"),
            "with_parallax": reference.meta.get("with_parallax"),
            "median_sigma_mas": number(np.median(reference["sigma"])) if len(reference) else None,
        },
        "exposures": [],
        "total_rms_mas": None,
        "nmatches": 0,
        "zero_point_error_mas": None,
        "zero_point_error95_mas": None,
        "share": None,
        "significance": None,
        "code_error": False,
    }
    reason = _cannot_apply(exposures, reference, str(about["method"]), options)
    if reason:
        out.update(outcome="not_applicable", reason=reason)
    else:
        try:
            plane, members = place(exposures)
            work = Fit(plane, members, reference, fitgeom, options)
            strategy(work)
            describe(work, out)
        except NoFitError as error:
            out.update(outcome="failed", reason=str(error))
        except (SingularMatrixError, NotEnoughPointsError, np.linalg.LinAlgError) as error:
            out.update(outcome="failed", reason=f"the fit broke down: {error}", code_error=True)
    verdict = assess(out, settings)
    out.update(checks=verdict["checks"], refusals=verdict["refusals"])
    out.update(fit_quality=verdict["fit_quality"], valid=verdict["valid"])
    out.update(compromised=verdict["compromised"], quality_reason=verdict["reason"])
    return out


def _cannot_apply(
    exposures: Sequence[ExposureSources], reference: Table, method: str, options: Mapping[str, Any]
) -> str:
    least = int(options["required"]["shift"])
    usable = [e for e in exposures if len(e.sources) and np.count_nonzero(e.sources["use"]) >= least]
    if method == "relative" and len(exposures) < 2:
        return "one exposure: there is nothing to align it with before the catalogue"
    if not usable:
        counts = ", ".join(
            f"{e.rootname} {np.count_nonzero(e.sources['use']) if len(e.sources) else 0}" for e in exposures
        )
        return f"too few usable sources ({counts}); at least {least} are needed in an exposure"
    if len(reference) < least:
        return f"the catalogue has {len(reference)} rows in the field; at least {least} are needed"
    return ""


class Fit:
    """The state of one fit: members with their corrections, and which reference rows were used."""

    def __init__(
        self, plane: Plane, members: list[Member], reference: Table, fitgeom: str, options: Mapping[str, Any]
    ) -> None:
        self.plane, self.reference, self.fitgeom, self.options = plane, reference, fitgeom, options
        self.ref = plane.from_sky(reference["RA"], reference["DEC"])
        self.ref_error = np.maximum(np.asarray(reference["sigma"], dtype=float) / (1000.0 * plane.scale), 1e-4)
        self.at_exposures = star_motions.at_exposures(plane, reference)
        self.members, self.notes = star_motions.to_mean_epoch(members, self.ref, self.at_exposures, options)
        self.geometry = fitgeom
        self.status: dict[str, str] = {}
        self.found: dict[str, matching.Match] = {}
        self.used: dict[str, NDArray[np.intp]] = {}  # reference rows by exposure, or by "group"
        self.fits: dict[str, LinearFit] = {}  # likewise

    def matcher(self, histogram: bool = True) -> matching.Matcher:
        block = self.options["histogram" if histogram else "default"]
        return matching.Matcher(
            searchrad=self.options["histogram"]["searchrad_px"],
            tolerance=block["tolerance_px"],
            min_tolerance=self.options["min_tolerance_px"],
            max_false_alarm=self.options["max_false_alarm"],
            histogram=histogram,
        )

    def absolute(
        self, name: str, uv: Array, error: Array, geometry: str, histogram: bool = True
    ) -> tuple[Array, Array]:
        """Match and fit points to the catalogue: matrix and shift.

        The tolerance of the match is not tightened below what the quoted errors need, whatever few pairs suggest.

        Raises
        ------
        NoFitError
            Without a significant match of enough stars.
        """
        matcher = self.matcher(histogram)
        required = int(self.options["required"][geometry])
        matcher.options["min_tolerance"] = self.least_tolerance(error)
        first = matching.match(uv, self.ref, **matcher.options) if len(uv) else matching.Match(reason="no sources")
        self.found[name] = first
        if len(first) < required:
            raise NoFitError(first.reason or f"{len(first)} matches, {required} needed for {geometry}")
        # of an exposure by itself: the errors at its own epoch
        _, ref_error = self.at_exposures.get(name, (self.ref, self.ref_error))
        linear = align(uv, error, self.ref, ref_error, geometry, self.options, first)
        self.used[name], self.fits[name] = linear.ref, linear
        return linear.matrix, linear.shift

    def least_tolerance(self, error: Array) -> float:
        """Tolerance (px) that leaves out one true pair in 10,000, by the errors quoted: 4.3 sigma in two dimensions.

        Of the less precise sources and rows (the 90th percentiles), and never more than the tolerance to begin with.
        """
        if not len(error) or not len(self.ref_error):
            return float(self.options["min_tolerance_px"])
        needed = 4.3 * math.hypot(*(float(np.percentile(e, 90)) for e in (error, self.ref_error)))
        least = float(self.options["min_tolerance_px"])
        return max(least, min(needed, float(self.options["histogram"]["tolerance_px"])))

    def relative(self) -> None:
        """Tie the exposures to each other, fit the group, then see to exposures that could not be tied."""
        tied = tie(self.members, self.options)
        if len(tied) < 2:
            reasons = "; ".join(f"{m.rootname}: {m.relative.get('reason') or 'not reached'}" for m in self.members)
            raise NoFitError(f"no two exposures could be tied to each other ({reasons})")
        stars = merge(tied, self.options["relative"]["association_px"])
        matrix, shift = self._group(stars.uv, stars.error)
        for member in tied:
            member.correct(matrix, shift)
            self.status[member.rootname] = "fitted"
        for member in self.members:
            if not member.tied:
                self._untied(member, matrix, shift)

    def _group(self, uv: Array, error: Array) -> tuple[Array, Array]:
        try:
            return self.absolute("group", uv, error, self.fitgeom)
        except NoFitError as first:
            n = len(self.found["group"])
            if self.fitgeom == "shift" or n < self.options["required"]["shift"]:
                raise
            self.geometry = "shift"
            self.notes.append(f"too few matches for {self.fitgeom} ({first}): one common shift, relative geometry kept")
            return self.absolute("group", uv, error, "shift")

    def _untied(self, member: Member, matrix: Array, shift: Array) -> None:
        """Keep an untied exposure's relative pointing if the catalogue agrees or is silent; else fit it by itself."""
        why = member.relative.get("reason") or "no exposure to tie it to"
        member.correct(matrix, shift)
        found = matching.match(member.uv, self.ref, **self.matcher().options) if len(member.start) else matching.Match()
        if len(found) < self.options["required"]["shift"]:
            self.status[member.rootname] = "kept"
            self.notes.append(f"{member.rootname} could not be tied ({why}); it keeps its relative pointing, unchecked")
            return
        offset = np.median(self.ref[found.ref] - member.uv[found.image], axis=0)
        limit = self.options["relative"]["kept_within_px"]
        if np.hypot(*offset) <= limit:
            self.status[member.rootname] = "kept"
            self.notes.append(
                f"{member.rootname} could not be tied ({why}); it keeps its relative pointing, which {len(found)} "
                f"catalogue stars confirm within {limit:g} px"
            )
            self.used[member.rootname] = found.ref
            return
        own_matrix, own_shift = self.absolute(member.rootname, member.uv, member.error, "shift")
        member.correct(own_matrix, own_shift)
        self.status[member.rootname] = "fitted alone"
        self.notes.append(
            f"{member.rootname} could not be tied ({why}) and lay {np.hypot(*offset):.2f} px from the catalogue: "
            f"shifted by its own {len(self.used[member.rootname])} matches"
        )

    def one_by_one(self, histogram: bool) -> None:
        """Fit each exposure by itself; if one has too few matches, all share one shift."""
        solutions: list[tuple[Array, Array]] = []
        try:
            for m in self.members:
                solutions.append(self.absolute(m.rootname, m.uv, m.error, self.fitgeom, histogram))  # noqa: PERF401 - may stop
        except NoFitError as error:
            name = self.members[len(solutions)].rootname
            self.used.clear()
            self.fits.clear()
            self.notes.append(f"{name}: {error}; one common shift, relative geometry kept")
            self.geometry = "shift"
            stars = merge(self.members, self.options["relative"]["association_px"])
            solutions = [self.absolute("group", stars.uv, stars.error, "shift", histogram)] * len(self.members)
        for member, (matrix, shift) in zip(self.members, solutions, strict=True):
            member.correct(matrix, shift)
            self.status[member.rootname] = "fitted"
