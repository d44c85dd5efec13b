"""Verdicts by the checks: what was not measured is never verified, and the policies do not mix."""

from snakedriz.artefacts.common import Check
from snakedriz.verification.verdicts import POLICIES, verdict


def test_verdicts_need_a_measurement_and_do_not_mix():
    def verdicts(**passed):
        policies = {"registration": "measured", "psf_width": "measured", "drizzlepac": "drizzlepac"}
        rest = {"value": None, "limit": None, "unit": "", "note": ""}
        checks = [Check(name=n, passed=p, policy=[policies.get(n, "documented")], **rest) for n, p in passed.items()]
        return tuple(verdict(checks, policy) for policy in POLICIES)

    good = dict.fromkeys(("registration", "psf_width", "focus", "similarity", "drizzlepac"), True)
    assert POLICIES == ("measured", "documented", "drizzlepac")
    assert verdicts(**good) == (True, True, True)
    assert verdicts(**dict.fromkeys(good)) == (False, False, False)
    assert verdicts(**good | {"registration": None}) == (False, True, True)
    assert verdicts(**good | {"registration": False}) == (False, True, True)
    assert verdicts(**good | {"psf_width": False}) == (False, True, True)
    assert verdicts(**good | {"psf_width": None}) == (True, True, True)
    assert verdicts(**good | {"focus": None}) == (True, False, True)
    assert verdicts(**good | {"similarity": None}) == (True, False, True)
    assert verdicts(**good | {"similarity": False}) == (True, False, True)
    assert verdicts(**good | {"drizzlepac": False}) == (True, True, False)
