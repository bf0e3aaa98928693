"""A fetch as a file object. The last bytes are held back until the digest is known, so that no reader ever gets a
complete artifact that is wrong.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections import deque
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from .fetch import Artifact, OpenedBytes, too_many_bytes, verify
from .progress import Report
from .refs import ArtifactReference

if TYPE_CHECKING:
    from typing_extensions import Self

#: The stream returns this last part only after the digest matched. Smaller artifacts arrive whole or not at all.
HELD_BACK_BYTES = 1 << 20


class ArtifactStream(io.BufferedIOBase):
    """The verified bytes of one artifact, in order. Close it, or use it in a ``with`` block.

    The stream continues over broken connections, and ends normally only if the digest is right.

    Attributes:
        ref: pinned to the digest of the bytes.
        size: in bytes.
    """

    def __init__(
        self, artifact: Artifact, opened: OpenedBytes, report: Report, ends: contextlib.ExitStack | None = None
    ) -> None:
        """Made by :meth:`BucketClient.get`."""
        self.ref: ArtifactReference = artifact.ref
        self.size = artifact.size
        self._opened = opened
        self._ends = ends or contextlib.ExitStack()
        self._pieces = _verified(artifact, opened, report)
        self._rest = memoryview(b"")

    def __repr__(self) -> str:
        """Name the artifact."""
        return f"<{type(self).__name__} {self.ref} of {self.size} bytes{', closed' if self.closed else ''}>"

    @property
    def digest(self) -> str:
        """``sha256:`` and 64 hex digits."""
        return self.ref.digest or ""

    def readable(self) -> bool:
        """Return true."""
        return True

    def seek(self, _offset: int, _whence: int = 0, /) -> int:
        """Refuse, because a digest is computed from the first byte to the last."""
        raise io.UnsupportedOperation("a verified stream cannot seek: use download(), or io.BytesIO(stream.read())")

    def read(self, size: int | None = -1, /) -> bytes:
        """Return ``size`` bytes, fewer only at the end; all that are left if ``size`` is negative or ``None``.

        Raises:
            DigestError: the bytes are not those of the digest. Do not use those that came before.
            BucketError: the service or the network failed for longer than the client waits.
        """
        wanted = self.size if size is None or size < 0 else size
        pieces: list[memoryview] = []
        while wanted > 0 and (piece := self._take(wanted)):
            pieces.append(piece)
            wanted -= len(piece)
        return b"".join(pieces)

    def read1(self, size: int = -1, /) -> bytes:
        """Return at least one byte and at most ``size``; empty only at the end. Raises as :meth:`read`."""
        return bytes(self._take(self.size if size < 0 else size))

    def readinto(self, buffer: Any, /) -> int:
        """Read into a buffer; returns fewer bytes than it holds only at the end. Raises as :meth:`read`."""
        view = memoryview(buffer).cast("B")
        at = 0
        while at < len(view) and (piece := self._take(len(view) - at)):
            view[at : at + len(piece)] = piece
            at += len(piece)
        return at

    def _take(self, limit: int) -> memoryview:
        if self.closed:
            raise ValueError("read of a closed stream")
        if not self._rest:
            self._rest = next(self._pieces, self._rest)
        piece, self._rest = self._rest[:limit], self._rest[limit:]
        return piece

    def close(self) -> None:
        """Drop the rest of the bytes, and release the connection."""
        if not self.closed:
            self._pieces.close()
            self._opened.response.close()
            self._ends.close()
        super().close()

    def __enter__(self) -> Self:
        """Return the stream."""
        return self


def _verified(artifact: Artifact, opened: OpenedBytes, report: Report) -> Generator[memoryview, None, None]:
    """Yield the bytes; the last ``HELD_BACK_BYTES`` follow once the digest is known to match.

    Not a method, because a generator that held the stream would keep a dropped stream, and its connection, open.
    """
    hasher = hashlib.sha256()
    held: deque[bytes] = deque()
    held_bytes = 0
    size = 0
    for chunk in artifact.chunks(0, artifact.size, None, opened):
        hasher.update(chunk)
        size += len(chunk)
        if size > artifact.size:
            raise too_many_bytes(artifact.ref, artifact.size)
        report("downloading", size, artifact.size)
        held.append(bytes(chunk))
        held_bytes += len(chunk)
        while held_bytes - len(held[0]) >= HELD_BACK_BYTES:
            held_bytes -= len(held[0])
            yield memoryview(held.popleft())
    verify(artifact.ref, hasher)
    while held:
        yield memoryview(held.popleft())
