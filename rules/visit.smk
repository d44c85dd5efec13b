# Needs: inventories, source tables and default WCSs of all associations of a visit; reference catalogues.
# Makes: visits/<visit>/<catalog>_<geometry>.json, and per association the candidate `visit`.


def visit_of(asn):
    return visits.visit_of(CONFIG["visit"]["group"], asn)


@functools.cache
def associations_of(visit):
    """Associations of a visit that are to be processed, sorted."""
    found = visits.associations_of(CONFIG["visit"]["group"], wanted(), visit)
    return [asn for asn in found if quick_outcome(asn)[0]]


def visit_fit_files(asn):
    """Every combination of catalogue and geometry, in order of preference."""
    if not may_apply("visit"):
        return []
    return [
        f"{OUT}/visits/{visit_of(asn)}/{catalog}_{geometry}.json"
        for catalog in CATALOGS
        for geometry in CONFIG["fitting"]["geometries"]
    ]


def of_every_association(pattern):
    return lambda w: [pattern.format(asn=asn) for asn in associations_of(w.visit)]


rule visit_fit:
    input:
        inventories=of_every_association(f"{OUT}/{{asn}}/inventory.json"),
        wcs=of_every_association(f"{OUT}/{{asn}}/{{asn}}_default/{{asn}}_wcs.fits"),
        sources=lambda w: sorted(
            {
                root: f"{OUT}/{asn}/sources/{root}.ecsv"
                for asn in associations_of(w.visit)
                for root in members(asn)
            }.values()
        ),
        catalog=lambda w: catalog_file(w.visit, w.catalog),
    output:
        fit=f"{OUT}/visits/{{visit}}/{{catalog}}_{{geometry}}.json",
    log:
        f"{OUT}/visits/{{visit}}/logs/{{catalog}}_{{geometry}}.log",
    benchmark:
        f"{OUT}/visits/{{visit}}/benchmarks/{{catalog}}_{{geometry}}.tsv"
    priority: 50
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **requests("visit_fit", lambda w: exposures_of_visit(w.visit, "inputs")),
    params:
        options=lambda w: catalog_options(w.catalog),
        detectors=DETECTORS,
        versions=VERSIONS,
    message:
        "visit {wildcards.visit}: fit to {wildcards.catalog} as one body ({wildcards.geometry})"
    script:
        "../scripts/visit_fit.py"


rule visit_solution:
    input:
        inventory=rules.inventory.output.inventory,
        wcs=rules.default_solution.output.wcs,
        fits=lambda w: visit_fit_files(w.asn),
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
        **requests("visit_solution", all_exposure_files),
    params:
        enabled=SWITCHES["compute_aposteriori"],
        versions=VERSIONS,
    message:
        "{wildcards.asn}: choosing the fit of its visit"
    script:
        "../scripts/visit_solution.py"
