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
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from snakedriz.alignment import matching, star_motions
from snakedriz.alignment.cross_validation import Unit, cross_validate
from snakedriz.alignment.exposure_sources import ExposureSources
from snakedriz.alignment.linear_fit import Array, align
from snakedriz.alignment.relative_alignment import tie
from snakedriz.alignment.tangent_plane import Member, Plane, inside, merge, place
from snakedriz.geometry import rotation
from snakedriz.statistics import limits

SCHEMA = "astrometry/1"
_LEAST_LINEAR = 6  # stars for rotation and scale besides the offset: three times the unknowns
_NUMBERS = (
    "nmatches", "clipped", "offset_mas", "error_mas", "error95_mas", "rotation_deg", "rotation_error_deg", "scale",
    "scale_error", "field_mas", "rms_mas", "rms_ra_mas", "rms_dec_mas", "rms_removed_mas", "magnitudes",
)  # fmt: skip


def not_applicable(candidate: str, reason: str) -> dict[str, Any]:
    """Return the artefact of a candidate without a WCS."""
    return {
        "schema": SCHEMA,
        "candidate": candidate,
        "outcome": "not_applicable",
        "reason": reason,
        "scale_arcsec": None,
        "relative": _relative_unmeasurable(reason, []),
        "absolute": {"catalog": None, **_unmeasurable(reason)},
        "catalogs": [],
        "cross_validation": None,
    }


def measure(
    candidate: str,
    exposures: Sequence[ExposureSources],
    catalogs: Mapping[str, Table],
    settings: Mapping[str, Any],
    fit: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Measure the astrometry of a candidate.

    Parameters
    ----------
    candidate : str
    exposures : sequence of ExposureSources
        With the candidate's WCS in their skeletons; not changed.
    catalogs : mapping
        Reference catalogues at the epochs of the exposures (`field_catalog.in_field`), in order of preference.
    settings : mapping
        The detector's settings.
    fit : mapping, optional
        The fit that the candidate's WCS comes from ("fit/1"); catalogue stars are then held out of it.

    Returns
    -------
    dict
        Ready for JSON, schema "astrometry/1". `absolute` are the numbers of the group of exposures against the first
        catalogue with enough matches; `catalogs` has every catalogue, for the group and for each exposure.
    """
    options = settings["fitting"]
    if not exposures:
        return not_applicable(candidate, "no exposure that sources can be looked for in")
    plane, members = place(exposures)
    found = [_Against(plane, members, name, table, options) for name, table in catalogs.items()]
    rows = [one.result() for one in found]
    adopted = next((i for i, row in enumerate(rows) if row["group"]["outcome"] == "measured"), None)
    if adopted is not None:
        absolute = {"catalog": rows[adopted]["catalog"], **rows[adopted]["group"]}
    else:
        reasons = "; ".join(f"{row['catalog']}: {row['group']['reason']}" for row in rows)
        absolute = {"catalog": None, **_unmeasurable(reasons or "no reference catalogue given (catalogs)")}
    crossed = None
    if fit is not None:
        own = next((one for one in found if one.name == fit["catalog"]), None)
        if own is None:
            raise ValueError(f"the fit is to {fit['catalog']}, which is not among the catalogues {list(catalogs)}")
        crossed = {"catalog": own.name, **own.cross_validate(fit)}
    return {
        "schema": SCHEMA,
        "candidate": candidate,
        "outcome": "ok",
        "reason": "",
        "scale_arcsec": plane.scale,
        # last: it moves the exposures; stars that moved between them are no misalignment
        "relative": _relative(plane, members if adopted is None else found[adopted].members, options),
        "absolute": absolute,
        "catalogs": rows,
        "cross_validation": crossed,
    }


def _unmeasurable(reason: str) -> dict[str, Any]:
    return {"outcome": "unmeasurable", "reason": reason, **dict.fromkeys(_NUMBERS)}


class _Against:
    """The exposures of a candidate against one catalogue."""

    def __init__(
        self, plane: Plane, members: Sequence[Member], name: str, table: Table, options: Mapping[str, Any]
    ) -> None:
        self.plane, self.name, self.table, self.options = plane, name, table, options
        self.ref = plane.from_sky(table["RA"], table["DEC"]) if len(table) else np.empty((0, 2))
        sigma = np.asarray(table["sigma"], dtype=float) if len(table) else np.empty(0)
        self.ref_error = np.maximum(sigma / (1000.0 * plane.scale), 1e-4)
        at_exposures = star_motions.at_exposures(plane, table)
        self.members, _ = star_motions.to_mean_epoch(members, self.ref, at_exposures, options)
        self.pairs: list[tuple[NDArray[np.intp], NDArray[np.intp]]] = []
        self.reasons: list[str] = []
        self._match()

    def _options(self, radius: float) -> dict[str, Any]:
        return {
            "searchrad": radius,
            "tolerance": self.options["histogram"]["tolerance_px"],
            "min_tolerance": self.options["min_tolerance_px"],
            "max_false_alarm": self.options["max_false_alarm"],
        }

    def _match(self) -> None:
        """Match every exposure, in the surroundings of where all together lie; sets `pairs` (source, row) of each.

        An exposure with too few stars for a match of its own takes those of the group's stars that it has.
        """
        least = int(self.options["required"]["shift"])
        wide, near = self.options["histogram"]["searchrad_px"], self.options["relative"]["searchrad_px"]
        stars = merge(self.members, self.options["relative"]["association_px"])
        group = matching.match(stars.uv, self.ref, **self._options(wide))
        if len(group) < least:  # no offset found: is there none?
            close = matching.match(
                stars.uv,
                self.ref,
                histogram=False,
                **{**self._options(wide), "tolerance": self.options["default"]["tolerance_px"]},
            )
            group = close if len(close) >= least else group
        together = len(group) >= least
        for member in self.members:
            reason = ""
            moved = member.start + group.shift if together else member.start
            own = matching.match(moved, self.ref, **self._options(near if together else wide))
            if len(own) >= least:
                pair = (own.image, own.ref)
            elif together:
                rows = np.sort(group.ref)
                moved = member.start @ group.matrix.T + group.shift
                pair = (np.empty(0, np.intp), np.empty(0, np.intp))
                if len(moved):
                    image, which = matching.mutual_neighbours(moved, self.ref[rows], group.tolerance)
                    pair = (image, rows[which])
                reason = "" if len(pair[0]) else "none of the stars that the group has in the catalogue"
            else:
                pair = (np.empty(0, np.intp), np.empty(0, np.intp))
                reason = own.reason or f"{len(own)} matches, {least} needed"
            self.pairs.append(pair)
            self.reasons.append(reason)
        self.group_reason = group.reason or f"{len(group)} matches, {least} needed"

    def _stars(self) -> Unit:
        """Return the matched stars, each once: the weighted mean of the exposures that have it."""
        weight, total = np.zeros(len(self.ref)), np.zeros((len(self.ref), 2))
        for member, (image, row) in zip(self.members, self.pairs, strict=True):
            w = member.error[image] ** -2.0
            np.add.at(weight, row, w)
            np.add.at(total, row, member.start[image] * w[:, None])
        rows = np.flatnonzero(weight > 0)
        return Unit(total[rows] / weight[rows, None], weight[rows] ** -0.5, rows)

    def result(self) -> dict[str, Any]:
        outlines = [outline for member in self.members for outline in member.outlines]
        field = np.zeros(len(self.ref), dtype=bool)
        for outline in outlines:
            field |= inside(outline, self.ref)
        rows = {"rows": len(self.ref), "rows_in_field": int(field.sum())}
        stars = self._stars()
        if not len(self.ref):
            reason = "the catalogue has no rows"
        elif not rows["rows_in_field"]:
            reason = f"none of the {len(self.ref)} rows of the catalogue lies in the field"
        elif not any(len(member.start) for member in self.members):
            reason = "no usable source in any exposure"
        else:
            reason = self.group_reason
        exposures = [
            {
                "rootname": member.rootname,
                **self._numbers(Unit(member.start[image], member.error[image], row), why or reason),
            }
            for member, (image, row), why in zip(self.members, self.pairs, self.reasons, strict=True)
        ]
        about = {"catalog": self.name, "source": self.table.meta.get("source"), **rows}
        return {**about, "group": self._numbers(stars, reason), "exposures": exposures}

    def _numbers(self, unit: Unit, reason: str) -> dict[str, Any]:
        """Offset, rotation, scale, RMS and their errors of some sources; see the schema for each."""
        least = int(self.options["required"]["shift"])
        if len(unit.row) < least:
            few = f"{len(unit.row)} matches, {least} needed" if len(unit.row) else reason
            return _unmeasurable(few)
        geometry = "rscale" if len(unit.row) >= _LEAST_LINEAR else "shift"
        row_error = self.ref_error[unit.row]
        fit = align(unit.uv, unit.error, self.ref[unit.row], row_error, geometry, self.options)
        px = self.plane.scale * 1000.0
        towards = np.array([-px, px])  # east, north
        before = (unit.uv - self.ref[unit.row])[fit.own]
        offset = np.average(before, axis=0, weights=fit.sigma**-2.0) * towards
        square = ((before * towards) ** 2).mean(axis=0)
        error, error95 = limits(fit.error() * px, fit.freedom, float(self.options["zero_point_floor_mas"]))
        linear = geometry == "rscale"
        turn = limits(fit.angle_error, fit.freedom)[0] if linear else None
        inverse = np.linalg.inv(fit.matrix)
        warp = (fit.moved - fit.middle) @ (inverse - np.eye(2)).T
        magnitudes = np.asarray(self.table["mag"], dtype=float)[unit.row[fit.own]]
        magnitudes = magnitudes[np.isfinite(magnitudes)]
        return {
            "outcome": "measured",
            "reason": "",
            "nmatches": len(fit.own),
            "clipped": len(unit.row) - len(fit.own),
            "offset_mas": [float(v) for v in offset],
            "error_mas": error,
            "error95_mas": error95,
            "rotation_deg": -math.degrees(rotation(fit.matrix)) if linear else None,
            "rotation_error_deg": math.degrees(turn) if turn is not None else None,
            "scale": 1.0 / math.sqrt(abs(float(np.linalg.det(fit.matrix)))) if linear else None,
            "scale_error": turn,
            "field_mas": math.sqrt(float((warp**2).sum(axis=1).mean())) * px if linear else None,
            "rms_mas": math.sqrt(float(square.sum())),
            "rms_ra_mas": math.sqrt(float(square[0])),
            "rms_dec_mas": math.sqrt(float(square[1])),
            "rms_removed_mas": math.sqrt(float((fit.residual**2).sum(axis=1).mean())) * px,
            "magnitudes": [float(magnitudes.min()), float(magnitudes.max())] if len(magnitudes) else None,
        }

    def cross_validate(self, fit: Mapping[str, Any]) -> dict[str, Any]:
        """Hold stars out of the fit: of the group's, or of each exposure's where they were fitted one by one."""
        units = [self._stars()]
        if fit["wcs_kind"] != "REL" and fit["fitgeom_used"] == fit["fitgeom"]:
            units = [
                Unit(member.start[image], member.error[image], row)
                for member, (image, row) in zip(self.members, self.pairs, strict=True)
                if len(row)
            ]
        names = [str(name) for name in self.table["objID"]] if len(self.table) else []
        scale = self.plane.scale * 1000.0
        geometry = str(fit["fitgeom_used"])
        return cross_validate(units, self.ref, self.ref_error, names, geometry, self.options, scale)


_RELATIVE = ("nmatches", "offset_mas", "offset_px", "error_mas", "error95_mas", "rotation_deg", "scale", "rms_mas")


def _relative_unmeasurable(reason: str, exposures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "outcome": "unmeasurable",
        "reason": reason,
        **dict.fromkeys(("scatter_mas", "scatter_px", "error_mas", "largest_mas")),
        "exposures": list(exposures),
    }


def _relative(plane: Plane, members: Sequence[Member], options: Mapping[str, Any]) -> dict[str, Any]:
    """Where exposures lie about their mean, by the corrections that would bring them together."""
    if len(members) < 2:
        return _relative_unmeasurable("one exposure: nothing to compare it with", [])
    tied = tie(list(members), options)
    px = plane.scale * 1000.0
    # The plane's origin is the middle of the field; there a correction is its shift.
    centre = np.mean([member.shift for member in tied], axis=0) if tied else np.zeros(2)
    angle = float(np.mean([math.degrees(rotation(member.matrix)) for member in tied])) if tied else 0.0
    rows: list[dict[str, Any]] = []
    away: list[Array] = []
    for member in members:
        known = member.relative
        if not member.tied or known.get("error_px") is None:
            reason = str(known.get("reason") or "too few sources in common with the others")
            empty = dict.fromkeys(_RELATIVE)
            rows.append({"rootname": member.rootname, "outcome": "unmeasurable", "reason": reason, **empty})
            continue
        offset = (centre - member.shift) * np.array([-1.0, 1.0])
        away.append(offset)
        rows.append(
            {
                "rootname": member.rootname,
                "outcome": "measured",
                "reason": "",
                "nmatches": known["nmatches"],
                "offset_mas": [float(v) * px for v in offset],
                "offset_px": [float(v) for v in offset],
                "error_mas": known["error_px"] * px,
                "error95_mas": known["error95_px"] * px,
                "rotation_deg": angle - math.degrees(rotation(member.matrix)),
                "scale": 1.0 / known["scale"],
                "rms_mas": known["rms_px"] * px,
            }
        )
    if len(away) < 2:
        reasons = "; ".join(f"{row['rootname']}: {row['reason']}" for row in rows if row["reason"])
        return _relative_unmeasurable(f"no two exposures could be compared ({reasons})", rows)
    spread = np.array(away) - np.mean(away, axis=0)
    scatter = math.sqrt(float((spread**2).sum()) / (2 * (len(away) - 1)))
    error = math.sqrt(float(np.mean([row["error_mas"] ** 2 for row in rows if row["error_mas"] is not None])))
    missing = [str(row["rootname"]) for row in rows if row["outcome"] != "measured"]
    return {
        "outcome": "measured",
        "reason": f"without {', '.join(missing)}" if missing else "",
        "scatter_mas": scatter * px,
        "scatter_px": scatter,
        "error_mas": error,
        "largest_mas": float(np.hypot(*spread.T).max()) * px,
        "exposures": rows,
    }
