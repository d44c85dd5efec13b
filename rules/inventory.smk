# Needs: the association table and the exposures it names, the reference files named in their headers.
# Makes: inventory.json: every exposure with its facts, what is used and why not, and the drizzle parameters.


def association_files(wildcards):
    """The table and every file of every exposure."""
    return associations_.files(association(wildcards.asn), file_index())


rule inventory:
    input:
        association_files,
        references=lambda w: reference_listing(w.asn),
    output:
        inventory=f"{OUT}/{{asn}}/inventory.json",
    log:
        f"{OUT}/{{asn}}/logs/inventory.log",
    benchmark:
        f"{OUT}/{{asn}}/benchmarks/inventory.tsv"
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **requests("inventory", association_files),
    params:
        # The absolute folders of the machine are no part of what a result depends on: their content is, by checksum.
        config=lambda w: {
            **{key: CONFIG[key] for key in ("input", "output", "drizzle")},
            "references": {**CONFIG["references"], **fetched_references(w.asn)},
        },
        switches=SWITCHES,
        detectors=DETECTORS,
        versions=VERSIONS,
    message:
        "{wildcards.asn}: what is there, and what can be used"
    script:
        "../scripts/inventory.py"
