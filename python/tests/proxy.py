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
    #: Change the byte at this position.
    flip_at: int | None = None
    upwards: bool = False


NO_FAULT = Fault()


class FaultyProxy:
    """Passes connections to a server. The first connection meets the first fault, and so on; later ones meet none."""

    def __init__(self, target: str, faults: list[object] | None = None) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        # The server accepts requests for its own names alone, and localhost with its own port is one of them.
        self.url = f"http://127.0.0.1:{self.port}{parts.path}"
        self._host = f"{parts.hostname}:{parts.port}".encode()
        self.faults = [fault for fault in faults or [] if isinstance(fault, Fault)]
        #: Whether new connections are closed at once.
        self.is_down = False
        self.connections = 0
        self.bytes_up = 0
        self.bytes_down = 0
        self._sockets: list[socket.socket] = []
        self._closed = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Break all connections."""
        for sock in self._sockets:
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
            upstream = socket.create_connection(self._target)
            self._sockets += [client, upstream]
            threading.Thread(target=self._pass, args=(client, upstream, fault), daemon=True).start()

    def _pass(self, client: socket.socket, upstream: socket.socket, fault: Fault) -> None:
        counts = {True: 0, False: 0}
        own_host = f"127.0.0.1:{self.port}".encode()
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
                    if is_up:
                        data = data.replace(b"Host: " + own_host, b"Host: " + self._host)
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
                        self._closed.wait(120)
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
        if fault.flip_at is not None and at <= fault.flip_at < at + len(data):
            changed = bytearray(data)
            changed[fault.flip_at - at] ^= 1
            return bytes(changed), None
        return data, None
