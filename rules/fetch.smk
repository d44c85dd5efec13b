# Needs: the names of exposures and where they are on the sky; a connection, with `network: true`.
# Makes: fetched/: exposures' listings, catalogs/<visit>_<catalog>.ecsv, headerlets/<visit>/index.ecsv,
# offsets/<visit>.ecsv, references/<visit>.ecsv; beside each a provenance record. The only rules that open connections;
# with `network: false` they do not exist. They have no inputs and no params: what was fetched is never looked up again.
# What does not cover exposures that came later stays, and a further file is fetched beside it (`exposures.fetched`, wildcard `key`).
# Snakemake's between-workflow `cache:` does not fit: its key is made of a rule's inputs, params and code, and here it is
# the question that counts. `services.cache` is keyed by that.
from snakedriz.exposures import fetched

FETCHED = PLAN.fetched.folder


wildcard_constraints:
    asns=r"[a-z0-9]+(_[a-z0-9]+)*",
    key=fetched.KEY,


rule fetch:
    input:
        lambda w: targets.fetches(PLAN),


# What opens connections runs where the user is: cluster nodes often have none.
if PLAN.config["network"]:

    rule fetch_exposures:
        output:
            exposures=local(f"{FETCHED}/exposures/{{asns}}.ecsv"),
        log:
            f"{OUT}/logs/fetch_exposures_{{asns}}.log",
        benchmark:
            f"{OUT}/benchmarks/fetch_exposures_{{asns}}.tsv"
        # With all that the exposures need: their names and places are not known before they are here.
        localrule: True
        conda:
            "../envs/snakedriz.yaml"
        resources:
            **PLAN.resources("fetch_exposures"),
            mast=1,
        message:
            "fetching {wildcards.asns} from MAST, and what it needs"
        script:
            "../scripts/fetch.py"

    rule fetch_references:
        output:
            references=local(f"{FETCHED}/references/{{visit}}.ecsv"),
        log:
            f"{OUT}/logs/fetch_references_{{visit}}.log",
        benchmark:
            f"{OUT}/benchmarks/fetch_references_{{visit}}.tsv"
        wildcard_constraints:
            visit=r"[a-z0-9]{1,6}",
        localrule: True
        conda:
            "../envs/snakedriz.yaml"
        resources:
            **PLAN.resources("fetch_references"),
            crds=1,
        message:
            "{wildcards.visit}: reference files that headers name"
        script:
            "../scripts/fetch.py"

    rule fetch_catalog:
        output:
            catalog=local(f"{FETCHED}/catalogs/{{visit}}_{{catalog}}{{key}}.ecsv"),
        log:
            f"{OUT}/logs/fetch_catalog_{{visit}}_{{catalog}}{{key}}.log",
        benchmark:
            f"{OUT}/benchmarks/fetch_catalog_{{visit}}_{{catalog}}{{key}}.tsv"
        wildcard_constraints:
            visit=r"[a-z0-9]{1,6}",
        localrule: True
        conda:
            "../envs/snakedriz.yaml"
        resources:
            **PLAN.resources("fetch_catalog"),
            catalogs=1,
        message:
            "{wildcards.visit}: fetching {wildcards.catalog}"
        script:
            "../scripts/fetch.py"

    rule fetch_headerlets:
        output:
            headerlets=local(f"{FETCHED}/headerlets/{{visit}}/index{{key}}.ecsv"),
        log:
            f"{OUT}/logs/fetch_headerlets_{{visit}}{{key}}.log",
        benchmark:
            f"{OUT}/benchmarks/fetch_headerlets_{{visit}}{{key}}.tsv"
        wildcard_constraints:
            visit=r"[a-z0-9]{1,6}",
        localrule: True
        conda:
            "../envs/snakedriz.yaml"
        resources:
            **PLAN.resources("fetch_headerlets"),
            mast=1,
        message:
            "{wildcards.visit}: solutions in the astrometry database"
        script:
            "../scripts/fetch.py"

    rule fetch_offsets:
        output:
            offsets=local(f"{FETCHED}/offsets/{{visit}}{{key}}.ecsv"),
        log:
            f"{OUT}/logs/fetch_offsets_{{visit}}{{key}}.log",
        benchmark:
            f"{OUT}/benchmarks/fetch_offsets_{{visit}}{{key}}.tsv"
        wildcard_constraints:
            visit=r"[a-z0-9]{1,6}",
        localrule: True
        conda:
            "../envs/snakedriz.yaml"
        resources:
            **PLAN.resources("fetch_offsets"),
            guide_stars=1,
        message:
            "{wildcards.visit}: guide-star offsets"
        script:
            "../scripts/fetch.py"

else:

    rule missing_file:
        output:
            f"{OUT}/missing/{{file}}",
        log:
            f"{OUT}/logs/missing_file_{{file}}.log",
        benchmark:
            f"{OUT}/benchmarks/missing_file_{{file}}.tsv"
        # Never makes its output: says which file is missing and what to put there.
        localrule: True
        conda:
            "../envs/snakedriz.yaml"
        resources:
            **PLAN.resources("missing_file"),
        params:
            folders={
                "folder": FETCHED,
                "inputs": PLAN.config["input"],
                "output": OUT,
                "group": PLAN.config["visit"]["group"],
            },
        message:
            "a file of a service is missing: {wildcards.file}"
        script:
            "../scripts/missing_file.py"
