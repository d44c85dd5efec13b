"""The command `snakedriz compare`: what it refuses (what it measures is in tests/report/test_compare_images.py)."""

import pytest
from snakedriz.cli.main import main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "x.pdf"], "x.pdf: is not the name of a PNG file; give --output a name that ends in .png"),
        (["-o", "x.png", "--size", "0"], "--size 0 and --stars 4; give positive numbers for both"),
        (["-o", "x.png", "--stars", "0"], "--size 5 and --stars 0; give positive numbers for both"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_read(arguments, said, capsys):
    assert main(["compare", "a_drc.fits", "b_drc.fits", *arguments]) == 3
    assert capsys.readouterr().err == f"snakedriz: {said}\n"
