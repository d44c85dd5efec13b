"""What goes into a snapshot's archive, and that the same files give the same bytes."""

import os
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml
from astropy.table import Table
from snakedriz import settings
from snakedriz.artefacts.inventory import Inventory, ReferenceFile
from snakedriz.files import sha256
from snakedriz.workflow import snapshot

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "tests/artefacts/examples/inventory.json"
SWITCHES = {"apply_apriori": True, "compute_aposteriori": False}


def contents(folder, **config):
    """An association with one exposure, a reference file and a catalogue of two partitions, of which one was used."""
    for name in ("in/ja_flt.fits", "ref/a_idc.fits", "gaia/p1.parquet", "gaia/p2.parquet", "hlets/x_hlet.fits",
                 "out/ja/final/ja_drz.fits", "out/ja/final/manifest.tsv"):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    Table({"RA": [1.0]}, meta={"parts": ["p2.parquet"]}).write(folder / "GAIA.ecsv", overwrite=True)
    config = settings.validate_config({
        "input": str(folder / "in"), "output": str(folder / "out"), "network": True,
        "catalogs": [{"name": "GAIA", "file": str(folder / "gaia")}],
        "candidates": ["default", "IDC_*-HSC30", {"name": "svm", "headerlets": str(folder / "hlets")}], **config,
    })  # fmt: skip
    reference = ReferenceFile(
        name="jref$a_idc.fits", path=str(folder / "ref/a_idc.fits"), sha256="0" * 64, exposures=[]
    )
    inventory = Inventory.read(EXAMPLE).model_copy(update={"reference_files": {"IDCTAB": [reference]}})
    results = [str(folder / "out/ja/final" / name) for name in ("ja_drz.fits", "manifest.tsv")]
    used = snapshot.UsedFiles([str(folder / "in/ja_flt.fits")], [inventory], [], [str(folder / "GAIA.ecsv")], results)
    return snapshot.gather("ja", ["ja"], config.as_dict(), used, SWITCHES, ROOT)


def test_everything_is_there_under_names_of_its_own(tmp_path):
    found = contents(tmp_path, services={"mast": "https://me:hunter2@mast.example"})
    names = set(found.files)
    assert names >= {"data/ja_flt.fits", "references/jref/a_idc.fits", "catalogs/1/gaia/p2.parquet", "rerun.sh",
                     "candidates/svm/x_hlet.fits", "workflow/Snakefile", "workflow/scripts/fit.py",
                     "versions.txt"}  # fmt: skip
    assert "catalogs/1/gaia/p1.parquet" not in names
    assert not [name for name in names if "__pycache__" in name]
    text = found.files["config.yaml"].decode()
    assert "hunter2" not in text
    assert str(tmp_path) not in text
    again = settings.validate_config(yaml.safe_load(text))
    assert (again["network"], again["associations"], again["input"]) == (False, ["ja"], "data")
    assert again["alternatives"] == {"hsc30": {"either": "IDC_*-HSC30"}, "svm": {"headerlets": "candidates/svm"}}
    assert found.files["products.sha256"].decode().split()[1::2] == [
        "results/ja/final/ja_drz.fits", "results/ja/final/manifest.tsv",
    ]  # fmt: skip


def test_the_same_files_give_the_same_bytes(tmp_path):
    digests = []
    for name in ("one", "two"):
        found = contents(tmp_path / name)
        os.utime(tmp_path / name / "in/ja_flt.fits", (1e9, 1e9))
        found.write(tmp_path / f"{name}.tar", "ja_snapshot")
        digests.append(sha256(tmp_path / f"{name}.tar"))
    assert digests[0] == digests[1]
    with tarfile.open(tmp_path / "one.tar") as archive:
        archive.extractall(tmp_path / "there", filter="data")
    place = tmp_path / "there/ja_snapshot"
    assert subprocess.run(["sha256sum", "-c", "--quiet", "contents.sha256"], cwd=place, check=False).returncode == 0
    assert subprocess.run(["sh", "-n", "rerun.sh"], cwd=place, check=False).returncode == 0
    assert "ASTROMETRY_COMPUTE_APOSTERIORI=off" in (place / "rerun.sh").read_text()


def test_two_files_of_one_name_are_refused(tmp_path):
    found = snapshot.Contents()
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.fits").write_text(name)
    found.add("data/x.fits", tmp_path / "a/x.fits")
    with pytest.raises(ValueError, match="rename one"):
        found.add("data/x.fits", tmp_path / "b/x.fits")
