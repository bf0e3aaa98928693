"""The lock file: pinned refs that a project depends on, one per line (docs/manifest.md)."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from .checks import check_count, check_path
from .errors import BucketError, error
from .refs import ArtifactReference, pinned_reference
from .target import UNWRITABLE

_HEADER = "# bucket-lock 1"
_LINE = re.compile(r"(\S+@sha256:[0-9a-f]{64}) (0|[1-9][0-9]{0,15})")
#: How long a writer waits for another one. Seconds.
_WRITER_SECONDS = 30.0


class LockFile:
    """A lock file by its path. A missing file locks nothing."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Read nothing yet.

        Raises:
            InvalidRequestError: not a path.
        """
        self.path = check_path("lock file", path)

    def read(self) -> dict[str, tuple[ArtifactReference, int]]:
        """Return the pinned refs and their sizes in bytes, by ``bucket_id/artifact_id/version``.

        Raises:
            LockFileError: ``lock_invalid``, with the number of the line.
        """
        try:
            lines = self.path.read_text("ascii").split("\n")
        except FileNotFoundError:
            return {}
        except IsADirectoryError:
            raise error("lock_invalid", f"{str(self.path)!r} is a folder", next="Name the lock file in it.") from None
        except UnicodeDecodeError:
            raise error("lock_invalid", f"{self.path} is not ASCII text") from None
        if lines[0].rstrip("\r") != _HEADER:
            raise error("lock_invalid", f"{self.path}:1 is not {_HEADER!r}")
        found: dict[str, tuple[ArtifactReference, int]] = {}
        for number, line in enumerate(lines[1:], 2):
            if line.strip() == "":
                continue
            match = _LINE.fullmatch(line.rstrip("\r"))
            try:
                ref = ArtifactReference.parse(match[1]) if match else None
            except BucketError:
                ref = None
            if match is None or ref is None:
                raise error("lock_invalid", f"{self.path}:{number} is not a pinned ref and a size")
            locked = (ref, int(match[2]))
            if found.setdefault(ref.name, locked) != locked:
                raise error("lock_invalid", f"{self.path}:{number} locks {ref.name} to a second digest or size")
        return found

    def pin(self, ref: ArtifactReference) -> ArtifactReference:
        """Return ``ref``, pinned to the locked digest.

        Raises:
            LockFileError: ``not_locked``; ``lock_differs`` if ``ref`` is pinned to another digest; ``lock_invalid``.
        """
        locked = self.read().get(ref.name)
        if locked is None:
            why = f"does not name {ref.name}" if self.path.exists() else "does not exist"
            raise error("not_locked", f"the lock file {str(self.path)!r} {why}")
        if ref.digest not in (None, locked[0].digest):
            raise error("lock_differs", f"{self.path} locks {locked[0]}, not {ref}")
        return locked[0]

    def check(self, ref: ArtifactReference | None = None) -> None:
        """Check before a store that :meth:`add` can succeed.

        Args:
            ref: pinned, once the bytes are known: it must not be locked with another digest.

        Raises:
            LockFileError: ``lock_invalid``: its lines, or a folder in which it cannot be written; ``lock_differs``;
                ``lock_busy``.
            OSError: the file cannot be read, or its folder does not exist.
        """
        self.path.parent.stat()
        new = self.path.with_name(f"{self.path.name}.new")
        os.close(_create(new))
        try:
            locked = self.read()
            if ref is not None and ref.name in locked and locked[ref.name][0] != ref:
                raise error("lock_differs", f"{self.path} locks {locked[ref.name][0]}, not {ref}")
        finally:
            new.unlink(missing_ok=True)

    def add(self, ref: ArtifactReference, size: int) -> None:
        """Add a pinned ref with its size in bytes, sorted among the others. A line that exists is never changed.

        Raises:
            InvalidRequestError: the ref is not pinned, or the size is not a number of bytes.
            LockFileError: ``lock_differs`` if the ref is locked with other bytes; ``lock_busy``; ``lock_invalid``.
            OSError: the disk is full or fails.
        """
        ref = pinned_reference(ref, None)
        check_count("size", size, 0)
        new = self.path.with_name(f"{self.path.name}.new")
        handle = _create(new)
        try:
            with os.fdopen(handle, "w", encoding="ascii", newline="\n") as file:
                refs = self.read()
                locked = refs.setdefault(ref.name, (ref, size))
                if locked != (ref, size):
                    raise error(
                        "lock_differs",
                        f"{self.path} locks {locked[0]} ({locked[1]} bytes), not {ref} ({size})",
                    )
                lines = sorted(f"{pinned} {bytes_}" for pinned, bytes_ in refs.values())
                file.write("\n".join([_HEADER, *lines, ""]))
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise


def _create(path: Path) -> int:
    """Create the file that becomes the lock file. It also keeps two writers apart."""
    ends = time.monotonic() + _WRITER_SECONDS
    while True:
        try:
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            if time.monotonic() > ends:
                raise error("lock_busy", f"{path} has existed for {_WRITER_SECONDS:.0f} s") from None
            time.sleep(0.05)
        except OSError as problem:
            if problem.errno in UNWRITABLE:
                raise _unwritable(path, str(problem.strerror)) from problem
            raise


def _unwritable(path: Path, why: str) -> BucketError:
    return error(
        "lock_invalid",
        f"the lock file cannot be written in {str(path.parent)!r}: {why}",
        next="Name a lock file in a folder that you may write.",
    )
