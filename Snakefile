# snakedriz: align HST exposures to the Gaia frame, verify the alignment, drizzle.
# Targets: all (the default), candidates, pictures, consistency, fetch, snapshot, demo; or any file below the output folder.
from snakemake.utils import min_version

min_version("9.14")

# Where this file is, whichever workflow uses it: `workflow.basedir` is that of the outer one.
CHECKOUT = Path(workflow.current_basedir.get_path_or_uri(secret_free=True))


configfile: str(CHECKOUT / "config/config.yaml")


include: "rules/common.smk"


# Every rule below runs in this image with `--sdm apptainer`, and in its conda environment with `--sdm conda`; without
# --sdm in the environment that Snakemake itself runs in.
container: PLAN.config["container"]


# The first rule, and not marked as the default target: that mark would count in a workflow that uses this one, too.
rule all:
    input:
        lambda w: targets.results(PLAN),


rule candidates:
    # Everything that `all` makes, and the exposures and products in every candidate's directory.
    input:
        lambda w: targets.results(PLAN),
        lambda w: targets.candidate_files(PLAN),


rule pictures:
    # The default beside every other candidate: side by side, blinking, and the offset between them.
    input:
        lambda w: targets.pictures(PLAN),


rule consistency:
    # Which WCS solution the exposures of each visit had, and have.
    input:
        lambda w: targets.consistency(PLAN),


# In the order in which data flow: a file refers to rules of those before it only.
include: "rules/fetch.smk"
include: "rules/demo.smk"
include: "rules/inventory.smk"
include: "rules/candidates.smk"
include: "rules/align.smk"
include: "rules/visit.smk"
include: "rules/drizzle.smk"
include: "rules/verify.smk"
include: "rules/promote.smk"
include: "rules/pictures.smk"
include: "rules/consistency.smk"
include: "rules/snapshot.smk"
include: "rules/run.smk"
