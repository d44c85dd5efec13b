"""Exposures, their stars and a catalogue brought together: pairs are found, the joint solution made and applied."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from snakedriz.alignment import joint_solution, matching, star_motions
from snakedriz.alignment.exposure_sources import ExposureSources
from snakedriz.alignment.joint_errors import Errors
from snakedriz.alignment.joint_layout import Layout, PriorWidths, Widths
from snakedriz.alignment.joint_solution import JointSolution
from snakedriz.alignment.joint_system import Known, Measured
from snakedriz.alignment.pairing import Pairing, Strategy, find_stars
from snakedriz.alignment.tangent_plane import Array, PlacedExposure, PlacedRows, TangentPlane
from snakedriz.exposures.guiding import Guiding, different_lock
from snakedriz.exposures.visits import observed_visit
from snakedriz.settings.priors import Width, priors_at

#: A measurement or row that is more likely an outlier than not counts as no match.
LIKELY = 0.5


class NoFitError(Exception):
    """The catalogue could not be matched, or the exposures not be tied, for a reason that goes into the result."""


@dataclass(frozen=True)
class KnownPointing:
    """What is known of the exposures' pointing before a star is looked at.

    Attributes
    ----------
    lock : integer array
        Guide-star lock of each exposure, from 0.
    priors : PriorWidths
        In px of the plane.
    """

    lock: NDArray[np.intp]
    priors: PriorWidths

    @classmethod
    def of(
        cls, exposures: Sequence[ExposureSources], plane: TangentPlane, settings: Mapping[str, Any]
    ) -> KnownPointing:
        """Take it from the exposures' headers and the detector's `priors`."""
        guiding = [Guiding.of(e.rootname, e.skeleton[0].header) for e in exposures]
        lock = locks(guiding)
        known = priors_at(settings, float(np.mean([e.epoch for e in exposures])))

        def width(one: Width) -> Widths:
            return Widths(one.shift_mas / (1000.0 * plane.scale), math.radians(one.roll_deg), one.scale)

        several = len({observed_visit(e.rootname) for e in exposures}) > 1
        each = [width(known.exposure if one.lock == "FINE" else known.one_guide_star) for one in guiding]
        return cls(
            lock,
            PriorWidths(
                visit=width(known.visit),
                # Visits have guide stars, and so errors of the pointing, of their own.
                lock=width(known.visit if several else known.lock),
                exposures=each,
                skew=known.skew,
                floor=known.floor_px,
                distortion=known.distortion_rms_px,
                length=known.distortion_correlation_px,
            ),
        )


def locks(guiding: Sequence[Guiding]) -> NDArray[np.intp]:
    """Number the guide-star locks: exposures on the same one have one number, in the order of their first exposures."""
    number = np.full(len(guiding), -1, dtype=np.intp)
    for i, one in enumerate(guiding):
        same = next((j for j in range(i) if not different_lock(one, guiding[j], guiding)), None)
        number[i] = number[:i].max(initial=-1) + 1 if same is None else number[same]
    return number


class JointAlignment:
    """The state of one fit.

    Attributes
    ----------
    exposures : list of PlacedExposure
        At the mean epoch; corrected once `solve` is done.
    reference, ref : Table, PlacedRows
        The catalogue, and its rows in the plane at the mean epoch.
    geometry : {"shift", "rscale", "general"}
    pairing, solution, errors
        Which source is which star, the solution and its errors.
    notes : list of str
        What happened on the way, for the result's reason.
    """

    pairing: Pairing
    solution: JointSolution
    errors: Errors

    def __init__(
        self,
        plane: TangentPlane,
        exposures: Sequence[PlacedExposure],
        reference: Table | None,
        geometry: str,
        options: Mapping[str, Any],
        pointing: KnownPointing,
    ) -> None:
        self.plane, self.geometry, self.options, self.pointing = plane, geometry, options, pointing
        self.reference = reference
        self.ref = place_rows(plane, reference)
        moved = star_motions.at_exposures(plane, reference) if reference is not None else {}
        self.exposures, self.notes = star_motions.to_mean_epoch(exposures, self.ref.uv, moved, options)

    def solve(self, strategy: Strategy, pairing: Pairing | None = None) -> None:
        """Find the pairs (unless they are given), solve, and correct the exposures.

        Raises
        ------
        NoFitError
            If the catalogue has rows but none could be matched.
        """
        self.pairing = pairing or find_stars(self.exposures, self.ref, strategy, self.options)
        self.notes += self.pairing.notes
        if len(self.ref.uv) and not self.pairing.matched:
            raise NoFitError(self.pairing.reason or "no star of the catalogue was found")
        relative = str(self.options["relative"]["geometry"])
        layout = Layout(np.array([e.centre for e in self.exposures]), self.pointing.lock, self.geometry, relative)
        measured, known = self._data()
        self.solution = joint_solution.solve(layout, measured, known, self.pointing.priors, self.pairing.transform)
        self.errors = Errors(self.solution)
        for index, exposure in enumerate(self.exposures):
            exposure.matrix, exposure.shift = self.solution.correction(index)

    def without(self, names: set[str]) -> None:
        """Take exposures out that have no measured star, and with them their unknowns."""
        keep = [i for i, e in enumerate(self.exposures) if e.rootname not in names]
        self.exposures = [self.exposures[i] for i in keep]
        pairing, lock = self.pairing, self.pointing.lock[keep]
        priors = replace(self.pointing.priors, exposures=[self.pointing.priors.exposures[i] for i in keep])
        self.pointing = KnownPointing(np.unique(lock, return_inverse=True)[1].astype(np.intp), priors)
        transform, star = [pairing.transform[i] for i in keep], [pairing.star[i] for i in keep]
        left = replace(pairing, transform=transform, star=star, component=pairing.component[keep], notes=[])
        self.solve("relative", left)

    def _data(self) -> tuple[Measured, Known]:
        """Return what tells: measurements of stars that another exposure or the catalogue has, and their rows."""
        star = np.concatenate([*self.pairing.star, np.empty(0, np.intp)])
        of = np.concatenate([np.full(len(own), i) for i, own in enumerate(self.pairing.star)] + [np.empty(0, np.intp)])
        source = np.concatenate([np.arange(len(own)) for own in self.pairing.star] + [np.empty(0, np.intp)])
        has_row = self.pairing.row >= 0
        count = np.bincount(star[star >= 0], minlength=len(has_row))
        telling = (star >= 0) & (has_row[star] | (count[star] > 1))
        star, of, source = star[telling], of[telling].astype(np.intp), source[telling]
        used, renumbered = np.unique(star, return_inverse=True)
        self.source_of, self.number_of = source.astype(np.intp), used
        each = list(zip(of, source, strict=True))
        uv = np.array([self.exposures[e].start[s] for e, s in each]).reshape(-1, 2)
        error = np.array([self.exposures[e].error[s] for e, s in each])
        with_row = np.flatnonzero(has_row[used])
        self.rows = self.pairing.row[used[with_row]]
        covariance = self.ref.covariance
        if covariance is None:
            covariance = self.ref.error[:, None, None] ** 2 * np.eye(2)
        known = Known(with_row.astype(np.intp), self.ref.uv[self.rows], covariance[self.rows])
        return Measured(of, renumbered.astype(np.intp), uv, error), known

    def matched(self, index: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Sources of an exposure and the catalogue rows they are, outliers left out; by row."""
        measured = self.solution.adjustment.system.measured
        row = np.full(len(self.number_of), -1, dtype=np.intp)
        good = self.solution.good_rows > LIKELY
        row[self.solution.adjustment.system.known.star[good]] = self.rows[good]
        mine = np.flatnonzero((measured.exposure == index) & (self.solution.good > LIKELY) & (row[measured.star] >= 0))
        image, ref = self.source_of[mine], row[measured.star[mine]]
        order = np.argsort(ref, kind="stable")
        return image[order], ref[order]

    def shared(self, index: int) -> tuple[NDArray[np.intp], Array]:
        """Sources of an exposure that others have, and where these put them less where it has them itself, px.

        Others' positions are their weighted mean, outliers left out.
        """
        measured = self.solution.adjustment.system.measured
        good = self.solution.good > LIKELY
        weight = np.where(good, 1.0 / self.solution.adjustment.variance(), 0.0)
        place = np.empty_like(measured.uv)
        for i, exposure in enumerate(self.exposures):
            own = measured.exposure == i
            place[own] = measured.uv[own] @ exposure.matrix.T + exposure.shift
        stars = len(self.number_of)
        origin = place[np.unique(measured.star, return_index=True)[1]] if stars else np.empty((0, 2))
        offset = place - origin[measured.star]
        total = np.bincount(measured.star, weight, minlength=stars)
        mean = np.column_stack([np.bincount(measured.star, weight * axis, minlength=stars) for axis in offset.T])
        mine = np.flatnonzero((measured.exposure == index) & good)
        star = measured.star[mine]
        rest = total[star] - weight[mine]
        others = rest > 1e-9 * total[star]
        mine, star, rest = mine[others], star[others], rest[others]
        elsewhere = (mean[star] - offset[mine] * weight[mine, None]) / rest[:, None]
        return self.source_of[mine], np.asarray(offset[mine] - elsewhere)

    @property
    def significance(self) -> float:
        """Normal deviate of the least certain match with the catalogue that was used."""
        return min((match.significance for match in self.pairing.matches.values() if len(match)), default=0.0)

    def match_of(self, name: str) -> matching.Match:
        """Match of an exposure with the catalogue, or of the body it belongs to."""
        matches = self.pairing.matches
        return matches.get(name, matches.get("group", matching.Match()))


def place_rows(plane: TangentPlane, reference: Table | None) -> PlacedRows:
    """Place the rows of a catalogue, with their covariances where it has them."""
    if reference is None or not len(reference):
        return PlacedRows(np.empty((0, 2)), np.empty(0))
    names = ("ra_error", "dec_error", "ra_dec_corr")
    errors = tuple(reference[name] for name in names) if set(names) <= set(reference.colnames) else None
    return PlacedRows.of(plane, reference["RA"], reference["DEC"], reference["sigma"], errors=errors)
