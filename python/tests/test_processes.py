"""Promises about threads, processes and Ctrl-C: a client works wherever it is taken to."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bucket_client import (
    ArtifactReference,
    BearerAuth,
    BucketClient,
    BucketError,
    ConflictError,
    NetworkError,
    Progress,
    RetryPolicy,
    Timeouts,
)
from bucket_client.partial_file import partial_name
from conftest import QUICK
from proxy import Fault, FaultyProxy

MIB = 1 << 20
DIGEST = "sha256:" + "a" * 64
Proxied = Callable[..., tuple[BucketClient, FaultyProxy]]


def test_connections_are_kept_and_a_closed_one_is_noticed(
    proxied: Callable[..., tuple[BucketClient, FaultyProxy]], bucket: BucketClient, ref: str
) -> None:
    bucket.put(ref, b"x")
    client, proxy = proxied(retry=RetryPolicy(attempts=1))
    for _ in range(5):
        client.get(ref).read()
        client.entry(ref)
    assert proxy.connections == 1
    proxy.cut()
    assert client.entry(ref).size == 1
    assert proxy.connections == 2


DROPPED = """
import gc, os, sys
from bucket_client import BucketClient, ConflictError

def use(url, ref):
    bucket = BucketClient(url)
    bucket.put(ref, b"x")
    try:
        bucket.put(ref, b"y")
    except ConflictError as problem:
        kept = problem  # and with its traceback the frames that hold the response
        kept.itself = kept
    print(bucket.get(ref).read())
    bucket.get(ref)
    child = os.fork()
    if child == 0:
        bucket.entry(ref)
        return
    os.waitpid(child, 0)

use(*sys.argv[1:])
gc.collect()
"""


def test_a_client_that_is_dropped_leaves_no_warning_and_no_traceback(url: str, ref: str) -> None:
    # Python 3.13 shows the failures of all finalizers, older ones only in development mode.
    ran = subprocess.run([sys.executable, "-X", "dev", "-c", DROPPED, url, ref], capture_output=True, check=True)
    assert ran.stdout == b"b'x'\n"
    assert ran.stderr == b""


def _in_child(client: BucketClient, ref: str, results: multiprocessing.Queue[object]) -> None:
    try:
        results.put(client.get(ref).read())
        client.entry("tests/missing/v1")
    except BucketError as problem:
        results.put(problem)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_client_and_its_errors_pass_between_processes(bucket: BucketClient, ref: str, method: str) -> None:
    bucket.put(ref, b"shared")
    context = multiprocessing.get_context(method)
    results: multiprocessing.Queue[object] = context.Queue()  # type: ignore[assignment]
    children = [context.Process(target=_in_child, args=(bucket, ref, results)) for _ in range(2)]
    for child in children:
        child.start()
    assert bucket.get(ref).read() == b"shared"
    got = [results.get(timeout=60) for _ in range(4)]
    for child in children:
        child.join()
    assert got.count(b"shared") == 2
    assert {problem.code for problem in got if isinstance(problem, BucketError)} == {"version_not_found"}


def test_errors_and_references_survive_pickling() -> None:
    problem = pickle.loads(pickle.dumps(ConflictError("version_exists", "taken", members={"a": 1}, request_id="r")))
    assert isinstance(problem, ConflictError)
    assert (problem.code, problem.members, problem.request_id) == ("version_exists", {"a": 1}, "r")
    reference = ArtifactReference("a", "b", "c", DIGEST)
    assert pickle.loads(pickle.dumps(reference)) == reference


def test_a_client_that_another_thread_uses_at_the_moment_of_a_fork_works_in_the_child(
    bucket: BucketClient, ref: str
) -> None:
    bucket.put(ref, b"shared")
    pool = bucket._api.transport._pool
    # Another thread of the parent holds the lock, and will never release it in the child.
    with pool.lock:
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            try:
                os._exit(0 if bucket.get(ref).read() == b"shared" else 1)
            except BaseException:
                traceback.print_exc()
                os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert bucket.get(ref).read() == b"shared"


def test_a_child_never_shares_a_connection_with_its_parent(proxied: Proxied, bucket: BucketClient, ref: str) -> None:
    bucket.put(ref, b"x" * 1000)
    client, proxy = proxied()
    client.entry(ref)
    assert proxy.connections == 1
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            os._exit(0 if all(client.get(ref).read() == b"x" * 1000 for _ in range(20)) else 1)
        children.append(child)
    # The parent continues with its own connection.
    for _ in range(20):
        assert client.get(ref).read() == b"x" * 1000
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0]
    assert proxy.connections == 4


class Shards:
    """A data set as PyTorch takes one: workers of a ``DataLoader`` fork or spawn, and read items by their number."""

    def __init__(self, client: BucketClient, refs: list[str]) -> None:
        self.client = client
        self.refs = refs

    def __getitem__(self, number: int) -> bytes:
        return self.client.get(self.refs[number]).read()


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_a_data_loader_read_with_the_client_of_the_data_set(
    bucket: BucketClient, ref: str, method: str
) -> None:
    artifact = ref.rsplit("/", 1)[0]
    refs = [str(bucket.put(f"{artifact}/{number}", bytes([number]) * 1000).ref) for number in range(12)]
    with multiprocessing.get_context(method).Pool(3) as workers:
        assert workers.map(Shards(bucket, refs).__getitem__, range(12)) == [bytes([n]) * 1000 for n in range(12)]


def test_settings_survive_pickling_and_secrets_with_them(url: str) -> None:
    client = BucketClient(
        url, auth=BearerAuth("a-token"), api_key="a-key", retry=QUICK, timeouts=Timeouts(idle=7), parallel=3
    )
    copy = pickle.loads(pickle.dumps(client))
    assert copy._settings == client._settings


# Ends in the middle


def test_a_transfer_that_fails_says_what_is_kept_and_that_the_same_call_continues(
    proxied: Proxied, bucket: BucketClient, ref: str, tmp_path: Path
) -> None:
    stored = bucket.put(ref, os.urandom(6 * MIB)).ref
    impatient = RetryPolicy(attempts=1, base=0.01, patience=0)
    client, proxy = proxied(Fault(drop_at=3 * MIB), retry=impatient)
    with pytest.raises(NetworkError) as caught:
        client.download(stored, tmp_path / "copy")
    kept = (tmp_path / partial_name(str(stored.digest))).stat().st_size
    said = f"{kept} of {6 * MIB} bytes are kept in the folder {str(tmp_path)!r}. The same call continues from there."
    assert caught.value.next.endswith(said)
    assert said in str(caught.value)
    assert client.download(stored, tmp_path / "copy").fetched == 6 * MIB - kept

    large = tmp_path / "large"
    large.write_bytes(os.urandom(MIB) * 80)
    client, proxy = proxied(retry=impatient)

    def go_down(progress: Progress) -> None:
        if progress.phase == "uploading" and progress.done >= 32 * MIB:
            proxy.is_down = True
            proxy.cut()

    with pytest.raises(NetworkError, match=r"are kept by the service for a week\. The same call continues"):
        client.put(f"{ref}-large", large, progress=go_down)


def test_a_callback_that_fails_after_the_store_promises_nothing_more(bucket: BucketClient, ref: str) -> None:
    def fail(progress: Progress) -> None:
        if progress.phase == "committed":
            raise RuntimeError("in the callback")

    with pytest.raises(RuntimeError, match="in the callback") as caught:
        bucket.put(ref, bytes(65 * MIB), progress=fail)
    assert getattr(caught.value, "__notes__", []) == []
    assert bucket.exists(ref)


def test_a_refusal_does_not_promise_that_the_same_call_helps(bucket: BucketClient, ref: str, tmp_path: Path) -> None:
    bucket.put(ref, b"one")
    with pytest.raises(ConflictError) as caught:
        bucket.put(ref, b"other")
    assert "same call" not in str(caught.value)
    with pytest.raises(BucketError) as missing:
        bucket.download(f"{ref}-missing", tmp_path / "copy")
    assert "same call" not in str(missing.value)


INTERRUPTED = """
import os, signal, sys
from bucket_client import BucketClient
seen = []
def interrupt(progress):
    if progress.phase in ("uploading", "downloading") and progress.done >= 20 << 20 and not seen:
        seen.append(1)
        os.kill(os.getpid(), signal.SIGINT)
bucket = BucketClient(sys.argv[1])
call = getattr(bucket, sys.argv[2])
call(*sys.argv[3:], progress=interrupt)
print("not interrupted")
"""


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 has no notes of exceptions")
@pytest.mark.parametrize("what", ["download", "put", "push", "pull"])
def test_ctrl_c_leaves_what_was_moved_and_says_that_the_same_call_continues(
    bucket: BucketClient, url: str, ref: str, tmp_path: Path, what: str
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    size = 16 * MIB
    for number in range(6):
        (data / f"{number}.bin").write_bytes(os.urandom(MIB) * 16)
    large = tmp_path / "large"
    large.write_bytes(os.urandom(MIB) * 96)
    moves_from_here = what in ("put", "push")
    source = data if what in ("push", "pull") else large
    if not moves_from_here:
        (bucket.push if what == "pull" else bucket.put)(ref, source)
    target = source if moves_from_here else tmp_path / "copy"
    run = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, url, what, ref, str(target)], capture_output=True, text=True, timeout=120
    )
    assert run.returncode != 0, run.stdout
    assert "KeyboardInterrupt" in run.stderr
    *_, note = run.stderr.strip().splitlines()
    assert "bytes are kept" in note, run.stderr
    assert note.endswith("The same call continues from there.")
    if moves_from_here:
        assert not bucket.exists(ref)
        assert bucket.ensure(ref, large) == "created" if what == "put" else bucket.push(ref, data).created
    else:
        assert not target.exists()
        result: Any = getattr(bucket, what)(ref, target)
        assert result.fetched < 6 * size
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


FULL = """
import resource, sys
from bucket_client import BucketClient
bucket = BucketClient(sys.argv[1])
# No file may grow beyond this: writing fails as on a full disk.
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    if sys.argv[3] == "download":
        bucket.download(sys.argv[4], sys.argv[5])
    else:
        bucket.put(sys.argv[4], (bytes(1 << 20) for _ in range(20)))
except OSError as problem:
    print(problem, *getattr(problem, "__notes__", []), sep="\\n")
"""


def test_a_disk_without_room_names_the_callers_file_and_what_to_do(
    bucket: BucketClient, url: str, ref: str, tmp_path: Path
) -> None:
    def run(what: str, *arguments: object) -> str:
        command = [sys.executable, "-c", FULL, url, str(3 * MIB), what, *map(str, arguments)]
        environment = {**os.environ, "TMPDIR": str(tmp_path)}
        return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout

    stored = bucket.put(ref, os.urandom(6 * MIB)).ref
    said = run("download", stored, tmp_path / "copy")
    assert f"'{tmp_path / 'copy'}'" in said
    assert "bucket-part" not in said
    if sys.version_info >= (3, 11):
        assert f"of {6 * MIB} bytes are kept" in said
    assert bucket.download(stored, tmp_path / "copy").fetched <= 3 * MIB
    said = run("put", f"{ref}-2")
    assert f"set TMPDIR to a larger disk, or give a path: '{tmp_path}'" in said
    assert not bucket.exists(f"{ref}-2")
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]
