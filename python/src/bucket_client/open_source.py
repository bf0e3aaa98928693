"""Turns what a caller stores into a :class:`Source`, or refuses it and says what to give instead.

A path, bytes and a file on disk can be read again as they are. Every other source is copied to a temporary file first.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, TypeAlias, cast

from .errors import error
from .model import Limits
from .progress import Report
from .source import BytesSource, FileSource, Source, SpooledSource, wrong_size

#: What calls take: a path, bytes, a binary file object, or an iterable of bytes.
SourceLike: TypeAlias = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Iterable[bytes | bytearray | memoryview]
)

_READ_BYTES = 1 << 20
#: Types that people pass by mistake. Most can be iterated, but do not yield the intended bytes.
_HINTS = {
    "ndarray": "Give memoryview(array) of a contiguous array, or numpy.save it to a file.",
    "Tensor": "Save it with torch.save or safetensors, and give the file.",
    "DataFrame": "Write it with to_parquet or to_csv, and give the file or its bytes.",
    "Series": "Write it with to_csv, and give the file or its bytes.",
    "array": "Give memoryview(array).",
    "dict": "Give json.dumps(…).encode().",
    "list": "Give json.dumps(…).encode(), or b''.join(…) of pieces of bytes.",
    "set": "A set has no order. Give json.dumps(sorted(…)).encode().",
}


def check_source(given: object) -> None:
    """Refuse a source that does not yield the intended bytes, before anything is sent or read.

    Raises:
        SourceError: ``source_invalid``.
        FileNotFoundError: a path at which nothing is.
    """
    if isinstance(given, str | os.PathLike):
        _check_path(cast("str | os.PathLike[str]", given))
    elif isinstance(given, bytes | bytearray | memoryview):
        if not memoryview(cast(bytes, given)).c_contiguous:
            raise error("source_invalid", "the memoryview is not contiguous", next="Give bytes(view).")
    elif isinstance(given, io.TextIOBase):
        raise error("source_invalid", "the file object gives text", next='Open the file in binary mode ("rb").')
    elif hasattr(given, "read"):
        _check_file(given)
    elif type(given).__name__ in _HINTS or not hasattr(given, "__iter__"):
        name = type(given).__name__
        raise error("source_invalid", f"{name} is not a source of bytes", next=_HINTS.get(name))


def _check_path(given: str | os.PathLike[str]) -> None:
    path: Any = os.fspath(given)
    if not isinstance(path, str) or path == "" or "\0" in path:
        raise error("source_invalid", f"{path!r} cannot be a path", next="Give a path as a str or pathlib.Path.")
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError as problem:
        hint = "no such file; a str is a path, so give text.encode() to store text"
        raise FileNotFoundError(errno.ENOENT, hint if isinstance(given, str) else "no such file", path) from problem
    if stat.S_ISDIR(mode):
        raise error("source_invalid", f"{path!r} is a folder", next="Store it with push(), or name a file.")


def _check_file(file: object) -> None:
    if getattr(file, "closed", False) is True:
        raise error("source_invalid", "the file object is closed", next="Give an open one, or the path of the file.")
    readable = getattr(file, "readable", None)
    if callable(readable) and not readable():
        raise error("source_invalid", "the file object is not open for reading", next='Open it with "rb".')


def known_size(given: object) -> int | None:
    """Return the size of a source in bytes if it is known without reading it."""
    if isinstance(given, bytes | bytearray | memoryview):
        return memoryview(cast(bytes, given)).nbytes
    if isinstance(given, str | os.PathLike):
        with contextlib.suppress(OSError, ValueError):
            status = Path(cast(str, given)).stat()
            return status.st_size if stat.S_ISREG(status.st_mode) else None
    return None


def open_source(given: SourceLike, size: int | None, report: Report, limits: Callable[[], Limits]) -> Source:
    """Return what a caller gave as a :class:`Source`. The caller closes it.

    Args:
        given: a path, bytes, a binary file object (from its current position), or an iterable of bytes.
        size: how many bytes it has, if the caller knows; checked.
        report: gets the bytes while they are spooled.
        limits: asks for the limits; called only if a source without a known size is large.

    Raises:
        SourceError: not a source, or of another size.
        TooLargeError: a source without a known size that has more bytes than the service accepts.
        OSError: a file that cannot be read.
    """
    check_source(given)
    position = _position(given)
    source = _open(given, size, report, limits)
    try:
        if size is not None and source.size != size:
            raise wrong_size(source.size, size)
        if source.size == 0 and position > 0:
            # Most likely the file was written and not rewound. A stored version could never be corrected.
            raise error(
                "source_invalid",
                f"the file object is at its end (position {position}), so it has zero bytes",
                next="Call seek(0) on it first. To store zero bytes, give b''.",
            )
    except BaseException:
        source.close()
        raise
    return source


def _position(given: object) -> int:
    """Return the position of a file object, 0 for other sources."""
    tell = getattr(given, "tell", None)
    if not hasattr(given, "read") or not callable(tell):
        return 0
    with contextlib.suppress(OSError, ValueError):
        at = tell()
        return at if isinstance(at, int) else 0
    return 0


def _open(given: SourceLike, size: int | None, report: Report, limits: Callable[[], Limits]) -> Source:
    if isinstance(given, str | os.PathLike):
        return _open_path(given, size, report, limits)
    if isinstance(given, bytes | bytearray | memoryview):
        return BytesSource(cast(bytes, given))
    if isinstance(given, io.BytesIO):
        return BytesSource(given.getbuffer()[given.tell() :])
    if hasattr(given, "read"):
        file = cast(IO[bytes], given)
        if _is_plain_file(file):
            return FileSource(file, str(getattr(file, "name", "the file")), start=file.tell(), owns=False)
        return SpooledSource(_read_chunks(file), size, report, limits)
    return SpooledSource(cast("Iterable[bytes]", given), size, report, limits)


def _open_path(path: str | os.PathLike[str], size: int | None, report: Report, limits: Callable[[], Limits]) -> Source:
    file = open(path, "rb", buffering=0)  # noqa: SIM115 - lives as long as the source
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return FileSource(file, os.fspath(path))
    with file:
        return SpooledSource(_read_chunks(file), size, report, limits)


def _is_plain_file(file: IO[bytes]) -> bool:
    """Whether ``read`` returns the bytes on disk. ``gzip`` and similar files do not."""
    if not isinstance(file, io.FileIO | io.BufferedReader | io.BufferedRandom):
        return False
    if isinstance(file, io.BufferedRandom):
        file.flush()
    raw = getattr(cast(Any, file), "raw", cast(Any, file))
    return isinstance(raw, io.FileIO) and stat.S_ISREG(os.fstat(raw.fileno()).st_mode)


def _read_chunks(file: IO[bytes]) -> Iterator[bytes]:
    while True:
        chunk: Any = file.read(_READ_BYTES)
        if chunk is None:
            # Not the end: more bytes may come.
            raise error(
                "source_invalid",
                "the file object does not block, and has no bytes yet",
                next="Call os.set_blocking(file.fileno(), True) first.",
            )
        if not chunk:
            return
        yield chunk
