# Needs: exposures, a candidate's WCS bundle; the default candidate's CR flags and verdict for the others.
# Makes: per candidate the product, the single drizzles, the CR masks, and on request the exposures themselves.


def flags_to_reuse(wildcards):
    """The default candidate's CR flags and the verdict that says whether they can be trusted."""
    if wildcards.candidate == "default":
        return []
    base = directory(wildcards.asn, "default")
    suffix = product_suffix(verification_kind(wildcards.asn))
    return [f"{base}/verification.json", f"{base}/{wildcards.asn}_{suffix}_crmask.fits"]


def kept_with(least, path):
    """An output that stays only where the configuration keeps as much as that; else until all that need it are done.

    Solutions, bundles of headers and CR masks always stay: they give back the exposures of a candidate.
    """
    levels = settings.KEEP
    return path if levels.index(CONFIG["keep"]) <= levels.index(least) else temp(path)


rule candidate_product:
    input:
        inventory=rules.inventory.output.inventory,
        solution=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/solution.json",
        wcs=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/{{asn}}_wcs.fits",
        exposures=lambda w: exposure_files(w.asn, kind_of(w.product)),
        default=flags_to_reuse,
    output:
        product=kept_with(
            "candidates",
            f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/{{asn}}_{{product}}.fits",
        ),
        singles=kept_with(
            "all",
            f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/{{asn}}_{{product}}_singles.fits",
        ),
        crmask=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/{{asn}}_{{product}}_crmask.fits",
    log:
        f"{OUT}/{{asn}}/logs/drizzle_{{candidate}}_{{product}}.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/drizzle_{{candidate}}_{{product}}.tsv"
    conda:
        "../envs/snakedriz.yaml"
    # Nothing else of an association can run beside its default drizzle; later ones share the machine.
    threads: lambda w: 2 if w.candidate == "default" else 1
    resources:
        **requests(
            "candidate_product", lambda w: exposure_files(w.asn, kind_of(w.product))
        ),
    params:
        versions=VERSIONS,
    message:
        "{wildcards.asn}: drizzle with the {wildcards.candidate} WCS"
    script:
        "../scripts/candidate_product.py"


rule candidate_exposure:
    # An exposure with a candidate's WCS and the CR flags found with it.
    input:
        solution=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/solution.json",
        wcs=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/{{asn}}_wcs.fits",
        crmask=lambda w: f"{directory(w.asn, w.candidate)}/{w.asn}_{product_suffix(verification_kind(w.asn))}_crmask.fits",
        exposure=lambda w: exposure_file(w.asn, w.root, w.kind),
    output:
        exposure=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/{{root}}_{{kind}}.fits",
    log:
        f"{OUT}/{{asn}}/logs/exposure_{{candidate}}_{{root}}_{{kind}}.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/exposure_{{candidate}}_{{root}}_{{kind}}.tsv"
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **requests("candidate_exposure", lambda w: exposure_file(w.asn, w.root, w.kind)),
    params:
        versions=VERSIONS,
    message:
        "{wildcards.asn}: {wildcards.root}_{wildcards.kind} with the {wildcards.candidate} WCS"
    script:
        "../scripts/candidate_exposure.py"
