# Needs: products of two candidates, or of two associations.
# Makes: pictures to look at, side by side (PNG) and blinking (GIF), with the offset between the products (JSON).


wildcard_constraints:
    first=r"(?:(?!_vs_)[^/])+",
    second=r"(?:(?!_vs_)[^/])+",
    asn1=r"[a-z0-9]+",
    asn2=r"[a-z0-9]+",


PICTURE_VERSIONS = PLAN.versions | settings.software_versions(("matplotlib", "pillow"))


rule picture_of_candidates:
    input:
        first=of_job(PLAN.drizzled, "asn", "first"),
        second=of_job(PLAN.drizzled, "asn", "second"),
    output:
        picture=report(
            f"{OUT}/{{asn}}/pictures/{{first}}_vs_{{second}}.png",
            category="Before and after",
            subcategory="{asn}",
        ),
        blink=f"{OUT}/{{asn}}/pictures/{{first}}_vs_{{second}}.gif",
        comparison=f"{OUT}/{{asn}}/pictures/{{first}}_vs_{{second}}.json",
    log:
        f"{OUT}/{{asn}}/logs/picture_of_candidates_{{first}}_vs_{{second}}.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/picture_of_candidates_{{first}}_vs_{{second}}.tsv"
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **PLAN.resources(
            "picture_of_candidates",
            of_job(PLAN.exposures, "asn"),
        ),
    params:
        pictures=PLAN.config["pictures"],
        detectors=PLAN.detectors,
        versions=PICTURE_VERSIONS,
    message:
        "{wildcards.asn}: {wildcards.first} beside {wildcards.second}"
    script:
        "../scripts/picture.py"


rule picture_of_associations:
    input:
        first=of_job(PLAN.drizzled, "asn1", "candidate"),
        second=of_job(PLAN.drizzled, "asn2", "candidate"),
    output:
        picture=report(
            f"{OUT}/pictures/{{asn1}}_vs_{{asn2}}_{{candidate}}.png",
            category="Before and after",
            subcategory="{asn1} and {asn2}",
        ),
        blink=f"{OUT}/pictures/{{asn1}}_vs_{{asn2}}_{{candidate}}.gif",
        comparison=f"{OUT}/pictures/{{asn1}}_vs_{{asn2}}_{{candidate}}.json",
    log:
        f"{OUT}/pictures/logs/picture_of_associations_{{asn1}}_vs_{{asn2}}_{{candidate}}.log",
    benchmark:
        f"{OUT}/pictures/benchmarks/picture_of_associations_{{asn1}}_vs_{{asn2}}_{{candidate}}.tsv"
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **PLAN.resources(
            "picture_of_associations",
            lambda w: [*PLAN.exposures(w.asn1), *PLAN.exposures(w.asn2)],
        ),
    params:
        pictures=PLAN.config["pictures"],
        detectors=PLAN.detectors,
        versions=PICTURE_VERSIONS,
    message:
        "{wildcards.asn1} beside {wildcards.asn2}: {wildcards.candidate}"
    script:
        "../scripts/picture.py"
