# Needs: the configuration, and the input folder (scanned once; association tables are read when first asked for).
# Makes: PLAN, which knows the paths of everything, and what wildcards may be.
import atexit
import gc
import os
import sys

from snakemake.exceptions import WorkflowError

# Rules and jobs use the library beside them, whatever is installed. From a hosting service come only the files that
# Snakemake reads; the library has to be installed then.
SCRIPTS = CHECKOUT / "scripts"
if SCRIPTS.is_dir() and str(SCRIPTS) not in sys.path[:1]:
    sys.path.insert(0, str(SCRIPTS))

from snakedriz import settings
from snakedriz.errors import SnakedrizError
from snakedriz.workflow import command_line, library, targets
from snakedriz.workflow.plan import KIND_OF, Plan, of_job

# The graph lives as long as the process: looking through it for garbage again and again, and taking it apart at the end,
# is a quarter of the time of a dry run of 40,000 jobs. Of Snakemake nothing is touched.
gc.set_threshold(50_000, 50, 1_000)
atexit.register(gc.freeze)

try:
    library.check(SCRIPTS)
    command_line.check(sys.argv)
except SnakedrizError as error:
    raise WorkflowError(f"snakedriz: {error}") from None

# Only a workflow around this one can have a prefix, which must not go before what is given; marking costs a fifteenth of
# the planning of many jobs.
IS_MODULE = Path(workflow.basedir) != CHECKOUT
PLAN = Plan(config, os.environ, given=local if IS_MODULE else str)
OUT = PLAN.out


wildcard_constraints:
    asn=r"[a-z0-9]+",
    name=r"[a-z0-9]+",
    root=r"[a-z0-9]+",
    visit=r"[a-z0-9]+",
    candidate="|".join([*settings.CANDIDATES, *PLAN.config["alternatives"]]),
    catalog="|".join(PLAN.catalogs) or "none",
    method="relative|2dhist|default",
    geometry="shift|rscale|general",
    kind="fl[tc]",
    product="dr[zc]",
