"""The client: calls about single artifacts, and the folders that are made of them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from .artifacts import ArtifactClient, locked_reference
from .checks import check_all, check_count, check_flag, check_optional_path, check_path, check_patterns, check_progress
from .description import Description
from .digest_cache import DigestCache, default_cache_path
from .download import Downloaded, download
from .entries import PathLike
from .errors import ManifestError, error
from .lock_file import LockFile
from .manifest import MAX_BYTES, MEDIA_TYPE, FolderManifest, files_artifact_id
from .open_source import open_source
from .progress import ProgressLike, Report, no_report, reporting
from .pull import PullResult, pull
from .push import PushResult, push
from .put import PutResult, check_description, namer
from .refs import ArtifactReference, ReferenceLike, reference
from .resume import resumable
from .source import BytesSource, Digests, FileSource
from .timing import Cancel


class BucketClient(ArtifactClient):
    """Stores and fetches artifacts of one Bucket API. Safe to share between threads, to pickle, and across ``fork``.

    Example:
        >>> bucket = BucketClient()  # doctest: +SKIP
        >>> bucket.put("demo/model/v1", "model.bin").ref  # doctest: +SKIP
    """

    def push(
        self,
        ref: ReferenceLike,
        folder: PathLike,
        *,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        follow_symlinks: bool = False,
        dry_run: bool = False,
        parallel: int = 8,
        uploaded_by: str | None = None,
        provenance_source: str | None = None,
        lock: PathLike | None = None,
        digest_cache: PathLike | bool = True,
        progress: ProgressLike = None,
    ) -> PushResult:
        """Store a folder: each file as an artifact, then a manifest under ``ref`` (docs/manifest.md).

        The manifest comes last, so half a folder is never visible. After an interruption the same call sends only what
        is missing; files that are stored already are not sent again, also if another version of the folder holds them.

        Args:
            ref: of the manifest. The files go to ``bucket_id/artifact_id.files``.
            folder: what to store: files, symlinks that stay inside, and empty folders.
            include: patterns of files to store, all if empty: ``*.py`` is for names, ``data/*`` for paths.
            exclude: patterns of files and folders to leave out.
            follow_symlinks: whether to store what symlinks lead to, instead of the symlinks.
            dry_run: whether to send nothing.
            parallel: files at once.
            uploaded_by: who stores it.
            provenance_source: where it comes from.
            lock: lock file to add the ref to.
            digest_cache: file that remembers digests of unchanged files; ``True`` for
                ``~/.cache/bucket/digests.sqlite``, ``False`` to read every file.
            progress: a callback, or ``True`` for a bar of ``tqdm``.

        Raises:
            ManifestError: ``folder_invalid``: the folder holds something that a manifest cannot describe.
            ConflictError: ``version_exists``: the ref holds another folder.
            SourceError: a file changed while it was sent.
            BucketError: as :meth:`put`.
        """
        description = Description(MEDIA_TYPE, uploaded_by, provenance_source)
        check_all(
            lambda: reference(ref),
            lambda: check_path("folder", folder),
            lambda: check_patterns("include", include),
            lambda: check_patterns("exclude", exclude),
            lambda: check_flag("follow_symlinks", follow_symlinks),
            lambda: check_flag("dry_run", dry_run),
            lambda: check_count("parallel", parallel, 1),
            lambda: check_description(description),
            lambda: check_optional_path("lock", lock),
            lambda: None if isinstance(digest_cache, bool) else check_path("digest_cache", digest_cache),
            lambda: check_progress(progress),
        )
        asked = reference(ref)
        files_artifact_id(asked.artifact_id)
        if lock is not None:
            LockFile(lock).check()
        cache = default_cache_path() if digest_cache is True else None if digest_cache is False else Path(digest_cache)
        with (
            reporting(progress, asked.name) as report,
            resumable(report, "by the service") as watched,
        ):
            result = push(
                asked,
                Path(folder),
                before_sending=None if lock is None else LockFile(lock).check,
                put_file=self._put_file,
                put_manifest=lambda data: self._put_open(BytesSource(data), namer(asked, None), description, no_report),
                list_files=self.list_versions,
                include=include,
                exclude=exclude,
                follow_symlinks=follow_symlinks,
                dry_run=dry_run,
                parallel=parallel,
                cache=DigestCache(cache),
                report=watched,
            )
        if lock is not None and result.entry is not None:
            LockFile(lock).add(result.ref, result.entry.size)
        return result

    def pull(
        self,
        ref: ReferenceLike,
        target: PathLike,
        *,
        digest: str | None = None,
        overwrite: bool = False,
        parallel: int = 8,
        locked: PathLike | None = None,
        progress: ProgressLike = None,
    ) -> PullResult:
        """Fetch a folder that was pushed. The folder gets its name only after every file arrived and was verified.

        An interrupted pull continues where it stopped, from ``.<hex digits of the manifest's digest>.bucket-pull`` next
        to the target. A target that is the same folder already is not fetched again.

        Args:
            ref: of the manifest; may be pinned.
            target: path of the folder, or of a symlink to it. It may exist if it is empty.
            digest: what the manifest must be, else nothing is fetched.
            overwrite: whether a folder that differs is replaced as a whole.
            parallel: files at once.
            locked: lock file that must name the ref.
            progress: a callback, or ``True`` for a bar of ``tqdm``.

        Raises:
            ManifestError: the artifact is not a manifest, or breaks the rules.
            TargetError: the target differs, also if another program filled it meanwhile; it cannot hold these names; or
                another process pulls the same folder and does not advance.
            BucketError: as :meth:`download`.
        """
        check_all(
            lambda: reference(ref, digest),
            lambda: check_path("target", target),
            lambda: check_flag("overwrite", overwrite),
            lambda: check_count("parallel", parallel, 1),
            lambda: check_progress(progress),
        )
        manifest_ref, manifest = self.manifest(locked_reference(ref, digest, locked))
        with (
            reporting(progress, manifest_ref.name) as report,
            resumable(report, f"next to {str(target)!r}") as watched,
        ):
            return pull(
                manifest_ref,
                manifest,
                Path(target),
                fetch=self._fetch_file,
                overwrite=overwrite,
                parallel=parallel,
                patience=self._settings.retry.patience,
                report=watched,
            )

    def manifest(self, ref: ReferenceLike) -> tuple[ArtifactReference, FolderManifest]:
        """Return the pinned ref and the manifest of a folder, without its files.

        Raises:
            ManifestError: the artifact is not a manifest, or breaks the rules.
            BucketError: as :meth:`get`.
        """
        with self.get(ref) as stream:
            if stream.size > MAX_BYTES:
                raise error(
                    "manifest_invalid",
                    f"{stream.ref.name} has {stream.size} bytes; a manifest has at most {MAX_BYTES}",
                    next="Fetch it with download(): it is probably not a folder.",
                )
            data = stream.read()
        try:
            return stream.ref, FolderManifest.from_bytes(data)
        except ManifestError as problem:
            # An artifact of another type was probably never meant as a manifest, so its first fault says little.
            content_type = self.entry(stream.ref).content_type
            if content_type == MEDIA_TYPE:
                raise
            raise error(
                "manifest_invalid",
                f"{stream.ref.name} is not a folder: its type is {content_type}, and a folder's manifest has the type "
                f"{MEDIA_TYPE}",
                next="Fetch it with download() or get().",
            ) from problem

    def _put_file(self, ref: ArtifactReference, location: Path, report: Report, cancel: Cancel) -> PutResult:
        with contextlib.closing(open_source(location, None, report, self.limits)) as source:
            if isinstance(source, FileSource):
                # The scan has just hashed it. If it has changed since, the server finds another digest.
                source.digests = Digests(ref.digest or "")
            return self._put_open(source, namer(ref, None), Description(), report, cancel)

    def _fetch_file(self, ref: ArtifactReference, target: Path, report: Report, cancel: Cancel) -> Downloaded:
        return download(self._api, ref, target, True, report, self._settings.parallel, cancel)
