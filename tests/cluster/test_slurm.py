"""The workflow with profiles/slurm on a real SLURM cluster of one node, started and ended here."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import slurm_cluster, workflow
from snakedriz.simulate import Visit, simulate_visit

pytest.importorskip("snakemake_executor_plugin_slurm", reason="pip install 'snakedriz[slurm]'")
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(slurm_cluster.why_not() is not None, reason=str(slurm_cluster.why_not())),
]

PROFILE = workflow.ROOT / "profiles" / "slurm"
#: A test's cluster has no other users, so it may be asked often.
HURRY = ["--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "10"]


@pytest.fixture
def cluster(tmp_path):
    with slurm_cluster.Cluster(tmp_path / "slurm") as running:
        yield running


@pytest.fixture(scope="module")
def visit(tmp_path_factory):
    """Two exposures on small frames."""
    folder = tmp_path_factory.mktemp("visit")
    simulate_visit(Visit(chip_shape=(256, 512), n_exposures=2, n_stars=120, n_galaxies=5, seed=11), folder)
    return folder


@pytest.fixture
def folder(visit, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(visit, copy)
    workflow.write_config(copy)
    return copy


def command(*arguments):
    return [
        sys.executable, "-m", "snakemake", "--snakefile", str(workflow.ROOT / "Snakefile"), "--profile", str(PROFILE),
        "--configfile", "config.yaml", *HURRY, *arguments,
    ]  # fmt: skip


def environment():
    return workflow.environment(PYTHONPATH=str(workflow.ROOT / "scripts"))


def start(folder, *arguments):
    """Begin a run and let it go on; its words are in run.log."""
    with (folder / "run.log").open("w") as log:
        return subprocess.Popen(
            command(*arguments), cwd=folder, env=environment(), stdin=subprocess.DEVNULL, stdout=log,
            stderr=subprocess.STDOUT,
        )  # fmt: skip


def run(folder, *arguments):
    process = start(folder, *arguments)
    return process.wait(900), (folder / "run.log").read_text()


def until(true, seconds, process=None):
    """Wait for something, as long as a process runs."""
    end = time.monotonic() + seconds
    while not true():
        assert process is None or process.poll() is None, "the run ended before its time"
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.2)


def results(folder):
    """Every result with the number of its inode, which changes when a file is made anew, and not when it is touched."""
    base = folder / "results"
    return {
        str(path.relative_to(base)): path.stat().st_ino
        for path in base.rglob("*")
        if path.is_file() and not path.name.startswith(".") and path.parent.name not in ("logs", "benchmarks")
    }


def kept(before, folder):
    """Whether everything that was there is, and was not made anew."""
    after = results(folder)
    return {name: after.get(name) for name in before} == before


def crash(cluster):
    """The node dies: slurmd, the managers of its jobs, and everything they have started."""
    steps = [pid for pids in cluster.steps().values() for pid in pids]
    below = descendants(steps)
    cluster.stop("slurmd", signal.SIGKILL)
    for pid in [*steps, *below]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def descendants(pids):
    children = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(path.parent.name))
    found, todo = [], list(pids)
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def test_the_demo_on_a_cluster_is_four_jobs_and_ends_like_anywhere(cluster, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--snakefile", str(workflow.ROOT / "Snakefile"), "demo"],
        cwd=tmp_path, env={**environment(), "SNAKEMAKE_PROFILE": str(PROFILE)}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=1500,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:]
    assert "Promoted: aposteriori" in done.stdout
    jobs = cluster.finished()
    assert {job["JobState"] for job in jobs} == {"COMPLETED"}
    # one that simulates the visit, and for the association: default, a priori, a posteriori, final
    assert len(jobs) == 5
    assert workflow.promotion(tmp_path / "demo")["winner"] == "aposteriori"


def test_a_job_killed_for_its_memory_is_tried_again_with_more(cluster, folder):
    """The first request, 300 MB, is less than a drizzle takes (350 MB and more); the second, 1500 MB, is enough."""
    product = "results/jdemo1010/jdemo1010_default/jdemo1010_drc.fits"
    small = [f"{rule}:mem_mb=300" for rule in ("inventory", "default_solution")]
    code, said = run(folder, product, "--set-resources", *small, "candidate_product:mem_mb=300*5**(attempt-1)")
    assert code == 0, said[-6000:]
    first, second = cluster.finished()
    assert (first["JobState"], second["JobState"]) == ("FAILED", "COMPLETED")
    assert "mem=300M" in first["Tres"]
    assert "mem=1500M" in second["Tres"]
    logs = [path.read_text() for path in (folder / ".snakemake/slurm_logs").rglob("*.log")]
    assert any("exceeded memory limit" in text for text in logs), "the log that SLURM keeps says why"
    assert (folder / product).stat().st_size > 100_000


def test_after_a_node_has_died_what_was_done_stays_done(cluster, folder):
    """In the middle of a group of jobs: its finished files stay, the run fails, and the same command completes it."""
    going = start(folder, "--retries", "0")
    # the a posteriori group has made its sources, and has its drizzle to come
    sources = [folder / f"results/jdemo1010/sources/jdemo1a{n}q.ecsv" for n in (1, 2)]
    until(lambda: all(path.exists() for path in sources), 400, going)
    crash(cluster)
    before = results(folder)
    assert {f"jdemo1010/sources/{path.name}" for path in sources} <= set(before)
    assert "jdemo1010/promotion.json" not in before
    cluster.start_slurmd()
    # the a priori group still runs when the node is back; the a posteriori is given up
    assert going.wait(400) != 0
    assert kept(before, folder)
    assert "NODE_FAIL" in [job["JobState"] for job in cluster.finished()]

    code, said = run(folder)
    assert code == 0, said[-6000:]
    assert kept(before, folder)
    assert workflow.promotion(folder)["winner"] == "aposteriori"
    # and then there is nothing to do
    code, said = run(folder)
    assert "Nothing to be done" in said


def test_when_only_slurmd_dies_the_run_goes_on(cluster, folder):
    target = "results/jdemo1010/sources/jdemo1a1q.ecsv"
    going = start(folder, target)
    until(lambda: (folder / "results/jdemo1010/inventory.json").exists(), 200, going)
    cluster.stop("slurmd", signal.SIGKILL)
    before = results(folder)
    cluster.start_slurmd()
    assert going.wait(400) == 0, (folder / "run.log").read_text()[-6000:]
    assert kept(before, folder)
    assert {job["JobState"] for job in cluster.finished()} == {"COMPLETED"}


def test_when_snakemake_is_killed_the_same_command_goes_on(cluster, folder):
    """As when the machine it runs on restarts; its cluster jobs are cancelled by the user."""
    target = "results/jdemo1010/jdemo1010_default/verification.json"
    going = start(folder, target)
    product = folder / "results/jdemo1010/jdemo1010_default/solution.json"
    until(product.exists, 200, going)
    going.kill()
    going.wait()
    subprocess.run(["scancel", "--user=root"], check=True)
    until(lambda: not cluster.squeue(), 60)
    before = results(folder)
    unlocked, said = run(folder, target, "--unlock")
    assert unlocked == 0, said
    code, said = run(folder, target)
    assert code == 0, said[-6000:]
    assert kept(before, folder)


def test_a_drained_node_is_waited_for_and_another_run_stays_out(cluster, folder, tmp_path):
    target = "results/jdemo1010/sources/jdemo1a1q.ecsv"
    going = start(folder, target)
    until(lambda: any(state == "RUNNING" for _, state in cluster.squeue()), 120, going)
    cluster.drain()
    # what runs is finished, what comes next waits
    until(lambda: [state for _, state in cluster.squeue()] == ["PENDING"], 300, going)
    before = results(folder)

    other = tmp_path / "other"
    other.mkdir()
    for name in ("config.yaml", "gaia.ecsv", "offsets.ecsv", "data", "ref"):
        (other / name).symlink_to(folder / name)
    refused = workflow.run(other, "--config", f"output={folder}/results")
    assert refused.code != 0
    assert re.search(r"is being written to by another run: \w+ on .*, process \d+, started in", refused.output)
    assert "Traceback" not in refused.output
    assert refused.rules == []
    dry = workflow.run(other, "--dry-run", "--config", f"output={folder}/results")
    assert dry.code == 0, dry.tail
    assert results(folder) == before

    cluster.resume()
    assert going.wait(400) == 0, (folder / "run.log").read_text()[-6000:]
    assert (folder / target).exists()
    # and when it has ended, the other may
    after = workflow.run(other, target.replace("results", f"{folder}/results"), "--config", f"output={folder}/results")
    assert after.code == 0, after.tail


def test_the_generic_profile_submits_with_sbatch_and_notices_a_killed_job(cluster, folder):
    """profiles/generic: the same groups, through its two scripts; a job that is gone is tried again."""
    target = "results/jdemo1010/jdemo1010_default/verification.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--snakefile", str(workflow.ROOT / "Snakefile"), "--profile",
         str(workflow.ROOT / "profiles/generic"), "--configfile", "config.yaml", "--max-status-checks-per-second", "1",
         target],
        cwd=folder, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    until(lambda: any(state == "RUNNING" for _, state in cluster.squeue()), 120, process)
    subprocess.run(["scancel", cluster.squeue()[0][0]], check=True)
    said, _ = process.communicate(timeout=500)
    assert process.returncode == 0, said[-6000:]
    assert (folder / target).exists()
    assert [job["JobState"] for job in cluster.finished()] == ["CANCELLED", "COMPLETED"]
    assert list((folder / ".snakemake/cluster_logs").glob("snakedriz_default_*.log"))


def test_of_a_failed_group_nothing_outdated_is_taken_for_done(cluster, folder):
    """Results are there, a setting changes, and the group that makes them anew cannot even start."""
    workflow.write_config(folder, candidates=["default"], catalogs=[], solutions={})
    target = "results/jdemo1010/promotion.json"
    first = workflow.run(folder, target)
    assert first.code == 0, first.tail
    assert not workflow.promotion(folder).get("override")
    changed = [target, "--config", "promotion={choose: default}"]
    code, said = run(folder, *changed, "--retries", "0", "--set-resources", "promotion:mem_mb=10**7")
    assert code != 0
    assert "Error in group final" in said
    code, said = run(folder, *changed)
    assert code == 0, said[-6000:]
    assert workflow.promotion(folder)["override"]["chosen"] == "default"
