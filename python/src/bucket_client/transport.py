"""Connections by origin, kept open and shared by threads. A transport never follows a redirect."""

from __future__ import annotations

import errno
import http.client
import os
import re
import socket
import ssl
import threading
import time
import weakref
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import SplitResult, urlsplit

from .connection import Connection
from .errors import BucketError, error, invalid_request, unexpected
from .exchange import EXPECT_BYTES, Body, OnSent, SourceFailure, exchange
from .proxies import proxy_authorization, proxy_error, proxy_for
from .response import Response
from .timing import Cancel, Timeouts

#: An idle connection is not used after this many seconds: gateways and servers close theirs soon after.
_KEEP_SECONDS = 30.0
#: Idle connections to one origin.
_KEEP_COUNT = 64
_UNSENDABLE = re.compile(r"[^\x20-\x7e]")


@dataclass(frozen=True)
class Request:
    """One request, complete with all its headers but ``Host`` and ``Content-Length``."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Body | None = None
    #: Called with the number of bytes of the body that have left.
    on_sent: OnSent | None = None
    #: Ends every wait of the request when it is set.
    cancel: Cancel | None = None


def shown_url(url: str) -> str:
    """Return a URL without its query, which may be a secret."""
    return url.partition("?")[0]


class _Pool:
    """Idle connections of one process.

    A process that ``fork`` made gets a pool of its own: sockets of the parent would mix the requests of both, and a
    thread of the parent may have held the lock.
    """

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.idle: dict[tuple[str, str], list[Connection]] = defaultdict(list)
        # For a client that is dropped without ``close``, and at exit. A child of ``fork`` closes its copies.
        weakref.finalize(self, _close_all, self.idle)


def _close_all(idle: dict[tuple[str, str], list[Connection]]) -> None:
    for kept in idle.values():
        for connection in kept:
            connection.close()


class Transport:
    """Sends requests over pooled connections. Safe to share between threads and across ``fork``."""

    def __init__(self, timeouts: Timeouts, ca_file: str | os.PathLike[str] | None = None) -> None:
        """Nothing is opened yet.

        Args:
            timeouts: bounds of all waits.
            ca_file: PEM file of certificate authorities to trust instead of the system's.

        Raises:
            OSError: ``ca_file`` cannot be read.
            ValueError: it holds no certificate.
        """
        self.timeouts = timeouts
        self._own_pool = _Pool()
        self._proxies: dict[tuple[str, str], SplitResult | None] = {}
        self._ca_file = None if ca_file is None else os.fspath(ca_file)
        self._tls: ssl.SSLContext | None = None
        if self._ca_file is not None:
            # Unlike ssl, open() names the file that is missing.
            open(self._ca_file, "rb").close()
            try:
                self._tls = ssl.create_default_context(cafile=self._ca_file)
            except ssl.SSLError as problem:
                raise ValueError(f"ca_file {self._ca_file!r} holds no certificate in PEM form") from problem

    def send(self, request: Request) -> Response:
        """Send a request and return its response.

        Raises:
            BucketError: a ``NetworkError``.
        """
        url = urlsplit(request.url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise unexpected(f"{shown_url(request.url)} is not an address of HTTP")
        expects = request.body is not None and request.body.size > EXPECT_BYTES
        response = self._send(request, url, expects)
        if response.status == 417 and expects:
            response.close()
            return self._send(request, url, False)
        return response

    def close(self) -> None:
        """Close all idle connections."""
        pool = self._pool
        with pool.lock:
            idle = dict(pool.idle)
            pool.idle.clear()
        _close_all(idle)

    def _send(self, request: Request, url: SplitResult, expects: bool) -> Response:
        where = shown_url(request.url)
        while True:
            connection = self._take(url)
            is_reused = connection is not None
            try:
                if connection is None:
                    connection = self._connect(url)
                head = self._head(request, url, expects)
                response = exchange(
                    connection, head, request.method, request.body, expects, request.on_sent, where, request.cancel
                )
            except SourceFailure as failure:
                if connection is not None:
                    connection.close()
                raise failure.problem from None
            except OSError as problem:
                if connection is not None:
                    connection.close()
                # The server may have closed a kept connection at this moment: try again with another one.
                if is_reused:
                    continue
                raise _network_error(problem, where) from problem
            except BaseException:
                if connection is not None:
                    connection.close()
                raise
            response.release = partial(self._keep, url)
            return response

    @property
    def _pool(self) -> _Pool:
        if self._own_pool.pid != os.getpid():
            # Without a lock: if two threads each make a pool, one pool is dropped with its connections.
            self._own_pool = _Pool()
        return self._own_pool

    def _take(self, url: SplitResult) -> Connection | None:
        pool = self._pool
        with pool.lock:
            kept = pool.idle[url.scheme, url.netloc]
            connections: list[Connection] = []
            found = None
            while kept and found is None:
                connection = kept.pop()
                if time.monotonic() - connection.idle_since < _KEEP_SECONDS and connection.is_alive():
                    found = connection
                else:
                    connections.append(connection)
        for connection in connections:
            connection.close()
        return found

    def _keep(self, url: SplitResult, connection: Connection) -> None:
        connection.idle_since = time.monotonic()
        pool = self._pool
        if connection.pid == pool.pid:
            with pool.lock:
                kept = pool.idle[url.scheme, url.netloc]
                if len(kept) < _KEEP_COUNT:
                    kept.append(connection)
                    return
        connection.close()

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            # Without a lock: two threads may each make one, and either works.
            self._tls = ssl.create_default_context()
        return self._tls

    def _proxy(self, url: SplitResult) -> SplitResult | None:
        """Return the proxy of an origin. Cached, because reading the environment costs as much as a small request."""
        origin = (url.scheme, url.netloc)
        if origin not in self._proxies:
            self._proxies[origin] = proxy_for(url)
        return self._proxies[origin]

    def _connect(self, url: SplitResult) -> Connection:
        proxy = self._proxy(url)
        host, port = (url.hostname or "", url.port) if proxy is None else (proxy.hostname or "", proxy.port)
        opened: http.client.HTTPConnection
        if url.scheme == "https":
            opened = http.client.HTTPSConnection(host, port, timeout=self.timeouts.connect, context=self._context())
            if proxy is not None:
                opened.set_tunnel(url.hostname or "", url.port or 443, headers=proxy_authorization(proxy))
        else:
            opened = http.client.HTTPConnection(host, port, timeout=self.timeouts.connect)
        try:
            opened.connect()
        except ssl.SSLError:
            raise
        except OSError as problem:
            if proxy is None:
                raise
            raise proxy_error(proxy, problem) from problem
        return Connection(opened, self.timeouts)

    def _head(self, request: Request, url: SplitResult, expects: bool) -> bytes:
        target = url.path or "/"
        if url.query:
            target += f"?{url.query}"
        headers = {"Host": url.netloc.rpartition("@")[2], "Accept-Encoding": "identity", **request.headers}
        proxy = self._proxy(url) if url.scheme == "http" else None
        if proxy is not None:
            target = f"http://{headers['Host']}{target}"
            headers.update(proxy_authorization(proxy))
        if request.body is not None:
            headers = {name: text for name, text in headers.items() if name.lower() != "content-length"}
            headers["Content-Length"] = str(request.body.size)
        if expects:
            headers["Expect"] = "100-continue"
        bad = [name for name, text in headers.items() if _UNSENDABLE.search(f"{name}{text}")]
        if bad or _UNSENDABLE.search(target):
            raise invalid_request([(name, "has a character that no header can carry") for name in bad or ["url"]])
        lines = [
            f"{request.method} {target} HTTP/1.1",
            *(f"{name}: {text}" for name, text in headers.items()),
        ]
        return "\r\n".join([*lines, "", ""]).encode("ascii")

    def __getstate__(self) -> dict[str, object]:
        """Pickle only the settings: a worker process opens its own connections."""
        return {"timeouts": self.timeouts, "ca_file": self._ca_file}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__init__(state["timeouts"], state["ca_file"])  # pyright: ignore[reportArgumentType]


_UNREACHABLE = {
    errno.ECONNREFUSED: "no server listens there",
    errno.EHOSTUNREACH: "there is no route to it",
    errno.ENETUNREACH: "there is no route to it",
    errno.ETIMEDOUT: "it does not accept the connection",
}
#: Limits of this machine, which no retry helps.
_OWN = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EACCES, errno.EPERM}


def _network_error(problem: OSError, where: str) -> BucketError | OSError:
    if isinstance(problem, ssl.SSLCertVerificationError):
        return error(
            "unreachable",
            f"{where} cannot be reached by TLS: {problem.verify_message}",
            next="Give the certificate authority that signed it (ca_file=…, BUCKET_CA_FILE, or SSL_CERT_FILE).",
            retryable=False,
        )
    if isinstance(problem, ssl.SSLError):
        if problem.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"):
            return error(
                "unreachable",
                f"{where} cannot be reached: the port does not speak TLS",
                next="Give the URL with http:// if that is meant, else the port that speaks TLS.",
                retryable=False,
            )
        return error("unreachable", f"{where} cannot be reached by TLS: {problem.reason or problem}")
    if isinstance(problem, socket.gaierror):
        return error("unreachable", f"{where} cannot be reached: its name is not known")
    if isinstance(problem, TimeoutError):
        return error("unreachable", f"{where} cannot be reached: it does not accept the connection")
    if problem.errno in _UNREACHABLE:
        return error("unreachable", f"{where} cannot be reached: {_UNREACHABLE[problem.errno]}")
    if problem.errno in _OWN:
        return problem
    return error("interrupted", f"{where} closed the connection without a response")
