"""The partial file of a download. Its name contains the digest, and one process uses it at a time.

Its bytes are always a prefix of the artifact, so its size says where to continue.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import BinaryIO

from .errors import error
from .refs import digest_hex
from .timing import Standstill

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".bucket-part"
#: A partial file that no process has used for this long is removed. Seconds.
STALE_SECONDS = 7 * 24 * 3600
#: How often a wait for another process looks again. Seconds.
_TICK = 0.2


def partial_name(digest: str) -> str:
    """Return the name of the partial file of a digest."""
    return f".{digest_hex(digest)}{SUFFIX}"


@contextlib.contextmanager
def partial_file(
    folder: Path, digest: str, is_done: Callable[[], bool], patience: float
) -> Generator[tuple[BinaryIO, Path] | None]:
    """Take the partial file of ``digest`` in ``folder``, waiting for another process that has it.

    Yields the open file (for reading and writing) and its path, or ``None`` if ``is_done`` became true while another
    process had it. The file stays where it is until the caller renames or removes it.

    Args:
        folder: where the download will have its name.
        digest: of the whole artifact.
        is_done: whether the other process has completed the target.
        patience: seconds that another process may take without its file growing.

    Raises:
        TargetError: ``target_busy``.
        OSError: the folder cannot be written.
    """
    path = folder / partial_name(digest)
    standstill = Standstill()
    while True:
        file = _open(path)
        locked = try_lock(file.fileno())
        if locked is None:
            # This file system cannot lock: use a file that no other process can find.
            file.close()
            path = folder / f".{secrets.token_hex(16)}{SUFFIX}"
            file = _open(path)
            break
        if locked and _is_at(file, path):
            break
        size = os.fstat(file.fileno()).st_size
        file.close()
        if is_done():
            yield None
            return
        if locked:
            continue
        if standstill.seconds(size) > patience:
            raise error("target_busy", f"another process has {path}, which has not grown for {patience:.0f} s")
        time.sleep(_TICK)
    with file:
        # The other process may have finished between the caller's look at the target and this one's lock.
        if is_done():
            path.unlink(missing_ok=True)
            yield None
            return
        yield file, path


def _open(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666), "r+b", buffering=0)


def try_lock(file: int) -> bool | None:
    """Lock an open file or folder until it is closed, and return whether that succeeded.

    ``None`` if nothing can be locked here.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_at(file: BinaryIO, path: Path) -> bool:
    """Whether the file still has its name. The process that held it before may have renamed or removed it."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def remove_stale(folder: Path) -> None:
    """Remove partial files that no process has used for a week."""
    try:
        found = [entry for entry in os.scandir(folder) if entry.name.endswith(SUFFIX)]
    except OSError:
        # The folder cannot be read, or is missing, which the download itself reports.
        return
    for entry in found:
        with contextlib.suppress(OSError):
            if time.time() - entry.stat().st_mtime > STALE_SECONDS:
                with _open(Path(entry.path)) as file:
                    if try_lock(file.fileno()):
                        Path(entry.path).unlink()
