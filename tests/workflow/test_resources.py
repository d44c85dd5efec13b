"""Requests of memory, time and disk space: they grow with the inputs and with every attempt, up to the ceiling."""

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


# MB of exposures the estimate counts, and the largest max_rss seen: in full frames of an ACS/WFC visit, four exposures
# (2 x 2048 x 4096 pixels) and in the demo (2 x 512 x 1024)
MEASURED = {
    "candidate_product": [(671, 2711), (42, 1172)],
    "final_product": [(671, 1170), (42, 451)],
    "final_exposure": [(168, 273), (10.5, 123)],
    "sources": [(168, 699), (10.5, 209)],
    "verification": [(671, 624), (42, 334)],
    "drizzlepac_numbers": [(671, 956), (42, 160)],
    "fit": [(671, 244), (42, 256)],
    "metrics": [(42, 261)],
    "default_solution": [(671, 97), (84, 97)],
    "apriori_solution": [(671, 135), (84, 139)],
}


@pytest.mark.parametrize("rule", sorted(MEASURED))
def test_estimates_are_above_what_was_measured_and_not_far(rule):
    """Far is four times, and what Python and its libraries take anyway."""
    for size, measured in MEASURED[rule]:
        asked = resources.request(rule, "mem_mb", size)
        assert 1.05 * measured < asked < 4 * measured + 300


def test_what_is_fixed_depends_neither_on_size_nor_on_the_attempt():
    found = {(rule, quantity) for rule in resources.ESTIMATES for quantity in ("mem_mb", "runtime", "disk_mb")
             if resources.is_fixed(rule, quantity)}  # fmt: skip
    assert ("fit", "disk_mb") in found
    assert ("final_product", "disk_mb") not in found
    for rule, quantity in found:
        assert resources.request(rule, quantity, 5000, 3) == resources.request(rule, quantity, 0)


def test_a_rule_without_an_estimate_is_an_error():
    with pytest.raises(SnakedrizError, match="no estimate"):
        resources.request("unheard_of", "mem_mb", 1)


def test_the_size_of_what_is_not_there_is_nothing(tmp_path):
    (tmp_path / "a").write_bytes(bytes(1_000_000))
    assert resources.megabytes([tmp_path / "a", tmp_path / "b"]) == 1.0
