"""A dataset as a folder: pushed, changed, pushed again, locked for an experiment, and pulled elsewhere.

Run: python dataset_snapshot.py
"""

from __future__ import annotations

import json
import tempfile
import uuid
from pathlib import Path

from bucket_client import BucketClient, DigestError, LockFile


def make_dataset(folder: Path) -> None:
    (folder / "train").mkdir(parents=True)
    for number in range(20):
        rows = [{"text": f"example {number}-{row}", "label": row % 2} for row in range(50)]
        (folder / "train" / f"{number:03}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "README.md").write_text("Twenty shards of fifty rows.\n")


def main() -> None:
    bucket = BucketClient()
    dataset = f"demo/reviews-{uuid.uuid4().hex[:8]}"
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        make_dataset(work / "reviews")

        # The experiment's lock file goes into version control with its code.
        lock = work / "bucket.lock"
        first = bucket.push(f"{dataset}/2026-11-01", work / "reviews", lock=lock)
        print(f"pushed {len(first.manifest.files)} files, sent {len(first.sent)}")

        # One shard is corrected. The next version of the dataset shares all the other shards with the first.
        (work / "reviews" / "train" / "007.jsonl").write_text('{"text": "corrected", "label": 1}\n')
        second = bucket.push(f"{dataset}/2026-11-02", work / "reviews")
        print(f"pushed {len(second.manifest.files)} files, sent {len(second.sent)}")

        # Elsewhere: exactly what the lock file names, or an error.
        pulled = bucket.pull(f"{dataset}/2026-11-01", work / "copy", locked=lock)
        print("pulled", pulled.ref.version, "with", sum(1 for _ in (work / "copy" / "train").iterdir()), "shards")
        again = bucket.pull(f"{dataset}/2026-11-01", work / "copy", locked=lock)
        print("fetched again:", again.fetched, "bytes")

        try:
            bucket.pull(f"{dataset}/2026-11-02", work / "other", digest=LockFile(lock).read()[first.ref.name][0].digest)
        except DigestError as problem:
            print("refused:", problem.code)


if __name__ == "__main__":
    main()
