# Needs: the jobs that Snakemake has planned; the record that every job leaves beside its benchmark.
# Makes: runs/<start>.tsv, what every job of a run took beside what it asked for, and runs/<start>.json with sums by rule
# and the failures; at the end of a run with failures the list of them, with reason and remedy, on the terminal. It sees to
# it that one run at a time writes into the results folder, and that what a failed cluster job leaves there is good.
# Hooks run in the process that a person starts: not in its jobs, not in dry runs, not where another workflow uses this one.
from snakedriz.workflow.run import Outdated, Run

RUN = Run(OUT)
# Of a group of jobs that failed, Snakemake notes all files that are there as made by it (`keep-incomplete`), also those
# of an earlier run that it should have made anew and never began to. They stay, and are noted as what they are: incomplete.
# (With `rerun-incomplete`, as in profiles/default, the next run makes them. A run that is killed outright, kill -9, after one
# of its groups has failed cannot note this: name the outputs of that group then behind `--forcerun`.)
OUTDATED = []


onstart:
    try:
        RUN.lock()
    except SnakedrizError as error:
        raise WorkflowError(f"snakedriz: {error}") from None
    if workflow.non_local_exec and workflow.execution_settings.keep_incomplete:
        OUTDATED.append(
            Outdated(job for job in workflow.dag.needrun_jobs() if not job.is_local)
        )


onsuccess:
    _, table = RUN.summarize()
    if table:
        print(f"snakedriz: what every job took: {table}", file=sys.stderr)


onerror:
    for outdated in OUTDATED:
        for job in outdated.left():
            workflow.persistence.started(job)
    failed, table = RUN.summarize()
    if failed:
        print(f"\nsnakedriz: {failed}\n", file=sys.stderr)
    if table:
        print(f"snakedriz: what every job took: {table}", file=sys.stderr)
