"""The file of predictions: written beside its place, and put there when it is complete."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from db.errors import DataFileError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

_COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip")


class OutputClosed(Exception):
    """The reader of standard output has closed it. No OSError, for which the input is blamed."""


class OutputFile(io.RawIOBase):
    """A file to write into, which raises DataFileError with its name, or OutputClosed."""

    def __init__(self, name: str, file: IO[bytes]) -> None:
        self._name = name
        self._file = file
        self._written = 0
        self._is_abandoned = False

    def writable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the number of bytes that have been written."""
        return self._written

    def write(self, data: Buffer) -> int:
        """Write all bytes, and return how many they are."""
        left = memoryview(data).cast("B")
        count = len(left)
        if self._is_abandoned:
            return count
        with errors_of_output(self._name):
            while left:
                # A file without a buffer may take only a part.
                left = left[_taken(self._file.write(left)) :]
        self._written += count
        return count

    def abandon(self) -> None:
        """Take no more bytes, so that what is not complete does not get an end."""
        self._is_abandoned = True

    def finish(self) -> None:
        """Hand what is in memory to the system."""
        with errors_of_output(self._name):
            self._file.flush()


def _taken(count: int | None) -> int:
    """Return how many bytes a file has taken; raises BlockingIOError if it would have to wait."""
    if count is None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return count


@contextmanager
def errors_of_output(name: str) -> Iterator[None]:
    """Raise DataFileError, or OutputClosed, if the output cannot be written."""
    try:
        yield
    except BrokenPipeError:
        raise OutputClosed from None
    except OSError as error:
        raise DataFileError(f"{name}: {error.strerror}") from None


@contextmanager
def opened_output(out: Path | None, source: Path) -> Iterator[OutputFile]:
    """Open the output, which is standard output without a path.

    The file appears at the end of the block, complete, and not at all after an error. Raises
    DataFileError if it cannot be written.
    """
    if out is None:
        file = OutputFile("standard output", _standard_output())
        yield file
        file.finish()
        return
    _check(out, source)
    # A link stays a link, to the new file.
    place = Path(os.path.realpath(out))
    opened = _replacing if place.is_file() or not place.exists() else _as_it_is
    with opened(place) as file:
        yield file


@contextmanager
def _as_it_is(place: Path) -> Iterator[OutputFile]:
    """Open a device or a pipe, which cannot be replaced."""
    with _opened(place, place, "wb") as file:
        output = OutputFile(str(place), file)
        yield output
        output.finish()


@contextmanager
def _opened(path: Path, place: Path, mode: str) -> Iterator[IO[bytes]]:
    """Open a file whose errors name `place`; what could not be written is not tried again."""
    with errors_of_output(str(place)):
        file = path.open(mode)
    try:
        yield file
    finally:
        with suppress(OSError):
            file.close()


def _standard_output() -> IO[bytes]:
    """Return standard output without its buffer, if it has one.

    What cannot be written from a buffer would be tried again, and reported again, when Python ends.
    """
    sys.stdout.flush()
    buffer = sys.stdout.buffer
    return cast("IO[bytes]", getattr(buffer, "raw", buffer))


def _check(out: Path, source: Path) -> None:
    if out.suffix.lower() in _COMPRESSED:
        raise DataFileError(
            f"{out}: is the name of a compressed file, and predictions are not compressed; give it"
            " another name, or leave out --out and send the output to a program that compresses it"
        )
    if out.exists() and out.samefile(source):
        raise DataFileError(f"{out}: is the file that is read; choose another with --out")


@contextmanager
def _replacing(place: Path) -> Iterator[OutputFile]:
    # A run that was killed leaves this file, and the next one writes over it.
    beside = place.with_name(f".{place.name}.part")
    with ExitStack() as opened:
        file = opened.enter_context(_opened(beside, place, "ab"))
        while not _locked(file, beside, place):
            file = opened.enter_context(_opened(beside, place, "ab"))
        try:
            file.truncate(0)
            output = OutputFile(str(place), file)
            yield output
            output.finish()
            with errors_of_output(str(place)):
                _put(file, beside, place)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise


def _locked(file: IO[bytes], beside: Path, place: Path) -> bool:
    """Lock a file; return False if another run has ended since it was opened.

    The file is at the place of that run's predictions then, or nowhere.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(file.fileno()), beside.stat())
    except BlockingIOError:
        raise DataFileError(f"{place}: another run is writing this file now") from None
    except FileNotFoundError:
        return False


def _put(file: IO[bytes], beside: Path, place: Path) -> None:
    os.fsync(file.fileno())
    if place.exists():
        beside.chmod(place.stat().st_mode & 0o777)
    beside.replace(place)
