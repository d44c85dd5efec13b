"""Catalogues by the protocols of the Virtual Observatory: Gaia DR3 by TAP (pyvo), VizieR (astroquery)."""

from __future__ import annotations

import io
import logging
import warnings
from typing import Any

from astropy.table import Table, vstack

from snakedriz.geometry import Cone
from snakedriz.services import failures
from snakedriz.services.failures import ServiceError
from snakedriz.services.transport import Client

log = logging.getLogger(__name__)

#: Columns of gaiadr3.gaia_source that we use.
GAIA_COLUMNS = (
    "source_id", "ra", "ra_error", "dec", "dec_error", "parallax", "parallax_error", "pmra", "pmra_error", "pmdec",
    "pmdec_error", "ra_dec_corr", "ra_pmra_corr", "ra_pmdec_corr", "dec_pmra_corr", "dec_pmdec_corr",
    "pmra_pmdec_corr", "ra_parallax_corr", "dec_parallax_corr", "parallax_pmra_corr", "parallax_pmdec_corr",
    "ref_epoch", "ruwe", "astrometric_excess_noise", "astrometric_excess_noise_sig", "phot_g_mean_mag",
)  # fmt: skip
#: Catalogues by the names that WCSNAME uses: where VizieR keeps them.
VIZIER = {
    "GAIADR3": "I/355/gaiadr3", "GAIAeDR3": "I/350/gaiaedr3", "GSC242": "I/353/gsc242", "2MASS": "II/246/out",
    "PS1": "II/349/ps1",
}  # fmt: skip


def gaia_query(cone: Cone) -> str:
    """Return the query in ADQL for all of Gaia DR3 in a cone."""
    return (
        f"SELECT {', '.join(GAIA_COLUMNS)} FROM gaiadr3.gaia_source WHERE 1 = CONTAINS(POINT('ICRS', ra, dec), "
        f"CIRCLE('ICRS', {cone.ra:.5f}, {cone.dec:.5f}, {cone.radius:.4f})) ORDER BY source_id"
    )


def tap(client: Client, adql: str) -> Table:
    """Ask a TAP service, asynchronously: synchronous answers of the Gaia archive end at 2000 rows.

    Parameters
    ----------
    client : Client
        Of the service.
    adql : str
        The query.

    Raises
    ------
    ServiceError
        Of the type of the failure; `Incomplete` if the service left rows out.
    """
    import pyvo

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pyvo.dal.exceptions.DALOverflowWarning)
            job = pyvo.dal.TAPService(client.address, session=client).submit_job(adql)
            try:
                job.run().wait(phases=["COMPLETED", "ERROR", "ABORTED"], timeout=client.budget.seconds)
                job.raise_if_error()
                return job.fetch_result().to_table()
            finally:
                _forget(job)
    except ServiceError:
        raise
    except pyvo.dal.exceptions.DALOverflowWarning as error:
        raise failures.Incomplete(client.service, adql, f"it left rows out ({error})") from error
    except pyvo.dal.exceptions.DALQueryError as error:
        raise failures.ServiceSaidError(client.service, adql, f"it answered {error.reason!r}") from error
    except pyvo.dal.exceptions.DALServiceError as error:
        kind = failures.TimedOut if "timed out" in str(error).lower() else failures.BadAnswer
        raise kind(client.service, adql, str(error)) from error
    except Exception as error:  # malformed XML and VOTables raise what their parsers like
        raise failures.BadAnswer(client.service, adql, f"{type(error).__name__}: {error}") from error


def _forget(job: Any) -> None:
    """Delete a job at the service; whether that works is of no consequence for the result."""
    try:
        job.delete()
    except Exception as error:  # a courtesy to the service, which deletes old jobs by itself
        log.info("the job could not be deleted at the service: %s", error)


def vizier(client: Client, name: str, cone: Cone) -> Table:
    """Ask VizieR for a catalogue.

    Parameters
    ----------
    client : Client
        Of VizieR.
    name : str
        One of `VIZIER`, or a catalogue as VizieR calls it (``I/355/gaiadr3``).
    cone : Cone
        The field.

    Raises
    ------
    ServiceError
        Of the type of the failure.
    """
    import astropy.units as u
    from astropy.coordinates import SkyCoord
    from astroquery.vizier import VizierClass

    catalogue, url = VIZIER.get(name, name), f"{client.address}/viz-bin/votable"
    asked = f"{url} {catalogue} at {cone.ra} {cone.dec} within {cone.radius} deg"
    payload = VizierClass(columns=["**"], row_limit=-1).query_region_async(
        SkyCoord(cone.ra, cone.dec, unit="deg"), radius=cone.radius * u.deg, catalog=catalogue, get_query_payload=True
    )
    body = client.request("POST", url, data=payload).content
    try:
        found = _tables(body)
    except Exception as error:  # malformed XML and VOTables raise what their parsers like
        raise failures.BadAnswer(client.service, asked, f"{type(error).__name__}: {error}") from error
    _check_votable(body, client.service, asked)
    if len(found) > 1:
        raise failures.BadAnswer(
            client.service, asked, f"{len(found)} tables ({', '.join(found)})", "name one table, as I/355/gaiadr3"
        )
    return next(iter(found.values()), Table())


def _tables(body: bytes) -> dict[str, Table]:
    """Return the tables of a VOTable that have rows, by name; parts of one name are one table."""
    from astropy.io import votable

    parts: dict[str, list[Table]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", votable.exceptions.VOWarning)
        tree = votable.parse(io.BytesIO(body), verify="warn", invalid="mask")
        for part in tree.iter_tables():
            if len(part.array):
                name = str(part.name if part.ref is None else tree.get_table_by_id(part.ref).name)
                parts.setdefault(name, []).append(part.to_table(use_names_over_ids=True))
    return {name: vstack(tables) for name, tables in parts.items()}


def _check_votable(body: bytes, service: str, asked: str) -> None:
    """Find what the reader of VOTables passes over: an error that VizieR reports inside, rows left out."""
    text = body.decode("utf-8", "replace")
    if "</VOTABLE>" not in text:
        raise failures.Truncated(service, asked, "a VOTable without its end")
    for line in (line for line in text.splitlines() if "<INFO" in line):
        if 'name="QUERY_STATUS"' in line and 'value="OVERFLOW"' in line:
            raise failures.Incomplete(service, asked, "it left rows out (OVERFLOW)")
        if 'name="Errors"' in line or ('name="QUERY_STATUS"' in line and 'value="ERROR"' in line):
            raise failures.ServiceSaidError(service, asked, f"it answered {line.strip()[:200]}")
