"""Every job of a rule has OpenBLAS use the same kernels, whatever the CPU."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
CORES = """
import ctypes, sys
sys.path.insert(0, sys.argv[1])
import snakedriz.workflow.job
import numpy, scipy.linalg
libraries = {line.split()[-1] for line in open("/proc/self/maps") if "openblas" in line}
for library in libraries:
    for name in ("scipy_openblas_get_corename64_", "scipy_openblas_get_corename", "openblas_get_corename"):
        function = getattr(ctypes.CDLL(library), name, None)
        if function:
            function.restype = ctypes.c_char_p
            print(function().decode())
            break
"""


def test_openblas_is_told_its_kernels_before_numpy_loads_it():
    """numpy and scipy bring an OpenBLAS each; on a CPU with AVX-512 either would pick other kernels by itself."""
    if "avx2" not in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split():
        pytest.skip("a CPU without AVX2 has OpenBLAS pick its kernels")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OPENBLAS_")}
    done = subprocess.run(
        [sys.executable, "-c", CORES, SCRIPTS], env=environment, capture_output=True, text=True, check=True
    )
    if not done.stdout:
        pytest.skip("numpy and scipy here have no OpenBLAS of their own")
    assert set(done.stdout.split()) == {"Haswell"}


@pytest.mark.parametrize("script", sorted(p.name for p in SCRIPTS.glob("*.py")))
def test_scripts_import_nothing_but_the_standard_library_before_it(script):
    for node in ast.parse((SCRIPTS / script).read_text()).body:
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) else []
        if {"snakedriz.workflow.job", "snakedriz.workflow.blas"} & set(names):
            return
        assert all(name.partition(".")[0] in sys.stdlib_module_names for name in names), names
