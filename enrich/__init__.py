"""Offline work: enrichers, training, and the workers that run both while a machine is idle."""

import os

# Set before any module of this package imports NumPy, and inherited by child processes: a worker
# uses one core at most, and threads that wait for a busy core cost ten times what they save.
for _pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT"):
    os.environ.setdefault(_pool, "1")
