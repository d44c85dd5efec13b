"""The image: built for real, and the demo in it with no network and a read-only root.

Run with `pytest -m container`, or without the second build with `-m 'container and not slow'`; needs root, Debian's
buildah, podman, debootstrap and runc, and what apt and pip reach.
"""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from helpers import image_builder as builders
from helpers import workflow
from snakedriz.simulate import Visit, simulate_visit

pytestmark = [
    pytest.mark.container,
    pytest.mark.skipif(bool(builders.missing()), reason=builders.missing() or "it can be built"),
]

#: Owner of /data in the tests: no user of the image, and not root.
OWNER = 4321


@pytest.fixture(scope="module")
def builder():
    made = builders.Builder()
    yield made
    made.close()


@pytest.fixture(scope="module")
def image(builder):
    """The id of the image that the tests run, tagged `a`."""
    builder.make_base()
    return builder.build("a")


@pytest.fixture
def folder(tmp_path):
    """A folder of OWNER's, to be mounted as /data."""
    path = tmp_path / "data"
    path.mkdir()
    os.chown(path, OWNER, OWNER)
    return path


@pytest.mark.slow
def test_two_builds_from_scratch_have_the_same_id(builder, image):
    again = builder.build("b")
    size = int(builder.inspect("a", "{{.Size}}"))
    print(f"{image}: {size / 1e6:.0f} MB, built in {builder.seconds['a']:.0f} s and {builder.seconds['b']:.0f} s")
    assert again == image


def test_the_image_is_slim_and_labelled(builder, image):
    """Below 1.5 GB: 1 GB of packages that drizzlepac, astropy and Snakemake need, 0.2 GB of Debian and Python."""
    assert int(builder.inspect("a", "{{.Size}}")) < 1.5e9
    labels = json.loads(builder.inspect("a", "{{json .Labels}}"))
    assert labels["org.opencontainers.image.title"] == "snakedriz"
    script = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    listed = builder.run("podman", "run", "--rm", "--entrypoint", "python", "localhost/snakedriz:a", "-c", script)
    installed = json.loads(listed.stdout)
    named = {key.rpartition(".")[2]: value for key, value in labels.items() if key.startswith("snakedriz.version.")}
    assert named and {name: installed[name] for name in named} == named


def test_nothing_that_compiles_or_installs_is_left_in_it(builder, image):
    found = builder.run(
        "podman", "run", "--rm", "--entrypoint", "find", "localhost/snakedriz:a", "/usr", "/opt", "-xdev", "(", "-name",
        "*gcc*", "-o", "-name", "cc1*", "-o", "-name", "g++*", "-o", "-name", "as", "-o", "-name", "ld", "-o", "-name",
        "pip", "-o", "-name", "pip3*", "-o", "-name", "*.pyc.*", ")", "-type", "f", "-perm", "/111",
    )  # fmt: skip
    assert [line for line in found.stdout.split() if "libgcc" not in line] == []


def test_it_runs_as_the_owner_of_data_without_any_capability(builder, image, folder):
    """What a job of the workflow is inside, by /proc: user, capabilities, and that it cannot gain any."""
    (folder / "who.smk").write_text('rule:\n    output: "status"\n    shell: "cat /proc/self/status > {output}"\n')
    builder.run_image(folder, "--snakefile", "/data/who.smk", "--cores", "1")
    status = dict(line.split(":\t", 1) for line in (folder / "status").read_text().splitlines())
    assert set(status["Uid"].split()) == set(status["Gid"].split()) == {str(OWNER)}
    assert {status[name] for name in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    assert (folder / "status").stat().st_uid == OWNER


def test_a_user_who_may_not_write_to_data_is_told_so(builder, image, folder):
    done = builder.run_image(folder, "--cores", "1", "demo", options=["--user", "1234"], check=False)
    assert done.returncode == 1
    assert "user 1234 may not write to /data, which belongs to user 4321" in done.stdout


def test_the_command_line_tools_are_in_it(builder, image, folder):
    done = builder.run_image(folder, "snakedriz", "--version")
    assert done.stdout.strip() == f"snakedriz {importlib.metadata.version('snakedriz')}"


def assert_same_results(inside, outside):
    """Every file of two results folders bit by bit, but for what says when and where a job ran."""
    found = [
        {
            name: digest
            for name, digest in workflow.digests(path).items()
            if not {"logs", "benchmarks", "runs", ".snakedriz_run.json"} & set(Path(name).parts)
        }
        for path in (inside, outside)
    ]
    assert set(found[0]) == set(found[1])
    assert len([name for name in found[0] if name.endswith("promotion.json")]) == 1
    assert len([name for name in found[0] if name.endswith("_drc.fits")]) >= 2
    assert [name for name, digest in found[0].items() if found[1][name] != digest] == []


def test_the_demo_inside_has_the_results_of_the_demo_outside(builder, image, folder, tmp_path):
    """With no network and a read-only root; what Python, the C library and the file system are must not matter."""
    inside = builder.run_image(folder, "--cores", "2", "demo")
    assert "Promoted: aposteriori" in inside.stdout
    assert {path.stat().st_uid for path in folder.rglob("*")} == {OWNER}
    here = tmp_path / "outside"
    here.mkdir()
    outside = subprocess.run(
        [sys.executable, "-m", "snakemake", "--snakefile", str(builders.ROOT / "Snakefile"), "--cores", "2", "demo"],
        cwd=here, env=workflow.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert outside.returncode == 0, outside.stdout[-6000:]
    assert_same_results(folder / "demo/results", here / "demo/results")
    assert (folder / "demo/demo.txt").read_text() == (here / "demo/demo.txt").read_text()


def test_rules_run_in_the_image_with_sdm_apptainer(builder, image, tmp_path):
    """Every job goes through the stand-in, and the results are those of a run without --sdm.

    What is tested is this side: the directives, what is bound, and that scripts find their library, its schemas and
    nothing of the host's.
    """
    visit = Visit(chip_shape=(256, 512), n_exposures=2, n_stars=120, n_galaxies=5, seed=11)
    with_image, without = tmp_path / "with", tmp_path / "without"
    simulate_visit(visit, with_image)
    workflow.write_config(with_image)
    shutil.copytree(with_image, without)
    (with_image / "snakedriz.sif").write_text("localhost/snakedriz:a\n")
    calls = tmp_path / "calls"
    path = os.pathsep.join([str(Path(__file__).parent), os.environ["PATH"]])
    binds = f"--bind {builders.ROOT} --bind {tempfile.gettempdir()}"
    done = workflow.run(
        with_image, "--sdm", "apptainer", "--apptainer-args", binds, PATH=path,
        APPTAINER_STAND_IN_CALLS=str(calls), **builder.environment,
    )  # fmt: skip
    assert done.code == 0, done.tail
    jobs = [rule for rule in done.rules if rule != "all"]
    assert len(jobs) >= 10 and len(calls.read_text().splitlines()) == len(jobs)
    plain = workflow.run(without)
    assert plain.code == 0, plain.tail
    assert sorted(plain.rules) == sorted(done.rules)
    assert_same_results(with_image / "results", without / "results")
