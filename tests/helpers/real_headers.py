"""Copies of real archive headers for tests: looked into with astropy alone, and damaged on purpose."""

import hashlib
import shutil

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from snakedriz.exposures.skeleton import PIXEL_EXTENSIONS, extension_name
from snakedriz.wcs import fits_bytes, headerlets, solutions, validation
from stwcs.wcsutil import HSTWCS
from stwcs.wcsutil.headerlet import Headerlet, HeaderletHDU

from helpers.shared_data import shared
from helpers.sky import MICROARCSEC


def copy_of(name, tmp_path, as_name=""):
    path = tmp_path / (as_name or f"{name}.fits")
    shutil.copyfile(shared(f"headers/{name}.fits"), path)
    return path


def sha(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pixels_of(path):
    """The data of every extension that holds pixels, as bytes in the file."""
    parts = fits_bytes.pieces(path)[0]
    return [p.content(path)[len(p.header) :] for p in parts if p.name[0] in PIXEL_EXTENSIONS]


def read(path):
    return validation.inspect(solutions.open_exposure(path))


def codes(path):
    """Codes of the problems, by where the solution is."""
    return {s.label: [p.code for p in s.problems] for s in read(path) if s.problems}


def points(nx=4096, ny=2051):
    return np.array([(x, y) for x in np.linspace(0, nx - 1, 5) for y in np.linspace(0, ny - 1, 5)])


def inner(hdul, extver):
    """The FITS file inside an HDRLET, with astropy alone."""
    hdu = next(h for h in hdul if h.header.get("EXTNAME") == "HDRLET" and h.header["EXTVER"] == extver)
    place = hdu.fileinfo()
    place["file"].seek(place["datLoc"])
    return fits.HDUList.fromstring(place["file"].read(hdu.size))


def sky_of_headerlet(path, extver):
    with fits.open(path) as hdul:
        headerlet = inner(hdul, extver)
        return {
            h.header["TG_EVER"]: WCS(h.header, fobj=headerlet).all_pix2world(points(), 0)
            for h in headerlet if h.header.get("EXTNAME") == "SIPWCS"
        }  # fmt: skip


def sky_of_file(path):
    with fits.open(path) as hdul:
        chips = [h.header["EXTVER"] for h in hdul[1:] if h.name == "SCI"]
        return {chip: HSTWCS(hdul, ext=("SCI", chip)).all_pix2world(points(), 0) for chip in chips}


def assert_same_sky(first, second):
    assert set(first) == set(second)
    for chip, sky in first.items():
        np.testing.assert_allclose(sky, second[chip], rtol=0, atol=MICROARCSEC)


def put(path, replaced, added=()):
    """Replace extensions of a copy (by name) by others, and append some."""
    parts = fits_bytes.pieces(path)[0]
    new = [fits_bytes.piece_of(replaced[p.name]) if p.name in replaced else p for p in parts]
    fits_bytes.rewrite(path, [*new, *map(fits_bytes.piece_of, added)])


def headerlet_hdu(content, extver):
    hdu = HeaderletHDU.fromheaderlet(Headerlet(list(content)))
    hdu.header["EXTVER"] = extver
    return hdu


def content_of(path, extver):
    exposure = solutions.open_exposure(path)
    return headerlets.open_headerlet(next(h for h in exposure if extension_name(h) == ("HDRLET", extver)))


def rewrite(path, extver, change):
    """Damage the headerlet in HDRLET,extver of a copy."""
    content = content_of(path, extver)
    put(path, {("HDRLET", extver): headerlet_hdu(change(content) or content, extver)})


def set_header(keyword, value):
    def change(content):
        content[0].header[keyword] = value
        if keyword == "WCSNAME":
            for hdu in content:
                if hdu.name == "SIPWCS":
                    hdu.header[keyword] = value

    return change


def set_raw(path, ext, keyword, text):
    """Put a card into a header as the bytes given: astropy itself refuses to write NaN."""
    with fits.open(path, mode="update", output_verify="ignore") as hdul:
        hdul[ext].header[keyword] = 1.25
    raw = path.read_bytes()
    card = f"{keyword:8}=                 1.25".encode()
    at = [i for i in range(0, len(raw), 80) if raw[i : i + len(card)] == card]
    assert len(at) == 1
    new = f"{keyword:8}= {text:>20}".encode().ljust(len(card))
    path.write_bytes(raw[: at[0]] + new + raw[at[0] + len(card) :])


def remove_keyword(pattern, chips=(1, 2)):
    def change(content):
        for hdu in content:
            if hdu.name == "SIPWCS" and hdu.ver in chips:
                hdu.header.remove(pattern, ignore_missing=True)

    return change


def without(name, version):
    return lambda content: [h for h in content if extension_name(h) != (name, version)]


def stale_chip(content):
    content["SIPWCS", 2].header["CRVAL1"] += 2e-6  # 7 mas / 2.4: a chip that moved alone by 3 mas on the sky


def set_extver(path, old, new):
    with fits.open(path, mode="update") as hdul:
        next(h for h in hdul if extension_name(h) == ("HDRLET", old)).header["EXTVER"] = new
