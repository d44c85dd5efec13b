"""The candidate `apriori`: a WCS that was computed before, from headerlets of the database or guide-star offsets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from astropy.io import fits

from snakedriz.artefacts.provenance import describe
from snakedriz.artefacts.solution import Solution, SolutionExposure
from snakedriz.candidates import bundle
from snakedriz.errors import NotApplicable
from snakedriz.exposures import fetched
from snakedriz.exposures.skeleton import Skeletons, science_extensions
from snakedriz.fits_headers import wcsnames
from snakedriz.fits_headers.rootnames import ExposureKey
from snakedriz.wcs import guide_star_offsets, headerlets
from snakedriz.wcs.guide_star_offsets import GuideStarOffset
from snakedriz.wcs.headerlets import HeaderletFile


@dataclass(frozen=True)
class Precomputed:
    """Where a pre-computed solution of an exposure comes from: a headerlet, else a row of a table of offsets."""

    path: str  # of the headerlet, or of the table
    headerlet: HeaderletFile | None = None
    offset: GuideStarOffset | None = None
    best: bool = False  # whether the database flags it as best


@dataclass
class Offer:
    """What an exposure has to choose from."""

    kinds: dict[str, Precomputed] = field(default_factory=dict)  # by kind (``GSC240``, ``HSC30``)
    attachable: list[HeaderletFile] = field(default_factory=list)  # fits included
    notes: list[str] = field(default_factory=list)  # headerlets that cannot be used, each with the reason


def make(
    skeletons: Skeletons, headerlet_directory: str | None, offsets: Sequence[str] = (), enabled: bool = True
) -> Solution:
    """Apply the best pre-computed WCS that all exposures have; attach the other solutions of the same IDCTAB.

    Parameters
    ----------
    skeletons : dict
        Skeletons with the default WCS; changed in place.
    headerlet_directory : str or None
        Directory of ``*_hlet.fits`` of the astrometry database, matched to exposures by DESTIM.
    offsets : sequence of str, optional
        Tables of guide-star offsets (`guide_star_offsets.COLUMNS`); the earlier one counts.
    enabled : bool
        False when ASTROMETRY_APPLY_APRIORI switched this stage off.
    """
    if not enabled:
        return bundle.not_applicable("apriori", "switched off by ASTROMETRY_APPLY_APRIORI")
    if not headerlet_directory and not offsets:
        return bundle.not_applicable(
            "apriori",
            "no database headerlets (solutions.headerlets) and no guide-star offsets (solutions.offsets) given",
        )
    offers = _offers(skeletons, headerlet_directory, offsets)
    try:
        kind, why = _choose(offers)
    except NotApplicable as outcome:
        details = "; ".join(note for offer in offers.values() for note in offer.notes)
        rows = [
            SolutionExposure(rootname=root, available=sorted(offer.kinds), notes=offer.notes)
            for root, offer in offers.items()
        ]
        return bundle.not_applicable("apriori", outcome.reason + (f" ({details})" if details else ""), rows)
    exposures = [_apply(owner, exposure, offers[owner.rootname], kind) for owner, exposure in skeletons.items()]
    sources = {Path(path).name: path for path in (offers[owner.rootname].kinds[kind].path for owner in skeletons)}
    return Solution(
        candidate="apriori",
        outcome="ok",
        reason=f"{kind}: {why}",
        wcsname=bundle.wcsnames_of(skeletons),
        exposures=exposures,
        sources=[describe(sources[name]) for name in sorted(sources)],
    )


def best_flags(directory: str | Path | None) -> set[tuple[str, str]]:
    """Read which solution the database flags as best, from the indexes beside the headerlets, if there are any.

    Returns
    -------
    set of (rootname, WCSNAME)
        Columns `rootname`, `wcsname` and `best` (bool) of ``index*.ecsv``; empty without one.
    """
    from astropy.table import Table

    found = set()
    for path in fetched.files(Path(directory) / "index.ecsv") if directory else ():
        rows = Table.read(path, format="ascii.ecsv")
        found |= {(str(r["rootname"]).lower(), str(r["wcsname"])) for r in rows if str(r["best"]) in ("True", "1")}
    return found


def _offers(skeletons: Skeletons, directory: str | None, tables: Sequence[str]) -> dict[str, Offer]:
    """Return what each exposure has to choose from, by rootname."""
    files = headerlets.read_directory(directory) if directory else []
    flagged = best_flags(directory)
    moved = {
        root: Precomputed(path, offset=offset)
        for path in reversed(tables)
        for root, offset in guide_star_offsets.read_offsets(path).items()
    }
    offers: dict[str, Offer] = {}
    for owner, skeleton in skeletons.items():
        root = owner.rootname
        if root in offers and offers[root] != Offer():
            continue  # the other kind of file of the same exposure has the same solutions
        offers[root] = _offer(skeleton, root, [file for file in files if file.destim == root], flagged, moved.get(root))
    return offers


def _offer(
    skeleton: fits.HDUList,
    root: str,
    files: Sequence[HeaderletFile],
    flagged: set[tuple[str, str]],
    moved: Precomputed | None,
) -> Offer:
    """Sort the headerlets for an exposure into what can be used and what cannot, and why."""
    offer = Offer()
    wanted = wcsnames.idcroot(str(skeleton[0].header["IDCTAB"]))
    chips = set(science_extensions(skeleton))
    for file in files:
        if file.name.idcroot != wanted:
            model = wcsnames.default_name(wanted)
            offer.notes.append(f"{file.wcsname}: made for another distortion model than {model}")
        elif file.problem:
            offer.notes.append(f"{file.path}: {file.problem}")
        elif not chips <= set(file.chips):
            offer.notes.append(f"{file.path}: has chips {list(file.chips)}, the exposure has {sorted(chips)}")
        else:
            offer.attachable.append(file)
            if file.name.kind and not file.name.is_fit:
                best = (root, file.wcsname) in flagged
                offer.kinds[file.name.kind] = Precomputed(file.path, headerlet=file, best=best)
    if moved and moved.offset and moved.offset.catalog:
        offer.kinds.setdefault(moved.offset.catalog, moved)
    fits_only = [file.wcsname for file in offer.attachable if file.name.is_fit]
    if fits_only and not offer.kinds:
        offer.notes.append(
            f"only a posteriori solutions ({', '.join(fits_only)}), which are not pre-computed corrections"
        )
    return offer


def _choose(offers: Mapping[str, Offer]) -> tuple[str, str]:
    """Choose the a priori solution that all exposures have; returns its kind and why.

    Raises
    ------
    NotApplicable
        If an exposure has none, or no kind is common to all: mixing kinds would break the relative alignment.
    """
    without = sorted(root for root, offer in offers.items() if not offer.kinds)
    if len(without) == len(offers):
        raise NotApplicable("no database headerlet and no guide-star offset for any exposure")
    if without:
        raise NotApplicable(f"no database headerlet and no guide-star offset for {', '.join(without)}")
    common = set.intersection(*(set(offer.kinds) for offer in offers.values()))
    if not common:
        each = "; ".join(f"{root}: {', '.join(sorted(offer.kinds))}" for root, offer in sorted(offers.items()))
        raise NotApplicable(f"no a priori solution is common to all exposures ({each})")
    best = [kind for kind in common if all(offer.kinds[kind].best for offer in offers.values())]
    ranked = sorted(best or common, key=lambda kind: (wcsnames.parse(f"IDC_x-{kind}").rank, kind))
    why = "flagged best by the database" if best else "first in the order of preference"
    return ranked[0], f"{why} among {', '.join(sorted(common))}"


def _apply(owner: ExposureKey, skeleton: fits.HDUList, offer: Offer, kind: str) -> SolutionExposure:
    """Make a solution active in one file of an exposure; the default WCS and all that it has are attached."""
    base = wcsnames.default_name(str(skeleton[0].header["IDCTAB"]))
    own = headerlets.make(skeleton, headerlets.unique_hdrname(*owner, base), descrip="default WCS")
    chosen = offer.kinds[kind]
    made = SolutionExposure(
        rootname=owner.rootname, file=str(owner), path=chosen.path, notes=offer.notes,
        attached=[file.wcsname for file in offer.attachable],
    )  # fmt: skip
    if chosen.headerlet:
        headerlets.apply(skeleton, headerlets.load(chosen.path))
        made = made.model_copy(update={"source": "headerlet", "hdrname": chosen.headerlet.hdrname})
    elif chosen.offset:
        shift = guide_star_offsets.apply_offset(skeleton, chosen.offset, f"{base}-{kind}")
        made = made.model_copy(update={"source": "guide-star offsets", "shift_px": shift})
    headerlets.attach(skeleton, [own, *(headerlets.load(file.path) for file in offer.attachable)])
    return made
