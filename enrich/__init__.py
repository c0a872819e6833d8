"""What is heavy: enrichers, training, and the workers that run both while a machine is idle."""

import os

# Before NumPy is imported by any module of this room, and for its children too: a worker is one
# core's work at most, and threads that wait for a busy core cost ten times what they save.
for _pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT"):
    os.environ.setdefault(_pool, "1")
