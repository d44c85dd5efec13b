"""--config twice: Snakemake drops the first without a word, and with it a target that stood behind it."""

import subprocess
import sys
from pathlib import Path

import pytest
from snakedriz.workflow.command_line import with_one_config

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "line",
    [
        "fetch --configfile my.yaml --config network=true associations=[a,b] --cores 4",
        "--cores 4 all",
        "-C network=true --cores 4",
        "--config=network=true -n",
    ],
)
def test_one_stays_as_it_is(line):
    assert with_one_config(["/venv/bin/snakemake", *line.split()]) is None


def test_another_program_is_left_alone():
    assert with_one_config(["/snakemake/tool.py", "-C", "a=1", "-C", "b=2"]) is None


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        (
            "--config network=true fetch --config associations=[a,b] --cores 4",
            "fetch --config network=true associations=[a,b] --cores 4",
        ),
        (
            "--configfile my.yaml -C keep=final --config input=data -n all",
            "--config keep=final input=data --configfile my.yaml -n all",
        ),
    ],
)
@pytest.mark.parametrize("program", ["snakemake", "/venv/bin/snakemake", "/lib/snakemake/__main__.py"])
def test_two_become_one(program, line, instead):
    assert with_one_config([program, *line.split()]) == instead.split()


def test_snakemake_then_does_what_is_meant(tmp_path):
    """The target `fetch`, with all keys."""
    command = [sys.executable, "-m", "snakemake", "-s", ROOT / "Snakefile", "-n"]
    words = ["--config", "network=true", "fetch", "--config", "associations=[jbt122010]", "input=data"]
    (tmp_path / "data").mkdir()
    done = subprocess.run([*command, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "snakemake fetch --config network=true 'associations=[jbt122010]' input=data" in done.stderr
    meant = [*command, "fetch", "--config", "network=true", "associations=[jbt122010]", "input=data"]
    again = subprocess.run(meant, cwd=tmp_path, capture_output=True, text=True, check=True)
    jobs, same = (text.partition("Job stats:")[2].partition("[")[0] for text in (done.stdout, again.stdout))
    assert jobs == same
    assert "fetch_exposures" in jobs
