"""Random numbers: the same seed gives the same bytes, another one other pixels."""

import os
import subprocess
import sys

import numpy as np
from helpers.simulated import OPTIONS, digests
from snakedriz.simulate import Visit, simulate_visit


def test_another_process_and_hash_seed_give_the_same_bytes(truth, tmp_path):
    code = (
        "import json, sys; from pathlib import Path; from snakedriz.simulate import read_truth, simulate_visit;"
        "simulate_visit(read_truth(Path(sys.argv[1])).visit, Path(sys.argv[2]))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "TZ": "Asia/Tokyo"}
    command = [sys.executable, "-c", code, str(truth.directory), str(tmp_path)]
    subprocess.run(command, check=True, env=environment, cwd=tmp_path, capture_output=True)
    assert digests(tmp_path) == digests(truth.directory)


def test_another_seed_gives_other_pixels(truth, tmp_path):
    other = simulate_visit(Visit(**{**OPTIONS, "seed": 2}), tmp_path)
    assert not np.allclose(other.scene["ra"][:3], truth.scene["ra"][:3])
