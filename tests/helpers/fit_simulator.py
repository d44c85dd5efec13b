"""Fits simulated at the level of source tables: hundreds of them in the time that pixels would need for one.

Stars of known sky position are put on the chips of a simulated visit by its true WCS, displaced by Gaussian errors of
known size, and fitted through the visit's real skeletons (distortion, pointing errors and all). What a fit claims is
then compared with where its WCS puts the undisplaced positions.
"""

import contextlib
import copy
from dataclasses import dataclass, field, replace
from unittest import mock

import numpy as np
from astropy.table import Table
from snakedriz.alignment import fitting
from snakedriz.alignment.exposure_sources import ExposureSources
from snakedriz.alignment.tangent_plane import place, positions
from snakedriz.artefacts.fit import Fit
from snakedriz.candidates import default
from snakedriz.detection.sources import COLUMNS
from snakedriz.exposures import skeleton
from snakedriz.fits_headers.rootnames import ExposureKey
from snakedriz.settings import detector_settings, load_detectors
from snakedriz.simulate import Visit, simulate_visit
from tweakwcs.correctors import FITSWCSCorrector

KEYWORDS = ("CRVAL1", "CRVAL2", "CD1_1", "CD1_2", "CD2_1", "CD2_2")
SETTINGS = copy.deepcopy(detector_settings(load_detectors(), "ACS", "WFC"))
# The visit is 10.6 px off. Wider searches find the same peak and cost a hundred times as much.
SETTINGS["fitting"]["histogram"]["searchrad_px"] = 25
SETTINGS["fitting"]["relative"]["searchrad_px"] = 10


def start_from_default(truth):
    """Skeletons of a simulated visit's FLC files with the default WCS."""
    skeletons = {ExposureKey.parse(path): skeleton.from_exposure(path) for path in truth.flc}
    default.make(skeletons, {"jref": str(truth.ref)})
    return skeletons


def sky_on(chips, per_chip, margin, rng):
    """Sky positions (RA, Dec) spread over chips, given by their true WCS."""
    sky = []
    for wcs in chips:
        nx, ny = wcs.pixel_shape
        pixels = rng.uniform([margin, margin], [nx - margin, ny - margin], (per_chip, 2))
        sky.append(np.column_stack(wcs.all_pix2world(*pixels.T, 0)))
    return np.vstack(sky)


def seen_on(chips, ra, dec, margin=3):
    """Rows (star, chip, x, y) of the sky positions that lie on chips, `margin` px from their edges or more."""
    rows = []
    for version, wcs in enumerate(chips, 1):
        nx, ny = wcs.pixel_shape
        x, y = wcs.all_world2pix(ra, dec, 0, tolerance=1e-8, maxiter=60, quiet=True)
        seen = np.flatnonzero((x > margin) & (y > margin) & (x < nx - 1 - margin) & (y < ny - 1 - margin))
        rows.append(np.column_stack([seen, np.full(len(seen), version), x[seen], y[seen]]))
    return np.vstack(rows)


def source_table(spot, error, mag=None):
    """A table of sources from rows (star, chip, x, y), with errors in px."""
    table = Table({name: np.zeros(len(spot), dtype=kind) for name, kind, _ in COLUMNS})
    star, table["chip"], table["x"], table["y"] = np.transpose(spot)
    table["id"] = star.astype(int) + 1
    table["mag"] = 18.0 + 0.01 * star if mag is None else mag
    table["x_err"] = table["y_err"] = error
    table["use"] = True
    return table


def reference_table(rows, ra, dec, sigma, epoch=2012.0, **columns):
    """A catalogue of rows at one epoch; sigma in mas."""
    rows = np.asarray(rows, dtype=int)
    sigma = np.broadcast_to(np.asarray(sigma, dtype=float), len(rows))
    data = {
        "RA": ra,
        "DEC": dec,
        "mag": 18.0 + 0.01 * rows,
        "sigma": sigma,
        "objID": rows.astype(str),
    }
    return Table(data | columns, meta={"epoch": epoch})


@dataclass
class Scene:
    """A visit's skeletons, and stars with their true positions on the sky and on every chip."""

    exposures: list
    ra: np.ndarray
    dec: np.ndarray
    spots: list  # per exposure: star, chip, x, y
    frame: tuple = field(default=None)

    @classmethod
    def make(cls, directory, stars=400, exposures=3, shape=(256, 512), seed=7):
        visit = Visit(
            chip_shape=shape, n_exposures=exposures, n_stars=1, n_galaxies=0, noise=False, cr_rate=0.0, make_raw=False
        )
        truth = simulate_visit(visit, directory)
        skeletons = start_from_default(truth)
        # Stars where the chips of the first exposure see them, by rank of a fixed generator.
        rng = np.random.default_rng(seed)
        ra, dec = rng.permutation(sky_on(truth.wcs[0], stars // 2, 8, rng)).T
        spots = [seen_on(chips, ra, dec) for chips in truth.wcs]
        found = [
            ExposureSources(p.name[:9], skeletons[ExposureKey.parse(p)], source_table(spot, 0.01), 500.0, 2012.0)
            for p, spot in zip(truth.flc, spots, strict=True)
        ]
        return cls(found, ra, dec, spots, place(found))

    def place(self, exposures):
        """`place`, without reading the same headers again."""
        plane, placed = self.frame
        fresh = []
        for one, exposure in zip(placed, exposures, strict=True):
            t = exposure.sources
            row = np.arange(len(t))
            correctors = {v: FITSWCSCorrector(c.original_wcs.deepcopy()) for v, c in one.correctors.items()}
            uv, error, mag = positions(plane, correctors, t, row), np.asarray(t["x_err"]), np.asarray(t["mag"])
            fresh.append(replace(one, correctors=correctors, sources=t, start=uv, error=error, mag=mag, row=row))
        return plane, fresh


@dataclass
class Trial:
    """One fit, and what it claims beside what is true: lists of (error east and north, half-width 68, 95), mas."""

    fit: Fit
    exposures: list
    reference: Table
    frame: list = field(default_factory=list)
    each: list = field(default_factory=list)
    relative: list = field(default_factory=list)


def trial(scene, rng, n, method="relative", geometry="shift", others=12, understated=1.0, catalog_mas=(0.3, 3.0)):
    """One fit of n catalogue stars and some others.

    Errors differ from star to star by a factor of ten, in detector (0.004 to 0.04 px, quoted `understated` times too
    small) and catalogue.
    """
    pick = rng.permutation(len(scene.ra))[: n + others]
    error = 10 ** rng.uniform(np.log10(0.004), np.log10(0.04), len(scene.ra))
    exposures = []
    for exposure, spot in zip(scene.exposures, scene.spots, strict=True):
        noisy = spot[np.isin(spot[:, 0], pick)]
        size = error[noisy[:, 0].astype(int)]
        noisy[:, 2:] += rng.normal(0, 1, (len(noisy), 2)) * size[:, None]
        exposures.append(replace(exposure, sources=source_table(noisy, size / understated)))
    rows = np.sort(pick[:n])
    sigma = 10 ** rng.uniform(*np.log10(catalog_mas), n)
    east, north = rng.normal(0, 1, (2, n)) * sigma
    ra = scene.ra[rows] + east / 3.6e6 / np.cos(np.radians(scene.dec[rows]))
    reference = reference_table(rows, ra, scene.dec[rows] + north / 3.6e6, sigma / understated)
    with mock.patch.object(fitting, "place", scene.place):
        result = fitting.fit(exposures, reference, method, geometry, SETTINGS, "GAIAeDR3")
    out = Trial(result, exposures, reference)
    if result.outcome == "ok":
        _compare(scene, out, dict(zip(rows, sigma, strict=True)), error)
    return out


def offsets_of(wcs, chip, x, y, ra, dec):
    """Where a chip's corrected WCS puts positions, minus where they are: (n, 2) east and north, mas."""
    wcs.wcs.crval, wcs.wcs.cd = chip.crval, chip.cd
    wcs.wcs.set()
    found = np.column_stack(wcs.all_pix2world(x, y, 0)) - np.column_stack([ra, dec])
    return found * 3.6e6 * np.column_stack([np.cos(np.radians(dec)), np.ones(len(dec))])


def _compare(scene, out, sigma, error):
    result = out.fit
    scale = scene.frame[0].scale * 1000.0
    used = {int(o) for e in result.exposures for o in e.matches.objID}
    sums: dict = {row: [] for row in used}
    centres, middles = [], []
    for placed, one, spot in zip(scene.frame[1], result.exposures, scene.spots, strict=True):
        every, where = [], []
        for chip in one.chips:
            wcs = placed.correctors[chip.extver].original_wcs.deepcopy()
            mine = spot[spot[:, 1] == chip.extver]
            star = mine[:, 0].astype(int)
            delta = offsets_of(wcs, chip, mine[:, 2], mine[:, 3], scene.ra[star], scene.dec[star])
            for row, d in zip(star, delta, strict=True):
                if row in sums:
                    sums[row].append(d)
            every.append(delta)
            where.append(scene.frame[0].from_sky(scene.ra[star], scene.dec[star]))
        # The difference is linear over the field: its values in the exposure's middle and in that of all exposures.
        design = np.column_stack([np.ones(sum(map(len, where))), np.vstack(where)])
        trend = np.linalg.lstsq(design, np.vstack(every), rcond=None)[0]
        centres.append(trend[0] + placed.centre @ trend[1:])
        middles.append(trend[0])
    rows = sorted(used)
    seen = np.array([len(sums[row]) for row in rows])
    weight = 1.0 / (np.array([sigma[row] for row in rows]) ** 2 + (error[rows] * scale) ** 2 / seen)
    frame = np.average([np.mean(sums[row], axis=0) for row in rows], axis=0, weights=weight)
    out.frame.append((frame, result.zero_point_error_mas, result.zero_point_error95_mas))
    mean = np.mean(middles, axis=0)
    for one, centre, middle in zip(result.exposures, centres, middles, strict=True):
        if one.zero_point_error_mas is not None:
            out.each.append((centre, one.zero_point_error_mas, one.zero_point_error95_mas))
        if one.relative and one.relative.error_px is not None:
            out.relative.append((middle - mean, one.relative.error_px * scale, one.relative.error95_px * scale))


def covered(claims):
    """Shares of coordinates within the two half-widths, and their number."""
    size = np.array([np.abs(truth) for truth, _, _ in claims])
    one, two = (np.array([c[i] for c in claims])[:, None] for i in (1, 2))
    return float(np.mean(size <= one)), float(np.mean(size <= two)), size.size


@contextlib.contextmanager
def corrected(found):
    """The exposures of a trial with the fit's keywords in their skeletons, for the duration of the block."""
    before = []
    for exposure, one in zip(found.exposures, found.fit.exposures, strict=True):
        for chip in one.chips:
            header = exposure.skeleton["SCI", chip.extver].header
            values = dict(zip(KEYWORDS, [*chip.crval, *np.ravel(chip.cd)], strict=True))
            before.append((header, {keyword: header[keyword] for keyword in KEYWORDS}))
            header.update(values)
    try:
        yield found.exposures
    finally:
        for header, values in before:
            header.update(values)
