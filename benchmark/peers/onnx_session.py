"""Graphs in ONNX Runtime, for one core."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def open_session(file: Path) -> Any:  # noqa: ANN401  of a package without types
    """Return the graph of a file, which runs on one thread."""
    import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    # On one core, threads would only wait for each other.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
