# Needs: inventories, source tables and default WCSs of all associations of a visit; reference catalogues.
# Makes: visits/<visit>/<catalog>_<geometry>.json, and per association the candidate `visit`.


rule visit_fit:
    input:
        inventories=PLAN.of_every_association(f"{OUT}/{{asn}}/inventory.json"),
        wcs=PLAN.of_every_association(f"{OUT}/{{asn}}/{{asn}}_default/{{asn}}_wcs.fits"),
        sources=of_job(PLAN.visit_sources, "visit"),
        catalog=of_job(PLAN.fetched.catalog, "visit", "catalog"),
    output:
        fit=f"{OUT}/visits/{{visit}}/{{catalog}}_{{geometry}}.json",
    log:
        f"{OUT}/visits/{{visit}}/logs/visit_fit_{{catalog}}_{{geometry}}.log",
    benchmark:
        f"{OUT}/visits/{{visit}}/benchmarks/visit_fit_{{catalog}}_{{geometry}}.tsv"
    priority: 50
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **PLAN.resources("visit_fit", of_job(PLAN.visit_exposures, "visit")),
    params:
        options=of_job(PLAN.fetched.catalog_options, "catalog"),
        detectors=PLAN.detectors,
        versions=PLAN.versions,
    message:
        "visit {wildcards.visit}: fit to {wildcards.catalog} as one body ({wildcards.geometry})"
    script:
        "../scripts/visit_fit.py"


rule visit_solution:
    input:
        inventory=rules.inventory.output.inventory,
        wcs=rules.default_solution.output.wcs,
        fits=of_job(PLAN.visit_fits, "asn"),
    output:
        solution=f"{OUT}/{{asn}}/{{asn}}_visit/solution.json",
        wcs=f"{OUT}/{{asn}}/{{asn}}_visit/{{asn}}_wcs.fits",
    log:
        f"{OUT}/{{asn}}/logs/visit_solution.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/visit_solution.tsv"
    priority: 50
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **PLAN.resources("visit_solution", of_job(PLAN.all_exposures, "asn")),
    params:
        enabled=PLAN.switches["compute_aposteriori"],
        versions=PLAN.versions,
    message:
        "{wildcards.asn}: choosing the fit of its visit"
    script:
        "../scripts/visit_solution.py"
