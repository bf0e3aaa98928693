"""Measure 1 GiB through the Python client, next to curl, sha256sum and the TypeScript client.

Run: python bench/throughput.py [--folder DIR] [--rounds N] [--mib N]
It starts a server of its own. Every cell is the median of the rounds, in turn. Results stand in docs/benchmarks.md.
"""

from __future__ import annotations

from pathlib import Path

from floors import MIB, Place, Table, command_seconds, measured_place, random_file, timed, typescript_seconds

from bucket_client import BucketClient


def read_stream(bucket: BucketClient, ref: str) -> None:
    with bucket.get(ref) as stream:
        while stream.read(MIB):
            pass


def measure(place: Place, table: Table, number: int, source: Path, digest: str) -> None:
    """Store and fetch once in each way."""
    target = place.folder / "copy"
    artifact = "bench/throughput"
    versions = f"{place.url}/buckets/bench/artifacts/throughput/versions"
    bucket = BucketClient(place.url)

    def fetch_row(row: str, seconds: float) -> None:
        table.add(row, "fetch", seconds)
        target.unlink(missing_ok=True)

    table.add("`sha256sum`", "store", command_seconds("sha256sum", source))
    header = f"X-Artifact-Digest: {digest}"
    sent = command_seconds("curl", "-fsS", "-T", source, "-H", header, f"{versions}/curl-{number}")
    table.add("`curl -T`, given the digest; `curl -o`, which verifies nothing", "store", sent)
    python = f"{artifact}/python-{number}"
    table.add("Python: `put`; `download`", "store", timed(lambda: bucket.put(python, source)))
    typescript = f"{artifact}/typescript-{number}"
    sent = typescript_seconds(place.url, "put", typescript, source)
    table.add("TypeScript: `put`; `download`", "store", sent)

    fetched = command_seconds("curl", "-fsS", "-o", target, f"{versions}/curl-{number}")
    fetch_row("`curl -T`, given the digest; `curl -o`, which verifies nothing", fetched)
    fetch_row("Python: `put`; `download`", timed(lambda: bucket.download(python, target)))
    fetch_row("TypeScript: `put`; `download`", typescript_seconds(place.url, "download", typescript, target))
    fetch_row("Python: `get`", timed(lambda: read_stream(bucket, python)))
    fetch_row("TypeScript: `get`", typescript_seconds(place.url, "get", typescript))


def main() -> None:
    table = Table()
    with measured_place(__doc__ or "") as place:
        source = place.folder / "source"
        digest = random_file(source, place.size)
        for number in range(place.rounds):
            measure(place, table, number, source, digest)

        def rate(seconds: float) -> str:
            return f"{place.size / MIB / seconds:,.0f} MiB/s"

        print(f"{place.size // MIB} MiB, medians of {place.rounds} rounds in turn")
        table.print({"store": rate, "fetch": rate})


main()
