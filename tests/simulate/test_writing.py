"""The files of a visit: good enough for updatewcs and AstroDrizzle, and the truth comes out."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits
from helpers.simulated import OPTIONS, digests
from snakedriz.simulate import Visit, measure_offsets, simulate_visit
from snakedriz.simulate.detector import cosmic_rays
from snakedriz.simulate.evaluate import windowed_centroid


def test_files_are_the_documented_ones(truth):
    roots = ["jdemo1a1q", "jdemo1a2q"]
    expected = {f"data/{r}_{s}.fits" for r in roots for s in ("raw", "flt", "flc")}
    expected |= {"data/jdemo1010_asn.fits", "gaia.ecsv", "offsets.ecsv", "truth.ecsv", "truth.json"}
    expected |= {f"ref/9d1snakej_{s}.fits" for s in ("idc", "d2i", "npl", "mdz")}
    assert set(digests(truth.directory)) == expected


def test_options_leave_what_they_do_not_concern(truth, tmp_path):
    other = simulate_visit(Visit(**{**OPTIONS, "cr_rate": 0.0, "read_noise": 3.0, "make_flc": False}), tmp_path)
    assert (tmp_path / "truth.ecsv").read_bytes() == (truth.directory / "truth.ecsv").read_bytes()
    assert (tmp_path / "gaia.ecsv").read_bytes() == (truth.directory / "gaia.ecsv").read_bytes()
    assert other.flc == ()
    assert not list(other.data.glob("*_flc.fits"))


def test_stars_are_where_the_true_solution_says(clean):
    offsets = []
    for path, solutions in zip(clean.flc, clean.wcs, strict=True):
        with fits.open(path) as hdus:
            for version in (1, 2):
                image = hdus["SCI", version].data.astype(float) - clean.visit.sky * 500.0
                stars = clean.star_table
                near = solutions[version - 1].wcs_world2pix(stars["ra"], stars["dec"], 1)
                near = (near[0] > 0) & (near[0] < 512) & (near[1] > 0) & (near[1] < 256)
                x, y = solutions[version - 1].all_world2pix(stars["ra"][near], stars["dec"][near], 1)
                for i in range(len(x)):
                    alone = np.sort(np.hypot(x - x[i], y - y[i]))[1] > 25
                    if alone and 12 < x[i] < 500 and 12 < y[i] < 244:
                        found = windowed_centroid(image, float(x[i]) - 1.0, float(y[i]) - 1.0)
                        assert found is not None
                        offsets.append((found[0] + 1 - x[i], found[1] + 1 - y[i]))
    assert len(offsets) > 30
    assert np.abs(offsets).max() < 0.01


CODE = """
import sys
from stwcs.updatewcs import updatewcs
from drizzlepac.astrodrizzle import AstroDrizzle
files = sys.argv[1:]
updatewcs(files, use_db=False)
AstroDrizzle(files, output="product", mdriztab=True, preserve=False, clean=True, num_cores=1, build=True)
"""


@pytest.fixture(scope="module")
def drizzled(tmp_path_factory):
    visit = Visit(chip_shape=(256, 512), n_stars=160, n_galaxies=5)
    truth = simulate_visit(visit, tmp_path_factory.mktemp("visit"))
    work = tmp_path_factory.mktemp("work")
    for path in truth.flc:
        shutil.copy(path, work)
    command = [sys.executable, "-c", CODE, *(p.name for p in truth.flc)]
    environment = {**os.environ, "jref": f"{truth.ref}/"}
    run = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    return truth, work, run.stdout


def test_product_is_off_by_the_pointing_error(drizzled):
    truth, work, _ = drizzled
    summary = measure_offsets(work / "product_drc.fits", truth).meta["summary"]
    assert summary["n"] >= 20
    # Single stars have errors of 0.5 to 1 mas; the median of 20 or more is good to 0.3 mas.
    assert summary["median_dra_mas"] == pytest.approx(350.0, abs=1.0)
    assert summary["median_ddec_mas"] == pytest.approx(-400.0, abs=1.0)
    assert summary["scatter_mas"] < 3.0


def test_row_for_four_exposures_is_used_and_cosmic_rays_are_found(drizzled):
    truth, work, log = drizzled
    assert "read from row 3" in log
    visit = truth.visit
    found = []
    for index, path in enumerate(truth.flc):
        with fits.open(work / path.name) as hdus:
            for number in (0, 1):
                rays, _ = cosmic_rays(visit.chip_shape, 500.0, visit.cr_rate, visit.seed, 2 * index + number)
                # 200 e- are 23 sigma of the sky's noise; the margin of the frame is seen by few exposures.
                strong = rays[40:-40, 40:-40] > 200.0
                flagged = (hdus["DQ", number + 1].data[40:-40, 40:-40] & 4096) > 0
                found.append((flagged[strong].mean(), flagged.mean(), strong.mean()))
    completeness, flagged_share, true_share = np.mean(found, axis=0)
    assert completeness > 0.95
    assert flagged_share < 6 * true_share  # a hit's faint neighbours are flagged too, but not the stars
