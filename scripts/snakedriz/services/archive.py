"""Exposures from MAST: found with astroquery, downloaded resumably, verified, kept as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from snakedriz.errors import SnakedrizError
from snakedriz.services import failures, provenance
from snakedriz.services.addresses import address, client
from snakedriz.services.download import download
from snakedriz.services.failures import ServiceError
from snakedriz.services.transport import Client
from snakedriz.settings.configuration import Services

#: Products that are always fetched, and those on request (by the ends of their names).
ALWAYS = ("ASN", "RAW", "FLT", "FLC")
ON_REQUEST = ("DRC", "DRZ", "HLET")


@dataclass(frozen=True)
class ArchiveFile:
    """A file of the archive: name, URI, bytes (None where the archive does not say), and whether it is public."""

    name: str
    uri: str
    size: int | None
    public: bool

    @property
    def kind(self) -> str:
        """The end of its name in capitals: FLC, ASN, HLET."""
        return self.name.rpartition("_")[2].partition(".")[0].upper()


def products(asker: Client, base: str, name: str, kinds: Sequence[str] = ALWAYS) -> list[ArchiveFile]:
    """Return the files of an association or single exposure, sorted by name.

    Raises
    ------
    ServiceError
        Of the type of the failure.
    SnakedrizError
        If the archive has nothing of that name.
    """
    from astroquery.mast.discovery_portal import PortalAPI  # here: it takes a second to import

    portal = PortalAPI(asker)
    portal.MAST_REQUEST_URL = f"{base}/api/v0/invoke"
    portal.COLUMNS_CONFIG_URL = f"{base}/portal/Mashup/Mashup.asmx/columnsconfig"
    asked = f"{base} HST {name}"
    service = "Mast.Caom.Filtered"
    try:
        filters = portal.build_filter_set("Mast.Caom.Cone", service, obs_collection="HST", obs_id=name)
        observations = portal.service_request(service, {"columns": "*", "filters": filters})
        if not len(observations):
            raise SnakedrizError(f"{asker.service}: has no observation {name} of HST; asked: {asked}", "check the name")
        identifiers = sorted({str(row["obsid"]) for row in observations})
        rows = portal.service_request("Mast.Caom.Products", {"obsid": ",".join(identifiers)})
    except (ServiceError, SnakedrizError):
        raise
    except Exception as error:  # astroquery raises what its parsers do
        raise failures.BadAnswer(asker.service, asked, f"{type(error).__name__}: {error}") from error
    found: dict[str, ArchiveFile] = {}
    for row in rows:
        size = 0 if row["size"] is None or str(row["size"]) in ("--", "") else int(row["size"])
        public = str(row["dataRights"]).upper() == "PUBLIC"
        file = ArchiveFile(str(row["productFilename"]), str(row["dataURI"]), size or None, public)
        if file.kind in kinds and file.name.endswith(".fits"):
            found[file.name] = file
    if not found:
        raise SnakedrizError(
            f"{asker.service}: {name} has no file of the kinds {', '.join(kinds)}; asked: {asked}",
            "check the name; the archive may not have calibrated this observation yet",
        )
    return [found[key] for key in sorted(found)]


def cloud_path(name: str) -> str:
    """Return where the public bucket keeps a file of an HST exposure: ``hst/public/<ipps>/<rootname>/<file>``."""
    root = name.partition("_")[0]
    return f"hst/public/{root[:4]}/{root}/{name}"


def fetch(
    name: str,
    folder: str | Path,
    config: Services,
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
    config : Services
        `services` of the configuration; ``from_cloud: true`` tries the public bucket first.
    environ : mapping
        Usually `os.environ`.
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
    closed = [file.name for file in listed if not file.public]
    if closed:
        raise failures.Proprietary(asker.service, f"{base} HST {name}", f"{', '.join(closed)} are not public yet")
    found = {}
    for file in listed:
        elsewhere = (have or {}).get(file.name)
        path = Path(elsewhere) if elsewhere else Path(folder) / file.name
        found[file.name] = str(path)
        if path.is_file():
            continue
        url = f"{base}/api/v0.1/Download/file?uri={quote(file.uri, safe='')}"
        if config.from_cloud and _from_cloud(file, path, config, environ):
            continue
        download(asker, url, path, file.size)
        query = {"association": name, "uri": file.uri, "size": file.size}
        provenance.write(path, asker, base, query)
    return found


def _from_cloud(file: ArchiveFile, path: Path, config: Services, environ: Mapping[str, str]) -> bool:
    """Try the public bucket; False where it has no copy, which it says with 404 or 403."""
    base = address("cloud", config, environ)
    bucket = client("cloud", config)
    try:
        download(bucket, f"{base}/{cloud_path(file.name)}", path, file.size)
    except failures.Refused:
        return False
    query = {"uri": file.uri, "key": cloud_path(file.name), "size": file.size}
    provenance.write(path, bucket, base, query)
    return True
