# Needs: products of two candidates, or of two associations; exposures of a visit.
# Makes: pictures to look at, side by side (PNG) and blinking (GIF), with the offset between the products (JSON);
# which WCS solution each exposure of a visit has active, as it came and as it was promoted.


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
    conda:
        "../envs/snakedriz.yaml"
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
    conda:
        "../envs/snakedriz.yaml"
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


def exposures_of_visit(visit, state):
    """Exposures of a visit as they came (inputs) or with the promoted WCS (final); of each, the kind judged on."""
    found = []
    for asn in associations_of(visit):
        kind = verification_kind(asn)
        if state == "inputs":
            found += exposure_files(asn, kind)
        else:
            found += [f"{OUT}/{asn}/final/{root}_{kind}.fits" for root in members(asn)]
    return sorted(set(found))


def wanted_consistency(wildcards):
    """Of every visit that has something to process: before, and after."""
    visits_ = {visit_of(asn) for asn in wanted() if quick_outcome(asn)[0]}
    return [
        f"{OUT}/visits/{visit}/consistency_{state}.json"
        for visit in sorted(visits_)
        for state in ("inputs", "final")
    ]


rule consistency_of_visit:
    input:
        exposures=lambda w: exposures_of_visit(w.visit, w.state),
    output:
        report=f"{OUT}/visits/{{visit}}/consistency_{{state}}.json",
        table=f"{OUT}/visits/{{visit}}/consistency_{{state}}.ecsv",
    log:
        f"{OUT}/visits/{{visit}}/logs/consistency_{{state}}.log",
    benchmark:
        f"{OUT}/visits/{{visit}}/benchmarks/consistency_{{state}}.tsv"
    wildcard_constraints:
        state="inputs|final",
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **requests(
            "consistency_of_visit", lambda w: exposures_of_visit(w.visit, "inputs")
        ),
    params:
        versions=VERSIONS,
    message:
        "visit {wildcards.visit}: WCS solutions of its exposures ({wildcards.state})"
    script:
        "../scripts/consistency.py"
