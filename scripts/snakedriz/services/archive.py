"""Exposures from MAST: found with astroquery, downloaded resumably, verified, kept as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from snakedriz.errors import SnakedrizError
from snakedriz.services import failures, provenance
from snakedriz.services.addresses import address, client
from snakedriz.services.download import download
from snakedriz.services.failures import ServiceError
from snakedriz.services.transport import Client

#: Products that are always fetched, and those on request (by the ends of their names).
ALWAYS = ("ASN", "RAW", "FLT", "FLC")
ON_REQUEST = ("DRC", "DRZ", "HLET")


@dataclass(frozen=True)
class Product:
    """A file of the archive: name, URI, bytes (None where the archive does not say), and whether it is public."""

    name: str
    uri: str
    size: int | None
    public: bool

    @property
    def kind(self) -> str:
        """The end of its name in capitals: FLC, ASN, HLET."""
        return self.name.rpartition("_")[2].partition(".")[0].upper()


def products(asker: Client, base: str, name: str, kinds: Sequence[str] = ALWAYS) -> list[Product]:
    """Return the files of an association or single exposure, sorted by name.

    Raises
    ------
    ServiceError
        Of the type of the failure.
    SnakedrizError
        If the archive has nothing of that name.
    """
    from astroquery.mast import ObservationsClass
    from astroquery.mast.discovery_portal import PortalAPI

    service = ObservationsClass()
    service._session = asker
    portal = PortalAPI(asker)
    portal.MAST_REQUEST_URL = f"{base}/api/v0/invoke"
    portal.COLUMNS_CONFIG_URL = f"{base}/portal/Mashup/Mashup.asmx/columnsconfig"
    portal.MAST_DOWNLOAD_URL = f"{base}/api/v0.1/Download/file"
    service._portal_api_connection = portal
    asked = f"{base} HST {name}"
    try:
        observations = service.query_criteria(obs_collection="HST", obs_id=name)
        if not len(observations):
            raise SnakedrizError(f"{asker.service}: has no observation {name} of HST; asked: {asked}; check the name")
        rows = service.get_product_list(observations)
    except (ServiceError, SnakedrizError):
        raise
    except Exception as error:  # astroquery raises what its parsers do
        raise failures.BadAnswer(asker.service, asked, f"{type(error).__name__}: {error}") from error
    found: dict[str, Product] = {}
    for row in rows:
        size = None if row["size"] is None or str(row["size"]) in ("--", "") else int(row["size"])
        product = Product(
            str(row["productFilename"]), str(row["dataURI"]), size or None, str(row["dataRights"]).upper() == "PUBLIC"
        )
        if product.kind in kinds and product.name.endswith(".fits"):
            found[product.name] = product
    if not found:
        raise SnakedrizError(f"{asker.service}: {name} has no file of the kinds {', '.join(kinds)}; asked: {asked}")
    return [found[key] for key in sorted(found)]


def cloud_path(name: str) -> str:
    """Return where the public bucket keeps a file of an HST exposure: ``hst/public/<ipps>/<rootname>/<file>``."""
    root = name.partition("_")[0]
    return f"hst/public/{root[:4]}/{root}/{name}"


def fetch(
    name: str,
    folder: str | Path,
    config: Mapping[str, Any],
    environ: Mapping[str, str],
    kinds: Sequence[str] = ALWAYS,
    have: Mapping[str, str] | None = None,
    asker: Client | None = None,
) -> dict[str, str]:
    """Download the files of an association that are not there.

    Parameters
    ----------
    name : str
        Association or single exposure.
    folder : path
        Where to put what is missing.
    config, environ : mapping
        `services` of the configuration (``from_cloud: true`` tries the public bucket first), and usually `os.environ`.
    kinds : sequence of str
        Ends of names (`ALWAYS`, `ON_REQUEST`).
    have : mapping, optional
        Paths, by name, of files that are elsewhere and are not to be fetched again.
    asker : Client, optional
        In place of the one that the configuration gives.

    Returns
    -------
    dict
        Path by file name.

    Raises
    ------
    ServiceError
        Of the type of the failure; `Proprietary` before anything is downloaded, if any file is not public.
    """
    base = address("mast", config, environ)
    asker = asker or client("mast", config)
    listed = products(asker, base, name, kinds)
    closed = [product.name for product in listed if not product.public]
    if closed:
        raise failures.Proprietary(asker.service, f"{base} HST {name}", f"{', '.join(closed)} are not public yet")
    found = {}
    for product in listed:
        elsewhere = (have or {}).get(product.name)
        path = Path(elsewhere) if elsewhere else Path(folder) / product.name
        found[product.name] = str(path)
        if path.is_file():
            continue
        url = f"{base}/api/v0.1/Download/file?uri={quote(product.uri, safe='')}"
        if config.get("from_cloud") and _from_cloud(product, path, config, environ):
            continue
        download(asker, url, path, product.size)
        query = {"association": name, "uri": product.uri, "size": product.size}
        provenance.write(path, asker, base, query)
    return found


def _from_cloud(product: Product, path: Path, config: Mapping[str, Any], environ: Mapping[str, str]) -> bool:
    """Try the public bucket; False where it has no copy, which it says with 404 or 403."""
    base = address("cloud", config, environ)
    bucket = client("cloud", config)
    try:
        download(bucket, f"{base}/{cloud_path(product.name)}", path, product.size)
    except failures.Refused:
        return False
    query = {"uri": product.uri, "key": cloud_path(product.name), "size": product.size}
    provenance.write(path, bucket, base, query)
    return True
