"""What the demo says at its end: what was promoted, and how far the product's stars are from where they truly are."""

from __future__ import annotations

from pathlib import Path

from snakedriz.artefacts.promotion import Promotion
from snakedriz.errors import SnakedrizError
from snakedriz.simulate import measure_offsets, read_truth


def report(folder: Path, association: str) -> str:
    """Return the demo's closing lines.

    Parameters
    ----------
    folder : Path
        Where the visit was simulated (truth.json, truth.ecsv) and the workflow ran (results/).
    association : str
        Rootname of the association.

    Raises
    ------
    SnakedrizError
        If nothing was promoted.
    """
    results = folder / "results" / association
    promotion = Promotion.read(results / "promotion.json")
    if promotion.winner is None:
        raise SnakedrizError(
            f"{association}: nothing was promoted: {promotion.reason}", "report it: the demo should work"
        )
    truth = read_truth(folder)
    final = sorted((results / "final").glob("*_drc.fits"))[0]
    lines = [
        "",
        f"Promoted: {promotion.winner} ({promotion.wcsname}), {'verified' if promotion.verified else 'NOT verified'}",
        f"  because {promotion.reason}",
        "",
        "Distance of the stars from their true positions (median, mas; relative scatter, mas; stars):",
    ]
    rows = [("final " + final.name, final)]
    for row in promotion.candidates:
        product = results / f"{association}_{row.candidate}" / f"{association}_drc.fits"
        if row.outcome == "ok":
            rows.append((f"{row.candidate} candidate", product))
    for label, path in rows:
        summary = measure_offsets(path, truth).meta["summary"]
        lines.append(
            f"  {label:28s} {summary['median_radial_mas']:9.2f} {summary['scatter_mas']:9.2f} {summary['n']:5d}"
        )
    lines += ["", f"Reasons in full: {results / 'final' / (association + '.tra')}"]
    return "\n".join(lines)
