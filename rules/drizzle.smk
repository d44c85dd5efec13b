# Needs: exposures, a candidate's WCS bundle; the default candidate's CR flags and verdict for the others.
# Makes: per candidate the product, the single drizzles, the CR masks, and on request the exposures themselves.

# What stays only where the configuration keeps as much as that; else until all that need it are done. Solutions, bundles
# of headers and CR masks always stay: they give back the exposures of a candidate.
PRODUCT = f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/{{asn}}_{{product}}.fits"
SINGLES = f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/{{asn}}_{{product}}_singles.fits"


rule candidate_product:
    input:
        inventory=rules.inventory.output.inventory,
        solution=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/solution.json",
        wcs=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/{{asn}}_wcs.fits",
        exposures=lambda w: PLAN.exposures(w.asn, KIND_OF[w.product]),
        default=of_job(PLAN.flags_to_reuse, "asn", "candidate"),
    output:
        product=PRODUCT if PLAN.keeps("candidates") else temp(PRODUCT),
        singles=SINGLES if PLAN.keeps("all") else temp(SINGLES),
        crmask=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/{{asn}}_{{product}}_crmask.fits",
    log:
        f"{OUT}/{{asn}}/logs/candidate_product_{{candidate}}_{{product}}.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/candidate_product_{{candidate}}_{{product}}.tsv"
    conda:
        "../envs/snakedriz.yaml"
    # Nothing else of an association can run beside its default drizzle; later ones share the machine.
    threads: lambda w: 2 if w.candidate == "default" else 1
    resources:
        **PLAN.resources(
            "candidate_product", lambda w: PLAN.exposures(w.asn, KIND_OF[w.product])
        ),
    params:
        detectors=PLAN.detectors,
        versions=PLAN.versions,
    message:
        "{wildcards.asn}: drizzle with the {wildcards.candidate} WCS"
    script:
        "../scripts/candidate_product.py"


rule candidate_exposure:
    # An exposure with a candidate's WCS and the CR flags found with it.
    input:
        solution=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/solution.json",
        wcs=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/{{asn}}_wcs.fits",
        crmask=lambda w: PLAN.drizzled(w.asn, w.candidate, "_crmask"),
        exposure=of_job(PLAN.exposure, "root", "kind"),
    output:
        exposure=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/{{root}}_{{kind}}.fits",
    log:
        f"{OUT}/{{asn}}/logs/candidate_exposure_{{candidate}}_{{root}}_{{kind}}.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/candidate_exposure_{{candidate}}_{{root}}_{{kind}}.tsv"
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **PLAN.resources("candidate_exposure", of_job(PLAN.exposure, "root", "kind")),
    params:
        versions=PLAN.versions,
    message:
        "{wildcards.asn}: {wildcards.root}_{wildcards.kind} with the {wildcards.candidate} WCS"
    script:
        "../scripts/candidate_exposure.py"
