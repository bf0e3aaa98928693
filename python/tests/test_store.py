"""Promises about put and ensure, against a real server."""

from __future__ import annotations

import hashlib
import inspect
import io
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bucket_client import (
    ArtifactReference,
    BucketClient,
    ConflictError,
    DigestError,
    InvalidRequestError,
    LockFileError,
    NotFoundError,
    Progress,
    SourceError,
    UnavailableError,
)
from conftest import Server

MIB = 1 << 20


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def test_put_returns_the_entry_with_a_pinned_ref(bucket: BucketClient, ref: str) -> None:
    result = bucket.put(
        ref, b"three small weights\n", content_type="text/plain", uploaded_by="me", provenance_source="run-47"
    )
    assert result.created
    assert result.entry.digest == sha256(b"three small weights\n")
    assert (result.entry.size, result.entry.content_type) == (20, "text/plain")
    assert (result.entry.uploaded_by, result.entry.provenance_source) == ("me", "run-47")
    assert result.entry == bucket.entry(ref)


def test_the_same_bytes_again_are_a_success_that_created_nothing(bucket: BucketClient, ref: str) -> None:
    assert bucket.put(ref, b"same").created
    assert not bucket.put(ref, b"same").created
    assert bucket.ensure(ref, b"same") == "identical"


@pytest.mark.parametrize("size", [100_000, 2 * MIB])
def test_the_same_bytes_restore_what_the_server_has_lost(
    bucket: BucketClient, ref: str, server: Server, size: int
) -> None:
    data = os.urandom(size)
    stored = bucket.put(ref, data).entry
    for blob in (server.folder / "blobs").rglob(f"*@{stored.digest.removeprefix('sha256:')}"):
        blob.unlink()
    with pytest.raises(UnavailableError) as caught, bucket.get(ref) as stream:
        stream.read()
    assert (caught.value.code, caught.value.retryable) == ("blob_lost", False)
    result = bucket.put(ref, data)
    assert (result.entry, result.created, result.restored) == (stored, False, True)
    assert not bucket.put(ref, data).restored
    with bucket.get(ref) as stream:
        assert stream.read() == data


@pytest.mark.parametrize("size", [0, 100, 2 * MIB, 5 * MIB])
def test_other_bytes_are_refused_and_name_what_is_stored(bucket: BucketClient, ref: str, size: int) -> None:
    stored = bucket.put(ref, os.urandom(size))
    with pytest.raises(ConflictError) as caught:
        bucket.put(ref, os.urandom(size + 1))
    assert caught.value.code == "version_exists"
    assert caught.value.members["stored"]["digest"] == stored.entry.digest
    assert "new version" in caught.value.next
    assert bucket.entry(ref) == stored.entry


def test_ensure_stores_once_and_refuses_other_bytes_before_it_reads_them(
    bucket: BucketClient, ref: str, tmp_path: Path
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    assert bucket.ensure(ref, path) == "created"
    assert bucket.ensure(ref, path) == "identical"
    phases: list[str] = []
    path.write_bytes(b"longer")
    with pytest.raises(ConflictError):
        bucket.ensure(ref, path, progress=lambda progress: phases.append(progress.phase))
    assert phases == []


def test_ensure_with_a_digest_does_not_read_a_source_that_is_stored_already(
    bucket: BucketClient, ref: str, server: Server, tmp_path: Path
) -> None:
    data = os.urandom(2 * MIB)
    stored = bucket.put(ref, data).entry
    path = tmp_path / "source"
    path.write_bytes(bytes(2 * MIB))
    # The file has other bytes by now. The client does not read them.
    for named in ({"digest": stored.digest}, {}):
        asked = ref if named else str(stored.ref)
        assert bucket.ensure(asked, path, lock=tmp_path / "bucket.lock", **named) == "identical"
    assert bucket.get(ref, locked=tmp_path / "bucket.lock").read() == data
    with pytest.raises(ConflictError):
        bucket.ensure(ref, path, digest=sha256(b"other"))
    for blob in (server.folder / "blobs").rglob(f"*@{stored.digest.removeprefix('sha256:')}"):
        blob.unlink()
    assert bucket.ensure(ref, data, digest=stored.digest) == "restored"
    assert bucket.get(ref).read() == data


def test_every_kind_of_source_stores_its_bytes(bucket: BucketClient, ref: str, tmp_path: Path) -> None:
    data = os.urandom(3 * MIB + 17)
    path = tmp_path / "source.bin"
    path.write_bytes(data)
    seeked = io.BytesIO(b"head" + data)
    seeked.seek(4)
    artifact = ref.rsplit("/", 1)[0]
    with (
        open(path, "rb") as file,
        open(path, "rb") as offset,
        subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE) as pipe,
    ):
        offset.read(10)
        sources = {
            "path": path,
            "text-path": str(path),
            "bytes": data,
            "bytearray": bytearray(data),
            "memoryview": memoryview(data),
            "bytes-io": seeked,
            "file": file,
            "pipe": pipe.stdout,
            "iterator": (data[at : at + 1000] for at in range(0, len(data), 1000)),
        }
        for name, source in sources.items():
            assert bucket.put(f"{artifact}/{name}", source).entry.digest == sha256(data), name  # type: ignore[arg-type]
        assert bucket.put(f"{artifact}/offset", offset).entry.digest == sha256(data[10:])


def test_sources_that_are_not_bytes_are_refused_with_what_to_do(bucket: BucketClient, ref: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="binary"):
        bucket.put(ref, io.StringIO("text"))  # type: ignore[arg-type]
    with pytest.raises(SourceError, match=r"json\.dumps"):
        bucket.put(ref, {"accuracy": 0.9})  # type: ignore[arg-type]
    with pytest.raises(SourceError, match="int"):
        bucket.put(ref, iter([1, 2]))  # type: ignore[arg-type]
    with pytest.raises(SourceError, match="not a source"):
        bucket.put(ref, 7)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        bucket.put(ref, tmp_path / "missing")
    assert not bucket.exists(ref)


def test_a_pinned_digest_stops_other_bytes_before_they_are_sent(bucket: BucketClient, ref: str) -> None:
    whole = os.urandom(2 * MIB)
    with pytest.raises(DigestError, match="nothing was sent"):
        bucket.put(ref, whole[:-1], digest=sha256(whole))
    with pytest.raises(DigestError, match="nothing was sent"):
        bucket.put(f"{ref}@{sha256(whole)}", whole[:-1])
    assert not bucket.exists(ref)
    assert bucket.put(f"{ref}@{sha256(whole)}", whole).created


def test_a_promised_size_is_checked(bucket: BucketClient, ref: str) -> None:
    for source in (iter([b"abc"]), b"abc"):
        with pytest.raises(SourceError, match="has 3 bytes; 4 were promised") as caught:
            bucket.put(ref, source, size=4)
        assert "cut off" in caught.value.next
    assert not bucket.exists(ref)


def test_an_iterator_that_fails_stores_nothing(bucket: BucketClient, ref: str) -> None:
    def broken():
        yield b"some"
        raise RuntimeError("the producer failed")

    with pytest.raises(RuntimeError, match="the producer failed"):
        bucket.put(ref, broken())
    assert not bucket.exists(ref)


def test_a_file_that_changes_while_it_is_read_stores_nothing(bucket: BucketClient, ref: str, tmp_path: Path) -> None:
    path = tmp_path / "growing"
    path.write_bytes(os.urandom(3 * MIB))

    def change(progress: Progress) -> None:
        if progress.phase == "hashing" and progress.done == MIB:
            with open(path, "ab") as file:
                file.write(b"more")

    with pytest.raises(SourceError) as caught:
        bucket.put(ref, path, progress=change)
    assert caught.value.code == "source_changed"
    assert not bucket.exists(ref)


def test_a_version_made_from_the_content_is_the_same_for_the_same_bytes(bucket: BucketClient, ref: str) -> None:
    artifact = ref.rsplit("/", 1)[0]
    first = bucket.put(artifact, b"shard")
    assert first.ref.version == "sha256-" + hashlib.sha256(b"shard").hexdigest()[:12]
    assert not bucket.put(artifact, b"shard").created


def test_all_faults_of_a_call_are_told_at_once(bucket: BucketClient) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        bucket.put("-a/b c/" + "x" * 129, b"")
    assert [fault["name"] for fault in caught.value.members["errors"]] == ["bucket_id", "artifact_id", "version"]
    with pytest.raises(InvalidRequestError) as caught:
        bucket.put("a/b/c", b"", content_type="text\n", uploaded_by="")
    assert [fault["name"] for fault in caught.value.members["errors"]] == ["content_type", "uploaded_by"]
    with pytest.raises(InvalidRequestError, match="no prefix"):
        bucket.put("a/b/c", b"", digest="0" * 64)
    with pytest.raises(InvalidRequestError) as caught:
        bucket.put("a/b c/v", b"", digest="0" * 64, size=-1, uploaded_by="")
    assert [fault["name"] for fault in caught.value.members["errors"]] == [
        "artifact_id",
        "digest",
        "size",
        "uploaded_by",
    ]


def test_arguments_of_a_wrong_type_are_faults_of_the_call(bucket: BucketClient, ref: str) -> None:
    nothing: Any = None
    for wrong in (lambda name: bucket.put(name, b""), lambda name: bucket.ensure(name, b""), bucket.get, bucket.entry):
        for name in (nothing, 5, ref.encode()):
            with pytest.raises(InvalidRequestError, match=f"type {type(name).__name__}; give bucket_id/artifact_id"):
                wrong(name)
    with pytest.raises(InvalidRequestError, match="version is of the type int"):
        ArtifactReference("a", "b", 1)  # type: ignore[arg-type]
    with pytest.raises(InvalidRequestError, match="digest is of the type bytes"):
        bucket.get(ref, digest=b"sha256:")  # type: ignore[arg-type]
    with pytest.raises(InvalidRequestError, match="size is of the type str"):
        bucket.put(ref, b"bytes", size="5")  # type: ignore[arg-type]
    with pytest.raises(InvalidRequestError, match=r"give bucket_id/artifact_id as a str: 'a/b'"):
        next(bucket.list_versions(ArtifactReference("a", "b", "c")))  # type: ignore[arg-type]
    with pytest.raises(InvalidRequestError, match="is not pinned"):
        bucket.upload(ref)
    assert not bucket.exists(ref)


def test_put_and_ensure_take_the_same_options() -> None:
    put, ensure = (inspect.signature(call).parameters for call in (BucketClient.put, BucketClient.ensure))
    assert list(put.values()) == list(ensure.values())


def test_a_lock_file_that_cannot_be_extended_stops_a_store_before_it_begins(
    bucket: BucketClient, ref: str, tmp_path: Path
) -> None:
    (tmp_path / "bad.lock").write_text("junk")
    (tmp_path / "folder").mkdir()
    for lock, refusal in (("bad.lock", LockFileError), ("missing/new.lock", FileNotFoundError)):
        with pytest.raises(refusal):
            bucket.put(ref, b"bytes", lock=tmp_path / lock)
        with pytest.raises(refusal):
            bucket.push(ref, tmp_path / "folder", lock=tmp_path / lock)
    assert not bucket.exists(ref)


def test_a_ref_that_is_locked_with_other_bytes_is_not_stored(bucket: BucketClient, ref: str, tmp_path: Path) -> None:
    lock = tmp_path / "bucket.lock"
    lock.write_text(f"# bucket-lock 1\n{ref}@sha256:{'0' * 64} 5\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text(ref)
    for store in (
        lambda: bucket.put(ref, b"bytes", lock=lock),
        lambda: bucket.push(ref, tmp_path / "folder", lock=lock),
    ):
        with pytest.raises(LockFileError) as caught:
            store()
        assert caught.value.code == "lock_differs"
    bucket_id, artifact_id, _ = ref.split("/")
    assert not bucket.exists(ref)
    assert list(bucket.list_versions(f"{bucket_id}/{artifact_id}.files")) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bucket.lock", "folder"]


def test_a_missing_version_is_not_found(bucket: BucketClient, ref: str) -> None:
    for call in (bucket.entry, bucket.get):
        with pytest.raises(NotFoundError) as caught:
            call(ref)
        assert caught.value.code == "version_not_found"
        assert not caught.value.retryable


def test_versions_are_listed_page_after_page_in_the_order_of_their_names(bucket: BucketClient, ref: str) -> None:
    artifact = ref.rsplit("/", 1)[0]
    names = ["b", "a", "B", "a.1", "c"]
    for name in names:
        bucket.put(f"{artifact}/{name}", name.encode())
    listed = list(bucket.list_versions(artifact, page=2))
    assert [entry.ref.version for entry in listed] == sorted(names)
    assert listed[0] == bucket.entry(f"{artifact}/B")
    assert list(bucket.list_versions("tests/none")) == []


def test_a_reference_round_trips_through_text() -> None:
    text = "demo/model/v1@sha256:" + "a" * 64
    assert str(ArtifactReference.parse(text)) == text
    assert ArtifactReference.parse("demo/model/v1").pinned("sha256:" + "a" * 64) == ArtifactReference.parse(text)
    for wrong in ("demo/model", "demo/model/v1/x", "demo/model/v1@", "demo/model/v1@sha256:xyz", ""):
        with pytest.raises(InvalidRequestError):
            ArtifactReference.parse(wrong)


def test_progress_counts_to_the_end_of_each_phase(bucket: BucketClient, ref: str) -> None:
    reports: list[Progress] = []
    size = 2 * MIB
    bucket.put(ref, os.urandom(size), progress=reports.append)
    last = {report.phase: report for report in reports}
    assert list(last) == ["hashing", "uploading", "verifying", "committed"]
    assert last["hashing"].done == last["committed"].done == last["uploading"].sent == size
    reports.clear()
    bucket.get(ref, progress=reports.append).read()
    assert reports[-1] == Progress("downloading", size, size)
