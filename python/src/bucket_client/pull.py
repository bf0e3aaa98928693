"""A manifest becomes a local folder (docs/manifest.md): verified file by file next to the target, then renamed.

An interrupted pull keeps the new folder, and the next one continues from it, in this process or another.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import time
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .download import Downloaded, file_digest
from .errors import error
from .manifest import FileEntry, FolderManifest, SymlinkEntry, file_ref
from .partial_file import STALE_SECONDS, try_lock
from .progress import Phase, Report, Total, no_report
from .refs import ArtifactReference, digest_hex
from .target import naming_target, sync_folder
from .timing import Cancel, Standstill
from .workers import run_parallel

SUFFIX = ".bucket-pull"
#: How often a wait for another process looks again. Seconds.
_TICK = 0.5
#: POSIX allows either for a rename over a folder with content.
_FILLED = {errno.ENOTEMPTY, errno.EEXIST}
#: What a target holds: nothing, a folder that may be replaced, or what the manifest describes.
_Content = Literal["free", "filled", "complete"]


@dataclass(frozen=True)
class PullResult:
    """A folder with verified files."""

    path: Path
    #: Of the manifest, pinned.
    ref: ArtifactReference
    manifest: FolderManifest
    #: Bytes that came over the network; 0 if the folder was there already.
    fetched: int

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.manifest.files)


def pull(
    ref: ArtifactReference,
    manifest: FolderManifest,
    target: Path,
    *,
    fetch: Callable[[ArtifactReference, Path, Report, Cancel], Downloaded],
    overwrite: bool,
    parallel: int,
    patience: float,
    report: Report,
) -> PullResult:
    """Write the folder of a manifest. See :meth:`BucketClient.pull`, which gives the call that fetches a file."""
    # If the target is a symlink, its own target is written. A name that ends in a slash is the same name.
    path = Path(os.path.realpath(target))
    with naming_target(target, path.parent):
        path.parent.stat()
        with contextlib.suppress(FileNotFoundError):
            path.stat()

    def look() -> _Content:
        if path.exists() and not path.is_dir():
            raise error("target_invalid", f"{str(target)!r} is not a folder", next="Name a folder, or a new path.")
        if not _is_filled(path):
            return "free"
        # A process that replaces the folder moves it away.
        with contextlib.suppress(FileNotFoundError):
            if is_complete(path, manifest, parallel):
                return "complete"
        if overwrite:
            return "filled"
        raise error(
            "target_exists",
            f"{str(target)!r} is not empty and differs from {ref.name}",
            next="Choose another path, or pass overwrite=True to replace the whole folder.",
        )

    if look() == "complete":
        return PullResult(target, ref, manifest, 0)
    _remove_stale(path.parent)
    staging = path.parent / f".{digest_hex(ref.digest or '')}{SUFFIX}"
    with naming_target(target, path.parent), _taken(staging, look, patience) as found:
        if found == "complete":
            return PullResult(target, ref, manifest, 0)
        check_names(manifest, staging)
        _remove_others(staging, manifest)
        fetched = _fill(ref, manifest, staging, fetch, parallel, report)
        _finish(manifest, staging)
        # Another process that does not share the staging folder may fill the target meanwhile.
        while not _replace(path, staging, found):
            found = look()
            if found == "complete":
                shutil.rmtree(staging)
                break
    sync_folder(path.parent)
    return PullResult(target, ref, manifest, fetched)


def _is_filled(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except FileNotFoundError:
        return False


def _replace(path: Path, staging: Path, found: _Content) -> bool:
    """Give a complete folder its name.

    A replaced folder is moved away first, because no system renames over a folder with content.

    Returns:
        False if another process has filled the target since ``found`` was seen.
    """
    old = path.parent / f".{secrets.token_hex(8)}{SUFFIX}-old"
    if found == "filled":
        with contextlib.suppress(FileNotFoundError):
            path.rename(old)
    try:
        staging.rename(path)
        is_named = True
    except OSError as problem:
        if problem.errno not in _FILLED:
            if old.exists():
                old.rename(path)
            raise
        is_named = False
    if old.exists():
        shutil.rmtree(old)
    return is_named


@contextlib.contextmanager
def _taken(staging: Path, look: Callable[[], _Content], patience: float) -> Generator[_Content]:
    """Take the staging folder, which one process uses at a time, waiting for another that has it.

    Yields what the target holds then. If another process completed it, the staging folder is not needed and is removed.

    Raises:
        TargetError: ``target_busy``: the other process has not advanced for ``patience`` seconds.
    """
    standstill = Standstill()
    while True:
        with contextlib.suppress(FileExistsError):
            staging.mkdir()
        try:
            handle = os.open(staging, os.O_RDONLY)
        except FileNotFoundError:
            # The process that had it has just named or removed it.
            continue
        try:
            # Where nothing can be locked, processes are kept apart by their callers.
            is_locked = try_lock(handle) is not False
            is_ours = is_locked and staging.exists() and os.path.samestat(os.fstat(handle), staging.stat())
            if is_locked:
                found = look()
                if is_ours and found == "complete":
                    shutil.rmtree(staging, ignore_errors=True)
                if is_ours or found == "complete":
                    yield found
                    return
        finally:
            os.close(handle)
        size = sum(status.st_size for _, status in _walk(staging))
        if standstill.seconds(size) > patience:
            raise error(
                "target_busy", f"another process pulls into {staging}, and has not advanced for {patience:.0f} s"
            )
        time.sleep(_TICK)


def _walk(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield the files of a folder that other processes may change at the same time."""
    for at, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                yield Path(at) / name, (Path(at) / name).lstat()


def _remove_stale(folder: Path) -> None:
    """Remove staging folders that no process has used for a week."""
    for found in folder.glob(f".*{SUFFIX}"):
        with contextlib.suppress(OSError):
            newest = max([found.stat().st_mtime, *(status.st_mtime for _, status in _walk(found))])
            if time.time() - newest < STALE_SECONDS:
                continue
            handle = os.open(found, os.O_RDONLY)
            try:
                if try_lock(handle):
                    shutil.rmtree(found)
            finally:
                os.close(handle)


def check_names(manifest: FolderManifest, folder: Path) -> None:
    """Refuse a manifest with names that this file system cannot tell apart.

    Raises:
        TargetError: ``target_invalid``, with the names.
    """
    alike: defaultdict[str, set[str]] = defaultdict(set)
    for entry in manifest.entries:
        segments = entry.path.split("/")
        for count in range(1, len(segments) + 1):
            path = "/".join(segments[:count])
            alike[unicodedata.normalize("NFC", path).casefold()].add(segments[count - 1])
    suspects = [sorted(names) for names in alike.values() if len(names) > 1]
    if not suspects:
        return
    probe = folder / f".{secrets.token_hex(8)}"
    probe.mkdir()
    try:
        for names in suspects:
            # The file system alone decides which of them are the same.
            trial = probe / secrets.token_hex(8)
            trial.mkdir()
            for name in names:
                try:
                    (trial / name).touch(exist_ok=False)
                except FileExistsError:
                    raise error(
                        "target_invalid",
                        f"this file system cannot tell apart {' and '.join(map(repr, names))}",
                        next="Pull to another file system.",
                    ) from None
    finally:
        shutil.rmtree(probe)


def _remove_others(staging: Path, manifest: FolderManifest) -> None:
    """Remove files of an earlier pull that this manifest does not list."""
    files = {entry.path for entry in manifest.files}
    for folder, folders, names in os.walk(staging):
        # A symlink to a folder is a name here, not a place to look into.
        for name in [*names, *(name for name in folders if (Path(folder) / name).is_symlink())]:
            path = Path(folder) / name
            relative = path.relative_to(staging).as_posix()
            if path.is_symlink() or (relative not in files and not name.endswith(".bucket-part")):
                path.unlink()


def _fill(
    ref: ArtifactReference,
    manifest: FolderManifest,
    staging: Path,
    fetch: Callable[[ArtifactReference, Path, Report, Cancel], Downloaded],
    parallel: int,
    report: Report,
) -> int:
    total = sum(entry.size for entry in manifest.files)
    progress = Total(lambda done: report("downloading", done, total))
    fetched = Total(lambda _: None)
    for folder in sorted({entry.path.rpartition("/")[0] for entry in manifest.entries}):
        (staging / folder).mkdir(parents=True, exist_ok=True)

    def fetch_one(entry: FileEntry, stop: Cancel) -> None:
        piece = progress.piece()

        def file_report(_phase: Phase, done: int, _total: int | None, _sent: int | None = None) -> None:
            piece(done)

        result = fetch(file_ref(ref, entry), staging / entry.path, file_report, stop)
        if result.size != entry.size:
            raise error("manifest_invalid", f"{entry.path!r} has {result.size} bytes, the manifest says {entry.size}")
        if entry.executable:
            mode = result.path.stat().st_mode
            result.path.chmod(mode | (mode & 0o444) >> 2)
        fetched.add(result.fetched)
        piece(entry.size)

    run_parallel(manifest.files, fetch_one, parallel, None)
    return fetched.done


def _finish(manifest: FolderManifest, staging: Path) -> None:
    """Write empty folders, then symlinks: nothing is written through a symlink."""
    folders = {str(staging)}
    for entry in manifest.entries:
        path = staging / entry.path
        if isinstance(entry, SymlinkEntry):
            path.symlink_to(entry.target)
        elif not isinstance(entry, FileEntry):
            path.mkdir(exist_ok=True)
        folders.add(str(path.parent))
    for folder in sorted(folders):
        sync_folder(Path(folder))


def is_complete(folder: Path, manifest: FolderManifest, parallel: int) -> bool:
    """Whether a folder is exactly what a manifest describes."""
    expected = {entry.path: entry for entry in manifest.entries}
    seen: set[str] = set()
    for at, folders, names in os.walk(folder):
        relative = Path(at).relative_to(folder).as_posix()
        prefix = "" if relative == "." else f"{relative}/"
        links = [name for name in folders if (Path(at) / name).is_symlink()]
        if prefix and not folders and not names:
            seen.add(prefix[:-1])
        seen.update(prefix + name for name in [*names, *links])
    if seen != set(expected):
        return False
    for entry in manifest.entries:
        path = folder / entry.path
        if isinstance(entry, SymlinkEntry):
            if not path.is_symlink() or str(path.readlink()) != entry.target:
                return False
        elif path.is_symlink() or path.is_file() != isinstance(entry, FileEntry):
            return False
        elif isinstance(entry, FileEntry):
            status = path.stat()
            if status.st_size != entry.size or bool(status.st_mode & 0o100) != entry.executable:
                return False
    same: list[bool] = []

    def compare(entry: FileEntry, stop: Cancel) -> None:
        same.append(file_digest(folder / entry.path, no_report, stop) == entry.digest)

    run_parallel(manifest.files, compare, parallel, None)
    return all(same)
