# Needs: nothing; no network, no download.
# Makes: demo/: a simulated ACS/WFC visit with known truth, the workflow's results on it, and how far they are from it.

DEMO = "demo"
DEMO_ASN = "jdemo1010"
DEMO_ROOTS = [f"jdemo1a{n}q" for n in (1, 2, 3, 4)]


rule demo_data:
    output:
        truth=f"{DEMO}/truth.json",
        gaia=f"{DEMO}/gaia.ecsv",
        offsets=f"{DEMO}/offsets.ecsv",
        asn=f"{DEMO}/data/{DEMO_ASN}_asn.fits",
        exposures=expand(
            f"{DEMO}/data/{{root}}_{{kind}}.fits",
            root=DEMO_ROOTS,
            kind=["raw", "flt", "flc"],
        ),
    log:
        f"{DEMO}/demo_data.log",
    benchmark:
        f"{DEMO}/demo_data.tsv"
    conda:
        "../envs/snakedriz.yaml"
    resources:
        **PLAN.resources(
            "demo_data", size=1400 if PLAN.config["demo"]["full_frame"] else 90
        ),
    params:
        visit=PLAN.config["demo"],
    message:
        "demo: simulating an ACS/WFC visit"
    script:
        "../scripts/demo_data.py"


rule demo:
    # Runs this workflow, as a user would, in the folder demo/ with config/demo.yaml.
    input:
        rules.demo_data.output,
    output:
        f"{DEMO}/demo.txt",
    # It has a workflow of its own, whose words are for the terminal and which takes all cores.
    handover: True
    conda:
        "../envs/snakedriz.yaml"
    threads: workflow.cores or 1
    params:
        snakefile=str(CHECKOUT / "Snakefile"),
        configfile=str(CHECKOUT / "config/demo.yaml"),
        folder=lambda w, output: str(Path(output[0]).parent),
        association=DEMO_ASN,
    message:
        "demo: running the workflow on it"
    script:
        "../scripts/demo.py"
