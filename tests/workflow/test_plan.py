"""Paths of what a run works on and makes, from configuration and file names alone; exposures without pixels."""

import inspect
from types import SimpleNamespace

import pytest
from helpers import many_associations
from snakedriz.workflow import targets
from snakedriz.workflow.plan import Plan

ASN = many_associations.association(0)
ROOTS = [f"{many_associations.visit(0)}a{n}q" for n in (1, 2, 3, 4)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plan")
    many_associations.make(folder, 2)
    return folder


@pytest.fixture
def make(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return lambda environ=None, given=str, **config: Plan({**many_associations.CONFIG, **config}, environ or {}, given)


def test_exposures_are_those_of_the_table_of_the_kind_that_is_judged_first(make):
    plan = make()
    assert plan.wanted == plan.processed == [many_associations.association(n) for n in (0, 1)]
    assert list(plan.members(ASN)) == ROOTS
    assert plan.kinds(ASN) == ("flc", "flt")
    assert [path.rpartition("/")[2] for path in plan.exposures(ASN)] == [f"{root}_flc.fits" for root in ROOTS]
    assert plan.all_exposures(ASN) == [*plan.exposures(ASN, "flc"), *plan.exposures(ASN, "flt")]
    assert plan.exposure("nowhere", "flc") == []
    assert plan.drizzled(ASN, "apriori", "_crmask") == f"results/{ASN}/{ASN}_apriori/{ASN}_drc_crmask.fits"


def test_what_is_found_is_marked_and_what_is_made_is_not(make):
    """So a prefix of an outer workflow goes before the one and not before the other."""
    plan = make(given=lambda path: f"found:{path}")
    found = [*plan.all_exposures(ASN), *plan.association_files(ASN), plan.fetched.catalog(ASN, "GAIAeDR3"),
             *plan.fetched.offsets(ASN)]  # fmt: skip
    made = [*plan.start_of_fit(ASN), *plan.all_fits(ASN), *plan.sources(ASN), *targets.results(plan),
            *targets.candidate_files(plan), *targets.pictures(plan), *targets.consistency(plan)]  # fmt: skip
    assert all(path.startswith("found:") for path in found)
    assert all(path.startswith("results/") for path in made)


@pytest.mark.parametrize(
    ("environ", "config", "left"),
    [
        ({}, {}, {"default", "apriori", "aposteriori"}),
        ({"ASTROMETRY_APPLY_APRIORI": "off"}, {}, {"default", "aposteriori"}),
        ({"ASTROMETRY_COMPUTE_APOSTERIORI": "no"}, {}, {"default", "apriori"}),
        ({}, {"catalogs": []}, {"default", "apriori"}),
        ({}, {"solutions": {}}, {"default", "aposteriori"}),
    ],
)
def test_a_candidate_that_is_ruled_out_asks_for_nothing(make, environ, config, left):
    plan = make(environ, **config)
    assert {name for name in plan.candidates(ASN) if plan.may_apply(name)} == left
    for name in plan.candidates(ASN):
        assert bool(plan.to_verify(ASN, name)) == (name in left)
        assert bool(plan.to_compare_with(ASN, name)) == (name in left - {"default"})
        assert bool(plan.astrometry(ASN, name)) == (name in left and bool(plan.catalogs))
        assert bool(plan.sources_to_compare(ASN, name)) == (name in left)
    assert bool(plan.all_fits(ASN)) == ("aposteriori" in left)
    assert any("_apriori/" in path for path in plan.start_of_fit(ASN)) == ("apriori" in left)
    assert {path.split("_vs_")[1] for path in targets.pictures(plan)} == {f"{n}.png" for n in left - {"default"}}


def test_a_visit_takes_in_what_the_user_groups(make):
    both = [many_associations.association(n) for n in (0, 1)]
    plan = make(candidates=["default", "visit"], visit={"group": [both]})
    assert plan.associations_of(plan.visit_of(both[1])) == plan.fitted_together(ASN) == both
    assert len(plan.visit_sources(both[0])) == len(plan.visit_exposures(both[0])) == 8
    assert plan.of_every_association("x/{asn}")(SimpleNamespace(visit=both[0])) == [f"x/{asn}" for asn in both]
    assert make().fitted_together(ASN) == [ASN]


def test_flags_are_those_of_candidates_that_may_apply(make):
    names = ("aposteriori", "apriori", "default")
    assert sorted(make().crmasks(ASN)) == [f"results/{ASN}/{ASN}_{name}/{ASN}_drc_crmask.fits" for name in names]
    assert len(make(catalogs=[]).crmasks(ASN)) == 2


def test_what_jobs_ask_for_grows_with_the_exposures(make):
    plan = make()
    asked = plan.resources("final_product", lambda wildcards: plan.exposures(wildcards.asn))
    assert list(inspect.signature(asked["mem_mb"]).parameters) == ["wildcards", "attempt"]
    wildcards = SimpleNamespace(asn=ASN)
    without = plan.resources("final_product")["mem_mb"](wildcards, 1)
    assert without <= asked["mem_mb"](wildcards, 1) < asked["mem_mb"](wildcards, 2)
    assert plan.resources("fit")["disk_mb"] == 100


def test_fetches_name_what_is_absent_and_what_services_have(make):
    plan = make(network=True, associations=[ASN, "jnotyet10"], catalogs=[{"name": "GAIAeDR3", "service": "stsci"}],
                solutions={"offsets": "fetch"})  # fmt: skip
    visit = many_associations.visit(0)
    assert targets.fetches(plan) == [
        f"fetched/catalogs/{visit}_GAIAeDR3.ecsv", "fetched/exposures/jnotyet10.ecsv", f"fetched/offsets/{visit}.ecsv",
        f"fetched/references/{visit}.ecsv",
    ]  # fmt: skip
    assert targets.fetches(make()) == ["results/missing/fetch"]
