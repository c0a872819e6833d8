"""The storage of teachers: skops files, from which only trusted types are loaded."""

from __future__ import annotations

import hashlib
import importlib
import zipfile
from collections.abc import Sequence

import skops.io

from db.errors import ArtifactError
from db.records.trained_model import Artifact

from .teacher import OWN_TYPES, Estimator


def dump_teacher(estimator: Estimator) -> Artifact:
    """Return a fitted teacher as a skops file with its SHA-256."""
    data = skops.io.dumps(estimator, compression=zipfile.ZIP_DEFLATED, compresslevel=6)
    return Artifact(data, hashlib.sha256(data).hexdigest())


def load_teacher(artifact: Artifact, code_paths: Sequence[str]) -> Estimator:
    """Return the teacher that `dump_teacher` stored; raises ArtifactError if it cannot be trusted.

    No pickle is read. Only types of scikit-learn, of the packages in CODE_PATHS and of _TRUSTED are
    created from the file.
    """
    if hashlib.sha256(artifact.data).hexdigest() != artifact.sha256:
        raise ArtifactError("the teacher's bytes do not match their SHA-256; train again")
    try:
        unknown = skops.io.get_untrusted_types(data=artifact.data)
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ArtifactError(f"the teacher is not a skops file: {error}; train again") from error
    roots = tuple(f"{root}." for root in ("sklearn", *code_paths))
    trusted = [name for name in unknown if name in _TRUSTED or _is_from(name, roots)]
    refused = sorted(set(unknown) - set(trusted))
    if refused:
        raise ArtifactError(
            f"the teacher has types outside CODE_PATHS: {', '.join(refused)}; add their packages"
        )
    return skops.io.loads(artifact.data, trusted=trusted)


def _is_from(name: str, roots: tuple[str, ...]) -> bool:
    """Return True if a type is defined in one of the packages, not merely imported there."""
    if not name.startswith(roots):
        return False
    module_name, _, attribute = name.rpartition(".")
    try:
        named = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError):
        return False
    return f"{getattr(named, '__module__', '')}.".startswith(roots)


# Our own transformers, and the type of the columns that encoders store.
_TRUSTED = frozenset(
    {*(f"{our.__module__}.{our.__qualname__}" for our in OWN_TYPES), "numpy.dtype"}
)
