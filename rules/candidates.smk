# Needs: inventory.json; headerlets and guide-star offsets (a priori); fits (a posteriori).
# Also needs: the exposures' own solutions, or folders of headerlets (solutions asked for by name).
# Makes: for each candidate solution.json (the outcome, and why) and a bundle of header skeletons with its WCS. A new
# kind of solution is one more rule here; everything after it takes {candidate} as a wildcard.


def judged_files(wildcards):
    return exposure_files(wildcards.asn, verification_kind(wildcards.asn))


def all_exposure_files(wildcards):
    return [
        path
        for kind in kinds(wildcards.asn)
        for path in exposure_files(wildcards.asn, kind)
    ]


def headerlet_files(wildcards):
    """Headerlets named after a member: what is known before they are opened (DESTIM decides in the job)."""
    folder = CONFIG["solutions"]["headerlets"]
    if folder == "fetch":
        # the indexes stand for all of them: which there are is not known before they are fetched
        return fetched_tables(wildcards.asn, "headerlets")
    return (
        associations_.headerlets_for(folder, members(wildcards.asn)) if folder else []
    )


def headerlets_asked_for(wildcards):
    """Headerlets of a candidate's own folder: those for the members, and those that do not say what they are for."""
    folder = CONFIG["alternatives"][wildcards.candidate].get("headerlets")
    if not folder:
        return []
    return [
        *associations_.headerlets_for(folder, members(wildcards.asn)),
        *associations_.unreadable_headerlets(folder),
    ]


def offsets_file(wildcards):
    given = CONFIG["solutions"]["offsets"]
    if given == "fetch":
        return fetched_tables(wildcards.asn, "offsets")
    return [given] if given else []


def start_of_fit(wildcards):
    """The candidate whose WCS the fits start from: a priori where it is asked for and may apply, else default."""
    best = (
        "apriori"
        if "apriori" in CONFIG["candidates"] and may_apply("apriori")
        else "default"
    )
    names = dict.fromkeys(["default", best])
    base = {name: f"{directory(wildcards.asn, name)}" for name in names}
    return [
        f"{base[name]}/{file}"
        for name in names
        for file in ("solution.json", f"{wildcards.asn}_wcs.fits")
    ]


rule default_solution:
    input:
        inventory=rules.inventory.output.inventory,
        exposures=all_exposure_files,
    output:
        solution=f"{OUT}/{{asn}}/{{asn}}_default/solution.json",
        wcs=f"{OUT}/{{asn}}/{{asn}}_default/{{asn}}_wcs.fits",
    log:
        f"{OUT}/{{asn}}/logs/default_solution.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/default_solution.tsv"
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **requests("default_solution", all_exposure_files),
    params:
        references=lambda w: references(w.asn),
        versions=VERSIONS,
    message:
        "{wildcards.asn}: distortion model (default WCS)"
    script:
        "../scripts/default_solution.py"


rule apriori_solution:
    input:
        inventory=rules.inventory.output.inventory,
        wcs=rules.default_solution.output.wcs,
        headerlets=headerlet_files,
        offsets=offsets_file,
    output:
        solution=f"{OUT}/{{asn}}/{{asn}}_apriori/solution.json",
        wcs=f"{OUT}/{{asn}}/{{asn}}_apriori/{{asn}}_wcs.fits",
    log:
        f"{OUT}/{{asn}}/logs/apriori_solution.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/apriori_solution.tsv"
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **requests("apriori_solution", all_exposure_files),
    params:
        headerlets=lambda w: headerlet_folder(w.asn),
        enabled=SWITCHES["apply_apriori"],
        versions=VERSIONS,
    message:
        "{wildcards.asn}: best pre-computed WCS (a priori)"
    script:
        "../scripts/apriori_solution.py"


rule named_solution:
    # A solution that exists, asked for by WCSNAME, HDRNAME or folder; from the exposures as they came.
    input:
        inventory=rules.inventory.output.inventory,
        exposures=all_exposure_files,
        headerlets=headerlets_asked_for,
    output:
        solution=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/solution.json",
        wcs=f"{OUT}/{{asn}}/{{asn}}_{{candidate}}/{{asn}}_wcs.fits",
    log:
        f"{OUT}/{{asn}}/logs/{{candidate}}_solution.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/{{candidate}}_solution.tsv"
    wildcard_constraints:
        candidate="|".join(CONFIG["alternatives"]) or "(?!)",
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **requests("named_solution", all_exposure_files),
    params:
        wanted=lambda w: CONFIG["alternatives"][w.candidate],
        versions=VERSIONS,
    message:
        "{wildcards.asn}: the solution {wildcards.candidate} of the exposures"
    script:
        "../scripts/named_solution.py"


rule aposteriori_solution:
    input:
        inventory=rules.inventory.output.inventory,
        start=start_of_fit,
        fits=lambda w: fit_files(w.asn),
    output:
        solution=f"{OUT}/{{asn}}/{{asn}}_aposteriori/solution.json",
        wcs=f"{OUT}/{{asn}}/{{asn}}_aposteriori/{{asn}}_wcs.fits",
    log:
        f"{OUT}/{{asn}}/logs/aposteriori_solution.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/aposteriori_solution.tsv"
    priority: 50
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **requests("aposteriori_solution", all_exposure_files),
    params:
        enabled=SWITCHES["compute_aposteriori"],
        versions=VERSIONS,
    message:
        "{wildcards.asn}: choosing the fit (a posteriori)"
    script:
        "../scripts/aposteriori_solution.py"
