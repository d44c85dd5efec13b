"""All services together, as their documentation has them, for a simulated visit: what is asked of them is true there.

Each answers in its own manner where the protocols leave it free: columns in another order and more of them, capitals in
names, parameters of content types, rows and solutions in an order that changes with every answer.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import random
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs

import numpy as np
from astropy.coordinates import SkyCoord
from snakedriz.candidates import default
from snakedriz.exposures import skeleton
from snakedriz.fits_headers.rootnames import ExposureKey
from snakedriz.wcs import guide_star_offsets, headerlets
from snakedriz.wcs.guide_star_offsets import GuideStarOffset

from helpers.archive_tables import COLUMNS as OBSERVATION
from helpers.archive_tables import PRODUCT, table
from helpers.loopback import Reply, Request, Server, serve

UNKNOWN = b"<xml><status>ERROR</status><msg>ipppssoot observation not found - check dataset ID</msg><data/></xml>"


class Observatory:
    """What the services know: `truth`, and of the database `solutions` (from rootname and WCSNAME to bytes)."""

    def __init__(self, truth, seed=1):
        self.truth, self.chance = truth, random.Random(seed)
        self.solutions: dict[str, dict[str, bytes]] = {}
        self.best: dict[str, str] = {}
        self.offsets = {str(row["rootname"]): row for row in truth.offset_table}

    def solve(self, kind="GSC240", root_of_idctab=None, offset=None):
        """Let the database have a solution of every exposure: the guide-star offset, for any distortion model."""
        for path in self.truth.flc:
            found = {ExposureKey.parse(path): skeleton.from_exposure(path)}
            default.make(found, {"jref": str(self.truth.ref)})
            own, root = found[ExposureKey.parse(path)], path.name.partition("_")[0]
            name = f"IDC_{root_of_idctab or '9d1snakej'}-{kind}"
            guide_star_offsets.apply_offset(own, GuideStarOffset.of(self.offsets[root]), name)
            stream = io.BytesIO()
            headerlets.make(own, headerlets.unique_hdrname(root, "flc", name)).writeto(stream)
            self.solutions.setdefault(root, {})[name] = stream.getvalue()
            self.best[root] = name

    def catalogue(self, request: Request) -> Reply:
        query = {key.upper(): value for key, value in request.query.items()}
        assert "EPOCH" not in query
        stars = self.truth.reference_table
        if query["CAT"] != "GAIAeDR3":
            return Reply(b"No data records found\r\n", "text/csv")
        centre = SkyCoord(float(query["RA"]), float(query["DEC"]), unit="deg")
        places = SkyCoord(np.asarray(stars["RA"]), np.asarray(stars["DEC"]), unit="deg")
        stars = stars[places.separation(centre).deg <= float(query["SR"])]
        columns = {name: name.upper() if name == "mag" else name for name in stars.colnames}
        names, rows = self.chance.sample(list(columns), len(columns)), [list(row) for row in stars]
        self.chance.shuffle(rows)
        lines = [f"# {len(rows)} objects of {query['CAT']}", ",".join(["hstID", *(columns[name] for name in names)])]
        place = [stars.colnames.index(name) for name in names]
        lines += [",".join([f"S{i}", *(str(row[j]) for j in place)]) for i, row in enumerate(rows)]
        return Reply(("\r\n".join(lines) + "\r\n").encode(), "text/csv; charset=utf-8")

    def database(self, request: Request) -> Reply:
        root = request.path.rpartition("/")[2]
        if root not in self.solutions:
            return Reply(UNKNOWN, "text/xml", 404)
        if "wcsname" in request.query:
            return Reply(self.solutions[root][request.query["wcsname"]], "application/fits")
        names = self.chance.sample(sorted(self.solutions[root]), len(self.solutions[root]))
        listed = "".join(
            f"<solution><wcsName>{name}</wcsName><nMatch>9</nMatch><solutionID>{100 + i}</solutionID></solution>"
            for i, name in enumerate(names)
        )
        best = 100 + names.index(self.best[root])
        text = f"<xml><status>OK</status><data><bestSolutionID>{best}</bestSolutionID>{listed}</data></xml>"
        return Reply(text.encode(), "application/xml; charset=UTF-8")

    def guide_stars(self, request: Request) -> Reply:
        root = request.query["IPPPSSOOT"]
        assert root == root.upper()
        row = self.offsets.get(root.lower())
        if row is None:
            return Reply(f"<GSCConvert><msg>Failure: {root} is not known</msg></GSCConvert>".encode(), "text/xml")
        values = "".join(f"<{name}>{row[name]}</{name}>" for name in guide_star_offsets.COLUMNS[1:])
        return Reply(f"<GSCConvert><msg>Success</msg>{values}</GSCConvert>".encode(), "text/xml")

    def crds(self, request: Request) -> Reply:
        folder = self.truth.ref
        if request.path.startswith("/get/"):
            return Reply((folder / Path(request.path).name).read_bytes(), "application/octet-stream")
        asked = json.loads(request.body)
        if asked["method"] == "get_server_info":
            result = {"reference_url": {"unchecked": {"hst": f"http://{request.headers['Host']}/get"}},
                      "crds_version": {"str": "13.1.0"}}  # fmt: skip
        elif asked["method"] == "get_default_context":
            result = "hst_1234.pmap"
        else:
            body = (folder / asked["params"][1]).read_bytes()
            result = {"size": str(len(body)), "sha1sum": hashlib.sha1(body).hexdigest()}
        return Reply(json.dumps({"error": None, "result": result, "id": asked["id"]}).encode(), "application/json")

    def mast(self, request: Request) -> Reply:
        if request.path.endswith("columnsconfig"):
            described = {name: {"text": name, "type": kind} for name, kind in OBSERVATION.items()}
            return Reply(json.dumps(described).encode(), "text/plain")
        if "Download" in request.path:
            name = request.query["uri"].rpartition("/")[2]
            return Reply((self.truth.data / name).read_bytes(), "application/fits")
        asked = json.loads(parse_qs(request.body)["request"][0])
        if asked["service"] == "Mast.Caom.Filtered":
            names = {f["paramName"]: f["values"] for f in asked["params"]["filters"]}
            known = names["obs_id"] == [self.truth.visit.asn]
            rows = [{"obsid": "7", "obs_collection": "HST", "obs_id": names["obs_id"][0], "target_name": "M"}] * known
            return Reply(json.dumps(table(OBSERVATION, rows)).encode(), "text/json")
        files = list(self.truth.data.glob("*.fits"))
        self.chance.shuffle(files)
        rows = [
            {"obsID": "7", "productFilename": path.name, "dataURI": f"mast:HST/product/{path.name}",
             "size": path.stat().st_size, "dataRights": "PUBLIC", "obs_collection": "HST", "productType": "SCIENCE"}
            for path in files
        ]  # fmt: skip
        return Reply(json.dumps(table(PRODUCT, rows)).encode(), "text/json")


#: By key of `services` in the configuration: the method of Observatory, and what follows the server's address.
SERVICES = {
    "catalogs": ("catalogue", "/webservices"), "astrometry": ("database", "/db/"),
    "guide_stars": ("guide_stars", "/webservices"), "crds": ("crds", ""), "mast": ("mast", ""),
}  # fmt: skip


@contextlib.contextmanager
def open_all(observatory: Observatory) -> Iterator[tuple[dict[str, Server], dict[str, str]]]:
    """Serve every service on a port of its own; the servers, and `services` of the configuration."""
    with contextlib.ExitStack() as stack:
        servers = {
            key: stack.enter_context(serve(getattr(observatory, method))) for key, (method, _) in SERVICES.items()
        }
        yield servers, {key: servers[key].url + end for key, (_, end) in SERVICES.items()}
