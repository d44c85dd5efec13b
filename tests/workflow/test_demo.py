"""What the demo says at its end."""

import shutil
from pathlib import Path

import pytest
from helpers.simulated import product
from snakedriz.artefacts.promotion import Promotion
from snakedriz.errors import SnakedrizError
from snakedriz.workflow import demo

EXAMPLE = Path(__file__).parents[1] / "artefacts/examples/promotion.json"


def test_the_winner_and_how_far_each_product_is_from_the_truth(small_visit, tmp_path):
    """Stars displaced by (0.36, -0.41) arcsec in the default product, and by nothing in the final one."""
    for path in small_visit.directory.glob("*.*"):
        shutil.copy(path, tmp_path)
    results = tmp_path / "results/jdemo1010"
    for folder, shift in (("final", (0.0, 0.0)), ("jdemo1010_default", (0.36, -0.41))):
        (results / folder).mkdir(parents=True)
        product(results / folder / "jdemo1010_drc.fits", small_visit, shift)
    promotion = Promotion.read(EXAMPLE)
    promotion.write(results / "promotion.json")
    lines = demo.report(tmp_path, "jdemo1010").splitlines()
    assert lines[1] == f"Promoted: aposteriori ({promotion.wcsname}), verified"
    (final,) = (line.split() for line in lines if line.startswith("  final jdemo1010_drc.fits"))
    (default,) = (line.split() for line in lines if line.startswith("  default candidate"))
    assert float(final[2]) < 1.0
    assert float(default[2]) == pytest.approx(545.6, abs=1.0)
    promotion.model_copy(update={"winner": None, "reason": "all failed"}).write(results / "promotion.json")
    with pytest.raises(SnakedrizError, match="nothing was promoted: all failed"):
        demo.report(tmp_path, "jdemo1010")
