"""The storage of teachers: skops files, from which only trusted types are loaded."""

from __future__ import annotations

import copy
import hashlib
import io
import warnings
import zipfile
from collections.abc import Sequence
from typing import IO

import skops.io
from sklearn.exceptions import InconsistentVersionWarning

from db.errors import ArtifactError
from db.scoring.student_data import Artifact

from .teacher import Estimator
from .trusted_types import split_by_trust

# No teacher is larger when it is unpacked, with all that it holds.
MOST_BYTES = 2**30
MOST_FILES = 100_000
PIECE_BYTES = 2**16
# Python unpacks the others without a limit.
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ZIP_START = b"PK\x03\x04"


def dump_teacher(estimator: Estimator) -> Artifact:
    """Return a fitted teacher as a skops file with its SHA-256."""
    data = skops.io.dumps(estimator, compression=zipfile.ZIP_DEFLATED, compresslevel=6)
    return Artifact(data, hashlib.sha256(data).hexdigest())


def load_teacher(artifact: Artifact, code_paths: Sequence[str]) -> Estimator:
    """Return the teacher that `dump_teacher` stored; raises ArtifactError if it cannot be loaded.

    No pickle is read. Only types that `trusted_types` lists, and those of the packages in
    CODE_PATHS, are created from the file. Whether it answers as it did with other versions of its
    libraries is not checked here.
    """
    if hashlib.sha256(artifact.data).hexdigest() != artifact.sha256:
        raise ArtifactError("the teacher's bytes do not match their SHA-256; train again")
    try:
        _check_size(io.BytesIO(artifact.data), MOST_BYTES)
        trusted = _check_types(artifact.data, code_paths)
        with warnings.catch_warnings():
            # A model of another version is checked on its known answers.
            warnings.simplefilter("ignore", InconsistentVersionWarning)
            return skops.io.loads(artifact.data, trusted=trusted)
    except ArtifactError:
        raise
    except Exception as error:
        # A file that was made by another version, or by somebody else, may raise anything.
        words = " ".join(f"{type(error).__name__}: {error}".split())
        raise ArtifactError(f"the teacher cannot be loaded: {words[:200]}; train again") from error


def _check_types(data: bytes, code_paths: Sequence[str]) -> list[str]:
    """Return the types of the file that skops does not trust by itself; all must be trusted."""
    trusted, refused = split_by_trust(skops.io.get_untrusted_types(data=data), code_paths)
    if refused:
        raise ArtifactError(
            f"the teacher has types that are not trusted: {', '.join(refused)}; if they are of your"
            " own code, add its package to CODE_PATHS; otherwise train again"
        )
    return trusted


def _check_size(file: IO[bytes], most_bytes: int) -> int:
    """Return the size of all that a zip file holds; raises ArtifactError if it is too large.

    Sizes in a zip file can be wrong, so everything is unpacked piece by piece. Arrays of sparse
    matrices are zip files in the zip file.
    """
    size = 0
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if len(members) > MOST_FILES:
            raise ArtifactError(f"the teacher has more than {MOST_FILES:,} files; train again")
        for member in members:
            if member.compress_type not in _METHODS:
                raise ArtifactError("the teacher is packed in a way that is not known; train again")
            size += _check_member(archive, member, most_bytes - size)
    return size


def _check_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most_bytes: int) -> int:
    """Return the size of one file of a zip file, and of the files in it."""
    whole = copy.copy(member)
    # Python stops at the size that the file states, and skops would unpack all of it at once.
    whole.file_size = most_bytes + 2 * PIECE_BYTES
    size, start = 0, b""
    with archive.open(whole) as unpacked:
        while piece := unpacked.read(PIECE_BYTES):
            size += len(piece)
            start = start or piece[: len(_ZIP_START)]
            if size > most_bytes:
                raise ArtifactError(
                    f"the teacher takes more than {MOST_BYTES:,} bytes; train again on fewer rows"
                )
    if size != member.file_size:
        raise ArtifactError("the teacher states wrong sizes of its files; train again")
    if start == _ZIP_START:
        size += _check_size(io.BytesIO(archive.read(member)), most_bytes - size)
    return size
