"""A download as a file. The file gets its name only after all bytes arrived, matched the digest, and are on disk.

An interrupted download leaves a partial file, from which the next one continues, in this process or another.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from .api import Api
from .errors import DigestError, error
from .fetch import Artifact, OpenedBytes, RangesIgnored, too_many_bytes, verify
from .partial_file import partial_file
from .progress import Report
from .refs import ArtifactReference
from .target import give_name, look_at, naming_target
from .timing import Cancel, check_cancelled

if TYPE_CHECKING:
    from hashlib import _Hash  # pyright: ignore[reportPrivateUsage]

#: From this many missing bytes on, several ranges are fetched at once.
PARALLEL_BYTES = 64 << 20
#: Size of one range. Memory holds two more ranges than are fetched at once.
RANGE_BYTES = 8 << 20
_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Downloaded:
    """A file with verified bytes."""

    path: Path
    #: Pinned to the digest of the bytes.
    ref: ArtifactReference
    #: Bytes.
    size: int
    #: Bytes that came over the network; 0 if the file had them already.
    fetched: int


def download(
    api: Api,
    ref: ArtifactReference,
    target: Path,
    overwrite: bool,
    report: Report,
    parallel: int,
    cancel: Cancel | None = None,
) -> Downloaded:
    """Fetch into ``target``, and leave it to the caller to sync the folder. See :meth:`BucketClient.download`."""
    path, mode = look_at(target)
    # Ends the threads of this download when it succeeds or fails.
    cancel = Cancel(cancel)
    artifact = Artifact(api, ref, cancel)
    opened: OpenedBytes | None = None
    try:
        if mode is None or ref.digest is None:
            opened = artifact.open()
        digest = artifact.ref.digest or ""
        if mode is not None:
            if _has_bytes(path, artifact.size, digest, report, cancel):
                return Downloaded(target, artifact.ref, path.stat().st_size, 0)
            if not overwrite:
                raise error("target_exists", f"{str(target)!r} exists and has other bytes")
        if opened is None:
            opened = artifact.open()

        def is_done() -> bool:
            return _has_bytes(path, artifact.size, digest, report, cancel)

        with (
            naming_target(target, path.parent),
            partial_file(path.parent, digest, is_done, api.retry.patience) as taken,
        ):
            if taken is None:
                return Downloaded(target, artifact.ref, artifact.size, 0)
            file, partial = taken
            fetched = _fill(artifact, file, opened, report, parallel, cancel, partial)
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
            give_name(partial, path, overwrite, target)
    finally:
        cancel.set()
        if opened is not None:
            opened.response.close()
    return Downloaded(target, artifact.ref, artifact.size, fetched)


def _has_bytes(path: Path, size: int, digest: str, report: Report, cancel: Cancel) -> bool:
    """Whether a file has the bytes; ``size`` is -1 if it is not known."""
    try:
        return size in (-1, path.stat().st_size) and file_digest(path, report, cancel) == digest
    except FileNotFoundError:
        return False


def file_digest(path: Path, report: Report, cancel: Cancel | None) -> str:
    """Return the digest of a file's bytes."""
    digest = hashlib.sha256()
    done = 0
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        while chunk := file.read(_READ_BYTES):
            check_cancelled(cancel)
            digest.update(chunk)
            done += len(chunk)
            report("hashing", done, size)
    return f"sha256:{digest.hexdigest()}"


def _fill(
    artifact: Artifact,
    file: BinaryIO,
    opened: OpenedBytes,
    report: Report,
    parallel: int,
    cancel: Cancel | None,
    partial: Path,
) -> int:
    """Complete the partial file, and return how many bytes came over the network."""
    size = artifact.size
    hasher = hashlib.sha256()
    have = _rehash(file, size, hasher, report, cancel)
    fetched = 0
    is_again = False
    while True:
        try:
            chunks = (
                _by_ranges(artifact, opened, have, parallel, cancel)
                if size - have >= PARALLEL_BYTES and parallel > 1
                else _in_order(artifact, opened, have, cancel)
            )
            at = have
            for chunk in chunks:
                hasher.update(chunk)
                _write_all(file, chunk)
                at += len(chunk)
                fetched += len(chunk)
                report("downloading", min(at, size), size)
                if at > size:
                    raise too_many_bytes(artifact.ref, size)
            verify(artifact.ref, hasher)
            return fetched
        except RangesIgnored:
            have = 0
            parallel = 1
        except DigestError:
            if is_again:
                partial.unlink(missing_ok=True)
                raise
            # An earlier run may have left wrong bytes, or they changed on the way: fetch everything once more.
            is_again = True
            have = 0
        hasher = hashlib.sha256()
        file.seek(0)
        file.truncate(0)
        opened.response.close()
        opened = artifact.open(cancel=cancel)


def _rehash(file: BinaryIO, size: int, hasher: _Hash, report: Report, cancel: Cancel | None) -> int:
    """Hash what an earlier run left, and return how much that is."""
    have = 0
    if os.fstat(file.fileno()).st_size > size:
        file.truncate(0)
    file.seek(0)
    while chunk := file.read(_READ_BYTES):
        check_cancelled(cancel)
        hasher.update(chunk)
        have += len(chunk)
        report("hashing", have, size)
    return have


def _write_all(file: BinaryIO, chunk: memoryview) -> None:
    while chunk:
        chunk = chunk[file.write(chunk) :]


def _in_order(artifact: Artifact, opened: OpenedBytes, have: int, cancel: Cancel | None) -> Iterator[memoryview]:
    if have == 0:
        return artifact.chunks(0, artifact.size, cancel, opened, _READ_BYTES)
    opened.response.close()
    return artifact.chunks(have, artifact.size, cancel, None, _READ_BYTES)


def _by_ranges(
    artifact: Artifact, opened: OpenedBytes, have: int, parallel: int, cancel: Cancel | None
) -> Iterator[memoryview]:
    """Fetch several ranges at once, and give them in order."""
    # This response was only needed for digest and size.
    opened.response.close()
    stop = Cancel(cancel)
    spans = [(at, min(artifact.size, at + RANGE_BYTES)) for at in range(have, artifact.size, RANGE_BYTES)]
    buffers = [bytearray(RANGE_BYTES) for _ in range(min(len(spans), parallel + 2))]

    def fetch(start: int, end: int, buffer: bytearray) -> tuple[memoryview, bytearray]:
        view = memoryview(buffer)
        filled = 0
        for chunk in artifact.chunks(start, end, stop):
            # The last range has no end, so that extra bytes after it are noticed.
            if filled + len(chunk) > end - start:
                raise too_many_bytes(artifact.ref, artifact.size)
            view[filled : filled + len(chunk)] = chunk
            filled += len(chunk)
        return view[:filled], buffer

    pool = ThreadPoolExecutor(parallel, thread_name_prefix="bucket")
    waiting = iter(spans)
    running: list[Future[tuple[memoryview, bytearray]]] = []
    try:
        while True:
            while buffers and (span := next(waiting, None)) is not None:
                running.append(pool.submit(fetch, *span, buffers.pop()))
            if not running:
                return
            while not wait(running[:1], timeout=Cancel.TICK).done:
                check_cancelled(cancel)
            view, buffer = running.pop(0).result()
            yield view
            buffers.append(buffer)
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
