"""Simulated WFC3 visits with the distortion of real headers: full IR frames, and subarrays of one UVIS chip.

`snakedriz.simulate` makes ACS/WFC visits; this makes what differs most from them: one chip, electrons per second, a PSF
narrower than two pixels, flags with other meanings, no look-up tables, and offsets of a subarray (LTV). The IDCTAB is
rebuilt from the SIP and OCX/OCY keywords of archive headers, which is exact (stwcs' CompSIP inverted).
"""

import contextlib
import io
from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from astropy.table import Table
from scipy.special import erf
from snakedriz.simulate.exposure import iso_date, write_association
from snakedriz.simulate.pixels import jacobians
from snakedriz.simulate.scene import sky_offset
from stwcs.updatewcs import updatewcs
from stwcs.wcsutil import HSTWCS

from helpers.shared_data import shared

ASN = "ib4606070"


@dataclass(frozen=True)
class Detector:
    """What differs. `psf`: (share, sigma in px); `corner`: first pixel (x, y), from 0, of the array on the chip."""

    sample: str
    suffix: str
    shape: tuple[int, int]
    corner: tuple[int, int]
    subarray: bool
    psf: tuple[tuple[float, float], ...]
    rate: bool
    zeropoint: float  # magnitude of 1 e-/s: F110W and F555W, WFC3 Instrument Handbook
    exptime: float  # s
    sky: float  # e-/s/px
    read_noise: float  # e-, of the whole ramp for IR
    full_well: float  # e-
    cr_share: float  # of the pixels


# FWHM 1.2 px (IR) and 1.9 px (UVIS) after integration over the pixel: settings/detectors.yaml, fwhm_px.
IR = Detector(
    "sample_svm_flt", "flt", (1014, 1014), (0, 0), False, ((0.85, 0.45), (0.15, 1.4)), True, 26.8, 350.0, 0.8, 15.0,
    78000.0, 0.0005,
)  # fmt: skip
UVIS = Detector(
    "sample_svm_flc", "flc", (513, 512), (1792, 769), True, ((0.85, 0.75), (0.15, 2.0)), False, 25.8, 300.0, 0.05,
    3.1, 63000.0, 0.006,
)  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A visit: rootnames and true stars (ra, dec in deg, mag)."""

    rootnames: tuple[str, ...]
    stars: Table


def write_idctab(sample, chips, path):
    """The IDCTAB whose polynomials are those of the active solution of a header."""
    with fits.open(shared(f"headers/{sample}.fits")) as hdus:
        primary, headers = hdus[0].header, [hdus["SCI", version].header for version in chips]
        order = headers[0]["A_ORDER"]
        table = {name: [] for name in ("DETCHIP", "XSIZE", "YSIZE", "XREF", "YREF", "V2REF", "V3REF", "SCALE")}
        table |= {f"C{axis}{n}{m}": [] for axis in "XY" for n in range(1, order + 1) for m in range(n + 1)}
        for header in headers:
            linear = np.array([[header[f"OC{axis}{term}"] for term in ("11", "10")] for axis in "XY"])
            for name, value in (
                ("DETCHIP", header.get("CCDCHIP", 1)), ("XSIZE", 4096 if len(chips) > 1 else 1014),
                ("YSIZE", 2051 if len(chips) > 1 else 1014), ("XREF", header["IDCXREF"]), ("YREF", header["IDCYREF"]),
                ("V2REF", header["IDCV2REF"]), ("V3REF", header["IDCV3REF"]), ("SCALE", header["IDCSCALE"]),
            ):  # fmt: skip
                table[name].append(value)
            for n in range(1, order + 1):
                for m in range(n + 1):
                    sip = [header.get(f"{axis}_{m}_{n - m}", 0.0) for axis in "AB"]
                    terms = linear @ sip if n > 1 else linear[:, 1 - m]
                    for axis, value in zip("XY", terms, strict=True):
                        table[f"C{axis}{n}{m}"].append(value)
        columns = [fits.Column("DIRECTION", "8A", array=["FORWARD"] * len(chips))]
        columns += [fits.Column("FILTER", "8A", array=[primary["FILTER"]] * len(chips))]
        columns += [fits.Column("THETA", "1D", array=[headers[0]["IDCTHETA"]] * len(chips))]
        columns += [fits.Column(n, "1J" if n == "DETCHIP" else "1D", array=v) for n, v in table.items()]
        made = fits.PrimaryHDU()
        for name in ("INSTRUME", "DETECTOR", "TELESCOP"):
            made.header[name] = primary[name]
        made.header["NORDER"] = order
        made.header["PARITY"] = -1
        fits.HDUList([made, fits.BinTableHDU.from_columns(columns)]).writeto(path)


class Exposure:
    """Headers of one exposure, pointed by the sky position of its reference pixel, in HDUs without headerlets."""

    def __init__(self, detector, rootname, start):
        self.detector, self.rootname = detector, rootname
        with fits.open(shared(f"headers/{detector.sample}.fits")) as hdus:
            self.primary, science = hdus[0].header.copy(), hdus["SCI", 1].header
        dead = [k for k in self.primary if k.startswith(("NPOL", "D2IM", "DGEO", "UPWC", "PYWC", "WCSC", "HDRN"))]
        for key in dead:
            del self.primary[key]
        date, time = iso_date(start)
        for key, value in {
            "ROOTNAME": rootname, "FILENAME": f"{rootname}_{detector.suffix}.fits", "ASN_ID": ASN.upper(),
            "ASN_TAB": f"{ASN}_asn.fits", "EXPSTART": start, "EXPEND": start + detector.exptime / 86400,
            "EXPTIME": detector.exptime, "DATE-OBS": date, "TIME-OBS": time, "IDCTAB": "iref$w3m18525i_idc.fits",
            "NPOLFILE": "N/A", "D2IMFILE": "N/A", "SUBARRAY": detector.subarray,
        }.items():  # fmt: skip
            self.primary[key] = value
        keep = ("CCDCHIP", "PA_APER", "VAFACTOR", "ORIENTAT", "RA_APER", "DEC_APER", "NCOMBINE", "PHOTMODE", "PHOTFLAM")
        keep += ("PHOTZPT", "PHOTPLAM", "PHOTBW", "SDQFLAGS", "MEANDARK", "SAMPNUM", "SAMPTIME", "DELTATIM", "RADESYS")
        self.science = {key: science[key] for key in keep if key in science}
        rows, columns = detector.shape
        x0, y0 = detector.corner
        crpix = ((columns + 1) / 2, (rows + 1) / 2) if detector.subarray else (science["CRPIX1O"], science["CRPIX2O"])
        self.science |= {
            "ROOTNAME": rootname, "EXPNAME": rootname, "BUNIT": "ELECTRONS/S" if detector.rate else "ELECTRONS",
            "LTV1": -float(x0), "LTV2": -float(y0), "LTM1_1": 1.0, "LTM2_2": 1.0, "BINAXIS1": 1, "BINAXIS2": 1,
            "CENTERA1": x0 + columns // 2, "CENTERA2": y0 + rows // 2, "SIZAXIS1": columns, "SIZAXIS2": rows,
            "NGOODPIX": rows * columns, "WCSAXES": 2, "CRPIX1": crpix[0], "CRPIX2": crpix[1], "CTYPE1": "RA---TAN",
            "CTYPE2": "DEC--TAN", "CRVAL1": science["CRVAL1O"], "CRVAL2": science["CRVAL2O"],
            **{f"CD{i}_{j}": science[f"CD{i}_{j}O"] for i in (1, 2) for j in (1, 2)},
        }  # fmt: skip

    def header(self, name, crval):
        header = fits.ImageHDU(name=name).header
        for key, value in {**self.science, "CRVAL1": crval[0], "CRVAL2": crval[1]}.items():
            header[key] = value
        header["EXTVER"] = 1
        return header

    def wcs(self, crval, idctab):
        """What stwcs makes of the headers, with distortion."""
        primary = self.primary.copy()
        primary["IDCTAB"] = str(idctab)
        pixels = np.zeros(self.detector.shape, np.uint8)
        hdus = fits.HDUList([fits.PrimaryHDU(header=primary), fits.ImageHDU(pixels, self.header("SCI", crval))])
        with contextlib.redirect_stdout(io.StringIO()):
            updatewcs(hdus, checkfiles=False, use_db=False)
            return HSTWCS(hdus, ext=("SCI", 1))


def render(detector, x, y, counts):
    """Electrons of stars at FITS pixels x, y: each pixel has the integral of the PSF over its area."""
    image = np.zeros(detector.shape)
    half = 12
    for cx, cy, total in zip(x, y, counts, strict=True):
        ix, iy = round(cx), round(cy)
        if not (-half < ix <= image.shape[1] + half and -half < iy <= image.shape[0] + half):
            continue
        edges = np.arange(-half, half + 2) - 0.5
        stamp = np.zeros((2 * half + 1, 2 * half + 1))
        for share, sigma in detector.psf:
            px, py = (0.5 * np.diff(erf((edges - f) / (sigma * np.sqrt(2)))) for f in (cx - ix, cy - iy))
            stamp += share * total * np.outer(py, px)
        y0, x0 = iy - 1 - half, ix - 1 - half
        ys, xs = (
            slice(max(o, 0), max(min(o + 2 * half + 1, n), 0)) for o, n in zip((y0, x0), image.shape, strict=True)
        )
        image[ys, xs] += stamp[ys.start - y0 : ys.stop - y0, xs.start - x0 : xs.stop - x0]
    return image


def expose(detector, signal, rng):
    """SCI (in the detector's unit), ERR and DQ of one exposure."""
    electrons = rng.poisson(signal + detector.sky * detector.exptime).astype(float)
    dq = np.zeros(detector.shape, np.int16)
    hit = rng.random(detector.shape) < detector.cr_share
    electrons[hit] += 500 * rng.lognormal(0.5, 1.0, int(hit.sum()))
    saturated = electrons > detector.full_well
    electrons = np.minimum(electrons, detector.full_well)
    electrons += rng.normal(scale=detector.read_noise, size=detector.shape)
    dq[saturated] |= 256
    if detector.rate:
        # Rays that calwf3 took out of the ramp are flagged 8192 and good; blobs are 512.
        dq[rng.random(detector.shape) < 0.01] |= 8192
        blob = np.hypot(*(np.indices(detector.shape) - np.array([600, 300])[:, None, None])) < 12
        dq[blob] |= 512
    err = np.sqrt(np.maximum(electrons, 0) + detector.read_noise**2)
    unit = detector.exptime if detector.rate else 1.0
    return (electrons / unit).astype(np.float32), (err / unit).astype(np.float32), dq


def simulate(folder, detector, dithers, n_stars, error=(0.3, -0.2), moved=None, mags=(17.5, 22.0), seed=1):
    """Write data/, ref/ and gaia.ecsv of one association to a folder.

    `dithers`: offsets in arcsec (east, north) of each exposure; `error`: of the pointing that the headers report,
    arcsec; `moved`: more of it for single exposures, by their number. Returns what a test compares with.
    """
    data, ref = folder / "data", folder / "ref"
    data.mkdir(parents=True)
    ref.mkdir()
    idctab = ref / "w3m18525i_idc.fits"
    write_idctab(detector.sample, (1, 2) if detector.subarray else (1,), idctab)
    rng = np.random.default_rng(seed)
    roots = tuple(f"ib4606{letter}aq" for letter in "cdefghij"[: len(dithers)])
    start = 55611.1
    first = Exposure(detector, roots[0], start)
    centre = first.science["CRVAL1"], first.science["CRVAL2"]
    rows, columns = detector.shape
    wcs = first.wcs(centre, idctab)
    x, y = rng.uniform(-40, columns + 40, n_stars), rng.uniform(-40, rows + 40, n_stars)
    ra, dec = wcs.all_pix2world(x, y, 1)
    mag = mags[0] + (mags[1] - mags[0]) * rng.random(n_stars) ** 0.5
    flux = 10 ** (-0.4 * (mag - detector.zeropoint))
    for number, (root, dither) in enumerate(zip(roots, dithers, strict=True)):
        exposure = Exposure(detector, root, start + number * (detector.exptime + 120) / 86400)
        place = sky_offset(*centre, *dither)
        wcs = exposure.wcs(place, idctab)
        x, y = wcs.all_world2pix(ra, dec, 1, tolerance=1e-7, maxiter=50)
        area = np.abs(np.linalg.det(jacobians(wcs, x, y)))  # arcsec2
        nominal = fits.getdata(idctab)["SCALE"][0] ** 2
        sci, err, dq = expose(detector, render(detector, x, y, flux * detector.exptime * nominal / area), rng)
        reported = sky_offset(*place, *np.add(error, (moved or {}).get(number, (0, 0))))
        hdus = [fits.PrimaryHDU(header=exposure.primary)]
        arrays = {"SCI": sci, "ERR": err, "DQ": dq}
        if detector.rate:
            arrays |= {
                "SAMP": np.full(sci.shape, 13, np.int16),
                "TIME": np.full(sci.shape, detector.exptime, np.float32),
            }
        hdus += [fits.ImageHDU(array, exposure.header(name, reported)) for name, array in arrays.items()]
        for name, hdu in zip(arrays, hdus[1:], strict=True):
            hdu.header["EXTNAME"] = name
            if name == "DQ":
                hdu.header["BUNIT"] = "UNITLESS"
        hdus[0].header["NEXTEND"] = len(arrays)
        fits.HDUList(hdus).writeto(data / f"{root}_{detector.suffix}.fits")
    write_association(data / f"{ASN}_asn.fits", ASN, roots)
    for key in ("INSTRUME", "DETECTOR"):
        fits.setval(data / f"{ASN}_asn.fits", key, value=first.primary[key])
    stars = Table({"ra": ra, "dec": dec, "mag": mag})
    scatter = rng.normal(scale=1.0, size=(2, n_stars)) / 3.6e6  # 1 mas
    gaia = Table({"RA": ra + scatter[0] / np.cos(np.deg2rad(dec)), "DEC": dec + scatter[1], "mag": mag})
    for name in ("ra_error", "dec_error"):
        gaia[name] = np.full(n_stars, 1.0)
    for name in ("pmra", "pmdec", "pmra_error", "pmdec_error"):
        gaia[name] = np.zeros(n_stars)
    gaia["objID"] = np.arange(1, n_stars + 1)
    gaia["epoch"] = np.full(n_stars, 2016.0)
    gaia.meta["catalog"] = "GAIAeDR3"
    gaia.write(folder / "gaia.ecsv", format="ascii.ecsv")
    return Made(roots, stars)
