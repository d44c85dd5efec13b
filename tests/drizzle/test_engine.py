"""AstroDrizzle through our door, on a simulated visit: CR flags, singles, product, masks."""

import tempfile
from pathlib import Path

import pytest
from helpers.drizzle_runs import FIXED_BITS, PARAMETERS, inputs
from snakedriz.candidates import default
from snakedriz.drizzle import engine
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


@pytest.mark.parametrize(
    ("given", "accepted"),
    [("336", 336), (336, 336), ("16,64", 80), ("16+64", 80), ("65535", 65535), (None, 65535), (0, 0)],
)
def test_bits_that_single_drizzles_accept(given, accepted):
    """Pixels with other flags do not contribute, and taint no source."""
    assert engine._accepted({"driz_sep_bits": given}) == accepted


def test_all_bits_are_accepted_where_the_table_names_none():
    assert engine._accepted({}) == 65535
