"""Promises about get and download, also over connections that break."""

from __future__ import annotations

import gc
import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bucket_client import (
    BucketClient,
    DigestError,
    InvalidRequestError,
    NetworkError,
    NotFoundError,
    TargetError,
    Timeouts,
)
from bucket_client.partial_file import partial_name
from conftest import QUICK
from proxy import Fault, FaultyProxy

MIB = 1 << 20
Proxied = Callable[..., tuple[BucketClient, FaultyProxy]]


@pytest.fixture(scope="module")
def large(url: str) -> tuple[str, bytes]:
    """An artifact that downloads by ranges."""
    data = os.urandom(MIB) * 80 + b"end"
    bucket = BucketClient(url)
    return str(bucket.put("tests/large", data).ref), data


@pytest.fixture(scope="module")
def middle(url: str) -> tuple[str, bytes]:
    """An artifact that downloads over one connection."""
    data = os.urandom(6 * MIB + 5)
    return str(BucketClient(url).put("tests/middle", data).ref), data


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_a_stream_gives_the_bytes_with_their_digest(bucket: BucketClient, middle: tuple[str, bytes]) -> None:
    ref, data = middle
    with bucket.get(ref) as stream:
        assert stream.size == len(data)
        assert stream.read(10) == data[:10]
        assert stream.read1(7) == data[10:17]
        buffer = bytearray(1000)
        assert stream.readinto(buffer) == 1000
        assert stream.read() == data[1017:]
        assert stream.read() == b""
        assert "sha256:" + hashlib.sha256(data).hexdigest() == stream.digest


def test_a_wrong_pin_fetches_nothing(bucket: BucketClient, middle: tuple[str, bytes], tmp_path: Path) -> None:
    name = middle[0].split("@")[0]
    other = "sha256:" + "0" * 64
    for call in (
        lambda: bucket.get(name, digest=other),
        lambda: bucket.download(f"{name}@{other}", tmp_path / "x"),
        lambda: bucket.entry(f"{name}@{other}"),
    ):
        with pytest.raises(DigestError) as caught:
            call()
        assert caught.value.code == "digest_differs"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InvalidRequestError, match="pinned to"):
        bucket.get(middle[0], digest=other)


def test_a_stream_continues_over_connections_that_drop(proxied: Proxied, middle: tuple[str, bytes]) -> None:
    client, proxy = proxied(Fault(drop_at=200), Fault(drop_at=3 * MIB), Fault(drop_at=100), Fault(drop_at=MIB))
    assert client.get(middle[0]).read() == middle[1]
    assert proxy.connections == 5


def test_a_stream_that_is_dropped_without_close_says_nothing(
    bucket: BucketClient, large: tuple[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    complaints: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda complaint: complaints.append(complaint.exc_value))
    stream = bucket.get(large[0])
    stream.read(10)
    del stream
    gc.collect()
    assert complaints == []


def test_a_stream_names_its_artifact(bucket: BucketClient, middle: tuple[str, bytes]) -> None:
    with bucket.get(middle[0]) as stream:
        assert repr(stream) == f"<ArtifactStream {stream.ref} of {len(middle[1])} bytes>"
    assert repr(stream).endswith(" bytes, closed>")


def test_a_stream_that_should_seek_says_what_to_use(bucket: BucketClient, middle: tuple[str, bytes]) -> None:
    with bucket.get(middle[0]) as stream:
        for call in (lambda: stream.seek(0), stream.tell):
            with pytest.raises(io.UnsupportedOperation, match=r"use download\(\), or io.BytesIO\(stream.read\(\)\)"):
                call()
        assert not stream.seekable()


def test_a_stalled_connection_is_left_after_the_idle_timeout(proxied: Proxied, middle: tuple[str, bytes]) -> None:
    client, proxy = proxied(Fault(stall_at=2 * MIB), timeouts=Timeouts(idle=0.5))
    assert client.get(middle[0]).read() == middle[1]
    assert proxy.connections == 2


def test_a_changed_byte_never_reaches_the_end_of_a_stream(proxied: Proxied, middle: tuple[str, bytes]) -> None:
    client, _ = proxied(Fault(flip_at=2 * MIB))
    read = 0

    def read_all() -> None:
        nonlocal read
        with client.get(middle[0]) as stream:
            while chunk := stream.read(100_000):
                read += len(chunk)

    with pytest.raises(DigestError) as caught:
        read_all()
    assert caught.value.code == "digest_mismatch"
    assert read <= len(middle[1]) - MIB


def test_an_artifact_smaller_than_a_mib_comes_whole_or_not_at_all(
    proxied: Proxied, bucket: BucketClient, ref: str
) -> None:
    bucket.put(ref, b"x" * 100_000)
    client, _ = proxied(Fault(flip_at=50_000))
    with pytest.raises(DigestError):
        client.get(ref).read(1)


def test_a_server_that_stays_away_is_reported_after_the_attempts(proxied: Proxied, ref: str) -> None:
    client, proxy = proxied()
    proxy.is_down = True
    with pytest.raises(NetworkError) as caught:
        client.entry(ref)
    assert caught.value.retryable


@pytest.mark.parametrize("which", ["middle", "large"])
def test_a_download_has_its_name_only_with_the_right_bytes(
    bucket: BucketClient, which: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    ref, data = request.getfixturevalue(which)
    result = bucket.download(ref, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == data
    assert (result.size, result.fetched, str(result.ref)) == (len(data), len(data), ref)
    assert leftovers(tmp_path) == []


def test_a_target_that_has_the_bytes_is_not_fetched_again(
    proxied: Proxied, middle: tuple[str, bytes], tmp_path: Path
) -> None:
    client, proxy = proxied()
    (tmp_path / "file").write_bytes(middle[1])
    assert client.download(middle[0], tmp_path / "file").fetched == 0
    assert proxy.connections == 0
    assert client.download(middle[0].split("@")[0], tmp_path / "file").fetched == 0


def test_a_target_with_other_bytes_is_replaced_only_on_demand(
    bucket: BucketClient, middle: tuple[str, bytes], tmp_path: Path
) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"mine")
    target.chmod(0o640)
    with pytest.raises(TargetError, match="overwrite=True"):
        bucket.download(middle[0], target)
    assert target.read_bytes() == b"mine"
    link = tmp_path / "link"
    link.symlink_to(target)
    bucket.download(middle[0], link, overwrite=True)
    assert target.read_bytes() == middle[1]
    assert target.stat().st_mode & 0o777 == 0o640
    assert link.is_symlink()


def test_targets_that_cannot_be_files_are_refused_before_anything_is_fetched(proxied: Proxied, tmp_path: Path) -> None:
    client, proxy = proxied()
    os.mkfifo(tmp_path / "pipe")
    for target in (tmp_path / "pipe", Path("/dev/null"), tmp_path / "missing" / "file"):
        with pytest.raises(TargetError) as caught:
            client.download("tests/a/b", target)
        assert caught.value.code == "target_invalid"
    assert proxy.connections == 0


def test_a_folder_as_target_names_the_file_after_the_ref(bucket: BucketClient, ref: str, tmp_path: Path) -> None:
    bucket.put(ref, b"x")
    artifact_id = ref.split("/")[1]
    assert bucket.download(ref, tmp_path).path == tmp_path / f"{artifact_id}-v1"


def test_a_missing_version_leaves_nothing(bucket: BucketClient, ref: str, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        bucket.download(ref, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("which", ["middle", "large"])
def test_a_download_continues_over_connections_that_drop_and_stall(
    proxied: Proxied, which: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    ref, data = request.getfixturevalue(which)
    faults = [Fault(drop_at=2 * MIB), Fault(stall_at=3 * MIB), Fault(drop_at=0), Fault(drop_at=10), Fault(drop_at=MIB)]
    client, _ = proxied(*faults, timeouts=Timeouts(idle=0.5))
    client.download(ref, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == data
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("which", ["middle", "large"])
def test_a_download_fetches_bytes_that_changed_on_the_way_once_more(
    proxied: Proxied, which: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    ref, data = request.getfixturevalue(which)
    # A later fetch on the same connection is past the fault. One connection is for the head, four are for ranges.
    client, _ = proxied(*[Fault(flip_at=2 * MIB)] * 5)
    result = client.download(ref, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == data
    assert result.fetched == 2 * len(data)
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("which", ["middle", "large"])
def test_bytes_that_change_twice_leave_neither_a_file_nor_a_partial_file(
    proxied: Proxied, which: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    client, _ = proxied(*[Fault(flip_every=2 * MIB)] * 40)
    with pytest.raises(DigestError) as caught:
        client.download(request.getfixturevalue(which)[0], tmp_path / "file")
    assert caught.value.code == "digest_mismatch"
    assert list(tmp_path.iterdir()) == []


DOWNLOAD = """
import sys
from bucket_client import BucketClient
def report(progress):
    print(progress.done, flush=True)
BucketClient(sys.argv[1]).download(sys.argv[2], sys.argv[3], progress=report)
"""


@pytest.mark.parametrize("which", ["middle", "large"])
@pytest.mark.parametrize("signal_", [signal.SIGKILL, signal.SIGINT])
def test_a_download_that_was_killed_continues_in_the_next_process(
    proxied: Proxied,
    which: str,
    signal_: signal.Signals,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    ref, data = request.getfixturevalue(which)
    # All connections stall after their first half, so that the process is killed in the middle of its work.
    client, proxy = proxied(*[Fault(stall_at=4 * MIB)] * 8)
    process = subprocess.Popen(
        [sys.executable, "-c", DOWNLOAD, proxy.url, ref, str(tmp_path / "file")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    wanted = 3 * MIB
    while which == "middle" and int(process.stdout.readline()) < wanted:
        pass
    if which == "large":
        wait_until(lambda: proxy.bytes_down > 12 * MIB)
    process.send_signal(signal_)
    process.wait(30)
    process.stdout.close()
    kept = (tmp_path / partial_name(ref.split("@")[1])).stat().st_size
    assert not (tmp_path / "file").exists()
    proxy.faults.clear()
    result = client.download(ref, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == data
    assert result.fetched == len(data) - kept
    if which == "middle":
        assert kept >= wanted
    assert leftovers(tmp_path) == []


def wait_until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < ends, "the condition did not become true"
        time.sleep(0.01)


def test_a_partial_file_with_wrong_bytes_is_fetched_again_once(
    bucket: BucketClient, middle: tuple[str, bytes], tmp_path: Path
) -> None:
    ref, data = middle
    partial = tmp_path / partial_name(ref.split("@")[1])
    for wrong in (b"wrong" * 100_000, data[:-1] + b"?", data + b"more"):
        partial.write_bytes(wrong)
        bucket.download(ref, tmp_path / "file")
        assert (tmp_path / "file").read_bytes() == data
        assert leftovers(tmp_path) == []
        (tmp_path / "file").unlink()
    # A complete partial file needs nothing of the network but the question whether it is stored.
    partial.write_bytes(data)
    assert bucket.download(ref, tmp_path / "file").fetched == 0


def test_a_partial_file_of_last_week_is_removed(bucket: BucketClient, ref: str, tmp_path: Path) -> None:
    bucket.put(ref, b"x")
    old, young = tmp_path / partial_name("sha256:" + "1" * 64), tmp_path / partial_name("sha256:" + "2" * 64)
    for path in (old, young):
        path.write_bytes(b"left")
    week_ago = time.time() - 8 * 24 * 3600
    os.utime(old, (week_ago, week_ago))
    bucket.download(ref, tmp_path / "file")
    assert leftovers(tmp_path) == [young.name]


def test_processes_that_fetch_the_same_bytes_share_one_transfer(
    proxied: Proxied, large: tuple[str, bytes], tmp_path: Path
) -> None:
    client, _ = proxied()
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(client.download(large[0], tmp_path / "file"))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "file").read_bytes() == large[1]
    assert sorted(result.fetched for result in results) == [0, 0, 0, len(large[1])]


def test_another_process_that_does_not_advance_is_not_waited_for_without_end(
    url: str, middle: tuple[str, bytes], tmp_path: Path
) -> None:
    import fcntl

    with open(tmp_path / partial_name(middle[0].split("@")[1]), "wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        impatient = BucketClient(url, retry=QUICK.__class__(attempts=2, base=0.01, patience=0.5))
        with pytest.raises(TargetError) as caught:
            impatient.download(middle[0], tmp_path / "file")
        assert caught.value.code == "target_busy"


def test_one_client_serves_many_threads(bucket: BucketClient, ref: str) -> None:
    artifact = ref.rsplit("/", 1)[0]
    wrong: list[object] = []

    def work(number: int) -> None:
        try:
            for step in range(10):
                data = f"{number}-{step}".encode() * 50
                name = f"{artifact}/{number}-{step}"
                bucket.put(name, data)
                assert bucket.get(name).read() == data
        except BaseException as problem:
            wrong.append(problem)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(list(bucket.list_versions(artifact))) == 160
