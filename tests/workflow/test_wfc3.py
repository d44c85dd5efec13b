"""WFC3 through the whole workflow: IR frames of which one is displaced, and subarrays of one UVIS chip."""

import numpy as np
import pytest
from helpers import wfc3_visit, workflow
from helpers.wfc3_visit import ASN, IR, UVIS
from snakedriz.simulate.evaluate import isolated, read_product, windowed_centroid

pytestmark = pytest.mark.workflow

CONFIG = {"references": {"iref": "ref"}, "solutions": {}, "candidates": ["default", "aposteriori"]}


def run(folder, product):
    workflow.write_config(folder, **CONFIG)
    inputs = {name: workflow.digests(folder / name) for name in ("data", "ref")}
    done = workflow.run(folder, f"results/{ASN}/final/{product}")
    assert done.code == 0, done.tail
    assert {name: workflow.digests(folder / name) for name in inputs} == inputs
    return workflow.promotion(folder, ASN)


def offsets(product, stars):
    """Measured minus true position, mas, of lone unsaturated stars in a product."""
    image, wcs = read_product(product)
    image = np.where(np.isfinite(image), image, 0.0)
    image -= np.median(image[image != 0.0])
    x, y = wcs.all_world2pix(stars["ra"], stars["dec"], 0)
    found = []
    for k in np.flatnonzero(isolated(x, y, np.asarray(stars["mag"]), 10.0) & (stars["mag"] > 19.0)):
        place = windowed_centroid(image, float(x[k]), float(y[k]))
        if place is not None:
            ra, dec = wcs.all_pix2world(*place, 0)
            found.append(((ra - stars["ra"][k]) * np.cos(np.deg2rad(dec)) * 3.6e6, (dec - stars["dec"][k]) * 3.6e6))
    return np.array(found)


def test_ir_exposures_of_which_one_is_displaced_by_a_fifth_of_a_pixel(tmp_path):
    """26 mas of 128 mas pixels: default is refused for it, and the fit mends it.

    The measured displacement is that against the two others. The product: 180 stars of 1 mas in the catalogue and 3 mas
    in their centroids fix the median to 0.3 mas; 1 mas is 3 sigma, and 1/120 of a pixel.
    """
    dithers = [(0.0, 0.0), (1.3, 0.7), (2.1, -1.6)]
    visit = wfc3_visit.simulate(tmp_path, IR, dithers, 300, moved={1: (0.2 * 0.12825, 0.0)})
    found = run(tmp_path, f"{ASN}_drz.fits")
    default, fitted = (workflow.row(found, name) for name in ("default", "aposteriori"))
    assert not default["verified"]
    assert default["registration"]["of"] == visit.rootnames[1]
    assert default["registration"]["worst_px"] == pytest.approx(0.2, abs=0.03)  # 3 times the quoted 0.01 px
    assert (found["winner"], found["verified"]) == ("aposteriori", True), found["reason"]
    assert fitted["registration"]["worst_px"] < 0.05
    results = tmp_path / "results" / ASN
    measured = offsets(results / "final" / f"{ASN}_drz.fits", visit.stars)
    assert len(measured) >= 100
    assert np.abs(np.median(measured, axis=0)).max() < 1.0
    assert fitted["astrometry"]["absolute"]["nmatches"] >= 100


def test_subarrays_of_one_uvis_chip(tmp_path):
    """Two exposures of 512 px of chip 2, whose distortion is that of their place on the chip (LTV).

    70 stars of 1 mas in the catalogue and in their centroids: 0.2 mas; 0.6 mas is 3 sigma.
    """
    visit = wfc3_visit.simulate(tmp_path, UVIS, [(0.0, 0.0), (0.7, 0.4)], 120)
    found = run(tmp_path, f"{ASN}_drc.fits")
    assert (found["winner"], found["verified"]) == ("aposteriori", True), found["reason"]
    assert workflow.row(found, "default")["astrometry"]["absolute"]["offset_mas"] == pytest.approx((300, -200), abs=1.0)
    measured = offsets(tmp_path / "results" / ASN / "final" / f"{ASN}_drc.fits", visit.stars)
    assert len(measured) >= 50
    assert np.abs(np.median(measured, axis=0)).max() < 0.6
