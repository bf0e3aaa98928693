"""A TCP proxy that breaks connections in chosen ways, and counts what passes."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass
class Fault:
    """What happens to one connection. Positions count the bytes from the server, or to it with ``upwards``."""

    #: Close both sides after this many bytes.
    drop_at: int | None = None
    #: Pass nothing more after this many bytes, and keep the connection open.
    stall_at: int | None = None
    #: After a stall, close both sides. A client that gives up cannot tell the server: its end waits after its bytes.
    stall_seconds: float = 120
    #: Change the byte at this position.
    flip_at: int | None = None
    #: Change one byte in each so many bytes.
    flip_every: int | None = None
    upwards: bool = False


NO_FAULT = Fault()


class FaultyProxy:
    """Passes connections to a server. The first connection meets the first fault, and so on; later ones meet none."""

    def __init__(self, target: str | None = None) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.origin = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = f"{self.origin}/v1"
        self.target = target
        self._sockets: list[socket.socket] = []
        self._closed = threading.Event()
        self.reset([])
        threading.Thread(target=self._accept, daemon=True).start()

    def reset(self, faults: list[Fault]) -> None:
        """Break all connections, and count from zero."""
        self.cut()
        self.faults = faults
        #: Whether new connections are closed at once.
        self.is_down = False
        self.connections = 0
        self.bytes_up = 0
        self.bytes_down = 0

    def close(self) -> None:
        self._closed.set()
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Break all connections."""
        sockets, self._sockets = self._sockets, []
        for sock in sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.is_down:
                client.close()
                continue
            self.connections += 1
            fault = self.faults.pop(0) if self.faults else NO_FAULT
            upstream = socket.create_connection(self._address())
            self._sockets += [client, upstream]
            threading.Thread(target=self._pass, args=(client, upstream, fault), daemon=True).start()

    def _address(self) -> tuple[str, int]:
        parts = urlsplit(self.target or "")
        return parts.hostname or "", parts.port or 80

    def _pass(self, client: socket.socket, upstream: socket.socket, fault: Fault) -> None:
        counts = {True: 0, False: 0}
        try:
            while True:
                ready, _, _ = select.select([client, upstream], [], [], 60)
                if not ready:
                    return
                for sock in ready:
                    is_up = sock is client
                    data = sock.recv(1 << 18)
                    if not data:
                        return
                    keep, ends = self._apply(fault, data, counts[is_up], is_up)
                    counts[is_up] += len(data)
                    (upstream if is_up else client).sendall(keep)
                    if is_up:
                        self.bytes_up += len(keep)
                    else:
                        self.bytes_down += len(keep)
                    if ends == "drop":
                        return
                    if ends == "stall":
                        self._closed.wait(fault.stall_seconds)
                        return
        except OSError:
            return
        finally:
            client.close()
            upstream.close()

    def _apply(self, fault: Fault, data: bytes, at: int, is_up: bool) -> tuple[bytes, str | None]:
        if fault.upwards != is_up:
            return data, None
        for limit, name in ((fault.drop_at, "drop"), (fault.stall_at, "stall")):
            if limit is not None and at + len(data) >= limit:
                return data[: limit - at], name
        flips = [] if fault.flip_at is None else [fault.flip_at]
        if fault.flip_every is not None:
            flips += range(fault.flip_every * -(-at // fault.flip_every), at + len(data), fault.flip_every)
        changed = bytearray(data)
        for position in flips:
            if at <= position < at + len(data) and position > 0:
                changed[position - at] ^= 1
        return bytes(changed), None
