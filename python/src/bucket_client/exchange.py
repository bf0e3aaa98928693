"""One HTTP/1.1 exchange on a connection.

``http.client`` can neither wait for ``100 Continue`` nor see a response that arrives while it sends, so the sending
half is written here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from .connection import NOT_READY, Connection
from .response import Incoming, Response
from .timing import Cancel, stalled

#: Bodies above this ask with ``Expect: 100-continue`` before they are sent.
EXPECT_BYTES = 1 << 20
#: One write. Small enough that progress is seen on a slow line, large enough that calls cost little.
_WRITE_BYTES = 256 << 10
#: Length of ``HTTP/1.1 100``: shorter beginnings do not show yet whether a response is an interim one.
_STATUS_BYTES = 12

OnSent = Callable[[int], None]


class Body(Protocol):
    """Bytes to send: a known size, readable again and again."""

    @property
    def size(self) -> int:
        """In bytes."""
        ...

    def open(self, start: int, end: int) -> Iterator[bytes | memoryview]:
        """Yield the bytes from ``start`` up to, not including, ``end``."""
        ...


class SourceFailure(Exception):
    """A failure of the source, which no retry helps, as opposed to one of the network."""

    def __init__(self, problem: OSError) -> None:
        super().__init__(str(problem))
        self.problem = problem


def exchange(
    connection: Connection,
    head: bytes,
    method: str,
    body: Body | None,
    expects: bool,
    on_sent: OnSent | None,
    where: str,
    cancel: Cancel | None,
) -> Response:
    """Send one request and return its response, whose body is not read yet.

    Args:
        connection: to the server or its proxy.
        head: request line and headers, with the empty line after them.
        method: of the request.
        body: what follows the head.
        expects: whether the head asks for ``100 Continue``.
        on_sent: told how many bytes of the body have left.
        where: names the request in errors.
        cancel: ends every wait.

    Raises:
        BucketError: a ``NetworkError``.
        SourceFailure: the body cannot be read.
        OSError: the connection broke.
    """
    incoming = Incoming(connection, where, cancel)
    sender = _Sender(connection, incoming, where, cancel, on_sent)
    is_sent = False
    try:
        if body is None:
            is_sent = sender.send(memoryview(head))
        elif expects:
            sender.send(memoryview(head))
            is_sent = not sender.is_refused() and sender.send_body(b"", body)
        else:
            is_sent = sender.send_body(head, body)
    except (BrokenPipeError, ConnectionResetError, ConnectionAbortedError):
        # The server may have responded and closed without reading the body. Its response explains the break.
        if not sender.take_early():
            raise
    size = 0 if body is None else body.size
    idle = connection.timeouts.idle
    # A server that got the last bytes still hashes and syncs them: a second for every 16 MiB.
    incoming.patience = idle + min(size, 4 << 20) / (32 << 10) + size / (16 << 20)
    response = Response(connection, incoming, method, is_sent, where)
    incoming.patience = idle
    return response


@dataclass
class _Sender:
    """Sends, and stops as soon as a response arrives."""

    connection: Connection
    incoming: Incoming
    where: str
    cancel: Cancel | None
    on_sent: OnSent | None
    sent: int = field(default=0, init=False)

    def send_body(self, head: bytes, body: Body) -> bool:
        """Send the head, if it has not left yet, and the body. Returns false as soon as a response arrives."""
        if body.size == 0:
            return self.send(memoryview(head))
        for chunk in _marking_failures(body):
            view = memoryview(chunk)
            for at in range(0, len(view), _WRITE_BYTES):
                piece = view[at : at + _WRITE_BYTES]
                # The head and a small body leave in one packet.
                if not self.send(memoryview(head + bytes(piece)) if head else piece):
                    return False
                head = b""
                self.sent += len(piece)
                if self.on_sent is not None:
                    self.on_sent(self.sent)
        return True

    def send(self, view: memoryview) -> bool:
        """Send all of ``view``. Returns false as soon as a response arrives."""
        idle = self.connection.timeouts.idle
        while view:
            readable, writable = self.connection.wait(True, idle, self.cancel)
            if not readable and not writable:
                raise stalled(self.where, f"took no bytes for {idle:.0f} s")
            if readable and self.take_early():
                return False
            if not writable:
                continue
            try:
                view = view[self.connection.send_now(view) :]
            except NOT_READY:
                continue
        return True

    def is_refused(self) -> bool:
        """Wait for ``100 Continue``. The body is also sent to a server that ignores ``Expect``."""
        ends = time.monotonic() + self.connection.timeouts.continue_
        while (left := ends - time.monotonic()) > 0:
            readable, _ = self.connection.wait(False, left, self.cancel)
            if not readable:
                return False
            if self.take_early():
                return True
            if self.incoming.is_continued:
                return False
        return False

    def take_early(self) -> bool:
        """Read what has arrived. Returns whether a final response has begun; interim responses are dropped."""
        early = self.incoming.early
        buffer = bytearray(64 << 10)
        is_over = False
        while not is_over:
            try:
                count = self.connection.receive_now(buffer)
            except NOT_READY:
                break
            except (ConnectionResetError, BrokenPipeError):
                count = 0
            is_over = count == 0
            early += buffer[:count]
        while early.startswith((b"HTTP/1.1 1", b"HTTP/1.0 1")):
            head, end, rest = early.partition(b"\r\n\r\n")
            if not end:
                break
            self.incoming.is_continued |= bytes(head[9:12]) == b"100"
            early[:] = rest
        if is_over and not early:
            raise ConnectionResetError("the connection was closed before a response")
        return len(early) >= _STATUS_BYTES and not early.startswith((b"HTTP/1.1 1", b"HTTP/1.0 1"))


def _marking_failures(body: Body) -> Iterator[bytes | memoryview]:
    try:
        yield from body.open(0, body.size)
    except OSError as problem:
        raise SourceFailure(problem) from problem
