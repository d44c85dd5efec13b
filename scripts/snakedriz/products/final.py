"""Final products: the promoted WCS in the headers, what it is called, and how good it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from snakedriz.artefacts.inventory import Inventory
from snakedriz.drizzle import engine
from snakedriz.errors import SnakedrizError
from snakedriz.exposures import field, mdriztab, skeleton
from snakedriz.files import whole
from snakedriz.fits_headers import wcsnames
from snakedriz.fits_headers.rootnames import ExposureKey
from snakedriz.promotion import data_used, error_summary
from snakedriz.wcs import headerlets


def winner_bundle(promotion: Mapping[str, Any], bundles: Sequence[str]) -> str:
    """Return the bundle of the promoted candidate among those of all candidates.

    Raises
    ------
    SnakedrizError
        If nothing was promoted.
    """
    winner = promotion["winner"]
    if winner is None:
        raise SnakedrizError(f"{promotion['association']}: there is nothing to drizzle: {promotion['reason']}")
    return next(path for path in bundles if Path(path).parent.name == f"{promotion['association']}_{winner}")


def wcs_type(wcsname: str) -> str:
    """Say in words what kind of solution a WCSNAME is (keyword WCSTYPE); any text is accepted.

    The words follow the archive's products, so that their readers know them.
    """
    name = wcsnames.parse(wcsname)
    if not name.wcsname or name.wcsname.upper() == "OPUS" or not (name.idcroot or name.kind):
        return "not specified" if name.wcsname.upper() != "OPUS" else "undistorted pointing as commanded"
    if not name.kind:
        return "distortion model only"
    if not name.is_fit:
        return f"a priori solution based on {name.kind}"
    parts = name.kind.split("_", 2)
    how = {
        "REL": "relatively aligned to each other and then as a group",
        "IMG": "each exposure by itself",
        "SVM": "all exposures of the visit as one body",
        "MVM": "as part of a mosaic of visits",
    }.get(parts[1].upper() if len(parts) > 1 else "", "in a way its name does not tell")
    catalog = parts[2] if len(parts) > 2 else "an unnamed catalogue"
    return f"a posteriori solution fitted to {catalog}, {how}"


def sky_region(corners: np.ndarray) -> str:
    """Return an outline, shape (n, 2) in deg (ICRS), as an S_REGION string; the first corner is not repeated."""
    return "POLYGON ICRS " + " ".join(f"{value:.9f}" for value in np.asarray(corners).ravel())


def _alternates(header: fits.Header) -> list[str]:
    """Return the keys of the WCSs of a header: '' for the primary one, then letters."""
    return ["", *(key[7:] for key in header["WCSNAME?"] if len(key) == 8)]


def promoted(promotion: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the winner's row of promotion.json."""
    return next(c for c in promotion["candidates"] if c["candidate"] == promotion["winner"])


def write_exposure(
    owner: ExposureKey,
    bundle: str | Path,
    source: str | Path,
    crmask: str | Path,
    inventory: Mapping[str, Any],
    promotion: Mapping[str, Any],
    exposure_out: str | Path,
    headerlet_out: str | Path,
) -> None:
    """Write one final exposure and its headerlet.

    Parameters
    ----------
    owner : ExposureKey
    bundle, source, crmask : path
        The winner's skeletons, the input exposure, the CR masks of the final drizzle.
    inventory : mapping
        inventory.json; an exposure that is not used is copied with its WCS as it came and no headerlet of ours.
    promotion : mapping
        promotion.json: the errors of the promoted WCS go into the primary header.
    exposure_out, headerlet_out : path
        What to write.
    """
    root, kind = owner
    used = any(e["used"] for e in inventory["exposures"] if e["rootname"] == root)
    if not used:
        _write_unused(owner, source, inventory, exposure_out, headerlet_out)
        return
    found = skeleton.read_bundle(bundle, [owner])[owner]
    chips = skeleton.science_extensions(found)
    found[0].header["DRIZCORR"] = "COMPLETE"
    for keyword, value, comment in (
        *error_summary.header_cards(promoted(promotion)),
        *data_used.header_cards(promotion),
    ):
        found[0].header[keyword] = (value, comment)
    for chip in chips:
        header = found["SCI", chip].header
        header["S_REGION"] = sky_region(field.chip_outline(found, chip))
        for key in _alternates(header):
            header[f"WCSTYPE{key}"] = wcs_type(str(header.get(f"WCSNAME{key}", "")))
    wcsname = str(found["SCI", chips[0]].header["WCSNAME"]).strip()
    hdrname = headerlets.unique_hdrname(root, kind, wcsname)
    headerlet = headerlets.make(found, hdrname, descrip=wcs_type(wcsname))
    for chip in chips:
        found["SCI", chip].header["HDRNAME"] = hdrname
    headerlets.attach(found, [headerlet])
    with whole(headerlet_out) as temporary:
        headerlet.writeto(temporary, output_verify="silentfix")
    flags = engine.read_crmask(crmask).get(root)
    with whole(exposure_out) as temporary:
        skeleton.join(found, source, temporary, dq=engine.with_cr_flags(flags))


def _write_unused(
    owner: ExposureKey,
    source: str | Path,
    inventory: Mapping[str, Any],
    exposure_out: str | Path,
    headerlet_out: str | Path,
) -> None:
    """An exposure that was left out keeps the WCS it came with; its headerlet says so by being that WCS."""
    root, kind = owner
    found = skeleton.from_exposure(source)
    reason = next(e["reason"] for e in inventory["exposures"] if e["rootname"] == root)
    found[0].header["HISTORY"] = f"snakedriz: not used, {reason}"
    with whole(exposure_out) as temporary:
        skeleton.join(found, source, temporary)
    first = found["SCI", skeleton.science_extensions(found)[0]].header
    wcsname = str(first.get("WCSNAME", "")).strip() or "OPUS"
    for chip in skeleton.science_extensions(found):
        found["SCI", chip].header["WCSNAME"] = wcsname
    headerlet = headerlets.make(found, headerlets.unique_hdrname(root, kind, wcsname), descrip=f"not used: {reason}")
    with whole(headerlet_out) as temporary:
        headerlet.writeto(temporary, output_verify="silentfix")


def product_finisher(promotion: Mapping[str, Any], inventory: Inventory) -> Callable[[fits.HDUList], None]:
    """Return what writes the promoted solution's facts into a product's headers."""
    chosen = promoted(promotion)

    def finish(product: fits.HDUList) -> None:
        from astropy.wcs import WCS

        primary, science = product[0].header, product["SCI"].header
        primary["DRIZCORR"] = "COMPLETE"
        primary["ASN_ID"] = promotion["association"].upper()
        primary["SDWINNER"] = (promotion["winner"], "snakedriz: promoted candidate")
        primary["SDVERIFD"] = (bool(chosen["verified"]), "snakedriz: verdict of the policy")
        primary["SDPOLICY"] = (promotion["policy"], "snakedriz: promotion policy")
        primary["SDVERS"] = (inventory["software"]["snakedriz"], "snakedriz: version")
        mdriztab.record(primary, inventory["drizzle"])
        for keyword, value, comment in (*error_summary.header_cards(chosen), *data_used.header_cards(promotion)):
            primary[keyword] = (value, comment)
        science["WCSNAME"] = promotion["wcsname"]
        science["WCSTYPE"] = wcs_type(promotion["wcsname"])
        sky = WCS(science).calc_footprint(axes=(science["NAXIS1"], science["NAXIS2"]))
        science["S_REGION"] = sky_region(sky)

    return finish
