"""The record beside each fetched file."""

import re

import pytest
from helpers.loopback import Reply, serve
from snakedriz import __version__
from snakedriz.artefacts.provenance import Provenance, ServiceAnswer, describe, sidecar
from snakedriz.services import provenance


@pytest.fixture
def asked(client):
    """A client that has asked a service."""
    with serve(lambda request: Reply(b"a,b\r\n", "text/csv")) as server:
        client.ask(server.url, ("text/csv",))
    return client


def test_the_record_says_what_was_asked_of_whom_and_what_came(asked, tmp_path):
    path = tmp_path / "table.ecsv"
    path.write_text("content")
    provenance.write(path, asked, "https://me:secret@service.example/x?token=secret", {"CAT": "G"}, rows=3)
    record = Provenance.read(sidecar(path))
    assert "secret" not in sidecar(path).read_text()
    assert (record.file, record.service, record.rows, record.bytes) == ("table.ecsv", "the service", 3, 7)
    assert record.query == {"CAT": "G"}
    assert record.snakedriz == __version__
    assert record.service_version.startswith("BaseHTTP")
    assert re.match(r"20\d\d-", record.when)
    described = describe(path)
    assert described.sha256 == record.sha256
    assert "when" not in described.to_json()
    assert "service.example" not in str(described)


def test_a_file_of_several_answers_has_the_latest_time_and_all_versions(asked, tmp_path):
    path = tmp_path / "table.ecsv"
    path.write_text("content")
    answers = [
        ServiceAnswer(rootname=root, when=f"2026-01-0{day}T00:00:00Z", version=version)
        for root, day, version in (("a", 2, "v2"), ("b", 3, "v1"), ("c", 1, "v2"))
    ]
    provenance.write(path, asked, "https://x", {}, answers=answers)
    record = Provenance.read(sidecar(path))
    assert (record.when, record.service_version) == ("2026-01-03T00:00:00Z", "v1, v2")
    assert [answer.rootname for answer in record.answers] == ["a", "b", "c"]


def test_a_copy_has_the_record_under_its_own_name(asked, tmp_path):
    one, other = tmp_path / "one.ecsv", tmp_path / "other.ecsv"
    one.write_text("content")
    provenance.write(one, asked, "https://x", {})
    provenance.copy(one, other)
    assert Provenance.read(sidecar(other)) == Provenance.read(sidecar(one)).model_copy(update={"file": "other.ecsv"})
