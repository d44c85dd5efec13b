"""A checkout that nobody can write to: everything the workflow makes goes to its own folder and the results folder."""

import os
import shutil
import subprocess
import sys

import pytest
from helpers import workflow
from snakedriz.simulate import Visit, simulate_visit

pytestmark = pytest.mark.workflow


def no_mount():
    """Why nothing can be mounted read-only here, or nothing."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return "needs root and unshare"
    done = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False)
    return f"no private mounts here: {done.stderr.decode().strip()}" if done.returncode else None


@pytest.mark.skipif(no_mount() is not None, reason=str(no_mount()))
def test_a_checkout_on_a_read_only_mount_works(tmp_path):
    checkout, folder, results = (tmp_path / name for name in ("checkout", "run", "elsewhere/results"))
    for new in (checkout, folder):
        new.mkdir()
    simulate_visit(Visit(chip_shape=(256, 512), n_exposures=2, n_stars=120, n_galaxies=5, seed=11), folder)
    workflow.write_config(folder, output=str(results), candidates=["default"])
    script = """
        set -e
        mount --bind "$1" "$2"
        mount -o remount,ro,bind "$2"
        if touch "$2/written" 2>/dev/null; then echo "still writable"; exit 9; fi
        shift 2
        exec "$@"
    """
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", str(workflow.ROOT), str(checkout),
         sys.executable, "-m", "snakemake", "--snakefile", str(checkout / "Snakefile"), "--directory", str(folder),
         "--configfile", str(folder / "config.yaml"), "--cores", "2"],
        cwd="/", env=workflow.environment(PYTHONPATH=str(checkout / "scripts")), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:]
    assert "Using workflow specific profile" in done.stdout, "profiles/default is found beside the Snakefile"
    assert (results / "jdemo1010/final/manifest.tsv").exists()
    assert str(checkout / "Snakefile") in done.stdout
    assert sorted(path.name for path in checkout.iterdir()) == [], "the mount was this run's own"
