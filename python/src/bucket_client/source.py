"""Bytes to store. They are read twice, because the digest is sent before them, and again after a broken connection."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, Any, Protocol, cast

from .errors import BucketError, error
from .model import Limits, part_size
from .progress import Report

_READ_BYTES = 1 << 20
#: A spooled source up to this size stays in memory.
_SPOOL_MEMORY = 8 << 20
#: Above this size the service chooses parts, so that their digests are computed with that of the whole.
SINGLE_BYTES = 64 << 20


@dataclass(frozen=True)
class Digests:
    """Digests of a source, from reading it once."""

    #: ``sha256:`` and 64 hex digits.
    digest: str
    #: Of each part in the sizes of :func:`part_size`, 64 hex digits each; ``None`` if they were not computed.
    parts: tuple[str, ...] | None = None


class Source(Protocol):
    """Bytes of a known size that can be opened again and again, also by several threads at once."""

    @property
    def size(self) -> int:
        """In bytes."""
        ...

    @property
    def digests(self) -> Digests | None:
        """Digests that were computed when the source was made."""
        ...

    def open(self, start: int, end: int) -> Iterator[bytes | memoryview]:
        """Yield the bytes from ``start`` up to, not including, ``end``.

        Raises:
            SourceError: before the last byte is given, if the bytes are not those of the beginning.
        """
        ...

    def close(self) -> None:
        """Free what the source holds."""
        ...


class Hasher:
    """Computes the digest of the whole and, unless ``part_bytes`` is 0, of each part."""

    def __init__(self, part_bytes: int) -> None:
        self._whole = hashlib.sha256()
        self._part_bytes = part_bytes
        self._part = hashlib.sha256()
        self._in_part = 0
        self._parts: list[str] = []
        self.size = 0

    def update(self, chunk: bytes | memoryview) -> None:
        """Hash a chunk."""
        self._update_whole(chunk)
        self._update_parts(chunk)

    def update_all(self, chunks: Iterable[bytes | memoryview], after_each: Callable[[], None]) -> None:
        """Hash chunks: the whole in this thread, the parts in another, because hashing is most of the work."""
        if not self._part_bytes:
            for chunk in chunks:
                self._update_whole(chunk)
                after_each()
            return
        with ThreadPoolExecutor(1, thread_name_prefix="bucket") as pool:
            for chunk in chunks:
                parts = pool.submit(self._update_parts, chunk)
                self._update_whole(chunk)
                parts.result()
                after_each()

    def _update_whole(self, chunk: bytes | memoryview) -> None:
        self._whole.update(chunk)
        self.size += len(chunk)

    def _update_parts(self, chunk: bytes | memoryview) -> None:
        view = memoryview(chunk)
        while self._part_bytes and view:
            piece = view[: self._part_bytes - self._in_part]
            self._part.update(piece)
            self._in_part += len(piece)
            view = view[len(piece) :]
            if self._in_part == self._part_bytes:
                self._end_part()

    def digests(self) -> Digests:
        """End the computation. Digests of parts of the wrong size are left out."""
        if self._in_part:
            self._end_part()
        is_useful = self._part_bytes == part_size(self.size)
        return Digests(f"sha256:{self._whole.hexdigest()}", tuple(self._parts) if is_useful else None)

    def _end_part(self) -> None:
        self._parts.append(self._part.hexdigest())
        self._part = hashlib.sha256()
        self._in_part = 0


def hash_source(source: Source, report: Report, *, with_parts: bool) -> Digests:
    """Return the digests of a source. Reads it if they are not known."""
    known = source.digests
    if known is not None and (known.parts is not None or not with_parts):
        return known
    hasher = Hasher(part_size(source.size) if with_parts else 0)
    hasher.update_all(source.open(0, source.size), lambda: report("hashing", hasher.size, source.size))
    if known is not None and known.digest != hasher.digests().digest:
        raise error("source_changed", "the bytes changed after they were hashed")
    return hasher.digests()


class BytesSource:
    """Bytes in memory. They are not copied, and must stay as they are until they are stored."""

    digests: Digests | None = None

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._view = memoryview(data).cast("B")
        self.size = len(self._view)

    def open(self, start: int, end: int) -> Iterator[memoryview]:
        """Yield the bytes."""
        for at in range(start, end, _READ_BYTES):
            yield self._view[at : min(end, at + _READ_BYTES)]

    def close(self) -> None:
        """Let the caller resize the bytes again."""
        self._view.release()


class FileSource:
    """A regular file, read at positions of its own, so that several threads can share it."""

    digests: Digests | None = None

    def __init__(self, file: IO[bytes], name: str, *, start: int = 0, owns: bool = True) -> None:
        self._file = file
        self._name = name
        self._start = start
        self._owns = owns
        self._seen = self._look()
        self.size = max(0, self._seen[0] - start)

    def _look(self) -> tuple[int, int, int]:
        now = os.fstat(self._file.fileno())
        return (now.st_size, now.st_mtime_ns, now.st_ino)

    def open(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes. The last chunk follows only if the file has not changed."""
        at = start
        while at < end:
            chunk = os.pread(self._file.fileno(), min(_READ_BYTES, end - at), self._start + at)
            at += len(chunk)
            # The receiver of a changed file never gets all bytes, so it stores nothing.
            if not chunk or (at >= end and self._look() != self._seen):
                raise error("source_changed", f"{self._name} changed while it was read")
            yield chunk

    def close(self) -> None:
        """Close the file if the source opened it."""
        if self._owns:
            self._file.close()


class SpooledSource(FileSource):
    """A copy of a source that can be read only once, hashed while it is copied."""

    def __init__(
        self,
        chunks: Iterable[bytes | bytearray | memoryview],
        size: int | None,
        report: Report,
        limits: Callable[[], Limits],
    ) -> None:
        """Copy all chunks.

        Args:
            chunks: the bytes.
            size: how many bytes there are, if that is known.
            report: gets the bytes that were copied.
            limits: asks for the limits, because a source without end would fill the disk. Called for large sources.

        Raises:
            SourceError: not as many bytes as ``size``, or chunks that are not bytes.
            TooLargeError: more bytes than the service accepts.
        """
        spool = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the source
        hasher = Hasher(part_size(size or 0))
        known: Limits | None = None
        ask_after = SINGLE_BYTES
        try:
            for chunk in chunks:
                view = _as_bytes(chunk)
                _spool(spool, view)
                hasher.update(view)
                if known is None and hasher.size > ask_after:
                    # Such a source cannot be read again, so an outage must not end it. The limit is asked for again
                    # later, and before the store.
                    with contextlib.suppress(BucketError):
                        known = limits()
                    ask_after = 2 * hasher.size
                if known is not None and hasher.size > known.max_artifact_bytes:
                    raise too_large(None, known)
                report("hashing", hasher.size, size)
            _spool(spool, None)
            if size is not None and hasher.size != size:
                raise wrong_size(hasher.size, size)
        except BaseException:
            spool.close()
            raise
        super().__init__(spool, "the spooled source")
        self.digests = hasher.digests()


def wrong_size(found: int, size: int) -> BucketError:
    """Return the refusal of a source that has not the ``size`` that the caller gave."""
    return error(
        "source_changed",
        f"the source has {found} bytes; {size} were promised",
        next="Find out which is right: the source may be cut off, or the size may be of another one.",
    )


def too_large(size: int | None, limits: Limits) -> BucketError:
    """Return the refusal of a source. ``size`` is ``None`` if the source was not read to its end."""
    most = limits.max_artifact_bytes
    has = f"more than {most}" if size is None else str(size)
    return error(
        "artifact_too_large",
        f"the source has {has} bytes; this deployment accepts at most {most}",
        members={**({} if size is None else {"size": size}), "max_artifact_bytes": most},
    )


def _spool(file: IO[bytes], view: memoryview | None) -> None:
    """Write to the copy, or flush it. The error of a full disk names the temporary folder."""
    try:
        if view is None:
            file.flush()
        else:
            file.write(view)
    except OSError as problem:
        if problem.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        hint = "no space left for a copy of the source; set TMPDIR to a larger disk, or give a path"
        raise OSError(problem.errno, hint, tempfile.gettempdir()) from problem


def _as_bytes(chunk: Any) -> memoryview:
    if not isinstance(chunk, bytes | bytearray | memoryview):
        raise error("source_invalid", f"the source gave {type(chunk).__name__}, not bytes")
    return memoryview(cast(bytes, chunk)).cast("B")
