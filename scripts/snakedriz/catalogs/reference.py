"""Reference catalogues: one normal form, positions at the epoch of the observation, cut to the field."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray

from snakedriz.catalogs import covariance, parquet
from snakedriz.catalogs.covariance import DEFAULT_ERROR_MAS, PM_SCATTER_MAS_YR
from snakedriz.catalogs.known_epochs import known_epoch
from snakedriz.errors import SnakedrizError
from snakedriz.geometry import mean_direction, sky_to_plane

#: Normal form: column, unit, dtype, and the names (lower case) under which catalogues carry it, best first.
COLUMNS: tuple[tuple[str, str, type, tuple[str, ...]], ...] = (
    ("RA", "deg", float, ("ra", "ra_icrs", "raj2000", "ra_deg", "_ra", "ramean")),
    ("DEC", "deg", float, ("dec", "de_icrs", "dej2000", "dec_deg", "_de", "decl", "decmean")),
    ("mag", "mag", float,
     ("mag", "phot_g_mean_mag", "gmag", "g_mag", "magnitude", "hstmag", "j_m", "jmag", "rmeanpsfmag")),
    ("ra_error", "mas", float, ("ra_error", "e_ra_icrs", "raerr", "e_ra", "rameanerr", "ra_err")),
    ("dec_error", "mas", float, ("dec_error", "e_de_icrs", "decerr", "e_dec", "decmeanerr", "dec_err")),
    ("pmra", "mas/yr", float, ("pmra", "rapm", "pm_ra", "pmra_cosdec")),
    ("pmdec", "mas/yr", float, ("pmdec", "decpm", "pm_dec", "pmde")),
    ("pmra_error", "mas/yr", float, ("pmra_error", "e_pmra", "rapmerr")),
    ("pmdec_error", "mas/yr", float, ("pmdec_error", "e_pmde", "e_pmdec", "decpmerr")),
    ("epoch", "yr", float, ("epoch", "ref_epoch", "epochmean", "jdate")),
    ("objID", "", str, ("objid", "source_id", "designation", "gaiaid", "id", "name")),
)  # fmt: skip
#: Columns that are kept where a catalogue has them, in the same form.
OPTIONAL: tuple[tuple[str, str, type, tuple[str, ...]], ...] = (
    ("parallax", "mas", float, ("parallax", "plx")),
    ("parallax_error", "mas", float, ("parallax_error", "e_plx")),
    ("ra_dec_corr", "", float, ("ra_dec_corr", "radecor")),
    ("ra_parallax_corr", "", float, ("ra_parallax_corr", "raplxcor")),
    ("dec_parallax_corr", "", float, ("dec_parallax_corr", "deplxcor")),
    ("parallax_pmra_corr", "", float, ("parallax_pmra_corr", "plxpmracor")),
    ("parallax_pmdec_corr", "", float, ("parallax_pmdec_corr", "plxpmdecor")),
    ("ra_pmra_corr", "", float, ("ra_pmra_corr", "rapmracor")),
    ("ra_pmdec_corr", "", float, ("ra_pmdec_corr", "rapmdecor")),
    ("dec_pmra_corr", "", float, ("dec_pmra_corr", "depmracor")),
    ("dec_pmdec_corr", "", float, ("dec_pmdec_corr", "depmdecor")),
    ("pmra_pmdec_corr", "", float, ("pmra_pmdec_corr", "pmrapmdecor")),
    ("ruwe", "", float, ("ruwe",)),
    ("excess_noise", "mas", float, ("excess_noise", "astrometric_excess_noise", "epsi")),
    ("excess_noise_sig", "", float, ("excess_noise_sig", "astrometric_excess_noise_sig", "sepsi")),
)
#: What a table may say of its epoch beside the rows, lower case. Not ``epoch``: in FITS that is an old name of EQUINOX.
_SAYS_EPOCH = ("ref_epoch", "refepoch")
#: Names of columns of positions for which services compute the epoch 2000.0 where the catalogue has another one.
_COMPUTED = ("raj2000", "dej2000")
#: A parallax counts above this many times its error.
PARALLAX_SNR = 5.0
__all__ = ["COLUMNS", "DEFAULT_ERROR_MAS", "OPTIONAL", "PM_SCATTER_MAS_YR", "at_epoch", "cut_to_footprint",
           "load_catalog", "normalise", "with_motion"]  # fmt: skip
UNREADABLE = "check that the file is whole, or save the catalogue as ECSV"
_FORMATS = {
    ".ecsv": "ascii.ecsv", ".fits": "fits", ".fit": "fits", ".csv": "ascii.csv", ".tsv": "ascii.tab",
    ".tbl": "ascii.ipac", ".mrt": "ascii.mrt", ".xml": "votable", ".vot": "votable", ".votable": "votable",
}  # fmt: skip


def _column(table: Table, names: dict[str, str], aliases: Sequence[str], kind: type, unit: str) -> ArrayLike | None:
    for alias in aliases:
        if alias not in names:
            continue
        column = table[names[alias]]
        if kind is str:
            return np.array([str(value) for value in column], dtype=str)
        values = np.ma.filled(np.ma.asarray(column).astype(float), np.nan)
        have = getattr(column, "unit", None)
        if have is not None and unit:
            import astropy.units as u

            wanted = u.Unit(unit)
            stated = u.Unit(str(have), parse_strict="silent")
            # Text that is no unit, or another kind of unit ("'dex'(mag)"), says nothing: the number stands as it is.
            if stated != wanted and stated.is_equivalent(wanted):
                values = values * stated.to(wanted)
        return values
    return None


def load_catalog(file: str | Path, name: str, box: parquet.Box | None = None, epoch: float | None = None) -> Table:
    """Read a reference catalogue into the normal form.

    Parameters
    ----------
    file : path
        By suffix ECSV, FITS, CSV, VOTable, tab-separated, IPAC or AAS (`_FORMATS`), Parquet or a folder of Parquet
        partitions (`parquet`). Needs right ascension and declination (ICRS, deg); other columns are optional. Column
        names are compared without regard to case, and common aliases are known (`COLUMNS`). A unit that a column states
        is converted, else it is that of `COLUMNS`.
    name : str
        What the catalogue is called, as in WCSNAME.
    box : Box, optional
        What is needed of it: Parquet is read no further.
    epoch : float, optional
        Julian year of the positions of rows without one of their own.

    Returns
    -------
    `~astropy.table.Table`
        RA, DEC (deg), mag, ra_error, dec_error (mas; that of RA times cos DEC), pmra (times cos DEC), pmdec,
        pmra_error, pmdec_error (mas/yr), epoch (Julian year), objID; NaN where the catalogue gives nothing. Columns of
        `OPTIONAL` (parallax, correlations, RUWE, excess noise) where the catalogue has them. Rows without a finite
        position are left out; `meta` has name, file, rows, dropped, and `epoch_from` where rows took their epoch from
        elsewhere than a column (see `normalise`).

    Raises
    ------
    SnakedrizError
        If the file is missing, unreadable, of unknown type, or has no position columns.
    """
    path = Path(file)
    partitions = path.is_dir() or path.suffix.lower() in parquet.SUFFIXES
    if path.suffix.lower() not in _FORMATS and not partitions:
        known = ", ".join(sorted([*_FORMATS, *parquet.SUFFIXES]))
        raise SnakedrizError(
            f"{path}: unknown type of catalogue; expected one of {known}, or a folder of Parquet files",
            "save the catalogue as ECSV",
        )
    if not path.exists():
        raise SnakedrizError(
            f"{path}: the reference catalogue {name} is not there", "put it there or correct `catalogs:`"
        )
    if partitions:
        try:
            return normalise(parquet.read(path, (COLUMNS[0][3], COLUMNS[1][3]), box), name, str(path), epoch)
        except (OSError, ValueError) as error:
            if isinstance(error, SnakedrizError):
                raise
            raise SnakedrizError(f"{path}: cannot be read as Parquet: {error}", UNREADABLE) from error
    try:
        table = Table.read(path, format=_FORMATS[path.suffix.lower()])
    except Exception as error:  # readers raise almost anything on malformed files
        raise SnakedrizError(
            f"{path}: cannot be read as {_FORMATS[path.suffix.lower()]}: {error}", UNREADABLE
        ) from error
    return normalise(table, name, str(path), epoch)


def normalise(table: Table, name: str, source: str, epoch: float | None = None) -> Table:
    """Bring a catalogue into the normal form, as `load_catalog` describes it.

    Rows without an epoch of their own take `epoch`; else what the table says beside its rows (`ref_epoch`); else that
    of a well-known catalogue of this name (`known_epochs`), unless its positions are called J2000, which services also
    compute for catalogues of another epoch.

    Parameters
    ----------
    table : `~astropy.table.Table`
        As the catalogue gives it. An epoch above 3000 is a Modified Julian Date, above 2,400,000 a Julian Date.
    name : str
        What the catalogue is called.
    source : str
        File or service, for errors and `meta`.
    epoch : float, optional
        As in `load_catalog`.

    Raises
    ------
    SnakedrizError
        If it has no position columns, or text where numbers should be.
    """
    names: dict[str, str] = {}
    for column in table.colnames:
        names.setdefault(column.lower(), column)
    out = Table(meta={"name": name, "file": source})
    for key in ("field", "service", "query", "parts"):  # what a fetched catalogue was asked for, and of whom
        if key in table.meta:
            out.meta[key] = table.meta[key]
    for column, unit, kind, aliases in (*COLUMNS, *OPTIONAL):
        try:
            values = _column(table, names, aliases, kind, unit)
        except (TypeError, ValueError) as error:
            raise SnakedrizError(
                f"{source}: column for {column} does not hold numbers: {error}", "correct or remove the column"
            ) from error
        if values is None and column in ("RA", "DEC"):
            raise SnakedrizError(
                f"{source}: has no column for {column}; found {', '.join(table.colnames)}; "
                f"wanted one of {', '.join(aliases)}",
                "rename the column",
            )
        if values is None:
            if any(column == optional[0] for optional in OPTIONAL):
                continue
            values = np.arange(len(table)).astype(str) if kind is str else np.full(len(table), np.nan)
        out[column] = _julian_years(np.asarray(values, dtype=float)) if column == "epoch" else values
        if unit:
            out[column].unit = unit
    _settle_epoch(out, table, names, epoch)
    good = np.isfinite(out["RA"]) & np.isfinite(out["DEC"]) & (np.abs(out["DEC"]) <= 90)
    out.meta.update(rows=len(out), dropped=int((~good).sum()))
    return out[good]


def _julian_years(epoch: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return epochs as Julian years, 2000 + (MJD - 51544.5) / 365.25; PS1 gives them as MJD, 2MASS as JD."""
    mjd = np.where(epoch > 2.4e6, epoch - 2400000.5, epoch)
    return np.where(epoch > 3000, 2000.0 + (mjd - 51544.5) / 365.25, epoch)


def _settle_epoch(out: Table, table: Table, names: dict[str, str], epoch: float | None) -> None:
    """Give rows without an epoch the one that holds for all, if it is known; `meta` says whence."""
    missing = ~np.isfinite(out["epoch"])
    if not missing.any():
        return
    used = next(alias for alias in COLUMNS[0][3] if alias in names)
    by_name = known_epoch(str(out.meta["name"]))
    if used in _COMPUTED and by_name != 2000.0:
        by_name = None
    said = next((value for key, value in table.meta.items() if str(key).lower() in _SAYS_EPOCH), None)
    for value, whence in ((epoch, "configuration"), (_number(said), "table"), (by_name, "name")):
        if value is not None:
            out["epoch"][missing] = _julian_years(np.array([value]))[0]
            out.meta["epoch_from"] = whence
            return


def _number(value: object) -> float | None:
    """Return what a table says as a number, None if it is none."""
    try:
        found = float(str(value).strip().lstrip("Jj"))
    except ValueError:
        return None
    return found if np.isfinite(found) else None


def at_epoch(table: Table, epoch_jyear: float, pm_policy: str = "keep", parallax: bool = False) -> Table:
    """Move a catalogue to the epoch of an observation.

    Positions move by `SkyCoord.apply_space_motion` (rigorous on the sphere); their errors are those of the full
    covariance of position, parallax and proper motion (`covariance`), widened by RUWE and excess noise.

    Parameters
    ----------
    table : `~astropy.table.Table`
        From `load_catalog`. Positions of rows with neither an epoch nor a proper motion are taken to hold at the
        observation, as for a catalogue that was made from it: how much to add is not known. `meta` counts them.
    epoch_jyear : float
        Epoch of the observation (Julian year).
    pm_policy : {"keep", "drop"}
        Rows without a proper motion: keep where they are, with an error enlarged by `PM_SCATTER_MAS_YR` times the years
        to the epoch; or drop, where any row has a proper motion at all.
    parallax : bool
        Whether to add the parallactic shift as seen from the Earth (HST's 7000 km orbit changes it by less than 5e-5 of
        the parallax), for rows with a parallax above `PARALLAX_SNR` times its error. Parallaxes that are not applied
        enlarge the errors.

    Returns
    -------
    `~astropy.table.Table`
        As `table`, with RA, DEC, epoch, errors (ra_error, dec_error: mas) and their correlation (ra_dec_corr) at
        `epoch_jyear`, and the column `sigma` (mas), the error per axis: the root mean square of the two axes'. Columns
        that hold at the catalogue's epoch only (other correlations, RUWE, excess noise) are left out. `meta`: epoch,
        moved, with_parallax, widened, without_pm, without_epoch, without_error.

    Raises
    ------
    SnakedrizError
        For an unknown policy, an epoch that is not finite, or rows with a proper motion whose epoch is not known.
    """
    _check(table, epoch_jyear, pm_policy)
    out = table.copy()
    known = np.isfinite(np.asarray(table["epoch"], dtype=float))
    years = np.where(known, epoch_jyear - np.asarray(table["epoch"], dtype=float), 0.0)
    has_pm = with_motion(table)
    moved = _add_motion(out, years, has_pm, epoch_jyear)
    earth = _earth(epoch_jyear)
    near = _near(table) if parallax else np.zeros(len(table), dtype=bool)
    if near.any():
        _add_parallax(out, near, earth)
    without_error = ~(np.isfinite(table["ra_error"]) & np.isfinite(table["dec_error"]))
    found = covariance.of_positions(table, years, _factors(table, earth), near)
    out["ra_error"], out["dec_error"], out["ra_dec_corr"] = covariance.errors_and_correlation(found)
    out["sigma"] = np.sqrt((np.asarray(out["ra_error"]) ** 2 + np.asarray(out["dec_error"]) ** 2) / 2)
    for name in ("ra_error", "dec_error", "sigma"):
        out[name].unit = "mas"
    stale = {*covariance.CORRELATIONS.values(), "ruwe", "excess_noise", "excess_noise_sig"} - {"ra_dec_corr"}
    out.remove_columns([name for name in out.colnames if name in stale])
    out["epoch"] = np.where(known, epoch_jyear, np.nan)
    out.meta.update(
        epoch=float(epoch_jyear),
        pm_policy=pm_policy,
        moved=moved,
        with_parallax=int(near.sum()),
        widened=int(covariance.widened(table).sum()),
        without_pm=int((~has_pm).sum()),
        without_epoch=int((~known).sum()),
        without_error=int(without_error.sum()),
    )
    return out[has_pm] if pm_policy == "drop" and has_pm.any() else out


def _check(table: Table, epoch_jyear: float, pm_policy: str) -> None:
    """Refuse what `at_epoch` cannot do."""
    if pm_policy not in ("keep", "drop"):
        raise SnakedrizError(f'pm_policy must be "keep" or "drop", not {pm_policy!r}', "correct `without_pm`")
    if not np.isfinite(epoch_jyear):
        raise SnakedrizError(
            f"the epoch of the observation must be a Julian year, not {epoch_jyear}",
            "check EXPSTART and EXPEND of the exposures",
        )
    name = table.meta.get("name", "...")
    timeless = with_motion(table) & ~np.isfinite(np.asarray(table["epoch"], dtype=float))
    if timeless.any():
        raise SnakedrizError(
            f"{table.meta.get('file', 'the reference catalogue')}: {int(timeless.sum())} of {len(table)} rows have a "
            "proper motion but no epoch that their positions hold at",
            f"give it with the catalogue (`catalogs: [{{name: {name}, ..., epoch: 2016.0}}]`), "
            "or add a column `ref_epoch` (Julian year) to the table",
        )


def _add_motion(table: Table, years: NDArray[np.float64], has_pm: NDArray[np.bool_], epoch_jyear: float) -> int:
    """Move rows by their proper motion, in place; returns how many moved."""
    import astropy.units as u
    from astropy.coordinates import SkyCoord
    from astropy.time import Time

    move = np.flatnonzero(has_pm & (years != 0))
    if len(move):
        start = SkyCoord(
            np.asarray(table["RA"][move]) * u.deg,
            np.asarray(table["DEC"][move]) * u.deg,
            pm_ra_cosdec=np.asarray(table["pmra"], dtype=float)[move] * u.mas / u.yr,
            pm_dec=np.asarray(table["pmdec"], dtype=float)[move] * u.mas / u.yr,
            # Any distance does: there is no radial motion, and 100 pc keeps the fastest star far below c.
            distance=np.full(len(move), 100.0) * u.pc,
            obstime=Time(epoch_jyear - years[move], format="jyear", scale="tcb"),
        )
        end = start.apply_space_motion(new_obstime=Time(epoch_jyear, format="jyear", scale="tcb"))
        table["RA"][move], table["DEC"][move] = end.ra.deg, end.dec.deg
    return len(move)


def with_motion(table: Table) -> NDArray[np.bool_]:
    """Whether rows of a catalogue in normal form have a proper motion."""
    return np.isfinite(np.asarray(table["pmra"], dtype=float)) & np.isfinite(np.asarray(table["pmdec"], dtype=float))


def _near(table: Table) -> NDArray[np.bool_]:
    """Whether rows have a parallax that counts."""
    value, error = (covariance.column(table, name) for name in ("parallax", "parallax_error"))
    return np.isfinite(value) & (value > 0) & (value > PARALLAX_SNR * np.nan_to_num(error))


def _earth(epoch_jyear: float) -> NDArray[np.float64]:
    """Barycentric place of the Earth (au), shape (3,)."""
    from astropy.coordinates import get_body_barycentric
    from astropy.time import Time

    place = get_body_barycentric("earth", Time(epoch_jyear, format="jyear", scale="tdb"), ephemeris="builtin")
    return np.asarray(place.xyz.to_value("au"), dtype=float)


def _factors(table: Table, earth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Parallax factors, shape (n, 2): the shift to the east and to the north for a parallax of 1."""
    ra, dec = np.radians(np.asarray(table["RA"], dtype=float)), np.radians(np.asarray(table["DEC"], dtype=float))
    x, y, z = earth
    return np.column_stack([
        x * np.sin(ra) - y * np.cos(ra), (x * np.cos(ra) + y * np.sin(ra)) * np.sin(dec) - z * np.cos(dec)
    ])  # fmt: skip


def _add_parallax(table: Table, rows: NDArray[np.bool_], earth: NDArray[np.float64]) -> None:
    """Shift rows by their parallax, in place."""
    ra, dec = np.radians(np.asarray(table["RA"][rows])), np.radians(np.asarray(table["DEC"][rows]))
    star = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    # the star at 1/parallax, seen from the Earth: u - p b, with p in rad and b in au
    x, y, z = star - np.radians(np.asarray(table["parallax"], dtype=float)[rows] / 3.6e6) * earth[:, None]
    table["RA"][rows] = np.degrees(np.arctan2(y, x)) % 360
    table["DEC"][rows] = np.degrees(np.arctan2(z, np.hypot(x, y)))


def cut_to_footprint(
    table: Table,
    polygons: Sequence[ArrayLike] | NDArray[np.float64],
    margin_arcsec: float | NDArray[np.float64] = 0.0,
) -> Table:
    """Cut a catalogue to the field of some chips and sort it, brightest first.

    Parameters
    ----------
    table : `~astropy.table.Table`
        With RA, DEC (deg), mag.
    polygons : sequence of arrays, shape (n, 2), n >= 3
        Convex outlines on the sky (RA, DEC in deg), for example the corners of each chip; order does not matter.
    margin_arcsec : float, or array with a value for each row
        Rows this far outside an outline are kept.

    Returns
    -------
    `~astropy.table.Table`
        Rows inside at least one outline; by mag, then RA, DEC; rows without magnitude last. `meta["in_field"]`: number.

    Raises
    ------
    SnakedrizError
        If there is no outline, or one has fewer than three corners.
    """
    from scipy.spatial import ConvexHull

    if len(polygons) == 0:
        raise SnakedrizError("no outline to cut the reference catalogue to: no chip has a WCS", "check the exposures")
    ra, dec = np.asarray(table["RA"], dtype=float), np.asarray(table["DEC"], dtype=float)
    inside = np.zeros(len(table), dtype=bool)
    for polygon in polygons:
        corners = np.asarray(polygon, dtype=float)
        if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3:
            raise SnakedrizError(
                f"an outline needs at least three corners (RA, DEC), not an array of {corners.shape}",
                "check the sizes of the exposures' chips",
            )
        centre = mean_direction(corners)
        x, y, front = sky_to_plane(ra, dec, *centre)
        cx, cy, _ = sky_to_plane(corners[:, 0], corners[:, 1], *centre)
        hull = ConvexHull(np.column_stack([cx, cy]))
        # Facets are a x + b y + c <= 0 inside, with unit normals: c is a distance in the plane's unit, deg.
        distance = np.max(
            hull.equations[:, 0, None] * x + hull.equations[:, 1, None] * y + hull.equations[:, 2, None], axis=0
        )
        inside |= front & (distance <= np.asarray(margin_arcsec) / 3600.0)
    out = table[inside]
    order = np.lexsort((out["DEC"], out["RA"], np.nan_to_num(np.asarray(out["mag"], dtype=float), nan=np.inf)))
    out = out[order]
    out.meta["in_field"] = len(out)
    return out
