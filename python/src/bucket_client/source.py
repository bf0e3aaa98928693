"""Bytes to store. They are read at least twice, because the digest is sent before them, and read again after a break.

A path, bytes and a file on disk can be read again as they are; every other source is spooled to a temporary file first.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any, Protocol, TypeAlias, cast

from .errors import BucketError, error
from .model import part_size
from .progress import Report

#: What calls take: a path, bytes, a binary file object, or an iterable of bytes.
SourceLike: TypeAlias = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Iterable[bytes | bytearray | memoryview]
)

_READ_BYTES = 1 << 20
#: A spooled source up to this size stays in memory.
_SPOOL_MEMORY = 8 << 20
#: Above this size the service chooses parts, so that their digests are computed with that of the whole.
SINGLE_BYTES = 64 << 20


@dataclass(frozen=True)
class Digests:
    """What reading a source once gives."""

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
        """Where they were computed when the source was made."""
        ...

    def open(self, start: int, end: int) -> Iterator[bytes | memoryview]:
        """Give the bytes from ``start`` up to, not including, ``end``.

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
        self._whole.update(chunk)
        self.size += len(chunk)
        view = memoryview(chunk)
        while self._part_bytes and view:
            piece = view[: self._part_bytes - self._in_part]
            self._part.update(piece)
            self._in_part += len(piece)
            view = view[len(piece) :]
            if self._in_part == self._part_bytes:
                self._end_part()

    def digests(self) -> Digests:
        """End the computation. Digests of parts in another size than the artifact's own are left out."""
        if self._in_part:
            self._end_part()
        is_useful = self._part_bytes == part_size(self.size)
        return Digests(f"sha256:{self._whole.hexdigest()}", tuple(self._parts) if is_useful else None)

    def _end_part(self) -> None:
        self._parts.append(self._part.hexdigest())
        self._part = hashlib.sha256()
        self._in_part = 0


def hash_source(source: Source, report: Report, *, with_parts: bool) -> Digests:
    """Return the digests of a source: those that are known, else what reading it gives."""
    known = source.digests
    if known is not None and (known.parts is not None or not with_parts):
        return known
    hasher = Hasher(part_size(source.size) if with_parts else 0)
    for chunk in source.open(0, source.size):
        hasher.update(chunk)
        report("hashing", hasher.size, source.size)
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
        """Give the bytes."""
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
        """Give the bytes; each chunk only after a look that the file is still what it was."""
        at = start
        while at < end:
            chunk = os.pread(self._file.fileno(), min(_READ_BYTES, end - at), self._start + at)
            at += len(chunk)
            # A receiver never gets as many bytes as it was promised of a file that has changed.
            if not chunk or (at >= end and self._look() != self._seen):
                raise error("source_changed", f"{self._name} changed while it was read")
            yield chunk

    def close(self) -> None:
        """Close the file if the source opened it."""
        if self._owns:
            self._file.close()


class SpooledSource(FileSource):
    """A copy of what could be read only once, hashed while it was copied."""

    def __init__(self, chunks: Iterable[bytes | bytearray | memoryview], size: int | None, report: Report) -> None:
        """Copy all chunks.

        Raises:
            SourceError: not as many bytes as ``size``, or chunks that are not bytes.
        """
        spool = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the source
        hasher = Hasher(part_size(size or 0))
        try:
            for chunk in chunks:
                view = _as_bytes(chunk)
                spool.write(view)
                hasher.update(view)
                report("hashing", hasher.size, size)
            spool.flush()
            if size is not None and hasher.size != size:
                raise error("source_changed", f"the source gave {hasher.size} bytes; {size} were promised")
        except BaseException:
            spool.close()
            raise
        super().__init__(spool, "the spooled source")
        self.digests = hasher.digests()


def _as_bytes(chunk: Any) -> memoryview:
    if not isinstance(chunk, bytes | bytearray | memoryview):
        raise error("source_invalid", f"the source gave {type(chunk).__name__}, not bytes")
    return memoryview(cast(bytes, chunk)).cast("B")


def open_source(given: SourceLike, size: int | None, report: Report) -> Source:
    """Return what a caller gave as a :class:`Source`. The caller closes it.

    Args:
        given: a path, bytes, a binary file object (from its current position), or an iterable of bytes.
        size: how many bytes it has, if the caller knows; checked.
        report: gets the bytes while they are spooled.

    Raises:
        SourceError: not a source, or of another size.
        OSError: a file that cannot be read.
    """
    source = _open(given, size, report)
    if size is not None and source.size != size:
        source.close()
        raise error("source_changed", f"the source has {source.size} bytes; {size} were promised")
    return source


def _open(given: SourceLike, size: int | None, report: Report) -> Source:
    if isinstance(given, str | os.PathLike):
        return _open_path(given, size, report)
    if isinstance(given, bytes | bytearray | memoryview):
        return BytesSource(cast(bytes, given))
    if isinstance(given, io.TextIOBase):
        raise error("source_invalid", "the file object gives text", next='Open the file in binary mode ("rb").')
    if isinstance(given, io.BytesIO):
        return BytesSource(given.getbuffer()[given.tell() :])
    if type(given).__name__ in _HINTS:
        raise _not_a_source(given)
    if hasattr(given, "read"):
        file = cast(IO[bytes], given)
        if _is_plain_file(file):
            return FileSource(file, str(getattr(file, "name", "the file")), start=file.tell(), owns=False)
        return SpooledSource(_read_chunks(file), size, report)
    if hasattr(given, "__iter__"):
        return SpooledSource(cast("Iterable[bytes]", given), size, report)
    raise _not_a_source(given)


def _open_path(path: str | os.PathLike[str], size: int | None, report: Report) -> Source:
    file = open(path, "rb", buffering=0)  # noqa: SIM115 - lives as long as the source
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return FileSource(file, os.fspath(path))
    with file:
        return SpooledSource(_read_chunks(file), size, report)


def _is_plain_file(file: IO[bytes]) -> bool:
    """Whether the bytes on disk are those that ``read`` would give: not so for ``gzip`` and the like."""
    if not isinstance(file, io.FileIO | io.BufferedReader | io.BufferedRandom):
        return False
    if isinstance(file, io.BufferedRandom):
        file.flush()
    raw = getattr(cast(Any, file), "raw", cast(Any, file))
    return isinstance(raw, io.FileIO) and stat.S_ISREG(os.fstat(raw.fileno()).st_mode)


def _read_chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(_READ_BYTES):
        yield chunk


#: What people give by mistake. All of these can be iterated, but do not give bytes.
_HINTS = {
    "ndarray": "Give memoryview(array) of a contiguous array, or numpy.save it to a file.",
    "Tensor": "Save it with torch.save or safetensors, and give the file.",
    "DataFrame": "Write it with to_parquet or to_csv, and give the file or its bytes.",
    "dict": "Give json.dumps(…).encode().",
    "list": "Give json.dumps(…).encode(), or b''.join(…) of pieces of bytes.",
}


def _not_a_source(given: object) -> BucketError:
    name = type(given).__name__
    return error("source_invalid", f"{name} is not a source of bytes", next=_HINTS.get(name))
