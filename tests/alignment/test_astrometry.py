"""Measured astrometry of simulated visits with known pointing errors: offset, rotation, displacements, reasons."""

import json

import numpy as np
import pytest
from helpers.fit_simulator import KEYWORDS, SETTINGS, corrected
from snakedriz.alignment import astrometry
from snakedriz.artefacts.astrometry import Astrometry


def measured(candidate, exposures, catalogs, fit=None):
    found = astrometry.measure(candidate, exposures, catalogs, SETTINGS, fit)
    assert Astrometry.parse(json.loads(json.dumps(found.to_json(), allow_nan=False)), "astrometry.json") == found
    return found


def test_offset_is_found_and_rms_is_about_zero(fitted):
    found = measured("default", fitted.exposures, {"GAIAeDR3": fitted.reference})
    absolute = found.absolute
    # 40 stars of 0.3 to 3 mas: 0.16 mas per axis, four times that.
    assert absolute.offset_mas == pytest.approx([350.0, -400.0], abs=4 * absolute.error_mas)
    assert 0.05 < absolute.error_mas < absolute.error95_mas < 0.6
    # A standard deviation of separations would be 2 mas; the root mean square about zero has the offset in it.
    assert absolute.rms_mas == pytest.approx(np.hypot(350.0, 400.0), abs=2.0)
    assert absolute.rms_removed_mas < 4.0
    assert absolute.catalog == "GAIAeDR3"
    row = found.catalogs[0]
    # Stars of the first exposure: all 40 are in its field, and each counts once however many exposures have it.
    assert (row.rows, row.rows_in_field, absolute.nmatches + absolute.clipped) == (40, 40, 40)
    assert sum(e.nmatches for e in row.exposures) > 80
    magnitudes = np.asarray(fitted.reference["mag"])
    assert absolute.magnitudes == [magnitudes.min(), magnitudes.max()]


def test_a_displaced_and_turned_exposure_is_a_relative_error(fitted):
    """2.5 px east and 0.05 deg: the others lie a third of that to the west of the mean."""
    header = fitted.exposures[1].skeleton["SCI", 1].header
    dec = np.radians(header["CRVAL2"])
    angle = np.radians(0.05)
    before = []
    try:
        for chip in (1, 2):
            h = fitted.exposures[1].skeleton["SCI", chip].header
            before.append((h, {k: h[k] for k in KEYWORDS}))
            turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])  # north to east
            cd = turn @ np.array([[h["CD1_1"], h["CD1_2"]], [h["CD2_1"], h["CD2_2"]]])
            (h["CD1_1"], h["CD1_2"]), (h["CD2_1"], h["CD2_2"]) = cd.tolist()
            away = np.array(
                [(h["CRVAL1"] - before[0][1]["CRVAL1"]) * np.cos(dec), h["CRVAL2"] - before[0][1]["CRVAL2"]]
            )
            away = turn @ away
            h["CRVAL1"] = before[0][1]["CRVAL1"] + away[0] / np.cos(dec) + 0.125 / 3600 / np.cos(dec)
            h["CRVAL2"] = before[0][1]["CRVAL2"] + away[1]
        found = measured("default", fitted.exposures, {"GAIAeDR3": fitted.reference})
    finally:
        for h, values in before:
            h.update(values)
    exposures = found.relative.exposures
    # Turned about the reference point of chip 1, some 130 px from the middle: up to 0.12 px = 6 mas by the rotation.
    assert exposures[1].offset_mas == pytest.approx([2 / 3 * 125.0, 0.0], abs=8.0)
    assert exposures[0].offset_mas == pytest.approx([-125.0 / 3, 0.0], abs=4.0)
    assert exposures[1].rotation_deg - exposures[0].rotation_deg == pytest.approx(0.05, abs=0.004)
    assert found.relative.scatter_px == pytest.approx(found.relative.scatter_mas / 50.0, rel=0.02)
    # Per axis, of (2/3, -1/3, -1/3) x 125 mas on one axis of two: 125 x sqrt(6/9 / 4) = 51 mas.
    assert found.relative.scatter_mas == pytest.approx(51.0, abs=3.0)
    assert found.relative.error_mas < 0.2
    own = found.catalogs[0].exposures[1]
    assert own.rotation_deg == pytest.approx(0.05, abs=4 * own.rotation_error_deg + 0.001)
    assert own.offset_mas[0] == pytest.approx(475.0, abs=8.0)


def test_unseen_stars_speak_for_a_fit(fitted):
    with corrected(fitted) as exposures:
        found = measured("aposteriori", exposures, {"GAIAeDR3": fitted.reference}, fitted.fit)
    held = found.held_out
    assert (held.stars, held.folds, held.found) == (40, 10, 40)
    assert 1.0 < held.rms_mas / held.in_sample_rms_mas < 1.4
    assert held.zero_point_error_mas == pytest.approx(fitted.fit.zero_point_error_mas, rel=0.6)
    assert [(check.name, check.passed) for check in found.checks] == [
        ("held_out", True), ("magnitudes", True), ("second_catalog", None),
    ]  # fmt: skip
    # The mean of what was fitted is nought but for weights, whatever the truth is: the error, not the offset, tells.
    assert np.abs(found.absolute.offset_mas).max() < 0.2


def test_what_cannot_be_measured_has_a_reason(fitted):
    exposures, reference = fitted.exposures, fitted.reference
    none = measured("default", exposures, {})
    assert (none.absolute.outcome, none.absolute.offset_mas) == ("unmeasurable", None)
    assert "no reference catalogue" in none.absolute.reason
    assert none.relative.outcome == "measured"
    few = measured("default", exposures, {"empty": reference[:0], "few": reference[:3], "GAIAeDR3": reference})
    assert few.absolute.catalog == "GAIAeDR3"
    assert [row.group.outcome for row in few.catalogs] == ["unmeasurable", "unmeasurable", "measured"]
    assert few.catalogs[0].group.reason == "the catalogue has no rows"
    assert few.catalogs[1].group.reason
    away = reference.copy()
    away["RA"] += 0.2
    assert "lies in the field" in measured("default", exposures, {"away": away}).absolute.reason
    alone = measured("default", exposures[:1], {"GAIAeDR3": reference})
    assert (alone.relative.outcome, alone.absolute.outcome) == ("unmeasurable", "measured")
    assert measured("default", [], {}).outcome == "not_applicable"


def test_unrelated_catalogue_is_not_measured(fitted):
    rng = np.random.default_rng(0)
    wrong = fitted.reference.copy()
    for name in ("RA", "DEC"):
        wrong[name] = rng.uniform(wrong[name].min(), wrong[name].max(), len(wrong))
    found = measured("default", fitted.exposures, {"wrong": wrong})
    assert found.absolute.outcome == "unmeasurable"
    assert found.absolute.reason
