"""Another workflow uses this one as a module: under other names, with a prefix, and with a configuration of its own."""

import re
import shutil

import pytest
import yaml
from helpers import workflow

pytestmark = pytest.mark.workflow

CONFIG = {**workflow.SIMULATED, "candidates": ["default"], "catalogs": []}
OUTER = """
configfile: "config/config.yaml"

module snakedriz:
    snakefile: "{snakefile}"
    config: config["hst"]
    prefix: "astrometry"

use rule * from snakedriz as hst_*

rule sizes:
    default_target: True
    input:
        expand("astrometry/results/jdemo1010/final/{{file}}", file=["jdemo1010_drc.fits", "manifest.tsv"]),
    output:
        "sizes.txt",
    shell:
        "wc -c {{input}} > {{output}}"
"""


DEPLOYED = """
configfile: "config/config.yaml"

module snakedriz:
    snakefile: "{snakefile}"
    config: config

use rule * from snakedriz
"""


@pytest.fixture(scope="module")
def folders(small_visit, tmp_path_factory):
    """The same visit in two folders: for the workflow itself, and for one around it."""
    base = tmp_path_factory.mktemp("module")
    own, outer = (shutil.copytree(small_visit.directory, base / name) for name in ("own", "outer"))
    (own / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    (outer / "config").mkdir()
    (outer / "config/config.yaml").write_text(yaml.safe_dump({"hst": CONFIG, "input": "not for the module"}))
    (outer / "Snakefile").write_text(OUTER.format(snakefile=workflow.ROOT / "Snakefile"))
    return own, outer


def run_outer(folder, *arguments):
    """Run the outer workflow, whose Snakefile and configuration Snakemake finds by itself."""
    return workflow.run_command(folder, "--cores", "2", *arguments)


def test_the_products_are_those_of_the_workflow_itself(folders):
    own, outer = folders
    done = run_outer(outer)
    assert done.code == 0, done.tail
    assert done.rules[-1] == "sizes"
    assert "hst_final_product" in done.rules
    sizes = (outer / "sizes.txt").read_text().split()
    assert sizes[1] == "astrometry/results/jdemo1010/final/jdemo1010_drc.fits"
    done = workflow.run(own)
    assert done.code == 0, done.tail
    mine, theirs = ({
        name: digest
        for name, digest in workflow.digests(folder).items()
        if not {"logs", "benchmarks", "runs"} & set(name.split("/"))
    } for folder in (own / "results", outer / "astrometry/results"))  # fmt: skip
    assert len(mine) > 12
    assert mine == theirs
    assert sorted(path.name for path in outer.iterdir() if path.is_dir()) == [
        ".snakemake", "astrometry", "config", "data", "ref",
    ]  # fmt: skip
    assert "Nothing to be done" in run_outer(outer).output


def test_its_targets_and_its_errors_are_there(folders):
    _, outer = folders
    done = run_outer(outer, "-n", "hst_candidates")
    assert done.code == 0, done.tail
    assert "hst_candidate_exposure" in done.output
    wrong = run_outer(outer, "-n", "--config", "hst={keeep: all}")
    assert wrong.code != 0
    assert "did you mean `keep`?" in wrong.output


def test_what_snakedeploy_writes_works(folders, tmp_path):
    """A copy of the folder config/, and a workflow that takes all rules under their names, with all of the keys."""
    own, _ = folders
    shutil.copytree(workflow.ROOT / "config", tmp_path / "config")
    (tmp_path / "data").symlink_to(own / "data")
    (tmp_path / "workflow").mkdir()
    (tmp_path / "workflow/Snakefile").write_text(DEPLOYED.format(snakefile=workflow.ROOT / "Snakefile"))
    jobs = []
    for snakefile in ("workflow/Snakefile", workflow.ROOT / "Snakefile"):
        done = workflow.run_command(tmp_path, "-s", str(snakefile), "-n")
        assert done.code == 0, done.tail
        jobs.append(dict(re.findall(r"^(\w+) +(\d+)$", done.output, flags=re.M)))
    assert jobs[0] == jobs[1]
    assert jobs[0]["all"] == "1"
    catalogue = yaml.safe_load((workflow.ROOT / ".snakemake-workflow-catalog.yml").read_text())
    assert catalogue["usage"]["software-stack-deployment"]["conda"] is True
    assert (workflow.ROOT / "config/README.md").exists()
