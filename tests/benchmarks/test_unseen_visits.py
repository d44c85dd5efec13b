"""The judgement of the difficult visits, and the visit whose headers know nothing of a drift."""

from dataclasses import replace

import numpy as np
import pytest
from snakedriz.simulate import Visit, simulate_visit

from benchmarks.unseen_visits import CASES, Outcome, drifted


def test_a_drift_moves_the_stars_and_not_what_headers_say(tmp_path):
    options = {"n_galaxies": 0, "noise": False, "cr_rate": 0.0, "hot_pixels": 0.0, "make_raw": False, "n_stars": 5}
    plain = Visit(chip_shape=(96, 96), n_exposures=2, dither=((0.0, 0.0), (0.0, 0.0)), **options)
    truth = simulate_visit(drifted(plain, 1, (0.12, 0.09)), tmp_path)
    first, second = truth.details["exposures"]
    assert second["reported_aperture"] == pytest.approx(first["reported_aperture"], abs=1e-4 / 3600)
    stars = truth.star_table["ra"], truth.star_table["dec"]
    before, after = (np.array(truth.wcs[i][0].all_world2pix(*stars, 1)) for i in range(2))
    # 0.12 and 0.09 arcsec in pixels of 0.05 arcsec, which the distortion changes by up to 5 per cent
    assert np.median(after - before, axis=1) == pytest.approx([2.4, 1.8], rel=0.05)


def outcome(**changes):
    visit = CASES["mosaic"].visit(True)
    exposures = dict.fromkeys(visit.rootnames, (0.1, 0.1, 0.5))
    good = Outcome("mosaic", "aposteriori", True, "", {"default": (False, None, None)}, {}, [], 100, (0.1, 0.1, 1.0),
                   1.0, exposures, 0.3, 60.0)  # fmt: skip
    return replace(good, **changes), visit


def test_a_mosaic_is_repaired_or_refused_by_name_and_all_others_are_measured():
    short = CASES["mosaic"].short
    assert short(*outcome()) == []
    wrong, visit = outcome(verified=False, relative=150.0)
    assert len(short(wrong, visit)) == 1
    assert short(replace(wrong, named=[visit.rootnames[5]]), visit) == []
    (only,) = short(replace(wrong, named=[visit.rootnames[5]], unmeasured={"default": [visit.rootnames[0]]}), visit)
    assert visit.rootnames[0] in only
    assert "verified" in short(replace(wrong, verified=True), visit)[0]


def test_nothing_measured_means_nothing_verified():
    short = CASES["nothing"].short
    found, visit = outcome(verified=False)
    assert short(found, visit) == []
    assert short(replace(found, candidates={"apriori": (True, None, None)}), visit) == ["apriori is verified"]
