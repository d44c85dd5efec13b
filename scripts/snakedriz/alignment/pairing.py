"""Which sources of a visit are the same star, and which catalogue rows these stars are.

Three strategies find the pairs; what is made of them is the business of the joint solution. "relative": exposures are
linked to each other first (`exposure_links`), and each set that hangs together is matched to the catalogue as one body.
"2dhist": each exposure is a body by itself. "default": likewise, its pointing taken to be within the tolerance.

Bodies of a visit move together, for the telescope's guide stars are off for all of them. So a body with too few stars
for a significant match is looked for where the others say it is, in a small radius, where one or two stars are worth
something; and a body that the catalogue is silent about starts from there. Only where no body, nor all of them
together, has a significant match is there none: a wrong catalogue gives no match rather than a wrong one.

Time of one core: 4 exposures of 1,000 sources 0.2 s, 30 of 3,000 in 2.5 s ("relative") or 3 s ("2dhist").
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from snakedriz.alignment import exposure_links, fixed_sources, matching
from snakedriz.alignment.exposure_links import LEAST_SIGMA_PX, NEAR_PX, Linked
from snakedriz.alignment.matching import Match
from snakedriz.alignment.similarity import SimilarityMap, held_fit
from snakedriz.alignment.tangent_plane import Array, MergedStars, PlacedExposure, PlacedRows, merge

Strategy = Literal["relative", "2dhist", "default"]
Mask = NDArray[np.bool_]
GROUP = "group"
#: Chance of as many pairs at the place where the visit's other exposures say a body is, below which they are believed.
#: Not `max_false_alarm`: nothing was searched, and the joint solution weighs a stray pair against its prior.
FEW_FALSE_ALARM = 0.01
_SETTLING = 2  # rounds: the stars' means, exposures to these


@dataclass
class Pairing:
    """Stars of a visit.

    Attributes
    ----------
    transform : list of (matrix, shift)
        Of each exposure: position = matrix @ start + shift (px) brings its sources onto those of the others, and onto
        the catalogue where one was matched. A start for the joint solution, good to the tolerances of the matches.
    star : list of integer arrays
        Of each exposure, star of each source, 0 to m - 1 over all exposures; -1 for sources fixed to the detector.
    row : integer array, shape (m,)
        Catalogue row of each star, or -1; a row occurs once.
    component : integer array
        Of each exposure: those of one number hang together by common stars.
    matches : dict
        What was matched to the catalogue: `GROUP` for the body with most matches of the strategy "relative", else by
        rootname; of a body of several exposures every one has its match. `image` has stars, `ref` rows. An empty match
        has the reason; a body that has pairs only where others said to look has the chance of these.
    notes : list of str
        What a reader of the result should know.
    """

    transform: list[tuple[Array, Array]]
    star: list[NDArray[np.intp]]
    row: NDArray[np.intp]
    component: NDArray[np.intp]
    matches: dict[str, Match]
    notes: list[str] = field(default_factory=list)

    @property
    def matched(self) -> bool:
        """Whether the catalogue was found at all."""
        return bool((self.row >= 0).any())

    @property
    def reason(self) -> str:
        """Why the catalogue was not found; empty if it was."""
        if self.matched:
            return ""
        return "; ".join(f"{name}: {found.reason}" for name, found in self.matches.items() if found.reason)


@dataclass
class _StarBody:
    """Exposures that move as one: where its stars are, and where the catalogue says they are.

    `stars` are merged under the exposures' transforms; `place` brings them onto the catalogue once `found` is not empty
    or others have told, and pairs are then sought within `tolerance` (px).
    """

    members: list[int]
    stars: MergedStars
    middle: Array
    found: Match = field(default_factory=Match)
    place: SimilarityMap | None = None
    tolerance: float = 0.0


def find_stars(
    exposures: Sequence[PlacedExposure], reference: PlacedRows, strategy: Strategy, settings: Mapping[str, Any]
) -> Pairing:
    """Find the stars that exposures have in common with each other and with a catalogue.

    Parameters
    ----------
    exposures : sequence of PlacedExposure
        As they were placed; present corrections are not looked at, and nothing is changed.
    reference : PlacedRows
        Rows of the catalogue at the exposures' (mean) epoch.
    settings : mapping
        Block `fitting` of the detector's settings.
    """
    fixed = fixed_sources.find(exposures, settings)
    usable, notes = fixed.moving, list(fixed.notes)
    single = Linked([SimilarityMap()] * len(exposures), np.arange(len(exposures)))
    linked = exposure_links.link(exposures, usable, settings) if strategy == "relative" else single
    notes += linked.notes
    seen = [_only(e, mask) for e, mask in zip(exposures, usable, strict=True)]
    catalog = _Catalog(reference, strategy, settings, [e.rootname for e in exposures])
    bodies, told = catalog.find(seen, linked)
    if lone := catalog.contradicting(seen, linked, bodies):
        linked = exposure_links.without(linked, lone)
        bodies, told = catalog.find(seen, linked)
        notes += catalog.said_of(lone)
    notes += told
    transform = list(linked.transform)
    for body in bodies:
        for i in body.members:
            transform[i] = transform[i].then(body.place) if body.place else transform[i]
    settled = _Settled(seen, transform, bodies, reference, settings)
    settled.settle()
    star = [np.full(len(mask), -1, dtype=np.intp) for mask in usable]
    for own, mask, found in zip(star, usable, settled.stars.seen, strict=True):
        own[mask] = found
    links = [(one.one, one.other) for one in linked.links]
    return Pairing(
        transform=[(one.matrix, one.offset) for one in settled.transform],
        star=star,
        row=settled.row,
        component=exposure_links.components(len(exposures), links + settled.common()),
        matches=_by_name(seen, bodies, settled, strategy),
        notes=notes,
    )


def _only(exposure: PlacedExposure, mask: Mask) -> PlacedExposure:
    """Return an exposure, as it was placed, with some of its sources only."""
    values = {name: getattr(exposure, name)[mask] for name in ("start", "error", "mag", "row")}
    return replace(exposure, **values, matrix=np.eye(2), shift=np.zeros(2), motion=np.empty((0, 2)))


def _under(exposures: Sequence[PlacedExposure], transform: Sequence[SimilarityMap]) -> list[PlacedExposure]:
    """Return exposures with transforms as their corrections."""
    return [replace(e, matrix=t.matrix, shift=t.offset) for e, t in zip(exposures, transform, strict=True)]


def _bodies(exposures: Sequence[PlacedExposure], linked: Linked, settings: Mapping[str, Any]) -> list[_StarBody]:
    """Return the bodies, those with most stars first."""
    placed = _under(exposures, linked.transform)
    found = []
    for number in range(int(linked.component.max(initial=-1)) + 1):
        members = np.flatnonzero(linked.component == number).tolist()
        stars = merge([placed[i] for i in members], settings["relative"]["association_px"])
        found.append(_StarBody(members, stars, np.mean([placed[i].middle for i in members], axis=0)))
    return sorted(found, key=lambda body: (-len(body.stars.uv), body.members))


def least_tolerance(error: Array, ref_error: Array, settings: Mapping[str, Any]) -> float:
    """Tolerance (px) that leaves out one true pair in 10,000, by the errors quoted: 4.3 sigma in two dimensions.

    Of the less precise sources and rows (the 90th percentiles), and never more than the tolerance to begin with.
    """
    least = float(settings["min_tolerance_px"])
    if not len(error) or not len(ref_error):
        return least
    needed = 4.3 * math.hypot(*(float(np.percentile(e, 90)) for e in (error, ref_error)))
    return max(least, min(needed, float(settings["histogram"]["tolerance_px"])))


class _Catalog:
    """The catalogue, and how bodies are found on it."""

    def __init__(
        self,
        reference: PlacedRows,
        strategy: Strategy,
        settings: Mapping[str, Any],
        names: Sequence[str],
    ) -> None:
        self.ref, self.settings, self.names = reference, settings, names
        self.notes: list[str] = []
        self.kind: Literal["histogram", "default"] = "default" if strategy == "default" else "histogram"

    def find(self, exposures: Sequence[PlacedExposure], linked: Linked) -> tuple[list[_StarBody], list[str]]:
        """Return the bodies, placed as far as can be, and what to note of that."""
        self.notes = []
        bodies = _bodies(exposures, linked, self.settings)
        self._place(bodies)
        return bodies, self.notes

    def contradicting(
        self, exposures: Sequence[PlacedExposure], linked: Linked, bodies: Sequence[_StarBody]
    ) -> dict[int, tuple[int, int]]:
        """Exposures of bodies whose own catalogue stars say that they are elsewhere, by a significant match near by.

        Their links then rest on something that is no star, such as hot pixels of exposures without a dither. Returns
        the numbers of catalogue stars there and where the links put the exposure.
        """
        found = {}
        for body in (one for one in bodies if one.place and one.tolerance and len(one.members) > 1):
            for i in body.members:
                uv = linked.transform[i].then(body.place or SimilarityMap())(exposures[i].start)
                here = len(matching.mutual_neighbours(uv, self.ref.uv, body.tolerance)[0]) if len(uv) else 0
                near = self._match(body, uv, NEAR_PX)
                if len(near) > 2 * here + 2:
                    found[i] = (len(near), here)
        return found

    def said_of(self, lone: Mapping[int, tuple[int, int]]) -> list[str]:
        """Return notes about what `contradicting` found."""
        return [
            f"{self.names[i]}: {near} catalogue stars contradict its common sources with others ({here} agree); "
            "it is placed by itself"
            for i, (near, here) in sorted(lone.items())
        ]

    def _place(self, bodies: Sequence[_StarBody]) -> None:
        """Set what is known of all bodies: first by themselves, then by what the others tell."""
        for body in bodies:
            self._alone(body)
        self._outvote(bodies)
        told = _visit(bodies) or self._together(bodies)
        if told is None:
            return
        for body in (one for one in bodies if one.place is None):
            if not (self._near(body, told) or self._beside(body, told, bodies) or self._few(body, told)):
                body.place = told
                reason = f"no catalogue stars of its own ({body.found.reason}): starts where the others are"
                body.found = replace(body.found, reason=reason)
                self.notes.append(f"{self._called(body)}: {reason}")

    def _called(self, body: _StarBody) -> str:
        return ", ".join(self.names[i] for i in body.members)

    def _match(self, body: _StarBody, uv: Array, radius: float | None = None) -> Match:
        if not len(uv):
            return Match(reason="no sources")
        kind = self.kind if radius is None else "histogram"
        options = matching.match_options(self.settings, kind, radius)
        options["min_tolerance"] = least_tolerance(body.stars.error, self.ref.error, self.settings)
        return matching.match(uv, self.ref.uv, **options)

    def _take(self, body: _StarBody, found: Match) -> None:
        """Place a body by a match of its stars."""
        error = np.hypot(body.stars.error[found.image], self.ref.error[found.ref])
        weight = 1.0 / (error**2 + LEAST_SIGMA_PX**2)
        body.place = held_fit(body.stars.uv[found.image], self.ref.uv[found.ref], weight, LEAST_SIGMA_PX)
        body.found, body.tolerance = found, found.tolerance

    def _alone(self, body: _StarBody) -> None:
        found = self._match(body, body.stars.uv)
        if len(found):
            self._take(body, found)
        else:
            body.found = found

    def _outvote(self, bodies: Sequence[_StarBody]) -> None:
        """Drop weak matches far from where most of the stars of the visit are."""
        placed = [body for body in bodies if body.place]
        told = _visit(placed)
        if len(placed) < 3 or told is None:
            return
        limit, weak = float(self.settings["relative"]["searchrad_px"]), 1e-3 * float(self.settings["max_false_alarm"])
        for body in placed:
            away = float(np.hypot(*(_moved(body) - (told(body.middle[None])[0] - body.middle))))
            if away > limit and body.found.false_alarm > weak:
                reason = f"{len(body.found)} matches {away:.0f} px from where the others are"
                self.notes.append(f"{self._called(body)}: {reason}, by chance {body.found.false_alarm:.1g}; not used")
                body.place, body.tolerance, body.found = None, 0.0, Match(reason=reason)

    def _together(self, bodies: Sequence[_StarBody]) -> SimilarityMap | None:
        """Match the stars of all bodies at once, where none has enough by itself."""
        if len(bodies) < 2:
            return None
        uv, error = (np.concatenate([getattr(body.stars, name) for body in bodies]) for name in ("uv", "error"))
        every = MergedStars(uv, error, np.ones(len(uv), np.int64), np.zeros(len(uv)), [])
        whole = _StarBody([], every, np.zeros(2))
        self._alone(whole)
        if whole.place:
            count = len(whole.found)
            self.notes.append(f"no body has a significant match by itself; all together have one of {count} stars")
        return whole.place

    def _near(self, body: _StarBody, told: SimilarityMap) -> bool:
        """Match a body in a small radius about the place where the others say it is."""
        found = self._match(body, told(body.stars.uv), NEAR_PX)
        if not len(found):
            return False
        self._take(body, found)
        self.notes.append(f"{self._called(body)}: found by {len(found)} stars near the place of the others")
        return True

    def _few(self, body: _StarBody, told: SimilarityMap) -> bool:
        """Take the pairs at that place, where so many are no chance."""
        from scipy.stats import norm, poisson

        radius = float(self.settings["relative"]["kept_within_px"])
        uv = told(body.stars.uv)
        if not len(uv) or not len(self.ref.uv):
            return False
        image, ref = matching.mutual_neighbours(uv, self.ref.uv, radius)
        expected = len(uv) * _density(uv, self.ref.uv) * math.pi * radius**2
        chance = float(poisson.sf(len(image) - 1, expected)) if len(image) else 1.0
        if chance > FEW_FALSE_ALARM:
            return False
        body.place, body.tolerance = told, radius
        body.found = Match(
            ref, image, told.matrix, told.offset, float(norm.isf(chance)), chance, expected, tolerance=radius
        )
        self.notes.append(
            f"{self._called(body)}: {len(image)} stars within {radius:g} px of the place of the others, where chance "
            f"gives {expected:.2g}"
        )
        return True

    def _beside(self, body: _StarBody, told: SimilarityMap, bodies: Sequence[_StarBody]) -> bool:
        """Place a body by stars that it shares with those that are placed: so near them few are significant."""
        placed = [other for other in bodies if other.place and other is not body]
        uv = told(body.stars.uv)
        if not placed or not len(uv):
            return False
        others = np.vstack([other.place(other.stars.uv) for other in placed if other.place])
        found = matching.match(uv, others, **matching.match_options(self.settings, "relative", NEAR_PX))
        if not len(found):
            return False
        body.place = held_fit(body.stars.uv[found.image], others[found.ref], np.ones(len(found)), LEAST_SIGMA_PX)
        body.tolerance = least_tolerance(body.stars.error, self.ref.error, self.settings)
        reason = f"no significant match with the catalogue by itself: tied to the others by {len(found)} common stars"
        body.found = replace(body.found, reason=reason)
        self.notes.append(f"{self._called(body)}: {reason}")
        return True


def _moved(body: _StarBody) -> Array:
    """How far the middle of a placed body moved (px)."""
    place = body.place or SimilarityMap()
    return np.asarray(place(body.middle[None])[0] - body.middle)


def _visit(bodies: Sequence[_StarBody]) -> SimilarityMap | None:
    """Where the visit is: the median of its placed bodies, weighted by their matches; None without any."""
    placed = [body for body in bodies if body.place]
    if not placed:
        return None
    weight = np.array([min(len(body.found), 25) for body in placed], dtype=float)
    turns = np.array([body.place.turn for body in placed if body.place])
    turn = complex(_median(turns.real, weight), _median(turns.imag, weight))
    turned = SimilarityMap(turn)
    left = np.array([_moved(body) + body.middle - turned(body.middle[None])[0] for body in placed])
    return SimilarityMap(turn, complex(*(_median(axis, weight) for axis in left.T)))


def _median(values: Array, weight: Array) -> float:
    """Weighted median; the mean of the two middle values where the weights part evenly."""
    order = np.argsort(values, kind="stable")
    part = np.cumsum(weight[order]) / weight.sum()
    low, high = (int(np.searchsorted(part, 0.5 + side)) for side in (-1e-9, 1e-9))
    return float((values[order[low]] + values[order[min(high, len(order) - 1)]]) / 2.0)


def _density(uv: Array, ref: Array) -> float:
    """Catalogue rows per px^2 about a body's stars."""
    low, high = uv.min(axis=0) - 50.0, uv.max(axis=0) + 50.0  # a single star has surroundings as well
    count = np.count_nonzero(((ref >= low) & (ref <= high)).all(axis=1))
    return float(max(count, 1) / np.prod(high - low))


class _Settled:
    """Stars over all exposures, after each exposure has come to rest on those it shares.

    Attributes
    ----------
    transform : list of SimilarityMap
        Of each exposure.
    stars : MergedStars
    row : integer array
        Catalogue row of each star, or -1.
    """

    def __init__(
        self,
        exposures: Sequence[PlacedExposure],
        transform: list[SimilarityMap],
        bodies: Sequence[_StarBody],
        reference: PlacedRows,
        settings: Mapping[str, Any],
    ) -> None:
        self.exposures, self.transform, self.ref = exposures, transform, reference
        self.association = float(settings["relative"]["association_px"])
        self.required = int(settings["required_relative"]["shift"])
        self.tolerance = np.zeros(len(exposures))
        for body in bodies:
            self.tolerance[body.members] = body.tolerance
        self._find()

    def _find(self) -> None:
        self.stars = merge(_under(self.exposures, self.transform), self.association)
        tolerance = np.zeros(len(self.stars.uv))
        for seen, own in zip(self.stars.seen, self.tolerance, strict=True):
            tolerance[seen] = np.maximum(tolerance[seen], own)
        self.row = np.full(len(self.stars.uv), -1, dtype=np.intp)
        widest = float(tolerance.max(initial=0.0))
        if widest and len(self.ref.uv):
            star, row = matching.mutual_neighbours(self.stars.uv, self.ref.uv, widest)
            near = np.hypot(*(self.stars.uv[star] - self.ref.uv[row]).T) <= tolerance[star]
            self.row[star[near]] = row[near]

    def settle(self) -> None:
        """Bring exposures to their common stars, and what hangs together to the catalogue, in turn."""
        for _ in range(_SETTLING):
            before = list(self.transform)
            for i, seen in enumerate(self.stars.seen):
                shared = np.flatnonzero(self.stars.count[seen] >= 2)
                if len(shared) >= self.required:
                    uv = before[i](self.exposures[i].start[shared])
                    self._move([i], uv, self.stars.uv[seen[shared]], self.stars.error[seen[shared]])
            component = exposure_links.components(len(self.exposures), self.common())
            self._hold(before, component)
            self._find()
            for number in range(int(component.max(initial=-1)) + 1):
                members = np.flatnonzero(component == number).tolist()
                star = np.unique(np.concatenate([self.stars.seen[i] for i in members]))
                star = star[self.row[star] >= 0]
                if len(star) >= self.required:
                    row = self.row[star]
                    error = np.hypot(self.stars.error[star], self.ref.error[row])
                    self._move(members, self.stars.uv[star], self.ref.uv[row], error)
            self._find()

    def _move(self, members: Sequence[int], uv: Array, to: Array, error: Array) -> None:
        step = held_fit(uv, to, 1.0 / (error**2 + LEAST_SIGMA_PX**2), LEAST_SIGMA_PX)
        for i in members:
            self.transform[i] = self.transform[i].then(step)

    def _hold(self, before: list[SimilarityMap], component: NDArray[np.intp]) -> None:
        self.transform = exposure_links.hold_frames(self.exposures, self.transform, before, component)

    def common(self) -> list[tuple[int, int]]:
        """Pairs of exposures with as many common stars as tie one to another."""
        from scipy.sparse import csr_matrix

        n, seen = len(self.exposures), self.stars.seen
        of = np.concatenate([np.full(len(own), i) for i, own in enumerate(seen)]) if n else np.empty(0, int)
        star = np.concatenate(seen) if n else np.empty(0, int)
        shows = csr_matrix((np.ones(len(star)), (of, star)), shape=(n, max(len(self.stars.uv), 1)))
        counts = np.triu((shows @ shows.T).toarray(), 1)
        return [(int(i), int(j)) for i, j in np.argwhere(counts >= self.required)]


def _by_name(
    exposures: Sequence[PlacedExposure], bodies: Sequence[_StarBody], settled: _Settled, strategy: Strategy
) -> dict[str, Match]:
    """Return the matches under their names, with the stars and rows that were settled on."""
    first = max(bodies, key=lambda body: (len(body.found), -body.members[0]), default=None)
    out: dict[str, Match] = {}
    for body in sorted(bodies, key=lambda one: one.members):
        star = np.unique(np.concatenate([settled.stars.seen[i] for i in body.members]))
        star = star[settled.row[star] >= 0] if body.tolerance else star[:0]
        found = body.found
        if len(found) or len(star):
            place = body.place or SimilarityMap()
            final = {"ref": settled.row[star], "image": star, "matrix": place.matrix, "shift": place.offset}
            found = replace(found, **final)
        group = strategy == "relative" and body is first
        for name in [GROUP] if group else [exposures[i].rootname for i in body.members]:
            out[name] = found
    return out
