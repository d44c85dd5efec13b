"""Which catalogue, and which pre-computed solutions, a result was made with: for promotion.json and for headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from snakedriz.promotion.error_summary import Card


def catalogs(metrics: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the reference catalogues that candidates were fitted to or held against, in order of preference.

    Parameters
    ----------
    metrics : sequence of mappings
        metrics.json of the candidates, which were all held against the same.

    Returns
    -------
    list of dict
        `name`, and what `services.provenance.describe` says of its file.
    """
    found: dict[str, dict[str, Any]] = {}
    for one in metrics:
        for row in (one.get("astrometry") or {}).get("catalogs", ()):
            if row.get("source"):
                found.setdefault(row["catalog"], {"name": row["catalog"], **row["source"]})
    return list(found.values())


def header_cards(promotion: Mapping[str, Any]) -> list[Card]:
    """Return (keyword, value, comment) of the catalogue of the promoted fit, else of the one it was held against.

    For a pre-computed solution also the files it came from. What is not known is left out.

    Parameters
    ----------
    promotion : mapping
        promotion.json.
    """
    chosen = next(row for row in promotion["candidates"] if row["candidate"] == promotion["winner"])
    absolute = (chosen.get("astrometry") or {}).get("absolute") or {}
    name = (chosen.get("fit") or {}).get("catalog") or absolute.get("catalog")
    used: Mapping[str, Any] = next((one for one in promotion["catalogs"] if one["name"] == name), {})
    cards: list[tuple[str, Any, str]] = [
        ("SDCATNAM", used.get("name"), "reference catalogue"),
        ("SDCATFIL", used.get("file"), "its file"),
        ("SDCATSHA", used.get("sha256"), ""),
        ("SDCATSVC", used.get("service"), "service that it is from"),
        ("SDCATVER", used.get("version"), "version of the service"),
        ("SDCATQRY", used.get("query"), ""),
    ]
    for number, source in enumerate(chosen.get("sources") or (), start=1):
        cards += [(f"SDSOLF{number}", source["file"], "what the solution is from"),
                  (f"SDSOLH{number}", source["sha256"], "")]  # fmt: skip
    return [
        (keyword, str(value).encode("ascii", "replace").decode(), comment)
        for keyword, value, comment in cards
        if value is not None
    ]
