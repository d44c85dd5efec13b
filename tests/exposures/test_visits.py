"""Which associations are one visit, and with which they are fetched."""

from snakedriz.exposures.visits import Visits

WANTED = ["jdemo1010", "jdemo1020", "jdemo2010", "idemo1010"]


def test_by_default_instrument_programme_and_visit_make_a_visit():
    visits = Visits()
    assert visits.of("jdemo1010") == visits.fetched_with("jdemo1a1q") == "jdemo1"
    assert visits.associations(WANTED, "jdemo1") == ["jdemo1010", "jdemo1020"]
    assert visits.associations(WANTED, "idemo1") == ["idemo1010"]


def test_groups_of_the_user_come_first_and_the_rest_stay_alone():
    visits = Visits([["jdemo2010", "jdemo1020"], ["idemo1010", "idemo9010"]])
    assert [visits.of(name) for name in WANTED] == ["jdemo1010", "jdemo1020", "jdemo1020", "idemo1010"]
    assert visits.associations(WANTED, "jdemo1020") == ["jdemo1020", "jdemo2010"]
    assert visits.associations(WANTED, "jdemo1010") == ["jdemo1010"]
    # named by the user, so part of the fit, though its results were not asked for
    assert visits.associations(WANTED, "idemo1010") == ["idemo1010", "idemo9010"]


def test_visits_that_the_user_groups_are_fetched_together():
    visits = Visits([["jdemo1010", "jelse2010"], ["jthird010"]])
    names = ("jelse2a1q", "jdemo1010", "jthird010", "jalone010")
    assert [visits.fetched_with(name) for name in names] == ["jdemo1", "jdemo1", "jthird", "jalone"]
