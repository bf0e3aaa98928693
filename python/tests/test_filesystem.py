"""Promises about ``bucket://``, shown with the libraries that people use it from."""

from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from bucket_client import BearerAuth, BucketClient, DigestError, NetworkError
from bucket_client.filesystem import BucketFileSystem
from proxy import Fault, FaultyProxy

MIB = 1 << 20
Proxied = Callable[..., tuple[BucketClient, FaultyProxy]]


@pytest.fixture(autouse=True)
def _url(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings come from the environment, as in a notebook."""
    monkeypatch.setenv("BUCKET_URL", url)
    BucketFileSystem.clear_instance_cache()


@pytest.fixture
def fs() -> BucketFileSystem:
    return fsspec.filesystem("bucket")


def test_a_file_is_created_by_writing_and_read_at_any_position(fs: BucketFileSystem, ref: str) -> None:
    data = os.urandom(100_000)
    with fs.open(f"bucket://{ref}", "wb", content_type="application/x-test") as file:
        file.write(data[:10])
        file.write(data[10:])
    with fs.open(ref) as file:
        assert file.read(5) == data[:5]
        file.seek(-7, 2)
        assert file.read() == data[-7:]
        file.seek(50_000)
        assert file.read(1000) == data[50_000:51_000]
    info = fs.info(f"bucket://{ref}")
    assert (info["size"], info["type"], info["content_type"]) == (100_000, "file", "application/x-test")
    assert fs.checksum(ref) == info["digest"]
    assert fs.cat(f"bucket://{ref}@{info['digest']}") == data
    assert fs.cat_file(ref, 10, 20) == data[10:20]
    assert fs.cat_file(ref, -10) == data[-10:]
    assert fs.cat_ranges([ref, ref], [0, 5], [3, 9]) == [data[:3], data[5:9]]
    assert fs.ukey(ref) == info["digest"]
    assert fs.modified(ref) == fs.created(ref)


def test_other_bytes_are_a_file_that_exists_and_the_same_bytes_are_silent(fs: BucketFileSystem, ref: str) -> None:
    for mode in ("wb", "xb"):
        with fs.open(ref, mode) as file:
            file.write(b"same")
    for mode in ("wb", "xb"):
        file = fs.open(ref, mode)
        file.write(b"other")
        with pytest.raises(FileExistsError, match="new version"):
            file.close()
    with pytest.raises(FileExistsError):
        fs.pipe(ref, b"other")
    assert fs.cat(ref) == b"same"


def test_an_exception_while_writing_stores_nothing(fs: BucketFileSystem, ref: str) -> None:
    def write_directly() -> None:
        with fs.open(ref, "wb") as file:
            file.write(b"half")
            raise RuntimeError("stop")

    def write_by_open_file() -> None:
        with fsspec.open(f"bucket://{ref}", "wb") as file:
            file.write(b"half")  # type: ignore[union-attr]
            raise RuntimeError("stop")

    def write_text() -> None:
        with fs.open(ref, "w") as file:
            file.write("half")
            raise RuntimeError("stop")

    for write in (write_directly, write_by_open_file, write_text):
        with pytest.raises(RuntimeError, match="stop"):
            write()
        assert not fs.exists(ref), write.__name__
    # A file that is written because something else failed is complete.
    try:
        raise KeyError
    except KeyError:
        with fs.open(ref, "wb") as file:
            file.write(b"after a failure")
    assert fs.cat(ref) == b"after a failure"


def test_a_file_that_is_forgotten_stores_nothing_and_says_so(fs: BucketFileSystem, ref: str) -> None:
    with pytest.warns(RuntimeWarning, match=f"bucket://{ref} was not closed, so nothing was stored"):
        fs.open(ref, "wb").write(b"forgotten")
    assert not fs.exists(ref)
    with fs.open(ref, "wb") as file:
        file.write(b"closed")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(FileExistsError):
            fs.open(ref, "xb").close()


def test_what_does_not_exist_is_file_not_found_and_a_failure_is_not(
    fs: BucketFileSystem, ref: str, proxied: Proxied
) -> None:
    for call in (fs.info, fs.open, fs.cat_file, fs.ls, fs.checksum):
        with pytest.raises(FileNotFoundError):
            call(ref)
    assert not fs.exists(ref)
    assert not fs.isfile(ref)
    client, proxy = proxied()
    proxy.is_down = True
    broken = BucketFileSystem(client=client)
    for call in (broken.exists, broken.isfile, broken.isdir):
        with pytest.raises(NetworkError):
            call(ref)
    with pytest.raises(ValueError, match="position"):
        fs.info("tests/a b/v1")


def test_an_unknown_option_is_refused_instead_of_leading_to_another_server(ref: str) -> None:
    with pytest.raises(TypeError, match="unknown option 'uri' of bucket://; valid options: url, auth"):
        fsspec.filesystem("bucket", uri="http://127.0.0.1:1/v1")
    assert not fsspec.filesystem("bucket", skip_instance_cache=True, use_listings_cache=False).exists(ref)


def test_an_instance_is_used_again_only_for_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    made = fsspec.filesystem("bucket")
    assert fsspec.filesystem("bucket") is made
    # In a notebook the address is often set after the first call has failed.
    monkeypatch.setenv("BUCKET_URL", "http://127.0.0.1:1/v1")
    assert fsspec.filesystem("bucket") is not made
    monkeypatch.setenv("BUCKET_AUTH", "bearer")
    by_token = set()
    for token in ("one", "another"):
        monkeypatch.setenv("BUCKET_TOKEN", token)
        by_token.add(id(fsspec.filesystem("bucket")))
        by_token.add(id(fsspec.filesystem("bucket", auth=BearerAuth(token))))
        by_token.add(id(fsspec.filesystem("bucket", client=BucketClient(auth=BearerAuth(token)))))
    assert len(by_token) == 6
    assert fsspec.filesystem("bucket", auth=BearerAuth("one")) is fsspec.filesystem("bucket", auth=BearerAuth("one"))


def test_touch_is_refused_because_zero_bytes_could_never_be_replaced(fs: BucketFileSystem, ref: str) -> None:
    for truncate in (True, False):
        with pytest.raises(NotImplementedError, match="can never be replaced"):
            fs.touch(ref, truncate=truncate)
    assert not fs.exists(ref)
    fs.pipe(ref, b"")
    assert fs.info(ref)["size"] == 0


def test_wrong_inputs_are_refused_with_what_to_give(fs: BucketFileSystem, ref: str, tmp_path: Path) -> None:
    fs.pipe(ref, b"x")
    (tmp_path / "file").write_text("never stored by mistake")
    for path in (None, 5, b"x"):
        with pytest.raises(ValueError, match="give bucket://bucket_id/artifact_id/version"):
            fs.info(path)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="pipe takes bytes, not str"):
        fs.pipe(f"{ref}-2", str(tmp_path / "file"))
    with pytest.raises(
        TypeError, match="unknown option 'uploadedby' of a new file; valid options: content_type, uploaded_by"
    ):
        fs.open(f"{ref}-2", "wb", uploadedby="me")
    with pytest.raises(ValueError, match="uploaded_by"):
        fs.open(f"{ref}-2", "wb", uploaded_by="")
    with pytest.raises(ValueError, match="version is empty"):
        fs.info(ref.replace("/v1", "//v1"))
    with pytest.raises(FileNotFoundError, match=r"no such file: .*missing"):
        fs.put(str(tmp_path / "missing"), f"{ref}-2")
    with pytest.raises(IsADirectoryError, match="only a stored version has 'created'"):
        fs.created(ref.rsplit("/", 1)[0])
    assert not fs.exists(f"{ref}-2")
    assert not fs.exists(f"{ref}/below-a-file")
    assert not fs.exists(f"{ref}@sha256:{'0' * 64}")
    for setting in ({"client": 5}, {"uploaded_by": 5}):
        with pytest.raises((TypeError, ValueError), match="of the type int; give"):
            BucketFileSystem(**setting)  # type: ignore[arg-type]
    with fs.open(f"{ref}-3", "wb", uploaded_by="me", provenance_source="run-47") as file:
        file.write(b"described")
    assert fs.info(f"{ref}-3")["provenance_source"] == "run-47"


def test_an_artifact_lists_its_versions(fs: BucketFileSystem, ref: str) -> None:
    artifact = ref.rsplit("/", 1)[0]
    for name in ("b.csv", "a.csv", "c.txt"):
        fs.pipe(f"{artifact}/{name}", name.encode())
    assert fs.ls(f"bucket://{artifact}", detail=False) == [f"{artifact}/{name}" for name in ("a.csv", "b.csv", "c.txt")]
    assert fs.glob(f"bucket://{artifact}/*.csv") == [f"{artifact}/a.csv", f"{artifact}/b.csv"]
    assert fs.isdir(artifact)
    assert fs.find(artifact) == fs.ls(artifact, detail=False)
    with pytest.raises(NotImplementedError, match="registry"):
        fs.ls("tests")


def test_nothing_is_changed_moved_or_removed(fs: BucketFileSystem, ref: str) -> None:
    fs.pipe(ref, b"x")
    for call in (lambda: fs.rm(ref), lambda: fs.mv(ref, ref + "2"), lambda: fs.cp_file(ref, ref + "2")):
        with pytest.raises(NotImplementedError, match="never"):
            call()
    for mode in ("ab", "r+b"):
        with pytest.raises(ValueError, match="never changes"):
            fs.open(ref, mode)


def test_a_whole_sequential_read_of_a_large_file_is_verified(proxied: Proxied, bucket: BucketClient, ref: str) -> None:
    data = os.urandom(MIB) * 20
    bucket.put(ref, data)
    client, proxy = proxied()
    proxy.faults = [Fault(), Fault(flip_at=6 * MIB)]
    broken = BucketFileSystem(client=client)
    file = broken.open(ref, block_size=MIB)
    proxy.cut()
    with pytest.raises(DigestError):
        list(iter(lambda: file.read(300_000), b""))
    assert broken.cat(ref) == data
    with broken.open(ref) as again:
        assert b"".join(iter(lambda: again.read(3 * MIB), b"")) == data
        again.seek(19 * MIB)
        assert again.read() == data[19 * MIB :]


def test_a_small_file_is_verified_however_it_is_read(proxied: Proxied, bucket: BucketClient, ref: str) -> None:
    bucket.put(ref, b"x" * 100_000)
    client, proxy = proxied()
    proxy.faults = [Fault(flip_at=50_000)]
    with pytest.raises(DigestError):
        BucketFileSystem(client=client).open(ref)


def test_files_pass_between_disk_and_bucket(fs: BucketFileSystem, ref: str, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"x" * 3_000_000)
    fs.put(str(tmp_path / "in"), ref)
    fs.get(ref, str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == (tmp_path / "in").read_bytes()
    with fsspec.open(f"simplecache::bucket://{ref}", simplecache={"cache_storage": str(tmp_path / "cache")}) as file:
        assert file.read(10) == b"x" * 10  # type: ignore[union-attr]


def test_a_pushed_folder_is_a_folder(fs: BucketFileSystem, bucket: BucketClient, ref: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "train" / "deep").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "train" / "0.txt").write_bytes(b"zero")
    (folder / "train" / "deep" / "1.txt").write_bytes(b"one")
    (folder / "current").symlink_to("train/deep")
    (folder / "broken").symlink_to("nowhere")
    bucket.push(ref, folder, digest_cache=False)
    assert fs.isdir(ref)
    assert fs.ls(ref, detail=False) == [f"{ref}/current", f"{ref}/empty", f"{ref}/train"]
    assert fs.find(f"{ref}/train") == [f"{ref}/train/0.txt", f"{ref}/train/deep/1.txt"]
    assert fs.cat(f"bucket://{ref}/current/1.txt") == b"one"
    assert fs.glob(f"{ref}/train/*.txt") == [f"{ref}/train/0.txt"]
    assert not fs.exists(f"{ref}/train/2.txt")
    with pytest.raises(FileNotFoundError):
        fs.open(f"{ref}/nowhere")
    with pytest.raises(IsADirectoryError):
        fs.open(f"{ref}/train")
    fs.get(ref, str(tmp_path / "out"), recursive=True)
    assert (tmp_path / "out" / "train" / "deep" / "1.txt").read_bytes() == b"one"
    with pytest.raises(NotImplementedError, match="push"):
        fs.open(f"{ref}/new.txt", "wb")


def test_a_file_system_passes_between_processes(fs: BucketFileSystem, ref: str) -> None:
    fs.pipe(ref, b"x")
    assert pickle.loads(pickle.dumps(fs)).cat(ref) == b"x"
