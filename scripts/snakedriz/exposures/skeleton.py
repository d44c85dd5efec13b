"""Exposures without their pixels: every header and WCS table of an exposure, in a few hundred kilobytes.

A WCS solution changes headers and adds small tables (D2IMARR, WCSDVARR, HDRLET, WCSCORR); it never changes a pixel.
So solutions are made and switched on skeletons, and pixels are joined to them once, when an exposure is written.
In memory, a skeleton's pixel extensions hold zero-memory broadcast zeros of the true shape, so that stwcs sees the
exposure it expects. On disk they have no data and carry the shape in NPIX1/NPIX2 (with PIXVALUE = 0), which is HST's
own convention for constant arrays. The skeletons of all exposures of one candidate share one FITS file, a bundle.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import numpy as np
from astropy.io import fits
from stwcs.wcsutil.headerlet import HeaderletHDU  # importing it registers HDRLET extensions with astropy.io.fits

from snakedriz.errors import SnakedrizError
from snakedriz.files import whole
from snakedriz.fits_headers.rootnames import ExposureKey

#: Extensions that hold pixels of the detector; every other extension of an exposure belongs to its WCS.
PIXEL_EXTENSIONS = ("SCI", "ERR", "DQ", "SAMP", "TIME", "SDQ")
_OWNER = "SDOWNER"  # which exposure of a bundle an HDU belongs to
#: Extension in which `snakedriz wcs` keeps what it changed in a file; it belongs to that very file.
JOURNAL = "SDWCSLOG"
_PRIMARY = "SDPRIM"  # EXTNAME under which a bundle keeps a primary header
#: Skeletons of several exposures.
Skeletons = dict[ExposureKey, fits.HDUList]


def extension_name(hdu: fits.hdu.base.ExtensionHDU) -> tuple[str, int]:
    """Return (EXTNAME, EXTVER) of an HDU, upper case, with EXTVER 1 where there is none."""
    return str(hdu.header.get("EXTNAME", "")).strip().upper(), int(hdu.header.get("EXTVER", 1))


def science_extensions(hdul: fits.HDUList) -> list[int]:
    """Return the EXTVER of every SCI extension, in the order of the file."""
    return [version for name, version in map(extension_name, hdul[1:]) if name == "SCI"]


def _pixels(shape: tuple[int, ...]) -> np.ndarray:
    return np.broadcast_to(np.zeros(1, dtype=np.uint8), shape)


def copy_extension(hdu: fits.hdu.base.ExtensionHDU) -> fits.hdu.base.ExtensionHDU:
    """Copy an extension that is no pixel extension, independent of the file it came from.

    An HDRLET holds a whole FITS file that astropy's own copy does not carry along; it is copied byte by byte, into a
    FITS file in memory that has it as its only extension.
    """
    if not isinstance(hdu, HeaderletHDU):
        return hdu.copy()
    place = hdu.fileinfo()
    place["file"].seek(place["datLoc"])
    raw = place["file"].read(place["datSpan"])
    alone = fits.PrimaryHDU().header.tostring() + hdu.header.tostring()
    return fits.open(io.BytesIO(alone.encode("ascii") + raw))[1]


def _plain(header: fits.Header) -> fits.Header:
    """Drop the cards that say how data are stored: a skeleton has no data of that kind."""
    header = header.copy()
    for keyword in ("BSCALE", "BZERO", "BLANK", "CHECKSUM", "DATASUM"):
        header.remove(keyword, ignore_missing=True)
    return header


def from_exposure(path: str | Path, journal: bool = False) -> fits.HDUList:
    """Read the headers and WCS extensions of an exposure; no pixel is read.

    Parameters
    ----------
    path : str or Path
        A calibrated HST exposure (`_flt`/`_flc`/`_c0m`), opened read-only.
    journal : bool
        Keep the extensions `JOURNAL`: only for what is written back into the same file.

    Returns
    -------
    `~astropy.io.fits.HDUList`
        Primary header; SCI, ERR and DQ extensions with their full headers and zero-memory pixels of the true shape;
        all other extensions with their data.
    """
    out = fits.HDUList()
    with fits.open(path, mode="readonly", memmap=True) as hdul:
        primary = fits.PrimaryHDU(header=_plain(hdul[0].header))
        out.append(primary)
        for hdu in hdul[1:]:
            name, _ = extension_name(hdu)
            if name == JOURNAL and not journal:
                continue
            if name in PIXEL_EXTENSIONS:
                header = _plain(hdu.header)
                shape = hdu.shape or (int(header.get("NPIX2", 0)), int(header.get("NPIX1", 0)))
                out.append(fits.ImageHDU(data=_pixels(shape), header=header))
            else:
                out.append(copy_extension(hdu))
    return out


def write_bundle(path: str | Path, skeletons: Mapping[ExposureKey, fits.HDUList], about: Mapping[str, object]) -> None:
    """Write the skeletons of several exposures into one FITS file, whole.

    Parameters
    ----------
    path : str or Path
        The bundle.
    skeletons : mapping
        The skeleton of each exposure.
    about : mapping
        Keywords for the primary header (OUTCOME, REASON, WCSNAME, ...).
    """
    head = fits.PrimaryHDU()
    for keyword, value in about.items():
        head.header[keyword] = value
    bundle = fits.HDUList([head])
    for owner, skeleton in skeletons.items():
        for index, hdu in enumerate(skeleton):
            name = _PRIMARY if index == 0 else extension_name(hdu)[0]
            if index == 0 or name in PIXEL_EXTENSIONS:
                new = fits.ImageHDU(header=_plain(hdu.header))
                if index == 0:
                    new.header["EXTNAME"] = _PRIMARY
                else:
                    new.header["NPIX1"], new.header["NPIX2"] = hdu.shape[1], hdu.shape[0]
            else:
                new = copy_extension(hdu)
            new.header[_OWNER] = str(owner)
            bundle.append(new)
    with whole(path) as temporary:
        bundle.writeto(temporary, overwrite=True, output_verify="silentfix")


def read_bundle(path: str | Path, owners: Collection[ExposureKey] | None = None) -> Skeletons:
    """Read the skeletons of a bundle.

    Parameters
    ----------
    path : str or Path
        A file of `write_bundle`.
    owners : collection of ExposureKey, optional
        Only these exposures; all of them by default.

    Returns
    -------
    dict
        From the exposure's key to a skeleton as `from_exposure` returns it; empty for a candidate that does not apply.

    Raises
    ------
    SnakedrizError
        If an exposure asked for is not in the bundle.
    """
    found: Skeletons = {}
    held: dict[ExposureKey, None] = {}
    with fits.open(path, memmap=False) as bundle:
        for hdu in bundle[1:]:
            owner = ExposureKey.parse(hdu.header[_OWNER])
            held[owner] = None
            if owners is not None and owner not in owners:
                continue
            name, _ = extension_name(hdu)
            header = hdu.header.copy()
            del header[_OWNER]
            if name == _PRIMARY:
                del header["EXTNAME"]
                found[owner] = fits.HDUList([fits.PrimaryHDU(header=header)])
            elif name in PIXEL_EXTENSIONS:
                shape = (header.pop("NPIX2"), header.pop("NPIX1"))
                found[owner].append(fits.ImageHDU(data=_pixels(shape), header=header))
            else:
                new = copy_extension(hdu)
                del new.header[_OWNER]
                found[owner].append(new)
    for owner in owners or []:
        if owner not in found:
            raise SnakedrizError(
                f"{path}: has no exposure {owner}, only {', '.join(map(str, held)) or 'none'}",
                "remove the file and run again",
            )
    return found


def join(
    skeleton: fits.HDUList,
    source: str | Path,
    path: str | Path,
    drop: tuple[str, ...] = (),
    dq: Callable[[int, np.ndarray], np.ndarray] | None = None,
) -> None:
    """Write an exposure: headers and WCS extensions of `skeleton`, pixels of `source`.

    Parameters
    ----------
    skeleton : `~astropy.io.fits.HDUList`
        As from `from_exposure` or `read_bundle`, of this very exposure.
    source : str or Path
        The exposure whose pixels are taken; opened read-only and memory-mapped.
    path : str or Path
        The exposure to write; not renamed into place here, so that the caller can add to it first.
    drop : tuple of str
        Pixel extensions to leave out (AstroDrizzle needs no ERR unless the weights come from it).
    dq : callable, optional
        Called with the EXTVER and the DQ array (ny, nx) of each chip; returns the array to write.

    Raises
    ------
    SnakedrizError
        If the skeleton's extensions are not those of `source`.
    """
    out = fits.HDUList([fits.PrimaryHDU(header=skeleton[0].header)])
    with fits.open(source, mode="readonly", memmap=True, do_not_scale_image_data=True) as pixels:
        have = {extension_name(hdu) for hdu in pixels[1:]}
        for hdu in skeleton[1:]:
            name = extension_name(hdu)
            if name[0] in PIXEL_EXTENSIONS:
                if name[0] in drop:
                    continue
                if name not in have:
                    raise SnakedrizError(
                        f"{source}: has no extension {name}, which its WCS solution was made for: the file was "
                        "probably replaced after the solution was computed",
                        "delete the solution and run again",
                    )
                pixel_hdu = pixels[name]
                header = hdu.header.copy()
                for keyword in ("BSCALE", "BZERO"):
                    if keyword in pixel_hdu.header:
                        header[keyword] = pixel_hdu.header[keyword]
                if pixel_hdu.data is None:
                    for keyword in ("NPIX1", "NPIX2", "PIXVALUE"):
                        if keyword in pixel_hdu.header:
                            header[keyword] = pixel_hdu.header[keyword]
                data = pixel_hdu.data
                if dq is not None and name[0] == "DQ" and data is not None:
                    data = dq(name[1], data)
                out.append(fits.ImageHDU(data=data, header=header, do_not_scale_image_data=True))
            else:
                out.append(copy_extension(hdu))
        out[0].header["NEXTEND"] = len(out) - 1
        out.writeto(path, overwrite=True, output_verify="silentfix")
