"""Fits of whole visits at the level of source tables: true positions, displaced by errors and pointings of known size.

Sources have errors of 0.02 px (1 mas) per axis. The position of an exposure is judged by where its corrected WCS puts
true positions.
"""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.fit_simulator import SETTINGS, offsets_of, reference_table, seen_on, sky_on, source_table
from snakedriz.alignment import visit_fit
from snakedriz.alignment.exposure_sources import ExposureSources
from snakedriz.alignment.tangent_plane import place
from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.visit_fit import VisitFit
from snakedriz.candidates import aposteriori, default
from snakedriz.errors import SnakedrizError
from snakedriz.exposures import skeleton
from snakedriz.fits_headers.rootnames import ExposureKey
from snakedriz.simulate import Visit, simulate_associations
from stwcs.wcsutil import HSTWCS

ERROR = 0.02  # px
FIELD = {"chip_shape": (256, 512), "n_stars": 1, "n_galaxies": 0, "noise": False, "cr_rate": 0.0, "make_raw": False}
DEEP = Visit(asn="jdemo1010", n_exposures=3, pointing_error=(0.35, -0.40), **FIELD)
# Same guide stars, so the same pointing error; the second pair is 150 mas off the rest.
SAME = Visit(
    asn="jdemo1020", filter="F606W", n_exposures=1, first_exposure=3, expstart=DEEP.expstart + 0.03,
    pointing_error=DEEP.pointing_error, **FIELD,
)  # fmt: skip
OFF = Visit(
    asn="jdemo1030", filter="F606W", n_exposures=2, first_exposure=4, expstart=DEEP.expstart + 0.04,
    pointing_error=(0.44, -0.28), **FIELD,
)  # fmt: skip
VISITS = {visit.asn: visit for visit in (DEEP, SAME, OFF)}
ASSOCIATIONS = {name: list(visit.rootnames) for name, visit in VISITS.items()}


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """Skeletons with the default WCS and the true WCS of every exposure, and 120 stars in the first one's field."""
    truths = simulate_associations([DEEP, SAME, OFF], tmp_path_factory.mktemp("visit_fit"))
    skeletons, wcs = {}, {}
    for truth in truths:
        for path, chips in zip(truth.flc, truth.wcs, strict=True):
            skeletons[path.name[:9]] = skeleton.from_exposure(path)
            wcs[path.name[:9]] = chips
    default.make({ExposureKey(root, "flc"): s for root, s in skeletons.items()}, {"jref": str(truths[0].ref)})
    rng = np.random.default_rng(11)
    ra, dec = rng.permutation(sky_on(truths[0].wcs[0], 60, 60, rng)).T
    return skeletons, wcs, ra, dec


def observe(field, seen, seed=5):
    """Exposures in which the stars of the given numbers were found: `seen` maps rootnames to star numbers."""
    skeletons, wcs, ra, dec = field
    rng = np.random.default_rng(seed)
    exposures = []
    for root, stars in seen.items():
        spots = seen_on(wcs[root], ra, dec)
        spots = spots[np.isin(spots[:, 0], stars)]
        spots[:, 2:] += rng.normal(0, ERROR, (len(spots), 2))
        exposures.append(
            ExposureSources(root, copy.deepcopy(skeletons[root]), source_table(spots, ERROR), 500.0, 2012.5)
        )
    return exposures


def catalogue(field, stars):
    _, _, ra, dec = field
    return reference_table(stars, ra[stars], dec[stars], 0.5, epoch=2012.5)


def fit(field, seen, stars, **headers):
    exposures = observe(field, seen)
    for exposure in exposures:
        exposure.skeleton[0].header.update(headers.get(exposure.rootname, {}))
    associations = {n: [r for r in roots if r in seen] for n, roots in ASSOCIATIONS.items()}
    return visit_fit.fit("jdemo1", associations, exposures, catalogue(field, stars), "rscale", SETTINGS, "GAIAeDR3")


def away(field, found, chips=2):
    """From exposure to how far (mas, east and north) its corrected WCS puts true positions, mean of its chips."""
    skeletons, wcs, ra, dec = field
    out = {}
    for row in found.exposures:
        every = []
        for chip in row.chips[:chips]:
            spots = seen_on(wcs[row.rootname], ra, dec, margin=0)
            star, _, x, y = spots[spots[:, 1] == chip.extver].T
            star = star.astype(int)
            mine = HSTWCS(skeletons[row.rootname], ext=("SCI", chip.extver))
            every.append(offsets_of(mine, chip, x, y, ra[star], dec[star]))
        out[row.rootname] = np.vstack(every).mean(axis=0)
    return out


def rows(found):
    return {row.rootname: row for row in found.exposures}


BRIGHT, FEW = list(range(80)), list(range(60, 72))  # the dozen is in no catalogue: its rows are 0 to 29
DEEP_SEEN = dict.fromkeys(DEEP.rootnames, BRIGHT)
ROWS = list(range(30))


def test_a_shallow_pair_is_tied_to_the_deep_exposures_and_shares_their_frame(field, tmp_path):
    """The pair has a dozen stars, 150 mas away and none in the catalogue: 1 mas / sqrt(12) = 0.3 mas per tie and axis.

    Exposures are compared with the mean of the deep ones: 4 x 0.3 mas, and 0.2 mas from truth for the catalogue.
    """
    found = fit(field, {**DEEP_SEEN, **dict.fromkeys(OFF.rootnames, FEW)}, ROWS)
    found.write(tmp_path / "fit.json")
    assert VisitFit.read(tmp_path / "fit.json").to_json() == found.to_json()
    assert (found.outcome, found.valid, found.wcs_kind) == ("ok", True, "SVM")
    assert found.bodies == [[*DEEP.rootnames, *OFF.rootnames]]
    assert {row.status for row in found.exposures} == {"fitted"}
    assert [row.association for row in found.exposures] == ["jdemo1010"] * 3 + ["jdemo1030"] * 2
    where = away(field, found)
    frame = np.mean([where[root] for root in DEEP.rootnames], axis=0)
    assert np.abs(frame).max() < 1.0
    for root in OFF.rootnames:
        assert np.abs(where[root] - frame).max() < 1.2
    ties = {tuple(tie.exposures): tie for tie in found.ties}
    assert len(ties) == 10
    across = ties[DEEP.rootnames[0], OFF.rootnames[0]]
    assert 10 <= across.sources <= 12
    # 1.4 mas / sqrt(12) = 0.4 mas, less what the stars' own residuals say of it: a factor of two is 4 sigma
    assert 0.2 < across.error_mas < 0.8
    assert np.abs(across.offset_mas).max() < 1.6


def test_an_exposure_without_sources_inherits_on_the_same_lock(field):
    """A spectrum, say: it gets the deep exposures' correction, to the 0.5 mas that those are known to."""
    found = fit(field, {**DEEP_SEEN, SAME.rootnames[0]: []}, ROWS)
    heir = rows(found)[SAME.rootnames[0]]
    assert heir.status == "inherited"
    assert heir.inherits.giver == DEEP.rootnames[2]  # the nearest in time
    assert "FGSLOCK FINE" in heir.inherits.why
    assert heir.inherits.checked == "no catalogue stars to check it with"
    assert found.inherited == [heir.inherits]
    assert found.valid
    assert np.abs(away(field, found)[SAME.rootnames[0]]).max() < 1.0


def test_an_exposure_with_stars_of_its_own_only_is_held_by_them_and_by_its_lock(field):
    """Eight stars, none seen by the others, five in the catalogue: they and the lock (10 mas) hold it to 0.5 mas."""
    own = [10, 11, 12, 13, 14, 110, 111, 112]
    deep = {root: [s for s in BRIGHT if s not in own] for root in DEEP.rootnames}
    found = fit(field, {**deep, SAME.rootnames[0]: own}, ROWS)
    assert rows(found)[SAME.rootnames[0]].status == "fitted"
    assert np.abs(away(field, found)[SAME.rootnames[0]]).max() < 2.0


def test_stars_that_contradict_are_believed(field):
    """The other pair lies 150 mas (3 px) off: five catalogue stars say so, and shift it.

    To 1 mas / sqrt(5) per axis; the limit is 4 sigma.
    """
    own = [10, 11, 12, 13, 14, 110, 111, 112]
    deep = {root: [s for s in BRIGHT if s not in own] for root in DEEP.rootnames}
    found = fit(field, {**deep, OFF.rootnames[0]: own}, ROWS)
    assert rows(found)[OFF.rootnames[0]].status == "fitted"
    assert found.inherited == []
    assert np.abs(away(field, found)[OFF.rootnames[0]]).max() < 2.0


def test_without_the_same_lock_nothing_is_inherited(field):
    root = SAME.rootnames[0]
    found = fit(field, {**DEEP_SEEN, root: []}, ROWS, **{root: {"FGSLOCK": "GYROS"}})
    assert root not in rows(found)
    assert [row.rootname for row in found.left_out] == [root]
    assert f"FGSLOCK of {root} is GYROS" in found.left_out[0].reason
    skeletons = {ExposureKey(root, "flc"): copy.deepcopy(field[0][root])}
    solution = aposteriori.make(skeletons, found, "chosen", candidate="visit")
    assert (solution.candidate, solution.outcome) == ("visit", "not_applicable")
    assert "GYROS" in solution.reason


def test_one_direct_image_is_enough_for_a_spectrum(field):
    found = fit(field, {DEEP.rootnames[0]: BRIGHT, SAME.rootnames[0]: []}, ROWS)
    assert found.bodies == []
    assert {r: row.status for r, row in rows(found).items()} == {
        DEEP.rootnames[0]: "fitted", SAME.rootnames[0]: "inherited",
    }  # fmt: skip
    assert np.abs(away(field, found)[SAME.rootnames[0]]).max() < 1.0
    skeletons = {ExposureKey(SAME.rootnames[0], "flc"): copy.deepcopy(field[0][SAME.rootnames[0]])}
    solution = aposteriori.make(skeletons, found, "chosen", candidate="visit")
    assert solution.wcsname == "IDC_9d1snakej-FIT_SVM_GAIAeDR3"
    assert solution.exposures[0].source.startswith(f"solution of {DEEP.rootnames[0]}, inherited: same visit")


def test_two_bodies_without_common_sources_are_both_fitted(field):
    """The pair sees other stars than the deep exposures, and the catalogue has stars of both: two bodies, one frame."""
    found = fit(field, {**DEEP_SEEN, **{root: list(range(80, 120)) for root in OFF.rootnames}}, list(range(0, 120, 2)))
    assert found.bodies == [list(DEEP.rootnames), list(OFF.rootnames)]
    assert {row.status for row in found.exposures} == {"fitted"}
    assert not [t for t in found.ties if t.exposures[0] in DEEP.rootnames and t.exposures[1] in OFF.rootnames]
    where = away(field, found)
    assert max(np.abs(offset).max() for offset in where.values()) < 1.5


def test_nothing_that_can_be_fitted_is_a_recorded_outcome(field):
    found = fit(field, dict.fromkeys(OFF.rootnames, FEW), [])
    assert found.outcome == "not_applicable"
    assert not found.valid
    found = fit(field, dict.fromkeys(OFF.rootnames, FEW), ROWS)
    assert found.outcome == "failed"
    assert found.fit_quality == 5
    assert found.exposures == []


def test_an_exposure_given_twice_is_refused(field):
    exposures = observe(field, {DEEP.rootnames[0]: BRIGHT})
    with pytest.raises(SnakedrizError, match="given twice"):
        visit_fit.fit("v", ASSOCIATIONS, exposures * 2, catalogue(field, ROWS), "rscale", SETTINGS, "GAIAeDR3")


def test_detectors_of_different_pixels_are_tied_in_one_plane(field):
    """An exposure with pixels 2.5 times as large: its sources' errors weigh as many mas, and its frame is the others'.

    Its 60 stars have errors of 2.5 mas: 0.3 mas for the tie; the limit is 4 times that.
    """
    root = SAME.rootnames[0]
    skeletons, wcs, ra, dec = copy.deepcopy(field[:2]) + field[2:]
    for version in (1, 2):
        for key in ("CD1_1", "CD1_2", "CD2_1", "CD2_2"):
            skeletons[root]["SCI", version].header[key] *= 2.5
        wcs[root][version - 1].wcs.cd *= 2.5
        wcs[root][version - 1].wcs.set()
    coarse = (skeletons, wcs, ra, dec)
    exposures = observe(coarse, {**DEEP_SEEN, root: BRIGHT})
    table = exposures[3].sources
    exposures[3] = replace(exposures[3], sources=table[table["chip"] == 1])  # the chips overlap now
    plane, placed = place(exposures)
    assert plane.scale == pytest.approx(0.05, rel=0.03)
    assert np.median(placed[3].error) == pytest.approx(2.5 * ERROR, rel=0.03)
    associations = {"a": list(DEEP.rootnames), "b": [root]}
    found = visit_fit.fit("v", associations, exposures, catalogue(field, ROWS), "rscale", SETTINGS, "GAIAeDR3")
    assert found.bodies == [[*DEEP.rootnames, root]]
    where = away(coarse, found, chips=1)
    assert np.abs(where[root] - np.mean([where[r] for r in DEEP.rootnames], axis=0)).max() < 1.2


def test_the_settings_are_those_of_the_finest_detector(field):
    skeletons = {
        ExposureKey(root, "flc"): copy.deepcopy(field[0][root]) for root in (DEEP.rootnames[0], SAME.rootnames[0])
    }
    for version in (1, 2):
        header = skeletons[ExposureKey(SAME.rootnames[0], "flc")]["SCI", version].header
        for key in ("CD1_1", "CD1_2", "CD2_1", "CD2_2"):
            header[key] *= 2.5
    example = Inventory.read(Path(__file__).parents[1] / "artefacts/examples/inventory.json")
    inventories = [
        example.model_copy(
            update={
                "instrument": "WFC3",
                "detector": name,
                "verification_kind": "flc",
                "exposures": [example.used[0].model_copy(update={"rootname": root})],
            }
        )
        for name, root in (("IR", SAME.rootnames[0]), ("UVIS", DEEP.rootnames[0]))
    ]
    detectors = {"default": {"a": 0}, "WFC3/IR": {"a": 1}, "WFC3/UVIS": {"a": 2}}
    assert visit_fit.finest_settings(detectors, inventories, skeletons) == {"a": 2}
    assert visit_fit.finest_settings(detectors, [], {}) == {"a": 0}
