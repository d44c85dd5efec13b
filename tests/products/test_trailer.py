"""The log of an association that a person reads."""

from pathlib import Path

from snakedriz.artefacts.common import Check
from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.metrics import Metrics
from snakedriz.artefacts.promotion import Promotion
from snakedriz.artefacts.solution import Solution
from snakedriz.products import trailer

EXAMPLES = Path(__file__).parents[1] / "artefacts/examples"


def test_trailer_tells_a_person_what_was_used_and_what_won(tmp_path):
    inventory = Inventory.read(EXAMPLES / "inventory.json")
    left = inventory.exposures[0].model_copy(
        update={"exptime": None, "used": False, "reason": "EXPTIME is not set", "warnings": ["gyros"]}
    )
    inventory = inventory.model_copy(update={"exposures": [left], "warnings": ["no MDRIZTAB"]})
    solution = Solution.read(EXAMPLES / "solution_aposteriori.json")
    check = Check(name="focus", value=0.5, limit=[-1.0, 3.0], unit="z-score", passed=False, note="why")
    metrics = Metrics.read(EXAMPLES / "metrics.json").model_copy(
        update={"candidate": solution.candidate, "checks": [check]}
    )
    promotion = Promotion.read(EXAMPLES / "promotion.json")
    row = promotion.candidates[0].model_copy(update={"candidate": solution.candidate})
    promotion = promotion.model_copy(update={"candidates": [row]})
    trailer.write(tmp_path / "jx.tra", inventory, [solution], [metrics], promotion, ["b/x.fits", "a/x.fits"])
    lines = (tmp_path / "jx.tra").read_text().splitlines()
    text = "\n".join(lines)
    assert "    jdemo1a1q  not measurable  NOT used: EXPTIME is not set\n        warning: gyros" in text
    assert "    warning: no MDRIZTAB" in lines
    assert f"Candidate aposteriori: ok {solution.wcsname}" in lines
    assert "    verdict: verified" in lines
    assert "    expected error: 531.4 mas on the sky (68 %); offset from GAIAeDR3, 48 stars" in text
    assert f"  * fit {solution.chosen_fit.file}: ok, quality 1, " in text
    assert "    FAIL  focus: 0.5 z-score (limit -1 to 3 z-score)  why" in lines
    assert f"Promoted: aposteriori {promotion.wcsname}\n    {promotion.reason}" in text
    assert lines[-2:] == ["Products", "    x.fits"]
