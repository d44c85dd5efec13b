# Needs: a finished association, and all files that it used.
# Makes: <asn>_snapshot.tar, which makes the same products again without a network: `sh rerun.sh` in its folder.


rule snapshot:
    input:
        lambda w: targets.snapshots(PLAN),


rule snapshot_of_association:
    input:
        exposures=of_job(PLAN.files_used, "asn"),
        inventories=lambda w: [
            f"{OUT}/{one}/inventory.json" for one in PLAN.fitted_together(w.asn)
        ],
        fetched=of_job(PLAN.fetched_used, "asn"),
        tables=of_job(PLAN.field_catalogs_used, "asn"),
        results=lambda w: [
            f"{OUT}/{w.asn}/promotion.json",
            f"{OUT}/{w.asn}/final/manifest.tsv",
            *PLAN.final_files(w.asn),
        ],
    output:
        archive=f"{OUT}/{{asn}}/{{asn}}_snapshot.tar",
    log:
        f"{OUT}/{{asn}}/logs/snapshot_of_association.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/snapshot_of_association.tsv"
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **PLAN.resources("snapshot_of_association", of_job(PLAN.files_used, "asn")),
    params:
        associations=of_job(PLAN.fitted_together, "asn"),
        # An address of a service may hold a password; the results are where this workflow's user has them.
        config=lambda w, output: {
            **PLAN.config,
            "services": {},
            "output": str(Path(output.archive).parents[1]),
        },
        switches=PLAN.switches,
        workflow=str(CHECKOUT),
        versions=PLAN.versions,
    message:
        "{wildcards.asn}: snapshot of all that was used"
    script:
        "../scripts/snapshot_of_association.py"
