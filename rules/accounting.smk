# Needs: the record that every job leaves beside its benchmark.
# Makes: runs/<start>.tsv, what every job of a run took beside what it asked for, and runs/<start>.json with sums by rule
# and the failures; at the end of a run with failures the list of them, with reason and remedy, on the terminal.
import time

from snakedriz.workflow import run_summary

# Jobs read this file, too: only the hooks of the run itself use it.
RUN_STARTED = time.time()


def close_accounts():
    """Write the table of this run; returns what to say of failures, and where the table is."""
    found = run_summary.records(OUT, since=RUN_STARTED)
    if not found:
        return "", None
    name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(RUN_STARTED))
    return run_summary.summary(found), run_summary.write(f"{OUT}/runs", name, found)


onsuccess:
    _, table = close_accounts()
    if table:
        print(f"snakedriz: what every job took: {table}", file=sys.stderr)


onerror:
    failed, table = close_accounts()
    if failed:
        print(f"\nsnakedriz: {failed}\n", file=sys.stderr)
    if table:
        print(f"snakedriz: what every job took: {table}", file=sys.stderr)
