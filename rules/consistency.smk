# Needs: exposures of a visit, as they came or as they were promoted.
# Makes: which WCS solution each of them has active, and what disagrees: as JSON and as a table.


rule consistency_of_visit:
    input:
        exposures=of_job(PLAN.visit_exposures, "visit", "state"),
    output:
        report=f"{OUT}/visits/{{visit}}/consistency_{{state}}.json",
        table=f"{OUT}/visits/{{visit}}/consistency_{{state}}.ecsv",
    log:
        f"{OUT}/visits/{{visit}}/logs/consistency_of_visit_{{state}}.log",
    benchmark:
        f"{OUT}/visits/{{visit}}/benchmarks/consistency_of_visit_{{state}}.tsv"
    wildcard_constraints:
        state="inputs|final",
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **PLAN.resources("consistency_of_visit", of_job(PLAN.visit_exposures, "visit")),
    params:
        versions=PLAN.versions,
    message:
        "visit {wildcards.visit}: WCS solutions of its exposures ({wildcards.state})"
    script:
        "../scripts/consistency_of_visit.py"
