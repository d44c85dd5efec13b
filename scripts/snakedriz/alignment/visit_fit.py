"""All exposures of a visit, whatever their filter and association, aligned to each other and the catalogue as one body.

Exposures are tied by the sources they share; where pointings do not all overlap there may be several such bodies, each
of which is fitted to the catalogue. What has too few stars for that (shallow, narrow band, spectra) inherits the
correction of an exposure that was taken on the same guide-star lock, unless catalogue stars contradict. Everything
starts from the pointing as observed, since corrections can be inherited only between WCSs that share their errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table
from numpy.typing import NDArray

from snakedriz import settings
from snakedriz.alignment import matching
from snakedriz.alignment.exposure_sources import ExposureSources
from snakedriz.alignment.fitting import Fit, NoFitError, run
from snakedriz.alignment.relative_alignment import tie
from snakedriz.alignment.tangent_plane import Member, merge
from snakedriz.artefacts.inventory import Inventory
from snakedriz.errors import SnakedrizError
from snakedriz.exposures.guiding import Guiding, donor
from snakedriz.exposures.skeleton import science_extensions
from snakedriz.fits_headers.rootnames import ExposureKey
from snakedriz.statistics import limits

Array = NDArray[np.float64]
SCHEMA = "visit_fit/1"


def fit(
    visit: str,
    associations: Mapping[str, Sequence[str]],
    exposures: Sequence[ExposureSources],
    reference: Table,
    fitgeom: str,
    settings: Mapping[str, Any],
    catalog: str,
) -> dict[str, Any]:
    """Fit the exposures of a visit to a reference catalogue as one body.

    Parameters
    ----------
    visit : str
        Its name.
    associations : mapping
        From association to the rootnames of its exposures.
    exposures : sequence of ExposureSources
        Of all associations, each once, with the default WCS; an empty source table for those without positions
        (spectra).
    reference, fitgeom, settings, catalog
        As in `fitting.fit`; the settings are those of the finest detector.

    Returns
    -------
    dict
        "visit_fit/1": the members of `fitting.fit`, the status of an exposure being fitted, inherited or fitted alone,
        and: `visit`, `associations`, `bodies` (lists of rootnames that were tied to each other), `ties` (of each pair
        with common sources: `exposures`, `sources`, `offset_mas` east and north of the second from the first after
        the fit, `error_mas` and `error95_mas`, half-widths per axis, None for fewer than 3 sources), `inherited`
        (rootname, from, why, checked) and `left_out` (rootname, reason).

    Raises
    ------
    SnakedrizError
        If an exposure is given twice.
    """
    names = [e.rootname for e in exposures]
    if len(set(names)) < len(names):
        raise SnakedrizError(f"visit {visit}: an exposure is given twice among {', '.join(names)}")
    guiding = {e.rootname: Guiding.of(e.rootname, e.skeleton[0].header) for e in exposures}
    body = _Visit(guiding)
    about = {"schema": SCHEMA, "method": "visit", "wcs_kind": "SVM", "visit": visit,
             "associations": {name: list(roots) for name, roots in sorted(associations.items())}}  # fmt: skip
    out = run(exposures, reference, body.align, fitgeom, settings, catalog, about)
    for exposure in out["exposures"]:
        exposure["association"] = next(n for n, roots in sorted(associations.items()) if exposure["rootname"] in roots)
        exposure["inherits"] = next((i for i in body.inherited if i["rootname"] == exposure["rootname"]), None)
    return {
        **out, "bodies": body.bodies, "ties": body.ties, "inherited": body.inherited, "left_out": body.left_out,
    }  # fmt: skip


class _Visit:
    """The strategy: what is tied, fitted, inherited and left out."""

    def __init__(self, guiding: Mapping[str, Guiding]) -> None:
        self.guiding = guiding
        self.bodies: list[list[str]] = []
        self.ties: list[dict[str, Any]] = []
        self.inherited: list[dict[str, str]] = []
        self.left_out: list[dict[str, str]] = []

    def align(self, work: Fit) -> None:
        """Correct the members; those that get no solution are taken out of `work`."""
        bodies = _bodies(work)
        self.bodies = [[m.rootname for m in body] for body in bodies if len(body) > 1]
        waiting: list[tuple[list[Member], str]] = []
        for body in bodies:
            reason = _fit_body(work, body)
            if reason:
                waiting.append((body, reason))
        if "group" not in work.fits:  # too few stars for the geometry in any: the first that a shift can be fitted to
            index = next((i for i, (body, _) in enumerate(waiting) if not _fit_body(work, body, "shift")), None)
            if index is not None:
                waiting.pop(index)
        if "group" not in work.fits:
            raise NoFitError("; ".join(f"{_names(body)}: {reason}" for body, reason in waiting))
        solved = [self.guiding[m.rootname] for m in work.members if m.rootname in work.status]
        for body, reason in waiting:
            self._inherit(work, body, reason, solved)
        work.members = [m for m in work.members if m.rootname in work.status]
        self.ties = ties(work.members, float(work.options["relative"]["association_px"]), work.plane.scale * 1000.0)

    def _inherit(self, work: Fit, body: list[Member], reason: str, solved: Sequence[Guiding]) -> None:
        """Give a body the correction of an exposure on the same lock; its own catalogue stars may say otherwise."""
        every = list(self.guiding.values())
        giver, why = None, ""
        for member in body:
            giver, why = donor(self.guiding[member.rootname], solved, every)
            if giver is not None:
                break
        least = int(work.options["required"]["shift"])
        if giver is None:
            if _fit_body(work, body, "shift"):
                text = f"too few stars ({reason}), and nothing to inherit: {why}"
                self.left_out += [{"rootname": m.rootname, "reason": text} for m in body]
                work.notes.append(f"{_names(body)}: {text}")
            return
        source = next(m for m in work.members if m.rootname == giver)
        before = [(m.matrix, m.shift) for m in body]
        for member in body:
            member.correct(source.matrix, source.shift)
        stars = merge(body, work.options["relative"]["association_px"])
        found = matching.match(stars.uv, work.ref, **work.matcher().options)
        checked = "no catalogue stars to check it with"
        if len(found) >= least:
            offset = float(np.hypot(*np.median(work.ref[found.ref] - stars.uv[found.image], axis=0)))
            limit = float(work.options["relative"]["kept_within_px"])
            if offset > limit:
                for member, (matrix, shift) in zip(body, before, strict=True):
                    member.matrix, member.shift = matrix, shift
                if not _fit_body(work, body, "shift"):
                    work.notes.append(
                        f"{_names(body)}: {len(found)} catalogue stars lie {offset:.2f} px from where the "
                        f"correction of {giver} would put them: fitted alone"
                    )
                    return
                raise SnakedrizError(f"{_names(body)}: {len(found)} matches could not be fitted by a shift")
            checked = f"{len(found)} catalogue stars confirm it within {limit:g} px"
        for member in body:
            work.status[member.rootname] = "inherited"
            self.inherited.append({"rootname": member.rootname, "from": giver, "why": why, "checked": checked})
        work.notes.append(f"{_names(body)} ({reason}): correction of {giver} inherited, {why}; {checked}")


def _names(body: Sequence[Member]) -> str:
    return ", ".join(m.rootname for m in body)


def _bodies(work: Fit) -> list[list[Member]]:
    """Sets of exposures that are tied to each other by their sources, the best connected first; then single ones."""
    bodies: list[list[Member]] = []
    left = list(work.members)
    while len(left) > 1:
        tied = tie(left, work.options)
        if not tied:
            break
        bodies.append(tied)
        left = [m for m in left if not m.tied]
    return [*bodies, *([m] for m in sorted(left, key=lambda m: (-len(m.start), m.rootname)))]


def _fit_body(work: Fit, body: Sequence[Member], geometry: str | None = None) -> str:
    """Fit a body to the catalogue; the first that succeeds is the group. Returns why it cannot be, else ``''``.

    A body of several exposures falls back to a shift, which keeps its relative geometry. A single exposure without the
    matches for the geometry rather inherits: a handful of stars says less than the guide stars.
    """
    stars = merge(body, work.options["relative"]["association_px"])
    tries = [geometry] if geometry else [work.fitgeom, "shift"] if len(body) > 1 else [work.fitgeom]
    name, reason = f"body of {body[0].rootname}", ""
    for attempt in dict.fromkeys(tries):
        try:
            matrix, shift = work.absolute(name, stars.uv, stars.error, attempt)
            break
        except NoFitError as error:
            reason = str(error)
            work.found.pop(name, None)
    else:
        return reason
    first = "group" not in work.fits
    for member in body:
        member.correct(matrix, shift)
        work.status[member.rootname] = "fitted" if geometry is None or first else "fitted alone"
    # The result looks for an exposure's fit under its own name first, then under that of the group.
    found, used, linear = work.found.pop(name), work.used.pop(name), work.fits.pop(name)
    for key in ["group"] if first else [m.rootname for m in body]:
        work.found[key], work.used[key], work.fits[key] = found, used, linear
    if first:
        work.geometry = linear.geometry
        if linear.geometry != work.fitgeom:
            work.notes.append(f"{reason}: one common shift, relative geometry kept")
    return ""


def ties(members: Sequence[Member], tolerance: float, scale: float) -> list[dict[str, Any]]:
    """Count the sources that pairs of exposures share under their present corrections, and say how well they agree.

    Parameters
    ----------
    members : sequence of Member
    tolerance : float
        Largest distance of a source from its star (px).
    scale : float
        mas per px.

    Returns
    -------
    list of dict
        See `fit`; only pairs with at least one common source.
    """
    stars = merge(members, tolerance)
    rows: list[dict[str, Any]] = []
    for (one, seen), (other, also) in combinations(zip(members, stars.seen, strict=True), 2):
        _, i, j = np.intersect1d(seen, also, return_indices=True)
        if not len(i):
            continue
        weight = 1.0 / (one.error[i] ** 2 + other.error[j] ** 2)
        difference = (other.uv[j] - one.uv[i]) * np.array([-scale, scale])
        offset = np.average(difference, axis=0, weights=weight)
        error: tuple[float | None, float | None] = (None, None)
        if len(i) >= 3:
            freedom = 2 * (len(i) - 1)
            variance = float((weight[:, None] * (difference - offset) ** 2).sum()) / freedom
            error = limits(float(np.sqrt(variance / weight.sum())), freedom)
        rows.append(
            {
                "exposures": [one.rootname, other.rootname],
                "sources": len(i),
                "offset_mas": [float(v) for v in offset],
                "error_mas": error[0],
                "error95_mas": error[1],
            }
        )
    return rows


def detector_settings(
    detectors: Mapping[str, Any],
    inventories: Sequence[Inventory],
    skeletons: Mapping[ExposureKey, fits.HDUList],
) -> dict[str, Any]:
    """Return the settings of the detector with the finest pixels, whose scale is that of the fit's plane.

    Parameters
    ----------
    detectors : mapping
        Contents of ``config/detectors.yaml``.
    inventories : sequence of mapping
        Of the associations; without any, the settings common to all detectors are returned.
    skeletons : mapping
        Of their exposures.
    """
    if not inventories:
        return dict(detectors["default"])

    def scale(inventory: Inventory) -> float:
        first = next(e["rootname"] for e in inventory["exposures"] if e["used"])
        skeleton = skeletons[ExposureKey(first, inventory["verification_kind"])]
        header = skeleton["SCI", science_extensions(skeleton)[0]].header
        cd = np.array([[header[f"CD{i}_{j}"] for j in (1, 2)] for i in (1, 2)])
        return round(float(np.sqrt(abs(np.linalg.det(cd)))) * 3600.0, 4)

    finest = min(inventories, key=scale)
    return settings.detector_settings(detectors, finest["instrument"], finest["detector"])
