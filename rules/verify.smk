# Needs: a candidate's product and single drizzles, and the default candidate's to compare with.
# Makes: per candidate verification.json (every check with value, limit and outcome), drizzlepac.json (what drizzlepac 3.11
# would say, for comparison only), astrometry.json (against the catalogues) and metrics.json, all together.


def to_verify(wildcards):
    """Product and singles of the candidate; nothing where the configuration rules the candidate out."""
    if not may_apply(wildcards.candidate):
        return []
    suffix = product_suffix(verification_kind(wildcards.asn))
    base = f"{directory(wildcards.asn, wildcards.candidate)}/{wildcards.asn}_{suffix}"
    return [f"{base}.fits", f"{base}_singles.fits"]


def to_compare_with(wildcards):
    """Product and verification of the default candidate, for the others."""
    if wildcards.candidate == "default" or not may_apply(wildcards.candidate):
        return []
    suffix = product_suffix(verification_kind(wildcards.asn))
    base = directory(wildcards.asn, "default")
    return [f"{base}/{wildcards.asn}_{suffix}.fits", f"{base}/verification.json"]


rule verification:
    input:
        inventory=rules.inventory.output.inventory,
        solution=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/solution.json",
        drizzled=to_verify,
        default=to_compare_with,
    output:
        verification=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/verification.json",
    log:
        f"{OUT}/{{asn}}/logs/verification_{{candidate}}.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/verification_{{candidate}}.tsv"
    # The default's verdict says whether sources may use its CR flags: the way to the fit goes first.
    priority: 50
    conda:
        "../envs/snakedriz.yaml"
    threads: 2
    resources:
        **requests("verification", judged_files),
    params:
        detectors=DETECTORS,
        versions=VERSIONS,
    message:
        "{wildcards.asn}: verifying the {wildcards.candidate} WCS"
    script:
        "../scripts/verification.py"


ASTROMETRY = f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/astrometry.json"


def sources_to_compare(wildcards):
    """Source tables of all members; nothing without catalogues or where the configuration rules the candidate out."""
    if not CATALOGS or not may_apply(wildcards.candidate):
        return []
    return [
        f"{OUT}/{wildcards.asn}/sources/{root}.ecsv" for root in members(wildcards.asn)
    ]


def catalogs_to_compare_with(wildcards):
    """Reference catalogues in order of preference."""
    if not may_apply(wildcards.candidate):
        return []
    return [f"{OUT}/{wildcards.asn}/catalogs/{name}.ecsv" for name in CATALOGS]


def product_to_compare_with(wildcards):
    return to_compare_with(wildcards)[:1]


def fits_chosen_from(wildcards):
    """How many sources a fit matched decides whether drizzlepac consults the focus."""
    return fit_files(wildcards.asn) if wildcards.candidate == "aposteriori" else []


rule drizzlepac_numbers:
    # For comparison only: nothing but metrics.json waits for it, and it takes longer than the verification.
    input:
        inventory=rules.inventory.output.inventory,
        solution=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/solution.json",
        drizzled=to_verify,
        default=product_to_compare_with,
        fits=fits_chosen_from,
    output:
        numbers=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/drizzlepac.json",
    log:
        f"{OUT}/{{asn}}/logs/drizzlepac_numbers_{{candidate}}.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/drizzlepac_numbers_{{candidate}}.tsv"
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **requests("drizzlepac_numbers", judged_files),
    params:
        versions=VERSIONS,
    message:
        "{wildcards.asn}: drizzlepac's numbers for the {wildcards.candidate} WCS"
    script:
        "../scripts/drizzlepac_numbers.py"


def numbers_of_drizzlepac(wildcards):
    """What drizzlepac 3.11 would say, where that is wanted and the candidate may apply."""
    if not CONFIG["promotion"]["drizzlepac_numbers"] or not may_apply(
        wildcards.candidate
    ):
        return []
    return f"{directory(wildcards.asn, wildcards.candidate)}/drizzlepac.json"


rule metrics:
    # With the astrometry, which asks no more of the machine than starting Python does; apart from the verification,
    # which sources wait for: it says whether the default's CR flags can be trusted.
    input:
        inventory=rules.inventory.output.inventory,
        solution=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/solution.json",
        wcs=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/{{asn}}_wcs.fits",
        sources=sources_to_compare,
        catalogs=catalogs_to_compare_with,
        fits=fits_chosen_from,
        verification=rules.verification.output.verification,
        drizzlepac=numbers_of_drizzlepac,
    output:
        **({"astrometry": ASTROMETRY} if CATALOGS else {}),
        metrics=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/metrics.json",
    log:
        f"{OUT}/{{asn}}/logs/metrics_{{candidate}}.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/metrics_{{candidate}}.tsv"
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **requests("metrics", judged_files),
    params:
        detectors=DETECTORS,
        versions=VERSIONS,
    message:
        "{wildcards.asn}: astrometry and metrics of the {wildcards.candidate} WCS"
    script:
        "../scripts/metrics.py"
