"""Compare HTTP libraries for the transport: 1 GiB both ways, 64 parallel small gets, import time.

The floors stand in the same table: curl, sha256sum, and the TypeScript client.

Run: python bench/http_libraries.py [--folder DIR] [--rounds N] [--mib N], after pip install urllib3 httpx2
It starts a server of its own. Every cell is the median of the rounds, in turn. Results stand in docs/benchmarks.md.
"""

from __future__ import annotations

import hashlib
import http.client
import importlib.util
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from floors import MIB, Place, Table, command_seconds, measured_place, random_file, timed, typescript_seconds

CHUNK = MIB
#: Fetches of 1 KiB in a round, 64 at once.
SMALL = 1600
AT_ONCE = 64


def chunks(path: str) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


class Standard:
    """http.client with one connection per thread."""

    def __init__(self) -> None:
        self.local = threading.local()

    def connection(self, url: str) -> http.client.HTTPConnection:
        if not hasattr(self.local, "connection"):
            self.local.connection = http.client.HTTPConnection(urlsplit(url).netloc)
        return self.local.connection

    def put(self, url: str, headers: dict[str, str], path: str) -> int:
        connection = self.connection(url)
        connection.request("PUT", urlsplit(url).path, body=chunks(path), headers=headers)
        response = connection.getresponse()
        response.read()
        return response.status

    def get(self, url: str, digest: Any) -> int:
        connection = self.connection(url)
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


def import_seconds(module: str) -> float:
    """Return the processor seconds that an import takes, less those of an empty process."""

    def run(code: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return run(f"import {module}") - run("pass")


#: Row, module that is imported, and what makes the library.
LIBRARIES: list[tuple[str, str, Callable[[], Any]]] = [
    ("this client", "bucket_client", Own),
    ("`http.client`", "http.client", Standard),
    ("`urllib3`", "urllib3", Urllib3),
    ("`httpx2`", "httpx2", Httpx2),
]


def measure(place: Place, table: Table, number: int, source: Path, digest: str) -> None:
    """Store, fetch and import once with each library and floor."""
    versions = f"{place.url}/buckets/bench/artifacts/http/versions"
    target = place.folder / "copy"
    header = f"X-Artifact-Digest: {digest}"
    table.add("`sha256sum`", "store", command_seconds("sha256sum", source))
    sent = command_seconds("curl", "-fsS", "-T", source, "-H", header, f"{versions}/curl-{number}")
    table.add("`curl`, one process", "store", sent)
    table.add(
        "`curl`, one process", "fetch", command_seconds("curl", "-fsS", "-o", target, f"{versions}/curl-{number}")
    )
    # The fragment makes curl fetch the same address again and again; it is not sent.
    many = ["curl", "-fsS", "-Z", "--parallel-max", AT_ONCE, "-o", "/dev/null", f"{versions}/small#[1-{SMALL}]"]
    table.add("`curl`, one process", "small", command_seconds(*many))
    artifact = "bench/http"
    row = "the TypeScript client"
    table.add(row, "store", typescript_seconds(place.url, "put", f"{artifact}/typescript-{number}", source))
    table.add(row, "fetch", typescript_seconds(place.url, "get", f"{artifact}/typescript-{number}"))
    table.add(row, "small", typescript_seconds(place.url, "small", f"{artifact}/small", SMALL))
    for row, module, make in LIBRARIES:
        if importlib.util.find_spec(module) is None:
            continue
        library = make()
        url = f"{versions}/{module}-{number}"
        headers = {"Content-Length": str(place.size), "X-Artifact-Digest": digest}
        table.add(row, "store", timed(lambda to=library, at=url, h=headers: to.put(at, h, str(source))))
        got = hashlib.sha256()
        table.add(row, "fetch", timed(lambda to=library, at=url, d=got: to.get(at, d)))
        assert f"sha256:{got.hexdigest()}" == digest, row

        def get_small(_: int, to: Any = library) -> None:
            to.get(f"{versions}/small", hashlib.sha256())

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(get_small, range(AT_ONCE)))
            table.add(row, "small", timed(lambda g=get_small, p=pool: list(p.map(g, range(SMALL)))))
        table.add(row, "import, processor", import_seconds(module))


def main() -> None:
    table = Table()
    with measured_place(__doc__ or "") as place:
        source = place.folder / "source"
        digest = random_file(source, place.size)
        small = place.folder / "small"
        small.write_bytes(b"x" * 1024)
        small_digest = f"sha256:{hashlib.sha256(b'x' * 1024).hexdigest()}"
        versions = f"{place.url}/buckets/bench/artifacts/http/versions"
        headers = {"Content-Length": "1024", "X-Artifact-Digest": small_digest}
        Standard().put(f"{versions}/small", headers, str(small))
        for number in range(place.rounds):
            measure(place, table, number, source, digest)

        def rate(seconds: float) -> str:
            return f"{place.size / MIB / seconds:,.0f} MiB/s"

        print(f"{place.size // MIB} MiB, medians of {place.rounds} rounds in turn")
        table.print(
            {
                "store": rate,
                "fetch": rate,
                "small": lambda seconds: f"{SMALL / seconds:,.0f}/s",
                "import, processor": lambda seconds: f"{seconds * 1000:,.0f} ms",
            }
        )


main()
