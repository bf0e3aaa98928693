"""Compare HTTP libraries for the transport: 1 GiB both ways, 64 parallel small gets, import time.

Every cell is the median of three rounds, the libraries in turn.

Run with a server: python bench/http_libraries.py http://127.0.0.1:9470/v1
The libraries are imported only if they are installed. Results stand in docs/benchmarks.md.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

CHUNK = 1 << 20
SIZE = 1 << 30
ROOT = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:9470/v1"
RUN = str(int(time.time()))


def version_url(name: str) -> str:
    return f"{ROOT}/buckets/bench/artifacts/http/versions/{RUN}-{name}"


def chunks(path: str) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


class Standard:
    """http.client with one connection per thread."""

    def __init__(self) -> None:
        import threading

        self.local = threading.local()

    def connection(self) -> http.client.HTTPConnection:
        if not hasattr(self.local, "connection"):
            self.local.connection = http.client.HTTPConnection(urlsplit(ROOT).netloc)
        return self.local.connection

    def put(self, url: str, headers: dict[str, str], path: str) -> int:
        connection = self.connection()
        connection.request("PUT", urlsplit(url).path, body=chunks(path), headers=headers)
        response = connection.getresponse()
        response.read()
        return response.status

    def get(self, url: str, digest: Any) -> int:
        connection = self.connection()
        connection.request("GET", urlsplit(url).path)
        response = connection.getresponse()
        buffer = memoryview(bytearray(CHUNK))
        size = 0
        while count := response.readinto(buffer):
            digest.update(buffer[:count])
            size += count
        return size


class Urllib3:
    def __init__(self) -> None:
        import urllib3

        self.pool = urllib3.PoolManager(maxsize=64)

    def put(self, url: str, headers: dict[str, str], path: str) -> int:
        with open(path, "rb") as file:
            return self.pool.request("PUT", url, body=file, headers=headers).status

    def get(self, url: str, digest: Any) -> int:
        response = self.pool.request("GET", url, preload_content=False)
        size = 0
        while chunk := response.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
        response.release_conn()
        return size


class Httpx2:
    def __init__(self) -> None:
        import httpx2

        self.client = httpx2.Client(timeout=60, limits=httpx2.Limits(max_connections=64))

    def put(self, url: str, headers: dict[str, str], path: str) -> int:
        return self.client.put(url, content=chunks(path), headers=headers).status_code

    def get(self, url: str, digest: Any) -> int:
        size = 0
        with self.client.stream("GET", url) as response:
            for chunk in response.iter_bytes():
                digest.update(chunk)
                size += len(chunk)
        return size


class Own:
    """The transport of this package."""

    def __init__(self) -> None:
        from bucket_client.timing import Timeouts
        from bucket_client.transport import Transport

        self.transport = Transport(Timeouts())

    def put(self, url: str, headers: dict[str, str], path: str) -> int:
        from bucket_client.source import FileSource
        from bucket_client.transport import Request

        with open(path, "rb", buffering=0) as file:
            response = self.transport.send(Request("PUT", url, headers, FileSource(file, path, owns=False)))
            with response:
                return response.status

    def get(self, url: str, digest: Any) -> int:
        from bucket_client.transport import Request

        buffer = memoryview(bytearray(CHUNK))
        size = 0
        with self.transport.send(Request("GET", url)) as response:
            while count := response.readinto(buffer):
                digest.update(buffer[:count])
                size += count
        return size


def timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def import_time(module: str) -> float:
    """Median of five processes in milliseconds, less an empty process."""

    def median(code: str) -> float:
        return sorted(timed(lambda: subprocess.run([sys.executable, "-c", code], check=True)) for _ in range(5))[2]

    return (median(f"import {module}") - median("pass")) * 1000


ROUNDS = 3
SMALL = 1600


def measure(name: str, library: Any, path: str, digest: str) -> tuple[float, float, float]:
    """Return the seconds of a store and a fetch of 1 GiB, and of many small fetches."""
    headers = {"Content-Length": str(SIZE), "X-Artifact-Digest": digest}
    put = timed(lambda: library.put(version_url(name), headers, path))
    got = hashlib.sha256()
    get = timed(lambda: library.get(version_url(name), got))
    assert "sha256:" + got.hexdigest() == digest
    small = version_url("small")
    with ThreadPoolExecutor(64) as pool:
        list(pool.map(lambda _: library.get(small, hashlib.sha256()), range(64)))
        many = timed(lambda: list(pool.map(lambda _: library.get(small, hashlib.sha256()), range(SMALL))))
    return put, get, many


def main() -> None:
    with tempfile.NamedTemporaryFile() as file, tempfile.NamedTemporaryFile() as small:
        block = os.urandom(CHUNK)
        whole = hashlib.sha256()
        for _ in range(SIZE // CHUNK):
            file.write(block)
            whole.update(block)
        file.flush()
        small.write(b"x" * 1024)
        small.flush()
        headers = {
            "Content-Length": "1024",
            "X-Artifact-Digest": "sha256:" + hashlib.sha256(b"x" * 1024).hexdigest(),
        }
        Standard().put(version_url("small"), headers, small.name)
        digest = "sha256:" + whole.hexdigest()
        libraries: list[tuple[str, str, Callable[[], Any]]] = [
            ("this client", "bucket_client", Own),
            ("http.client", "http.client", Standard),
            ("urllib3", "urllib3", Urllib3),
            ("httpx2", "httpx2", Httpx2),
        ]
        rounds: dict[str, list[tuple[float, float, float]]] = {name: [] for name, _, _ in libraries}
        for number in range(ROUNDS):
            for name, _, library in libraries:
                rounds[name].append(measure(f"{name.replace(' ', '-')}-{number}", library(), file.name, digest))
        mib = SIZE / CHUNK
        for name, module, _ in libraries:
            put, get, many = (statistics.median(times) for times in zip(*rounds[name], strict=True))
            print(
                f"{name:12} put {mib / put:6.0f} MiB/s  get {mib / get:6.0f} MiB/s  "
                f"small gets {SMALL / many:6.0f}/s  import {import_time(module):4.0f} ms"
            )


main()
