"""Measure 1 GiB through the Python client, next to curl, sha256sum and the command line of the TypeScript client.

Run: python bench/throughput.py URL FOLDER (a server, and a folder on the disk to measure)
Every cell is the median of three rounds, in turn. Results stand in docs/benchmarks.md.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bucket_client import BucketClient

CHECKOUT = Path(__file__).parents[2]
MIB = 1 << 20
SIZE = 1024 * MIB
ROUNDS = 3


def quietly(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main() -> None:
    url, folder = sys.argv[1], Path(sys.argv[2])
    source, target = folder / "bench.bin", folder / "bench.copy"
    block = os.urandom(MIB)
    with open(source, "wb") as file:
        for _ in range(SIZE // MIB):
            file.write(block)
    bucket = BucketClient(url)
    digest = subprocess.check_output(["sha256sum", source], text=True).split()[0]
    version = f"{url}/buckets/bench/artifacts/throughput/versions"
    cli = ["node", "--import", "tsx", CHECKOUT / "bin/bucket.ts"]
    header = f"X-Artifact-Digest: sha256:{digest}"
    times: dict[str, list[float]] = {}

    def measure(name: str, action: Callable[[], object]) -> None:
        target.unlink(missing_ok=True)
        began = time.perf_counter()
        action()
        times.setdefault(name, []).append(time.perf_counter() - began)

    def read_stream(ref: str) -> None:
        with bucket.get(ref) as stream:
            while stream.read(MIB):
                pass

    for number in range(ROUNDS):
        run = f"{int(time.time())}-{number}"
        ref = f"bench/throughput/{run}"
        measure("sha256sum", lambda: quietly("sha256sum", source))
        measure(
            "curl: store", lambda run=run: quietly("curl", "-fsS", "-T", source, "-H", header, f"{version}/{run}-curl")
        )
        measure("Python: put", lambda ref=ref: bucket.put(ref, source))
        measure("TypeScript: bucket put", lambda ref=ref: quietly(*cli, "put", f"{ref}-ts", source, "--url", url))
        measure("curl: fetch", lambda run=run: quietly("curl", "-fsS", "-o", target, f"{version}/{run}"))
        measure("Python: download", lambda ref=ref: bucket.download(ref, target))
        measure("Python: get", lambda ref=ref: read_stream(ref))
        measure("TypeScript: bucket get", lambda ref=ref: quietly(*cli, "get", ref, "-o", target, "--url", url))
    for name, rounds in times.items():
        print(f"{name:24} {SIZE / MIB / statistics.median(rounds):6.0f} MiB/s")
    source.unlink()
    target.unlink(missing_ok=True)


main()
