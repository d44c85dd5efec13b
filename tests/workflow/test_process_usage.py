"""What a process took of the machine."""

import json
import subprocess
import sys
from pathlib import Path

from snakedriz.workflow import process_usage

MB = 1_000_000
CODE = """
import json, sys, time
from pathlib import Path
from snakedriz.workflow import process_usage
block = b"x" * 150_000_000
Path(sys.argv[1]).write_bytes(block[:20_000_000])
end = time.process_time() + 0.5
while time.process_time() < end:
    pass
print(json.dumps(process_usage.measure().to_json()))
"""


def test_what_a_process_took_is_measured(tmp_path):
    """150 MB held, 20 MB written, half a second of CPU; the process that starts it holds twice as much memory."""
    ballast = bytearray(300 * MB)
    ballast[::4096] = b"x" * len(ballast[::4096])
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path / "x")], check=True, capture_output=True, text=True,
        env={"PYTHONPATH": str(Path(process_usage.__file__).parents[2]), "PATH": ""},
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert 150 < found["max_rss_mb"] < 250
    assert found["cpu_seconds"] >= 0.5
    assert found["seconds"] >= found["cpu_seconds"] - 0.1
    if found["written_mb"] is not None:
        assert 20 <= found["written_mb"] < 25
    assert set(found) == set(process_usage.measure().to_json())
