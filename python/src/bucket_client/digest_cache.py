"""Digests of unchanged local files, so that a second push does not read them again.

A file counts as unchanged if device, inode, size, modification time and change time are the same. A file that was
changed within the last seconds is not remembered: a later change could leave all of these as they are.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from pathlib import Path

#: Coarse clocks of file systems tick within this. Nanoseconds.
_SETTLED_NS = 2_000_000_000
#: Digests that no push has used for this long are dropped. Seconds.
_KEEP_SECONDS = 90 * 24 * 3600
_TABLE = """
CREATE TABLE IF NOT EXISTS digests (
  device INTEGER, inode INTEGER, size INTEGER, modified_ns INTEGER, changed_ns INTEGER,
  digest TEXT NOT NULL, used_at INTEGER NOT NULL,
  PRIMARY KEY (device, inode)
) WITHOUT ROWID
"""


def default_cache_path() -> Path:
    """Return where the cache is: ``$XDG_CACHE_HOME/bucket/digests.sqlite``, else below ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "bucket" / "digests.sqlite"


class DigestCache:
    """The cache in one file. A cache that cannot be used is as good as an empty one."""

    def __init__(self, path: Path | None) -> None:
        """Open the cache; ``None`` for none."""
        self._lock = threading.Lock()
        self._found: list[tuple[int, int, int, int, int, str, int]] = []
        self._connection: sqlite3.Connection | None = None
        if path is None:
            return
        with contextlib.suppress(OSError, sqlite3.Error):
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(path, timeout=5, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(_TABLE)
            self._connection = connection

    def get(self, status: os.stat_result) -> str | None:
        """Return the digest of an unchanged file."""
        if self._connection is None:
            return None
        with self._lock, contextlib.suppress(sqlite3.Error):
            row = self._connection.execute(
                "SELECT digest FROM digests"
                " WHERE device = ? AND inode = ? AND size = ? AND modified_ns = ? AND changed_ns = ?",
                _key(status),
            ).fetchone()
            return None if row is None else str(row[0])
        return None

    def add(self, status: os.stat_result, digest: str) -> None:
        """Remember the digest of a file whose status was the same before and after it was hashed."""
        now = time.time_ns()
        if max(status.st_mtime_ns, status.st_ctime_ns) > now - _SETTLED_NS:
            return
        with self._lock:
            self._found.append((*_key(status), digest, now // 1_000_000_000))

    def close(self) -> None:
        """Write what was added, and drop what is old."""
        connection = self._connection
        if connection is None:
            return
        with self._lock, contextlib.suppress(sqlite3.Error), connection:
            connection.executemany("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?, ?, ?, ?)", self._found)
            connection.execute("DELETE FROM digests WHERE used_at < ?", (int(time.time()) - _KEEP_SECONDS,))
        connection.close()
        self._connection = None


def _key(status: os.stat_result) -> tuple[int, int, int, int, int]:
    # SQLite's integers are signed, and inodes may use all 64 bits.
    signed = [number - (1 << 64) if number >= 1 << 63 else number for number in (status.st_dev, status.st_ino)]
    return (signed[0], signed[1], status.st_size, status.st_mtime_ns, status.st_ctime_ns)
