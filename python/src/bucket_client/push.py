"""A local folder becomes artifacts and a manifest (docs/manifest.md).

The manifest comes last, so half a folder is never visible.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .digest_cache import DigestCache
from .errors import error
from .manifest import (
    FileEntry,
    FolderEntry,
    FolderManifest,
    ManifestEntry,
    SymlinkEntry,
    default_ref,
    first_faults,
    path_fault,
    target_fault,
)
from .model import Entry
from .patterns import matcher
from .progress import Phase, Report, Total
from .put import PutResult
from .refs import ArtifactReference
from .source import FileSource, Hasher
from .timing import Cancel, check_cancelled
from .workers import run_parallel

#: A page of the list of stored files is read only if it may save this many single requests.
_LIST_WORTH = 20


@dataclass(frozen=True)
class PushResult:
    """Result of a push, or of a ``dry_run``."""

    #: Of the manifest, pinned. Of a dry run, the ref that a push would store.
    ref: ArtifactReference
    manifest: FolderManifest
    #: Entry of the manifest; ``None`` of a dry run.
    entry: Entry | None
    #: False if this folder was stored under the ref before.
    created: bool
    #: Paths of the files that this push sent, or would send.
    sent: tuple[str, ...]
    #: Paths of the files that were stored before, and that the service had lost.
    restored: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.manifest.files)


@dataclass(frozen=True)
class _LocalFile:
    path: str
    location: Path
    size: int
    executable: bool


@dataclass
class _Scan:
    files: list[_LocalFile] = field(default_factory=list[_LocalFile])
    others: list[ManifestEntry] = field(default_factory=list[ManifestEntry])
    faults: list[str] = field(default_factory=list[str])


def scan(folder: Path, include: Sequence[str], exclude: Sequence[str], follow_symlinks: bool) -> _Scan:
    """Find what a folder holds.

    Raises:
        SourceError: ``source_invalid``: it is a file.
        ManifestError: ``folder_invalid``: the patterns leave out everything, or no manifest can describe the folder.
        OSError: the folder cannot be read.
    """
    if folder.is_file():
        raise error("source_invalid", f"{str(folder)!r} is a file", next="Store it with put(), or name a folder.")
    found = _Scan()
    included = matcher(include) if include else None
    _scan_into(found, folder, "", included, matcher(exclude), follow_symlinks, set())
    if found.faults:
        raise error("folder_invalid", f"{folder} cannot be described: {first_faults(found.faults)}")
    # A mistyped pattern would store an empty folder permanently.
    if (include or exclude) and not found.files and not found.others:
        raise error(
            "folder_invalid",
            f"the patterns leave out everything in {str(folder)!r}",
            next="Check the patterns of include and exclude. A * also matches /.",
        )
    return found


def _scan_into(
    found: _Scan,
    folder: Path,
    prefix: str,
    include: Callable[[str], bool] | None,
    exclude: Callable[[str], bool],
    follow_symlinks: bool,
    above: set[tuple[int, int]],
) -> None:
    here = folder.stat()
    identity = (here.st_dev, here.st_ino)
    if identity in above:
        found.faults.append(f"{prefix.rstrip('/')!r} leads back to a folder above it")
        return
    is_empty = True
    for item in sorted(os.scandir(folder), key=lambda item: item.name):
        is_empty = False
        path = prefix + item.name
        is_link = item.is_symlink() and not follow_symlinks
        is_folder = not is_link and item.is_dir()
        if exclude(path) or (include is not None and not is_folder and not include(path)):
            continue
        if fault := path_fault(path):
            found.faults.append(fault)
        elif is_link:
            target = os.readlink(item.path)  # noqa: PTH115 - as text, unchanged
            if fault := target_fault(path, target):
                found.faults.append(f"{fault} (follow_symlinks=True stores what it leads to)")
            found.others.append(SymlinkEntry(path, target))
        elif is_folder:
            inner = {*above, identity}
            _scan_into(found, Path(item.path), f"{path}/", include, exclude, follow_symlinks, inner)
        else:
            _scan_file(found, item, path)
    if is_empty and prefix and include is None:
        found.others.append(FolderEntry(prefix[:-1]))


def _scan_file(found: _Scan, item: os.DirEntry[str], path: str) -> None:
    try:
        status = item.stat()
    except FileNotFoundError:
        found.faults.append(f"the symlink {path!r} leads to nothing")
        return
    if stat.S_ISREG(status.st_mode):
        found.files.append(_LocalFile(path, Path(item.path), status.st_size, bool(status.st_mode & stat.S_IXUSR)))
    else:
        found.faults.append(f"{path!r} is not a file, a folder or a symlink")


def hash_file(file: _LocalFile, cache: DigestCache, report: Callable[[int], None], cancel: Cancel) -> FileEntry:
    """Return the entry of a file, read again only if it has changed since it was hashed."""
    with open(file.location, "rb", buffering=0) as opened:
        before = os.fstat(opened.fileno())
        known = cache.get(before)
        if known is not None:
            report(before.st_size)
            return FileEntry(file.path, before.st_size, known, file.executable)
        source = FileSource(opened, str(file.location), owns=False)
        hasher = Hasher(0)
        for chunk in source.open(0, source.size):
            check_cancelled(cancel)
            hasher.update(chunk)
            report(len(chunk))
        digest = hasher.digests().digest
        cache.add(before, digest)
        return FileEntry(file.path, source.size, digest, file.executable)


def push(
    ref: ArtifactReference,
    folder: Path,
    *,
    before_sending: Callable[[ArtifactReference], None] | None,
    put_file: Callable[[ArtifactReference, Path, Report, Cancel], PutResult],
    put_manifest: Callable[[bytes], PutResult],
    list_files: Callable[[str], Iterator[Entry]],
    include: Sequence[str],
    exclude: Sequence[str],
    follow_symlinks: bool,
    dry_run: bool,
    parallel: int,
    cache: DigestCache,
    report: Report,
) -> PushResult:
    """Store a folder. See :meth:`BucketClient.push`, which gives the calls that store."""
    found = scan(folder, include, exclude, follow_symlinks)
    total = sum(file.size for file in found.files)
    hashed = Total(lambda done: report("hashing", done, total))
    entries: dict[str, FileEntry] = {}
    cancel = Cancel()

    def hash_one(file: _LocalFile, stop: Cancel) -> None:
        entries[file.path] = hash_file(file, cache, hashed.add, stop)

    try:
        run_parallel(found.files, hash_one, parallel, cancel)
    finally:
        cache.close()
    manifest = FolderManifest([*entries.values(), *found.others])
    data = manifest.to_bytes()
    pinned = ref.pinned(_digest(data))
    if ref.digest not in (None, pinned.digest):
        raise error(
            "digest_mismatch",
            f"the manifest of {folder} has the digest {pinned.digest}, not {ref.digest}; nothing was sent",
            next="Find out what changed in the folder.",
        )
    if before_sending is not None:
        before_sending(pinned)
    sent, restored = _send(ref, manifest, folder, put_file, list_files, dry_run, parallel, report)
    if dry_run:
        return PushResult(pinned, manifest, None, False, sent)
    result = put_manifest(data)
    return PushResult(result.ref, manifest, result.entry, result.created, sent, restored)


def _digest(data: bytes) -> str:
    hasher = Hasher(0)
    hasher.update(data)
    return hasher.digests().digest


def _send(
    ref: ArtifactReference,
    manifest: FolderManifest,
    folder: Path,
    put_file: Callable[[ArtifactReference, Path, Report, Cancel], PutResult],
    list_files: Callable[[str], Iterator[Entry]],
    dry_run: bool,
    parallel: int,
    report: Report,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Send each different file once, and return the paths of those that were missing, and of those that were lost."""
    by_digest = {entry.digest: entry for entry in manifest.files}
    total = sum(entry.size for entry in by_digest.values())
    stored = _stored_digests(ref, by_digest, list_files)
    sent: list[str] = []
    restored: list[str] = []
    acknowledged = Total(lambda _: None)
    left = Total(lambda sent: report("uploading", acknowledged.done, total, sent))
    for digest in stored:
        acknowledged.add(by_digest[digest].size)
        left.add(by_digest[digest].size)
    missing = [entry for entry in by_digest.values() if entry.digest not in stored]

    def send(entry: FileEntry, stop: Cancel) -> None:
        check_cancelled(stop)
        if dry_run:
            sent.append(entry.path)
            return
        piece = left.piece()

        def file_report(phase: Phase, done: int, _total: int | None, sent: int | None = None) -> None:
            if phase == "uploading":
                piece(max(done, sent or 0))

        result = put_file(default_ref(ref, entry.digest), folder / entry.path, file_report, stop)
        if result.created:
            sent.append(entry.path)
        if result.restored:
            restored.append(entry.path)
        acknowledged.add(entry.size)
        piece(entry.size)
        report("uploading", acknowledged.done, total, left.done)

    run_parallel(missing, send, parallel, None)
    return tuple(sorted(sent)), tuple(sorted(restored))


def _stored_digests(
    ref: ArtifactReference, wanted: dict[str, FileEntry], list_files: Callable[[str], Iterator[Entry]]
) -> set[str]:
    """Return which files are stored already, if one list is faster than many single requests."""
    if len(wanted) < _LIST_WORTH:
        return set()
    artifact = default_ref(ref, next(iter(wanted))).artifact
    stored: set[str] = set()
    most = len(wanted) * 1000 // _LIST_WORTH
    for number, entry in enumerate(list_files(artifact)):
        if number >= most:
            break
        if entry.digest in wanted and entry.ref == default_ref(ref, entry.digest):
            stored.add(entry.digest)
    return stored
