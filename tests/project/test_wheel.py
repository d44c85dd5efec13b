"""The library as a wheel, made from an sdist and installed outside the checkout: complete, and usable by itself."""

import json
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest
from astropy.io import fits
from helpers import drizzled
from snakedriz import __version__

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "scripts/snakedriz"
#: What the package reads besides its modules.
DATA = ("artefacts/schemas/*.json", "settings/*.json", "settings/*.yaml", "py.typed")


def run(*command, cwd, status=0):
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The sdist, made of a copy of the checkout so that nothing is left in it, and the wheel, made of the sdist."""
    base = tmp_path_factory.mktemp("built")
    clone = base / "clone"
    clone.mkdir()
    for name in ("LICENSE", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, clone)
    shutil.copytree(PACKAGE, clone / "scripts/snakedriz", ignore=shutil.ignore_patterns("__pycache__"))
    run(sys.executable, "-c", f"from setuptools import build_meta; build_meta.build_sdist({str(base)!r})", cwd=clone)
    (sdist,) = base.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(base, filter="data")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet")
    run(sys.executable, "-m", "pip", "wheel", *options, "-w", base, base / sdist.name.removesuffix(".tar.gz"), cwd=base)
    (wheel,) = base.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """The command `snakedriz` of a fresh environment: its dependencies are those of the one that runs the tests."""
    base = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", "--without-pip", base / "venv", cwd=base)
    (packages,) = base.glob("venv/lib/python*/site-packages")
    places = [path for path in dict.fromkeys([sysconfig.get_path("purelib"), *sys.path]) if "site-packages" in path]
    (packages / "dependencies.pth").write_text("\n".join(places))
    python = base / "venv/bin/python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "-q", built[1], cwd=base)
    where = run(python, "-c", "import snakedriz; print(snakedriz.__file__)", cwd=base)
    assert Path(where.strip()).parent == packages / "snakedriz"
    return base / "venv/bin/snakedriz"


def test_sdist_and_wheel_hold_every_module_schema_and_table_of_numbers(built):
    wanted = {str(path.relative_to(PACKAGE)) for pattern in ("**/*.py", *DATA) for path in PACKAGE.glob(pattern)}
    assert {"artefacts/schemas/job.schema.json", "settings/config.schema.json", "settings/detectors.yaml"} <= wanted
    sdist, wheel = built
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"scripts/snakedriz/{name}" for name in wanted} <= names
    assert {f"snakedriz/{name}" for name in wanted} <= set(zipfile.ZipFile(wheel).namelist())
    assert sdist.name == f"snakedriz-{__version__}.tar.gz"


def test_solutions_of_exposures_are_listed_and_checked(installed, small_visit, tmp_path):
    for path in small_visit.flc:
        shutil.copy(path, tmp_path)
    files = [path.name for path in small_visit.flc]
    listed = json.loads(run(installed, "wcs", "list", "--format", "json", *files, cwd=tmp_path))
    assert listed
    checked = run(installed, "wcs", "check", *files, cwd=tmp_path, status=1)  # 1: simulated headers have no WCSNAME
    assert "jdemo1a2q_flc.fits: primary : has no WCSNAME" in checked
    assert run(installed, "--version", cwd=tmp_path).split() == ["snakedriz", __version__]


def test_products_are_compared(installed, tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        path, _ = drizzled.write(drizzled.Scene(jitter=0.0, rays=0.0), tmp_path / name, name)
        with fits.open(path, mode="update") as hdul:
            hdul[0].header.update(INSTRUME="ACS", DETECTOR="WFC", FILTER1="CLEAR1L", FILTER2="F814W", EXPTIME=400.0)
        path.rename(tmp_path / f"{name}_drc.fits")
    run(installed, "compare", "a_drc.fits", "b_drc.fits", "-o", "out.png", cwd=tmp_path)
    offset = json.loads((tmp_path / "out.json").read_text())["offset"]
    assert abs(offset["east_mas"]) < 0.02
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
