"""Which catalogue, and which pre-computed solutions, a result was made with: for promotion.json and for headers."""

from __future__ import annotations

from collections.abc import Sequence

from snakedriz.artefacts.metrics import Metrics
from snakedriz.artefacts.promotion import CatalogFile, Promotion
from snakedriz.promotion.error_summary import Card


def catalogs(metrics: Sequence[Metrics]) -> list[CatalogFile]:
    """Return the reference catalogues that candidates were fitted to or held against, in order of preference.

    `metrics` are those of all candidates, which were all held against the same.
    """
    found: dict[str, CatalogFile] = {}
    for one in metrics:
        for row in one.astrometry.catalogs if one.astrometry else ():
            if row.source is not None:
                found.setdefault(row.catalog, CatalogFile(name=row.catalog, **dict(row.source)))
    return list(found.values())


def header_cards(promotion: Promotion) -> list[Card]:
    """Return (keyword, value, comment) of the catalogue of the promoted fit, else of the one it was held against.

    For a pre-computed solution also the files it came from. What is not known is left out.
    """
    chosen = next(row for row in promotion.candidates if row.candidate == promotion.winner)
    held_against = chosen.astrometry.absolute.catalog if chosen.astrometry else None
    name = (chosen.fit and chosen.fit.catalog) or held_against
    used = next((one for one in promotion.catalogs if one.name == name), None)
    cards: list[tuple[str, str | None, str]] = []
    if used is not None:
        cards += [
            ("SDCATNAM", used.name, "reference catalogue"),
            ("SDCATFIL", used.file, "its file"),
            ("SDCATSHA", used.sha256, ""),
            ("SDCATSVC", used.service, "service that it is from"),
            ("SDCATVER", used.version, "version of the service"),
            ("SDCATQRY", used.query, ""),
        ]
    for number, source in enumerate(chosen.sources, start=1):
        cards += [(f"SDSOLF{number}", source.file, "what the solution is from"),
                  (f"SDSOLH{number}", source.sha256, "")]  # fmt: skip
    return [
        (keyword, value.encode("ascii", "replace").decode(), comment)
        for keyword, value, comment in cards
        if value is not None
    ]
