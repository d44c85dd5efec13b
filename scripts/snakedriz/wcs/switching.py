"""Make another WCS solution of an exposure the active one, with a backup, and prove it by positions on the sky."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from astropy.io import fits
from stwcs.wcsutil.headerlet import Headerlet

from snakedriz.errors import SnakedrizError
from snakedriz.exposures.skeleton import PIXEL_EXTENSIONS, extension_name, science_extensions
from snakedriz.files import whole
from snakedriz.fits_headers import keywords, wcsnames
from snakedriz.wcs import fits_bytes, headerlets, sky_positions, solutions, undo_records, validation
from snakedriz.wcs.solutions import HEADERLET, WcsSolution

_REPORT = "report it, with the file"


@dataclass(frozen=True)
class Switched:
    """What a switch did, or would do."""

    path: str  # the exposure
    before: str  # WCSNAME
    after: str
    source: str  # where the new solution came from (``HDRLET,4``, ``alternate A``, a file)
    archived: str  # HDRNAME of the headerlet that keeps the replaced solution
    moved_mas: float  # mean displacement of the pixels on the sky
    proof_microarcsec: float  # largest difference between the positions predicted and those that the file gives now
    changed: bool  # False if the solution was active already
    notes: tuple[str, ...] = ()


def choose(skeleton: fits.HDUList, found: Sequence[WcsSolution], wanted: str) -> WcsSolution:
    """Return the one solution of an exposure that is meant by `wanted` (see `solutions.matching`).

    Raises
    ------
    SnakedrizError
        If nothing matches, or the best matches share a name and differ on the sky.
    """
    candidates = solutions.matching(found, wanted)
    if not candidates:
        have = ", ".join(dict.fromkeys(s.wcsname or s.hdrname or s.label for s in found))
        raise SnakedrizError(f"no solution matches {wanted!r}", f"ask for one that the file has: {have}")
    best = candidates[0]
    rivals = [
        s for s in candidates[1:]
        if s.where == best.where and s.blocked == best.blocked and (s.wcsname == best.wcsname or wanted.isdecimal())
    ]  # fmt: skip
    if not best.blocked:
        for rival in rivals:
            if (apart := sky_positions.largest_difference(skeleton, best, rival)) > sky_positions.LIMIT_MICROARCSEC:
                raise SnakedrizError(
                    f"{wanted!r} names {best.label} ({best.hdrname}) and {rival.label} ({rival.hdrname}), which differ "
                    f"by {apart / 1000:.3f} mas",
                    "give the HDRNAME or EXTVER of one, or repair the names first (snakedriz wcs check --repair-to)",
                )
    return best


def refuse(solution: WcsSolution, force: bool) -> None:
    """Raise if a solution must not be made active."""
    fatal = {"truncated", "chips-missing", "not-a-number", "keyword-missing", "no-chip", "table-missing"}
    bad = [p for p in solution.problems if p.blocks and (not force or p.code in fatal)]
    if bad:
        forced = "" if any(p.code in fatal for p in bad) else ", or apply it as it is with --force"
        reason = f"{solution.label} {solution.wcsname}: {'; '.join(map(str, bad))}"
        raise SnakedrizError(reason, f"repair it, or use another solution{forced}")


def make_active(skeleton: fits.HDUList, headerlet: Headerlet, solution: WcsSolution) -> None:
    """Make a solution the primary WCS of an exposure, in place, given as a headerlet (`solutions.headerlet_of`)."""
    _distortion_files(skeleton, headerlet)
    headerlets.apply(skeleton, headerlet)
    for chip in science_extensions(skeleton):
        header = skeleton["SCI", chip].header
        if not solution.hdrname:
            header.remove("HDRNAME", ignore_missing=True)
        # headerlets say these once, in their primary header; readers look in every SCI
        for keyword, content, comment in (
            ("RMS_RA", solution.rms_ra_mas, "[mas] RMS of the fit in RA"),
            ("RMS_DEC", solution.rms_dec_mas, "[mas] RMS of the fit in Dec"),
            ("NMATCHES", solution.nmatch or None, "sources matched to the catalogue"),
        ):
            if content is not None:
                header[keyword] = (content, comment)
    headerlets.sync_companions(skeleton)


def _distortion_files(skeleton: fits.HDUList, headerlet: Headerlet) -> None:
    """Name the distortion model's files in the primary header, where the headerlet brings another model."""
    source, target = headerlet[0].header, skeleton[0].header
    if not any("A_ORDER" in hdu.header for hdu in headerlet[1:]):
        return
    if wcsnames.idcroot(str(source.get("IDCTAB", ""))) == wcsnames.idcroot(str(target.get("IDCTAB", ""))):
        return
    for keyword in ("IDCTAB", "NPOLFILE", "D2IMFILE", "SIPNAME", "DISTNAME"):
        if keywords.text(source, keyword):
            target[keyword] = keywords.text(source, keyword)


def backup(skeleton: fits.HDUList, found: list[WcsSolution]) -> str:
    """Keep the active WCS as an HDRLET, in place, unless one in the file holds just this WCS; returns its HDRNAME."""
    active = found[0]
    points = sky_positions.of_solution(skeleton, active)
    for other in found:
        if other.where == HEADERLET and other.wcsname == active.wcsname and not other.blocked:
            apart = sky_positions.difference(sky_positions.of_solution(skeleton, other), points)
            if apart <= sky_positions.LIMIT_MICROARCSEC:
                return other.hdrname
    made = solutions.headerlet_of(skeleton, active, descrip="replaced by snakedriz wcs")
    apart = sky_positions.difference(sky_positions.of_headerlet(skeleton, made), points)
    if apart > sky_positions.LIMIT_MICROARCSEC:
        raise SnakedrizError(
            f"left untouched: a headerlet of the active WCS differs from it by {apart:.3g} micro-arcsec, so that it "
            "could not be kept",
            _REPORT,
        )
    _unique(skeleton, made)
    headerlets.attach(skeleton, [made])
    return str(made[0].header["HDRNAME"])


def _unique(skeleton: fits.HDUList, headerlet: Headerlet) -> None:
    """Give a headerlet another HDRNAME if the exposure has one of its name."""
    taken = {keywords.text(skeleton[i].header, "HDRNAME").upper() for i in headerlets.headerlet_extensions(skeleton)}
    name = str(headerlet[0].header["HDRNAME"])
    if name.upper() in taken:
        headerlet[0].header["HDRNAME"] = validation.renamed(name, _bytes(headerlet))
    if str(headerlet[0].header["HDRNAME"]).upper() in taken:
        raise SnakedrizError(
            f"a headerlet {headerlet[0].header['HDRNAME']} is in the file already", "give it another HDRNAME"
        )


def _bytes(headerlet: fits.HDUList) -> bytes:
    stream = io.BytesIO()
    headerlet.writeto(stream, output_verify="silentfix")
    return stream.getvalue()


def switch(path: str | Path, wanted: str, force: bool = False, dry_run: bool = False) -> Switched:
    """Make another solution that a file carries its active WCS.

    The replaced solution stays in the file as an HDRLET; what was changed is kept in the file too (see
    `undo_records`). The new file is written beside the old one, and replaces it only if every point of a grid on every
    chip lies within 1 micro-arcsec of where the solution's own WCS puts it.

    Parameters
    ----------
    path : str or Path
        The exposure.
    wanted : str
        EXTVER, HDRNAME, WCSNAME or pattern (`solutions.matching`).
    force : bool
        Apply a damaged solution as it is.
    dry_run : bool
        Do all but writing.

    Raises
    ------
    SnakedrizError
        If the solution is not there, is damaged, or the proof fails; the file is untouched then.
    """
    return _switch(path, lambda exposure, found: choose(exposure, found, wanted), force, dry_run)


def apply_file(path: str | Path, headerlet: str | Path, force: bool = False, dry_run: bool = False) -> Switched:
    """Attach a headerlet file to an exposure and make it the active WCS; otherwise as `switch`.

    Raises
    ------
    SnakedrizError
        Also if the headerlet is for another exposure.
    """
    loaded = keywords.without_broken_cards(headerlets.load(headerlet))
    loaded[0].header.setdefault("HDRNAME", Path(headerlet).name)
    return _switch(path, lambda exposure, found: attach(exposure, found, loaded), force, dry_run, str(headerlet))


def attach(exposure: fits.HDUList, found: Sequence[WcsSolution], headerlet: Headerlet) -> WcsSolution:
    """Attach a headerlet to an exposure, in place, unless it is among its solutions already; returns its solution.

    The headerlet gets another HDRNAME if the exposure has a different one of its name.
    """
    for other in found:
        same = other.where == HEADERLET and other.hdrname == keywords.text(headerlet[0].header, "HDRNAME")
        if same and not other.blocked:
            points = sky_positions.of_headerlet(exposure, headerlet)
            if sky_positions.difference(sky_positions.of_solution(exposure, other), points) == 0:
                return other
    for keyword in ("HDRNAME", "NPOLFILE", "D2IMFILE", "DISTNAME", "DATE"):  # stwcs wants them all
        if keyword not in headerlet[0].header:
            destim, wcsname = (keywords.text(headerlet[0].header, name) for name in ("DESTIM", "WCSNAME"))
            made = f"{destim}_{wcsname}-hlet.fits"
            headerlet[0].header[keyword] = made if keyword == "HDRNAME" else ""
    _unique(exposure, headerlet)
    headerlets.attach(exposure, [headerlet])
    return next(s for s in reversed(validation.inspect(exposure)) if s.where == HEADERLET)


def _switch(
    path: str | Path, choose: Callable[[fits.HDUList, list[WcsSolution]], WcsSolution], force: bool, dry_run: bool,
    source: str = "",
) -> Switched:  # fmt: skip
    real = fits_bytes.writable(path)
    parts, problem = fits_bytes.pieces(real)
    if problem:
        remedy = "fetch the file again, or repair a copy (snakedriz wcs check --repair-to)"
        raise SnakedrizError(f"{path}: {problem}", remedy)
    exposure = solutions.open_exposure(real)
    original = _Original(exposure, parts)
    try:
        found = validation.inspect(exposure)
        before = sky_positions.of_exposure(exposure)
        chosen = choose(exposure, found)
        refuse(chosen, force)
        predicted = sky_positions.of_solution(exposure, chosen)
        same = sky_positions.difference(predicted, before) <= sky_positions.LIMIT_MICROARCSEC
        if same and chosen.wcsname == found[0].wcsname and not source:
            apart = sky_positions.difference(predicted, before)
            return Switched(str(path), found[0].wcsname, chosen.wcsname, chosen.label, "", 0.0, apart, False)
        new = solutions.headerlet_of(exposure, chosen)
        archived = backup(exposure, found)
        make_active(exposure, new, chosen)
        names = f"{found[0].wcsname or 'no name'} -> {chosen.wcsname or 'no name'}"
        exposure[0].header["HISTORY"] = f"snakedriz wcs: {names}"
        exposure[0].header["NEXTEND"] = len(exposure)  # the journal comes last
        apart = prove(path, exposure, predicted)
    except SnakedrizError as error:
        raise SnakedrizError(f"{path}: {error.reason.removeprefix(f'{path}: ')}", error.remedy) from error
    after = original.pieces(exposure)
    about = {"from": found[0].wcsname, "to": chosen.wcsname, "archived": archived}
    log = undo_records.record(real, parts, after, before, about)
    if not dry_run:
        fits_bytes.rewrite(
            real, [*(p for _, p in after), log], lambda t: prove(path, solutions.open_exposure(t), predicted)
        )
    moved = np.concatenate([(predicted[c] - before[c]) * [np.cos(np.radians(before[c][0, 1])), 1] for c in before])
    return Switched(
        str(path), found[0].wcsname, chosen.wcsname, source or chosen.label, archived,
        float(np.hypot(*moved.mean(axis=0)) * 3.6e6), apart, True,
        tuple(map(str, chosen.problems)),
    )  # fmt: skip


def prove(what: object, exposure: fits.HDUList, predicted: sky_positions.Points) -> float:
    """Return by how much (micro-arcsec) pixels are off predicted positions; raises if they are not the same."""
    apart = sky_positions.difference(sky_positions.of_exposure(exposure), predicted)
    if apart > sky_positions.LIMIT_MICROARCSEC:
        raise SnakedrizError(
            f"{what}: left untouched: pixels lie {apart:.3g} micro-arcsec from where the new solution puts them",
            _REPORT,
        )
    return apart


class _Original:
    """The extensions of a file as they were read, to tell which have changed since."""

    def __init__(self, exposure: fits.HDUList, parts: Sequence[fits_bytes.Piece]) -> None:
        self._read = [(hdu, hdu.header.tostring(), part) for hdu, part in zip(exposure, parts, strict=True)]

    def pieces(self, exposure: fits.HDUList) -> list[tuple[int | None, fits_bytes.Piece]]:
        """Return each extension of the exposure as it is now, with its index in the file (None: new)."""
        return [self._piece(hdu) for hdu in exposure]

    def _piece(self, hdu: fits.hdu.base.ExtensionHDU) -> tuple[int | None, fits_bytes.Piece]:
        for index, (own, text, part) in enumerate(self._read):
            if own is hdu:
                if hdu.header.tostring() == text:
                    return index, part
                name = extension_name(hdu) if index else part.name
                return index, replace(part, name=name, header=fits_bytes.header_bytes(hdu.header, part.header))
        return None, fits_bytes.piece_of(hdu)


def repair_copy(path: str | Path, target: str | Path) -> list[str]:
    """Write a copy of an exposure with its headerlets repaired (`validation.repair`); returns what was done.

    An extension cut off at the end of the file is left out if it holds no pixels. Nothing is written if nothing is to
    be repaired.

    Raises
    ------
    SnakedrizError
        If `target` exists, or pixels are cut off.
    """
    target = Path(target)
    if target.exists():
        raise SnakedrizError(f"{target}: exists already", "give another folder: repaired copies never replace a file")
    parts, problem = fits_bytes.pieces(path)
    done = []
    if problem:
        size = Path(path).stat().st_size
        if parts[-1].start + parts[-1].size > size:
            if parts[-1].name[0] in (*PIXEL_EXTENSIONS, "PRIMARY"):
                raise SnakedrizError(f"{path}: {problem}: pixels are missing", "fetch the file again")
            done.append(f"{parts[-1].name[0]},{parts[-1].name[1]}: removed, truncated")
            parts = parts[:-1]
        else:
            done.append(f"{size - parts[-1].start - parts[-1].size} bytes after the last extension removed")
    exposure = solutions.open_exposure(path)
    del exposure[len(parts) :]
    original = _Original(exposure, parts)
    done += validation.repair(exposure)
    if done:
        with whole(target) as temporary:
            fits_bytes.write(temporary, [piece for _, piece in original.pieces(exposure)], path)
            left = [p.code for s in validation.inspect(solutions.open_exposure(temporary)) for p in s.problems]
            if {"extver", "duplicate-extver", "duplicate-hdrname", "truncated"} & set(left):
                raise SnakedrizError(f"{path}: the repair left {', '.join(left)}", _REPORT)
    return done
