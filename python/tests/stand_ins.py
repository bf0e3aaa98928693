"""Servers that show the client what the local server cannot: scripted connections, and a front that redirects.

The front refuses what API Gateway and S3 refuse: a request that is not authorized, and a presigned one that carries
headers of the caller.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import re
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, urlsplit


@contextlib.contextmanager
def scripted(*scripts: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve one connection by each script. Gives the URL of the API."""
    listener = socket.create_server(("127.0.0.1", 0))
    sockets: list[socket.socket] = []

    def serve() -> None:
        for script in scripts:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sockets.append(sock)
            with contextlib.suppress(OSError):
                script(sock)

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    listener.close()
    for sock in sockets:
        sock.close()


def read_head(sock: socket.socket) -> str:
    head = b""
    while b"\r\n\r\n" not in head:
        head += sock.recv(1)
    return head.decode()


def answer(status: str, body: object, *headers: str) -> bytes:
    data = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(data)}", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + data


class RedirectingFront:
    """A front over a real server that authorizes callers and never gives bytes itself, as the deployed API."""

    def __init__(self, target: str, authorize: Callable[[str, str, dict[str, str], bytes], bool]) -> None:
        self._target = target
        self._authorize = authorize
        #: Requests that a presigned address serves before it expires.
        self.uses = 1_000_000
        self.refused: list[str] = []
        self.api_requests: list[str] = []
        self.store_requests: list[str] = []
        self._served: dict[str, int] = {}
        self._front = self._serve(self._handle_api)
        self._store = self._serve(self._handle_store)
        self.url = f"http://127.0.0.1:{self._front.server_port}/prod/v1"

    def close(self) -> None:
        for server in (self._front, self._store):
            server.shutdown()
            server.server_close()

    def _serve(self, handle: Callable[[BaseHTTPRequestHandler, bytes], None]) -> ThreadingHTTPServer:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                handle(self, body)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _any

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def _handle_api(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        path = request.path.removeprefix("/prod/v1")
        headers = {name.lower(): text for name, text in request.headers.items()}
        self.api_requests.append(f"{request.command} {path}")
        if not self._authorize(request.command, request.path, headers, body):
            self._reply(request, 403, {"message": "Missing Authentication Token"})
            return
        match = re.fullmatch(r"(/buckets/[^/]+/artifacts/[^/]+/versions/[^/?]+)(/download)?(\?.*)?", path)
        if request.command == "GET" and match:
            self._locate(request, match[1], match[3] or "", bool(match[2]))
            return
        forwarded = {
            name: text
            for name, text in headers.items()
            if not name.startswith(("x-amz", "authorization", "x-api-key", "host", "connection", "expect"))
        }
        status, answered, data = self._ask(request.command, path, forwarded, body)
        self._reply(request, status, data, {name: text for name, text in answered if name.lower().startswith("x-")})

    def _locate(self, request: BaseHTTPRequestHandler, version: str, query: str, is_json: bool) -> None:
        status, _, data = self._ask("GET", f"{version}/download{query}", {}, b"")
        if status != 200:
            self._reply(request, status, data)
            return
        where = json.loads(data)
        address = f"http://127.0.0.1:{self._store.server_port}{version}?signature={len(self._served)}"
        self._served[address.split("=")[1]] = 0
        if is_json:
            self._reply(request, 200, {**where, "url": address, "headers": {}})
            return
        described = {"X-Artifact-Digest": where["digest"], "X-Artifact-Size": str(where["size"])}
        self._reply(request, 307, b"", {"Location": address, **described})

    def _handle_store(self, request: BaseHTTPRequestHandler, _body: bytes) -> None:
        path, _, signature = request.path.partition("?signature=")
        names = {name.lower() for name in request.headers}
        self.store_requests.append(request.headers.get("range") or "whole")
        foreign = [name for name in names if name in ("authorization", "x-api-key") or name.startswith("x-amz-")]
        if foreign:
            self.refused += foreign
            self._reply(request, 400, b"<Error><Code>InvalidArgument</Code></Error>")
            return
        self._served[signature] += 1
        if self._served[signature] > self.uses:
            self._reply(request, 403, b"<Error><Code>AccessDenied</Code></Error>")
            return
        ranges = {"Range": request.headers["range"]} if "range" in request.headers else {}
        status, headers, data = self._ask("GET", path, ranges, b"")
        kept = {"content-range", "content-type", "content-disposition"}
        self._reply(request, status, data, {name: text for name, text in headers if name.lower() in kept})

    def _ask(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        request = urllib.request.Request(self._target + path, method=method, headers=headers, data=body or None)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as response:
                return response.status, response.headers.items(), response.read()
        except urllib.error.HTTPError as response:
            with response:
                return response.code, list(response.headers.items()), response.read()

    def _reply(
        self, request: BaseHTTPRequestHandler, status: int, body: object, headers: dict[str, str] | None = None
    ) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request.send_response(status)
        for name, text in (headers or {}).items():
            request.send_header(name, text)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(data)


def is_signed(method: str, path: str, headers: dict[str, str], body: bytes, *, secret: str, region: str) -> bool:
    """Check a signature of version 4 for ``execute-api``, written from AWS's description of it.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    match = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/execute-api/aws4_request, "
        r"SignedHeaders=([^,]+), Signature=([0-9a-f]{64})",
        headers.get("authorization", ""),
    )
    payload = headers.get("x-amz-content-sha256", "")
    if not match or match[3] != region or payload != hashlib.sha256(body).hexdigest():
        return False
    _, day, _, signed, signature = match.groups()
    url = urlsplit(path)
    query = sorted((quote(name, safe="-_.~"), quote(text, safe="-_.~")) for name, text in parse_qsl(url.query))
    canonical = "\n".join(
        [
            method,
            "/".join(quote(segment, safe="-_.~") for segment in url.path.split("/")),
            "&".join(f"{name}={text}" for name, text in query),
            *(f"{name}:{' '.join(headers[name].split())}" for name in signed.split(";")),
            "",
            signed,
            payload,
        ]
    )
    scope = f"{day}/{region}/execute-api/aws4_request"
    to_sign = "\n".join(
        ["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()]
    )
    key = f"AWS4{secret}".encode()
    for part in (day, region, "execute-api", "aws4_request", to_sign):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return "host" in signed.split(";") and hmac.compare_digest(key.hex(), signature)
