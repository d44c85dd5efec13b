"""An error has a reason and a remedy, each by itself and both in its text."""

import pickle

from snakedriz.errors import NotApplicable, SnakedrizError


def test_reason_and_remedy_are_kept_apart():
    error = SnakedrizError("a.fits: no SCI; expected one", "replace the file")
    assert (error.reason, error.remedy) == ("a.fits: no SCI; expected one", "replace the file")
    assert str(error) == "a.fits: no SCI; expected one; replace the file"


def test_they_come_back_from_other_processes():
    error = pickle.loads(pickle.dumps(SnakedrizError("a.fits: is empty", "replace it")))
    assert (error.reason, error.remedy) == ("a.fits: is empty", "replace it")
    assert pickle.loads(pickle.dumps(NotApplicable("no headerlets"))).reason == "no headerlets"
