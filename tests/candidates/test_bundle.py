"""What every candidate is written as, and from which one a fit starts."""

import pytest
from astropy.io import fits
from snakedriz.candidates import apriori, bundle, default
from snakedriz.errors import NotApplicable
from snakedriz.exposures import skeleton
from snakedriz.fits_headers.rootnames import ExposureKey


def test_bundles_are_bit_identical(small_visit, tmp_path):
    digests = []
    for name in ("a.fits", "b.fits"):
        found = {ExposureKey.parse(path): skeleton.from_exposure(path) for path in small_visit.flc}
        default.make(found, {"jref": str(small_visit.ref)})
        solution = apriori.make(found, None, [str(small_visit.offsets)])
        bundle.write(tmp_path / name, solution, found)
        digests.append((tmp_path / name).read_bytes())
    assert digests[0] == digests[1]


def test_a_fit_starts_from_the_most_preferred_candidate_that_has_a_wcs(default_skeletons, tmp_path):
    files = []
    for name in ("default", "apriori"):
        solution = bundle.not_applicable(name, "no offsets")
        if name == "default":
            solution = solution.model_copy(update={"outcome": "ok", "wcsname": bundle.wcsnames_of(default_skeletons)})
        files += [str(tmp_path / name / "solution.json"), str(tmp_path / name / "x_wcs.fits")]
        solution.write(files[-2])
        bundle.write(files[-1], solution, default_skeletons)
    name, found = bundle.starting_point(files)
    assert (name, list(found)) == ("default", list(default_skeletons))
    assert skeleton.read_bundle(files[-1]) == {}  # a candidate that does not apply has no exposures
    assert fits.getheader(files[-1])["REASON"] == "no offsets"
    with pytest.raises(NotApplicable, match="no candidate has a WCS"):
        bundle.starting_point(files[2:])
