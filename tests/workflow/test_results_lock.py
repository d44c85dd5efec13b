"""One run at a time in a results folder: refused while the other lives, taken over when it has ended."""

import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict

import pytest
from snakedriz.errors import SnakedrizError
from snakedriz.workflow import results_lock
from snakedriz.workflow.results_lock import NAME, ResultsLock


@pytest.fixture
def folders(tmp_path):
    """Results, and two folders that Snakemake runs in."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    return tmp_path / "results", tmp_path / "a", tmp_path / "b"


def held_by(results, directory, **changes):
    """A lock as another run would have written it."""
    lock = ResultsLock(results, directory)
    results.mkdir()
    (results / NAME).write_text(json.dumps({**asdict(lock.mine), **changes}))


def holder(results):
    """What the lock says."""
    return json.loads((results / NAME).read_text())


def test_a_living_run_elsewhere_is_respected_until_it_gives_the_lock_back(folders):
    results, a, b = folders
    first, second = ResultsLock(results, a), ResultsLock(results, b)
    first.take()
    with pytest.raises(SnakedrizError, match=rf"process {os.getpid()}, started in {a}.*wait until it has ended"):
        second.take()
    assert [path.name for path in results.iterdir()] == [NAME]
    first.release()
    second.take()
    second.release()
    assert not results.exists()


def test_a_run_that_has_ended_without_giving_it_back_is_no_hindrance(folders):
    results, a, b = folders
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    held_by(results, a, pid=done.pid)
    lock = ResultsLock(results, b)
    lock.take()
    assert holder(results) == asdict(lock.mine)


def test_a_process_id_that_was_used_again_is_told_apart(folders):
    """This very process lives, but the lock is of one with its number that was started at another time."""
    results, a, b = folders
    held_by(results, a, started="1")
    lock = ResultsLock(results, b)
    lock.take()
    assert holder(results) == asdict(lock.mine)


def test_of_another_machine_nothing_is_assumed(folders):
    """A process id that is not used here says nothing about a run on another host, or in another container."""
    results, a, b = folders
    held_by(results, a, pid=2**22 + 1, machine="elsewhere", host="node7")
    with pytest.raises(SnakedrizError, match=rf"on node7.*if it does not, delete {results / NAME}"):
        ResultsLock(results, b).take()


def test_an_earlier_run_from_the_same_folder_is_over(folders):
    """Snakemake refuses a second run there, so whoever got so far is alone, even after the machine restarted."""
    results, a, _ = folders
    ResultsLock(results, a).take()
    lock = results / NAME
    lock.write_text(json.dumps({**json.loads(lock.read_text()), "machine": "before the restart"}))
    again = ResultsLock(results, a)
    again.take()
    assert holder(results) == asdict(again.mine)


def test_a_folder_of_the_same_name_on_another_machine_is_another(folders):
    results, a, _ = folders
    held_by(results, a, machine="elsewhere")
    with pytest.raises(SnakedrizError, match="cannot be seen from"):
        ResultsLock(results, a).take()


def test_only_the_own_lock_is_given_back(folders):
    results, a, b = folders
    held_by(results, a, token="another")
    ResultsLock(results, b).release()
    assert (results / NAME).exists()


def test_an_unreadable_lock_is_an_error_with_a_remedy(folders):
    results, a, _ = folders
    results.mkdir()
    (results / NAME).write_text("{")
    with pytest.raises(SnakedrizError, match="then delete this file"):
        ResultsLock(results, a).take()


def test_who_has_just_made_the_file_is_waited_for(folders):
    """Between making the file and saying whose it is, a lock is empty."""
    results, a, b = folders
    results.mkdir()
    (results / NAME).touch()
    said = json.dumps(asdict(ResultsLock(results, a).mine))
    writing = threading.Timer(0.3, (results / NAME).write_text, [said])
    writing.start()
    with pytest.raises(SnakedrizError, match="being written to by another run"):
        ResultsLock(results, b).take()
    writing.join()


def test_of_many_runs_that_start_at_once_after_a_crash_one_gets_it(folders):
    results, a, b = folders
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    held_by(results, a, pid=done.pid)
    program = (
        "import sys, time; from snakedriz.workflow.results_lock import ResultsLock\n"
        "try: ResultsLock(sys.argv[1], sys.argv[2]).take()\n"
        "except Exception as error: print(error); raise SystemExit(1)\n"
        "sys.stdin.read()"
    )
    runs = []
    for number in range(4):
        (b / str(number)).mkdir()
        command = [sys.executable, "-c", program, str(results), str(b / str(number))]
        environment = {**os.environ, "PYTHONPATH": str(results_lock.Path(results_lock.__file__).parents[2])}
        runs.append(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True)
        )
    losers = [run for run in runs if run.poll() is not None or _ends(run)]
    assert len(losers) == 3
    for run in runs:
        said, _ = run.communicate("")
        assert (run.returncode == 0) == (run not in losers)
        assert run.returncode == 0 or "being written to by another run" in said


def _ends(run):
    """Whether a process ends within 3 s; the winner waits for its standard input."""
    try:
        run.wait(3)
    except subprocess.TimeoutExpired:
        return False
    return True
