import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from snakedriz.artefacts_.common import Check
from snakedriz.artefacts_.comparison import Comparison
from snakedriz.artefacts_.drizzlepac_numbers import DrizzlepacNumbers
from snakedriz.artefacts_.fit import Fit
from snakedriz.artefacts_.registry import ARTEFACTS
from snakedriz.artefacts_.solution import Solution
from snakedriz.artefacts_.visit_fit import Inheritance
from snakedriz.errors import SnakedrizError

EXAMPLES = Path(__file__).parent / "examples"


def _check(**changed):
    return Check(**{"name": "a", "value": 1.5, "limit": 2, "unit": "px", "passed": True, "note": "", **changed})


def _fit(tmp_path, **changed):
    path = tmp_path / "fit.json"
    path.write_text(json.dumps({**json.loads((EXAMPLES / "fit.json").read_text()), **changed}))
    return path


def _refusal(path):
    with pytest.raises(SnakedrizError) as refused:
        Fit.read(path)
    assert "run" in str(refused.value)
    assert str(path) in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_read_and_written_again_is_the_same_file(path, tmp_path):
    model = ARTEFACTS[json.loads(path.read_text(encoding="utf-8"))["schema"].partition("/")[0]]
    found = model.read(path)
    found.write(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()
    assert model.parse(found.to_json(), "again") == found


def test_numbers_of_numpy_become_pythons():
    check = _check(value=np.float32(0.5), limit=np.array([1.0, 2.0]), passed=np.bool_(False))
    assert (check.value, list(check.limit), check.passed) == (0.5, [1.0, 2.0], False)
    assert _check(value=np.int64(3)).to_json()["value"] == 3


@pytest.mark.parametrize("value", [float("nan"), np.inf, -np.inf, np.float64("nan")])
def test_what_is_not_finite_becomes_null(value):
    assert _check(value=value).to_json()["value"] is None


@pytest.mark.parametrize("value", [3, 3.0])
def test_integers_and_floats_stay_what_they_are(value):
    assert type(_check(value=value).to_json()["value"]) is type(value)


@pytest.mark.parametrize("value", ["3", True, [1.0]])
def test_nothing_is_taken_for_a_number_that_is_none(value):
    with pytest.raises(ValidationError):
        _check(value=value)


def test_absent_stays_absent_and_null_stays_null():
    assert "policy" not in _check().to_json()
    assert _check(policy=[]).to_json()["policy"] == []
    assert _check(passed=None).to_json()["passed"] is None


def test_schema_is_written_though_not_given():
    made = Solution(candidate="svm", outcome="not_applicable", reason="no", wcsname="", exposures=[])
    assert made.to_json() == {
        "schema": "solution/1", "candidate": "svm", "outcome": "not_applicable", "reason": "no", "wcsname": "",
        "exposures": [],
    }  # fmt: skip


def test_key_that_is_a_word_of_python():
    made = Inheritance(rootname="a", giver="b", why="", checked="")
    assert made.to_json()["from"] == "b"


def test_nothing_changes_once_made():
    with pytest.raises(ValidationError):
        _check().value = 3.0
    assert _check().model_copy(update={"policy": ["measured"]}).to_json()["policy"] == ["measured"]


def test_numbers_of_drizzlepac_are_all_there_or_none():
    with pytest.raises(ValidationError, match="all of"):
        DrizzlepacNumbers(candidate="a", outcome="ok", reason="", verified=True)
    assert not DrizzlepacNumbers(candidate="a", outcome="ok", reason="").computed


def test_missing_file(tmp_path):
    assert "no such file" in _refusal(tmp_path / "fit.json")


def test_file_that_is_no_json(tmp_path):
    (tmp_path / "fit.json").write_text('{"schema": ')
    assert "is not JSON" in _refusal(tmp_path / "fit.json")


def test_message_names_every_place_what_was_found_and_what_was_expected(tmp_path):
    check = json.loads((EXAMPLES / "fit.json").read_text())["checks"][0]
    checks = [{**check, "vlaue": 1}, {**check, "limit": "x"}, {**check, "limit": [1.0]}]
    said = _refusal(_fit(tmp_path, checks=checks, nmatches="48", fit_quality=9, plane=None))
    for part in (
        "checks[0].vlaue: unknown key, did you mean `value`?",
        "checks[1].limit: expected a number or a list, found 'x'",
        "checks[2].limit: expected a number or 2 items, found [1.0]",
        "nmatches: expected a whole number, found '48'",
        "fit_quality: expected 1, 2, 3, 4, 5 or -1, found 9",
    ):
        assert part in said.replace("\\'", "'")
    assert "plane" not in said


def test_message_for_another_schema_and_a_missing_key(tmp_path):
    path = _fit(tmp_path, schema="fit/2")
    content = json.loads(path.read_text())
    del content["catalog"]
    path.write_text(json.dumps(content))
    said = _refusal(path)
    assert "catalog: must be given" in said
    assert "fit/2" in said
    assert "fit/1" in said


def test_import_is_light():
    code = "import sys, snakedriz.artefacts_.metrics; print([m for m in ('numpy', 'astropy') if m in sys.modules])"
    library = str(Path(sys.modules["snakedriz"].__file__).parents[1])
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env={"PYTHONPATH": library})
    assert ran.stdout == b"[]\n"


def test_offset_may_be_null():
    assert Comparison.read(EXAMPLES / "comparison.json").model_copy(update={"offset": None}).to_json()["offset"] is None
