# Needs: solution.json and metrics.json of every candidate; then the input exposures and the winner's WCS bundle.
# Makes: promotion.json, and in final/ the products, exposures, headerlets, manifest and log.


def every_candidate(file):
    return noted(
        lambda w: [
            f"{directory(w.asn, c)}/{file.format(asn=w.asn)}" for c in in_use(w.asn)
        ]
    )


def final_files(wildcards):
    """Everything in final/ that the manifest lists."""
    asn = wildcards.asn
    base = f"{OUT}/{asn}/final"
    exposures = [
        f"{base}/{root}_{kind}" for kind in kinds(asn) for root in members(asn)
    ]
    return [
        *products(asn),
        *(f"{e}.fits" for e in exposures),
        *(f"{e}_hlet.fits" for e in exposures),
    ]


rule promotion:
    # Opens JSON only: changing a limit reruns seconds, not hours.
    input:
        inventory=rules.inventory.output.inventory,
        solutions=every_candidate("solution.json"),
        metrics=every_candidate("metrics.json"),
    output:
        promotion=f"{OUT}/{{asn}}/promotion.json",
    log:
        f"{OUT}/{{asn}}/logs/promotion.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/promotion.tsv"
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **requests("promotion"),
    params:
        promotion=CONFIG["promotion"],
        versions=VERSIONS,
    message:
        "{wildcards.asn}: which WCS is the best verified one"
    script:
        "../scripts/promotion.py"


rule final_product:
    input:
        inventory=rules.inventory.output.inventory,
        promotion=rules.promotion.output.promotion,
        wcs=every_candidate("{asn}_wcs.fits"),
        exposures=lambda w: exposure_files(w.asn, kind_of(w.product)),
    output:
        product=f"{OUT}/{{asn}}/final/{{name}}_{{product}}.fits",
        crmask=f"{OUT}/{{asn}}/masks/{{name}}_{{product}}_crmask.fits",
    log:
        f"{OUT}/{{asn}}/logs/final_{{name}}_{{product}}.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/final_{{name}}_{{product}}.tsv"
    conda:
        "../envs/snakedriz.yaml"
    threads: 1
    resources:
        **requests("final_product", lambda w: exposure_files(w.asn, kind_of(w.product))),
    params:
        versions=VERSIONS,
    message:
        "{wildcards.asn}: final {wildcards.name}_{wildcards.product}"
    script:
        "../scripts/final_product.py"


rule final_exposure:
    input:
        inventory=rules.inventory.output.inventory,
        promotion=rules.promotion.output.promotion,
        wcs=every_candidate("{asn}_wcs.fits"),
        exposure=lambda w: exposure_file(w.asn, w.root, w.kind),
        crmask=lambda w: f"{OUT}/{w.asn}/masks/{association(w.asn).product}_{product_suffix(w.kind)}_crmask.fits",
    output:
        exposure=f"{OUT}/{{asn}}/final/{{root}}_{{kind}}.fits",
        headerlet=f"{OUT}/{{asn}}/final/{{root}}_{{kind}}_hlet.fits",
    log:
        f"{OUT}/{{asn}}/logs/final_{{root}}_{{kind}}.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/final_{{root}}_{{kind}}.tsv"
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **requests("final_exposure", lambda w: exposure_file(w.asn, w.root, w.kind)),
    params:
        versions=VERSIONS,
    message:
        "{wildcards.asn}: final {wildcards.root}_{wildcards.kind} and its headerlet"
    script:
        "../scripts/final_exposure.py"


rule manifest:
    input:
        inventory=rules.inventory.output.inventory,
        promotion=rules.promotion.output.promotion,
        metrics=every_candidate("metrics.json"),
        solutions=every_candidate("solution.json"),
        final=final_files,
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
        **requests("manifest"),
    params:
        versions=VERSIONS,
    message:
        "{wildcards.asn}: manifest and log"
    script:
        "../scripts/manifest.py"
