"""How large the body of a request may be, which the servers ask before they read it."""

from __future__ import annotations

from typing import NamedTuple

from db.settings import Settings
from serve.api.access.forwarded import Forwarding
from serve.api.problem import Refusal
from serve.api.query import MOST_BODY_BYTES
from serve.api.wsgi import Environ

from .api_keys import AccessControl

# The routes that take files; those in the first line have the name of a dataset after them.
_UPLOADS_OF_DATASETS = ("/batch/", "/production/")
_UPLOADS = ("/add",)
# The form around the file.
FORM_BYTES = 64 * 1024


class BodyLimit(NamedTuple):
    """The most bytes, and what a client is told whose body has more."""

    most_bytes: int
    words: str

    def lowered(self, most_bytes: int, why: str) -> BodyLimit:
        """Return the limit of a server that holds bodies of so many bytes at most."""
        if self.most_bytes <= most_bytes:
            return self
        return BodyLimit(most_bytes, f"{_too_large(most_bytes)}, {why}")


def _too_large(most_bytes: int) -> str:
    return f"the body has more than {most_bytes:,} bytes"


PLAIN = BodyLimit(MOST_BODY_BYTES, f"{_too_large(MOST_BODY_BYTES)}; send fewer")


class BodyLimits:
    """Opens the routes for files to those who may change records, and to nobody else."""

    def __init__(self, settings: Settings, access: AccessControl, forwarding: Forwarding) -> None:
        self._upload_bytes = upload_bytes(settings)
        self._access = access
        self._forwarding = forwarding

    def find(self, environ: Environ) -> BodyLimit:
        """Return the limit for a request whose body has not been read; `environ` is changed."""
        self._forwarding.apply(environ)
        if environ["REQUEST_METHOD"] != "POST" or not _is_upload(environ["PATH_INFO"]):
            return PLAIN
        if not self._upload_bytes:
            return PLAIN._replace(words="uploads are off, because UPLOAD_MIB is 0")
        try:
            may_change = self._access.may_change(environ)
        except Refusal as refusal:
            return PLAIN._replace(words=str(refusal))
        if not may_change:
            return PLAIN._replace(
                words="files need an API key; sign in with a key from API_KEYS, and send it again"
            )
        most_bytes = self._upload_bytes + FORM_BYTES
        return BodyLimit(
            most_bytes, f"{_too_large(self._upload_bytes)}, the limit of UPLOAD_MIB; send fewer"
        )


def upload_bytes(settings: Settings) -> int:
    """Return how many bytes a file may have."""
    return int(settings.upload_mib * 2**20)


def _is_upload(path: str) -> bool:
    return path in _UPLOADS or path.startswith(_UPLOADS_OF_DATASETS)
