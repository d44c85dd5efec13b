"""The command `snakedriz wcs`, run as the terminal does, on copies of real archive headers."""

import json
import shutil

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from helpers.real_headers import copy_of, sha
from snakedriz.cli.main import main
from snakedriz.wcs import sky_positions, solutions, switching, validation


@pytest.fixture
def visit(tmp_path):
    """Two UVIS exposures of one association and an IR exposure of another: one visit, different solutions."""
    folder = tmp_path / "visit"
    folder.mkdir()
    for name, root in (("sample_ipppssoot_flc", "ib4606c5q_flc"), ("sample_svm_flc", "ib4606c6q_flc"),
                       ("sample_ipppssoot_flt", "ib4606cpq_flt")):  # fmt: skip
        copy_of(name, folder, f"{root}.fits")
    return folder


def run(capsys, *arguments):
    status = main(["wcs", *map(str, arguments)])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_list_in_three_formats(visit, capsys):
    status, out, _ = run(capsys, "list", visit)
    assert status == 0
    assert "HDRLET,10" in out
    assert len(out.splitlines()) == 1 + (1 + 3 + 8) + (1 + 4 + 10) + (1 + 3 + 9)
    status, out, _ = run(capsys, "list", "--format", "json", visit / "ib4606cpq_flt.fits")
    rows = json.loads(out)
    assert [(r["where"], r["nmatch"]) for r in rows if r["active"]] == [("primary", 276), ("HDRLET,9", 276)]
    status, out, _ = run(capsys, "list", "--format", "ecsv", visit)
    table = Table.read(out, format="ascii.ecsv")
    assert len(table) == 40
    row = table[(table["where"] == "HDRLET,5") & (table["file"] == "ib4606c5q_flc.fits")][0]
    assert (row["wcsname"], row["nmatch"]) == ("IDC_2731450pi-FIT_REL_GAIADR2", 691)
    assert row["rms_ra_mas"] == pytest.approx(9.0086, abs=1e-4)


def test_show(visit, capsys):
    status, out, _ = run(capsys, "show", visit / "ib4606c6q_flc.fits", "--solution", "*-FIT_SVM_GAIAeDR3")
    assert status == 0
    assert "primary (active)" in out
    assert "still holds IDC_2731450pi-FIT_REL_GAIAeDR3" in out
    assert "--repair-to" in out
    status, _, err = run(capsys, "show", visit / "ib4606c6q_flc.fits", "--solution", "none such")
    assert (status, "no solution matches" in err) == (3, True)


def test_switch_undo_and_dry_run(visit, capsys):
    before = {path: sha(path) for path in visit.iterdir()}
    status, out, _ = run(capsys, "switch", "--dry-run", "--to", "*-GSC240", visit)
    assert status == 0
    assert out.count("would switch") == 3
    assert {path: sha(path) for path in visit.iterdir()} == before
    status, out, _ = run(capsys, "switch", "--to", "*-GSC240", "--format", "json", visit)
    assert status == 0
    assert [r["after"].partition("-")[2] for r in json.loads(out)] == ["GSC240"] * 3
    assert all(r["proof_microarcsec"] <= 1 and r["archived"] for r in json.loads(out))
    for path in visit.iterdir():
        assert fits.getheader(path, ("SCI", 1))["WCSNAME"].endswith("-GSC240")
    assert "is active already" in run(capsys, "switch", "--to", "*-GSC240", visit)[1]
    now = {path: sha(path) for path in visit.iterdir()}
    assert run(capsys, "undo", "--dry-run", visit)[0] == 0
    assert {path: sha(path) for path in visit.iterdir()} == now
    status, out, _ = run(capsys, "undo", visit)
    assert (status, out.count("byte for byte")) == (0, 3)
    assert {path: sha(path) for path in visit.iterdir()} == before
    assert run(capsys, "undo", visit)[0] == 3


def test_one_file_that_cannot_be_switched_does_not_stop_the_others(visit, capsys):
    status, out, err = run(capsys, "switch", "--to", "*-FIT_SVM_GAIAeDR3", visit)
    assert status == 3
    assert "ib4606c6q_flc.fits: IDC_2731450pi-FIT_SVM_GAIAeDR3 is active already" in out
    assert err.count("no solution matches") == 2
    assert run(capsys, "list", visit / "absent.fits")[0] == 3
    with pytest.raises(SystemExit) as wrong:
        main(["wcs", "switch", str(visit)])
    assert wrong.value.code == 2


def test_headerlets_are_exported_and_applied_by_destim(visit, tmp_path, capsys):
    """Export, then apply to pristine copies: the sky is that of the exported solution, on both chips."""
    hlets = tmp_path / "hlets"
    status, _, _ = run(capsys, "export", "--solution", "*-FIT_SVM_GAIADR2", "--output", hlets, visit)
    assert status == 0
    assert len(list(hlets.iterdir())) == 3
    assert run(capsys, "export", "--solution", "*-FIT_SVM_GAIADR2", "--output", hlets, visit)[0] == 3
    for path in hlets.iterdir():  # as from elsewhere: a name and a WCS that the exposures do not have
        with fits.open(path, mode="update") as hdul:
            hdul[0].header["WCSNAME"] = hdul[0].header["WCSNAME"].replace("DR2", "DR9")
            hdul[0].header["HDRNAME"] = hdul[0].header["HDRNAME"].replace("DR2", "DR9")
            for hdu in hdul:
                if hdu.name == "SIPWCS":
                    hdu.header["WCSNAME"] = hdul[0].header["WCSNAME"]
                    hdu.header["CRVAL2"] += 1e-5
    expected = {}
    for path in sorted(visit.iterdir()):
        exposure = solutions.open_exposure(path)
        chosen = switching.choose(exposure, validation.inspect(exposure), "*SVM_GAIADR2")
        expected[path] = sky_positions.of_solution(exposure, chosen)
    before = {path: sha(path) for path in visit.iterdir()}
    assert run(capsys, "apply-headerlet", "--dry-run", hlets, visit)[0] == 0
    assert {path: sha(path) for path in visit.iterdir()} == before
    status, _, err = run(capsys, "apply-headerlet", hlets, visit)
    assert (status, err) == (0, "")
    for path, base in expected.items():
        exposure = solutions.open_exposure(path)
        assert solutions.read(exposure)[0].kind == "FIT_SVM_GAIADR9"
        assert [s.active for s in solutions.read(exposure) if s.kind == "FIT_SVM_GAIADR9"] == [True, True]
        for chip, sky in sky_positions.of_exposure(exposure).items():
            # 1e-5 deg = 36 mas in Dec at the reference point; less than 1e-5 of that is lost over the field
            np.testing.assert_allclose((sky - base[chip])[:, 1] * 3.6e6, 36.0, atol=1e-3)
    run(capsys, "undo", visit)
    assert {path: sha(path) for path in visit.iterdir()} == before
    other = visit / "ib4606c5q_flc.fits"
    one = next(path for path in hlets.iterdir() if path.name.startswith("ib4606c6q"))
    status, _, err = run(capsys, "apply-headerlet", one, other)
    assert (status, "no headerlet with DESTIM ib4606c5q" in err) == (3, True)


def test_check_names_disagreement_damage_and_the_best_common_solution(visit, tmp_path, capsys):
    status, out, _ = run(capsys, "check", visit)
    assert status == 1
    assert "association ib4606060: INCONSISTENT" in out
    assert "association ib4606070: consistent" in out
    assert "visit 11665_06: INCONSISTENT" in out
    status, out, _ = run(capsys, "check", "--format", "json", "--repair-to", tmp_path / "fixed", visit)
    said = json.loads(out)
    groups = {(g["kind"], g["name"]): g for g in said["groups"]}
    group = groups["visit", "11665_06"]
    assert group["common"] == [
        "IDC-FIT_REL_GAIAeDR3", "IDC-FIT_SVM_GAIADR2", "IDC-FIT_REL_GAIADR2", "IDC-HSC30", "IDC-GSC240", "IDC"
    ]  # fmt: skip
    assert group["switch"] == "IDC_*-FIT_REL_GAIAeDR3"
    assert "IDC-FIT_SVM_GAIAeDR3: ib4606c6q" in group["warnings"][0]
    assert "each aligned by themselves" in group["notes"][0]
    assert {p["where"] for p in said["problems"]} == {"HDRLET,8", "HDRLET,9", "HDRLET,10"}
    assert sorted(p.name for p in (tmp_path / "fixed").iterdir()) == ["ib4606c5q_flc.fits", "ib4606c6q_flc.fits"]
    shutil.copy(visit / "ib4606cpq_flt.fits", tmp_path / "fixed")
    assert run(capsys, "switch", "--to", group["switch"], tmp_path / "fixed")[0] == 0
    status, out, _ = run(capsys, "check", tmp_path / "fixed")
    assert (status, out.count(": consistent")) == (0, 3)
    status, out, _ = run(capsys, "check", "--format", "ecsv", tmp_path / "fixed")
    table = Table.read(out, format="ascii.ecsv")
    row = table[(table["kind"] == "visit") & (table["rootname"] == "ib4606cpq")][0]
    assert (row["detector"], row["filter"], row["nmatch"]) == ("IR", "F110W", 276)
    assert row["exptime"] == pytest.approx(699.232483)
    assert row["rms_ra_px"] == pytest.approx(9.6275e-3 / 0.12825, rel=1e-4)
