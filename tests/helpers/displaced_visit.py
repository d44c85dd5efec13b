"""A simulated visit with known pointing errors, and fast source tables of it with Gaussian errors."""

import copy
from dataclasses import replace

import numpy as np
from snakedriz.alignment.exposure_sources import ExposureSources
from snakedriz.fits_headers.rootnames import ExposureKey
from snakedriz.settings import detector_settings, load_detectors
from snakedriz.simulate import Visit
from stwcs.wcsutil import HSTWCS

from helpers.fit_simulator import reference_table, seen_on, source_table

WFC = detector_settings(load_detectors(), "ACS", "WFC")
SCALE = 0.05  # arcsec per px, to turn px into mas
CENTROID = 0.02  # px per axis, the errors of the synthetic source tables
DISPLACED = {2: (0.15, -0.20)}  # 0.25 arcsec = 5 px
#: Four exposures, 0.53 arcsec off, the third another 0.25 arcsec; two chips with SIP, D2IM and NPOL distortion.
VISIT = Visit(chip_shape=(512, 1024), n_stars=300, n_reference=80, exposure_errors=DISPLACED, make_raw=False, seed=5)


def synthetic(visit, rng, n=200, contaminants=50):
    """Exposures with sources at true positions of the first n stars, displaced by CENTROID px, and contaminants."""
    truth, skeletons = visit
    stars = truth.star_table[:n]
    exposures = []
    for path, chips in zip(truth.flc, truth.wcs, strict=True):
        rows = seen_on(chips, np.asarray(stars["ra"]), np.asarray(stars["dec"]), margin=5)
        mag = np.asarray(stars["mag"])[rows[:, 0].astype(int)]
        rows[:, 2:] += rng.normal(0, CENTROID, (len(rows), 2))
        others = []
        for version, wcs in enumerate(chips, 1):
            xy = rng.uniform([5, 5], np.subtract(wcs.pixel_shape, 5), (contaminants, 2))
            others.append(np.column_stack([np.zeros(contaminants), np.full(contaminants, version), xy]))
        every = np.vstack([rows, *others])
        every[:, 0] = np.arange(len(every))
        mag = np.r_[mag, rng.uniform(stars["mag"].min(), stars["mag"].max(), len(every) - len(rows))]
        table = source_table(every, CENTROID, mag)
        exposures.append(
            ExposureSources(path.name[:9], skeletons[ExposureKey.parse(path)], table, 500.0, truth.visit.epoch)
        )
    return exposures


def in_all_exposures(visit):
    """Numbers of the stars that lie on the chips of every exposure."""
    truth, _ = visit
    sky = np.asarray(truth.star_table["ra"]), np.asarray(truth.star_table["dec"])
    seen = [set(seen_on(chips, *sky, margin=5)[:, 0].astype(int)) for chips in truth.wcs]
    return sorted(set.intersection(*seen))


def catalogue(visit, rng, n=80, sigma=1.0, rows=None):
    """The first n stars, or some rows of them, as a catalogue with errors of `sigma` mas per axis."""
    rows = np.arange(n) if rows is None else np.asarray(rows)
    stars = visit[0].star_table[rows]
    dec = np.asarray(stars["dec"]) + rng.normal(0, sigma, len(stars)) / 3.6e6
    ra = np.asarray(stars["ra"]) + rng.normal(0, sigma, len(stars)) / 3.6e6 / np.cos(np.radians(dec))
    return reference_table(rows, ra, dec, sigma, mag=stars["mag"])


def turned(exposures, index, degrees=0.0, scale=1.0, ra=0.0, dec=0.0):
    """Copies, with the pointing of one exposure turned (about CRVAL of its chips), scaled and moved (arcsec)."""
    out = [replace(e, skeleton=copy.deepcopy(e.skeleton)) for e in exposures]
    reference = out[index].skeleton["SCI", 1].header
    ra0, dec0 = reference["CRVAL1"], reference["CRVAL2"]
    cos = np.cos(np.radians(dec0))
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    turn = np.array([[c, -s], [s, c]])
    for version in (1, 2):
        h = out[index].skeleton["SCI", version].header
        cd = turn @ np.array([[h["CD1_1"], h["CD1_2"]], [h["CD2_1"], h["CD2_2"]]])
        (h["CD1_1"], h["CD1_2"]), (h["CD2_1"], h["CD2_2"]) = cd
        moved = turn @ np.array([(h["CRVAL1"] - ra0) * cos, h["CRVAL2"] - dec0])
        h["CRVAL1"], h["CRVAL2"] = ra0 + moved[0] / cos + ra / 3600 / cos, dec0 + moved[1] + dec / 3600
    return out


def corrected(exposure, chips):
    """A skeleton with the corrected keywords of its chips written into it."""
    out = copy.deepcopy(exposure.skeleton)
    for chip in chips:
        header = out["SCI", chip.extver].header
        header["CRVAL1"], header["CRVAL2"] = chip.crval
        (header["CD1_1"], header["CD1_2"]), (header["CD2_1"], header["CD2_2"]) = chip.cd
    return out


def grid(wcs, n):
    """x and y of n by n pixels all over a chip."""
    nx, ny = wcs.pixel_shape
    return np.array(np.meshgrid(np.linspace(0, nx - 1, n), np.linspace(0, ny - 1, n))).reshape(2, -1)


def against_truth(visit, exposures, result=None):
    """Mean offset (east, north; mas) of each exposure's WCS from the truth, and the largest anywhere.

    Corrected by a fit, or as it is.
    """
    offsets, worst = [], 0.0
    for i, exposure in enumerate(exposures):
        new, chips = corrected(exposure, result.exposures[i].chips if result else ()), []
        for k in (1, 2):
            wcs = HSTWCS(new, ext=("SCI", k))
            true = np.array(visit[0].wcs[i][k - 1].all_pix2world(*grid(wcs, 6), 0))
            delta = (np.array(wcs.all_pix2world(*grid(wcs, 6), 0)) - true) * 3.6e6
            delta[0] *= np.cos(np.radians(true[1]))
            chips.append(delta)
        both = np.concatenate(chips, axis=1)
        offsets.append(both.mean(axis=1))
        worst = max(worst, float(np.hypot(*both).max()))
    return np.array(offsets), worst
