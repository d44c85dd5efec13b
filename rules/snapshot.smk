# Needs: a finished association, and all files that it used.
# Makes: <asn>_snapshot.tar, which makes the same products again without a network: `sh rerun.sh` in its folder.


def used_together(asn):
    """The association, and those that it is fitted with as one body."""
    if "visit" not in CONFIG["candidates"]:
        return [asn]
    return sorted({asn, *associations_of(visit_of(asn))})


def files_used(asn):
    return [path for one in used_together(asn) for path in association_files_of(one)]


def association_files_of(asn):
    return associations_.files(association(asn), file_index())


def fetched_files(asn):
    """Tables below the folder of fetched files that an association and its visit read."""
    found = []
    for one in used_together(asn):
        found += [
            catalog_file(one, name)
            for name in CATALOGS
            if CATALOGS[name].get("service")
        ]
        for kind in ("headerlets", "offsets"):
            if CONFIG["solutions"][kind] == "fetch":
                found += fetched_tables(one, kind)
    return sorted(set(found))


localrules:
    snapshot,


rule snapshot:
    input:
        lambda w: [
            f"{OUT}/{asn}/{asn}_snapshot.tar"
            for asn in wanted()
            if quick_outcome(asn)[0]
        ],


rule snapshot_of_association:
    input:
        exposures=lambda w: files_used(w.asn),
        inventories=lambda w: [
            f"{OUT}/{one}/inventory.json" for one in used_together(w.asn)
        ],
        fetched=lambda w: fetched_files(w.asn),
        tables=lambda w: [
            f"{OUT}/{one}/catalogs/{name}.ecsv"
            for one in used_together(w.asn)
            for name in CATALOGS
            if may_apply("aposteriori")
        ],
        results=lambda w: [
            f"{OUT}/{w.asn}/promotion.json",
            f"{OUT}/{w.asn}/final/manifest.tsv",
            *final_files(w),
        ],
    output:
        archive=f"{OUT}/{{asn}}/{{asn}}_snapshot.tar",
    log:
        f"{OUT}/{{asn}}/logs/snapshot.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/snapshot.tsv"
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **requests("snapshot_of_association", lambda w: files_used(w.asn)),
    params:
        associations=lambda w: used_together(w.asn),
        config={**CONFIG, "services": {}},  # an address may hold a password
        switches=SWITCHES,
        workflow=workflow.basedir,
        versions=VERSIONS,
    message:
        "{wildcards.asn}: snapshot of all that was used"
    script:
        "../scripts/snapshot.py"
