"""The guide-star service: how far Gaia's position of the guide star is from the one that was used to point."""

from __future__ import annotations

import functools
import logging
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from astropy.table import Table

from snakedriz.artefacts.provenance import ServiceAnswer
from snakedriz.files import read_json, whole, write_json
from snakedriz.services import cache, failures, provenance, replies, transport
from snakedriz.services.addresses import address, client
from snakedriz.services.astrometry_db import ANSWER
from snakedriz.services.failures import public
from snakedriz.services.transport import Client
from snakedriz.settings.configuration import Services
from snakedriz.wcs.guide_star_offsets import COLUMNS

log = logging.getLogger(__name__)

#: The names of the columns that hold numbers begin so.
_NUMBER = "d"
_UNKNOWN = re.compile(r"not (found|known)|unknown|no (such|record|match)|does not exist", re.IGNORECASE)


def offset(asker: Client, base: str, rootname: str) -> dict[str, Any] | None:
    """Return a row of `guide_star_offsets.COLUMNS` (deg) for an exposure; None for one that the service does not know.

    Raises
    ------
    ServiceError
        Of the type of the failure. It is never taken for an offset of zero.
    """
    url = f"{base}/GSCConvert/GSCconvert.aspx?IPPPSSOOT={quote(rootname.upper())}"
    answer = asker.ask(url, transport.XML, headers={"Content-Type": "text/xml"})
    root = replies.tree(answer.content, asker.service, url)
    message = replies.text(root, "msg")
    if message is None:
        raise failures.BadAnswer(asker.service, url, "an answer without <msg>")
    if message.split()[:1] != ["Success"]:
        if _UNKNOWN.search(message):
            return None
        raise failures.ServiceSaidError(asker.service, url, f"it answered {message!r}")
    row: dict[str, Any] = {"rootname": rootname.lower()}
    for column in COLUMNS[1:]:
        said = replies.text(root, column)
        if said is None:
            raise failures.BadAnswer(asker.service, url, f"an answer without <{column}>")
        row[column] = said
        if column.startswith(_NUMBER):
            try:
                row[column] = float(said)
            except ValueError:
                row[column] = math.nan
            if not math.isfinite(row[column]):
                raise failures.BadAnswer(asker.service, url, f"<{column}> is {said!r}, which is no number")
    return row


def fetch(
    path: str | Path,
    rootnames: Sequence[str],
    config: Services,
    environ: Mapping[str, str],
    asker: Client | None = None,
) -> Table:
    """Keep the offsets of some exposures as a table.

    Parameters
    ----------
    path : path
        ECSV table to write, with its provenance beside it; nothing is written unless all went well.
    rootnames : sequence of str
        Exposures, each asked for by itself.
    config : Services
        `services` of the configuration.
    environ : mapping
        Usually `os.environ`.
    asker : Client, optional
        In place of the one that the configuration gives.

    Returns
    -------
    `~astropy.table.Table`
        Columns `guide_star_offsets.COLUMNS`, sorted by rootname. `meta`: `asked` and `unknown`, lists of rootnames.
    """
    base = address("guide_stars", config, environ)
    asker = asker or client("guide_stars", config)
    wanted = sorted(set(rootnames))
    rows, unknown, answers = [], [], []
    for root in wanted:
        question = {"base": public(base), "rootname": root}
        ask = functools.partial(_ask, asker=asker, base=base, root=root)
        with cache.answer(config.cache, "guide_stars", question, ask) as place:
            said = read_json(place / ANSWER)
        answers.append(ServiceAnswer(rootname=root, when=said["when"], version=said["version"]))
        if said["row"] is None:
            unknown.append(root)
            log.warning("%s: does not know the exposure %s", asker.service, root)
        else:
            rows.append(said["row"])
    table = Table(
        {c: [row[c] for row in rows] for c in COLUMNS},
        names=COLUMNS,
        dtype=[float if c.startswith(_NUMBER) else str for c in COLUMNS],
        meta={"service": asker.service, "rootnames": wanted, "unknown": unknown},
    )
    with whole(path) as temporary:
        table.write(temporary, format="ascii.ecsv", overwrite=True)
        provenance.write(path, asker, base, {"rootnames": wanted}, rows=len(table), answers=answers, of=temporary)
    return table


def _ask(folder: Path, asker: Client, base: str, root: str) -> None:
    row = offset(asker, base, root)
    about = {"when": provenance.when(asker), "version": provenance.server(asker)}
    write_json(folder / ANSWER, {"row": row, **about})
