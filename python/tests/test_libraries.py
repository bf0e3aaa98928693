"""Promises about libraries that open ``bucket://`` paths. Tests of missing libraries skip."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest

from bucket_client import BucketClient
from bucket_client.filesystem import BucketFileSystem


@pytest.fixture(autouse=True)
def _url(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings come from the environment, as in a notebook."""
    monkeypatch.setenv("BUCKET_URL", url)


@pytest.fixture
def fs() -> BucketFileSystem:
    return fsspec.filesystem("bucket")


def test_pandas_reads_and_writes_csv_and_parquet(ref: str) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"step": range(1000), "loss": [step / 8 for step in range(1000)]})
    artifact = ref.rsplit("/", 1)[0]
    frame.to_csv(f"bucket://{artifact}/losses.csv", index=False)
    assert pandas.read_csv(f"bucket://{artifact}/losses.csv").equals(frame)
    frame.to_parquet(f"bucket://{artifact}/losses.parquet")
    assert pandas.read_parquet(f"bucket://{artifact}/losses.parquet", columns=["loss"]).equals(frame[["loss"]])


def test_pyarrow_reads_a_pushed_dataset(fs: BucketFileSystem, bucket: BucketClient, ref: str, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    dataset = pytest.importorskip("pyarrow.dataset")
    table = pyarrow.table({"part": ["a"] * 500 + ["b"] * 500, "number": range(1000)})
    dataset.write_dataset(table, tmp_path / "data", format="parquet", partitioning=["part"], partitioning_flavor="hive")
    bucket.push(ref, tmp_path / "data", digest_cache=False)
    read = dataset.dataset(ref, filesystem=fs, format="parquet", partitioning="hive")
    assert read.to_table(filter=dataset.field("part") == "b").num_rows == 500


def test_numpy_and_safetensors_pass_through(fs: BucketFileSystem, bucket: BucketClient, ref: str) -> None:
    numpy = pytest.importorskip("numpy")
    safetensors = pytest.importorskip("safetensors.numpy")
    artifact = ref.rsplit("/", 1)[0]
    weights = numpy.arange(10_000, dtype="float32").reshape(100, 100)
    with fs.open(f"{artifact}/weights.npy", "wb") as file:
        numpy.save(file, weights)
    with fs.open(f"{artifact}/weights.npy") as file:
        assert numpy.array_equal(numpy.load(file), weights)
    bucket.put(f"{artifact}/weights.safetensors", safetensors.save({"weights": weights}))
    loaded = safetensors.load(fs.cat(f"{artifact}/weights.safetensors"))
    assert numpy.array_equal(loaded["weights"], weights)
    bucket.put(f"{artifact}/raw", memoryview(weights))
    assert numpy.frombuffer(bucket.get(f"{artifact}/raw").read(), "float32").sum() == weights.sum()


def test_zarr_reads_a_pushed_array(bucket: BucketClient, ref: str, tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    numpy = pytest.importorskip("numpy")
    array = zarr.open_array(str(tmp_path / "array"), mode="w", shape=(100, 100), chunks=(10, 100), dtype="float32")
    array[:] = numpy.arange(10_000, dtype="float32").reshape(100, 100)
    bucket.push(ref, tmp_path / "array", digest_cache=False)
    read = zarr.open_array(f"bucket://{ref}", mode="r")
    assert read[50, 7] == 5007
    assert read[:].sum() == array[:].sum()


def test_datasets_loads_and_streams_a_file_and_loads_a_pushed_folder(
    bucket: BucketClient, ref: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    datasets = pytest.importorskip("datasets")
    table = pytest.importorskip("pandas").DataFrame({"text": ["a", "b", "c"], "label": [0, 1, 0]})
    path = f"bucket://{ref.rsplit('/', 1)[0]}/train.parquet"
    table.to_parquet(path)
    loaded = datasets.load_dataset("parquet", data_files={"train": path}, cache_dir=str(tmp_path / "cache"))["train"]
    assert loaded[1] == {"text": "b", "label": 1}
    streamed = datasets.load_dataset("parquet", data_files={"train": path}, streaming=True)["train"]
    assert [row["text"] for row in streamed] == ["a", "b", "c"]
    loaded.save_to_disk(str(tmp_path / "saved"))
    bucket.push(ref, tmp_path / "saved", digest_cache=False)
    assert datasets.load_from_disk(f"bucket://{ref}")["label"] == [0, 1, 0]
    with pytest.raises(NotImplementedError, match="push"):
        loaded.save_to_disk(f"bucket://{ref}-2")
