# Needs: the jobs that Snakemake has planned.
# Makes: nothing; sees to it that one run at a time writes into the results folder, and that what a failed cluster job
# leaves there is good. Hooks run in the process that a person starts, not in its jobs, and not in dry runs.
import atexit

from snakemake.exceptions import WorkflowError

from snakedriz.errors import SnakedrizError
from snakedriz.workflow.results_lock import ResultsLock


def lock_results():
    lock = ResultsLock(OUT, os.getcwd())
    try:
        lock.take()
    except SnakedrizError as error:
        raise WorkflowError(f"snakedriz: {error}") from None
    atexit.register(lock.release)


def remove_outdated():
    """Remove what the run will make anew, where groups of jobs make it.

    Of a group that failed, Snakemake takes every file that is there for made by it (`keep-incomplete`); an outdated one
    must not be among them. Where no cluster is used, Snakemake removes each before its job starts.
    """
    for job in workflow.dag.needrun_jobs():
        if not job.is_local:
            for path in job.output:
                Path(path).unlink(missing_ok=True)


onstart:
    lock_results()
    if workflow.non_local_exec and workflow.execution_settings.keep_incomplete:
        remove_outdated()
