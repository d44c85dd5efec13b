"""Final products: the promoted WCS in the headers, what it is called, and how good it is."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from stwcs.wcsutil.headerlet import Headerlet

from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.promotion import CandidateRow, Promotion
from snakedriz.drizzle import cr_masks
from snakedriz.errors import SnakedrizError
from snakedriz.exposures import field, skeleton
from snakedriz.files import whole
from snakedriz.fits_headers import wcsnames
from snakedriz.fits_headers.rootnames import ExposureKey
from snakedriz.promotion import data_used, error_summary
from snakedriz.wcs import headerlets

#: Cards of text, which name no file of the product.
_WORDS = ("HISTORY", "COMMENT", "")


def of_winner(promotion: Promotion, paths: Iterable[str]) -> Path:
    """Return the promoted candidate's file among those of all candidates, each in its folder ``<asn>_<candidate>/``.

    Raises
    ------
    SnakedrizError
        If nothing was promoted, or the winner's file is not among them.
    """
    association, winner = promotion.association, promotion.winner
    if winner is None:
        raise SnakedrizError(
            f"{association}: there is nothing to drizzle: {promotion.reason}",
            "see the checks of each candidate in promotion.json; `promotion: choose:` takes one all the same",
        )
    by_candidate = {Path(path).parent.name.removeprefix(f"{association}_"): Path(path) for path in paths}
    if winner not in by_candidate:
        raise SnakedrizError(
            f"{association}: promotion.json names {winner}, which is not among the candidates {sorted(by_candidate)}",
            "delete promotion.json and run again",
        )
    return by_candidate[winner]


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


def promoted(promotion: Promotion) -> CandidateRow:
    """Return the winner's row of promotion.json."""
    return next(row for row in promotion.candidates if row.candidate == promotion.winner)


@dataclass(frozen=True)
class FinalInput:
    """What a final exposure is made of.

    Attributes
    ----------
    key : ExposureKey
    bundle : Path
        The winner's skeletons.
    source : Path
        The input file.
    crmask : Path
        The winner's CR masks. FLC and FLT are the same pixels of the detector: those of one are those of the other.
    """

    key: ExposureKey
    bundle: Path
    source: Path
    crmask: Path


def write_exposure(
    given: FinalInput, inventory: Inventory, promotion: Promotion, exposure_out: str | Path, headerlet_out: str | Path
) -> None:
    """Write one final exposure and its headerlet.

    The errors of the promoted WCS go into the primary header. An exposure that is not used is copied with the WCS it
    came with; its headerlet says so by being that WCS.
    """
    record = next(one for one in inventory.exposures if one.rootname == given.key.rootname)
    if record.used:
        _write_used(given, promotion, exposure_out, headerlet_out)
    else:
        _write_unused(given, record.reason, exposure_out, headerlet_out)


def _write_used(given: FinalInput, promotion: Promotion, exposure_out: str | Path, headerlet_out: str | Path) -> None:
    found = skeleton.read_bundle(given.bundle, [given.key])[given.key]
    chips = skeleton.science_extensions(found)
    found[0].header["DRIZCORR"] = "COMPLETE"
    _add_cards(found[0].header, promotion)
    for chip in chips:
        header = found["SCI", chip].header
        header["S_REGION"] = sky_region(field.chip_outline(found, chip))
        for key in _alternates(header):
            header[f"WCSTYPE{key}"] = wcs_type(str(header.get(f"WCSNAME{key}", "")))
    wcsname = str(found["SCI", chips[0]].header["WCSNAME"]).strip()
    hdrname = headerlets.unique_hdrname(*given.key, wcsname)
    headerlet = headerlets.make(found, hdrname, descrip=wcs_type(wcsname))
    for chip in chips:
        found["SCI", chip].header["HDRNAME"] = hdrname
    headerlets.attach(found, [headerlet])
    _write_headerlet(headerlet, headerlet_out)
    flags = cr_masks.read_bundle(given.crmask).get(given.key.rootname)
    with whole(exposure_out) as temporary:
        skeleton.join(found, given.source, temporary, dq=cr_masks.into_dq(flags))


def _write_unused(given: FinalInput, reason: str, exposure_out: str | Path, headerlet_out: str | Path) -> None:
    found = skeleton.from_exposure(given.source)
    found[0].header["HISTORY"] = f"snakedriz: not used, {reason}"
    with whole(exposure_out) as temporary:
        skeleton.join(found, given.source, temporary)
    first = found["SCI", skeleton.science_extensions(found)[0]].header
    wcsname = str(first.get("WCSNAME", "")).strip() or "OPUS"
    for chip in skeleton.science_extensions(found):
        found["SCI", chip].header["WCSNAME"] = wcsname
    hdrname = headerlets.unique_hdrname(*given.key, wcsname)
    _write_headerlet(headerlets.make(found, hdrname, descrip=f"not used: {reason}"), headerlet_out)


def _write_headerlet(headerlet: Headerlet, path: str | Path) -> None:
    with whole(path) as temporary:
        headerlet.writeto(temporary, output_verify="silentfix")


def _add_cards(header: fits.Header, promotion: Promotion) -> None:
    """Add to a primary header how good the promoted solution is, and what it was made with."""
    for keyword, value, comment in (
        *error_summary.header_cards(promoted(promotion)),
        *data_used.header_cards(promotion),
    ):
        header[keyword] = (value, comment)


def product_finisher(promotion: Promotion, inventory: Inventory) -> Callable[[fits.HDUList], None]:
    """Return what writes the promoted solution's facts into the headers of a candidate's product."""

    def finish(product: fits.HDUList) -> None:
        from astropy.wcs import WCS

        primary, science = product[0].header, product["SCI"].header
        primary["DRIZCORR"] = "COMPLETE"
        primary["ASN_ID"] = promotion.association.upper()
        primary["SDWINNER"] = (promotion.winner, "snakedriz: promoted candidate")
        primary["SDVERIFD"] = (promoted(promotion).verified, "snakedriz: verdict of the policy")
        primary["SDPOLICY"] = (promotion.policy, "snakedriz: promotion policy")
        primary["SDVERS"] = (inventory.software["snakedriz"], "snakedriz: version")
        _add_cards(primary, promotion)
        wcsname = promotion.wcsname or ""
        science["WCSNAME"] = wcsname
        science["WCSTYPE"] = wcs_type(wcsname)
        sky = WCS(science).calc_footprint(axes=(science["NAXIS1"], science["NAXIS2"]))
        science["S_REGION"] = sky_region(sky)

    return finish


def product_of(crmask: Path) -> Path:
    """Return the product that was drizzled with CR masks: ``<name>_drc.fits`` of ``<name>_drc_crmask.fits``."""
    return crmask.with_name(crmask.name.replace("_crmask.fits", ".fits"))


def deliver(judged: str | Path, path: str | Path, finish: Callable[[fits.HDUList], None]) -> None:
    """Write the final product: the promoted candidate's product as it was judged, with the final headers.

    Parameters
    ----------
    judged : path
        The candidate's product.
    path : path
        The final product.
    finish : callable
        From `product_finisher`.
    """
    judged, path = Path(judged), Path(path)
    with whole(path) as temporary:
        shutil.copyfile(judged, temporary)
        with fits.open(temporary, mode="update", memmap=True) as product:
            rename(product, judged.name, path.name)
            finish(product)


def rename(product: fits.HDUList, old: str, new: str) -> None:
    """Replace in a product's headers its file name, and what begins with it (``_wht``, ``_ctx``)."""
    before, after = Path(old).stem, Path(new).stem
    for hdu in product:
        for card in hdu.header.cards:
            if isinstance(card.value, str) and card.value.startswith(before) and card.keyword not in _WORDS:
                hdu.header[card.keyword] = after + card.value[len(before) :]
