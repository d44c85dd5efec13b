"""Which exposures show the same stars, and how they lie to each other by these.

Pairs of exposures whose footprints can overlap are matched, significant matches are links of a graph, and one robust
solution of the whole graph places the exposures of each of its components. A link that contradicts the others around a
loop is dropped. Nothing depends on one exposure being the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from snakedriz.alignment import matching
from snakedriz.alignment.similarity import TURN_SIGMA, SimilarityMap, as_complex, held_fit
from snakedriz.alignment.tangent_plane import Array, PlacedExposure

Mask = NDArray[np.bool_]
NEIGHBOURS = 4  # links tried per exposure where not every pair is; a lost one leaves others
BRIGHTEST = 600  # sources of each exposure matched first; all are if these show nothing. 600 place it to 0.001 px
FAR_PX = 100.0  # standard deviation by which a component is held near its start; it only makes the solution unique
LEAST_SIGMA_PX = 0.02  # scatter of a pair of positions at best: centroids of real stars repeat to 0.01 to 0.02 px
NEAR_PX = 10.0  # search radius where the visit's other exposures say where to look; displaced exposures are within it


class Link(NamedTuple):
    """Two exposures and the match of the second one's sources (`image`) to those of the first (`ref`)."""

    one: int
    other: int
    match: matching.Match


@dataclass
class Linked:
    """Exposures placed relative to each other.

    Attributes
    ----------
    transform : list of SimilarityMap
        Brings the sources of each exposure (`PlacedExposure.start`) into the frame of its component; the frame of each
        component is where the median of its exposures had it.
    component : integer array
        Component of each exposure, numbered by their first exposures.
    links : list of Link
        Those that were kept.
    notes : list of str
        Links that were dropped, and why.
    """

    transform: list[SimilarityMap]
    component: NDArray[np.intp]
    links: list[Link] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Footprint:
    """The convex hull of an exposure's chips (or, without outlines, of its sources) in the plane."""

    def __init__(self, exposure: PlacedExposure) -> None:
        from scipy.spatial import ConvexHull, QhullError

        corners = np.vstack(exposure.outlines) if exposure.outlines else exposure.start
        try:
            self.facets = ConvexHull(corners).equations if len(corners) >= 3 else np.empty((0, 3))
        except QhullError:  # all on a line
            self.facets = np.empty((0, 3))

    def near(self, points: Array, radius: float) -> Mask:
        """Whether points (n, 2) lie within it or at most `radius` (px) outside; true of all if it has no area."""
        return np.asarray((points @ self.facets[:, :2].T + self.facets[:, 2] <= radius).all(axis=1), dtype=bool)


def link(
    exposures: Sequence[PlacedExposure],
    usable: Sequence[Mask],
    settings: Mapping[str, Any],
    start: Sequence[SimilarityMap] | None = None,
    radius: float | None = None,
) -> Linked:
    """Match exposures to each other and place them.

    With n exposures and more than `most_pairs` pairs, about 5 n of these are matched: the best-overlapping ones of each
    exposure, and two spanning trees, so that what can be connected is. Where components remain that pairs not tried
    could connect, up to 4 n of these are tried as well.

    Parameters
    ----------
    usable : sequence of boolean arrays
        Which sources of each exposure may be matched.
    settings : mapping
        Block `fitting` of a detector's settings.
    start : sequence of SimilarityMap, optional
        Where to look from, and by `radius` (px) how far; by default from the exposures' own WCS, as far as the settings
        say.
    """
    begin = list(start) if start is not None else [SimilarityMap()] * len(exposures)
    options = matching.match_options(settings, "relative", radius)
    points = [at(e.start) for e, at in zip(exposures, begin, strict=True)]
    pairs = _Pairs(exposures, points, usable, options)
    every = pairs.overlapping()
    chosen = every if len(every) <= int(settings["relative"]["most_pairs"]) else _sparse(every, len(exposures))
    links = [one for pair in sorted(chosen) if (one := pairs.match(*pair))]
    links += _join(pairs, {pair: n for pair, n in every.items() if pair not in chosen}, links, len(exposures))
    turned, kept, notes = _resolve(points, links, float(settings["relative"]["association_px"]))
    for dropped in (one for one in links if one not in kept):
        names = f"{exposures[dropped.one].rootname} and {exposures[dropped.other].rootname}"
        notes.append(f"{names}: their {len(dropped.match)} common sources contradict the other exposures; not used")
    component = components(len(exposures), [(one.one, one.other) for one in kept])
    placed = [first.then(second) for first, second in zip(begin, turned, strict=True)]
    return Linked(hold_frames(exposures, placed, begin, component), component, kept, notes)


def without(linked: Linked, lone: Iterable[int]) -> Linked:
    """Return links without those of some exposures, which then are components of their own, placed as they were."""
    alone = set(lone)
    links = [one for one in linked.links if not alone & {one.one, one.other}]
    component = components(len(linked.transform), [(one.one, one.other) for one in links])
    return Linked(linked.transform, component, links, linked.notes)


class _Pairs:
    """What matching pairs of exposures needs: the sources that may be matched, and the footprints."""

    def __init__(
        self,
        exposures: Sequence[PlacedExposure],
        points: Sequence[Array],
        usable: Sequence[Mask],
        options: matching.MatchOptions,
    ) -> None:
        self.points, self.how = points, options
        self.rows = [np.flatnonzero(mask) for mask in usable]
        self.prints = [Footprint(e) for e in exposures]
        self.starts, self.mags = [e.start for e in exposures], [e.mag for e in exposures]
        # Footprints are those of the starting WCS: where a better start is known the margin covers the difference.
        moved = [float(np.abs(p - s).max()) if len(p) else 0.0 for p, s in zip(points, self.starts, strict=True)]
        self.margin = self.how["searchrad"] * 1.5 + 2.0 * max(moved, default=0.0)

    def _common(self, one: int, other: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows of the sources of either that can lie on the other."""
        mine, theirs = self.rows[one], self.rows[other]
        return (
            mine[self.prints[other].near(self.starts[one][mine], self.margin)],
            theirs[self.prints[one].near(self.starts[other][theirs], self.margin)],
        )

    def overlapping(self) -> dict[tuple[int, int], int]:
        """Pairs whose footprints can overlap, with the lesser number of sources that lie on the other."""
        found = {}
        for pair in combinations(range(len(self.points)), 2):
            common = min(map(len, self._common(*pair)))
            if common:
                found[pair] = common
        return found

    def match(self, one: int, other: int) -> Link | None:
        """Match two exposures; None without a significant match."""
        mine, theirs = self._common(one, other)
        tries = [(self._bright(one, mine), self._bright(other, theirs)), (mine, theirs)]
        for here, there in tries if len(tries[0][0]) + len(tries[0][1]) < len(mine) + len(theirs) else tries[1:]:
            found = matching.match(self.points[other][there], self.points[one][here], **self.how)
            if len(found):
                return Link(one, other, replace(found, ref=here[found.ref], image=there[found.image]))
        return None

    def _bright(self, exposure: int, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """The brightest of some sources; of exposures of other depth or filter these may be other stars."""
        return np.sort(rows[np.argsort(self.mags[exposure][rows], kind="stable")[:BRIGHTEST]])


def _sparse(every: Mapping[tuple[int, int], int], n: int) -> dict[tuple[int, int], int]:
    """Choose the pairs to be tried: those of greatest overlap of each exposure, and two spanning trees."""
    # Of equal overlaps the nearer in time (by name) come first, and each exposure has its share of them.
    order = sorted(every, key=lambda pair: (-every[pair], pair[1] - pair[0], pair))
    chosen = _tree(order, n)
    chosen |= _tree([pair for pair in order if pair not in chosen], n)
    degree = np.bincount(np.array(sorted(chosen), dtype=int).ravel(), minlength=n)
    for one, other in (pair for pair in order if pair not in chosen):
        if min(degree[one], degree[other]) < NEIGHBOURS and max(degree[one], degree[other]) < 2 * NEIGHBOURS:
            chosen.add((one, other))
            degree[[one, other]] += 1
    return {pair: every[pair] for pair in chosen}


def _tree(order: Iterable[tuple[int, int]], n: int) -> set[tuple[int, int]]:
    """Take the spanning tree (or trees) of n nodes that prefers the pairs that come first."""
    group = np.arange(n)
    tree = set()
    for one, other in order:
        if group[one] != group[other]:
            tree.add((one, other))
            group[group == group[other]] = group[one]
    return tree


def _join(pairs: _Pairs, untried: Mapping[tuple[int, int], int], links: Sequence[Link], n: int) -> list[Link]:
    """Try pairs between components, the best-overlapping first and at most 4 n of them, as long as any could join."""
    found: list[Link] = []
    group = components(n, [(one.one, one.other) for one in links])
    tries = 0
    for pair in sorted(untried, key=lambda pair: (-untried[pair], pair)):
        if group[pair[0]] == group[pair[1]] or tries >= 4 * n:
            continue
        tries += 1
        if one := pairs.match(*pair):
            found.append(one)
            group = components(n, [(a.one, a.other) for a in (*links, *found)])
    return found


def components(n: int, edges: Iterable[tuple[int, int]]) -> NDArray[np.intp]:
    """Component of each of n nodes, numbered by their first nodes."""
    label = np.arange(n)
    for one, other in edges:
        a, b = sorted((label[one], label[other]))
        label[label == b] = a
    return np.unique(label, return_inverse=True)[1].astype(np.intp).reshape(n)


def _resolve(
    points: Sequence[Array], links: Sequence[Link], limit: float
) -> tuple[list[SimilarityMap], list[Link], list[str]]:
    """Place all exposures by all links at once; drops, one by one, links that miss the solution by `limit` (px).

    The solution minimises the sum of the absolute misfits, in which the majority around a loop is right, each link
    weighted by its number of pairs but none as more than 25: a thousand hot pixels are one opinion.
    """
    kept = list(links)
    while True:
        equations = _Equations(points, kept)
        votes = np.minimum(equations.pairs, 25.0)
        weight = votes
        solution = [SimilarityMap()] * len(points)
        misfit = np.empty(0)
        for _ in range(30):
            solution = equations.solve(weight)
            misfit = equations.misfit(solution)
            weight = votes / np.maximum(misfit, LEAST_SIGMA_PX) * LEAST_SIGMA_PX
        if not kept or misfit.max() <= limit:
            break
        # Among equals the one with fewer pairs goes.
        kept.pop(max(range(len(kept)), key=lambda i: (round(float(misfit[i]), 6), -equations.pairs[i], -i)))
    return equations.solve(equations.pairs) if kept else solution, kept, []


class _Equations:
    """Linear equations of the exposures' similarities, one set per link, compressed to its middle and its turn."""

    def __init__(self, points: Sequence[Array], links: Sequence[Link]) -> None:
        self.middle = [complex(*p.mean(axis=0)) if len(p) else 0j for p in points]
        self.ends = np.array([(one.one, one.other) for one in links], dtype=int).reshape(-1, 2)
        self.pairs = np.array([float(len(one.match)) for one in links])
        # Of each link: the middle of its pairs in either exposure, the turn between them, and the pairs' lever (px).
        self.here, self.there = np.zeros((2, len(links)), complex)
        self.turn, self.lever = np.ones(len(links), complex), np.zeros(len(links))
        for k, one in enumerate(links):
            image, ref = points[one.other][one.match.image], points[one.one][one.match.ref]
            held = held_fit(image, ref, np.ones(len(image)), LEAST_SIGMA_PX)
            self.there[k] = as_complex(image).mean()
            self.here[k] = held.turn * self.there[k] + held.shift
            self.turn[k] = held.turn
            self.lever[k] = np.sqrt(np.mean(np.abs(as_complex(image) - self.there[k]) ** 2))

    def solve(self, weight: Array) -> list[SimilarityMap]:
        """Least squares with a weight per link (in pairs); unknowns are the turns less one and the shifts."""
        n, k = len(self.middle), len(self.ends)
        one, other = self.ends.T
        row = np.arange(k)
        design = np.zeros((2 * k + 2 * n, 2 * n), complex)
        target = np.zeros(2 * k + 2 * n, complex)
        root = np.sqrt(weight) / LEAST_SIGMA_PX
        # The middles of the pairs shall coincide, and so shall their turns.
        design[row, n + other], design[row, n + one] = root, -root
        design[row, other], design[row, one] = root * self.there, -root * self.here
        target[row] = -root * (self.there - self.here)
        lever = root * self.lever
        design[k + row, other], design[k + row, one] = lever, -lever * self.turn
        target[k + row] = -lever * (1.0 - self.turn)
        # Weak priors, which hold what no link does: rotation and scale, and the place of each component.
        node = np.arange(n)
        design[2 * k + node, node] = 1.0 / TURN_SIGMA
        design[2 * k + n + node, n + node] = 1.0 / FAR_PX
        design[2 * k + n + node, node] = np.array(self.middle) / FAR_PX
        size = np.linalg.norm(design, axis=0)  # keeps the numbers of one size
        design /= size
        answer = np.linalg.solve(design.conj().T @ design, design.conj().T @ target) / size
        return [SimilarityMap(complex(1.0 + answer[i]), complex(answer[n + i])) for i in range(n)]

    def misfit(self, solution: Sequence[SimilarityMap]) -> Array:
        """Distance (px) of the middles of each link's pairs under a solution, or that by its turn at a third of it."""
        turn = np.array([one.turn for one in solution])
        shift = np.array([one.shift for one in solution])
        one, other = self.ends.T
        middle = np.abs(turn[other] * self.there + shift[other] - turn[one] * self.here - shift[one])
        return np.maximum(middle, np.abs(turn[other] - turn[one] * self.turn) * self.lever / 3.0)


def hold_frames(
    exposures: Sequence[PlacedExposure],
    placed: Sequence[SimilarityMap],
    begin: Sequence[SimilarityMap],
    component: NDArray[np.intp],
) -> list[SimilarityMap]:
    """Move each component so that the median of its exposures has neither moved nor turned from where it began."""
    out = list(placed)
    for number in range(int(component.max(initial=-1)) + 1):
        members = np.flatnonzero(component == number).tolist()
        turns = np.array([placed[i].turn / begin[i].turn for i in members])
        turn = complex(np.median(turns.real), np.median(turns.imag))
        back = [placed[i].then(SimilarityMap(1.0 / turn, 0j)) for i in members]
        middles = [exposures[i].centre[None] for i in members]
        moves = [at(m)[0] - begin[i](m)[0] for at, m, i in zip(back, middles, members, strict=True)]
        common = SimilarityMap(1.0 + 0j, -complex(*np.median(moves, axis=0)))
        for i, one in zip(members, back, strict=True):
            out[i] = one.then(common)
    return out
