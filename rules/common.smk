# Needs: the configuration, and the input folder (scanned once; association tables are read when first asked for).
# Makes: path builders and input functions for the other rule files.
import functools
import os
import shlex
import sys

SCRIPTS = str(Path(workflow.basedir) / "scripts")
sys.path.insert(0, SCRIPTS)

from snakedriz import settings
from snakedriz.exposures import association as associations_
from snakedriz.exposures import inventory as inventory_
from snakedriz.exposures import visits
from snakedriz.workflow import command_line
from snakedriz.workflow import resources as resources_

# In a container Snakemake shows scripts every folder of this path, under another name. They are to find the library
# beside themselves instead, with the schemas where it looks for them.
sys.path[:] = [path for path in sys.path if not os.path.exists(f"{path}/_job.py")]

# Snakemake would keep the last of several --config only, and drop a target that stands behind an earlier one.
if instead := command_line.with_one_config(sys.argv):
    print(
        f"snakedriz: one --config for all: snakemake {shlex.join(instead)}",
        file=sys.stderr,
        flush=True,
    )
    os.execv(sys.executable, [sys.executable, "-m", "snakemake", *instead])

CONFIG = settings.validate_config(config)
SWITCHES = settings.environment_switches(os.environ)
VERSIONS = settings.software_versions()
DETECTORS = settings.load_detectors()
OUT = CONFIG["output"]
settings.check_output(OUT)
CATALOGS = {entry["name"]: entry for entry in CONFIG["catalogs"]}
REFERENCE_DIRECTORIES = settings.reference_directories(CONFIG, os.environ)


wildcard_constraints:
    asn=r"[a-z0-9]+",
    name=r"[a-z0-9]+",
    root=r"[a-z0-9]+",
    visit=r"[a-z0-9]+",
    candidate="|".join([*settings.CANDIDATES, *CONFIG["alternatives"]]),
    catalog="|".join(CATALOGS) or "none",
    method="relative|2dhist|default",
    geometry="shift|rscale|general",
    kind="fl[tc]",
    product="dr[zc]",


@functools.cache
def file_index():
    return associations_.FileIndex(CONFIG["input"], exclude=[OUT])


@functools.cache
def association(name):
    """The association table, or single exposure, of that name. What is wrong with it, its inventory job reports."""
    return associations_.read(file_index(), name)


@functools.cache
def wanted():
    """Names of the associations asked for, sorted."""
    if CONFIG["associations"] == "all":
        return associations_.list_associations(file_index())
    return sorted(set(CONFIG["associations"]))


def own_references(asn):
    """Whether the user says where the reference files of an association's instrument are."""
    return settings.reference_variable(asn) in REFERENCE_DIRECTORIES


def fetched_references(asn):
    """The folder of fetched reference files, by the variable of the instrument, where nobody has set that."""
    variable = settings.reference_variable(asn)
    folder = f"{CONFIG['fetched']}/references/{variable}"
    there = CONFIG["network"] or os.path.isdir(folder)
    return {variable: folder} if there and not own_references(asn) else {}


def references(asn):
    return {**REFERENCE_DIRECTORIES, **fetched_references(asn)}


def members(asn):
    """Rootnames of the exposures of an association, in the order of its table."""
    return list(association(asn).present)


def kinds(asn):
    """The kinds of calibrated files that every exposure has, the one that candidates are judged on first."""
    return list(association(asn).kinds) or ["flt"]


def verification_kind(asn):
    return kinds(asn)[0]


def product_suffix(kind):
    return {"flc": "drc", "flt": "drz"}[kind]


def kind_of(product):
    return {"drc": "flc", "drz": "flt"}[product]


def exposure_file(asn, root, kind):
    """Path of an exposure; nothing where it is missing, which the inventory reports."""
    return file_index().get(root, kind) or []


def exposure_files(asn, kind):
    return [path for root in members(asn) if (path := exposure_file(asn, root, kind))]


def directory(asn, candidate):
    return f"{OUT}/{asn}/{asn}_{candidate}"


@functools.cache
def quick_outcome(asn):
    """Whether headers alone say that the association is to be processed, and why not."""
    return inventory_.quick_outcome(association(asn), file_index())


def may_apply(candidate):
    """Whether a candidate can have products at all, as far as the configuration tells."""
    if candidate == "apriori":
        return SWITCHES["apply_apriori"] and any(CONFIG["solutions"].values())
    if candidate in ("aposteriori", "visit"):
        return SWITCHES["compute_aposteriori"] and bool(CATALOGS)
    return True


def in_use(asn):
    """Candidates of an association."""
    return CONFIG["candidates"] if quick_outcome(asn)[0] else []


def products(asn):
    """Final products of an association: DRC from FLC where there are any, and DRZ from FLT."""
    return [
        f"{OUT}/{asn}/final/{association(asn).product}_{product_suffix(kind)}.fits"
        for kind in kinds(asn)
    ]


def wanted_results(wildcards):
    found = []
    for asn in wanted():
        found.append(f"{OUT}/{asn}/promotion.json")
        if quick_outcome(asn)[0]:
            found += [*products(asn), f"{OUT}/{asn}/final/manifest.tsv"]
    return found


def wanted_candidate_files(wildcards):
    found = []
    for asn in wanted():
        for candidate in in_use(asn):
            if may_apply(candidate):
                base = directory(asn, candidate)
                for kind in kinds(asn):
                    found += [f"{base}/{root}_{kind}.fits" for root in members(asn)]
    return found


def requests(rule, paths=None, size=0):
    """Memory, time and disk space that the jobs of a rule ask for: functions of wildcards and attempt.

    `paths` gives for the wildcards the files whose size counts. They must be there before anything runs, so they are
    exposures, never what another rule makes. `size` is for what has no files yet, MB.
    """

    def request(quantity):
        def of_job(wildcards, attempt):
            found = [] if paths is None else paths(wildcards)
            there = resources_.megabytes([found] if isinstance(found, str) else found)
            return resources_.request(rule, quantity, size + there, attempt)

        return noted(of_job)

    return {name: request(name) for name in ("mem_mb", "runtime", "disk_mb")}
