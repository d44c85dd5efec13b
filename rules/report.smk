# Needs: products of two candidates, or of two associations.
# Makes: pictures to look at, side by side (PNG) and blinking (GIF), with the offset between the products (JSON).


wildcard_constraints:
    first=r"(?:(?!_vs_)[^/])+",
    second=r"(?:(?!_vs_)[^/])+",
    asn1=r"[a-z0-9]+",
    asn2=r"[a-z0-9]+",


PICTURE_VERSIONS = VERSIONS | settings.software_versions(("matplotlib", "pillow"))


def candidate_drizzled(asn, candidate):
    """Path of the product that a candidate is judged on."""
    suffix = product_suffix(verification_kind(asn))
    return f"{directory(asn, candidate)}/{asn}_{suffix}.fits"


def wanted_pictures(wildcards):
    """The default beside every other candidate, whichever wins."""
    return [
        f"{OUT}/{asn}/pictures/default_vs_{candidate}.png"
        for asn in wanted()
        for candidate in in_use(asn)
        if candidate != "default" and may_apply(candidate)
    ]


rule picture_of_candidates:
    input:
        first=lambda w: candidate_drizzled(w.asn, w.first),
        second=lambda w: candidate_drizzled(w.asn, w.second),
    output:
        picture=report(
            f"{OUT}/{{asn}}/pictures/{{first}}_vs_{{second}}.png",
            category="Before and after",
            subcategory="{asn}",
        ),
        blink=f"{OUT}/{{asn}}/pictures/{{first}}_vs_{{second}}.gif",
        comparison=f"{OUT}/{{asn}}/pictures/{{first}}_vs_{{second}}.json",
    log:
        f"{OUT}/{{asn}}/logs/picture_{{first}}_vs_{{second}}.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/picture_{{first}}_vs_{{second}}.tsv"
    resources:
        **requests(
            "picture_of_candidates",
            lambda w: exposure_files(w.asn, verification_kind(w.asn)),
        ),
    params:
        pictures=CONFIG["pictures"],
        detectors=DETECTORS,
        versions=PICTURE_VERSIONS,
    message:
        "{wildcards.asn}: {wildcards.first} beside {wildcards.second}"
    script:
        "../scripts/picture.py"


rule picture_of_associations:
    input:
        first=lambda w: candidate_drizzled(w.asn1, w.candidate),
        second=lambda w: candidate_drizzled(w.asn2, w.candidate),
    output:
        picture=report(
            f"{OUT}/pictures/{{asn1}}_vs_{{asn2}}_{{candidate}}.png",
            category="Before and after",
            subcategory="{asn1} and {asn2}",
        ),
        blink=f"{OUT}/pictures/{{asn1}}_vs_{{asn2}}_{{candidate}}.gif",
        comparison=f"{OUT}/pictures/{{asn1}}_vs_{{asn2}}_{{candidate}}.json",
    log:
        f"{OUT}/pictures/logs/{{asn1}}_vs_{{asn2}}_{{candidate}}.log",
    benchmark:
        f"{OUT}/pictures/benchmarks/{{asn1}}_vs_{{asn2}}_{{candidate}}.tsv"
    resources:
        **requests(
            "picture_of_associations",
            lambda w: [
                path
                for asn in (w.asn1, w.asn2)
                for path in exposure_files(asn, verification_kind(asn))
            ],
        ),
    params:
        pictures=CONFIG["pictures"],
        detectors=DETECTORS,
        versions=PICTURE_VERSIONS,
    message:
        "{wildcards.asn1} beside {wildcards.asn2}: {wildcards.candidate}"
    script:
        "../scripts/picture.py"
