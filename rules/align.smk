# Needs: exposures, the default candidate's CR flags and verdict; reference catalogues; the WCS to start from.
# Makes: sources/<root>.ecsv, catalogs/<catalog>.ecsv, fits/<catalog>_<method>_<geometry>.json.


def fit_files(asn):
    """Every combination of catalogue, method and geometry, in order of preference."""
    if not may_apply("aposteriori"):
        return []
    return [
        f"{OUT}/{asn}/fits/{catalog}_{name}.json"
        for catalog in CATALOGS
        for name in settings.kinds_of_fit(CONFIG)
    ]


rule sources:
    # Pixels and DQ only, never a WCS: runs beside the a priori drizzle, one job per exposure.
    input:
        inventory=rules.inventory.output.inventory,
        exposure=lambda w: exposure_file(w.asn, w.root, verification_kind(w.asn)),
        crmask=lambda w: f"{directory(w.asn, 'default')}/{w.asn}_{product_suffix(verification_kind(w.asn))}_crmask.fits",
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
        **requests(
            "sources", lambda w: exposure_file(w.asn, w.root, verification_kind(w.asn))
        ),
    params:
        detectors=DETECTORS,
        versions=VERSIONS,
    message:
        "{wildcards.asn}: sources of {wildcards.root}"
    script:
        "../scripts/sources.py"


rule catalog:
    input:
        inventory=rules.inventory.output.inventory,
        wcs=rules.default_solution.output.wcs,
        file=lambda w: catalog_file(w.asn, w.catalog),
    output:
        table=f"{OUT}/{{asn}}/catalogs/{{catalog}}.ecsv",
    log:
        f"{OUT}/{{asn}}/logs/catalog_{{catalog}}.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/catalog_{{catalog}}.tsv"
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **requests("catalog", lambda w: catalog_file(w.asn, w.catalog)),
    params:
        options=lambda w: catalog_options(w.catalog),
        detectors=DETECTORS,
        versions=VERSIONS,
    message:
        "{wildcards.asn}: reference catalogue {wildcards.catalog} in the field"
    script:
        "../scripts/catalog.py"


rule fit:
    # All fits to a catalogue: starting Python and reading the sources takes longer than a fit.
    input:
        inventory=rules.inventory.output.inventory,
        sources=lambda w: [
            f"{OUT}/{w.asn}/sources/{root}.ecsv" for root in members(w.asn)
        ],
        catalog=rules.catalog.output.table,
        start=start_of_fit,
    output:
        fits=[
            f"{OUT}/{{asn}}/fits/{{catalog}}_{name}.json"
            for name in settings.kinds_of_fit(CONFIG)
        ],
    log:
        f"{OUT}/{{asn}}/logs/fit_{{catalog}}.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/fit_{{catalog}}.tsv"
    priority: 50
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **requests("fit", judged_files),
    params:
        detectors=DETECTORS,
        versions=VERSIONS,
    message:
        "{wildcards.asn}: fits to {wildcards.catalog}"
    script:
        "../scripts/fit.py"
