"""Many associations: what is read, counted file by file, and what is left alone."""

import os
import sys
from pathlib import Path

import pytest
from helpers import many_associations, workflow

pytestmark = pytest.mark.workflow

#: Makes every Python process below write down which files below data/ it opens, and which folders it lists.
COUNTER = """
import os, sys
def _note(event, arguments):
    if event in ("open", "os.scandir") and arguments and isinstance(arguments[0], (str, os.PathLike)):
        path = os.fspath(arguments[0])
        if path == "data" or path.startswith("data/"):
            line = f"{event} {path}\\n".encode()
            os.write(_log, line)
_log = os.open(os.environ["OPENED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
sys.addaudithook(_note)
"""


@pytest.fixture(scope="module")
def counter(tmp_path_factory):
    folder = tmp_path_factory.mktemp("counter")
    (folder / "sitecustomize.py").write_text(COUNTER)
    return folder


def counted(folder, counter, *arguments):
    """Run, and return the run and the paths below data/ that were opened, in all processes."""
    log = folder / "opened"
    log.unlink(missing_ok=True)
    path = os.pathsep.join([str(counter), *sys.path])
    done = workflow.run(folder, *arguments, OPENED=str(log), PYTHONPATH=path)
    lines = log.read_text().splitlines() if log.exists() else []
    return done, [line.partition(" ")[2] for line in lines if line.startswith("open ")]


def jobs(done):
    return next(int(line.split()[1]) for line in done.output.splitlines() if line.startswith("total "))


def test_reading_and_planning_are_linear_in_the_number_of_associations(tmp_path, counter):
    """Twice the associations: twice the jobs and twice the files opened, exactly; one more job is the target's."""
    counts = []
    for count in (4, 8):
        many_associations.make(tmp_path / str(count), count)
        done, opened = counted(tmp_path / str(count), counter, "-n")
        assert done.code == 0, done.tail
        counts.append((jobs(done) - 1, len(opened)))
    assert counts[1] == (2 * counts[0][0], 2 * counts[0][1])
    assert counts[0][0] == 37 * 4
    # the table twice (to list, then to read), the raw file for DRIZCORR, the first exposure for screening
    assert counts[0][1] <= 6 * 4


def test_one_association_is_addressed_without_reading_the_others(tmp_path, counter):
    """Neither when it is planned nor in its job, which reads the workflow anew."""
    many_associations.make(tmp_path, 6)
    own, asn = many_associations.visit(2), many_associations.association(2)
    for arguments in (
        ["-n", f"results/{asn}/final/manifest.tsv"],
        ["-n", "--config", f"associations={asn}"],
        [f"results/{asn}/inventory.json"],
    ):
        done, opened = counted(tmp_path, counter, *arguments)
        if "-n" in arguments:
            assert done.code == 0, done.tail
        assert opened, done.tail
        assert {Path(path).parent.name for path in opened} == {own}, arguments
    assert done.rules == ["inventory"], done.tail


def test_nothing_to_do_reads_no_more_than_planning_does(tmp_path, counter):
    many_associations.make(tmp_path, 3)
    _, planned = counted(tmp_path, counter, "-n")
    many_associations.finish(tmp_path)
    done, opened = counted(tmp_path, counter)
    assert done.code == 0, done.tail
    assert "Nothing to be done" in done.output
    assert sorted(opened) == sorted(planned)
    # what stays on disk is no reason to make anything
    for keep in ("candidates", "final"):
        again = workflow.run(tmp_path, "-n", "--config", f"keep={keep}")
        assert "Nothing to be done" in again.output, again.tail


def test_dropped_files_are_no_reason_to_run_and_a_batch_or_a_list_is_a_part(tmp_path):
    many_associations.make(tmp_path, 4)
    whole = jobs(workflow.run(tmp_path, "-n"))
    half = workflow.run(tmp_path, "-n", "--batch", "all=1/2")
    assert jobs(half) == (whole - 1) / 2, half.tail  # the target itself comes with the last batch
    (tmp_path / "todo.txt").write_text(f"{many_associations.association(1)}  # first\n\n")
    listed = workflow.run(tmp_path, "-n", "--config", "associations=todo.txt")
    assert jobs(listed) - 1 == (whole - 1) / 4, listed.tail
    many_associations.finish(tmp_path, "--config", "keep=final")
    for path in [*tmp_path.glob("results/*/*/*_singles.fits"), *tmp_path.glob("results/*/*_*/*_dr?.fits")]:
        path.unlink()
    assert not list(tmp_path.glob("results/*/*_aposteriori/*_drc.fits"))
    for keep in ("final", "all"):
        done = workflow.run(tmp_path, "--config", f"keep={keep}")
        assert "Nothing to be done" in done.output, done.tail
