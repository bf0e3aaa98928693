"""Wrong arguments: each gets a typed exception that says what to give instead, and nothing is stored or left behind."""

from __future__ import annotations

import array
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bucket_client import (
    ArtifactReference,
    BucketClient,
    FileEntry,
    FolderManifest,
    InvalidRequestError,
    LockFile,
    LockFileError,
    ManifestError,
    SourceError,
    TargetError,
    content_version,
)

ZEROS = "sha256:" + "0" * 64


def closed(file: Any) -> Any:
    file.close()
    return file


def at_end(file: Any) -> Any:
    file.write(b"written, and not rewound")
    return file


@pytest.fixture
def stored(bucket: BucketClient, ref: str) -> ArtifactReference:
    return bucket.put(ref, b"hello").ref


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with one file and one folder."""
    folder = tmp_path / "work"
    (folder / "folder").mkdir(parents=True)
    (folder / "folder" / "inside").write_text("inside")
    (folder / "file").write_text("mine")
    monkeypatch.chdir(folder)
    return folder


PATHS = [
    (None, "target is of the type NoneType; give a path"),
    (5, "target is of the type int; give a path"),
    (b"x", "target is of the type bytes; give a path"),
    ("", "target is empty; give a path"),
    ("a\0b", "no path can contain NUL"),
]


@pytest.mark.parametrize(("target", "text"), PATHS)
def test_a_target_that_is_no_path_is_refused(
    bucket: BucketClient, stored: ArtifactReference, work: Path, target: Any, text: str
) -> None:
    for call in (bucket.download, bucket.pull):
        with pytest.raises(InvalidRequestError, match=text):
            call(stored, target)
    assert sorted(path.name for path in work.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("x" * 300, "name is too long"),
        ("file/below", "a part of the path is a file"),
        ("new/", "the folder 'new/' does not exist. Make the folder first"),
        ("missing/file", "the folder .*missing' does not exist. Make the folder first"),
    ],
)
def test_a_target_that_cannot_be_written_is_refused_by_its_own_name(
    bucket: BucketClient, stored: ArtifactReference, work: Path, target: str, text: str
) -> None:
    with pytest.raises(TargetError, match=text) as caught:
        bucket.download(stored, target)
    assert caught.value.code == "target_invalid"
    assert "bucket-part" not in str(caught.value)
    assert sorted(path.name for path in work.iterdir()) == ["file", "folder"]


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A folder that this process may not write, also if the tests run as root."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield folder
    os.seteuid(user)
    shutil.rmtree(folder)


def test_a_pipe_that_does_not_block_is_not_taken_for_complete(bucket: BucketClient, ref: str) -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    os.write(write_end, b"first")
    with open(read_end, "rb", buffering=0) as pipe, open(write_end, "wb"):
        with pytest.raises(SourceError, match="does not block") as caught:
            bucket.put(ref, pipe)
        assert "set_blocking" in caught.value.next
    assert not bucket.exists(ref)


def test_a_folder_that_may_not_be_written_is_named_and_not_the_partial_file(
    bucket: BucketClient, stored: ArtifactReference, ref: str, work: Path, request: pytest.FixtureRequest
) -> None:
    manifest = bucket.push(f"{ref}-folder", work / "folder", digest_cache=False).ref
    folder = request.getfixturevalue("read_only")
    for call, wanted in ((bucket.download, stored), (bucket.pull, manifest)):
        with pytest.raises(
            TargetError, match=f"cannot be written in the folder '{folder}': Permission denied"
        ) as caught:
            call(wanted, folder / "new")
        assert "change its permissions" in caught.value.next
        assert ".bucket-" not in str(caught.value)
    for locks in (lambda lock: bucket.put(f"{ref}-2", b"x", lock=lock), lambda lock: LockFile(lock).add(stored, 5)):
        with pytest.raises(LockFileError, match=f"cannot be written in '{folder}'"):
            locks(folder / "bucket.lock")
    assert not bucket.exists(f"{ref}-2")
    assert list(folder.iterdir()) == []


def test_a_name_that_is_not_utf8_is_a_file_like_any_other(bucket: BucketClient, ref: str, work: Path) -> None:
    name = os.fsdecode(b"x\xff")
    try:
        Path(name).write_bytes(b"odd")
    except OSError:
        pytest.skip("this file system holds names in UTF-8 alone")
    stored = bucket.put(ref, name)
    assert bucket.download(stored.ref, os.fsdecode(b"y\xff")).path.read_bytes() == b"odd"
    with pytest.raises(ManifestError, match="not valid Unicode"):
        bucket.push(f"{ref}-folder", work)


SOURCES: dict[str, tuple[Callable[[], Any], str]] = {
    "none": (lambda: None, "NoneType is not a source of bytes"),
    "number": (lambda: 5, "int is not a source of bytes"),
    "empty text": (lambda: "", "'' cannot be a path"),
    "nul": (lambda: "a\0b", r"'a\\x00b' cannot be a path"),
    "folder": (lambda: "folder", r"'folder' is a folder. Store it with push\(\)"),
    "closed file": (lambda: closed(open("file", "rb")), "the file object is closed"),
    "closed buffer": (lambda: closed(io.BytesIO(b"x")), "the file object is closed"),
    "text file": (lambda: open("file"), "gives text. Open the file in binary mode"),
    "file for writing": (lambda: open("folder/new", "wb"), "not open for reading"),
    "text of an iterator": (lambda: iter(["a"]), "gave str, not bytes"),
    "list of bytes": (lambda: [b"a"], "list is not a source"),
    "set": (lambda: {1}, "set is not a source of bytes. A set has no order"),
    "array": (lambda: array.array("i", [1]), r"array is not a source of bytes. Give memoryview\(array\)"),
    "view with gaps": (lambda: memoryview(b"abcd")[::2], r"not contiguous. Give bytes\(view\)"),
    "buffer at its end": (lambda: at_end(io.BytesIO()), r"is at its end \(position 24\).*seek\(0\)"),
    "file at its end": (lambda: at_end(open("folder/new", "w+b")), "is at its end"),
    "temporary file at its end": (lambda: at_end(tempfile.NamedTemporaryFile()), "is at its end"),
    "spooled file at its end": (lambda: at_end(tempfile.SpooledTemporaryFile()), "is at its end"),
}


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("name", SOURCES)
def test_a_source_that_does_not_give_the_bytes_that_are_meant_is_refused(
    bucket: BucketClient, ref: str, name: str
) -> None:
    make, text = SOURCES[name]
    for call in (bucket.put, bucket.ensure):
        with pytest.raises(SourceError, match=text) as caught:
            call(ref, make())
        assert caught.value.code == "source_invalid"
    assert not bucket.exists(ref)


@pytest.mark.usefixtures("work")
def test_a_text_that_is_no_path_says_how_to_store_text(bucket: BucketClient, ref: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"give text\.encode\(\) to store text: 'some text'"):
        bucket.put(ref, "some text")
    with pytest.raises(FileNotFoundError, match="no such file: 'missing'"):
        bucket.put(ref, Path("missing"))


@pytest.mark.usefixtures("work")
def test_zero_bytes_are_stored_if_they_are_meant(bucket: BucketClient, ref: str) -> None:
    Path("empty").touch()
    with open("empty", "rb") as file:
        for number, source in enumerate([b"", io.BytesIO(), "empty", file, iter([])]):
            assert bucket.put(f"{ref}-{number}", source).entry.size == 0


FOLDERS = [
    (None, InvalidRequestError, "folder is of the type NoneType"),
    ("", InvalidRequestError, "folder is empty"),
    ("a\0b", InvalidRequestError, "NUL"),
    ("file", SourceError, r"'file' is a file. Store it with put\(\)"),
    ("missing", FileNotFoundError, "missing"),
]


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize(("folder", "kind", "text"), FOLDERS)
def test_a_push_of_what_is_no_folder_is_refused(
    bucket: BucketClient, ref: str, folder: Any, kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind, match=text):
        bucket.push(ref, folder, digest_cache=False)
    assert not bucket.exists(ref)


LOCKS = [
    (5, InvalidRequestError, "of the type int"),
    ("", InvalidRequestError, "is empty"),
    ("a\0b", InvalidRequestError, "NUL"),
    ("folder", LockFileError, "'folder' is a folder. Name the lock file in it"),
]


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize(("lock", "kind", "text"), LOCKS)
def test_a_lock_that_is_no_lock_file_is_refused_before_anything_is_stored(
    bucket: BucketClient, ref: str, lock: Any, kind: type[Exception], text: str
) -> None:
    calls: list[Callable[[], object]] = [
        lambda: bucket.put(ref, b"x", lock=lock),
        lambda: bucket.ensure(ref, b"x", lock=lock),
        lambda: bucket.push(ref, "folder", lock=lock),
        lambda: bucket.get(ref, locked=lock),
        lambda: bucket.download(ref, "new", locked=lock),
        lambda: bucket.pull(ref, "new", locked=lock),
    ]
    for call in calls:
        with pytest.raises(kind, match=text):
            call()
    assert not bucket.exists(ref)


def test_a_lock_file_that_does_not_exist_is_said_to_be_that(bucket: BucketClient, stored: ArtifactReference) -> None:
    with pytest.raises(LockFileError, match=r"lock file '/no/such\.lock' does not exist.*lock="):
        bucket.get(stored, locked="/no/such.lock")


@pytest.mark.usefixtures("work")
def test_a_lock_file_never_gets_a_line_that_no_reader_takes(stored: ArtifactReference) -> None:
    lock = LockFile("bucket.lock")
    for wrong in (lambda: lock.add(stored.unpinned(), 5), lambda: lock.add(stored, "5"), lambda: lock.add(stored, -1)):  # type: ignore[arg-type]
        with pytest.raises(InvalidRequestError):
            wrong()
    assert not lock.path.exists()
    lock.add(str(stored), 5)  # type: ignore[arg-type]
    assert lock.read()[stored.name] == (stored, 5)


OPTIONS: list[tuple[Callable[[BucketClient, str], object], str]] = [
    # A text that is not empty is true: this would replace the file.
    (lambda bucket, ref: bucket.download(ref, "file", overwrite="no"), "overwrite is of the type str; give True or"),  # type: ignore[arg-type]
    (lambda bucket, ref: bucket.pull(ref, "folder", overwrite="no"), "overwrite is of the type str"),  # type: ignore[arg-type]
    (lambda bucket, ref: bucket.push(ref, "folder", dry_run="no"), "dry_run is of the type str"),  # type: ignore[arg-type]
    (lambda bucket, ref: bucket.push(ref, "folder", follow_symlinks=1), "follow_symlinks is of the type int"),  # type: ignore[arg-type]
    # The characters of a text would be the patterns: this would store an empty folder.
    (
        lambda bucket, ref: bucket.push(ref, "folder", include="*.py"),
        r"include is a single str; give a list: \['\*\.py'\]",
    ),
    (lambda bucket, ref: bucket.push(ref, "folder", exclude=[5]), "exclude has 5; give a list of patterns"),  # type: ignore[list-item]
    (lambda bucket, ref: bucket.push(ref, "folder", include=5), "include has 5"),  # type: ignore[arg-type]
    (lambda bucket, ref: bucket.push(ref, "folder", parallel=0), "parallel is 0; give a whole number from 1 on"),
    (lambda bucket, ref: bucket.pull(ref, "new", parallel="x"), "parallel is of the type str"),  # type: ignore[arg-type]
    (lambda bucket, ref: bucket.push(ref, "folder", digest_cache=5), "digest_cache is of the type int"),  # type: ignore[arg-type]
    (lambda bucket, ref: bucket.push(ref, "folder", uploaded_by=5), "uploaded_by is of the type int; give a str"),  # type: ignore[arg-type]
    (lambda bucket, ref: bucket.put(ref, b"x", uploaded_by=5), "uploaded_by is of the type int; give a str"),  # type: ignore[arg-type]
    (lambda bucket, ref: bucket.put(ref, b"x", content_type=b"x"), "content_type is of the type bytes"),  # type: ignore[arg-type]
    (lambda bucket, ref: bucket.put(ref, b"x", size=True), "size is of the type bool"),
    (lambda bucket, ref: bucket.put(ref, b"x", progress=5), "progress is of the type int; give a function"),  # type: ignore[arg-type]
    (lambda bucket, ref: bucket.download(ref, "new", progress="yes"), "progress is of the type str"),  # type: ignore[arg-type]
    (lambda bucket, ref: bucket.get(ref, progress=1), "progress is of the type int"),  # type: ignore[arg-type]
    (lambda bucket, ref: bucket.list_versions("a/b", page=0), "page is 0; give a whole number from 1 to 1000"),
    (lambda bucket, ref: bucket.list_versions("a/b", page="x"), "page is of the type str"),  # type: ignore[arg-type]
    (lambda bucket, ref: bucket.read_range(ref, 5, 0, 2), "is not pinned"),
    (lambda bucket, ref: bucket.read_range(f"{ref}@{ZEROS}", 5, -1, 2), "start is -1"),
    (
        lambda bucket, ref: bucket.read_range(f"{ref}@{ZEROS}", 5, 3, 2),
        "range is from 3 to 2; give start <= end <= size",
    ),
    (lambda bucket, ref: bucket.read_range(f"{ref}@{ZEROS}", 5, 0, 6), "range is from 0 to 6"),
    (lambda bucket, ref: bucket.read_range(f"{ref}@{ZEROS}", "5", 0, 2), "size is of the type str"),  # type: ignore[arg-type]
    (lambda bucket, ref: bucket.upload(ref, 5), "digest is of the type int"),  # type: ignore[arg-type]
    (lambda bucket, ref: bucket.abort_upload(ref), "is not pinned"),
    (lambda bucket, ref: bucket.entry(""), "ref '' is not bucket_id/artifact_id/version"),
    (lambda bucket, ref: bucket.exists(f"{ref}\0"), r"version contains '\\x00'"),
    (lambda bucket, ref: bucket.manifest(5), "ref is of the type int"),  # type: ignore[arg-type]
    (lambda bucket, ref: ArtifactReference.parse(None), "ref is of the type NoneType"),  # type: ignore[arg-type]
    (lambda bucket, ref: content_version(5), "digest is of the type int"),  # type: ignore[arg-type]
    (lambda bucket, ref: FolderManifest.from_bytes("{}"), "manifest is of the type str; give its bytes"),  # type: ignore[arg-type]
    (lambda bucket, ref: LockFile(None), "lock file is of the type NoneType"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("call", "text"), OPTIONS, ids=[text for _, text in OPTIONS])
def test_a_wrong_option_is_refused_before_anything_happens(
    bucket: BucketClient, ref: str, work: Path, call: Callable[[BucketClient, str], object], text: str
) -> None:
    with pytest.raises(InvalidRequestError, match=text):
        call(bucket, ref)
    assert not bucket.exists(ref)
    assert sorted(path.name for path in work.iterdir()) == ["file", "folder"]
    assert Path("file").read_text() == "mine"


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (5, "5 is not a FileEntry"),
        (FileEntry("a", "5", ZEROS), "size of 'a' is of the type str, not int"),  # type: ignore[arg-type]
        (FileEntry(5, 5, ZEROS), "path of 5 is of the type int, not str"),  # type: ignore[arg-type]
        (FileEntry("a", 5, ZEROS, executable="no"), "executable of 'a' is of the type str, not bool"),  # type: ignore[arg-type]
        (FileEntry("a", 5, "0" * 64), "the digest of 'a' has no prefix"),
        (FileEntry("a", 5, ZEROS, ref=5), "the ref of 'a': ref is of the type int"),  # type: ignore[arg-type]
    ],
)
def test_a_manifest_of_wrong_entries_cannot_be_made(entry: Any, text: str) -> None:
    with pytest.raises(ManifestError, match=text):
        FolderManifest([entry])


def test_a_stream_says_that_it_is_closed(bucket: BucketClient, stored: ArtifactReference) -> None:
    stream = bucket.get(stored)
    stream.close()
    for read in (stream.read, stream.read1, lambda: stream.readinto(bytearray(5))):
        with pytest.raises(ValueError, match="closed"):
            read()
