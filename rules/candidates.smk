# Needs: inventory.json; headerlets and guide-star offsets (a priori); the exposures' own solutions, or folders of
# headerlets (solutions asked for by name).
# Makes: for each candidate solution.json (the outcome, and why) and a bundle of header skeletons with its WCS. A new
# kind of solution is one more rule, here or after what it needs (align.smk, visit.smk); everything after it takes {candidate} as a wildcard.


rule default_solution:
    input:
        inventory=rules.inventory.output.inventory,
        exposures=of_job(PLAN.all_exposures, "asn"),
    output:
        solution=f"{OUT}/{{asn}}/{{asn}}_default/solution.json",
        wcs=f"{OUT}/{{asn}}/{{asn}}_default/{{asn}}_wcs.fits",
    log:
        f"{OUT}/{{asn}}/logs/default_solution.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/default_solution.tsv"
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **PLAN.resources("default_solution", of_job(PLAN.all_exposures, "asn")),
    params:
        references=of_job(PLAN.fetched.references, "asn"),
        versions=PLAN.versions,
    message:
        "{wildcards.asn}: distortion model (default WCS)"
    script:
        "../scripts/default_solution.py"


rule apriori_solution:
    input:
        inventory=rules.inventory.output.inventory,
        wcs=rules.default_solution.output.wcs,
        headerlets=of_job(PLAN.fetched.headerlets, "asn"),
        offsets=of_job(PLAN.fetched.offsets, "asn"),
    output:
        solution=f"{OUT}/{{asn}}/{{asn}}_apriori/solution.json",
        wcs=f"{OUT}/{{asn}}/{{asn}}_apriori/{{asn}}_wcs.fits",
    log:
        f"{OUT}/{{asn}}/logs/apriori_solution.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/apriori_solution.tsv"
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **PLAN.resources("apriori_solution", of_job(PLAN.all_exposures, "asn")),
    params:
        headerlets=of_job(PLAN.fetched.headerlet_folder, "asn"),
        enabled=PLAN.switches["apply_apriori"],
        versions=PLAN.versions,
    message:
        "{wildcards.asn}: best pre-computed WCS (a priori)"
    script:
        "../scripts/apriori_solution.py"


rule named_solution:
    # A solution that exists, asked for by WCSNAME, HDRNAME or folder; from the exposures as they came.
    input:
        inventory=rules.inventory.output.inventory,
        exposures=of_job(PLAN.all_exposures, "asn"),
        headerlets=of_job(PLAN.fetched.headerlets_of, "asn", "candidate"),
    output:
        solution=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/solution.json",
        wcs=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/{{asn}}_wcs.fits",
    log:
        f"{OUT}/{{asn}}/logs/named_solution_{{candidate}}.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/named_solution_{{candidate}}.tsv"
    wildcard_constraints:
        candidate="|".join(PLAN.config["alternatives"]) or "(?!)",
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **PLAN.resources("named_solution", of_job(PLAN.all_exposures, "asn")),
    params:
        wanted=lambda w: PLAN.config["alternatives"][w.candidate],
        versions=PLAN.versions,
    message:
        "{wildcards.asn}: the solution {wildcards.candidate} of the exposures"
    script:
        "../scripts/named_solution.py"
