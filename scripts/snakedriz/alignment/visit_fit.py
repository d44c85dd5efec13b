"""All exposures of a visit, whatever their filter and association, aligned to each other and the catalogue as one body.

One joint solution for all: exposures are tied by the stars they share, by the catalogue, and by the guide-star lock
they were taken on, each with its error. What has no star of its own (shallow, narrow band, spectra) has the correction
of its lock. Everything starts from the pointing as observed, since corrections can be common only to WCSs that share
their errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table

from snakedriz import settings
from snakedriz.alignment.exposure_sources import ExposureSources
from snakedriz.alignment.fit_quality import assess
from snakedriz.alignment.fit_result import Status
from snakedriz.alignment.fitting import run
from snakedriz.alignment.joint_alignment import JointAlignment
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
    """The strategy of a visit: what is solved for, inherited and left out; by how each exposure was guided."""

    def __init__(self, guiding: Mapping[str, Guiding]) -> None:
        self.guiding = guiding
        self.bodies: list[list[str]] = []
        self.ties: list[VisitTie] = []
        self.inherited: list[Inheritance] = []
        self.left_out: list[LeftOut] = []

    def align(self, work: JointAlignment) -> dict[str, Status]:
        """Correct the exposures; those that get no solution are taken out of `work`. Returns who inherits."""
        work.solve("relative")
        component = work.pairing.component.tolist()
        names = [e.rootname for e in work.exposures]
        bodies = [[n for n, own in zip(names, component, strict=True) if own == k] for k in sorted(set(component))]
        self.bodies = sorted((body for body in bodies if len(body) > 1), key=lambda body: (-len(body), body))
        seen = set(work.solution.adjustment.system.measured.exposure.tolist())
        with_stars = [self.guiding[name] for i, name in enumerate(names) if i in seen]
        for i, name in enumerate(names):
            if i not in seen:
                self._see_to(work, name, with_stars)
        left_out = {one.rootname for one in self.left_out}
        if left_out:  # the stars of the others are the same without them
            work.without(left_out)
        tolerance = float(work.options["relative"]["association_px"])
        self.ties = ties(work.exposures, tolerance, work.plane.scale * 1000.0)
        return {one.rootname: "inherited" for one in self.inherited}

    def _see_to(self, work: JointAlignment, name: str, solved: Sequence[Guiding]) -> None:
        """Let an exposure without a star inherit the correction of its guide-star lock, or leave it out."""
        giver, why = donor(self.guiding[name], solved, list(self.guiding.values()))
        if giver is None:
            text = f"no star that others or the catalogue have, and nothing to inherit: {why}"
            self.left_out.append(LeftOut(rootname=name, reason=text))
            work.notes.append(f"{name}: {text}")
            return
        checked = "no catalogue stars to check it with"
        self.inherited.append(Inheritance(rootname=name, giver=giver, why=why, checked=checked))
        work.notes.append(f"{name}: correction of {giver} inherited, {why}; {checked}")


def ties(exposures: Sequence[PlacedExposure], tolerance: float, scale: float) -> list[VisitTie]:
    """Count the sources that pairs of exposures share under their present corrections, and say how well they agree.

    A source lies within `tolerance` (px) of its star; `scale` in mas per px. Pairs with fewer than 3 common sources
    have no errors, those without any are left out.
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
        pair, (error68, error95) = [one.rootname, other.rootname], error
        rows.append(
            VisitTie(exposures=pair, sources=len(i), offset_mas=offset.tolist(), error_mas=error68, error95_mas=error95)
        )
    return rows


def finest_settings(
    detectors: Mapping[str, Any], inventories: Sequence[Inventory], skeletons: Mapping[ExposureKey, fits.HDUList]
) -> dict[str, Any]:
    """Return the settings of the detector with the finest pixels, whose scale is that of the fit's plane.

    `detectors` is what `settings.load_detectors` returns. Without inventories: the settings common to all detectors.
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
