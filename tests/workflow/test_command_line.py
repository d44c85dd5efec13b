"""--config twice: Snakemake would drop the first without a word, and with it a target that stood behind it."""

import shlex

import pytest
from helpers import workflow
from snakedriz.workflow.command_line import with_one_config


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


def test_several_are_refused_with_the_command_that_is_meant(tmp_path):
    """And that command then does it: the target `fetch`, with all keys."""
    (tmp_path / "data").mkdir()
    snakefile = ["-s", str(workflow.ROOT / "Snakefile"), "-n"]
    words = ["--config", "network=true", "fetch", "--config", "associations=[jbt122010]", "input=data"]
    done = workflow.run_command(tmp_path, *snakefile, *words)
    assert done.code != 0
    meant = "fetch --config network=true 'associations=[jbt122010]' input=data"
    assert f"Give one for all: snakemake {meant} {' '.join(snakefile)}" in done.output
    assert "Traceback" not in done.output
    again = workflow.run_command(tmp_path, *shlex.split(meant), *snakefile)
    assert again.code == 0, again.tail
    assert "fetch_exposures" in again.output.partition("Job stats:")[2].partition("[")[0]
