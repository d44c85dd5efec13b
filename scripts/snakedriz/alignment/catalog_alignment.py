"""Alignment of exposures to a reference catalogue: as one rigid group, or each by itself. By tweakwcs.

A star seen in several exposures is one star: the group fit uses its mean position, once. Too few matches for the
geometry asked for: all exposures keep their relative geometry and share one shift.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from snakedriz.alignment import matching, star_motions
from snakedriz.alignment.linear_fit import LinearFit, align
from snakedriz.alignment.relative_alignment import tie
from snakedriz.alignment.tangent_plane import Array, PlacedExposure, PlacedRows, TangentPlane, merge
from snakedriz.artefacts.base import Geometry

#: How an exposure got its correction.
Status = Literal["fitted", "kept", "inherited", "fitted alone"]
GROUP = "group"


class NoFitError(Exception):
    """The catalogue could not be matched or fitted, for a reason that goes into the result."""


class CatalogAlignment:
    """The state of one fit: exposures with their corrections, and which catalogue rows were used.

    Attributes
    ----------
    exposures : list of PlacedExposure
        Corrected as the fit goes on.
    ref : PlacedRows
        The catalogue's rows at the mean epoch.
    fitgeom, geometry : {"shift", "rscale", "general"}
        Asked for, and used.
    status : dict
        How each exposure got its correction, by rootname; exposures without a solution are not in it.
    found, used, fits : dicts
        Match, rows of the catalogue and fit, by rootname or `GROUP`.
    notes : list of str
        What happened on the way, for the result's reason.
    """

    def __init__(
        self,
        plane: TangentPlane,
        exposures: Sequence[PlacedExposure],
        reference: Table,
        fitgeom: Geometry,
        options: Mapping[str, Any],
    ) -> None:
        self.plane, self.reference, self.fitgeom, self.options = plane, reference, fitgeom, options
        self.ref = PlacedRows.of(plane, reference["RA"], reference["DEC"], reference["sigma"])
        self.at_exposures = star_motions.at_exposures(plane, reference)
        self.exposures, self.notes = star_motions.to_mean_epoch(exposures, self.ref.uv, self.at_exposures, options)
        self.geometry = fitgeom
        self.status: dict[str, Status] = {}
        self.found: dict[str, matching.Match] = {}
        self.used: dict[str, NDArray[np.intp]] = {}
        self.fits: dict[str, LinearFit] = {}

    @property
    def association_px(self) -> float:
        """Largest distance of a source from its star (px)."""
        return float(self.options["relative"]["association_px"])

    def match(self, uv: Array) -> matching.Match:
        """Match points to the catalogue, wherever within the search radius they lie."""
        return matching.match(uv, self.ref.uv, **matching.match_options(self.options, "histogram"))

    def fit(self, name: str, uv: Array, error: Array, geometry: Geometry, histogram: bool = True) -> LinearFit:
        """Match and fit points to the catalogue; the result is kept under the name.

        The tolerance of the match is not tightened below what the quoted errors need, whatever few pairs suggest.

        Raises
        ------
        NoFitError
            Without a significant match of enough stars.
        """
        options = matching.match_options(self.options, "histogram" if histogram else "default")
        options["min_tolerance"] = self._least_tolerance(error)
        required = int(self.options["required"][geometry])
        first = matching.match(uv, self.ref.uv, **options) if len(uv) else matching.Match(reason="no sources")
        self.found[name] = first
        if len(first) < required:
            raise NoFitError(first.reason or f"{len(first)} matches, {required} needed for {geometry}")
        # of an exposure by itself: the errors at its own epoch
        ref_error = self.at_exposures.get(name, self.ref).error
        linear = align(uv, error, self.ref.uv, ref_error, geometry, self.options, first)
        self.used[name], self.fits[name] = linear.ref, linear
        return linear

    def _least_tolerance(self, error: Array) -> float:
        """Tolerance (px) that leaves out one true pair in 10,000, by the errors quoted: 4.3 sigma in two dimensions.

        Of the less precise sources and rows (the 90th percentiles), and never more than the tolerance to begin with.
        """
        least = float(self.options["min_tolerance_px"])
        if not len(error) or not len(self.ref.error):
            return least
        needed = 4.3 * math.hypot(*(float(np.percentile(e, 90)) for e in (error, self.ref.error)))
        return max(least, min(needed, float(self.options["histogram"]["tolerance_px"])))

    def relative(self) -> None:
        """Tie the exposures to each other, fit the group, then see to exposures that could not be tied."""
        tied = tie(self.exposures, self.options)
        if len(tied) < 2:
            reasons = "; ".join(f"{e.rootname}: {e.untied_reason or 'not reached'}" for e in self.exposures)
            raise NoFitError(f"no two exposures could be tied to each other ({reasons})")
        group = self._group(tied)
        for exposure in tied:
            exposure.correct(group.matrix, group.shift)
            self.status[exposure.rootname] = "fitted"
        for exposure in self.exposures:
            if not exposure.tied:
                self._untied(exposure, group)

    def _group(self, tied: Sequence[PlacedExposure]) -> LinearFit:
        stars = merge(tied, self.association_px)
        try:
            return self.fit(GROUP, stars.uv, stars.error, self.fitgeom)
        except NoFitError as first:
            n = len(self.found[GROUP])
            if self.fitgeom == "shift" or n < self.options["required"]["shift"]:
                raise
            self.geometry = "shift"
            self.notes.append(f"too few matches for {self.fitgeom} ({first}): one common shift, relative geometry kept")
            return self.fit(GROUP, stars.uv, stars.error, "shift")

    def _untied(self, exposure: PlacedExposure, group: LinearFit) -> None:
        """Keep an untied exposure's relative pointing if the catalogue agrees or is silent; else fit it by itself."""
        name = exposure.rootname
        untied = f"{name} could not be tied ({exposure.untied_reason or 'no exposure to tie it to'})"
        exposure.correct(group.matrix, group.shift)
        found = self.match(exposure.uv) if len(exposure.start) else matching.Match()
        if len(found) < self.options["required"]["shift"]:
            self.status[name] = "kept"
            self.notes.append(f"{untied}; it keeps its relative pointing, unchecked")
            return
        offset = np.median(self.ref.uv[found.ref] - exposure.uv[found.image], axis=0)
        limit = self.options["relative"]["kept_within_px"]
        if np.hypot(*offset) <= limit:
            self.status[name] = "kept"
            self.notes.append(
                f"{untied}; it keeps its relative pointing, which {len(found)} catalogue stars confirm within "
                f"{limit:g} px"
            )
            self.used[name] = found.ref
            return
        own = self.fit(name, exposure.uv, exposure.error, "shift")
        exposure.correct(own.matrix, own.shift)
        self.status[name] = "fitted alone"
        self.notes.append(
            f"{untied} and lay {np.hypot(*offset):.2f} px from the catalogue: shifted by its own {len(own.ref)} matches"
        )

    def one_by_one(self, histogram: bool) -> None:
        """Fit each exposure by itself; if one has too few matches, all share one shift."""
        solutions: list[LinearFit] = []
        try:
            for e in self.exposures:
                solutions.append(self.fit(e.rootname, e.uv, e.error, self.fitgeom, histogram))  # noqa: PERF401 - may stop
        except NoFitError as error:
            name = self.exposures[len(solutions)].rootname
            self.used.clear()
            self.fits.clear()
            self.notes.append(f"{name}: {error}; one common shift, relative geometry kept")
            self.geometry = "shift"
            stars = merge(self.exposures, self.association_px)
            solutions = [self.fit(GROUP, stars.uv, stars.error, "shift", histogram)] * len(self.exposures)
        for exposure, linear in zip(self.exposures, solutions, strict=True):
            exposure.correct(linear.matrix, linear.shift)
            self.status[exposure.rootname] = "fitted"
