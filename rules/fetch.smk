# Needs: the names of exposures and where they are on the sky; a connection, with `network: true`.
# Makes: fetched/: exposures' listings, catalogs/<visit>_<catalog>.ecsv, headerlets/<visit>/index.ecsv,
# offsets/<visit>.ecsv, references/<visit>.ecsv; beside each a provenance record. The only rules that open connections;
# with `network: false` they do not exist. They have no inputs and no params: what was fetched is never looked up again.
from snakedriz.services import area as areas_

FETCHED = CONFIG["fetched"]


wildcard_constraints:
    visit=r"[a-z0-9]{1,6}",
    asns=r"[a-z0-9]+(_[a-z0-9]+)*",


def fetched(path):
    """Path of a fetched file; without a connection and the file, the one whose job says what to put where."""
    if CONFIG["network"] or os.path.exists(path):
        return path
    return f"{OUT}/missing/{os.path.relpath(path, FETCHED)}"


def catalog_file(asn, catalog):
    """The table of a reference catalogue: the user's, or the one fetched for the visit."""
    return CATALOGS[catalog].get("file") or fetched(
        f"{FETCHED}/catalogs/{areas_.visit(asn)}_{catalog}.ecsv"
    )


def headerlet_index(visit):
    return f"{FETCHED}/headerlets/{visit}/index.ecsv"


def headerlet_folder(asn):
    """Where the headerlets of the astrometry database are, None where none are wanted."""
    given = CONFIG["solutions"]["headerlets"]
    visit = areas_.visit(asn)
    return f"{FETCHED}/headerlets/{visit}" if given == "fetch" else given


def wanted_fetches(wildcards):
    """Everything that the services have for the associations asked for; what is there is not fetched."""
    if not CONFIG["network"]:
        return f"{OUT}/missing/fetch"
    absent, found = {}, []
    for asn in wanted():
        visit = areas_.visit(asn)
        if not complete(asn):
            absent.setdefault(visit, []).append(asn)
            continue
        found.append(f"{FETCHED}/references/{visit}.ecsv")
        found += [
            catalog_file(asn, name)
            for name, entry in CATALOGS.items()
            if entry.get("service")
        ]
        if CONFIG["solutions"]["headerlets"] == "fetch":
            found.append(headerlet_index(visit))
        if CONFIG["solutions"]["offsets"] == "fetch":
            found.append(f"{FETCHED}/offsets/{visit}.ecsv")
    found += [
        f"{FETCHED}/exposures/{'_'.join(sorted(asns))}.ecsv" for asns in absent.values()
    ]
    return sorted(set(found))


def complete(asn):
    """Whether an association and all its exposures are in the input folder."""
    if not os.path.isdir(CONFIG["input"]):
        return False
    if not any(file_index().has(asn, kind) for kind in ("asn", "raw", "flt", "flc")):
        return False
    return association(asn).problem is None


localrules:
    fetch,


rule fetch:
    input:
        wanted_fetches,


# What opens connections runs where the user is: cluster nodes often have none.
if CONFIG["network"]:

    localrules:
        fetch_exposures,
        fetch_references,
        fetch_catalog,
        fetch_headerlets,
        fetch_offsets,

    rule fetch_exposures:
        # With all that the exposures need: their names and places are not known before they are here.
        output:
            listing=f"{FETCHED}/exposures/{{asns}}.ecsv",
        log:
            f"{OUT}/logs/fetch_exposures_{{asns}}.log",
        benchmark:
            f"{OUT}/benchmarks/fetch_exposures_{{asns}}.tsv"
        resources:
            **requests("fetch_exposures"),
            mast=1,
        message:
            "fetching {wildcards.asns} from MAST, and what it needs"
        script:
            "../scripts/fetch.py"

    rule fetch_references:
        output:
            listing=f"{FETCHED}/references/{{visit}}.ecsv",
        log:
            f"{OUT}/logs/fetch_references_{{visit}}.log",
        benchmark:
            f"{OUT}/benchmarks/fetch_references_{{visit}}.tsv"
        resources:
            **requests("fetch_references"),
            crds=1,
        message:
            "{wildcards.visit}: reference files that headers name"
        script:
            "../scripts/fetch.py"

    rule fetch_catalog:
        output:
            table=f"{FETCHED}/catalogs/{{visit}}_{{catalog}}.ecsv",
        log:
            f"{OUT}/logs/fetch_catalog_{{visit}}_{{catalog}}.log",
        benchmark:
            f"{OUT}/benchmarks/fetch_catalog_{{visit}}_{{catalog}}.tsv"
        resources:
            **requests("fetch_catalog"),
            catalogs=1,
        message:
            "{wildcards.visit}: fetching {wildcards.catalog}"
        script:
            "../scripts/fetch.py"

    rule fetch_headerlets:
        output:
            index=f"{FETCHED}/headerlets/{{visit}}/index.ecsv",
        log:
            f"{OUT}/logs/fetch_headerlets_{{visit}}.log",
        benchmark:
            f"{OUT}/benchmarks/fetch_headerlets_{{visit}}.tsv"
        resources:
            **requests("fetch_headerlets"),
            mast=1,
        message:
            "{wildcards.visit}: solutions in the astrometry database"
        script:
            "../scripts/fetch.py"

    rule fetch_offsets:
        output:
            table=f"{FETCHED}/offsets/{{visit}}.ecsv",
        log:
            f"{OUT}/logs/fetch_offsets_{{visit}}.log",
        benchmark:
            f"{OUT}/benchmarks/fetch_offsets_{{visit}}.tsv"
        resources:
            **requests("fetch_offsets"),
            guide_stars=1,
        message:
            "{wildcards.visit}: guide-star offsets"
        script:
            "../scripts/fetch.py"

else:

    localrules:
        missing_file,

    rule missing_file:
        # Never makes its output: says which file is missing and what to put there.
        output:
            f"{OUT}/missing/{{file}}",
        log:
            f"{OUT}/logs/missing_{{file}}.log",
        benchmark:
            f"{OUT}/benchmarks/missing_{{file}}.tsv"
        resources:
            **requests("missing_file"),
        params:
            folder=FETCHED,
        message:
            "a file of a service is missing: {wildcards.file}"
        script:
            "../scripts/missing_file.py"
