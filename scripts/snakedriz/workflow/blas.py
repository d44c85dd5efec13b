"""Settings of numerical libraries, which read them when they are loaded: import this before numpy.

Threads inside libraries would only compete with the other jobs of the workflow. OpenBLAS picks its kernels by the CPU,
and with them the last bits of a fit: those named here run wherever there is AVX2.
"""

import os
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
_cpu = Path("/proc/cpuinfo")
if _cpu.exists() and "avx2" in _cpu.read_text(encoding="ascii", errors="replace")[:4000].split():
    os.environ.setdefault("OPENBLAS_CORETYPE", "Haswell")
