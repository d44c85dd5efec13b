# Needs: the association table and the exposures it names, the reference files named in their headers.
# Makes: inventory.json: every exposure with its facts, what is used and why not, and the drizzle parameters.


rule inventory:
    input:
        of_job(PLAN.association_files, "asn"),
        references=of_job(PLAN.fetched.reference_listing, "asn"),
    output:
        inventory=f"{OUT}/{{asn}}/inventory.json",
    log:
        f"{OUT}/{{asn}}/logs/inventory.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/inventory.tsv"
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **PLAN.resources("inventory", of_job(PLAN.association_files, "asn")),
    params:
        # The absolute folders of the machine are no part of what a result depends on: their content is, by checksum.
        config=lambda w: {
            **{key: PLAN.config[key] for key in ("input", "output", "drizzle")},
            "references": {
                **PLAN.config["references"],
                **PLAN.fetched.fetched_folder(w.asn),
            },
        },
        switches=PLAN.switches,
        detectors=PLAN.detectors,
        versions=PLAN.versions,
    message:
        "{wildcards.asn}: what is there, and what can be used"
    script:
        "../scripts/inventory.py"
