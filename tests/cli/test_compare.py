from snakedriz.cli import main


def test_the_command_line_refuses_what_makes_no_sense(capsys):
    assert main.main(["compare", "a_drc.fits", "b_drc.fits", "-o", "x.jpg"]) == 3
    assert "must end in .png" in capsys.readouterr().err
