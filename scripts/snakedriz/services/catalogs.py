"""Reference catalogues from services, kept as a table in normal form with its provenance."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from snakedriz.catalogs import reference
from snakedriz.errors import SnakedrizError
from snakedriz.files import whole, write_table
from snakedriz.geometry import Cone
from snakedriz.services import cache, failures, provenance, stsci_catalogs, virtual_observatory
from snakedriz.services.addresses import address, client
from snakedriz.services.failures import public
from snakedriz.services.transport import Client
from snakedriz.settings.configuration import Services

log = logging.getLogger(__name__)

#: Which service of `addresses.SERVICES` answers for each value of `service` of a catalogue.
SOURCES = {"stsci": "catalogs", "gaia": "tap", "vizier": "vizier"}

#: Name of the table in the cache.
TABLE = "table.ecsv"


def fetch(
    path: str | Path,
    name: str,
    source: str,
    cone: Cone,
    config: Services,
    environ: Mapping[str, str],
    asker: Client | None = None,
) -> Table:
    """Ask a service for a catalogue and keep it.

    Parameters
    ----------
    path : path
        ECSV table to write, with its provenance beside it; nothing is written unless all went well.
    name : str
        Catalogue, as WCSNAME will have it.
    source : {"stsci", "gaia", "vizier"}
        Service.
    cone : Cone
        Field.
    config : Services
        `services` of the configuration.
    environ : mapping
        Usually `os.environ`.
    asker : Client, optional
        In place of the one that the configuration gives.

    Returns
    -------
    `~astropy.table.Table`
        In the normal form of `reference.load_catalog`, at the catalogue's own epoch, sorted by RA, DEC and objID.
        `meta`: name, service, query, field (RA, DEC, radius in deg), and `outcome`, ``ok`` or ``empty``.

    Raises
    ------
    ServiceError
        Of the type of the failure.
    """
    base = address(SOURCES[source], config, environ)
    asker = asker or client(SOURCES[source], config)
    mindet = config.mindet
    question = {"base": public(base), "source": source, "catalog": name, "cone": [cone.ra, cone.dec, cone.radius],
                "mindet": mindet}  # fmt: skip

    def ask(folder: Path) -> None:
        _ask(folder / TABLE, name, source, cone, mindet, asker, base)

    with cache.answer(config.cache, SOURCES[source], question, ask) as place:
        with whole(path) as temporary:
            shutil.copyfile(place / TABLE, temporary)
            provenance.copy(place / TABLE, path)
        return Table.read(place / TABLE, format="ascii.ecsv")


def _ask(path: Path, name: str, source: str, cone: Cone, mindet: int, asker: Client, base: str) -> None:
    query: dict[str, Any] = {"catalog": name, "ra": cone.ra, "dec": cone.dec, "radius_deg": cone.radius}
    if source == "stsci":
        found, asked = stsci_catalogs.query(asker, base, name, cone, mindet=mindet)
        query |= {"CAT": stsci_catalogs.ALIASES.get(name, name), "FORMAT": "CSV", "MINDET": mindet}
    elif source == "gaia":
        asked = virtual_observatory.gaia_query(cone)
        found = virtual_observatory.tap(asker, base, asked)
        query["adql"] = asked
    else:
        asked = f"{base} {name}"
        found = virtual_observatory.vizier(asker, base, name, cone)
        query["vizier"] = virtual_observatory.VIZIER.get(name, name)
    if len(found):
        try:
            table = reference.normalise(found, name, asker.service)
        except SnakedrizError as error:
            raise failures.BadAnswer(asker.service, asked, str(error)) from error
        if table.meta["dropped"] == len(found):
            raise failures.BadAnswer(asker.service, asked, f"{len(found)} rows, none with a position")
    else:
        table = reference.normalise(Table({"ra": np.empty(0), "dec": np.empty(0)}), name, asker.service)
    table = table[np.lexsort((table["objID"], table["DEC"], table["RA"]))]
    table.meta = {
        "name": name,
        "service": asker.service,
        "query": query,
        "field": [cone.ra, cone.dec, cone.radius],
        "outcome": "ok" if len(table) else "empty",
        "dropped": table.meta["dropped"],
    }
    if not len(table):
        place = f"{cone.radius} deg of {cone.ra}, {cone.dec}"
        log.warning("%s: no object of %s within %s", asker.service, name, place)
    write_table(path, table)
    provenance.write(path, asker, base, query, rows=len(table))
