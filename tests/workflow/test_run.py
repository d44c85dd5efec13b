"""The start and the end of a run: what a group of cluster jobs that failed leaves behind is made anew, and not lost."""

import pytest
from helpers import many_associations, workflow
from snakedriz.workflow.run import Outdated

#: A batch system that takes no job; groups as in profiles/slurm.
CLUSTER = [
    "--executor", "cluster-generic", "--cluster-generic-submit-cmd", "false", "--jobs", "2", "--keep-incomplete",
    "--groups", "promotion=final", "final_product=final", "final_exposure=final", "manifest=final",
]  # fmt: skip


class Job:
    def __init__(self, *output):
        self.output = output


def test_a_job_has_left_what_is_still_the_same_file(tmp_path):
    paths = [str(tmp_path / name) for name in "abcd"]
    for path in paths[:3]:
        (tmp_path / path).write_text("old")
    made, removed, left, absent = (Job(path) for path in paths)
    outdated = Outdated([made, removed, left, absent])
    (tmp_path / "new").write_text("old")
    (tmp_path / "new").rename(tmp_path / "a")
    (tmp_path / "b").unlink()
    assert outdated.left() == [left]


@pytest.mark.workflow
def test_of_a_failed_group_nothing_outdated_is_taken_for_done_and_nothing_is_deleted(tmp_path):
    """Results are there, a setting changes, and the group that makes them anew cannot even start."""
    pytest.importorskip("snakemake_executor_plugin_cluster_generic", reason="pip install 'snakedriz[cluster]'")
    many_associations.make(tmp_path, 1)
    many_associations.finish(tmp_path)
    before = workflow.digests(tmp_path / "results")
    changed = ["--config", "promotion={choose: default}"]
    failed = workflow.run(tmp_path, *CLUSTER, *changed)
    assert failed.code != 0
    assert "Error in group final" in failed.output, failed.tail
    after = workflow.digests(tmp_path / "results")
    assert {name: after.get(name) for name in before if "/logs/" not in name} == {
        name: digest for name, digest in before.items() if "/logs/" not in name
    }
    again = workflow.run(tmp_path, "-n", *changed)
    assert again.code == 0, again.tail
    for rule in ("promotion", "final_product", "final_exposure", "manifest"):
        assert f"\n{rule} " in again.output, again.tail
