"""Source catalogues of simulated chips with known positions, and of real frames."""

import numpy as np
import pytest
from astropy.io import fits
from helpers.shared_data import shared
from scipy.spatial import cKDTree
from snakedriz.detection.sources import EDGE, FIXED, NOT_STARLIKE, SATURATED, TOUCHES_CR, find_sources
from snakedriz.errors import SnakedrizError
from snakedriz.settings import detector_settings, load_detectors

CONFIG = load_detectors()
WFC = detector_settings(CONFIG, "ACS", "WFC")
SKY, READ_NOISE, FULL_WELL = 50.0, 4.0, 80000.0


def add_star(image, x, y, flux, fwhm):
    """A Moffat star (beta 3) integrated over pixels by 5 x 5 samples: wings no Gaussian has."""
    ny, nx = image.shape
    h, alpha = 12, fwhm / 2 / np.sqrt(2 ** (1 / 3) - 1)
    y0, y1 = max(int(y) - h, 0), min(int(y) + h + 2, ny)
    x0, x1 = max(int(x) - h, 0), min(int(x) + h + 2, nx)
    fine = (np.arange(5) + 0.5) / 5 - 0.5
    gy = (np.arange(y0, y1)[:, None] + fine).ravel() - y
    gx = (np.arange(x0, x1)[:, None] + fine).ravel() - x
    star = 2 / (np.pi * alpha**2) * (1 + (gy[:, None] ** 2 + gx[None, :] ** 2) / alpha**2) ** -3
    image[y0:y1, x0:x1] += flux * star.reshape(y1 - y0, 5, x1 - x0, 5).mean(axis=(1, 3))


def chip(stars, seed=1, shape=(512, 1024), fwhm=1.7, cosmic_rays=0, hot=0.0, flux=(3.2, 5.2)):
    """Image (electrons), DQ, positions, fluxes, cosmic-ray mask."""
    rng = np.random.default_rng(seed)
    ny, nx = shape
    xy = rng.uniform([8, 8], [nx - 9, ny - 9], (stars, 2)) if stars else np.empty((0, 2))
    light = 10 ** rng.uniform(*flux, stars)
    image = np.full(shape, SKY)
    for (x, y), f in zip(xy, light, strict=True):
        add_star(image, x, y, f, fwhm)
    image = rng.poisson(image) + rng.normal(0, READ_NOISE, shape) - SKY
    ray = np.zeros(shape, bool)
    for _ in range(cosmic_rays):
        length, angle = rng.choice([1, 2, 3, 4, 6, 10], p=[0.25, 0.3, 0.2, 0.12, 0.08, 0.05]), rng.uniform(0, np.pi)
        x, y, energy = rng.uniform(0, nx), rng.uniform(0, ny), 10 ** rng.uniform(2, 4)
        for t in range(length):
            for di, dj, part in ((0, 0, 1), (0, 1, 0.25), (1, 0, 0.25)):
                i, j = int(y + t * np.sin(angle)) + di, int(x + t * np.cos(angle)) + dj
                if 0 <= i < ny and 0 <= j < nx:
                    image[i, j] += energy * part
                    ray[i, j] = True
    dq = np.zeros(shape, np.int16)
    full = image > FULL_WELL
    dq[full], image[full] = 256, FULL_WELL
    warm = rng.random(shape) < hot
    dq[warm] |= 16
    image[warm] += rng.exponential(500, int(warm.sum()))
    return image.astype(np.float32), dq, xy, light, ray


def write(path, *chips, exptime=500.0, unit="ELECTRONS"):
    hdus = [fits.PrimaryHDU()]
    hdus[0].header.update(ROOTNAME="jtest01aq", EXPTIME=exptime)
    for version, (image, dq) in enumerate(chips, 1):
        science = fits.ImageHDU(image, name="SCI", ver=version)
        science.header["BUNIT"] = unit
        hdus += [science, fits.ImageHDU(dq, name="DQ", ver=version)]
    fits.HDUList(hdus).writeto(path, overwrite=True)
    return path


def compare(table, xy):
    used = table[table["use"]]
    away, star = cKDTree(xy).query(np.column_stack([used["x"], used["y"]]))
    true = away < 0.5
    delta = np.column_stack([used["x"], used["y"]])[true] - xy[star[true]]
    return used[true], delta, star[true], int((~true).sum())


@pytest.mark.parametrize("fwhm", [1.2, 1.7, 2.2])
def test_positions_unbiased_with_honest_errors(tmp_path, fwhm):
    image, dq, xy, _, _ = chip(200, fwhm=fwhm)
    table = find_sources(write(tmp_path / "a_flt.fits", (image, dq)), WFC)
    used, delta, star, false = compare(table, xy)
    assert len(used) > 150
    assert false <= 2
    pull = delta / used["x_err"][:, None]
    # The median of 2 x 150 pulls of unit scatter is known to 0.07; their robust scatter to 0.06, and stars that touch
    # others add to it.
    assert abs(np.median(pull)) < 0.3
    assert 0.8 < 1.4826 * np.median(np.abs(pull)) < 1.2
    # No pull towards pixel centres: amplitude of a sine of the pixel phase, bright stars; 60 stars of 0.007 px
    # determine it to 0.007 sqrt(2/60) = 0.0013 px. DAOStarFinder alone has 0.012 to 0.024 px here.
    bright = np.asarray(used["snr"]) > 100
    phase = xy[star] - np.rint(xy[star])
    wave = np.sin(2 * np.pi * phase[bright])
    assert abs((wave * delta[bright]).sum() / (wave**2).sum()) < 0.006
    assert 1.4826 * np.median(np.abs(delta[bright])) < 0.012


def test_errors_are_honest_bright_and_faint(tmp_path):
    """Pulls of isolated stars have unit scatter whatever the brightness: 68 and 95 per cent lie within 1 and 1.96."""
    pulls, snr = [], []
    for seed, fwhm in ((21, 1.2), (22, 1.7), (23, 2.2), (24, 1.7)):
        image, dq, xy, _, _ = chip(150, seed=seed, fwhm=fwhm)
        used, delta, star, _ = compare(find_sources(write(tmp_path / "a_flt.fits", (image, dq)), WFC), xy)
        alone = cKDTree(xy).query(xy, k=2)[0][:, 1][star] > 12  # a neighbour within 7 FWHM pulls, and is another matter
        pulls.append((delta / np.column_stack([used["x_err"], used["y_err"]]))[alone])
        snr.append(np.asarray(used["snr"])[alone])
    pull, bright = np.abs(np.vstack(pulls)), np.concatenate(snr) > 80
    for group in (pull[bright], pull[~bright]):
        # 300 coordinates and more: 0.68 is known to 0.027; 3 sigma, and 0.05 for the floor and flat error, which must
        # cover every brightness with one number. Too large errors would be 0.95 and 1.0 within these.
        assert group.size > 300
        assert abs(np.mean(group < 1) - 0.683) < 0.13
        assert abs(np.mean(group < 1.96) - 0.95) < 0.045


def test_cosmic_rays_without_trusted_flags(tmp_path):
    # 750 rays on 512 x 1024 are the 8,000 per chip of a 500 s exposure.
    image, dq, xy, _, ray = chip(80, cosmic_rays=750, hot=0.01)
    path = write(tmp_path / "a_flt.fits", (image, dq))
    table = find_sources(path, WFC)
    used, delta, _, false = compare(table, xy)
    assert len(used) > 55
    assert false < 0.1 * 750  # nine in ten are told from stars by shape alone
    assert 1.4826 * np.median(np.abs(delta)) < 0.015  # the stars that are left are not pulled by rays
    mask = fits.CompImageHDU(ray.astype(np.uint8), name="JTEST01AQ")
    mask.ver = 1
    fits.HDUList([fits.PrimaryHDU(), mask]).writeto(tmp_path / "crmask.fits")
    clean = find_sources(path, WFC, tmp_path / "crmask.fits", trust_crmask=True)
    used_clean, delta, _, false_clean = compare(clean, xy)
    assert len(used_clean) > 55
    assert false_clean <= 2
    assert 1.4826 * np.median(np.abs(delta)) < 0.015
    assert (np.asarray(clean["flags"]) & TOUCHES_CR).any()
    ignored = find_sources(path, WFC, tmp_path / "crmask.fits", trust_crmask=False)
    assert len(ignored) == len(table)


@pytest.mark.parametrize("stars", [4, 8, 20])
def test_few_stars_among_rays(tmp_path, stars):
    image, dq, xy, _, _ = chip(stars, seed=stars, cosmic_rays=500, flux=(4.0, 5.2))
    table = find_sources(write(tmp_path / "a_flt.fits", (image, dq)), WFC)
    used, delta, _, _ = compare(table, xy)
    assert len(used) >= stars - 2  # one or two may be hit by a ray
    # A Gaussian of the stars' width stands in for the effective PSF of few stars.
    assert 1.4826 * np.median(np.abs(delta)) < 0.04


def test_saturated_and_edge_stars_are_flagged_and_not_used(tmp_path):
    image, dq, _, _, _ = chip(60)
    bright = np.full(image.shape, 0.0)
    add_star(bright, 500.3, 250.2, 5e6, 1.7)
    add_star(bright, 2.0, 100.0, 5e4, 1.7)
    image = image + bright.astype(np.float32)
    full = image > FULL_WELL
    full[200:300, 500] = True  # bleeding along the column
    dq[full] |= 256
    image[full] = FULL_WELL
    table = find_sources(write(tmp_path / "a_flt.fits", (image, dq)), WFC)
    near = np.hypot(table["x"] - 500.3, table["y"] - 250.2) < 4
    assert not table["use"][near].any()
    assert (np.asarray(table["flags"])[near] & SATURATED).any()
    # No spurious source on the bleeding column either.
    column = (np.abs(table["x"] - 500) < 3) & (np.abs(table["y"] - 250) < 55)
    assert not table["use"][column].any()
    corner = np.hypot(table["x"] - 2, table["y"] - 100) < 3
    assert not table["use"][corner].any()
    assert (np.asarray(table["flags"])[corner] & EDGE).all()


def test_brightest_are_kept_and_two_chips(tmp_path):
    """The table has far more than a fit uses, bounded; what the bound leaves has the positions that all have."""
    one, two = chip(120, seed=1), chip(60, seed=2)
    path = write(tmp_path / "a_flt.fits", one[:2], two[:2])
    whole = find_sources(path, {"sources": {**WFC["sources"], "max_per_chip": 20}})
    settings = {**WFC["sources"], "max_per_chip": 20, "kept_per_chip": 40}
    table = find_sources(path, {"sources": settings})
    used = table[table["use"]]
    assert [int((used["chip"] == v).sum()) for v in (1, 2)] == [40, 40]
    assert int((whole["use"] & (whole["chip"] == 1)).sum()) > 90
    first = used[used["chip"] == 1]
    assert np.all(np.diff(first["mag"]) >= 0)
    # The 40 brightest stars, less those with a close neighbour.
    limit = np.sort(one[3])[-55]
    assert first["flux"].min() > limit * 0.9
    same = whole[whole["use"] & (whole["chip"] == 1)][:40]
    assert all(np.array_equal(same[name], first[name]) for name in ("x", "y", "x_err", "mag"))
    assert table.meta["rootname"] == "jtest01aq"
    assert [c["chip"] for c in table.meta["chips"]] == [1, 2]
    table.write(tmp_path / "t.ecsv")


def test_stars_on_warm_pixels_are_not_used_and_others_beside_them_are(tmp_path):
    """Warm pixels are corrected by the dark, but repeat at their place: no source's core may be one."""
    image, dq, xy, _, _ = chip(60, seed=4)
    core, beside = np.rint(xy[:10]).astype(int), np.rint(xy[10:20]).astype(int)
    dq[core[:, 1], core[:, 0]] |= 64
    dq[beside[:, 1], beside[:, 0] + 2] |= 64
    before = find_sources(write(tmp_path / "b_flt.fits", (image, np.where(dq & 64, dq - 64, dq))), WFC)
    table = find_sources(write(tmp_path / "a_flt.fits", (image, dq)), WFC)
    _, _, star, _ = compare(before, xy)
    _, _, left, _ = compare(table, xy)
    assert sorted(set(star) - set(left)) == sorted(set(star) & set(range(10)))
    assert table.meta["chips"][0]["fixed"] >= 5
    assert ((table["flags"] & FIXED) > 0).sum() >= 5


def test_the_table_knows_detector_filter_and_place_of_the_chip(tmp_path):
    """So that sources of exposures can be compared by flux and by place on the detector, subarrays too."""
    path = write(tmp_path / "a_flt.fits", chip(30)[:2])
    with fits.open(path, mode="update") as hdul:
        hdul[0].header.update(INSTRUME="ACS", DETECTOR="WFC", FILTER1="F606W", FILTER2="CLEAR2L")
        hdul["SCI", 1].header.update(CCDCHIP=1, LTV1=-1000.0, LTV2=24.0)
    meta = find_sources(path, WFC).meta
    assert (meta["detector"], meta["filter"]) == ("ACS/WFC", "F606W,CLEAR2L")
    assert meta["chips"][0]["ccdchip"] == 1
    assert meta["chips"][0]["origin_px"] == [1000.0, -24.0]


def test_rates_and_counts_give_the_same_magnitudes(tmp_path):
    image, dq, xy, light, _ = chip(100)
    counts = find_sources(write(tmp_path / "a_flt.fits", (image, dq)), WFC)
    rates = find_sources(write(tmp_path / "b_flt.fits", (image / 500, dq), unit="ELECTRONS/S"), WFC)
    a, _, star, _ = compare(counts, xy)
    b, _, _, _ = compare(rates, xy)
    n = min(len(a), len(b))
    assert np.median(np.abs(a["mag"][:n] - b["mag"][:n])) < 0.01
    # Fluxes of Moffat stars with 3.1 px radius lose their wings: a constant, not a trend.
    ratio = np.asarray(a["flux"]) / light[star]
    assert 0.75 < np.median(ratio) < 1.1


def test_empty_masked_and_galaxy_chips_give_reasons(tmp_path):
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 8, (256, 256)).astype(np.float32)
    dq = np.zeros(noise.shape, np.int16)
    table = find_sources(write(tmp_path / "a_flt.fits", (noise, dq)), WFC)
    assert not table["use"].any()
    assert "chip 1" in table.meta["reason"]
    table = find_sources(write(tmp_path / "b_flt.fits", (noise, np.full_like(dq, 4)), (noise * np.nan, dq)), WFC)
    assert len(table) == 0
    assert "no good pixels" in table.meta["reason"]
    gy, gx = np.mgrid[:256, :256]
    galaxies = noise + sum(
        2000 * np.exp(-np.hypot(gx - x, gy - y) / 8) for x, y in rng.uniform(30, 226, (5, 2))
    ).astype(np.float32)
    table = find_sources(write(tmp_path / "c_flt.fits", (galaxies, dq)), WFC)
    assert not table["use"].any()
    assert (np.asarray(table["flags"]) & NOT_STARLIKE).any()
    assert table.meta["reason"]
    mostly = np.where(rng.uniform(size=dq.shape) < 0.95, 4, dq)  # no box has enough pixels for Background2D
    table = find_sources(write(tmp_path / "d_flt.fits", (noise, mostly)), WFC)
    assert table.meta["chips"][0]["background_origin"].startswith("one value for the chip")
    assert not table["use"].any()


def test_errors_name_the_file(tmp_path):
    fits.PrimaryHDU().writeto(tmp_path / "x_flt.fits")
    with pytest.raises(SnakedrizError, match="x_flt"):
        find_sources(tmp_path / "x_flt.fits", WFC)
    image, dq, *_ = chip(5, shape=(128, 128))
    fits.HDUList([fits.PrimaryHDU()]).writeto(tmp_path / "m.fits")
    with pytest.raises(SnakedrizError, match="JTEST01AQ,1"):
        find_sources(write(tmp_path / "a_flt.fits", (image, dq)), WFC, tmp_path / "m.fits", trust_crmask=True)


def test_input_is_not_changed_and_result_repeats(tmp_path):
    image, dq, *_ = chip(40, shape=(256, 512))
    path = write(tmp_path / "a_flt.fits", (image, dq))
    before = path.read_bytes()
    one, two = find_sources(path, WFC), find_sources(path, WFC)
    assert path.read_bytes() == before
    assert np.array_equal(one["x"], two["x"], equal_nan=True)


def test_real_hrc_frame():
    path = shared("hrc_47tuc/j8bt06nyq_flt.fits")
    table = find_sources(path, detector_settings(CONFIG, "ACS", "HRC"))
    used = table[table["use"]]
    assert 2000 < len(used) <= 3000  # of a crowd, those that a fit chooses from
    assert table.meta["chips"][0]["psf"] == "image"
    # FWHM of HRC in F606W: 0.05 arcsec (Instrument Handbook) is 2.0 px.
    assert 1.7 < table.meta["chips"][0]["fwhm_px"] < 2.3
    assert np.median(used["qfit"]) < 0.1


def test_real_wfpc2_frame():
    path = shared("wfpc2_omegacen/u40x010hm_c0m.fits")
    table = find_sources(path, detector_settings(CONFIG, "WFPC2", "PC"))
    assert all((table["use"] & (table["chip"] == v)).sum() >= 100 for v in (1, 2, 3, 4))
