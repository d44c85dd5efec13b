"""Targets that make pictures, as Snakemake plans them."""

import pytest
from helpers import workflow
from snakedriz.simulate import Visit, simulate_visit

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two small exposures with their association."""
    made = tmp_path_factory.mktemp("pictures")
    simulate_visit(Visit(n_exposures=2, seed=3, chip_shape=(256, 512), n_stars=120, n_galaxies=5), made)
    workflow.write_config(made)
    return made


def planned(folder, *targets):
    """The dry run, and its jobs by rule."""
    done = workflow.run(folder, *targets, "-n")
    jobs = {}
    for line in done.output.splitlines():
        words = line.split()
        if len(words) == 2 and words[1].isdigit():
            jobs[words[0]] = int(words[1])
    return done, jobs


def test_pictures_of_every_other_candidate(folder):
    done, jobs = planned(folder, "pictures")
    assert done.code == 0, done.tail
    assert (jobs["picture_of_candidates"], jobs["candidate_product"]) == (2, 3)  # default, a priori, a posteriori
    assert "final_product" not in jobs


def test_a_candidate_switched_off_has_no_picture(folder):
    done = workflow.run(folder, "-n", "pictures", ASTROMETRY_COMPUTE_APOSTERIORI="off")
    assert done.code == 0, done.tail
    assert "default_vs_apriori.png" in done.output
    assert "default_vs_aposteriori.png" not in done.output


def test_any_two_candidates_and_any_two_associations(folder):
    done, jobs = planned(
        folder, "results/jdemo1010/pictures/apriori_vs_aposteriori.gif",
        "results/pictures/jdemo1010_vs_jdemo1a1q_default.json",
    )  # fmt: skip
    assert done.code == 0, done.tail
    assert (jobs["picture_of_candidates"], jobs["picture_of_associations"]) == (1, 1)


def test_an_unknown_candidate_is_refused(folder):
    done, _ = planned(folder, "results/jdemo1010/pictures/default_vs_nonesuch.png")
    assert done.code != 0
    assert "jdemo1010_nonesuch" in done.output
