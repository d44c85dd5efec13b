"""Loopback stand-ins of the three services that runastrodriz asks: catalogue, astrometry database, guide stars."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlparse

from astropy.table import Table

_COLUMNS = ("ra", "ra_error", "dec", "dec_error", "pmra", "pmra_error", "pmdec", "pmdec_error", "mag", "objID", "epoch")
_UNKNOWN = "<xml><status>ERROR</status><msg>ipppssoot observation not found - check dataset ID</msg><data/></xml>"


def _catalogue(gaia: Table, name: str) -> str:
    """CSV with CRLF lines: a comment, the column names, the rows; none for catalogues other than Gaia eDR3."""
    lines = ["# simulated", ",".join(_COLUMNS)]
    if name.upper() == "GAIAEDR3":
        upper = {"ra": "RA", "dec": "DEC"}
        lines += [",".join(str(row[upper.get(c, c)]) for c in _COLUMNS) for row in gaia]
    return "\r\n".join(lines) + "\r\n"


def _offsets(table: Table, rootname: str) -> str:
    rows = [row for row in table if str(row["rootname"]).upper() == rootname.upper()]
    if not rows:
        return "<xml><msg>Failure</msg></xml>"
    fields = "".join(f"<{name}>{rows[0][name]}</{name}>" for name in table.colnames if name != "rootname")
    return f"<xml><msg>Success</msg>{fields}</xml>"


@contextmanager
def services(simulation: Path) -> Iterator[dict[str, str]]:
    """Serve a simulated visit on loopback; yields the environment variables that point at it."""
    gaia = Table.read(simulation / "gaia.ecsv")
    offsets = Table.read(simulation / "offsets.ecsv")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlparse(self.path)
            query = {key.upper(): values[0] for key, values in parse_qs(url.query).items()}
            status, kind = 200, "text/xml"
            if "CatalogSearch" in url.path:
                body, kind = _catalogue(gaia, query.get("CAT", "")), "text/csv"
            elif "GSCconvert" in url.path:
                body = _offsets(offsets, query.get("IPPPSSOOT", ""))
            elif url.path.rstrip("/").endswith("availability"):
                body = "<xml><status>OK</status></xml>"
            else:
                status, body = 404, _UNKNOWN
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    base = f"http://127.0.0.1:{server.server_port}"
    try:
        yield {
            "ASTROMETRIC_CATALOG_URL": f"{base}/webservices",
            "ASTROMETRY_SERVICE_URL": f"{base}/db/",
            "GSSS_WEBSERVICES_URL": f"{base}/webservices",
        }
    finally:
        server.shutdown()
        thread.join()
