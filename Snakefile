# snakedriz: align HST exposures to the Gaia frame, verify the alignment, drizzle.
# Targets: all (the default), candidates, pictures, consistency, fetch, snapshot, demo; or any file below the output folder.
from snakemake.utils import min_version

min_version("9.14")


configfile: str(Path(workflow.basedir) / "config" / "config.yaml")


include: "rules/planning.smk"
include: "rules/common.smk"
include: "rules/run.smk"


# Every rule below runs in this image with `--sdm apptainer`, and in its conda environment with `--sdm conda`; without
# --sdm in the environment that Snakemake itself runs in.
container: CONFIG["container"]


include: "rules/fetch.smk"
include: "rules/demo.smk"
include: "rules/inventory.smk"
include: "rules/candidates.smk"
include: "rules/align.smk"
include: "rules/visit.smk"
include: "rules/drizzle.smk"
include: "rules/verify.smk"
include: "rules/promote.smk"
include: "rules/report.smk"
include: "rules/snapshot.smk"
include: "rules/accounting.smk"


for function in [one for one in globals().values() if inspect.isfunction(one)]:
    noted(function)


localrules:
    all,
    candidates,
    pictures,
    consistency,


rule all:
    default_target: True
    input:
        wanted_results,


rule candidates:
    # Everything that `all` makes, and the exposures and products in every candidate's directory.
    input:
        wanted_results,
        wanted_candidate_files,


rule pictures:
    # The default beside every other candidate: side by side, blinking, and the offset between them.
    input:
        wanted_pictures,


rule consistency:
    # Which WCS solution the exposures of each visit had, and have.
    input:
        wanted_consistency,
