"""Astrometry of a candidate, measured: where its sources lie against a catalogue, and the exposures against each other.

Two kinds of numbers, never mixed. Relative: the scatter of the exposures about each other, from the sources they share;
no catalogue is asked. Absolute: offset, rotation and scale of the candidate's sources from the catalogue's at the epoch
of the exposures. Offsets are sources minus catalogue, towards east and north. Errors are half-widths per axis that hold
the truth in 68.27 per cent ("error") and 95 per cent ("error95"), by Student's t. What cannot be measured is
"unmeasurable", with a reason, and its numbers are None.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from snakedriz.alignment import absolute_checks, exposure_sources, exposure_ties, matching, star_motions
from snakedriz.alignment.exposure_sources import ExposureSources
from snakedriz.alignment.joint_alignment import JointAlignment, KnownPointing, place_rows
from snakedriz.alignment.linear_fit import LinearFit, align
from snakedriz.alignment.tangent_plane import Array, PlacedExposure, TangentPlane, inside, merge, place
from snakedriz.artefacts.astrometry import (
    AbsoluteErrors,
    Astrometry,
    CatalogAstrometry,
    CatalogOffset,
    ExposureCatalogOffset,
    RelativeAstrometry,
    RelativeExposure,
)
from snakedriz.artefacts.base import Record
from snakedriz.artefacts.fit import FitSummary
from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.solution import Solution
from snakedriz.errors import SnakedrizError
from snakedriz.exposures.skeleton import read_bundle
from snakedriz.geometry import rotation
from snakedriz.statistics import limits


@dataclass(frozen=True)
class MatchedGroup:
    """Sources and the catalogue rows they are; positions, shape (n, 2), and errors per axis, shape (n,), in px."""

    uv: Array
    error: Array
    row: NDArray[np.intp]


_LEAST_LINEAR = 6  # stars for rotation and scale besides the offset: three times the unknowns
AnyRecord = TypeVar("AnyRecord", bound=Record)


def of_candidate(
    inventory: Inventory,
    solution: Solution,
    wcs: str,
    sources: Sequence[str],
    catalogs: Sequence[str],
    settings: Mapping[str, Any],
) -> Astrometry:
    """Measure the astrometry of a candidate from its files.

    Parameters
    ----------
    wcs : str
        Path of the candidate's bundle of skeletons.
    sources, catalogs : sequences of str
        Paths of the source tables and of the catalogues in the field (by order of preference, named after their
        catalogue).
    settings : mapping
        The detector's.
    """
    if solution.outcome != "ok" or inventory.outcome != "process":
        return not_applicable(solution.candidate, solution.reason or inventory.reason)
    return measure(
        solution.candidate,
        exposure_sources.collect(inventory, read_bundle(wcs), sources),
        {Path(path).stem: Table.read(path) for path in catalogs},
        settings,
        solution.chosen_fit,
    )


def not_applicable(candidate: str, reason: str) -> Astrometry:
    """Return the artefact of a candidate without a WCS."""
    return Astrometry(
        candidate=candidate,
        outcome="not_applicable",
        reason=reason,
        scale_arcsec=None,
        relative=_unmeasurable(RelativeAstrometry, reason, exposures=[]),
        absolute=_unmeasurable(AbsoluteErrors, reason),
        catalogs=[],
        held_out=None,
        checks=(),
    )


def measure(
    candidate: str,
    exposures: Sequence[ExposureSources],
    catalogs: Mapping[str, Table],
    settings: Mapping[str, Any],
    fit: FitSummary | None = None,
) -> Astrometry:
    """Measure the astrometry of a candidate.

    Exposures have the candidate's WCS in their skeletons and are not changed; catalogues are at the epochs of the
    exposures (`field_catalog.in_field`), in order of preference. The `fit` that the WCS comes from has stars held out.
    """
    options = settings["fitting"]
    if not exposures:
        return not_applicable(candidate, "no exposure that sources can be looked for in")
    plane, placed = place(exposures)
    found = {name: CatalogComparison(plane, placed, name, table, options) for name, table in catalogs.items()}
    rows = {name: one.result() for name, one in found.items()}
    adopted = next((name for name, row in rows.items() if row.group.outcome == "measured"), None)
    if adopted is not None:
        absolute = AbsoluteErrors(catalog=adopted, **rows[adopted].group.given())
    else:
        reasons = "; ".join(f"{name}: {row.group.reason}" for name, row in rows.items())
        absolute = _unmeasurable(AbsoluteErrors, reasons or "no reference catalogue given (catalogs)")
    if fit is not None and fit.catalog not in found:
        raise SnakedrizError(
            f"the fit is to {fit.catalog}, which is not among the catalogues {', '.join(catalogs)}",
            "run the fits again with the catalogues of the present configuration",
        )
    return Astrometry(
        candidate=candidate,
        outcome="ok",
        reason="",
        scale_arcsec=plane.scale,
        # last: it moves the exposures; stars that moved between them are no misalignment
        relative=_relative(
            plane,
            placed if adopted is None else found[adopted].exposures,
            options,
            KnownPointing.of(exposures, plane, settings),
        ),
        absolute=absolute,
        catalogs=list(rows.values()),
        held_out=fit.held_out if fit is not None else None,
        checks=[*fit.absolute, absolute_checks.second_catalog(fit, rows)] if fit is not None else (),
    )


def _unmeasurable(kind: type[AnyRecord], reason: str, **known: Any) -> AnyRecord:
    """Make a record whose numbers are None."""
    return kind(**{**dict.fromkeys(kind.model_fields), "outcome": "unmeasurable", "reason": reason, **known})


class CatalogComparison:
    """The exposures of a candidate against one catalogue.

    Attributes
    ----------
    exposures : list of PlacedExposure
        With their sources at the catalogue's mean epoch.
    pairs : list of (source, row)
        Indices of the matched sources of each exposure, and of their rows.
    reasons : list of str
        Why an exposure has none.
    """

    def __init__(
        self,
        plane: TangentPlane,
        exposures: Sequence[PlacedExposure],
        name: str,
        table: Table,
        options: Mapping[str, Any],
    ) -> None:
        self.plane, self.name, self.table, self.options = plane, name, table, options
        self.least = int(options["required"]["shift"])
        self.ref = place_rows(plane, table)
        at_exposures = star_motions.at_exposures(plane, table)
        self.exposures, _ = star_motions.to_mean_epoch(exposures, self.ref.uv, at_exposures, options)
        group = self._match_group()
        self.group_reason = group.reason or f"{len(group)} matches, {self.least} needed"
        self.pairs: list[tuple[NDArray[np.intp], NDArray[np.intp]]] = []
        self.reasons: list[str] = []
        for exposure in self.exposures:
            pair, reason = self._match_one(exposure, group)
            self.pairs.append(pair)
            self.reasons.append(reason)

    def _match_group(self) -> matching.Match:
        """Match the stars of all exposures together."""
        stars = merge(self.exposures, self.options["relative"]["association_px"])
        group = matching.match(stars.uv, self.ref.uv, **matching.match_options(self.options, "histogram"))
        if len(group) < self.least:  # no offset found: is there none?
            close = matching.match(stars.uv, self.ref.uv, **matching.match_options(self.options, "default"))
            group = close if len(close) >= self.least else group
        return group

    def _match_one(
        self, exposure: PlacedExposure, group: matching.Match
    ) -> tuple[tuple[NDArray[np.intp], NDArray[np.intp]], str]:
        """Match an exposure in the surroundings of where all together lie: its sources and their rows, or why none.

        An exposure with too few stars for a match of its own takes those of the group's stars that it has.
        """
        none = (np.empty(0, np.intp), np.empty(0, np.intp))
        together = len(group) >= self.least
        moved = exposure.start + group.shift if together else exposure.start
        near = self.options["relative"]["searchrad_px"] if together else None
        own = matching.match(moved, self.ref.uv, **matching.match_options(self.options, "histogram", near))
        if len(own) >= self.least:
            return (own.image, own.ref), ""
        if not together:
            return none, own.reason or f"{len(own)} matches, {self.least} needed"
        rows = np.sort(group.ref)
        moved = exposure.start @ group.matrix.T + group.shift
        image, which = matching.mutual_neighbours(moved, self.ref.uv[rows], group.tolerance) if len(moved) else none
        return (image, rows[which]), "" if len(image) else "none of the stars that the group has in the catalogue"

    def _stars(self) -> MatchedGroup:
        """Return the matched stars, each once: the weighted mean of the exposures that have it."""
        weight, total = np.zeros(len(self.ref.uv)), np.zeros((len(self.ref.uv), 2))
        for exposure, (image, row) in zip(self.exposures, self.pairs, strict=True):
            w = exposure.error[image] ** -2.0
            np.add.at(weight, row, w)
            np.add.at(total, row, exposure.start[image] * w[:, None])
        rows = np.flatnonzero(weight > 0)
        return MatchedGroup(total[rows] / weight[rows, None], weight[rows] ** -0.5, rows)

    def _each(self) -> list[MatchedGroup]:
        """Return the matched sources of each exposure."""
        return [
            MatchedGroup(exposure.start[image], exposure.error[image], row)
            for exposure, (image, row) in zip(self.exposures, self.pairs, strict=True)
        ]

    def result(self) -> CatalogAstrometry:
        """Describe the group of exposures and each of them."""
        field = np.zeros(len(self.ref.uv), dtype=bool)
        for exposure in self.exposures:
            for outline in exposure.outlines:
                field |= inside(outline, self.ref.uv)
        if not len(field):
            reason = "the catalogue has no rows"
        elif not field.any():
            reason = f"none of the {len(field)} rows of the catalogue lies in the field"
        elif not any(len(exposure.start) for exposure in self.exposures):
            reason = "no usable source in any exposure"
        else:
            reason = self.group_reason
        offsets = [self._offset(one, why or reason) for one, why in zip(self._each(), self.reasons, strict=True)]
        return CatalogAstrometry(
            catalog=self.name,
            source=self.table.meta.get("source"),
            rows=len(field),
            rows_in_field=int(field.sum()),
            group=self._offset(self._stars(), reason),
            exposures=[
                ExposureCatalogOffset(rootname=exposure.rootname, **offset.given())
                for exposure, offset in zip(self.exposures, offsets, strict=True)
            ],
        )

    def _offset(self, group: MatchedGroup, reason: str) -> CatalogOffset:
        """Offset, rotation, scale, RMS and their errors of some sources; `reason` says why there are none."""
        if len(group.row) < self.least:
            few = f"{len(group.row)} matches, {self.least} needed" if len(group.row) else reason
            return _unmeasurable(CatalogOffset, few)
        geometry = "rscale" if len(group.row) >= _LEAST_LINEAR else "shift"
        ref = self.ref.uv[group.row]
        fit = align(group.uv, group.error, ref, self.ref.error[group.row], geometry, self.options)
        px = self.plane.scale * 1000.0
        towards = np.array([-px, px])  # east, north
        before = (group.uv - ref)[fit.own]
        offset = np.average(before, axis=0, weights=fit.sigma**-2.0) * towards
        square = ((before * towards) ** 2).mean(axis=0)
        error, error95 = limits(fit.error() * px, fit.freedom, float(self.options["zero_point_floor_mas"]))
        magnitudes = np.asarray(self.table["mag"], dtype=float)[group.row[fit.own]]
        magnitudes = magnitudes[np.isfinite(magnitudes)]
        return CatalogOffset(
            outcome="measured",
            reason="",
            nmatches=len(fit.own),
            clipped=len(group.row) - len(fit.own),
            offset_mas=offset.tolist(),
            error_mas=error,
            error95_mas=error95,
            **_linear_terms(fit, px),
            rms_mas=math.sqrt(float(square.sum())),
            rms_ra_mas=math.sqrt(float(square[0])),
            rms_dec_mas=math.sqrt(float(square[1])),
            rms_removed_mas=math.sqrt(float((fit.residual**2).sum(axis=1).mean())) * px,
            magnitudes=[float(magnitudes.min()), float(magnitudes.max())] if len(magnitudes) else None,
        )


def _linear_terms(fit: LinearFit, px: float) -> dict[str, float | None]:
    """Rotation and scale of sources against a catalogue, by the fit that takes them out; `px` in mas."""
    names = ("rotation_deg", "rotation_error_deg", "scale", "scale_error", "field_mas")
    if fit.geometry == "shift":
        return dict.fromkeys(names)
    turn = limits(fit.angle_error, fit.freedom)[0]
    warp = (fit.moved - fit.middle) @ (np.linalg.inv(fit.matrix) - np.eye(2)).T
    values = (
        -math.degrees(rotation(fit.matrix)),
        math.degrees(turn),
        1.0 / math.sqrt(abs(float(np.linalg.det(fit.matrix)))),
        turn,
        math.sqrt(float((warp**2).sum(axis=1).mean())) * px,
    )
    return dict(zip(names, values, strict=True))


def _relative(
    plane: TangentPlane, exposures: Sequence[PlacedExposure], options: Mapping[str, Any], pointing: KnownPointing
) -> RelativeAstrometry:
    """Where exposures lie about the mean of those they share stars with, by what would bring them together."""
    if len(exposures) < 2:
        return _unmeasurable(RelativeAstrometry, "one exposure: nothing to compare it with", exposures=[])
    work = JointAlignment(plane, exposures, None, "shift", options, pointing)
    work.solve("relative")
    px = plane.scale * 1000.0
    rows = [_about_mean(work, index, px) for index in range(len(exposures))]
    away = np.array([row.offset_px for row in rows if row.offset_px is not None])
    if len(away) < 2:
        reasons = "; ".join(f"{row.rootname}: {row.reason}" for row in rows if row.reason)
        return _unmeasurable(RelativeAstrometry, f"no two exposures could be compared ({reasons})", exposures=rows)
    # One mean for each set of exposures that hang together
    sets = len({int(work.pairing.component[i]) for i, row in enumerate(rows) if row.offset_px is not None})
    scatter = math.sqrt(float((away**2).sum()) / (2 * max(len(away) - sets, 1)))
    error = math.sqrt(float(np.mean([row.error_mas**2 for row in rows if row.error_mas is not None])))
    missing = [row.rootname for row in rows if row.outcome != "measured"]
    return RelativeAstrometry(
        outcome="measured",
        reason=f"without {', '.join(missing)}" if missing else "",
        scatter_mas=scatter * px,
        scatter_px=scatter,
        error_mas=error,
        largest_mas=float(np.hypot(*away.T).max()) * px,
        exposures=rows,
    )


def _about_mean(work: JointAlignment, index: int, px: float) -> RelativeExposure:
    """Where one exposure lies from the mean of those that hang together with it; `px` in mas."""
    exposure, tie = work.exposures[index], exposure_ties.tie_of(work, index)
    others = [work.exposures[i] for i in exposure_ties.together(work, index)]
    if not tie.nmatches or len(others) < 2 or tie.error_px is None or tie.error95_px is None or tie.rms_px is None:
        reason = tie.reason or "too few sources in common with the others"
        return _unmeasurable(RelativeExposure, reason, rootname=exposure.rootname)
    there = np.array([one.matrix @ exposure.centre + one.shift for one in others])
    offset = (there.mean(axis=0) - exposure.middle) * np.array([-1.0, 1.0])
    angle = float(np.mean([math.degrees(one.rotation) for one in others]))
    return RelativeExposure(
        rootname=exposure.rootname,
        outcome="measured",
        reason="",
        nmatches=tie.nmatches,
        offset_mas=[float(v) * px for v in offset],
        offset_px=offset.tolist(),
        error_mas=tie.error_px * px,
        error95_mas=tie.error95_px * px,
        rotation_deg=angle - math.degrees(exposure.rotation),
        scale=1.0 / exposure.scale,
        rms_mas=tie.rms_px * px,
    )
