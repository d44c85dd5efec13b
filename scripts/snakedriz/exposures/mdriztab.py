"""AstroDrizzle parameters: an MDRIZTAB or the fall-back settings, then the pipeline's rules and the user's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snakedriz.artefacts.inventory import DrizzleParameters, Origin
from snakedriz.errors import SnakedrizError

if TYPE_CHECKING:
    from astropy.io import fits


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Parameters that AstroDrizzle 3.11 accepts (pars/astrodrizzle.cfgspc), all sections.
ACCEPTED = _names(
    """
    input output runfile wcskey proc_unit coeffs context group build crbit stepsize resetbits num_cores in_memory
    rules_file restore preserve overwrite clean
    static static_sig
    skysub skymethod skystat skywidth skylower skyupper skyclip skylsigma skyusigma skymask_cat use_static sky_bits
    skyfile skyuser
    driz_separate driz_sep_kernel driz_sep_wt_scl driz_sep_pixfrac driz_sep_fillval driz_sep_bits driz_sep_compress
    driz_sep_wcs driz_sep_refimage driz_sep_rot driz_sep_scale driz_sep_outnx driz_sep_outny driz_sep_ra driz_sep_dec
    driz_sep_crpix1 driz_sep_crpix2
    median median_newmasks combine_maskpt combine_type combine_nsigma combine_nlow combine_nhigh combine_lthresh
    combine_hthresh combine_grow combine_bufsize
    blot blot_interp blot_sinscl blot_addsky blot_skyval
    driz_cr driz_cr_corr driz_cr_snr driz_cr_grow driz_cr_ctegrow driz_cr_scale
    driz_combine final_wht_type final_kernel final_wt_scl final_pixfrac final_fillval final_maskval final_bits
    final_units final_wcs final_refimage final_rot final_scale final_outnx final_outny final_ra final_dec final_crpix1
    final_crpix2
    gain gnkeyword rdnoise rnkeyword exptime expkeyword
    """
)
#: Parameters that the workflow decides, whatever a table says.
WORKFLOW = _names(
    """
    input output runfile wcskey context group build crbit resetbits num_cores in_memory rules_file restore preserve
    overwrite clean coeffs driz_sep_compress driz_separate driz_combine driz_cr_corr final_units
    """
)
#: Set for every run: what runastrodriz sets beside the table (drizzlepac/runastrodriz.py:146-154 and 592-596).
PIPELINE: dict[str, Any] = {"stepsize": 10, "driz_sep_kernel": "turbo", "driz_sep_fillval": 0.0}
#: Keywords of a product that say which parameters it was made with: those that people change.
KEYWORDS = {
    "driz_sep_bits": "SDSEPBIT", "combine_type": "SDCOMBIN", "driz_cr_snr": "SDCRSNR", "driz_cr_scale": "SDCRSCL",
    "final_bits": "SDFINBIT",
}  # fmt: skip
#: What makes up the product's pixel grid; the single drizzles are compared with the product and share it.
GRID = ("rot", "scale", "outnx", "outny", "ra", "dec", "crpix1", "crpix2")
#: Ratio of exposure times above which the median replaces the minimum (drizzlepac/runastrodriz.py:598-601).
EXPTIME_RATIO = 2.0
REMEDY = "fetch the table again, or have MDRIZTAB in the header of the first exposure name another (or N/A)"
_RENAMED = {"subsky": "skysub", "crbitval": "crbit", "readnoise": "rdnoise"}
_UNDEFINED_INT = -2147483647


def parameters(table_path: str | Path, filters: str, n_images: int) -> dict[str, Any]:
    """Read the AstroDrizzle parameters of an MDRIZTAB.

    Rows whose FILTER is `filters` count, or, where there is none, those for ``ANY``; of these the last one whose
    NUMIMAGES is not above `n_images`. Values are cleaned as `drizzlepac.mdzhandler` does (which see), with two
    differences: columns that AstroDrizzle does not know are dropped, and where no row is for so few images the first
    row of the filter is taken and not the first of the table.

    Parameters
    ----------
    table_path : str or Path
        The table.
    filters : str
        Comma-separated filter names of the exposures, as `facts.read` gives them.
    n_images : int
        Number of exposures.

    Raises
    ------
    SnakedrizError
        If the file is not an MDRIZTAB or has no row for the filter.
    """
    from astropy.io import fits  # here: planning jobs needs no astropy, 0.3 s

    try:
        with fits.open(table_path, memmap=False) as hdul:
            table = hdul[1].data
            names = [name.lower() for name in table.columns.names]
            if "filter" not in names or "numimages" not in names:
                raise SnakedrizError(
                    f"{table_path}: not an MDRIZTAB: it has no column FILTER or no column NUMIMAGES", REMEDY
                )
            row = table[_choose(table_path, table, filters, n_images)]
            values = {name: row.field(name) for name in table.columns.names}
    except (OSError, IndexError, AttributeError, TypeError) as error:
        raise SnakedrizError(f"{table_path}: cannot be read as an MDRIZTAB: {error}", REMEDY) from error
    return _interpret({name.lower(): value for name, value in values.items()})


def _choose(path: str | Path, table: Any, filters: str, n_images: int) -> int:
    wanted = [str(value).strip() for value in table["filter"]]
    rows = [n for n, name in enumerate(wanted) if name == filters] or [
        n for n, name in enumerate(wanted) if name == "ANY"
    ]
    if not rows:
        raise SnakedrizError(
            f"{path}: no row for the filters {filters} and none for ANY (FILTER has {sorted(set(wanted))})", REMEDY
        )
    return [rows[0], *(n for n in rows if table["numimages"][n] <= n_images)][-1]


def _interpret(values: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name in ("filter", "numimages", "shiftfile", "mdriztab", "staticfile"):
            continue
        targets = [_RENAMED.get(name, name)]
        if name in ("refimage", "bits", "ra", "dec"):  # one column for both drizzle steps
            targets = [f"driz_sep_{name}", f"final_{name}"]
        for target in targets:
            if target in ACCEPTED:
                found[target] = _clean(target, value)
    return found


def _clean(name: str, value: Any) -> Any:
    """Return a cell as a plain Python value; undefined numbers (NaN, the lowest integer) are None."""
    if name in ("driz_sep_bits", "final_bits"):
        return str(value).strip()
    if name == "coeffs":
        return value not in ("INDEF", None, "None", "", " ")
    if isinstance(value, str):
        return value if value.strip() else ""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return None if value == _UNDEFINED_INT else int(value)
    return None if np.isnan(value) else float(value)


def fallback(numbers: Mapping[str, Any], n_images: int) -> dict[str, Any]:
    """Return the parameters for a detector whose MDRIZTAB is not to be had.

    Parameters
    ----------
    numbers : mapping
        The `drizzle` block of `settings.detector_settings`: `common` parameters, and `images`, blocks of parameters by
        the number of images from which on they hold (as text), laid over one another in ascending order.
    n_images : int
        Number of exposures.
    """
    found = dict(numbers.get("common") or {})
    blocks = numbers.get("images") or {}
    for lowest in sorted(blocks, key=int):
        if int(lowest) <= n_images:
            found |= blocks[lowest]
    return found


def assemble(
    base: Mapping[str, Any], table: str | None, exptimes: Sequence[float], overrides: Mapping[str, Any]
) -> DrizzleParameters:
    """Lay the pipeline's rules and the user's words over the parameters of a table.

    Parameters
    ----------
    base : mapping
        From `parameters` or `fallback`.
    table : str or None
        Path of the MDRIZTAB they are from; None for the fall-back.
    exptimes : sequence of float
        Exposure times of the exposures used, s.
    overrides : mapping
        `drizzle` of the configuration. What sets the product's pixel grid (`final_scale` and the like) also sets that
        of the single drizzles, which are compared with it.

    Returns
    -------
    DrizzleParameters
        In the order of their names, with the origin of each.
    """
    layers: list[tuple[Origin, dict[str, Any]]] = [
        ("mdriztab" if table else "fallback", dict(base)),
        ("pipeline", PIPELINE),
    ]
    if len(exptimes) > 1 and max(exptimes) > EXPTIME_RATIO * min(exptimes):
        layers.append(("exposure-time ratio", {"combine_type": "median", "combine_nhigh": 0}))
    said = dict(overrides)
    grid = {name: said[f"final_{name}"] for name in GRID if said.get(f"final_{name}") is not None}
    if grid:
        said |= {f"driz_sep_{name}": value for name, value in grid.items()}
        said |= {"final_wcs": True, "driz_sep_wcs": True}
    for name in ("final_bits", "driz_sep_bits", "sky_bits"):
        if name in said:
            said[name] = str(said[name])
    layers.append(("config", said))
    values: dict[str, Any] = {}
    origin: dict[str, Origin] = {}
    for name, layer in layers:
        known = {key: value for key, value in layer.items() if key in ACCEPTED and key not in WORKFLOW}
        values |= known
        origin |= dict.fromkeys(known, name)
    return DrizzleParameters(
        parameters=dict(sorted(values.items())), origin=dict(sorted(origin.items())), mdriztab=table
    )


def record(header: fits.Header, drizzle: DrizzleParameters) -> None:
    """Write into a product's primary header what it was drizzled with.

    Parameters
    ----------
    header : `~astropy.io.fits.Header`
        Changed in place: a keyword for each of `KEYWORDS`, a HISTORY card for each parameter of the configuration.
    drizzle : DrizzleParameters
        Of the inventory.
    """
    values, origin = drizzle.parameters, drizzle.origin
    for name, keyword in KEYWORDS.items():
        if values.get(name) is not None:
            header[keyword] = (values[name], f"{name} ({origin[name]})")
    for name in (name for name, source in origin.items() if source == "config"):
        header["HISTORY"] = f"snakedriz: {name} = {values[name]} (configuration)"
