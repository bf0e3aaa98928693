"""Promises about large stores: parts, resume from any process, bytes that change on the way."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bucket_client import BucketClient, ConflictError, DigestError, NotFoundError, Progress, Timeouts, TooLargeError
from conftest import QUICK, Server
from proxy import Fault, FaultyProxy

MIB = 1 << 20
Proxied = Callable[..., tuple[BucketClient, FaultyProxy]]
PART = 16 * MIB


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file that is sent in six parts."""
    path = tmp_path / "large"
    path.write_bytes(random.Random(7).randbytes(MIB) * 88 + os.urandom(100))
    return path


def test_a_large_file_is_stored_in_parts_and_reports_its_phases(bucket: BucketClient, ref: str, large: Path) -> None:
    phases: dict[str, Progress] = {}
    result = bucket.put(ref, large, progress=lambda progress: phases.update({progress.phase: progress}))
    assert result.created
    assert list(phases) == ["hashing", "uploading", "verifying", "committed"]
    assert phases["uploading"].done == large.stat().st_size
    assert not bucket.put(ref, large).created
    with pytest.raises(ConflictError):
        bucket.put(ref, large.read_bytes()[:-1])


PUT = """
import sys
from bucket_client import BucketClient
def report(progress):
    print(progress.phase, progress.done, flush=True)
BucketClient(sys.argv[1], parallel=2).put(sys.argv[2], sys.argv[3], progress=report)
"""


def test_an_upload_that_was_killed_is_completed_by_another_process(
    proxied: Proxied, bucket: BucketClient, ref: str, large: Path
) -> None:
    # Each connection passes one part, and takes nothing more.
    _, proxy = proxied(*[Fault(stall_at=PART + MIB, upwards=True)] * 6)
    process = subprocess.Popen(
        [sys.executable, "-c", PUT, proxy.url, ref, str(large)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    while process.stdout.readline().split() != ["uploading", str(2 * PART)]:
        pass
    process.kill()
    process.wait()
    process.stdout.close()
    assert not bucket.exists(ref)
    client, second = proxied()
    assert client.put(ref, large).created
    assert second.bytes_up < large.stat().st_size - 2 * PART + MIB


def test_parts_survive_connections_that_drop_stall_and_change_bytes(proxied: Proxied, ref: str, large: Path) -> None:
    client, _ = proxied(
        Fault(),
        Fault(drop_at=10 * MIB, upwards=True),
        Fault(flip_at=5 * MIB, upwards=True),
        Fault(stall_at=3 * MIB, stall_seconds=3, upwards=True),
        Fault(drop_at=20 * MIB, upwards=True),
        Fault(drop_at=0),
        timeouts=Timeouts(idle=1.5),
    )
    assert client.put(ref, large).created
    assert client.get(ref).read() == large.read_bytes()


@pytest.mark.parametrize(("phase", "least"), [("uploading", 4 * PART), ("verifying", 0)])
def test_an_outage_between_the_parts_and_the_commit_does_not_end_a_store(
    proxied: Proxied, ref: str, large: Path, phase: str, least: int
) -> None:
    # Requests are presigned for four parts at once, so another request for parts follows the fourth part.
    client, proxy = proxied(parallel=1)
    outages = [[Fault(drop_at=0, upwards=True)] * 3 * QUICK.attempts]

    def go_down(progress: Progress) -> None:
        if outages and progress.phase == phase and progress.done >= least:
            proxy.faults = outages.pop()
            proxy.cut()

    assert client.put(ref, large, progress=go_down).created
    assert not outages
    assert not proxy.faults


def test_a_middle_body_survives_a_drop(proxied: Proxied, ref: str) -> None:
    data = os.urandom(9 * MIB)
    client, proxy = proxied(Fault(drop_at=5 * MIB, upwards=True), Fault(drop_at=0), Fault(drop_at=0), Fault(drop_at=0))
    assert client.put(ref, data).created
    assert client.get(ref).read() == data
    assert proxy.connections >= 5


def test_bytes_that_change_on_every_way_are_said_to_be_that(proxied: Proxied, ref: str) -> None:
    client, _ = proxied(*[Fault(flip_at=MIB, upwards=True)] * 9)
    with pytest.raises(DigestError) as caught:
        client.put(ref, os.urandom(3 * MIB))
    assert caught.value.code == "digest_mismatch"
    assert "proxies" in caught.value.next


def test_an_unfinished_upload_can_be_seen_and_aborted(
    proxied: Proxied, bucket: BucketClient, ref: str, large: Path
) -> None:
    client, proxy = proxied(retry=QUICK)

    def go_down(progress: Progress) -> None:
        if progress.phase == "uploading" and progress.done >= PART:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.put(ref, large, progress=go_down)
    assert proxy.connections > 1
    digest = str(bucket.put(f"{ref.rsplit('/', 1)[0]}/other", large).entry.digest)
    upload = bucket.upload(ref, digest)
    assert (upload.state, upload.mode, upload.size) == ("open", "multipart", large.stat().st_size)
    assert isinstance(upload.received, tuple)
    assert len(upload.received) >= 1
    bucket.abort_upload(ref, digest)
    with pytest.raises(NotFoundError) as caught:
        bucket.upload(ref, digest)
    assert caught.value.code == "upload_not_found"
    # What the server says next is for callers of HTTP.
    assert caught.value.next == "Store the bytes again: a new upload begins."


@pytest.fixture
def small(tmp_path: Path) -> Iterator[BucketClient]:
    """A client of a server that takes 80 MiB."""
    server = Server(tmp_path, "--max-artifact-bytes", "80MiB")
    with BucketClient(server.url) as bucket:
        yield bucket
    server.stop()


def test_more_than_the_deployment_takes_is_refused_before_it_is_read(small: BucketClient) -> None:
    phases: list[str] = []
    with pytest.raises(TooLargeError) as caught:
        small.put("tests/a/b", bytes(81 * MIB), progress=lambda progress: phases.append(progress.phase))
    assert caught.value.code == "artifact_too_large"
    assert caught.value.members["max_artifact_bytes"] == 80 * MIB
    assert phases == []


def test_a_stream_without_end_is_refused_once_it_exceeds_the_limit(small: BucketClient) -> None:
    read = 0

    def endless() -> Iterator[bytes]:
        nonlocal read
        piece = bytes(MIB)
        while True:
            yield piece
            read += 1

    with pytest.raises(TooLargeError) as caught:
        small.put("tests/a/b", endless())
    assert caught.value.code == "artifact_too_large"
    assert caught.value.members == {"max_artifact_bytes": 80 * MIB}
    assert read == 80


def test_an_outage_does_not_end_a_source_that_can_be_read_only_once(proxied: Proxied, ref: str) -> None:
    client, proxy = proxied()

    def pieces() -> Iterator[bytes]:
        proxy.is_down = True
        for _ in range(66):
            yield bytes(MIB)
        proxy.is_down = False

    assert client.put(ref, pieces()).created


MEMORY = """
import sys
from bucket_client import BucketClient
bucket = BucketClient(sys.argv[1])
ref = sys.argv[2]
size = 300 << 20
def pieces():
    for _ in range(size >> 20):
        yield bytes(1 << 20)
if sys.argv[3] == "path":
    bucket.put(ref, sys.argv[4])
elif sys.argv[3] == "iterator":
    bucket.put(ref, pieces())
elif sys.argv[3] == "stream":
    with bucket.get(ref) as stream:
        while stream.read(1 << 20):
            pass
else:
    bucket.download(ref, sys.argv[4] + ".copy")
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of memory from /proc")
def test_memory_stays_flat_for_half_a_gib(url: str, tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with open(path, "wb") as file:
        file.truncate(512 << 20)
    peaks = {}
    for way, version in (("path", "v1"), ("download", "v1"), ("iterator", "v2"), ("stream", "v2")):
        ref = f"tests/half-gib/{version}"
        run = subprocess.run(
            [sys.executable, "-c", MEMORY, url, ref, way, str(path)], stdout=subprocess.PIPE, check=True, text=True
        )
        peaks[way] = int(run.stdout) / 1024
    assert all(peak < 130 for peak in peaks.values()), peaks
