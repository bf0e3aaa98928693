"""A response: parsed by ``http.client``, read with bounded waits, and never shorter than announced."""

from __future__ import annotations

import http.client
import io
from collections.abc import Callable
from typing import Any

from .connection import Connection
from .errors import BucketError, error, unexpected
from .timing import Cancel, Cancelled, stalled

#: A slower connection is given up. Bytes a second, measured over ``Timeouts.idle``.
_FLOOR_RATE = 512
#: A rest of a body up to this size is read, so that the connection can be kept.
_DRAIN_BYTES = 64 << 10


class Incoming(io.RawIOBase):
    """Bytes of one exchange: first those that arrived while the body was sent, then those of the socket."""

    def __init__(self, connection: Connection, where: str, cancel: Cancel | None) -> None:
        self._connection = connection
        self._where = where
        self._cancel = cancel
        self.early = bytearray()
        #: Whether ``100 Continue`` has come.
        self.is_continued = False
        self.patience = connection.timeouts.idle
        self.is_paused = False
        self._window_waited = 0.0
        self._window_bytes = 0

    def readable(self) -> bool:
        """Return true."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what has arrived, or wait for it; ``None`` while paused."""
        if self.is_paused:
            return None
        if self.early:
            count = min(len(buffer), len(self.early))
            buffer[:count] = self.early[:count]
            del self.early[:count]
            return count
        count = self._connection.receive(buffer, self.patience, self._where, self._cancel, self._waited)
        self._window_bytes += count
        return count

    def _waited(self, seconds: float) -> None:
        """Refuse a connection that is so slow that the transfer would take days."""
        idle = self._connection.timeouts.idle
        self._window_waited += seconds
        if self._window_waited < idle:
            return
        if self._window_bytes < idle * _FLOOR_RATE:
            raise stalled(self._where, f"sends less than {_FLOOR_RATE} bytes a second")
        self._window_waited = 0.0
        self._window_bytes = 0


class _Reader(io.BufferedReader):
    """Survives the ``close`` of ``HTTPResponse``, so that extra bytes can be seen afterwards.

    ``http.client`` takes the end of a connection for the end of the headers. Here it is an error.
    """

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        if not line.endswith(b"\n") and len(line) != size:
            raise ConnectionResetError("the connection was closed in the middle of a response")
        return line

    def close(self) -> None:
        pass

    def flush(self) -> None:
        """Do nothing: the finalizer of ``HTTPResponse`` flushes, also after that of ``Incoming``, and would fail."""


class _Socket:
    """The part of a socket that ``HTTPResponse`` needs."""

    def __init__(self, reader: _Reader) -> None:
        self._reader = reader

    def makefile(self, _mode: str) -> _Reader:
        return self._reader


class Response:
    """A response whose body is still to be read. :meth:`close` it in any case."""

    def __init__(self, connection: Connection, incoming: Incoming, method: str, is_sent: bool, where: str) -> None:
        """Read the head.

        Args:
            connection: closed, or given back by ``release``, when the exchange is over.
            incoming: what arrives on it.
            method: of the request.
            is_sent: whether the whole request was sent; if not, the connection cannot be used again.
            where: names the request in errors.

        Raises:
            BucketError: ``unexpected_response``; ``stalled``.
            OSError: the connection broke.
        """
        self._connection = connection
        self._incoming = incoming
        self._is_sent = is_sent
        self._where = where
        self._is_closed = False
        self._reader = _Reader(incoming, 64 << 10)
        response = http.client.HTTPResponse(_Socket(self._reader), method=method)  # pyright: ignore[reportArgumentType]
        try:
            response.begin()
        except http.client.RemoteDisconnected:
            raise
        except (http.client.HTTPException, ValueError) as problem:
            raise unexpected(f"{where} did not answer in HTTP") from problem
        self._response = response
        self._left = None if response.chunked else response.length
        self.status = response.status
        self.headers: http.client.HTTPMessage = response.headers
        #: Set by the pool: takes the connection back.
        self.release: Callable[[Connection], None] | None = None

    def readinto(self, buffer: Any) -> int:
        """Read what has arrived into ``buffer``; returns 0 only at the end of a complete body.

        Raises:
            BucketError: a ``NetworkError``, also if the body is shorter than announced.
        """
        if self._left == 0:
            return 0
        try:
            if self._left is None:
                return self._response.readinto(buffer)
            # One read of the socket: what has arrived counts, even if the connection breaks right after it.
            count = self._reader.readinto1(memoryview(buffer)[: self._left])
        except (OSError, http.client.HTTPException) as problem:
            raise error("interrupted", f"{self._where} broke off its response") from problem
        if count == 0:
            raise error("interrupted", f"{self._where} broke off its response")
        self._left -= count
        return count

    def read(self, limit: int) -> bytes:
        """Return the whole body.

        Raises:
            BucketError: a ``NetworkError``; ``unexpected_response`` if it has more than ``limit`` bytes.
        """
        body = bytearray()
        buffer = bytearray(64 << 10)
        while count := self.readinto(buffer):
            body += buffer[:count]
            if len(body) > limit:
                raise unexpected(f"{self._where} sent more than {limit} bytes of JSON")
        return bytes(body)

    def close(self) -> None:
        """Give the connection back if the exchange is complete, else close it."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self._drain()
        except (BucketError, OSError, ValueError, Cancelled):
            self._connection.close()
            return
        if self._reader.closed:
            # The garbage collector may close the parts of an abandoned stream in any order.
            self._connection.close()
            return
        self._incoming.is_paused = True
        leftover = bool(self._reader.peek(1))
        is_whole = self._is_sent and self._is_read() and not self._response.will_close
        if is_whole and not leftover and self.release is not None:
            self.release(self._connection)
        else:
            self._connection.close()

    def _is_read(self) -> bool:
        return self._left == 0 or self._response.isclosed()

    def _drain(self) -> None:
        """Read a short rest of the body, so that the connection can be kept."""
        if not self._is_read() and (self._left is None or self._left <= _DRAIN_BYTES):
            self._incoming.patience = min(1.0, self._incoming.patience)
            self.read(_DRAIN_BYTES)

    def __enter__(self) -> Response:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
