"""The command `snakedriz`: how much it says, and its exit status."""

import pytest
from helpers.real_headers import content_of, copy_of
from snakedriz.cli.main import main


def test_quiet_leaves_results_and_errors(tmp_path, capsys):
    """A headerlet of an exposure that is not given is a note; --quiet may stand before or after the tool."""
    path = copy_of("sample_svm_flt", tmp_path)
    (tmp_path / "hlets").mkdir()
    content_of(path, 7).writeto(tmp_path / "hlets/own_hlet.fits")
    other = content_of(path, 4)
    other[0].header["DESTIM"] = "ib4606zzq"
    other.writeto(tmp_path / "hlets/other_hlet.fits")
    apply = ["wcs", "apply-headerlet", "--dry-run", str(tmp_path / "hlets"), str(path)]
    noted = f"snakedriz: {tmp_path / 'hlets/other_hlet.fits'} is for ib4606zzq, which is not among the files\n"
    for arguments, said in ((apply, noted), (["--quiet", *apply], ""), ([*apply, "--quiet"], "")):
        assert main(arguments) == 0
        out, err = capsys.readouterr()
        assert "would switch" in out
        assert err == said
    absent = tmp_path / "absent.fits"
    assert main(["--quiet", "wcs", "list", str(absent)]) == 3
    assert capsys.readouterr().err == f"snakedriz: {absent}: there is no such file or folder; check the name\n"


def test_a_wrong_command_line_has_its_own_status(capsys):
    with pytest.raises(SystemExit) as wrong:
        main(["wcs", "list", "--quiet", "--verbose", "x.fits"])
    assert wrong.value.code == 2
    assert "not allowed with argument" in capsys.readouterr().err
