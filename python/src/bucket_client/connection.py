"""One connection and one HTTP/1.1 exchange on it: every wait bounded, early responses read as what they are.

``http.client`` parses responses; the sending half is written here, because the standard one cannot wait for
``100 Continue`` and does not look at a response that arrives while it sends.
"""

from __future__ import annotations

import http.client
import io
import select
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any, Protocol

from .errors import BucketError, error, unexpected
from .timing import Cancel, Cancelled, Timeouts, check_cancelled, stalled

#: Bodies above this ask with ``Expect: 100-continue`` before they are sent.
EXPECT_BYTES = 1 << 20
#: One write. Small enough that progress is seen on a slow line, large enough that calls cost little.
_WRITE_BYTES = 256 << 10
#: No line that carries an artifact is slower, in bytes a second, measured over ``Timeouts.idle``.
_FLOOR_RATE = 512


class Body(Protocol):
    """Bytes to send: a known size, readable again and again."""

    @property
    def size(self) -> int:
        """In bytes."""
        ...

    def open(self, start: int, end: int) -> Iterator[bytes | memoryview]:
        """Give the bytes from ``start`` up to, not including, ``end``."""
        ...


class SourceFailure(Exception):
    """Keeps a failure of the source apart from those of the network: no retry helps if a file cannot be read."""

    def __init__(self, problem: OSError) -> None:
        super().__init__(str(problem))
        self.problem = problem


def _marking_failures(body: Body) -> Iterator[bytes | memoryview]:
    try:
        yield from body.open(0, body.size)
    except OSError as problem:
        raise SourceFailure(problem) from problem


def _wait(sock: socket.socket, write: bool, timeout: float, cancel: Cancel | None) -> tuple[bool, bool]:
    """Wait until the socket is readable, or writable if that is asked. Both are false after ``timeout``."""
    ends = time.monotonic() + timeout
    while True:
        check_cancelled(cancel)
        left = max(0.0, ends - time.monotonic())
        slice_ = left if cancel is None else min(left, Cancel.TICK)
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(sock, select.POLLIN | (select.POLLOUT if write else 0))
            events = poll.poll(slice_ * 1000)
            mask = events[0][1] if events else 0
            # A connection that has failed is both: the next call says how.
            failed = bool(mask & (select.POLLERR | select.POLLHUP | select.POLLNVAL))
            ready = (bool(mask & select.POLLIN) or failed, bool(mask & select.POLLOUT) or (failed and write))
        else:  # Windows
            readable, writable, _ = select.select([sock], [sock] if write else [], [], slice_)
            ready = (bool(readable), bool(writable))
        if ready != (False, False) or left <= slice_:
            return ready


class _Incoming(io.RawIOBase):
    """What arrives for one exchange: first what came while the body was sent, then the socket."""

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
        return True

    def readinto(self, buffer: Any) -> int | None:
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
        """Refuse a trickle: bytes that come, but so slowly that the transfer would take days."""
        idle = self._connection.timeouts.idle
        self._window_waited += seconds
        if self._window_waited < idle:
            return
        if self._window_bytes < idle * _FLOOR_RATE:
            raise stalled(self._where, f"sends less than {_FLOOR_RATE} bytes a second")
        self._window_waited = 0.0
        self._window_bytes = 0


class _Reader(io.BufferedReader):
    """Survives the ``close`` of ``HTTPResponse``, so that what it read too much can be seen afterwards.

    ``http.client`` takes the end of a connection for the end of the headers, and would lose some; here it is a break.
    """

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        if not line.endswith(b"\n") and len(line) != size:
            raise ConnectionResetError("the connection was closed in the middle of a response")
        return line

    def close(self) -> None:
        pass


class _Socket:
    """What ``HTTPResponse`` wants of a socket."""

    def __init__(self, reader: _Reader) -> None:
        self._reader = reader

    def makefile(self, _mode: str) -> _Reader:
        return self._reader


class Connection:
    """A socket to one origin, used for one exchange at a time."""

    def __init__(self, opened: http.client.HTTPConnection, timeouts: Timeouts) -> None:
        sock: socket.socket | None = opened.sock
        if sock is None:
            raise OSError("not connected")
        # Everything below waits by itself, for both directions at once.
        sock.setblocking(False)
        self._sock = sock
        self.timeouts = timeouts
        self.idle_since = 0.0
        self.is_used = False

    def close(self) -> None:
        """Close the socket; what is under way is lost."""
        self._sock.close()

    def is_alive(self) -> bool:
        """Whether an idle connection may be used: nothing has arrived, neither bytes nor an end."""
        try:
            return _wait(self._sock, False, 0, None) == (False, False)
        except (OSError, ValueError):
            return False

    def receive(
        self,
        buffer: Any,
        timeout: float,
        where: str,
        cancel: Cancel | None,
        waited: Any = None,
    ) -> int:
        """Read what is there into ``buffer``, waiting for it. Returns 0 at the end."""
        write = False
        ends = time.monotonic() + timeout
        while True:
            check_cancelled(cancel)
            try:
                return self._sock.recv_into(buffer)
            except (BlockingIOError, ssl.SSLWantReadError):
                write = False
            except ssl.SSLWantWriteError:
                write = True
            began = time.monotonic()
            if _wait(self._sock, write, ends - began, cancel) == (False, False):
                raise stalled(where, f"sent nothing for {timeout:.0f} s")
            if waited is not None:
                waited(time.monotonic() - began)

    def exchange(
        self,
        head: bytes,
        method: str,
        body: Body | None,
        expects: bool,
        on_sent: Any,
        where: str,
        cancel: Cancel | None,
    ) -> Response:
        """Send one request and return its response, whose body is not read yet.

        Raises:
            BucketError: a ``NetworkError``.
            OSError: the connection broke.
        """
        incoming = _Incoming(self, where, cancel)
        is_sent = False
        try:
            if body is None:
                is_sent = self._send(memoryview(head), incoming, where, cancel)
            elif expects:
                self._send(memoryview(head), incoming, where, cancel)
                if not self._is_refused(incoming, cancel):
                    is_sent = self._send_body(b"", body, incoming, on_sent, where, cancel)
            else:
                is_sent = self._send_body(head, body, incoming, on_sent, where, cancel)
        except (BrokenPipeError, ConnectionResetError, ConnectionAbortedError):
            # The server may have answered and closed without reading: its response says more than the break.
            if not self._take_early(incoming):
                raise
        size = 0 if body is None else body.size
        # A server that got the last bytes still hashes and syncs them: a second for every 16 MiB.
        incoming.patience = self.timeouts.idle + min(size, 4 << 20) / (32 << 10) + size / (16 << 20)
        reader = _Reader(incoming, 64 << 10)
        response = http.client.HTTPResponse(_Socket(reader), method=method)  # pyright: ignore[reportArgumentType]
        try:
            response.begin()
        except (http.client.HTTPException, ValueError) as problem:
            if isinstance(problem, http.client.RemoteDisconnected):
                raise
            raise unexpected(f"{where} did not answer in HTTP") from problem
        incoming.patience = self.timeouts.idle
        return Response(self, response, reader, incoming, is_sent, where)

    def _send_body(
        self, head: bytes, body: Body, incoming: _Incoming, on_sent: Any, where: str, cancel: Cancel | None
    ) -> bool:
        """Send the head, if it has not left yet, and the body. Returns false as soon as a response arrives."""
        if body.size == 0:
            return self._send(memoryview(head), incoming, where, cancel)
        sent = 0
        for chunk in _marking_failures(body):
            view = memoryview(chunk)
            for at in range(0, len(view), _WRITE_BYTES):
                piece = view[at : at + _WRITE_BYTES]
                # The head and a small body leave in one packet.
                if not self._send(memoryview(head + bytes(piece)) if head else piece, incoming, where, cancel):
                    return False
                head = b""
                sent += len(piece)
                if on_sent is not None:
                    on_sent(sent)
        return True

    def _send(self, view: memoryview, incoming: _Incoming, where: str, cancel: Cancel | None) -> bool:
        """Send all of ``view``. Returns false as soon as a response arrives: the rest is not wanted."""
        while view:
            readable, writable = _wait(self._sock, True, self.timeouts.idle, cancel)
            if not readable and not writable:
                raise stalled(where, f"took no bytes for {self.timeouts.idle:.0f} s")
            if readable and self._take_early(incoming):
                return False
            if not writable:
                continue
            try:
                view = view[self._sock.send(view) :]
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                continue
        return True

    def _is_refused(self, incoming: _Incoming, cancel: Cancel | None) -> bool:
        """Wait for ``100 Continue``. The body is also sent to a server that ignores ``Expect``."""
        ends = time.monotonic() + self.timeouts.continue_
        while (left := ends - time.monotonic()) > 0:
            readable, _ = _wait(self._sock, False, left, cancel)
            if not readable:
                return False
            if self._take_early(incoming):
                return True
            if incoming.is_continued:
                return False
        return False

    def _take_early(self, incoming: _Incoming) -> bool:
        """Read what has arrived. Returns whether a final response has begun; interim responses are dropped."""
        early = incoming.early
        buffer = bytearray(64 << 10)
        is_over = False
        while True:
            try:
                count = self._sock.recv_into(buffer)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            except (ConnectionResetError, BrokenPipeError):
                is_over = True
                break
            if count == 0:
                is_over = True
                break
            early += buffer[:count]
        while early.startswith((b"HTTP/1.1 1", b"HTTP/1.0 1")):
            head, end, rest = early.partition(b"\r\n\r\n")
            if not end:
                break
            incoming.is_continued |= bytes(head[9:12]) == b"100"
            early[:] = rest
        if is_over and not early:
            raise ConnectionResetError("the connection was closed before a response")
        # The first bytes of a response may not tell yet whether it is an interim one.
        return len(early) >= 12 and not early.startswith((b"HTTP/1.1 1", b"HTTP/1.0 1"))


class Response:
    """A response whose body is still to be read. :meth:`close` it in any case."""

    def __init__(
        self,
        connection: Connection,
        response: http.client.HTTPResponse,
        reader: _Reader,
        incoming: _Incoming,
        is_sent: bool,
        where: str,
    ) -> None:
        self._connection = connection
        self._response = response
        self._reader = reader
        self._incoming = incoming
        self._is_sent = is_sent
        self._where = where
        self._is_closed = False
        self._left = None if response.chunked else response.length
        self.status = response.status
        self.headers: http.client.HTTPMessage = response.headers
        #: Set by the pool: takes the connection back.
        self.release: Any = None

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
            # The collector of garbage may end the parts of an abandoned stream in any order.
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
        """Read what is left if it is little: a kept connection is worth that."""
        if not self._is_read() and (self._left is None or self._left <= (64 << 10)):
            self._incoming.patience = min(1.0, self._incoming.patience)
            self.read(64 << 10)

    def __enter__(self) -> Response:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
