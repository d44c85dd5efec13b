"""The table of a run, its sums, and the list of what failed."""

import pytest
from snakedriz.artefacts.job import Job
from snakedriz.files import read_json
from snakedriz.workflow import run_summary


def record(
    folder, job="fit", outcome="ok", started=10.0, used=None, requested=None, association="ja", reason="", remedy=""
):
    log = f"{folder}/{association}/logs/{job}.log"
    found = {
        "schema": "job/1", "rule": job.partition("_")[0], "association": association, "job": job, "outcome": outcome,
        "reason": reason, "remedy": remedy, "log": log, "started": started, "host": "here", "threads": 1,
        "requested": {"mem_mb": 500, "runtime": 2, "disk_mb": None, **(requested or {})},
        "used": None if outcome == "running" else {
            "seconds": 60.0, "cpu_seconds": 30.0, "max_rss_mb": 400.0, "read_mb": 1.0, "written_mb": 2.0,
            **(used or {}),
        },
    }  # fmt: skip
    made = Job.parse(found, job)
    made.write(run_summary.record_path(log))
    return made


def test_records_of_a_run_are_found_and_those_of_earlier_runs_are_not(tmp_path):
    record(tmp_path, "fit", started=5.0)
    late = record(tmp_path, "sources_a", started=20.0)
    early = record(tmp_path, "sources_b", started=12.0, association="jb")
    assert run_summary.records(tmp_path, since=10.0) == [early, late]
    assert len(run_summary.records(tmp_path)) == 3


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("results/ja/logs/fit.log", "results/ja/benchmarks/fit.json"),
        ("results/logs/missing_a/b.log", "results/benchmarks/missing_a/b.json"),
        ("logs/ja/logs/fit.log", "logs/ja/benchmarks/fit.json"),
        ("demo/demo_data.log", "demo/demo_data.json"),
    ],
)
def test_a_record_lies_where_the_benchmark_does(log, expected):
    assert str(run_summary.record_path(log)) == expected


@pytest.mark.parametrize(
    ("used", "requested", "word"),
    [
        ({"seconds": 121.0}, {}, "seconds 121, estimated runtime_s 120"),
        ({"max_rss_mb": 501.0}, {}, "max_rss_mb 501, estimated mem_mb 500"),
        ({"written_mb": 3.0}, {"disk_mb": 2}, "written_mb 3, estimated disk_mb 2"),
    ],
)
def test_an_estimate_that_was_exceeded_is_named(tmp_path, used, requested, word):
    good, bad = record(tmp_path, "fit"), record(tmp_path, "sources_x", used=used, requested=requested)
    rows = [run_summary.JobRow.of(good), run_summary.JobRow.of(bad)]
    assert run_summary.exceeded(rows) == [f"sources_x of ja: {word}"]


def test_memory_of_the_whole_family_counts_where_it_was_larger(tmp_path):
    """1000 MiB = 1048.6 MB, sampled by Snakemake over all processes; NA where a job was too short to be sampled."""
    found = record(tmp_path)
    benchmark = run_summary.record_path(found.log).with_suffix(".tsv")
    benchmark.write_text("s\tmax_rss\n60\t1000.0\n")
    assert run_summary.JobRow.of(found).max_rss_mb == pytest.approx(1048.6)
    benchmark.write_text("s\tmax_rss\n60\tNA\n")
    assert run_summary.JobRow.of(found).max_rss_mb == 400.0


def test_a_failure_and_a_killed_job_are_listed_with_reason_and_remedy(tmp_path):
    found = [
        record(tmp_path, "inventory", outcome="failed", reason="x.fits: truncated", remedy="fetch the file again"),
        record(tmp_path, "candidate_product_default_drc", outcome="running", association="jb"),
        record(tmp_path, "manifest", association="jc"),
    ]
    text = run_summary.summary(found)
    assert "2 jobs failed, of ja, jb:" in text
    assert "x.fits: truncated" in text
    assert "fetch the file again" in text
    assert "The job started but never reported an end" in text
    assert text.endswith("Fix the problem and run again; finished results are kept.")
    assert "it had 500 MB" in text
    assert "1 association " in text
    assert run_summary.summary(found[2:]) == ""


def test_the_table_of_a_run_and_its_sums(tmp_path):
    found = [record(tmp_path, f"sources_{n}", used={"max_rss_mb": 100.0 * n}) for n in (1, 2, 3)]
    table = run_summary.write(tmp_path / "runs", "now", found)
    lines = [line.split("\t") for line in table.read_text().splitlines()]
    assert lines[0][:6] == ["association", "rule", "job", "outcome", "seconds", "runtime_s"]
    assert [len(line) for line in lines] == [14] * 4
    totals = read_json(table.with_suffix(".json"))["rules"]["sources"]
    assert (totals["jobs"], totals["failed"], totals["cpu_seconds"], totals["largest_max_rss_mb"]) == (
        3,
        0,
        90.0,
        300.0,
    )
