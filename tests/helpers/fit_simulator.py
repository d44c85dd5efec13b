"""Fits simulated at the level of source tables: hundreds of them in the time that pixels would need for one.

Stars of known sky position are put on the chips of a simulated visit by its true WCS, displaced by Gaussian errors of
known size, and fitted through the visit's real skeletons (distortion, pointing errors and all). What a fit claims is
then compared with where its WCS puts the undisplaced positions.
"""

import contextlib
import copy
from dataclasses import dataclass, field
from unittest import mock

import numpy as np
from astropy.table import Table
from snakedriz.alignment import fitting
from snakedriz.alignment.exposure_sources import ExposureSources
from snakedriz.alignment.tangent_plane import place
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
        skeletons = {ExposureKey.parse(path): skeleton.from_exposure(path) for path in truth.flc}
        default.make(skeletons, {"jref": str(truth.ref)})
        # Stars where the chips of the first exposure see them, by rank of a fixed generator.
        rng = np.random.default_rng(seed)
        sky = []
        for wcs in truth.wcs[0]:
            nx, ny = wcs.pixel_shape
            sky.append(np.column_stack(wcs.all_pix2world(*rng.uniform([8, 8], [nx - 8, ny - 8], (stars // 2, 2)).T, 0)))
        ra, dec = rng.permutation(np.vstack(sky)).T
        spots = []
        for chips in truth.wcs:
            rows = []
            for version, wcs in enumerate(chips, 1):
                nx, ny = wcs.pixel_shape
                x, y = wcs.all_world2pix(ra, dec, 0, tolerance=1e-8, maxiter=60, quiet=True)
                seen = np.flatnonzero((x > 3) & (y > 3) & (x < nx - 4) & (y < ny - 4))
                rows.append(np.column_stack([seen, np.full(len(seen), version), x[seen], y[seen]]))
            spots.append(np.vstack(rows))
        found = [
            ExposureSources(p.name[:9], skeletons[ExposureKey.parse(p)], _table(spot, 0.01), 500.0, 2012.0)
            for p, spot in zip(truth.flc, spots, strict=True)
        ]
        return cls(found, ra, dec, spots, place(found))

    def members(self, exposures):
        """`place`, without reading the same headers again."""
        plane, members = self.frame
        fresh = []
        for member, exposure in zip(members, exposures, strict=True):
            t = exposure.sources
            uv = np.empty((len(t), 2))
            correctors = {v: FITSWCSCorrector(c.original_wcs.deepcopy()) for v, c in member.correctors.items()}
            for version, corrector in correctors.items():
                mine = np.asarray(t["chip"]) == version
                uv[mine] = plane.from_sky(*corrector.det_to_world(t["x"][mine], t["y"][mine]))
            fresh.append(
                type(member)(
                    rootname=member.rootname,
                    correctors=correctors,
                    sources=t,
                    exptime=500.0,
                    start=uv,
                    error=np.asarray(t["x_err"]),
                    mag=np.asarray(t["mag"]),
                    row=np.arange(len(t)),
                    centre=member.centre,
                    outlines=member.outlines,
                )
            )
        return plane, fresh


def _table(spot, error):
    table = Table({name: np.zeros(len(spot), dtype=kind) for name, kind, _ in COLUMNS})
    star, table["chip"], table["x"], table["y"] = spot.T
    table["id"] = star.astype(int) + 1
    table["mag"] = 18.0 + 0.01 * star
    table["x_err"] = table["y_err"] = error
    table["use"] = True
    return table


def trial(scene, rng, n, method="relative", geometry="shift", others=12, understated=1.0, catalog_mas=(0.3, 3.0)):
    """One fit of n catalogue stars and some others; what it claims beside what is true.

    Errors differ from star to star by a factor of ten, in detector (0.004 to 0.04 px, quoted `understated` times too
    small) and catalogue.

    Returns
    -------
    dict
        `fit`, and lists of (error east and north, half-width 68, half-width 95), mas: `frame` (one), `exposures`,
        `relative`.
    """
    pick = rng.permutation(len(scene.ra))[: n + others]
    error = 10 ** rng.uniform(np.log10(0.004), np.log10(0.04), len(scene.ra))
    exposures = []
    for exposure, spot in zip(scene.exposures, scene.spots, strict=True):
        mine = spot[np.isin(spot[:, 0], pick)]
        size = error[mine[:, 0].astype(int)]
        noisy = mine.copy()
        noisy[:, 2:] += rng.normal(0, 1, (len(mine), 2)) * size[:, None]
        exposures.append(
            ExposureSources(exposure.rootname, exposure.skeleton, _table(noisy, size / understated), 500.0, 2012.0)
        )
    rows = np.sort(pick[:n])
    sigma = 10 ** rng.uniform(*np.log10(catalog_mas), n)
    east, north = rng.normal(0, 1, (2, n)) * sigma
    reference = Table(
        {
            "RA": scene.ra[rows] + east / 3.6e6 / np.cos(np.radians(scene.dec[rows])),
            "DEC": scene.dec[rows] + north / 3.6e6,
            "mag": 18.0 + 0.01 * rows,
            "sigma": sigma / understated,
            "objID": rows.astype(str),
        },
        meta={"epoch": 2012.0},
    )
    with mock.patch.object(fitting, "place", scene.members):
        result = fitting.fit(exposures, reference, method, geometry, SETTINGS, "GAIAeDR3")
    out = {"fit": result, "exposures": exposures, "reference": reference, "frame": [], "each": [], "relative": []}
    if result["outcome"] == "ok":
        _compare(scene, out, dict(zip(rows, sigma, strict=True)), error)
    return out


def offsets_of(wcs, crval, cd, x, y, ra, dec):
    """Where a corrected WCS puts positions, minus where they are: (n, 2) east and north, mas."""
    wcs.wcs.crval, wcs.wcs.cd = crval, cd
    wcs.wcs.set()
    found = np.column_stack(wcs.all_pix2world(x, y, 0)) - np.column_stack([ra, dec])
    return found * 3.6e6 * np.column_stack([np.cos(np.radians(dec)), np.ones(len(dec))])


def _compare(scene, out, sigma, error):
    result = out["fit"]
    scale = scene.frame[0].scale * 1000.0
    used = {int(o) for e in result["exposures"] for o in e["matches"]["objID"]}
    sums: dict = {row: [] for row in used}
    centres, middles = [], []
    for member, one, spot in zip(scene.frame[1], result["exposures"], scene.spots, strict=True):
        every, where = [], []
        for chip in one["chips"]:
            wcs = member.correctors[chip["extver"]].original_wcs.deepcopy()
            mine = spot[spot[:, 1] == chip["extver"]]
            star = mine[:, 0].astype(int)
            delta = offsets_of(wcs, chip["crval"], chip["cd"], mine[:, 2], mine[:, 3], scene.ra[star], scene.dec[star])
            for row, d in zip(star, delta, strict=True):
                if row in sums:
                    sums[row].append(d)
            every.append(delta)
            where.append(scene.frame[0].from_sky(scene.ra[star], scene.dec[star]))
        # The difference is linear over the field: its values in the exposure's middle and in that of all exposures.
        design = np.column_stack([np.ones(sum(map(len, where))), np.vstack(where)])
        trend = np.linalg.lstsq(design, np.vstack(every), rcond=None)[0]
        centres.append(trend[0] + member.centre @ trend[1:])
        middles.append(trend[0])
    rows = sorted(used)
    seen = np.array([len(sums[row]) for row in rows])
    weight = 1.0 / (np.array([sigma[row] for row in rows]) ** 2 + (error[rows] * scale) ** 2 / seen)
    frame = np.average([np.mean(sums[row], axis=0) for row in rows], axis=0, weights=weight)
    out["frame"] = [(frame, result["zero_point_error_mas"], result["zero_point_error95_mas"])]
    mean = np.mean(middles, axis=0)
    for one, centre, middle in zip(result["exposures"], centres, middles, strict=True):
        if one["zero_point_error_mas"] is not None:
            out["each"].append((centre, one["zero_point_error_mas"], one["zero_point_error95_mas"]))
        tied = one["relative"] or {}
        if tied.get("error_px") is not None:
            out["relative"].append((middle - mean, tied["error_px"] * scale, tied["error95_px"] * scale))


def covered(claims):
    """Shares of coordinates within the two half-widths, and their number."""
    size = np.array([np.abs(truth) for truth, _, _ in claims])
    one, two = (np.array([c[i] for c in claims])[:, None] for i in (1, 2))
    return float(np.mean(size <= one)), float(np.mean(size <= two)), size.size


@contextlib.contextmanager
def corrected(found):
    """The exposures of a trial with the fit's keywords in their skeletons, for the duration of the block."""
    before = []
    for exposure, one in zip(found["exposures"], found["fit"]["exposures"], strict=True):
        for chip in one["chips"]:
            header = exposure.skeleton["SCI", chip["extver"]].header
            values = dict(zip(KEYWORDS, [*chip["crval"], *np.ravel(chip["cd"])], strict=True))
            before.append((header, {keyword: header[keyword] for keyword in KEYWORDS}))
            header.update(values)
    try:
        yield found["exposures"]
    finally:
        for header, values in before:
            header.update(values)
