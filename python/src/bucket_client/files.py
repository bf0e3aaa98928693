# pyright: basic, reportIncompatibleMethodOverride=false
"""The files that ``bucket://`` opens: stored ones, read at any position, and new ones, stored when they are closed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import sys
import tempfile
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from fsspec.spec import AbstractBufferedFile

from .description import Description
from .errors import ConflictError, InvalidRequestError, NotAuthorizedError, NotFoundError
from .fetch import verify
from .put import check_description

if TYPE_CHECKING:
    from .filesystem import BucketFileSystem

#: Up to this size a file is fetched whole and verified when it is opened.
WHOLE_BYTES = 8 << 20


class BucketFile(AbstractBufferedFile):
    """A stored file that can be read at any position.

    A file of up to ``WHOLE_BYTES`` is verified when it is opened. A larger one is verified once it has been read from
    its first byte to its last; single ranges cannot be verified.
    """

    def __init__(self, fs: BucketFileSystem, path: str, **options: Any) -> None:
        self.ref, size = fs._locate(path)
        self._client = fs.client
        self._hasher = hashlib.sha256()
        self._hashed = 0
        if size <= WHOLE_BYTES:
            with fs.client.get(self.ref) as stream:
                options |= {"cache_type": "all", "cache_options": {"data": stream.read()}}
            self._hashed = size
        super().__init__(fs, path, mode="rb", size=size, **options)

    def _fetch_range(self, start: int, end: int) -> bytes:
        with as_os_errors(self.path):
            pieces = self._client.read_range(self.ref, self.size, start, min(end, self.size))
            return b"".join(map(bytes, pieces))

    def read(self, length: int = -1) -> bytes:
        """Return bytes from the current position.

        Raises:
            DigestError: at the end of a whole sequential read, if the bytes are not those of the digest.
        """
        at = self.loc
        data = super().read(length)
        if at <= self._hashed < at + len(data) and self._hashed < self.size:
            self._hasher.update(memoryview(data)[self._hashed - at :])
            self._hashed = at + len(data)
            if self._hashed == self.size:
                verify(self.ref, self._hasher)
        return data


class BucketWriter(io.BufferedIOBase):
    """A new file. It is stored when it is closed, and not stored if an exception ends its ``with`` block."""

    def __init__(self, fs: BucketFileSystem, path: str, autocommit: bool, description: dict[str, Any]) -> None:
        self.fs = fs
        self.path = plain_path(path)
        self.mode = "wb"
        self._autocommit = autocommit
        self._description = description
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the file
        self._exception_at_open = sys.exc_info()[1]
        self._is_forgotten = False
        with as_os_errors(path):
            fs._check_new(self.path)
            check_description(Description(**description))
        #: Until it is closed.
        self._is_forgotten = True

    def writable(self) -> bool:
        """Return true."""
        return True

    def seekable(self) -> bool:
        """Return true: formats with an index at their beginning need that."""
        return True

    def write(self, data: Any) -> int:
        """Write bytes."""
        return self._spool.write(data)

    def tell(self) -> int:
        """Return the position."""
        return self._spool.tell()

    def seek(self, offset: int, origin: int = 0, /) -> int:
        """Move the position."""
        self._spool.seek(offset, origin)
        return self._spool.tell()

    def close(self) -> None:
        """Store the file, unless it is closed because of an exception.

        Raises:
            FileExistsError: the version holds other bytes.
        """
        if self.closed:
            return
        super().close()
        # After an exception the file is probably incomplete, and a stored file cannot be corrected.
        failing = sys.exc_info()[1]
        if failing is not None and failing is not self._exception_at_open:
            self.discard()
        elif self._autocommit:
            self.commit()

    def commit(self) -> None:
        """Store the file."""
        try:
            self._spool.seek(0)
            self.fs._store(self.path, self._spool, self._description)
        finally:
            self.discard()

    def discard(self) -> None:
        """Store nothing."""
        self._spool.close()

    def __exit__(self, kind: Any, *_: object) -> None:
        """Store the file, or nothing after an exception."""
        if kind is not None and not self.closed:
            super().close()
            self.discard()
        self.close()

    def __del__(self) -> None:
        """Store nothing, and say so: a file that was forgotten may not be complete."""
        if self._is_forgotten and not self.closed:
            warnings.warn(
                f"bucket://{self.path} was not closed, so nothing was stored; use a with block",
                RuntimeWarning,
                stacklevel=2,
                source=self,
            )
        self._spool.close()


def plain_path(path: Any) -> str:
    """Return a path without ``bucket://``, and without a slash at its end.

    Raises:
        ValueError: not a path.
    """
    if not isinstance(path, str):
        raise ValueError(f"the path is of the type {type(path).__name__}; give bucket://bucket_id/artifact_id/version")
    return path.removeprefix("bucket://").strip("/")


@contextlib.contextmanager
def as_os_errors(path: str) -> Iterator[None]:
    """Raise what users of file systems expect. Failures of the service stay what they are."""
    try:
        yield
    except NotFoundError as problem:
        raise FileNotFoundError(errno.ENOENT, problem.detail, path) from problem
    except ConflictError as problem:
        raise FileExistsError(errno.EEXIST, f"{problem.detail}. {problem.next}", path) from problem
    except NotAuthorizedError as problem:
        raise PermissionError(errno.EACCES, f"{problem.detail}. {problem.next}", path) from problem
    except InvalidRequestError as problem:
        raise ValueError(str(problem)) from problem
