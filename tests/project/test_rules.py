"""The names of a rule: its log, its benchmark and its script are found by them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: Rules by name, each with its text.
RULES = {
    found[1]: found[0]
    for path in sorted((ROOT / "rules").glob("*.smk"))
    for found in re.finditer(r"^ *rule (\w+):\n(?:(?: +.*)?\n(?! *rule ))*", path.read_text(), flags=re.M)
}
#: Scripts of several rules, which do the same with other files.
SHARED = {"fetch": "fetch_", "picture": "picture_of_"}


def test_there_are_rules():
    assert len(RULES) >= 25


@pytest.mark.parametrize("rule", sorted(name for name, text in RULES.items() if "script:" in text))
def test_log_benchmark_and_script_are_called_after_their_rule(rule):
    text = RULES[rule]
    names = re.findall(r'"[^"]*\b(?:logs|benchmarks)/([^"/]+)"', text)
    assert all(name.startswith(rule) for name in names), names
    (script,) = re.findall(r"scripts/(\w+)\.py", text)
    assert (ROOT / f"scripts/{script}.py").is_file()
    assert rule.startswith(SHARED[script]) if script in SHARED else script == rule
