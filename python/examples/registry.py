"""A registry in SQLite that knows which version is current. Bucket keeps bytes; decisions that change belong here.

Run: python registry.py (with a server at BUCKET_URL, or on this machine)
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import uuid
from pathlib import Path

from bucket_client import ArtifactReference, BucketClient


class Registry:
    """Names, and the pinned references that they stand for at the moment. History is kept."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._database = sqlite3.connect(path)
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS decisions ("
            " id INTEGER PRIMARY KEY, name TEXT NOT NULL, reference TEXT NOT NULL,"
            " decided_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)"
        )

    def set(self, name: str, reference: ArtifactReference) -> None:
        """Let ``name`` stand for a pinned reference: a registry never points to bytes that it does not know."""
        if reference.digest is None:
            raise ValueError(f"{reference} is not pinned")
        with self._database:
            self._database.execute("INSERT INTO decisions (name, reference) VALUES (?, ?)", (name, str(reference)))

    def get(self, name: str) -> ArtifactReference:
        """Return what ``name`` stands for now."""
        row = self._database.execute(
            "SELECT reference FROM decisions WHERE name = ? ORDER BY id DESC LIMIT 1", (name,)
        ).fetchone()
        if row is None:
            raise KeyError(name)
        return ArtifactReference.parse(row[0])

    def history(self, name: str) -> list[ArtifactReference]:
        """Return all that ``name`` stood for, the newest first."""
        rows = self._database.execute("SELECT reference FROM decisions WHERE name = ? ORDER BY id DESC", (name,))
        return [ArtifactReference.parse(row[0]) for row in rows]


def main() -> None:
    bucket = BucketClient()
    artifact = f"demo/classifier-{uuid.uuid4().hex[:8]}"
    with tempfile.TemporaryDirectory() as folder:
        registry = Registry(Path(folder) / "registry.sqlite")
        for run, weights in enumerate([b"first weights", b"better weights", b"worse weights"], 1):
            stored = bucket.put(f"{artifact}/run-{run}", weights, provenance_source=f"run-{run}")
            registry.set("classifier/latest", stored.ref)
        print("latest is", registry.get("classifier/latest").version)

        # The third run turned out to be worse. A rollback is a decision; no bytes move.
        registry.set("classifier/latest", registry.history("classifier/latest")[1])
        current = registry.get("classifier/latest")
        print("latest is", current.version)
        print(bucket.get(current).read().decode())


if __name__ == "__main__":
    main()
