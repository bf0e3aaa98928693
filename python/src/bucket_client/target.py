"""The target of a fetch: checked before anything is fetched, and named in one step at the end."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Generator
from pathlib import Path

from .errors import BucketError, error

#: The caller may not write there, or nothing may.
UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS}
#: No file can have such a path.
_IMPOSSIBLE = {
    errno.ENAMETOOLONG: "the name is too long for this file system",
    errno.ELOOP: "its symlinks lead in a circle",
    errno.ENOENT: "no file can be made in the folder",
    errno.ENOTDIR: "a part of the path is a file",
    errno.EINVAL: "this file system cannot hold such a name",
    errno.EILSEQ: "this file system cannot hold such a name",
}


@contextlib.contextmanager
def naming_target(target: Path, folder: Path) -> Generator[None]:
    """Raise errors about the caller's target instead of internal files next to it.

    Args:
        target: as the caller gave it.
        folder: where it is written.

    Raises:
        TargetError: ``target_invalid``: nothing can be written there.
        OSError: the disk is full or fails, with the target's name.
    """
    try:
        yield
    except OSError as problem:
        raise _target_error(problem, target, folder) from problem


def _target_error(problem: OSError, target: Path, folder: Path) -> BucketError | OSError:
    if problem.errno in UNWRITABLE:
        return error(
            "target_invalid",
            f"{str(target)!r} cannot be written in the folder {str(folder)!r}: {problem.strerror}",
            next="Choose a folder that you may write, or change its permissions.",
        )
    if problem.errno == errno.ENOENT and not folder.is_dir():
        return error("target_invalid", f"the folder {str(folder)!r} does not exist", next="Make the folder first.")
    if problem.errno in _IMPOSSIBLE:
        return error("target_invalid", f"{str(target)!r} cannot be written: {_IMPOSSIBLE[problem.errno]}")
    # A full or failing disk. The error keeps its kind; only the name is the caller's.
    return type(problem)(problem.errno, problem.strerror or str(problem), str(target))


def look_at(target: Path) -> tuple[Path, int | None]:
    """Return the file at the end of all symlinks, and its permissions if it exists.

    Raises:
        TargetError: what is there is not a file, and would be destroyed if it were replaced; or no file can be there.
    """
    path = Path(os.path.realpath(target))
    with naming_target(target, path.parent):
        try:
            there = path.stat()
        except FileNotFoundError:
            path.parent.stat()
            return path, None
    if stat.S_ISDIR(there.st_mode):
        raise error("target_invalid", f"{str(target)!r} is a folder")
    if not stat.S_ISREG(there.st_mode):
        raise error(
            "target_invalid",
            f"{str(target)!r} is not a regular file",
            next="Use get() and write to it, or name a path where nothing is yet.",
        )
    return path, stat.S_IMODE(there.st_mode)


def give_name(partial: Path, path: Path, overwrite: bool, target: Path) -> None:
    """Give a complete file its name; without ``overwrite`` only if nothing has appeared there meanwhile.

    Raises:
        TargetError: ``target_exists``.
    """
    if overwrite:
        partial.replace(path)
        return
    try:
        os.link(partial, path)
    except FileExistsError:
        partial.unlink()
        raise error("target_exists", f"{str(target)!r} appeared while its bytes were fetched") from None
    except OSError:
        # A file system without hard links.
        partial.replace(path)
        return
    partial.unlink()


def sync_folder(folder: Path) -> None:
    """Sync a new name to disk. Windows cannot open a folder, and does not need this."""
    if os.name == "nt":
        return
    with contextlib.suppress(PermissionError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
