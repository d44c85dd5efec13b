"""Alignment of exposures to each other, before any catalogue is asked.

Star positions are the weighted means over exposures, and exposures are fitted to these means in turn until nothing
moves, so that all are tied to the mean frame and none is the standard of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snakedriz.alignment import matching
from snakedriz.alignment.linear_fit import align
from snakedriz.alignment.tangent_plane import Member, merge
from snakedriz.geometry import rotation
from snakedriz.statistics import limits

Array = NDArray[np.float64]


def _anchor(members: Sequence[Member], options: Mapping[str, Any], most_pairs: int) -> tuple[int, list[int]]:
    """The best-connected exposure, and the others by how well they connect to it.

    With few exposures every pair is matched; with many, the exposure with most sources times exposure time is taken,
    and the others follow by distance from it.
    """
    n = len(members)
    if n * (n - 1) // 2 <= most_pairs:
        counts = np.zeros((n, n))
        for i in range(n):
            for j in range(i + 1, n):
                counts[i, j] = counts[j, i] = len(matching.match(members[j].uv, members[i].uv, **options))
        anchor = max(range(n), key=lambda i: (counts[i].sum(), members[i].exptime, -i))
        order = sorted((i for i in range(n) if i != anchor), key=lambda i: (-counts[anchor, i], i))
        return anchor, order
    anchor = max(range(n), key=lambda i: (len(members[i].start) * members[i].exptime, -i))
    away = [float(np.hypot(*(m.centre - members[anchor].centre))) for m in members]
    return anchor, sorted((i for i in range(n) if i != anchor), key=lambda i: (away[i], i))


def tie(members: Sequence[Member], settings: Mapping[str, Any]) -> list[Member]:
    """Align exposures to each other: first one by one to a growing star list, then all to the mean frame.

    Corrections, `tied` and `relative` of the members are set. The frame as a whole is left where the median exposure
    had it, so that one displaced exposure does not draw the others along.

    Parameters
    ----------
    settings : mapping
        Block `fitting`.

    Returns
    -------
    list of Member
        The tied ones; fewer than two if nothing could be tied.
    """
    relative = settings["relative"]
    options = {
        "searchrad": relative["searchrad_px"],
        "tolerance": relative["tolerance_px"],
        "min_tolerance": settings["min_tolerance_px"],
        "max_false_alarm": settings["max_false_alarm"],
    }
    required: Mapping[str, int] = settings["required_relative"]
    anchor, waiting = _anchor(members, options, int(relative["most_pairs"]))
    tied = [members[anchor]]
    members[anchor].tied = True
    members[anchor].relative = {"role": "first", "significance": None}
    progress = True
    while waiting and progress:
        progress = False
        for index in list(waiting):
            member = members[index]
            stars = merge(tied, relative["association_px"])
            found = matching.match(member.uv, stars.uv, **options)
            member.relative = {"nmatches": len(found), "significance": found.significance, "reason": found.reason}
            if len(found) < required["shift"]:
                member.relative["reason"] = found.reason or f"{len(found)} matches, {required['shift']} needed"
                continue
            if len(found) < required["rscale"]:
                found.matrix = np.eye(2)
                found.shift = np.median(stars.uv[found.ref] - member.uv[found.image], axis=0)
            member.correct(found.matrix, found.shift)
            member.tied = True
            tied.append(member)
            waiting.remove(index)
            progress = True
    if len(tied) < 2:
        members[anchor].tied = False
        members[anchor].relative = {
            "nmatches": 0,
            "significance": 0.0,
            "reason": "no other exposure could be tied to it",
        }
        return []
    tied = [member for member in members if member.tied]
    _to_mean_frame(tied, settings)
    return tied


def _hold_frame(tied: Sequence[Member]) -> None:
    """Take the median rotation, scale and shift out of all corrections."""
    turn = float(np.median([rotation(m.matrix) for m in tied]))
    size = float(np.median([np.sqrt(abs(np.linalg.det(m.matrix))) for m in tied]))
    back = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) / size
    for member in tied:
        member.correct(back, np.zeros(2))
    common = np.median([member.moved for member in tied], axis=0)
    for member in tied:
        member.correct(np.eye(2), -common)


def _to_mean_frame(tied: Sequence[Member], settings: Mapping[str, Any]) -> None:
    relative = settings["relative"]
    required: Mapping[str, int] = settings["required_relative"]
    for _ in range(int(relative["most_rounds"])):
        stars = merge(tied, relative["association_px"])
        moves = []
        for member, seen in zip(tied, stars.seen, strict=True):
            shared = np.flatnonzero(stars.count[seen] >= 2)
            if len(shared) < required["shift"]:
                moves.append(0.0)
                continue
            geometry = relative["geometry"] if len(shared) >= required[relative["geometry"]] else "shift"
            star = seen[shared]
            found = align(
                member.uv[shared], member.error[shared], stars.uv[star], stars.error[star], geometry, settings
            )
            before = np.array([member.moved, *(member.uv[shared][:4])])
            member.correct(found.matrix, found.shift)
            after = np.array([member.moved, *(member.uv[shared][:4])])
            moves.append(float(np.abs(after - before).max()))
            member.relative.update(geometry=geometry)
        _hold_frame(tied)
        if max(moves) < relative["convergence_px"]:
            break
    for member, tied_by in zip(tied, tie_quality(tied, settings), strict=True):
        member.relative.update(
            **tied_by,
            shift_px=[float(v) for v in member.moved],
            rotation_deg=float(np.degrees(rotation(member.matrix))),
            scale=float(np.sqrt(abs(np.linalg.det(member.matrix)))),
            reason="",
        )


def tie_quality(tied: Sequence[Member], settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Find how well common sources tie exposures to their mean frame under their present corrections.

    Returns
    -------
    list of dict, one per exposure
        nmatches (common sources); rms_px (root mean square separation from the other exposures) and offset_px (its
        median, x west, y north); error_px and error95_px, the half-widths per axis that hold the difference between
        the exposure and the mean of all, in the middle of their field, in 68 and 95 per cent. None where the sources
        do not tell.
    """
    stars = merge(tied, settings["relative"]["association_px"])
    quality: list[dict[str, Any]] = []
    kept: list[tuple[NDArray[np.intp], NDArray[np.intp]]] = []
    for member, seen in zip(tied, stars.seen, strict=True):
        shared = np.flatnonzero(stars.count[seen] >= 2)
        residual = member.uv[shared] - stars.uv[seen[shared]]
        away = np.hypot(*residual.T) / member.error[shared]
        core = away <= 5 * max(float(np.median(away)), 1e-9) if len(away) else away > 0
        shared = shared[core]
        kept.append((shared, seen[shared]))
        # An exposure is part of the mean it is compared with: the residual to the others is larger by this factor.
        n = stars.count[seen[shared]]
        others = residual[core] * (n / (n - 1.0))[:, None]
        quality.append(
            {
                "nmatches": len(shared),
                "rms_px": float(np.sqrt((others**2).sum(axis=1).mean())) if len(shared) else None,
                "offset_px": [float(v) for v in np.median(others, axis=0)] if len(shared) else None,
                "error_px": None,
                "error95_px": None,
            }
        )
    for one, limit in zip(quality, _tie_errors(tied, kept, len(stars.uv)), strict=True):
        if limit is not None:
            one["error_px"], one["error95_px"] = limit
    return quality


def _tie_errors(
    tied: Sequence[Member], kept: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]], stars: int
) -> list[tuple[float, float] | None]:
    """Errors of the exposures' transforms from the least squares that has all of them and all stars as unknowns.

    The stars' positions are eliminated: what is left of the normal equations for the transforms is
    sum(w D'D) - sum over stars of (sum(w D))' (sum(w D)) / sum(w), singular by the transforms common to all. The
    difference between an exposure and the mean of all, at the plane's origin (the middle of the field), does not depend
    on these. The scatter about the stars' mean positions sets the scale.
    """
    from scipy.sparse import coo_matrix

    source = np.concatenate([np.full(len(star), i) for i, (_, star) in enumerate(kept)])
    star = np.concatenate([star for _, star in kept])
    uv = np.concatenate([m.uv[rows] for m, (rows, _) in zip(tied, kept, strict=True)])
    weight = np.concatenate([m.error[rows] for m, (rows, _) in zip(tied, kept, strict=True)]) ** -2.0
    total = np.bincount(star, weight, minlength=stars)
    used = total > 0
    mean = np.column_stack([np.bincount(star, weight * axis, minlength=stars) for axis in uv.T])
    residual = uv - mean[star] / total[star, None]
    # A star that one exposure alone has kept says nothing: its residual is nought, and so is its part of the normal.
    freedom = 2 * (len(star) - int(used.sum()))
    linear = [str(member.relative.get("geometry", "shift")) != "shift" for member in tied]
    first = np.concatenate([[0], np.cumsum([4 if one else 2 for one in linear])])
    freedom -= int(first[-1]) - (4 if all(linear) else 2)
    if freedom < 1:
        return [None] * len(tied)
    scale = float(max(np.abs(uv).max(), 1.0))  # keeps the numbers of one size
    number = np.arange(len(star))
    x, y = uv.T / scale
    turns = np.asarray(linear)[source]
    entries = [(2 * number, first[source], np.ones(len(star))), (2 * number + 1, first[source] + 1, np.ones(len(star)))]
    for axis, unknown, moved in ((0, 2, x), (0, 3, -y), (1, 2, y), (1, 3, x)):
        entries.append((2 * number[turns] + axis, first[source][turns] + unknown, moved[turns]))
    row, column, value = (np.concatenate(part) for part in zip(*entries, strict=True))
    size = (2 * len(star), int(first[-1]))
    design = coo_matrix((value, (row, column)), shape=size).tocsr()
    doubled = np.repeat(weight, 2)
    weighted = design.multiply(doubled[:, None]).tocsr()
    gather = coo_matrix(
        (np.ones(2 * len(star)), (np.repeat(2 * star, 2) + np.tile([0, 1], len(star)), np.arange(2 * len(star)))),
        shape=(2 * stars, 2 * len(star)),
    ).tocsr()
    sums = gather @ weighted
    each = np.repeat(np.where(used, 1.0 / np.where(used, total, 1.0), 0.0), 2)
    normal = (design.T @ weighted - sums.T @ sums.multiply(each[:, None]).tocsr()).toarray()
    covariance = np.linalg.pinv(normal, rcond=1e-10, hermitian=True)
    covariance *= float((weight[:, None] * residual**2).sum()) / freedom
    shifts = np.array([[covariance[a, b] for b in first[:-1]] for a in first[:-1]])  # of x; y's are the same
    mean_of = shifts.mean(axis=1)
    variance = np.diag(shifts) - 2.0 * mean_of + shifts.mean()
    return [
        limits(float(np.sqrt(max(v, 0.0))), freedom) if len(k[0]) else None for v, k in zip(variance, kept, strict=True)
    ]


def remaining_offsets(members: Sequence[Member], settings: Mapping[str, Any]) -> list[Array | None]:
    """Measure where exposures lie relative to each other under their present corrections.

    Each is matched, with the histogram, to the one with most sources; so an exposure that a fit left displaced is seen.

    Returns
    -------
    list, one per member
        Offset (x west, y north, px) from the best one's frame; None where too few common sources allow no statement.
    """
    relative = settings["relative"]
    best = max(range(len(members)), key=lambda i: (len(members[i].start), -i))
    offsets: list[Array | None] = []
    for i, member in enumerate(members):
        if i == best:
            offsets.append(np.zeros(2))
            continue
        found = matching.match(
            member.uv,
            members[best].uv,
            searchrad=relative["searchrad_px"],
            tolerance=relative["tolerance_px"],
            min_tolerance=settings["min_tolerance_px"],
            max_false_alarm=settings["max_false_alarm"],
        )
        enough = len(found) >= settings["required_relative"]["shift"]
        offsets.append(np.median(member.uv[found.image] - members[best].uv[found.ref], axis=0) if enough else None)
    return offsets
