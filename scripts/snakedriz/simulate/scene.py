"""The sky of a simulated visit: stars and galaxies at the epoch of the observation, and what Gaia would say of them."""

from __future__ import annotations

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

from snakedriz.simulate.distortion import filter_model
from snakedriz.simulate.seeds import generator
from snakedriz.simulate.visit import Visit

CATALOGUE_EPOCH = 2016.0
LUMINOSITY_SLOPE = 0.15
"""log10 of the star count rises by this much per magnitude."""


def sky_offset(ra: float, dec: float, east: float, north: float) -> tuple[float, float]:
    """The position (deg) displaced from ra, dec (deg) by ``east`` (dRA cos dec) and ``north``, arcsec on the sphere."""
    here = SkyCoord(ra, dec, unit="deg", frame="icrs")
    there = SkyCoord(east, north, unit="arcsec", frame=here.skyoffset_frame()).icrs
    return float(there.ra.deg), float(there.dec.deg)


def make_scene(visit: Visit, half_size: float, n_stars: int, n_galaxies: int) -> Table:
    """Stars and galaxies within a square of ``half_size`` (arcsec) around the target of a visit.

    Columns: id, kind ('star' or 'galaxy'), ra, dec (deg, at the epoch of the observation), mag, flux (e-/s), pmra and
    pmdec (mas/yr; pmra includes cos dec), half_light (arcsec; 0 for stars), axis_ratio, position_angle (deg, E of N).
    """
    # One row of deviates per source: a larger scene begins with the sources of the smaller one.
    star = generator(visit.seed, "stars").uniform(size=(n_stars, 3))
    xs, ys = half_size * (2.0 * star[:, 0] - 1.0), half_size * (2.0 * star[:, 1] - 1.0)
    # Inverse of the cumulative distribution of 10**(slope * mag) between the limits.
    low, high = (10.0 ** (LUMINOSITY_SLOPE * m) for m in visit.mag_range)
    mags = np.log10(low + (high - low) * star[:, 2]) / LUMINOSITY_SLOPE
    motion = generator(visit.seed, "proper motions").normal(size=(n_stars, 2)).T * visit.pm_sigma
    motion += np.array(visit.pm_mean)[:, None]

    galaxy = generator(visit.seed, "galaxies").uniform(size=(n_galaxies, 5))
    xg, yg = half_size * (2.0 * galaxy[:, 0] - 1.0), half_size * (2.0 * galaxy[:, 1] - 1.0)
    mag_galaxy = 20.0 + 4.5 * galaxy[:, 2]
    ratios = 0.3 + 0.7 * galaxy[:, 3]
    angles = 180.0 * galaxy[:, 4]
    sizes = np.clip(0.35 * np.exp(0.4 * generator(visit.seed, "galaxy sizes").standard_normal(n_galaxies)), 0.1, 1.5)

    frame = SkyCoord(visit.ra, visit.dec, unit="deg", frame="icrs").skyoffset_frame()
    east, north = np.concatenate([xs, xg]), np.concatenate([ys, yg])
    sky = SkyCoord(east * u.arcsec, north * u.arcsec, frame=frame).icrs
    mag = np.concatenate([mags, mag_galaxy])
    none = np.zeros(n_stars)
    scene = Table()
    scene["id"] = np.arange(1, n_stars + n_galaxies + 1)
    scene["kind"] = np.array(["star"] * n_stars + ["galaxy"] * n_galaxies, dtype="U6")
    scene["ra"] = sky.ra.deg
    scene["dec"] = sky.dec.deg
    scene["mag"] = mag
    scene["flux"] = 10.0 ** (-0.4 * (mag - filter_model(visit.filter).zeropoint))
    scene["pmra"] = np.concatenate([motion[0], np.zeros(n_galaxies)])
    scene["pmdec"] = np.concatenate([motion[1], np.zeros(n_galaxies)])
    scene["half_light"] = np.concatenate([none, sizes])
    scene["axis_ratio"] = np.concatenate([none + 1.0, ratios])
    scene["position_angle"] = np.concatenate([none, angles])
    for name, unit in (("ra", u.deg), ("dec", u.deg), ("mag", u.mag), ("pmra", u.mas / u.yr), ("pmdec", u.mas / u.yr)):
        scene[name].unit = unit
    return scene


def reference_catalogue(
    scene: Table, count: int, mag_range: tuple[float, float], error: float, pm_error: float, epoch: float, seed: int
) -> Table:
    """The ``count`` brightest stars within ``mag_range`` as a Gaia-like table at epoch 2016.0.

    Positions are the truth moved back from ``epoch`` (Julian year of the observation) by the true proper motion, plus
    a normal error of ``error`` mas per axis. Columns and meta are those the pipeline's reference catalogues have.
    """
    stars = scene[scene["kind"] == "star"]
    stars = stars[(stars["mag"] >= mag_range[0]) & (stars["mag"] <= mag_range[1])]
    stars.sort("mag")
    stars = stars[:count]
    # Errors are drawn for every star of the scene, by id: another count or range leaves each star's error as it was.
    noise = generator(seed, "reference positions").normal(size=(len(scene), 2)).T[:, stars["id"] - 1] * error
    pm_noise = generator(seed, "reference proper motions").normal(size=(len(scene), 2)).T[:, stars["id"] - 1] * pm_error
    years = epoch - CATALOGUE_EPOCH
    ra, dec, pmra, pmdec = (np.asarray(stars[n], dtype=float) for n in ("ra", "dec", "pmra", "pmdec"))
    table = Table()
    table["RA"] = ra + (noise[0] - pmra * years) / 3.6e6 / np.cos(np.deg2rad(dec))
    table["DEC"] = dec + (noise[1] - pmdec * years) / 3.6e6
    n = len(stars)
    table["ra_error"] = np.full(n, error)
    table["dec_error"] = np.full(n, error)
    table["pmra"] = pmra + pm_noise[0]
    table["pmdec"] = pmdec + pm_noise[1]
    table["pmra_error"] = np.full(n, pm_error)
    table["pmdec_error"] = np.full(n, pm_error)
    table["mag"] = np.asarray(stars["mag"], dtype=float)
    table["objID"] = 4_600_000_000_000_000_000 + np.asarray(stars["id"], dtype=np.int64)
    table["epoch"] = np.full(n, CATALOGUE_EPOCH)
    for name, unit in (("RA", u.deg), ("DEC", u.deg), ("ra_error", u.mas), ("dec_error", u.mas), ("mag", u.mag)):
        table[name].unit = unit
    for name in ("pmra", "pmdec", "pmra_error", "pmdec_error"):
        table[name].unit = u.mas / u.yr
    table["epoch"].unit = u.yr
    table.meta["catalog"] = "GAIAeDR3"
    return table
