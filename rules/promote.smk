# Needs: solution.json and metrics.json of every candidate; then the input exposures and the winner's product, CR flags
# and WCS bundle.
# Makes: promotion.json, and in final/ the products, exposures, headerlets, manifest and log.


rule promotion:
    # Opens JSON only: changing a limit reruns seconds, not hours.
    input:
        inventory=rules.inventory.output.inventory,
        solutions=PLAN.of_every_candidate("solution.json"),
        metrics=PLAN.of_every_candidate("metrics.json"),
    output:
        promotion=f"{OUT}/{{asn}}/promotion.json",
    log:
        f"{OUT}/{{asn}}/logs/promotion.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/promotion.tsv"
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **PLAN.resources("promotion"),
    params:
        promotion=PLAN.config["promotion"],
        versions=PLAN.versions,
    message:
        "{wildcards.asn}: which WCS is the best verified one"
    script:
        "../scripts/promotion.py"


rule final_product:
    # What was judged is delivered: the promoted candidate's product, which lies beside its CR masks, with final headers.
    # It is no input, as it may have been dropped (`keep`), and a decision taken anew would drizzle every candidate again:
    # where it is gone, the same is drizzled once more. The other kind of exposures is drizzled with its CR flags.
    input:
        inventory=rules.inventory.output.inventory,
        promotion=rules.promotion.output.promotion,
        wcs=PLAN.of_every_candidate("{asn}_wcs.fits"),
        crmasks=of_job(PLAN.crmasks, "asn"),
        default=of_job(PLAN.flags_to_reuse, "asn"),
        exposures=lambda w: PLAN.exposures(w.asn, KIND_OF[w.product]),
    output:
        product=f"{OUT}/{{asn}}/final/{{name}}_{{product}}.fits",
    log:
        f"{OUT}/{{asn}}/logs/final_product_{{name}}_{{product}}.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/final_product_{{name}}_{{product}}.tsv"
    conda:
        "../envs/snakedriz.yaml"
    threads: 1
    resources:
        **PLAN.resources(
            "final_product", lambda w: PLAN.exposures(w.asn, KIND_OF[w.product])
        ),
    params:
        judged=lambda w: KIND_OF[w.product] == PLAN.judged_kind(w.asn),
        versions=PLAN.versions,
    message:
        "{wildcards.asn}: final {wildcards.name}_{wildcards.product}"
    script:
        "../scripts/final_product.py"


rule final_exposure:
    input:
        inventory=rules.inventory.output.inventory,
        promotion=rules.promotion.output.promotion,
        wcs=PLAN.of_every_candidate("{asn}_wcs.fits"),
        exposure=of_job(PLAN.exposure, "root", "kind"),
        crmasks=of_job(PLAN.crmasks, "asn"),
    output:
        exposure=f"{OUT}/{{asn}}/final/{{root}}_{{kind}}.fits",
        headerlet=f"{OUT}/{{asn}}/final/{{root}}_{{kind}}_hlet.fits",
    log:
        f"{OUT}/{{asn}}/logs/final_exposure_{{root}}_{{kind}}.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/final_exposure_{{root}}_{{kind}}.tsv"
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **PLAN.resources("final_exposure", of_job(PLAN.exposure, "root", "kind")),
    params:
        versions=PLAN.versions,
    message:
        "{wildcards.asn}: final {wildcards.root}_{wildcards.kind} and its headerlet"
    script:
        "../scripts/final_exposure.py"


rule manifest:
    input:
        inventory=rules.inventory.output.inventory,
        promotion=rules.promotion.output.promotion,
        metrics=PLAN.of_every_candidate("metrics.json"),
        solutions=PLAN.of_every_candidate("solution.json"),
        final=of_job(PLAN.final_files, "asn"),
    output:
        manifest=f"{OUT}/{{asn}}/final/manifest.tsv",
        trailer=f"{OUT}/{{asn}}/final/{{asn}}.tra",
    log:
        f"{OUT}/{{asn}}/logs/manifest.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/manifest.tsv"
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **PLAN.resources("manifest"),
    params:
        versions=PLAN.versions,
    message:
        "{wildcards.asn}: manifest and log"
    script:
        "../scripts/manifest.py"
