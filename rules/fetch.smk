# Needs: the names of exposures and where they are on the sky; a connection, with `network: true`.
# Makes: fetched/: exposures' listings, catalogs/<visit>_<catalog>.ecsv, headerlets/<visit>/index.ecsv,
# offsets/<visit>.ecsv, references/<visit>.ecsv; beside each a provenance record. The only rules that open connections;
# with `network: false` they do not exist. They have no inputs and no params: what was fetched is never looked up again.
# What does not cover exposures that came later stays, and a further file is fetched beside it (`kept`, wildcard `key`).
# Snakemake's between-workflow `cache:` does not fit: its key is made of a rule's inputs, params and code, and here it is
# the question that counts. `services.cache` is keyed by that.
from snakedriz.exposures import fetched

FETCHED = CONFIG["fetched"]


wildcard_constraints:
    asns=r"[a-z0-9]+(_[a-z0-9]+)*",
    key=fetched.KEY,


def fetch_visit(asn):
    """What an association is fetched with: its programme and visit, or those that the user groups with it."""
    return fetched.visit(asn, CONFIG["visit"]["group"])


def to_come(path):
    """Path of a file to be fetched; without a connection, the one whose job says what is missing."""
    return (
        str(path)
        if CONFIG["network"]
        else f"{OUT}/missing/{os.path.relpath(path, FETCHED)}"
    )


@functools.cache
def fetched_catalog(visit, catalog):
    """The table that covers all exposures of a visit, there or to be fetched."""
    there, missing = fetched.catalog(
        FETCHED, visit, file_index(), catalog, CONFIG["visit"]["group"]
    )
    return to_come(missing) if missing else str(there)


def catalog_file(asn, catalog):
    """The table of a reference catalogue: the user's, or the one fetched for the visit."""
    return CATALOGS[catalog].get("file") or fetched_catalog(fetch_visit(asn), catalog)


def catalog_options(catalog):
    """What the configuration says of the positions in a catalogue."""
    return {key: CATALOGS[catalog][key] for key in ("epoch", "without_pm", "parallax")}


def fetched_tables(asn, kind):
    """The tables of headerlets or offsets that the exposures of an association need, there or to be fetched."""
    there, missing = fetched.tables(
        FETCHED,
        kind,
        fetch_visit(asn),
        file_index(),
        members(asn),
        CONFIG["visit"]["group"],
    )
    return sorted([*map(str, there), *([to_come(missing)] if missing else [])])


def headerlet_folder(asn):
    """Where the headerlets of the astrometry database are, None where none are wanted."""
    given = CONFIG["solutions"]["headerlets"]
    return f"{FETCHED}/headerlets/{fetch_visit(asn)}" if given == "fetch" else given


def reference_listing(asn):
    """The list of a visit's reference files, where they are to be fetched or were: the folder nobody else names."""
    path = f"{FETCHED}/references/{fetch_visit(asn)}.ecsv"
    if not own_references(asn) and (CONFIG["network"] or os.path.exists(path)):
        return path
    return []


def wanted_fetches(wildcards):
    """Everything that the services have for the associations asked for; what is there is not fetched."""
    if not CONFIG["network"]:
        return f"{OUT}/missing/fetch"
    absent, found = {}, []
    for asn in wanted():
        visit = fetch_visit(asn)
        if not complete(asn):
            absent.setdefault(visit, []).append(asn)
            continue
        found.append(f"{FETCHED}/references/{visit}.ecsv")
        found += [
            catalog_file(asn, name)
            for name, entry in CATALOGS.items()
            if entry.get("service")
        ]
        for kind in ("headerlets", "offsets"):
            if CONFIG["solutions"][kind] == "fetch":
                found += fetched_tables(asn, kind)
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
        conda:
            "../envs/snakedriz.yaml"
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
        wildcard_constraints:
            visit=r"[a-z0-9]{1,6}",
        conda:
            "../envs/snakedriz.yaml"
        resources:
            **requests("fetch_references"),
            crds=1,
        message:
            "{wildcards.visit}: reference files that headers name"
        script:
            "../scripts/fetch.py"

    rule fetch_catalog:
        output:
            table=f"{FETCHED}/catalogs/{{visit}}_{{catalog}}{{key}}.ecsv",
        log:
            f"{OUT}/logs/fetch_catalog_{{visit}}_{{catalog}}{{key}}.log",
        benchmark:
            f"{OUT}/benchmarks/fetch_catalog_{{visit}}_{{catalog}}{{key}}.tsv"
        wildcard_constraints:
            visit=r"[a-z0-9]{1,6}",
        conda:
            "../envs/snakedriz.yaml"
        resources:
            **requests("fetch_catalog"),
            catalogs=1,
        message:
            "{wildcards.visit}: fetching {wildcards.catalog}"
        script:
            "../scripts/fetch.py"

    rule fetch_headerlets:
        output:
            index=f"{FETCHED}/headerlets/{{visit}}/index{{key}}.ecsv",
        log:
            f"{OUT}/logs/fetch_headerlets_{{visit}}{{key}}.log",
        benchmark:
            f"{OUT}/benchmarks/fetch_headerlets_{{visit}}{{key}}.tsv"
        wildcard_constraints:
            visit=r"[a-z0-9]{1,6}",
        conda:
            "../envs/snakedriz.yaml"
        resources:
            **requests("fetch_headerlets"),
            mast=1,
        message:
            "{wildcards.visit}: solutions in the astrometry database"
        script:
            "../scripts/fetch.py"

    rule fetch_offsets:
        output:
            table=f"{FETCHED}/offsets/{{visit}}{{key}}.ecsv",
        log:
            f"{OUT}/logs/fetch_offsets_{{visit}}{{key}}.log",
        benchmark:
            f"{OUT}/benchmarks/fetch_offsets_{{visit}}{{key}}.tsv"
        wildcard_constraints:
            visit=r"[a-z0-9]{1,6}",
        conda:
            "../envs/snakedriz.yaml"
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
        conda:
            "../envs/snakedriz.yaml"
        resources:
            **requests("missing_file"),
        params:
            folders={
                "folder": FETCHED,
                "inputs": CONFIG["input"],
                "output": OUT,
                "group": CONFIG["visit"]["group"],
            },
        message:
            "a file of a service is missing: {wildcards.file}"
        script:
            "../scripts/missing_file.py"
