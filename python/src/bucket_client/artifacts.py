"""Calls that store and fetch bytes. Each checks its arguments, then leaves the work to the module that does it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from .checks import check_all, check_count, check_flag, check_optional_path, check_path, check_progress
from .description import Description
from .download import Downloaded, download
from .entries import EntryClient, PathLike
from .errors import error, invalid_request, unexpected
from .fetch import Artifact, RangesIgnored
from .lock_file import LockFile
from .open_source import SourceLike, check_source, known_size, open_source
from .partial_file import remove_stale
from .progress import ProgressLike, Report, reporting
from .put import PutResult, check_description, find_entry, namer, put, still_has_bytes, version_exists
from .refs import (
    ArtifactReference,
    ReferenceLike,
    check_digest,
    is_artifact_name,
    pinned_reference,
    reference,
)
from .resume import resumable
from .settings import Settings
from .source import Source
from .stream import ArtifactStream
from .target import naming_target, sync_folder
from .timing import Cancel


class ArtifactClient(EntryClient):
    """Stores and fetches the bytes of single artifacts."""

    def _start(self, settings: Settings) -> None:
        super()._start(settings)
        #: Folders in which stale partial files were removed.
        self._swept: set[Path] = set()

    # Store

    def put(
        self,
        ref: ReferenceLike,
        source: SourceLike,
        *,
        digest: str | None = None,
        size: int | None = None,
        content_type: str | None = None,
        uploaded_by: str | None = None,
        provenance_source: str | None = None,
        lock: PathLike | None = None,
        progress: ProgressLike = None,
    ) -> PutResult:
        """Store bytes under a ref. The same bytes again are a success, with ``created`` false.

        A large source is sent as an upload. After an interruption the same call, from any host, sends only what is
        missing.

        Args:
            ref: ``bucket_id/artifact_id/version``; or ``bucket_id/artifact_id``, to derive the version from the
                content.
            source: a path, bytes, a binary file object (from its current position), or an iterable of bytes.
            digest: expected digest (``sha256:…``), as in a pinned ref. Other bytes are not sent.
            size: bytes of the source, if known; checked.
            content_type: media type, at most 255 visible ASCII characters; ``application/octet-stream`` if left out.
            uploaded_by: who stores it, at most 256 characters.
            provenance_source: where it comes from, at most 1,024 characters.
            lock: lock file to add the ref to.
            progress: a callback, or ``True`` for a bar of ``tqdm``.

        Raises:
            ConflictError: ``version_exists``: the version holds other bytes.
            DigestError: the source does not have the digest; nothing was sent.
            SourceError: the source cannot be read as bytes, or changed while it was sent; nothing was stored.
            InvalidRequestError, TooLargeError, NotAuthorizedError, UnavailableError, NetworkError, OSError
        """
        description = Description(content_type, uploaded_by, provenance_source)
        _check_put(ref, source, digest, size, description, lock, progress)
        name = namer(ref, digest)
        if lock is not None:
            name = _checked(name, LockFile(lock))
        with (
            reporting(progress, str(ref)) as report,
            contextlib.closing(open_source(source, size, report, self.limits)) as opened,
            resumable(report, "by the service for a week") as watched,
        ):
            result = self._put_open(opened, name, description, watched)
        if lock is not None:
            LockFile(lock).add(result.ref, result.entry.size)
        return result

    def ensure(
        self,
        ref: ReferenceLike,
        source: SourceLike,
        *,
        digest: str | None = None,
        size: int | None = None,
        content_type: str | None = None,
        uploaded_by: str | None = None,
        provenance_source: str | None = None,
        lock: PathLike | None = None,
        progress: ProgressLike = None,
    ) -> Literal["created", "identical", "restored"]:
        """Make sure that a ref holds exactly these bytes: the call of schedulers and re-runs.

        An existing version is compared before anything is sent; with ``digest``, or a pinned ref, before the source is
        read. Options as for :meth:`put`.

        Returns:
            ``"identical"`` if the same bytes were stored before; ``"restored"`` if they were, and the service had lost
            them.

        Raises:
            ConflictError: ``version_exists``: the version holds other bytes.
            BucketError: as :meth:`put`.
        """
        description = Description(content_type, uploaded_by, provenance_source)
        _check_put(ref, source, digest, size, description, lock, progress)
        stored = None if is_artifact_name(ref) else find_entry(self._api, reference(ref, digest), None)
        if stored is not None:
            asked = reference(ref, digest)
            differs = asked.digest not in (None, stored.digest) or known_size(source) not in (None, stored.size)
            if differs:
                raise version_exists(stored, asked)
            if asked.digest is not None and still_has_bytes(self._api, stored):
                if lock is not None:
                    LockFile(lock).add(stored.ref, stored.size)
                return "identical"
        result = self.put(
            ref,
            source,
            digest=digest,
            size=size,
            content_type=content_type,
            uploaded_by=uploaded_by,
            provenance_source=provenance_source,
            lock=lock,
            progress=progress,
        )
        if result.created:
            return "created"
        return "restored" if result.restored else "identical"

    def _put_open(
        self,
        source: Source,
        name: Callable[[str], ArtifactReference],
        description: Description,
        report: Report,
        cancel: Cancel | None = None,
    ) -> PutResult:
        return put(self._api, self.limits, name, source, description, report, self._settings.parallel, cancel)

    # Fetch

    def get(
        self,
        ref: ReferenceLike,
        *,
        digest: str | None = None,
        locked: PathLike | None = None,
        progress: ProgressLike = None,
    ) -> ArtifactStream:
        """Fetch bytes as a verified stream. Use it in a ``with`` block.

        The stream returns the last MiB only after the digest matched, so smaller artifacts arrive whole or not at all.

        Args:
            ref: may be pinned.
            digest: expected digest. Other bytes are not fetched.
            locked: lock file that must list the ref. The stored digest must be the locked one.
            progress: a callback, or ``True`` for a bar of ``tqdm``.

        Raises:
            NotFoundError: no such version.
            DigestError: the stored digest differs; or, while reading, the bytes do not match.
            LockFileError: the lock file does not name the ref, or names another digest.
            InvalidRequestError, NotAuthorizedError, UnavailableError, NetworkError
        """
        check_all(lambda: reference(ref, digest), lambda: check_progress(progress))
        artifact = Artifact(self._api, locked_reference(ref, digest, locked))
        with contextlib.ExitStack() as ends:
            report = ends.enter_context(reporting(progress, artifact.ref.name))
            return ArtifactStream(artifact, artifact.open(), report, ends.pop_all())

    def read_range(self, ref: ReferenceLike, size: int, start: int, end: int) -> Iterator[memoryview]:
        """Yield the bytes from ``start`` up to, not including, ``end``. Continues over broken connections.

        A digest covers the whole artifact, so a range cannot be verified. Each piece is valid until the next one is
        requested.

        Args:
            ref: pinned.
            size: of the whole artifact, in bytes, as its entry says.
            start: position of the first byte.
            end: position after the last byte, at most ``size``.

        Raises:
            NotFoundError, DigestError, InvalidRequestError, NotAuthorizedError, UnavailableError, NetworkError
        """
        check_all(
            lambda: pinned_reference(ref, None),
            lambda: check_count("size", size, 0),
            lambda: check_count("start", start, 0),
            lambda: check_count("end", end, 0),
        )
        if not start <= end <= size:
            raise invalid_request([("range", f"is from {start} to {end}; give start <= end <= size, which is {size}")])
        return self._range(Artifact(self._api, pinned_reference(ref, None), size=size), start, end)

    def _range(self, artifact: Artifact, start: int, end: int) -> Iterator[memoryview]:
        try:
            yield from artifact.chunks(start, end, None)
        except RangesIgnored:
            raise unexpected("the server, or a proxy in front of it, ignores ranges") from None

    def download(
        self,
        ref: ReferenceLike,
        target: PathLike,
        *,
        digest: str | None = None,
        overwrite: bool = False,
        locked: PathLike | None = None,
        progress: ProgressLike = None,
    ) -> Downloaded:
        """Fetch into a file. The file gets its name only after all bytes arrived and the digest matched.

        An interrupted download continues where it stopped, also in another process, from the partial file
        ``.<hex digits of the digest>.bucket-part`` in the target's folder. A target that has these bytes already is
        not fetched again.

        Args:
            ref: may be pinned.
            target: path of the file, or a folder, in which the file is called ``artifact_id-version``.
            digest: expected digest. Other bytes are not fetched.
            overwrite: whether a file with other bytes is replaced. Its permissions stay.
            locked: lock file that must list the ref. The stored digest must be the locked one.
            progress: a callback, or ``True`` for a bar of ``tqdm``.

        Raises:
            TargetError: the target has other bytes, is not a file, cannot be written, or is locked by another process
                that makes no progress.
            NotFoundError, DigestError, LockFileError, InvalidRequestError
            NotAuthorizedError, UnavailableError, NetworkError
            OSError: the disk is full or fails.
        """
        check_all(
            lambda: reference(ref, digest),
            lambda: check_path("target", target),
            lambda: check_flag("overwrite", overwrite),
            lambda: check_progress(progress),
        )
        asked = locked_reference(ref, digest, locked)
        path = file_target(target, f"{asked.artifact_id}-{asked.version}")
        folder = Path(os.path.realpath(path)).parent
        self._sweep(folder)
        with (
            reporting(progress, asked.name) as report,
            resumable(report, f"in the folder {str(folder)!r}") as watched,
        ):
            result = download(self._api, asked, path, overwrite, watched, self._settings.parallel)
        if result.fetched:
            sync_folder(folder)
        return result

    def _sweep(self, folder: Path) -> None:
        """Remove stale partial files, once in each folder."""
        if folder not in self._swept:
            self._swept.add(folder)
            remove_stale(folder)


def _check_put(
    ref: ReferenceLike,
    source: SourceLike,
    digest: str | None,
    size: int | None,
    description: Description,
    lock: PathLike | None,
    progress: ProgressLike,
) -> None:
    """Check all arguments of a store before the service is asked.

    Raises:
        InvalidRequestError: with all faults.
        SourceError: the source cannot be read as bytes.
        LockFileError: the lock file cannot be extended.
    """
    check_all(
        lambda: namer(ref, None),
        lambda: None if digest is None else check_digest(digest),
        lambda: None if size is None else check_count("size", size, 0),
        lambda: check_description(description),
        lambda: check_optional_path("lock", lock),
        lambda: check_progress(progress),
    )
    namer(ref, digest)
    check_source(source)
    if lock is not None:
        LockFile(lock).check()


def _checked(name: Callable[[str], ArtifactReference], lock: LockFile) -> Callable[[str], ArtifactReference]:
    """Return ``name``, which then also raises ``lock_differs`` before anything is sent."""

    def named(computed: str) -> ArtifactReference:
        ref = name(computed)
        lock.check(ref)
        return ref

    return named


def locked_reference(ref: ReferenceLike, digest: str | None, lock: PathLike | None) -> ArtifactReference:
    """Return a reference, pinned to the digest in the lock file if one is given.

    Raises:
        LockFileError: as :meth:`LockFile.pin`.
    """
    asked = reference(ref, digest)
    return asked if lock is None else LockFile(lock).pin(asked)


def file_target(given: PathLike, name: str) -> Path:
    """Return the path of the file that a download writes: in a folder it is called ``name``.

    Raises:
        TargetError: ``target_invalid``: a path that ends in a slash is not a folder.
    """
    path = check_path("target", given)
    with naming_target(path, path.parent):
        if path.is_dir():
            return path / name
    if os.fspath(given).endswith(os.sep):
        raise error("target_invalid", f"the folder {os.fspath(given)!r} does not exist", next="Make the folder first.")
    return path
