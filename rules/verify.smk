# Needs: a candidate's product and single drizzles, and the default candidate's to compare with.
# Makes: per candidate verification.json (every check with value, limit and outcome), drizzlepac.json (what drizzlepac 3.11
# would say, for comparison only), astrometry.json (against each other and the catalogues) and metrics.json, all together.


rule verification:
    input:
        inventory=rules.inventory.output.inventory,
        solution=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/solution.json",
        drizzled=of_job(PLAN.to_verify, "asn", "candidate"),
        default=of_job(PLAN.to_compare_with, "asn", "candidate"),
        geometry=of_job(PLAN.geometry_to_compare, "asn", "candidate"),
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
        **PLAN.resources("verification", of_job(PLAN.exposures, "asn")),
    params:
        detectors=PLAN.detectors,
        versions=PLAN.versions,
    message:
        "{wildcards.asn}: verifying the {wildcards.candidate} WCS"
    script:
        "../scripts/verification.py"


rule drizzlepac_numbers:
    # For comparison only: nothing but metrics.json waits for it, and it takes longer than the verification.
    input:
        inventory=rules.inventory.output.inventory,
        solution=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/solution.json",
        drizzled=of_job(PLAN.to_verify, "asn", "candidate"),
        default=lambda w: PLAN.to_compare_with(w.asn, w.candidate)[:1],
        fits=of_job(PLAN.fits_chosen_from, "asn", "candidate"),
    output:
        numbers=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/drizzlepac.json",
    log:
        f"{OUT}/{{asn}}/logs/drizzlepac_numbers_{{candidate}}.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/drizzlepac_numbers_{{candidate}}.tsv"
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **PLAN.resources("drizzlepac_numbers", of_job(PLAN.exposures, "asn")),
    params:
        versions=PLAN.versions,
    message:
        "{wildcards.asn}: drizzlepac's numbers for the {wildcards.candidate} WCS"
    script:
        "../scripts/drizzlepac_numbers.py"


rule astrometry:
    # Apart from the verification, which sources wait for: it says whether the default's CR flags can be trusted.
    input:
        inventory=rules.inventory.output.inventory,
        solution=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/solution.json",
        wcs=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/{{asn}}_wcs.fits",
        sources=of_job(PLAN.sources_to_compare, "asn", "candidate"),
        catalogs=of_job(PLAN.catalogs_to_compare_with, "asn", "candidate"),
        fits=of_job(PLAN.fits_chosen_from, "asn", "candidate"),
    output:
        astrometry=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/astrometry.json",
    log:
        f"{OUT}/{{asn}}/logs/astrometry_{{candidate}}.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/astrometry_{{candidate}}.tsv"
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **PLAN.resources("astrometry", of_job(PLAN.exposures, "asn")),
    params:
        detectors=PLAN.detectors,
        versions=PLAN.versions,
    message:
        "{wildcards.asn}: astrometry of the {wildcards.candidate} WCS"
    script:
        "../scripts/astrometry.py"


rule metrics:
    input:
        verification=rules.verification.output.verification,
        astrometry=of_job(PLAN.astrometry, "asn", "candidate"),
        drizzlepac=of_job(PLAN.drizzlepac_numbers, "asn", "candidate"),
    output:
        metrics=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/metrics.json",
    log:
        f"{OUT}/{{asn}}/logs/metrics_{{candidate}}.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/metrics_{{candidate}}.tsv"
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **PLAN.resources("metrics"),
    params:
        versions=PLAN.versions,
    message:
        "{wildcards.asn}: metrics of the {wildcards.candidate} WCS"
    script:
        "../scripts/metrics.py"
