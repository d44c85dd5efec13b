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

from snakedriz import settings
from snakedriz.alignment.catalog_alignment import GROUP, CatalogAlignment, NoFitError
from snakedriz.alignment.exposure_sources import ExposureSources
from snakedriz.alignment.fit_quality import assess
from snakedriz.alignment.fitting import run
from snakedriz.alignment.relative_alignment import tie
from snakedriz.alignment.tangent_plane import PlacedExposure, merge
from snakedriz.artefacts.base import Geometry
from snakedriz.artefacts.fit import FitMethod
from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.visit_fit import Inheritance, LeftOut, VisitExposure, VisitFit, VisitTie
from snakedriz.errors import SnakedrizError
from snakedriz.exposures.guiding import Guiding, donor
from snakedriz.exposures.skeleton import science_extensions
from snakedriz.fits_headers.rootnames import ExposureKey
from snakedriz.statistics import limits

Body = Sequence[PlacedExposure]


def fit(
    visit: str,
    associations: Mapping[str, Sequence[str]],
    exposures: Sequence[ExposureSources],
    reference: Table,
    fitgeom: Geometry,
    settings: Mapping[str, Any],
    catalog: str,
) -> VisitFit:
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

    Raises
    ------
    SnakedrizError
        If an exposure is given twice.
    """
    names = [e.rootname for e in exposures]
    if len(set(names)) < len(names):
        raise SnakedrizError(
            f"visit {visit}: an exposure is given twice among {', '.join(names)}",
            "list each exposure in one association of the visit only (visit.group)",
        )
    work = VisitAlignment({e.rootname: Guiding.of(e.rootname, e.skeleton[0].header) for e in exposures})
    how = FitMethod(method="visit", wcs_kind="SVM")
    found = run(exposures, reference, work.align, how, fitgeom, settings, catalog)
    owners = {root: name for name, roots in sorted(associations.items(), reverse=True) for root in roots}
    heirs = {one.rootname: one for one in work.inherited}
    rows = [
        VisitExposure(**e.given(), association=owners[e.rootname], inherits=heirs.get(e.rootname))
        for e in found.exposures
    ]
    return VisitFit(
        **{**found.given(), **assess(found, settings).given(), "exposures": rows},
        visit=visit,
        associations={name: list(roots) for name, roots in sorted(associations.items())},
        bodies=work.bodies,
        ties=work.ties,
        inherited=work.inherited,
        left_out=work.left_out,
        start="default",
    )


class VisitAlignment:
    """The strategy of a visit: what is tied, fitted, inherited and left out.

    Parameters
    ----------
    guiding : mapping
        How each exposure was guided, by rootname.
    """

    def __init__(self, guiding: Mapping[str, Guiding]) -> None:
        self.guiding = guiding
        self.bodies: list[list[str]] = []
        self.ties: list[VisitTie] = []
        self.inherited: list[Inheritance] = []
        self.left_out: list[LeftOut] = []

    def align(self, work: CatalogAlignment) -> None:
        """Correct the exposures; those that get no solution are taken out of `work`."""
        bodies = _bodies(work)
        self.bodies = [[e.rootname for e in body] for body in bodies if len(body) > 1]
        waiting = [(body, reason) for body in bodies if (reason := _fit_body(work, body))]
        if GROUP not in work.fits:  # too few stars for the geometry in any: the first that a shift can be fitted to
            index = next((i for i, (body, _) in enumerate(waiting) if not _fit_body(work, body, "shift")), None)
            if index is not None:
                waiting.pop(index)
        if GROUP not in work.fits:
            raise NoFitError("; ".join(f"{_names(body)}: {reason}" for body, reason in waiting))
        solved = [self.guiding[e.rootname] for e in work.exposures if e.rootname in work.status]
        for body, reason in waiting:
            self._see_to(work, body, reason, solved)
        work.exposures = [e for e in work.exposures if e.rootname in work.status]
        self.ties = ties(work.exposures, work.association_px, work.plane.scale * 1000.0)

    def _see_to(self, work: CatalogAlignment, body: Body, reason: str, solved: Sequence[Guiding]) -> None:
        """Let a body inherit the correction of an exposure on the same lock, or else be shifted, or leave it out."""
        every = list(self.guiding.values())
        giver, why = None, ""
        for exposure in body:
            giver, why = donor(self.guiding[exposure.rootname], solved, every)
            if giver is not None:
                self._inherit(work, body, giver, why, reason)
                return
        if _fit_body(work, body, "shift"):
            text = f"too few stars ({reason}), and nothing to inherit: {why}"
            self.left_out += [LeftOut(rootname=e.rootname, reason=text) for e in body]
            work.notes.append(f"{_names(body)}: {text}")

    def _inherit(self, work: CatalogAlignment, body: Body, giver: str, why: str, reason: str) -> None:
        """Give a body the correction of an exposure on the same lock; its own catalogue stars may say otherwise."""
        source = next(e for e in work.exposures if e.rootname == giver)
        before = [(e.matrix, e.shift) for e in body]
        for exposure in body:
            exposure.correct(source.matrix, source.shift)
        stars = merge(body, work.association_px)
        found = work.match(stars.uv)
        checked = "no catalogue stars to check it with"
        if len(found) >= int(work.options["required"]["shift"]):
            offset = float(np.hypot(*np.median(work.ref.uv[found.ref] - stars.uv[found.image], axis=0)))
            limit = float(work.options["relative"]["kept_within_px"])
            if offset > limit:
                for exposure, (matrix, shift) in zip(body, before, strict=True):
                    exposure.matrix, exposure.shift = matrix, shift
                if _fit_body(work, body, "shift"):
                    raise SnakedrizError(
                        f"{_names(body)}: {len(found)} matches could not be fitted by a shift",
                        "report it with the tables of sources and the catalogue; the candidate `visit` can be left out",
                    )
                work.notes.append(
                    f"{_names(body)}: {len(found)} catalogue stars lie {offset:.2f} px from where the "
                    f"correction of {giver} would put them: fitted alone"
                )
                return
            checked = f"{len(found)} catalogue stars confirm it within {limit:g} px"
        for exposure in body:
            work.status[exposure.rootname] = "inherited"
            self.inherited.append(Inheritance(rootname=exposure.rootname, giver=giver, why=why, checked=checked))
        work.notes.append(f"{_names(body)} ({reason}): correction of {giver} inherited, {why}; {checked}")


def _names(body: Body) -> str:
    return ", ".join(e.rootname for e in body)


def _bodies(work: CatalogAlignment) -> list[Body]:
    """Sets of exposures that are tied to each other by their sources, the best connected first; then single ones."""
    bodies: list[Body] = []
    left = list(work.exposures)
    while len(left) > 1:
        tied = tie(left, work.options)
        if not tied:
            break
        bodies.append(tied)
        left = [e for e in left if not e.tied]
    return [*bodies, *([e] for e in sorted(left, key=lambda e: (-len(e.start), e.rootname)))]


def _fit_body(work: CatalogAlignment, body: Body, geometry: Geometry | None = None) -> str:
    """Fit a body to the catalogue; the first that succeeds is the group. Returns why it cannot be, else ``''``.

    A body of several exposures falls back to a shift, which keeps its relative geometry. A single exposure without the
    matches for the geometry rather inherits: a handful of stars says less than the guide stars.
    """
    stars = merge(body, work.association_px)
    tries: list[Geometry] = [geometry] if geometry else [work.fitgeom, "shift"] if len(body) > 1 else [work.fitgeom]
    name, reason = f"body of {body[0].rootname}", ""
    for attempt in dict.fromkeys(tries):
        try:
            linear = work.fit(name, stars.uv, stars.error, attempt)
            break
        except NoFitError as error:
            reason = str(error)
            work.found.pop(name, None)
    else:
        return reason
    first = GROUP not in work.fits
    for exposure in body:
        exposure.correct(linear.matrix, linear.shift)
        work.status[exposure.rootname] = "fitted" if geometry is None or first else "fitted alone"
    # The result looks for an exposure's fit under its own name first, then under that of the group.
    found, used, linear = work.found.pop(name), work.used.pop(name), work.fits.pop(name)
    for key in [GROUP] if first else [e.rootname for e in body]:
        work.found[key], work.used[key], work.fits[key] = found, used, linear
    if first:
        work.geometry = attempt
        if attempt != work.fitgeom:
            work.notes.append(f"{reason}: one common shift, relative geometry kept")
    return ""


def ties(exposures: Sequence[PlacedExposure], tolerance: float, scale: float) -> list[VisitTie]:
    """Count the sources that pairs of exposures share under their present corrections, and say how well they agree.

    Parameters
    ----------
    exposures : sequence of PlacedExposure
    tolerance : float
        Largest distance of a source from its star (px).
    scale : float
        mas per px.

    Returns
    -------
    list of VisitTie
        Only pairs with at least one common source; without errors for fewer than 3.
    """
    stars = merge(exposures, tolerance)
    rows = []
    for (one, seen), (other, also) in combinations(zip(exposures, stars.seen, strict=True), 2):
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
            VisitTie(
                exposures=[one.rootname, other.rootname],
                sources=len(i),
                offset_mas=offset.tolist(),
                error_mas=error[0],
                error95_mas=error[1],
            )
        )
    return rows


def finest_settings(
    detectors: Mapping[str, Any], inventories: Sequence[Inventory], skeletons: Mapping[ExposureKey, fits.HDUList]
) -> dict[str, Any]:
    """Return the settings of the detector with the finest pixels, whose scale is that of the fit's plane.

    Parameters
    ----------
    detectors : mapping
        From `settings.load_detectors`.
    inventories : sequence of Inventory
        Of the associations; without any, the settings common to all detectors are returned.
    skeletons : mapping
        Of their exposures.
    """
    if not inventories:
        return dict(detectors["default"])

    def scale(inventory: Inventory) -> float:
        skeleton = skeletons[ExposureKey(inventory.used[0].rootname, str(inventory.verification_kind))]
        header = skeleton["SCI", science_extensions(skeleton)[0]].header
        cd = np.array([[header[f"CD{i}_{j}"] for j in (1, 2)] for i in (1, 2)])
        return round(float(np.sqrt(abs(np.linalg.det(cd)))) * 3600.0, 4)

    finest = min(inventories, key=scale)
    return settings.detector_settings(detectors, str(finest.instrument), str(finest.detector))
