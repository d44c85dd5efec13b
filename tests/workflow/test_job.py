"""What a script does around its work: the log, the record, and what is said when it fails."""

import json
import logging
import sys
from types import SimpleNamespace

import pytest
from snakedriz.workflow.job import job
from snakedriz.errors import SnakedrizError


@pytest.fixture
def snakemake(tmp_path):
    for name in ("logs", "benchmarks"):
        (tmp_path / "ja" / name).mkdir(parents=True)
    return SimpleNamespace(
        rule="fit", wildcards={"asn": "ja"}, log=[str(tmp_path / "ja/logs/fit.log")], threads=1,
        resources={"mem_mb": 500, "runtime": 5, "disk_mb": 100}, scriptdir=str(tmp_path),
    )  # fmt: skip


def record(tmp_path):
    return json.loads((tmp_path / "ja/benchmarks/fit.json").read_text())


def test_what_is_printed_or_logged_is_in_the_log(snakemake, tmp_path, capsys):
    with job(snakemake):
        print("printed")
        print("on stderr", file=sys.stderr)
        logging.getLogger("snakedriz.alignment").info("logged")
        logging.getLogger("snakedriz.alignment").debug("detail")
    logging.getLogger("snakedriz.alignment").info("afterwards")
    assert (tmp_path / "ja/logs/fit.log").read_text() == "printed\non stderr\nlogged\n"
    assert capsys.readouterr().err == ""
    assert (record(tmp_path)["outcome"], record(tmp_path)["requested"]["mem_mb"]) == ("ok", 500)


def test_an_error_has_its_reason_and_remedy_in_the_record_and_a_few_lines_on_the_terminal(snakemake, tmp_path, capsys):
    with pytest.raises(SystemExit), job(snakemake, hide=["hunter2"]):
        raise SnakedrizError("x.fits: truncated; hunter2", "fetch the file again")
    found = record(tmp_path)
    assert (found["outcome"], found["reason"], found["remedy"]) == (
        "failed", "x.fits: truncated; ...", "fetch the file again",
    )  # fmt: skip
    assert capsys.readouterr().err == "\nsnakedriz: ja: x.fits: truncated; ...\n  what to do: fetch the file again\n\n"
    assert "hunter2" not in (tmp_path / "ja/logs/fit.log").read_text()


def test_an_unexpected_error_has_its_traceback_in_the_log_only(snakemake, tmp_path, capsys):
    with pytest.raises(SystemExit), job(snakemake):
        raise ZeroDivisionError("no stars")
    assert "Traceback" in (tmp_path / "ja/logs/fit.log").read_text()
    said = capsys.readouterr().err
    assert "rule fit stopped on an unexpected error: ZeroDivisionError: no stars" in said
    assert "Traceback" not in said
    assert record(tmp_path)["remedy"].startswith("Unexpected error: the traceback is in the log")
