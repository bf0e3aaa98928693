"""Promises about push and pull."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bucket_client import (
    BucketClient,
    ConflictError,
    DigestError,
    FileEntry,
    FolderManifest,
    LockFileError,
    ManifestError,
    NetworkError,
    RetryPolicy,
    TargetError,
)
from conftest import CHECKOUT, COMMAND
from proxy import Fault, FaultyProxy

Proxied = Callable[..., tuple[BucketClient, FaultyProxy]]
#: A file system that ignores case, for the test of names, if the machine has one.
TREE = {
    "config.json": b'{"a": 1}\n',
    "empty.bin": b"",
    "données/日本語/ファイル.txt": b"text",
    "nested/deeply/in/folders/x": b"x",
    "same/a": b"equal bytes",
    "same/b": b"equal bytes",
    "with space and \n newline": b"odd",
    "large.bin": random.Random(1).randbytes(3_000_000),
}


def make_tree(folder: Path) -> Path:
    for path, data in TREE.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    (folder / "run.sh").write_bytes(b"#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "logs" / "empty").mkdir(parents=True)
    (folder / "link").symlink_to("nested/deeply")
    (folder / "nested" / "up").symlink_to("../config.json")
    return folder


def snapshot(folder: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for at, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            path = Path(at) / name
            relative = path.relative_to(folder).as_posix()
            if path.is_symlink():
                found[relative] = ("link", str(path.readlink()))
            elif path.is_dir():
                found[relative] = "folder"
            else:
                found[relative] = (path.read_bytes(), bool(path.stat().st_mode & 0o100))
    return found


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "tree")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_folder_comes_back_as_it_was(bucket: BucketClient, ref: str, tree: Path, tmp_path: Path) -> None:
    pushed = bucket.push(ref, tree, uploaded_by="me")
    assert pushed.created
    assert len(pushed.sent) == len(TREE)
    assert pushed.entry is not None
    assert pushed.entry.content_type == "application/vnd.bucket.folder.v1+json"
    pulled = bucket.pull(pushed.ref, tmp_path / "copy")
    assert snapshot(tmp_path / "copy") == snapshot(tree)
    assert pulled.ref == pushed.ref
    assert pulled.size == pushed.size == sum(len(data) for data in TREE.values()) + 10
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "copy", "tree"]


def test_a_second_push_sends_nothing_and_a_changed_folder_only_what_changed(
    bucket: BucketClient, ref: str, tree: Path
) -> None:
    first = bucket.push(ref, tree)
    again = bucket.push(ref, tree)
    assert (again.created, again.sent, again.ref) == (False, (), first.ref)
    (tree / "config.json").write_bytes(b"{}")
    with pytest.raises(ConflictError) as caught:
        bucket.push(ref, tree)
    assert caught.value.code == "version_exists"
    newer = bucket.push(ref.replace("/v1", "/v2"), tree)
    assert newer.created
    assert newer.sent == ()  # the refused push has stored the file already, which harms nothing


def test_a_dry_run_says_what_would_be_sent_and_sends_nothing(bucket: BucketClient, ref: str, tree: Path) -> None:
    dry = bucket.push(ref, tree, dry_run=True)
    assert len(dry.sent) == len(TREE)
    assert dry.entry is None
    assert not bucket.exists(ref)
    assert list(bucket.list_versions(ref.rsplit("/", 1)[0] + ".files")) == []
    assert bucket.push(ref, tree).ref == dry.ref


def test_patterns_choose_files(bucket: BucketClient, ref: str, tree: Path) -> None:
    def paths(**options: object) -> list[str]:
        return [entry.path for entry in bucket.push(ref, tree, dry_run=True, **options).manifest.files]  # type: ignore[arg-type]

    assert paths(include=["*.json", "same/*"]) == ["config.json", "same/a", "same/b"]
    assert "nested/deeply/in/folders/x" not in paths(exclude=["nested"])
    assert paths(include=["same/*"], exclude=["*/b"]) == ["same/a"]


def test_patterns_that_leave_out_everything_store_nothing(bucket: BucketClient, ref: str, tree: Path) -> None:
    for options in ({"include": ["zzz"]}, {"exclude": ["*"]}):
        with pytest.raises(ManifestError, match="leave out everything") as caught:
            bucket.push(ref, tree, **options)
        assert caught.value.code == "folder_invalid"
    assert not bucket.exists(ref)


def test_files_with_equal_bytes_are_stored_once_for_all_versions(bucket: BucketClient, ref: str, tree: Path) -> None:
    bucket.push(ref, tree)
    bucket.push(ref.replace("/v1", "/v2"), tree)
    files = list(bucket.list_versions(ref.rsplit("/", 1)[0] + ".files"))
    assert len(files) == len(TREE)  # 9 files, of which two are equal
    assert all(entry.ref.version == "sha256-" + entry.digest[7:] for entry in files)
    assert [entry.ref.version for entry in bucket.list_versions(ref.rsplit("/", 1)[0])] == ["v1", "v2"]


def test_what_no_manifest_can_describe_is_named_before_anything_is_sent(
    bucket: BucketClient, ref: str, tree: Path
) -> None:
    os.mkfifo(tree / "pipe")
    (tree / "outside").symlink_to("/etc/passwd")
    (tree / "up").symlink_to("../elsewhere")
    Path(os.fsdecode(bytes(tree) + b"/not-\xff-unicode")).write_bytes(b"")
    with pytest.raises(ManifestError) as caught:
        bucket.push(ref, tree)
    for name in ("pipe", "outside", "up", "not-"):
        assert name in caught.value.detail
    assert list(bucket.list_versions(ref.rsplit("/", 1)[0] + ".files")) == []


def test_symlinks_can_be_followed(bucket: BucketClient, ref: str, tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "b").write_bytes(b"from a cache")
    folder = tmp_path / "snapshot"
    folder.mkdir()
    (folder / "model.bin").symlink_to("../blobs/b")
    (folder / "again").symlink_to("../snapshot")
    with pytest.raises(ManifestError, match="leads back"):
        bucket.push(ref, folder, follow_symlinks=True)
    (folder / "again").unlink()
    bucket.push(ref, folder, follow_symlinks=True)
    bucket.pull(ref, tmp_path / "copy")
    assert snapshot(tmp_path / "copy") == {"model.bin": (b"from a cache", False)}


def test_a_push_that_broke_off_is_completed_by_the_next_and_shows_nothing_before(
    proxied: Proxied, bucket: BucketClient, ref: str, tree: Path
) -> None:
    client, proxy = proxied(retry=RetryPolicy(attempts=2, base=0.01, patience=1))
    seen = 0

    def go_down(_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == 12:
            proxy.is_down = True
            proxy.cut()

    with pytest.raises(NetworkError):
        client.push(ref, tree, progress=go_down, parallel=1)
    assert not bucket.exists(ref)
    stored = len(list(bucket.list_versions(ref.rsplit("/", 1)[0] + ".files")))
    assert 0 < stored < len(TREE)
    proxy.is_down = False
    assert len(client.push(ref, tree).sent) == len(TREE) - stored


def test_a_pull_into_a_folder_that_differs_is_refused_unless_it_may_replace(
    bucket: BucketClient, ref: str, tree: Path, tmp_path: Path
) -> None:
    bucket.push(ref, tree)
    target = tmp_path / "copy"
    target.mkdir()
    assert bucket.pull(ref, target).fetched > 0
    assert bucket.pull(ref, target).fetched == 0
    for change in (
        lambda: (target / "extra").write_bytes(b""),
        lambda: (target / "run.sh").chmod(0o644),
        lambda: (target / "link").unlink(),
        lambda: (target / "config.json").write_bytes(b'{"a": 2}\n'),
    ):
        change()
        before = snapshot(target)
        with pytest.raises(TargetError, match="overwrite=True"):
            bucket.pull(ref, target)
        assert snapshot(target) == before
        bucket.pull(ref, target, overwrite=True)
        assert snapshot(target) == snapshot(tree)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(TargetError, match="not a folder"):
        bucket.pull(ref, tmp_path / "file")


PULL = """
import sys
from bucket_client import BucketClient
BucketClient(sys.argv[1]).pull(sys.argv[2], sys.argv[3], parallel=2, progress=lambda p: print(p.done, flush=True))
"""


def test_a_pull_that_was_killed_continues_in_the_next_process(
    proxied: Proxied, bucket: BucketClient, ref: str, tree: Path, tmp_path: Path
) -> None:
    pushed = bucket.push(ref, tree)
    client, proxy = proxied(*[Fault(stall_at=1_500_000)] * 2)
    target = tmp_path / "copy"
    process = subprocess.Popen(
        [sys.executable, "-c", PULL, proxy.url, ref, str(target)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    while int(process.stdout.readline()) < 1_000_000:
        pass
    process.kill()
    process.wait()
    process.stdout.close()
    assert not target.exists()
    proxy.faults.clear()
    assert client.pull(ref, target).fetched < pushed.size - 1_000_000
    assert snapshot(target) == snapshot(tree)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_processes_that_pull_the_same_folder_share_one_transfer(
    bucket: BucketClient, ref: str, tree: Path, tmp_path: Path
) -> None:
    pushed = bucket.push(ref, tree)
    results: list[int] = []
    threads = [
        threading.Thread(target=lambda: results.append(bucket.pull(ref, tmp_path / "copy").fetched)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert snapshot(tmp_path / "copy") == snapshot(tree)
    assert len(results) == 4
    assert 0 < sum(results) <= pushed.size


def test_a_pull_succeeds_although_the_command_line_completed_the_folder_meanwhile(
    bucket: BucketClient, url: str, ref: str, tree: Path, tmp_path: Path
) -> None:
    bucket.push(ref, tree)
    target = tmp_path / "copy"

    def pull_too(_: object) -> None:
        if not target.exists():
            command = [*COMMAND, "pull", "--url", url, ref, str(target)]
            subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True)

    assert bucket.pull(ref, target, progress=pull_too, parallel=1).fetched > 0
    assert snapshot(target) == snapshot(tree)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "copy", "tree"]


def test_a_pull_refuses_a_folder_that_another_program_filled_meanwhile_and_can_be_repeated(
    bucket: BucketClient, ref: str, tree: Path, tmp_path: Path
) -> None:
    bucket.push(ref, tree)
    target = tmp_path / "copy"

    def fill(_: object) -> None:
        target.mkdir(exist_ok=True)
        (target / "mine").write_bytes(b"mine")

    with pytest.raises(TargetError) as caught:
        bucket.pull(ref, target, progress=fill)
    assert caught.value.code == "target_exists"
    assert snapshot(target) == {"mine": (b"mine", False)}
    assert bucket.pull(ref, target, overwrite=True).fetched == 0
    assert snapshot(target) == snapshot(tree)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "copy", "tree"]


def test_a_folder_that_a_pull_replaces_may_disappear_meanwhile(
    bucket: BucketClient, ref: str, tree: Path, tmp_path: Path
) -> None:
    bucket.push(ref, tree)
    target = tmp_path / "copy"
    target.mkdir()
    (target / "mine").write_bytes(b"mine")
    bucket.pull(ref, target, overwrite=True, progress=lambda _: shutil.rmtree(target, ignore_errors=True))
    assert snapshot(target) == snapshot(tree)


@pytest.mark.parametrize("existing", ["none", "empty", "filled"])
def test_a_pull_to_a_symlink_writes_the_folder_to_which_it_leads(
    bucket: BucketClient, ref: str, tree: Path, tmp_path: Path, existing: str
) -> None:
    bucket.push(ref, tree)
    (tmp_path / "disk").mkdir()
    real = tmp_path / "disk" / "real"
    if existing != "none":
        real.mkdir()
    if existing == "filled":
        (real / "mine").write_bytes(b"mine")
    link = tmp_path / "copy"
    link.symlink_to("disk/real")
    assert bucket.pull(ref, link, overwrite=existing == "filled").path == link
    assert str(link.readlink()) == "disk/real"
    assert not real.is_symlink()
    assert snapshot(real) == snapshot(tree)
    assert bucket.pull(ref, link).fetched == 0
    assert list((tmp_path / "disk").iterdir()) == [real]


@pytest.mark.parametrize("data", [b"\x80just bytes", b"17", b'{"accuracy":0.93}'])
def test_an_artifact_that_is_not_a_folder_is_said_to_be_that(
    bucket: BucketClient, ref: str, data: bytes, tmp_path: Path
) -> None:
    bucket.put(ref, data, content_type="application/json")
    with pytest.raises(ManifestError, match=f"{ref} is not a folder: its type is application/json") as caught:
        bucket.pull(ref, tmp_path / "copy")
    assert "download()" in caught.value.next
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_arrives_changed_leaves_no_folder(proxied: Proxied, ref: str, tree: Path, tmp_path: Path) -> None:
    client, proxy = proxied()
    client.push(ref, tree)
    client.close()
    proxy.faults = [Fault(flip_every=2_000_000)] * 50
    with pytest.raises(DigestError) as caught:
        client.pull(ref, tmp_path / "copy", parallel=1)
    assert caught.value.code == "digest_mismatch"
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize(
    "entry",
    [
        {"path": "../escape", "type": "folder"},
        {"path": "/etc/escape", "type": "folder"},
        {"path": "a", "type": "symlink", "target": "/etc"},
        {"path": "a/b", "type": "symlink", "target": "../../x"},
        {"path": "a", "type": "symlink", "target": "b/../../x"},
    ],
)
def test_a_manifest_that_would_escape_is_refused_before_anything_is_written(
    bucket: BucketClient, ref: str, tmp_path: Path, entry: dict[str, str]
) -> None:
    document = {"format": "bucket-folder/1", "entries": [entry]}
    bucket.put(ref, json.dumps(document).encode())
    with pytest.raises(ManifestError) as caught:
        bucket.pull(ref, tmp_path / "copy")
    assert caught.value.code == "manifest_invalid"
    assert list(tmp_path.iterdir()) == []


def test_parts_that_are_stored_already_become_a_folder(bucket: BucketClient, ref: str, tmp_path: Path) -> None:
    artifact = ref.rsplit("/", 1)[0]
    shards = [bucket.put(f"{artifact}/rank-{rank}", f"shard {rank}".encode()) for rank in range(3)]
    manifest = FolderManifest(
        FileEntry(f"shard-{rank}", shard.entry.size, shard.entry.digest, ref=shard.ref.name)
        for rank, shard in enumerate(shards)
    )
    bucket.put(f"{artifact}/checkpoint", manifest.to_bytes(), content_type="application/vnd.bucket.folder.v1+json")
    bucket.pull(f"{artifact}/checkpoint", tmp_path / "copy")
    assert snapshot(tmp_path / "copy") == {f"shard-{rank}": (f"shard {rank}".encode(), False) for rank in range(3)}


def test_a_file_that_changes_while_it_is_pushed_is_noticed(bucket: BucketClient, ref: str, tree: Path) -> None:
    old = time.time() - 100
    os.utime(tree / "large.bin", (old, old))

    def change(progress: object) -> None:
        if getattr(progress, "phase", "") == "uploading":
            data = (tree / "large.bin").read_bytes()
            (tree / "large.bin").write_bytes(data[:-1] + b"?")

    from bucket_client import SourceError

    with pytest.raises(SourceError) as caught:
        bucket.push(ref, tree, progress=change, parallel=1)
    assert caught.value.code == "source_changed"
    assert not bucket.exists(ref)


def test_an_unchanged_file_is_not_read_again(bucket: BucketClient, ref: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_bytes(b"old")
    time.sleep(2.1)  # files that changed a moment ago are not remembered
    cache = tmp_path / "digests.sqlite"
    bucket.push(ref, folder, digest_cache=cache)
    first = (folder / "a").stat()
    # Without permission to read, only the cache can know the digest. Root may read all the same.
    if os.geteuid() != 0:
        (folder / "a").chmod(0)
    assert not bucket.push(ref, folder, digest_cache=cache).created
    (folder / "a").chmod(0o644)
    (folder / "a").write_bytes(b"new")
    os.utime(folder / "a", ns=(first.st_atime_ns, first.st_mtime_ns))
    assert bucket.push(ref.replace("v1", "v2"), folder, digest_cache=cache).sent == ("a",)


def test_locked_refs_are_taken_exactly(bucket: BucketClient, ref: str, tree: Path, tmp_path: Path) -> None:
    lock = tmp_path / "bucket.lock"
    artifact = ref.rsplit("/", 1)[0]
    pushed = bucket.push(f"{artifact}/folder", tree, lock=lock)
    put = bucket.put(f"{artifact}/a", b"x", lock=lock)
    bucket.put(f"{artifact}/a", b"x", lock=lock)
    assert lock.read_text() == f"# bucket-lock 1\n{put.ref} 1\n{pushed.ref} {pushed.entry.size}\n"  # type: ignore[union-attr]
    bucket.pull(f"{artifact}/folder", tmp_path / "copy", locked=lock)
    assert bucket.get(f"{artifact}/a", locked=lock).read() == b"x"
    bucket.put(f"{artifact}/b", b"y")
    with pytest.raises(LockFileError) as caught:
        bucket.download(f"{artifact}/b", tmp_path / "b", locked=lock)
    assert caught.value.code == "not_locked"
    lock.write_text(f"# bucket-lock 1\n{artifact}/b@sha256:{'0' * 64} 1\n")
    with pytest.raises(DigestError):
        bucket.download(f"{artifact}/b", tmp_path / "b", locked=lock)
    with pytest.raises(LockFileError) as caught:
        bucket.put(f"{artifact}/b", b"y", lock=lock)
    assert caught.value.code == "lock_differs"
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["bucket.lock"]


def test_writers_of_one_lock_file_lose_no_line(bucket: BucketClient, ref: str, tmp_path: Path) -> None:
    artifact = ref.rsplit("/", 1)[0]
    lock = tmp_path / "bucket.lock"
    threads = [
        threading.Thread(target=lambda number=number: bucket.put(f"{artifact}/{number:02}", b"x", lock=lock))
        for number in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = lock.read_text().splitlines()
    assert len(lines) == 21
    assert lines[1:] == sorted(lines[1:])
