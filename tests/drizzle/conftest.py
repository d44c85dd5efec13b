"""AstroDrizzle's work on a simulated visit, once for all tests of the room."""

import hashlib

import pytest
from helpers.drizzle_runs import FIXED_BITS, PARAMETERS, inputs
from snakedriz.candidates import apriori, default
from snakedriz.drizzle import engine
from snakedriz.exposures import skeleton
from snakedriz.fits_headers.rootnames import ExposureKey


@pytest.fixture(scope="package")
def drizzled(small_visit, tmp_path_factory):
    """A flagging run with the default WCS, and a run with the guide-star WCS that reuses its flags."""
    folder = tmp_path_factory.mktemp("drizzled")
    before = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in small_visit.data.iterdir()}
    skeletons = {ExposureKey.parse(path): skeleton.from_exposure(path) for path in small_visit.flc}
    default.make(skeletons, {"jref": str(small_visit.ref)})
    a, b = (engine.DrizzleOutput(*(folder / f"{n}_{s}.fits" for s in ("drc", "crmask", "singles"))) for n in "ab")
    with (folder / "a.log").open("w") as log:
        options = {"temporary_directory": folder, "log_file": log, "fixed_bits": FIXED_BITS}
        engine.drizzle(inputs(small_visit, skeletons), PARAMETERS, a, **options)
    apriori.make(skeletons, None, [str(small_visit.offsets)])
    with (folder / "b.log").open("w") as log:
        engine.drizzle(
            inputs(small_visit, skeletons), PARAMETERS, b, reuse=a.crmask, temporary_directory=folder, log_file=log
        )
    after = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in small_visit.data.iterdir()}
    assert after == before
    return folder
