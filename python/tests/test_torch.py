"""Promises about PyTorch.

Its wheel for Linux has 540 MB and needs 5 GB of libraries for GPUs, also on a machine without one. So CI skips these
tests; run them where PyTorch is installed.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import fsspec
import pytest

from bucket_client import BucketClient
from bucket_client.filesystem import BucketFileSystem

torch: Any = pytest.importorskip("torch", reason="PyTorch takes 5 GB; run these tests where it is installed")


@pytest.fixture(autouse=True)
def _url(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUCKET_URL", url)


@pytest.fixture
def fs() -> BucketFileSystem:
    return fsspec.filesystem("bucket")


@pytest.mark.parametrize("numbers", [1000, 4_000_000])
def test_a_state_is_saved_and_loaded(fs: BucketFileSystem, bucket: BucketClient, ref: str, numbers: int) -> None:
    weights = torch.arange(numbers)
    with fs.open(ref, "wb") as file:
        torch.save({"weights": weights}, file)
    with fs.open(ref) as file:
        assert torch.equal(torch.load(file)["weights"], weights)
    with bucket.get(ref) as stream:
        assert torch.equal(torch.load(io.BytesIO(stream.read()))["weights"], weights)


def test_a_distributed_checkpoint_is_pushed_and_read_in_place(bucket: BucketClient, ref: str, tmp_path: Path) -> None:
    checkpoint: Any = pytest.importorskip("torch.distributed.checkpoint")
    storage: Any = pytest.importorskip("torch.distributed.checkpoint.fsspec_filesystem")
    # One process without a group of others, and the future of an interface of PyTorch's own.
    warnings.simplefilter("ignore")
    state = {"model": {"weights": torch.randn(300, 300)}, "step": 7}
    checkpoint.save(state, checkpoint_id=str(tmp_path / "checkpoint"))
    bucket.push(ref, tmp_path / "checkpoint", digest_cache=False)
    into = {"model": {"weights": torch.empty(300, 300)}, "step": 0}
    checkpoint.load(into, storage_reader=storage.FsspecReader(f"bucket://{ref}"))
    assert torch.equal(into["model"]["weights"], state["model"]["weights"])
    assert into["step"] == 7
    with pytest.raises(BaseException, match=r"BucketClient\.push"):
        checkpoint.save(state, storage_writer=storage.FsspecWriter(f"bucket://{ref}-2"))


class Shards(torch.utils.data.Dataset):
    """Reads with a client and a file system that were made before the workers."""

    def __init__(self, client: BucketClient, refs: list[str]) -> None:
        self.client = client
        self.files = BucketFileSystem(client=client)
        self.refs = refs

    def __len__(self) -> int:
        return len(self.refs)

    def __getitem__(self, number: int) -> Any:
        data = self.client.get(self.refs[number]).read()
        assert self.files.cat(self.refs[number]) == data
        return torch.frombuffer(bytearray(data), dtype=torch.uint8).sum()


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_a_data_loader_read_with_the_client_of_the_data_set(
    bucket: BucketClient, ref: str, method: str
) -> None:
    artifact = ref.rsplit("/", 1)[0]
    shards = Shards(bucket, [str(bucket.put(f"{artifact}/{number}", bytes([number]) * 10).ref) for number in range(16)])
    loader = torch.utils.data.DataLoader(shards, batch_size=4, num_workers=2, multiprocessing_context=method)
    assert sum(int(batch.sum()) for batch in loader) == sum(range(16)) * 10
