import subprocess
import sys

import pytest
from snakedriz import artefacts, settings
from snakedriz.errors import SnakedrizError
from snakedriz.workflow import process_usage, run_summary

MB = 1_000_000


def record(folder, job="fit", outcome="ok", started=10.0, used=None, requested=None, association="ja", **more):
    log = f"{folder}/{association}/logs/{job}.log"
    found = {
        "schema": "job/1", "rule": job.partition("_")[0], "association": association, "job": job, "outcome": outcome,
        "reason": "", "remedy": "", "log": log, "started": started, "host": "here", "threads": 1,
        "requested": {"mem_mb": 500, "runtime": 2, "disk_mb": None, **(requested or {})},
        "used": None if outcome == "running" else {
            "seconds": 60.0, "cpu_seconds": 30.0, "max_rss_mb": 400.0, "read_mb": 1.0, "written_mb": 2.0,
            **(used or {}),
        },
        **more,
    }  # fmt: skip
    artefacts.write(run_summary.record_path(log), found)
    return found


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
    rows = [run_summary.row(good), run_summary.row(bad)]
    assert run_summary.exceeded(rows) == [f"sources_x of ja: {word}"]


def test_memory_of_the_whole_family_counts_where_it_was_larger(tmp_path):
    """1000 MiB = 1048.6 MB, sampled by Snakemake over all processes; NA where a job was too short to be sampled."""
    found = record(tmp_path)
    benchmark = run_summary.record_path(found["log"]).with_suffix(".tsv")
    benchmark.write_text("s\tmax_rss\n60\t1000.0\n")
    assert run_summary.row(found)["max_rss_mb"] == pytest.approx(1048.6)
    benchmark.write_text("s\tmax_rss\n60\tNA\n")
    assert run_summary.row(found)["max_rss_mb"] == 400.0


def test_a_failure_and_a_killed_job_are_listed_with_reason_and_remedy(tmp_path):
    found = [
        record(tmp_path, "inventory", outcome="failed", reason="x.fits: truncated", remedy="fetch the file again"),
        record(tmp_path, "drizzle_default_drc", outcome="running", association="jb"),
        record(tmp_path, "manifest", association="jc"),
    ]
    text = run_summary.summary(found)
    assert "2 jobs failed, of ja, jb:" in text
    assert "x.fits: truncated" in text
    assert "fetch the file again" in text
    assert "killed" in text
    assert "it had 500 MB" in text
    assert "1 association " in text
    assert run_summary.summary(found[2:]) == ""


def test_the_table_of_a_run_and_its_sums(tmp_path):
    found = [record(tmp_path, f"sources_{n}", used={"max_rss_mb": 100.0 * n}) for n in (1, 2, 3)]
    table = run_summary.write(tmp_path / "runs", "now", found)
    lines = [line.split("\t") for line in table.read_text().splitlines()]
    assert lines[0] == list(run_summary.COLUMNS)
    assert [len(line) for line in lines] == [len(run_summary.COLUMNS)] * 4
    totals = run_summary.read_json(table.with_suffix(".json"))["rules"]["sources"]
    assert (totals["jobs"], totals["failed"], totals["cpu_seconds"], totals["largest_max_rss_mb"]) == (
        3,
        0,
        90.0,
        300.0,
    )


CODE = """
import json, sys, time
from pathlib import Path
from snakedriz.workflow import process_usage
block = b"x" * 150_000_000
Path(sys.argv[1]).write_bytes(block[:20_000_000])
end = time.process_time() + 0.5
while time.process_time() < end:
    pass
print(json.dumps(process_usage.measure()))
"""


def test_what_a_process_took_is_measured(tmp_path):
    """150 MB held, 20 MB written, half a second of CPU; the process that starts it holds twice as much memory."""
    import json

    ballast = bytearray(300 * MB)
    ballast[::4096] = b"x" * len(ballast[::4096])
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path / "x")], check=True, capture_output=True, text=True,
        env={"PYTHONPATH": str(settings.SCHEMAS.parents[1] / "scripts"), "PATH": ""},
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert 150 < found["max_rss_mb"] < 250
    assert found["cpu_seconds"] >= 0.5
    assert found["seconds"] >= found["cpu_seconds"] - 0.1
    if found["written_mb"] is not None:
        assert 20 <= found["written_mb"] < 25
    assert set(found) == set(process_usage.measure())


def test_associations_from_a_file(tmp_path):
    path = tmp_path / "todo.txt"
    path.write_text("jb # second\n\n# a comment\nja_asn.fits\n")
    assert settings.validate_config({"associations": str(path)})["associations"] == ["ja", "jb"]
    path.write_text("# nothing\n")
    with pytest.raises(SnakedrizError, match="names no association"):
        settings.validate_config({"associations": str(path)})
    with pytest.raises(SnakedrizError, match="one rootname a line"):
        settings.validate_config({"associations": str(tmp_path / "absent.txt")})
