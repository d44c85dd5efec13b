"""Real HST data shared beside the repository; tests that need it skip, saying why, where it is absent."""

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("SNAKEDRIZ_SHARED_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))


def shared(name: str) -> Path:
    """Return the path of a shared file, or skip the test."""
    path = ROOT / name
    if not path.exists():
        pytest.skip(f"real HST data absent: {name} (set SNAKEDRIZ_SHARED_DATA to the folder that holds it)")
    return path
