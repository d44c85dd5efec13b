"""What `catalogs: auto` and `solutions: auto` stand for: all that services have, where there is a connection."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from snakedriz.settings.values import from_text

#: The catalogue that the newest solutions of the archive are fitted to.
CATALOG = {"name": "GAIAeDR3", "service": "stsci"}
AUTO = "auto"


def resolve(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with a list and a mapping where its `catalogs` and `solutions` were `auto`, or absent.

    Where the user gave one of the two, the other is empty: who says what to fit to, or to apply, has said all. Else,
    with `network: true`, Gaia eDR3 from the STScI catalogue service, and the headerlets and offsets of the databases;
    without, those of them that an earlier run left in the folder `fetched`.
    """
    given = {key: config.get(key, AUTO) for key in ("catalogs", "solutions")}
    automatic = [key for key, value in given.items() if isinstance(value, str) and value.strip() == AUTO]
    found: dict[str, Any] = {"catalogs": [], "solutions": {}}
    if len(automatic) == len(given):
        folder = Path(str(config.get("fetched", "fetched")))
        network = from_text(config.get("network")) is True
        if network or any((folder / "catalogs").glob(f"*_{CATALOG['name']}*.ecsv")):
            found["catalogs"] = [dict(CATALOG)]
        for kind in ("headerlets", "offsets"):
            if network or (folder / kind).is_dir():
                found["solutions"][kind] = "fetch"
    return {**config, **{key: found[key] for key in automatic}}
