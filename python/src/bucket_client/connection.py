"""One socket on which every wait has a bound and can be cancelled, in both directions at once."""

from __future__ import annotations

import http.client
import os
import select
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

from .timing import Cancel, Timeouts, check_cancelled, stalled

#: Exceptions of a socket that is not ready. TLS may need to read before it can write, or write before it can read.
NOT_READY = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Connection:
    """A socket to one origin, used for one exchange at a time."""

    def __init__(self, opened: http.client.HTTPConnection, timeouts: Timeouts) -> None:
        sock: socket.socket | None = opened.sock
        if sock is None:
            raise OSError("not connected")
        # The methods below wait for both directions at once.
        sock.setblocking(False)
        self._sock = sock
        self.timeouts = timeouts
        #: The process that opened it.
        self.pid = os.getpid()
        #: When the last exchange ended, by the monotonic clock.
        self.idle_since = 0.0

    def close(self) -> None:
        """Close the socket. An exchange in progress is lost."""
        self._sock.close()

    def is_alive(self) -> bool:
        """Whether an idle connection may be used: nothing has arrived, neither bytes nor an end."""
        try:
            return self.wait(False, 0, None) == (False, False)
        except (OSError, ValueError):
            return False

    def wait(self, write: bool, timeout: float, cancel: Cancel | None) -> tuple[bool, bool]:
        """Wait until the socket is readable, or writable if that is asked. Both are false after ``timeout`` seconds."""
        ends = time.monotonic() + timeout
        while True:
            check_cancelled(cancel)
            left = max(0.0, ends - time.monotonic())
            slice_ = left if cancel is None else min(left, Cancel.TICK)
            if hasattr(select, "poll"):
                poll = select.poll()
                poll.register(self._sock, select.POLLIN | (select.POLLOUT if write else 0))
                events = poll.poll(slice_ * 1000)
                mask = events[0][1] if events else 0
                # A failed connection counts as readable and writable: the next call raises its error.
                failed = bool(mask & (select.POLLERR | select.POLLHUP | select.POLLNVAL))
                ready = (bool(mask & select.POLLIN) or failed, bool(mask & select.POLLOUT) or (failed and write))
            else:  # Windows
                readable, writable, _ = select.select([self._sock], [self._sock] if write else [], [], slice_)
                ready = (bool(readable), bool(writable))
            if ready != (False, False) or left <= slice_:
                return ready

    def receive_now(self, buffer: Any) -> int:
        """Read what has arrived. Returns 0 at the end; raises one of ``NOT_READY`` if nothing has arrived."""
        return self._sock.recv_into(buffer)

    def send_now(self, view: memoryview) -> int:
        """Send as much as the socket takes, and return how much. Raises one of ``NOT_READY`` if it takes nothing."""
        return self._sock.send(view)

    def receive(
        self,
        buffer: Any,
        timeout: float,
        where: str,
        cancel: Cancel | None,
        waited: Callable[[float], None],
    ) -> int:
        """Read what is there into ``buffer``, waiting for it. Returns 0 at the end.

        Args:
            buffer: takes the bytes.
            timeout: seconds without a byte.
            where: names the request in errors.
            cancel: ends the wait.
            waited: told after each wait how many seconds it took.

        Raises:
            BucketError: ``stalled``.
        """
        ends = time.monotonic() + timeout
        while True:
            check_cancelled(cancel)
            try:
                return self.receive_now(buffer)
            except NOT_READY as problem:
                write = isinstance(problem, ssl.SSLWantWriteError)
            began = time.monotonic()
            if self.wait(write, ends - began, cancel) == (False, False):
                raise stalled(where, f"sent nothing for {timeout:.0f} s")
            waited(time.monotonic() - began)
