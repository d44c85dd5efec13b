"""Requests of memory, time and disk space: they grow with the inputs and with every attempt, up to the ceiling.

That they are above what jobs take is asserted of real runs: test_end_to_end.py (`exceeded` of the run's summary).
"""

import re
from pathlib import Path

import pytest
from snakedriz.errors import SnakedrizError
from snakedriz.workflow import resources

RULES = Path(__file__).resolve().parents[2] / "rules"


def test_every_rule_that_does_work_has_an_estimate_and_uses_it():
    """A rule does work when it has a script; the demo's own run is one of its own requests."""
    working = set()
    for path in RULES.glob("*.smk"):
        for block in re.split(r"^(?= *rule \w+:)", path.read_text(), flags=re.M)[1:]:
            name = re.match(r" *rule (\w+):", block)[1]
            if "script:" in block and name != "demo":
                working.add(name)
                assert f'**PLAN.resources("{name}"' in re.sub(r"\(\s+", "(", block), name
    assert working == set(resources.ESTIMATES)


def test_memory_and_time_double_with_every_attempt_up_to_the_ceiling():
    asked = [resources.request("candidate_product", "mem_mb", 671, attempt) for attempt in (1, 2, 3, 9)]
    assert asked[1:3] == [2 * asked[0], 4 * asked[0]]
    assert asked[3] == resources.MEMORY_CEILING_MB
    asked = [resources.request("fit", "runtime", 0, attempt) for attempt in (1, 2)]
    assert asked[1] == 2 * asked[0]
    asked = [resources.request("fit", "disk_mb", 0, attempt) for attempt in (1, 2)]
    assert asked[1] == asked[0]


@pytest.mark.parametrize("quantity", ["mem_mb", "runtime", "disk_mb"])
def test_more_input_never_asks_for_less(quantity):
    for rule in resources.ESTIMATES:
        asked = [resources.request(rule, quantity, size) for size in (0, 42, 671, 5000)]
        assert asked == sorted(asked), rule
        assert asked[0] >= 1, rule


def test_a_rule_without_an_estimate_is_an_error():
    with pytest.raises(SnakedrizError, match="no estimate"):
        resources.request("unheard_of", "mem_mb", 1)


def test_the_size_of_what_is_not_there_is_nothing(tmp_path):
    (tmp_path / "a").write_bytes(bytes(1_000_000))
    assert resources.megabytes([tmp_path / "a", tmp_path / "b"]) == 1.0
