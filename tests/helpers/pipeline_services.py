"""The three web services that runastrodriz asks, answered on loopback from a simulated visit."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from astropy.coordinates import SkyCoord
from snakedriz.simulate import Truth

#: Columns of the catalogue service: of the simulated catalogue, and of those that are empty here.
_ASTROMETRY = ["ra", "ra_error", "dec", "dec_error", "pmra", "pmra_error", "pmdec", "pmdec_error"]
GAIA_COLUMNS = [*_ASTROMETRY, "mag", "objID", "epoch"]
EMPTY_COLUMNS = {
    "GSC242": ["ra", "raErr", "dec", "decErr", "rapm", "rapmErr", "decpm", "decpmErr", "mag", "objID", "epoch"],
    "2MASS": ["ra", "dec", "mag", "objid", "jdate"],
}
UNKNOWN = (
    "<xml><status>ERROR</status><msg>ipppssoot observation not found - check dataset ID</msg><data/></xml>"  # I#2066
)


@dataclass
class Services:
    """What the services know, and how often each was asked."""

    truth: Truth
    asked: Counter[str] = field(default_factory=Counter)

    def answer(self, target: str) -> tuple[int, str, str]:
        """Status, content type and body for a request."""
        parts = urlsplit(target)
        query = {key.upper(): values[0] for key, values in parse_qs(parts.query).items()}
        if parts.path.endswith("/vo/CatalogSearch.aspx"):
            self.asked[f"catalogue {query['CAT']}"] += 1
            return 200, "text/csv", self.catalogue(query)
        if parts.path.endswith("/GSCConvert/GSCconvert.aspx"):
            self.asked["guide-star offsets"] += 1
            return 200, "text/xml", self.offsets(query["IPPPSSOOT"])
        if parts.path.endswith("/availability"):
            self.asked["astrometry database: availability"] += 1
            return 200, "text/plain", "available"
        if "/observation/read/" in parts.path:
            self.asked["astrometry database: observation"] += 1
            return 404, "text/xml", UNKNOWN
        self.asked[f"unknown: {parts.path}"] += 1
        return 400, "text/plain", "unknown service"

    def catalogue(self, query: dict[str, str]) -> str:
        """Rows within the radius as CSV, CRLF lines, a comment first.

        EPOCH changes nothing: proper motions of the visits simulated here are zero.
        """
        if query["CAT"].upper() != "GAIAEDR3":
            columns, rows = EMPTY_COLUMNS.get(query["CAT"].upper(), GAIA_COLUMNS), []
        else:
            columns, table = GAIA_COLUMNS, self.truth.reference_table
            centre = SkyCoord(float(query["RA"]), float(query["DEC"]), unit="deg")
            places = SkyCoord(np.asarray(table["RA"]), np.asarray(table["DEC"]), unit="deg")
            near = table[places.separation(centre).deg <= float(query["SR"])]
            names = {name.lower(): name for name in near.colnames}
            rows = [",".join(str(row[names[column.lower()]]) for column in columns) for row in near]
        return "\r\n".join([f"# {len(rows)} objects found", ",".join(columns), *rows, ""])

    def offsets(self, rootname: str) -> str:
        """The reply of the guide-star service for an exposure."""
        table = self.truth.offset_table
        found = table[table["rootname"] == rootname.lower()]
        if len(found) != 1:
            return f"<GSCConvert><msg>Failure: {rootname} is not known</msg></GSCConvert>"
        values = "".join(f"<{name}>{found[name][0]}</{name}>" for name in found.colnames if name != "rootname")
        return f"<GSCConvert><msg>Success</msg>{values}</GSCConvert>"


@contextmanager
def serve(truth: Truth) -> Iterator[tuple[Services, dict[str, str]]]:
    """Serve in a thread: the services, and the environment variables that say where they are."""
    services = Services(truth)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, text = services.answer(self.path)
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    base = f"http://127.0.0.1:{server.server_port}"
    try:
        yield (
            services,
            {
                "ASTROMETRIC_CATALOG_URL": f"{base}/webservices",
                "GSSS_WEBSERVICES_URL": f"{base}/webservices",
                "ASTROMETRY_SERVICE_URL": f"{base}/astrometryDB/",  # must end in a slash
                "NO_PROXY": "127.0.0.1",
                "no_proxy": "127.0.0.1",
            },
        )
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
