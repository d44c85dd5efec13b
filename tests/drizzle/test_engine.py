"""AstroDrizzle through our door, on a simulated visit: CR flags, singles, product, masks."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from helpers.drizzle_runs import FIXED_BITS, PARAMETERS, inputs
from snakedriz.candidates import apriori, default
from snakedriz.drizzle import cr_masks, engine
from snakedriz.errors import SnakedrizError
from snakedriz.exposures import skeleton
from snakedriz.fits_headers.rootnames import ExposureKey
from snakedriz.simulate import measure_offsets


def test_products_are_where_their_wcs_says(small_visit, drizzled):
    """The default product is off by the pointing error, the a priori one by what the guide stars leave.

    About 20 stars of 1 to 3 mas each in two exposures: the median is good to about 1 mas.
    """
    for name, expected in (("a", (350.0, -400.0)), ("b", (30.0, -20.0))):
        summary = measure_offsets(drizzled / f"{name}_drc.fits", small_visit).meta["summary"]
        assert summary["n"] >= 8
        assert (summary["median_dra_mas"], summary["median_ddec_mas"]) == pytest.approx(expected, abs=2.0)


def test_nothing_is_left_behind(drizzled):
    names = sorted(path.name for path in drizzled.iterdir())
    assert names == sorted(f"{n}{s}" for n in "ab" for s in (".log", "_drc.fits", "_crmask.fits", "_singles.fits"))


@pytest.mark.parametrize("length", [40, 90])
def test_products_do_not_depend_on_the_clock_the_scratch_directory_or_the_number_of_processes(
    small_visit, drizzled, tmp_path, monkeypatch, caplog, length
):
    """Two processes talk through a socket in TMPDIR; where its path is too long for one, one process does it all."""
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        scratch = Path(short, "x" * (length - len(short) - 1))
        scratch.mkdir()
        monkeypatch.setenv("TMPDIR", str(scratch))
        monkeypatch.setattr(tempfile, "tempdir", None)
        skeletons = {ExposureKey.parse(path): skeleton.from_exposure(path) for path in small_visit.flc}
        default.make(skeletons, {"jref": str(small_visit.ref)})
        made = engine.DrizzleOutput(*(tmp_path / f"a_{name}.fits" for name in ("drc", "crmask", "singles")))
        engine.drizzle(inputs(small_visit, skeletons), PARAMETERS, made, cores=2, fixed_bits=FIXED_BITS)
    assert ("one process: " in caplog.text) == (length > 75)
    for name in ("a_crmask.fits", "a_singles.fits", "a_drc.fits"):
        assert (tmp_path / name).read_bytes() == (drizzled / name).read_bytes(), name


def test_a_failure_names_the_log_and_leaves_no_product(small_visit, tmp_path):
    skeletons = {ExposureKey.parse(path): skeleton.from_exposure(path) for path in small_visit.flc}
    default.make(skeletons, {"jref": str(small_visit.ref)})
    made = engine.DrizzleOutput(tmp_path / "a_drc.fits", tmp_path / "a_crmask.fits")
    parameters = {**PARAMETERS, "final_kernel": "no such kernel"}
    with (tmp_path / "a.log").open("w") as log, pytest.raises(SnakedrizError) as found:
        engine.drizzle(inputs(small_visit, skeletons), parameters, made, temporary_directory=tmp_path, log_file=log)
    assert found.value.reason == "AstroDrizzle failed on a with exit code 1"
    assert found.value.remedy == f"see AstroDrizzle's output in {log.name}"
    assert "no such kernel" in (tmp_path / "a.log").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["a.log"]


def with_wcs(visit, candidate):
    """Skeletons of a visit's FLC files with the default WCS or that of the guide stars."""
    found = {ExposureKey.parse(path): skeleton.from_exposure(path) for path in visit.flc}
    default.make(found, {"jref": str(visit.ref)})
    if candidate == "apriori":
        apriori.make(found, None, [str(visit.offsets)])
    return found


@pytest.mark.parametrize(("name", "candidate"), [("a", "default"), ("b", "apriori")])
def test_a_product_is_drizzled_again_as_it_was_without_its_singles(small_visit, drizzled, tmp_path, name, candidate):
    """Flagging afresh, and with given flags: in memory and without single drizzles, to the bit."""
    made = engine.DrizzleOutput(tmp_path / f"{name}_drc.fits")
    masks = drizzled / "a_crmask.fits"
    skeletons = with_wcs(small_visit, candidate)
    reuse = masks if name == "b" else None
    engine.drizzle(inputs(small_visit, skeletons), PARAMETERS, made, reuse=reuse, judged=masks)
    assert [path.name for path in tmp_path.iterdir()] == [made.product.name]
    with fits.open(made.product) as again, fits.open(drizzled / made.product.name) as judged:
        for plane in ("SCI", "WHT", "CTX"):
            assert again[plane].data.tobytes() == judged[plane].data.tobytes(), plane


def test_other_flags_than_those_judged_are_refused_and_no_product_is_left(small_visit, drizzled, tmp_path):
    masks = cr_masks.read_bundle(drizzled / "a_crmask.fits")
    masks["jdemo1a1q"][1][5, 5] ^= True
    cr_masks.write_bundle(tmp_path / "other.fits", masks)
    made = engine.DrizzleOutput(tmp_path / "a_drc.fits")
    given = inputs(small_visit, with_wcs(small_visit, "default"))
    with pytest.raises(SnakedrizError, match="not those that the candidate was judged with"):
        engine.drizzle(given, PARAMETERS, made, reuse=drizzled / "a_crmask.fits", judged=tmp_path / "other.fits")
    assert not made.product.exists()


def test_given_flags_do_not_switch_off_the_static_mask(small_visit, drizzled, tmp_path):
    """A dead pixel that no flag tells of, -300 e-/s where the sky has 0.1: it went into products with given flags."""
    dead = tmp_path / small_visit.flc[0].name
    shutil.copy(small_visit.flc[0], dead)
    with fits.open(dead, mode="update") as hdul:
        hdul["SCI", 1].data[100, 200] = -150_000.0
        hdul["DQ", 1].data[100, 200] = 0
    flags = cr_masks.read_bundle(drizzled / "a_crmask.fits")
    flags["jdemo1a1q"][1][98:103, 198:203] = False
    cr_masks.write_bundle(tmp_path / "flags.fits", flags)
    given = inputs(small_visit, with_wcs(small_visit, "default"))
    given[0] = replace(given[0], source=dead)
    made = engine.DrizzleOutput(tmp_path / "a_drc.fits")
    engine.drizzle(given, PARAMETERS, made, reuse=tmp_path / "flags.fits")
    assert np.nanmin(fits.getdata(made.product, "SCI")) > -10


@pytest.mark.parametrize(
    ("given", "accepted"),
    [("336", 336), (336, 336), ("16,64", 80), ("16+64", 80), ("65535", 65535), (None, 65535), (0, 0)],
)
def test_bits_that_single_drizzles_accept(given, accepted):
    """Pixels with other flags do not contribute, and taint no source."""
    assert engine._accepted({"driz_sep_bits": given}) == accepted


def test_all_bits_are_accepted_where_the_table_names_none():
    assert engine._accepted({}) == 65535
