"""``snakedriz wcs``: list, show, switch, apply-headerlet, export, undo and check the WCS solutions of exposures.

The library is imported by the commands that use it: astropy.wcs and stwcs take a second to load, and help or a mistyped
command need not wait for them.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import logging
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakedriz.errors import SnakedrizError
from snakedriz.tables import FORMATS, cell, show_rows

if TYPE_CHECKING:
    from snakedriz.artefacts.consistency import ConsistencyGroup

log = logging.getLogger(__name__)

DONE, FOUND, FAILED = 0, 1, 3
#: Exposures that a folder is searched for.
EXPOSURES = ("*_flt.fits", "*_flc.fits", "*_c0m.fits", "*_flw.fits")
_SOLUTION_COLUMNS = (
    "file", "where", "active", "wcsname", "distortion", "catalog", "nmatch", "rms_ra_mas", "rms_dec_mas", "rms_ra_px",
    "rms_dec_px", "chips", "hdrname", "problems",
)  # fmt: skip

Row = dict[str, Any]


def add_to(tools: Any, common: argparse.ArgumentParser) -> None:
    """Add the tool ``wcs`` to the subcommands of a parser."""
    wcs = tools.add_parser("wcs", help="WCS solutions of exposures", description=__doc__)
    commands = wcs.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(
        name: str, run: Callable[[argparse.Namespace], int], text: str, writes: bool = False, first: str = ""
    ) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text, parents=[common])
        command.set_defaults(run=lambda options: _quietly(run, options))
        command.add_argument("--format", choices=FORMATS, default="table", help="how results are printed")
        if first:
            command.add_argument(first, metavar="HEADERLET|FOLDER")
        command.add_argument("files", nargs="+", metavar="FILE|FOLDER")
        if writes:
            command.add_argument("--dry-run", action="store_true", help="say what would happen, change nothing")
        return command

    add("list", _list, "every solution that the files carry")
    show = add("show", _show, "all that is known of solutions, chip by chip, with what is wrong and what repairs it")
    show.add_argument("--solution", metavar="NAME", default="*", help="EXTVER, HDRNAME, WCSNAME or pattern")
    switch = add("switch", _switch, "make another solution the active one", writes=True)
    switch.add_argument("--to", required=True, metavar="NAME", help="EXTVER, HDRNAME, WCSNAME or pattern ('*-GSC240')")
    switch.add_argument("--force", action="store_true", help="apply a damaged solution as it is")
    text = "attach headerlet files, matched to exposures by DESTIM, and make them active"
    apply = add("apply-headerlet", _apply, text, writes=True, first="headerlets")
    apply.add_argument("--solution", metavar="NAME", help="pattern over WCSNAME or HDRNAME, where a folder has several")
    apply.add_argument("--force", action="store_true", help="apply a damaged headerlet as it is")
    export = add("export", _export, "write solutions to headerlet files", writes=True)
    export.add_argument("--solution", metavar="NAME", default="primary", help="default: the active one; '*' for all")
    export.add_argument("--output", metavar="FOLDER", default=".", help="default: here")
    add("undo", _undo, "take the last switch back", writes=True)
    check = add("check", _check, "damage, and disagreement within associations and visits (exit status 1)")
    check.add_argument("--repair-to", metavar="FOLDER", help="write copies with numbers, names and chips repaired")


def _quietly(run: Callable[[argparse.Namespace], int], options: argparse.Namespace) -> int:
    """Run without astropy's warnings about archive headers, unless --verbose: what matters in them is checked here."""
    from astropy.utils.exceptions import AstropyWarning

    if options.verbose:
        return run(options)
    astropy_log = logging.getLogger("astropy")
    level = astropy_log.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        astropy_log.setLevel("ERROR")
        try:
            return run(options)
        finally:
            astropy_log.setLevel(level)


def exposures(names: Sequence[str]) -> list[Path]:
    """Return the exposures that files and folders (searched recursively) stand for, sorted, each once.

    Raises
    ------
    SnakedrizError
        If a name does not exist, or a folder holds no exposure.
    """
    found: dict[Path, None] = {}
    for name in names:
        path = Path(name)
        if path.is_dir():
            here = sorted({p for pattern in EXPOSURES for p in path.rglob(pattern) if not p.name.startswith(".")})
            if not here:
                raise SnakedrizError(f"{path}: holds no exposure ({', '.join(EXPOSURES)})", "give their folder")
            found.update(dict.fromkeys(here))
        elif path.is_file():
            found[path] = None
        else:
            raise SnakedrizError(f"{path}: there is no such file or folder", "check the name")
    return list(found)


def _each(paths: Iterable[Path], do: Callable[[Path], Any]) -> tuple[list[Any], int]:
    """Do something with every file; one that fails is reported and does not stop the others."""
    done, status = [], DONE
    for path in paths:
        try:
            done.append(do(path))
        except (SnakedrizError, OSError) as error:
            log.error("%s%s", "" if str(path) in str(error) else f"{path}: ", error)
            status = FAILED
    return done, status


def _solution_row(path: Path, solution: Any) -> Row:
    row = {"file": path.name, **solution.as_dict(), "where": solution.label}
    row["problems"] = [problem.text for problem in solution.problems]
    row["chips"] = list(solution.chips)
    return {column: row[column] for column in _SOLUTION_COLUMNS}


def _matching(path: Path, wanted: str) -> tuple[Any, list[Any]]:
    """Return an exposure, and the solutions of it that a word of the user names."""
    from snakedriz.wcs import solutions, validation

    exposure = solutions.open_exposure(path)
    found = solutions.matching(validation.inspect(exposure), wanted)
    if not found:
        raise SnakedrizError(f"{path}: no solution matches {wanted!r}", "see the names with 'snakedriz wcs list'")
    return exposure, found


def _list(options: argparse.Namespace) -> int:
    from snakedriz.wcs import solutions, validation

    def read(path: Path) -> list[Row]:
        return [_solution_row(path, solution) for solution in validation.inspect(solutions.open_exposure(path))]

    found, status = _each(exposures(options.files), read)
    rows = [row for rows in found for row in rows]
    columns: tuple[str, ...] = _SOLUTION_COLUMNS
    if options.format == "table":
        rows = [{**row, "problems": f"{len(row['problems'])} (see check)" if row["problems"] else ""} for row in rows]
        columns = tuple(c for c in columns if c not in ("distortion", "chips"))
    show_rows(rows, options.format, columns)
    return status


def _show(options: argparse.Namespace) -> int:
    from snakedriz.wcs import sky_positions

    def read(path: Path) -> list[Row]:
        exposure, found = _matching(path, options.solution)
        rows = []
        for solution in sorted(found, key=lambda s: (s.where != "primary", s.place or 0, s.key)):
            row = {"file": path.name, **solution.as_dict(), "where": solution.label, "chips": list(solution.chips)}
            row["problems"] = [asdict(problem) for problem in solution.problems]
            whole = not {"truncated", "not-a-number", "keyword-missing"} & {p.code for p in solution.problems}
            sky = sky_positions.of_solution(exposure, solution) if whole else {}
            row["centres"] = {f"SCI,{c}": [float(v) for v in p[len(p) // 2]] for c, p in sky.items()}
            rows.append(row)
        return rows

    found, status = _each(exposures(options.files), read)
    rows = [row for rows in found for row in rows]
    if options.format != "table":
        flat = rows if options.format == "json" else [
            {**row, "problems": [p["text"] for p in row["problems"]], "centres": json.dumps(row["centres"])}
            for row in rows
        ]  # fmt: skip
        show_rows(flat, options.format)
        return status
    for row in rows:
        print(f"{row['file']}: {row['where']}{' (active)' if row['active'] else ''}")
        for key in ("wcsname", "hdrname", "distname", "distortion", "kind", "catalog", "nmatch", "chips"):
            print(f"    {key:12} {cell(row[key])}")
        print(f"    {'RMS':12} RA {cell(row['rms_ra_mas'])}, Dec {cell(row['rms_dec_mas'])} mas; "
              f"RA {cell(row['rms_ra_px'])}, Dec {cell(row['rms_dec_px'])} px")  # fmt: skip
        for chip, (ra, dec) in row["centres"].items():
            print(f"    {'centre':12} {chip}: {ra:.9f} {dec:+.9f} deg")
        for problem in row["problems"]:
            print(f"    {'problem':12} {problem['text']}\n    {'repair':12} {problem['repair']}")
    return status


def _switched(done: Sequence[Any], options: argparse.Namespace) -> None:
    if options.format != "table":
        rows = [{**asdict(switch), "notes": list(switch.notes), "dry_run": options.dry_run} for switch in done]
        show_rows(rows, options.format)
        return
    for switch in done:
        if not switch.changed:
            print(f"{switch.path}: {switch.after or 'no name'} is active already")
            continue
        would = "would switch" if options.dry_run else "switched"
        print(
            f"{switch.path}: {would} {switch.before or 'no name'} -> {switch.after or 'no name'} ({switch.source}); "
            f"pixels move by {switch.moved_mas:.2f} mas; positions agree with the solution to "
            f"{switch.proof_microarcsec:.2g} micro-arcsec; backup: {switch.archived}"
        )
        for note in switch.notes:
            print(f"    note: {note}")


def _switch(options: argparse.Namespace) -> int:
    from snakedriz.wcs import switching

    done, status = _each(
        exposures(options.files), lambda path: switching.switch(path, options.to, options.force, options.dry_run)
    )
    _switched(done, options)
    return status


def _apply(options: argparse.Namespace) -> int:
    from snakedriz.fits_headers.fast_header import primary_cards
    from snakedriz.wcs import headerlets, switching

    given = Path(options.headerlets)
    files = headerlets.read_directory(given) if given.is_dir() else [headerlets.describe(given)]
    if options.solution:
        wanted = options.solution.lower()
        files = [f for f in files if any(fnmatch.fnmatchcase(n.lower(), wanted) for n in (f.wcsname, f.hdrname))]
    used: set[str] = set()

    def apply(path: Path) -> Any:
        root = str(primary_cards(path, ("ROOTNAME",)).get("ROOTNAME") or path.name).lower().partition("_")[0]
        mine = [file for file in files if file.destim.partition("_")[0] == root]
        if not mine:
            of_name = f" and a name like {options.solution}" if options.solution else ""
            reason = f"{path}: {given} has no headerlet with DESTIM {root}{of_name}"
            raise SnakedrizError(reason, "give headerlets of this exposure")
        if len(mine) > 1:
            each = ", ".join(f"{Path(file.path).name} ({file.wcsname})" for file in mine)
            raise SnakedrizError(f"{path}: {given} has several headerlets for {root}: {each}", "choose with --solution")
        used.add(mine[0].path)
        return switching.apply_file(path, mine[0].path, options.force, options.dry_run)

    done, status = _each(exposures(options.files), apply)
    _switched(done, options)
    for file in files:
        if file.path not in used and status == DONE:
            log.warning("%s is for %s, which is not among the files", file.path, file.destim)
    return status


def _export(options: argparse.Namespace) -> int:
    from snakedriz.files import whole
    from snakedriz.wcs import headerlets, solutions

    folder = Path(options.output)

    def export(path: Path) -> list[Row]:
        exposure, chosen = _matching(path, options.solution)
        names = [_file_name(path, solution.wcsname or solution.label) for solution in chosen]
        rows = []
        for solution, name in zip(chosen, names, strict=True):
            if names.count(name) > 1:
                name = _file_name(path, f"{solution.wcsname}_{solution.label}")
            target = folder / name
            if target.exists():
                raise SnakedrizError(f"{target}: exists already", "remove it or give another --output")
            if not options.dry_run:
                with whole(target) as temporary:
                    if solution.where == solutions.HEADERLET:
                        headerlets.open_headerlet(exposure[solution.place])  # whole, or an error
                        temporary.write_bytes(headerlets.raw_headerlet(exposure[solution.place]))
                    else:
                        solutions.headerlet_of(exposure, solution).writeto(temporary, output_verify="silentfix")
            rows.append(
                {"file": path.name, "where": solution.label, "wcsname": solution.wcsname, "headerlet": str(target),
                 "problems": [problem.text for problem in solution.problems]}
            )  # fmt: skip
        return rows

    done, status = _each(exposures(options.files), export)
    show_rows([row for rows in done for row in rows], options.format)
    return status


def _file_name(path: Path, solution: str) -> str:
    return f"{path.stem}_{re.sub(r'[^A-Za-z0-9_.-]+', '_', solution)}_hlet.fits"


def _undo(options: argparse.Namespace) -> int:
    from snakedriz.wcs import undo_records

    done, status = _each(exposures(options.files), lambda path: (path, undo_records.undo(path, options.dry_run)))
    if options.format != "table":
        rows = [
            {"file": str(path), "from": undone.before, "to": undone.after, "exact": undone.exact,
             "dry_run": options.dry_run} for path, undone in done
        ]  # fmt: skip
        show_rows(rows, options.format)
        return status
    would = "would restore" if options.dry_run else "restored"
    how = {"file": "headers as they were, byte for byte", "wcs": "keywords changed since then are kept"}
    for path, undone in done:
        print(f"{path}: {would} {undone.after or 'no name'} (was {undone.before or 'no name'}): {how[undone.exact]}")
    return status


def _check(options: argparse.Namespace) -> int:
    from snakedriz.wcs import consistency, fits_bytes, switching

    problems: list[Row] = []

    def read(path: Path) -> Any:
        _, problem = fits_bytes.pieces(path)
        if problem:
            problems.append({"file": path.name, "where": "file", "problem": problem, "repair": "fetch the file again"})
        exposure = consistency.describe(path)
        for solution in exposure.found:
            problems.extend(
                {"file": path.name, "where": solution.label, "wcsname": solution.wcsname, "problem": found.text,
                 "repair": found.repair, "blocks": found.blocks}
                for found in solution.problems
            )  # fmt: skip
        return exposure

    paths = exposures(options.files)
    found, status = _each(paths, read)
    groups = consistency.report(found)
    repaired: list[Row] = []
    if options.repair_to:
        copies, more = _each(
            paths, lambda p: {"file": p.name, "done": switching.repair_copy(p, Path(options.repair_to) / p.name)}
        )
        repaired, status = [copy for copy in copies if copy["done"]], max(status, more)
    if options.format == "json":
        content = {"groups": [group.to_json() for group in groups], "problems": problems, "repaired": repaired}
        print(json.dumps(content, indent=1, allow_nan=False))
    elif options.format == "ecsv":
        show_rows(consistency.rows(groups), "ecsv")
    else:
        _print_check(groups, problems, repaired)
    bad = bool(problems) or any(group.warnings for group in groups)
    return status or (FOUND if bad else DONE)


def _print_check(groups: Sequence[ConsistencyGroup], problems: Sequence[Row], repaired: Sequence[Row]) -> None:
    columns = ("file", "detector", "filter", "exptime", "wcsname", "nmatch", "rms_ra_mas", "rms_dec_mas", "rms_ra_px",
               "rms_dec_px")  # fmt: skip
    for group in groups:
        print(f"{group.kind} {group.name}: {'consistent' if group.consistent else 'INCONSISTENT'}")
        show_rows([row.to_json() for row in group.exposures], "table", columns)
        for text in group.warnings:
            print(f"warning: {text}")
        for text in group.notes:
            print(f"note: {text}")
        print(f"common to all, best first: {', '.join(group.common) or 'none'}\n")
    for row in problems:
        print(f"{row['file']}: {row['where']} {row.get('wcsname', '')}: {row['problem']}\n    repair: {row['repair']}")
    for row in repaired:
        for text in row["done"]:
            print(f"{row['file']}: repaired in the copy: {text}")
