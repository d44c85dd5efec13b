# Needs: exposures, the default candidate's CR flags and verdict; reference catalogues; the WCS to start from.
# Makes: sources/<root>.ecsv, catalogs/<catalog>.ecsv, fits/<catalog>_<method>_<geometry>.json; the candidate
# `aposteriori`: solution.json and the bundle of header skeletons.


rule sources:
    # Pixels and DQ only, never a WCS: runs beside the a priori drizzle, one job per exposure.
    input:
        inventory=rules.inventory.output.inventory,
        exposure=lambda w: PLAN.exposure(w.root, PLAN.judged_kind(w.asn)),
        crmask=lambda w: PLAN.drizzled(w.asn, "default", "_crmask"),
        verification=f"{OUT}/{{asn}}/{{asn}}_default/verification.json",
    output:
        table=f"{OUT}/{{asn}}/sources/{{root}}.ecsv",
    log:
        f"{OUT}/{{asn}}/logs/sources_{{root}}.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/sources_{{root}}.tsv"
    # The chain to the fit is the longest way through an association: it goes before what can wait.
    priority: 50
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **PLAN.resources(
            "sources", lambda w: PLAN.exposure(w.root, PLAN.judged_kind(w.asn))
        ),
    params:
        detectors=PLAN.detectors,
        versions=PLAN.versions,
    message:
        "{wildcards.asn}: sources of {wildcards.root}"
    script:
        "../scripts/sources.py"


rule catalog:
    input:
        inventory=rules.inventory.output.inventory,
        wcs=rules.default_solution.output.wcs,
        file=of_job(PLAN.fetched.catalog, "asn", "catalog"),
    output:
        table=f"{OUT}/{{asn}}/catalogs/{{catalog}}.ecsv",
    log:
        f"{OUT}/{{asn}}/logs/catalog_{{catalog}}.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/catalog_{{catalog}}.tsv"
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **PLAN.resources("catalog", of_job(PLAN.fetched.catalog, "asn", "catalog")),
    params:
        options=of_job(PLAN.fetched.catalog_options, "catalog"),
        detectors=PLAN.detectors,
        versions=PLAN.versions,
    message:
        "{wildcards.asn}: reference catalogue {wildcards.catalog} in the field"
    script:
        "../scripts/catalog.py"


rule fit:
    # All fits to a catalogue: starting Python and reading the sources takes longer than a fit.
    input:
        inventory=rules.inventory.output.inventory,
        sources=of_job(PLAN.sources, "asn"),
        catalog=rules.catalog.output.table,
        start=of_job(PLAN.start_of_fit, "asn"),
    output:
        fits=PLAN.fits("{asn}", "{catalog}"),
    log:
        f"{OUT}/{{asn}}/logs/fit_{{catalog}}.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/fit_{{catalog}}.tsv"
    priority: 50
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **PLAN.resources("fit", of_job(PLAN.exposures, "asn")),
    params:
        methods=PLAN.config["fitting"]["methods"],
        geometries=PLAN.config["fitting"]["geometries"],
        detectors=PLAN.detectors,
        versions=PLAN.versions,
    message:
        "{wildcards.asn}: fits to {wildcards.catalog}"
    script:
        "../scripts/fit.py"


rule aposteriori_solution:
    input:
        inventory=rules.inventory.output.inventory,
        start=of_job(PLAN.start_of_fit, "asn"),
        fits=of_job(PLAN.all_fits, "asn"),
    output:
        solution=f"{OUT}/{{asn}}/{{asn}}_aposteriori/solution.json",
        wcs=f"{OUT}/{{asn}}/{{asn}}_aposteriori/{{asn}}_wcs.fits",
    log:
        f"{OUT}/{{asn}}/logs/aposteriori_solution.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/aposteriori_solution.tsv"
    priority: 50
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **PLAN.resources("aposteriori_solution", of_job(PLAN.all_exposures, "asn")),
    params:
        enabled=PLAN.switches["compute_aposteriori"],
        versions=PLAN.versions,
    message:
        "{wildcards.asn}: choosing the fit (a posteriori)"
    script:
        "../scripts/aposteriori_solution.py"
