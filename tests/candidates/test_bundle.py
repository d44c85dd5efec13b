"""What every candidate is written as, and from which one a fit starts."""

import copy

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


def written(folder, name, skeletons, outcome="ok"):
    """Paths of solution and bundle of a candidate."""
    solution = bundle.not_applicable(name, "no offsets").model_copy(update={"outcome": outcome})
    files = [str(folder / name / "solution.json"), str(folder / name / "x_wcs.fits")]
    solution.write(files[0])
    bundle.write(files[1], solution, skeletons)
    return files


def test_a_fit_starts_from_the_most_preferred_candidate_that_has_a_wcs(default_skeletons, tmp_path):
    files = written(tmp_path, "default", default_skeletons)
    files += written(tmp_path, "apriori", default_skeletons, outcome="not_applicable")
    start = bundle.starting_point(files)
    assert (start.candidate, list(start.skeletons), start.note) == ("default", list(default_skeletons), "")
    assert skeleton.read_bundle(files[-1]) == {}  # a candidate that does not apply has no exposures
    assert fits.getheader(files[-1])["REASON"] == "no offsets"
    with pytest.raises(NotApplicable, match="no candidate has a WCS"):
        bundle.starting_point(files[2:])


def test_an_a_priori_starts_the_fit_only_where_it_moves_the_set_as_one(small_visit, default_skeletons, tmp_path):
    """Offsets as of the guide stars move both exposures alike; then 0.1 px (5 mas) are added to the second.

    Whatever starts a fit stays in it where the stars do not suffice. It was taken whatever it did to the exposures.
    """
    files = written(tmp_path, "default", default_skeletons)
    moved = copy.deepcopy(default_skeletons)
    apriori.make(moved, None, [str(small_visit.offsets)])
    start = bundle.starting_point([*files, *written(tmp_path, "apriori", moved)])
    assert (start.candidate, start.note) == ("apriori", "")
    second = small_visit.flc[1].name[:9]
    for owner, exposure in moved.items():
        if owner.rootname == second:
            for chip in (1, 2):
                exposure["SCI", chip].header["CRVAL2"] += 0.005 / 3600
    start = bundle.starting_point([*files, *written(tmp_path, "apriori", moved)])
    assert start.candidate == "default"
    assert start.note.startswith(
        "starts from default, not from apriori, which moves exposures against each other by 0.1"
    )
    assert second in start.note
    default_wcs = [e["SCI", 1].header["CRVAL1"] for e in default_skeletons.values()]
    assert [e["SCI", 1].header["CRVAL1"] for e in start.skeletons.values()] == default_wcs
