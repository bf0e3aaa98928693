"""The client: what callers see. Each method is one line of glue to the module that does the work."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from .api import Api, ApiRequest, artifact_path, version_path
from .auth import ApiKeyAuth, Auth, BearerAuth, IamAuth, NoAuth, auth_from_environment, authorizer
from .digest_cache import DigestCache, default_cache_path
from .download import Downloaded, download, sync_folder
from .errors import InvalidRequestError, error, invalid_request, unexpected
from .fetch import Artifact, RangesIgnored
from .lock_file import LockFile
from .manifest import MAX_BYTES, MEDIA_TYPE, FolderManifest, files_artifact_id
from .model import Entry, Limits, Upload, decode_entry, decode_limits, decode_page
from .partial_file import remove_stale
from .progress import ProgressLike, Report, no_report, reporting
from .pull import PullResult, pull
from .push import PushResult, push
from .put import PutResult, check_description, find_entry, put, version_exists
from .refs import ArtifactReference, ReferenceLike, artifact_name, check_digest, content_version, reference
from .source import BytesSource, Digests, FileSource, Source, SourceLike, open_source
from .stream import ArtifactStream
from .timing import Cancel, RetryPolicy, Timeouts
from .transport import Transport
from .upload import Description, UploadCalls

if TYPE_CHECKING:
    from typing_extensions import Self

DEFAULT_URL = "http://127.0.0.1:9470/v1"
#: A page of a list.
_PAGE = 1000

PathLike = str | os.PathLike[str]


class BucketClient:
    """Stores and fetches artifacts of one Bucket API. Safe to share between threads, to pickle, and across ``fork``.

    Example:
        >>> bucket = BucketClient()  # doctest: +SKIP
        >>> bucket.put("demo/model/v1", "model.bin").ref  # doctest: +SKIP
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        auth: Auth | str | None = None,
        api_key: str | None = None,
        ca_file: PathLike | None = None,
        parallel: int = 4,
        retry: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        """Nothing is sent yet. Arguments that are left out come from the environment, by the names of the command line.

        Args:
            url: root of the API; ``BUCKET_URL``, else ``http://127.0.0.1:9470/v1``.
            auth: who calls, or ``"none"``, ``"iam"``, ``"bearer"`` (``BUCKET_TOKEN``), ``"api-key"``; ``BUCKET_AUTH``,
                else IAM for an ``execute-api`` address.
            api_key: a key of a gateway's usage plan, sent in addition to ``auth``; ``BUCKET_API_KEY``.
            ca_file: PEM file of certificate authorities to trust; ``BUCKET_CA_FILE``, else those of the system.
            parallel: connections of one large transfer.
            retry: when failures are retried.
            timeouts: bounds of single waits, in seconds.

        Raises:
            ValueError: a URL that is not the root of an API, an ``auth`` that lacks something, or a wrong type.
        """
        self.url = _checked_url(url or os.environ.get("BUCKET_URL") or DEFAULT_URL)
        self._auth = auth_from_environment(auth, self.url) if auth is None or isinstance(auth, str) else auth
        kinds = (NoAuth, BearerAuth, ApiKeyAuth, IamAuth)
        _check_setting("auth", self._auth, kinds, "none, iam, bearer or api-key, or an object as BearerAuth(token)")
        self._api_key = api_key or os.environ.get("BUCKET_API_KEY") or None
        self._ca_file = ca_file or os.environ.get("BUCKET_CA_FILE") or None
        _check_setting("parallel", parallel, int, "a number of connections")
        self._parallel = max(1, parallel)
        self._retry = RetryPolicy() if retry is None else retry
        _check_setting("retry", self._retry, RetryPolicy, "a RetryPolicy, as RetryPolicy(attempts=3)")
        self._timeouts = Timeouts() if timeouts is None else timeouts
        _check_setting("timeouts", self._timeouts, Timeouts, "Timeouts, as Timeouts(idle=60)")
        self._api = Api(
            self.url,
            Transport(self._timeouts, self._ca_file),
            authorizer(self._auth, self.url, self._api_key),
            self._retry,
            authorizes=not isinstance(self._auth, NoAuth) or self._api_key is not None,
        )
        self._known_limits: Limits | None = None
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
            ref: ``bucket_id/artifact_id/version``; or ``bucket_id/artifact_id``, for a version that is made from the
                content.
            source: a path, bytes, a binary file object (from its current position), or an iterable of bytes.
            digest: what the bytes must be (``sha256:…``); a pinned ref says the same. Other bytes are not sent.
            size: bytes of the source, if known; checked.
            content_type: media type, at most 255 visible ASCII characters; ``application/octet-stream`` if left out.
            uploaded_by: who stores it, at most 256 characters.
            provenance_source: where it comes from, at most 1,024 characters.
            lock: lock file to add the ref to.
            progress: a callback, or ``True`` for a bar of ``tqdm``.

        Raises:
            ConflictError: ``version_exists``: the version holds other bytes.
            DigestError: the source does not have the digest; nothing was sent.
            SourceError: the source changed while it was sent; nothing was stored.
            InvalidRequestError, TooLargeError, NotAuthorizedError, UnavailableError, NetworkError, OSError
        """
        description = Description(content_type, uploaded_by, provenance_source)
        _check_all(
            lambda: _namer(ref, None),
            lambda: None if digest is None else check_digest(digest),
            lambda: _check_size(size),
            lambda: check_description(description),
        )
        _namer(ref, digest)
        if lock is not None:
            LockFile(lock).check()
        with (
            reporting(progress, str(ref)) as report,
            contextlib.closing(open_source(source, size, report)) as opened,
        ):
            result = self._put_open(opened, ref, description, report, digest)
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
    ) -> Literal["created", "identical"]:
        """Make sure that a ref holds exactly these bytes: the call of schedulers and re-runs.

        An existing version is compared before anything is sent. Options as for :meth:`put`.

        Raises:
            ConflictError: ``version_exists``: the version holds other bytes.
            BucketError: as :meth:`put`.
        """
        if not _is_artifact_name(ref):
            asked = reference(ref, digest)
            stored = find_entry(self._api, asked, None)
            found = _size_of(source)
            if stored is not None and found is not None and found != stored.size:
                raise version_exists(stored, asked)
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
        return "created" if result.created else "identical"

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

        The last MiB is given only after the digest matched: smaller artifacts come whole or not at all.

        Args:
            ref: may be pinned.
            digest: what the bytes must be, else they are not fetched.
            locked: lock file that must name the ref; its digest must be the stored one.
            progress: a callback, or ``True`` for a bar of ``tqdm``.

        Raises:
            NotFoundError: no such version.
            DigestError: the stored digest differs; or, while reading, the bytes do not match.
            NotAuthorizedError, UnavailableError, NetworkError
        """
        asked = _locked(reference(ref, digest), locked)
        artifact = Artifact(self._api, asked)
        with contextlib.ExitStack() as ends:
            report = ends.enter_context(reporting(progress, asked.name))
            return ArtifactStream(artifact, artifact.open(), report, ends.pop_all())

    def read_range(self, ref: ReferenceLike, size: int, start: int, end: int) -> Iterator[memoryview]:
        """Give the bytes from ``start`` up to ``end`` of an artifact of ``size`` bytes, over broken connections.

        A digest covers the whole artifact, so these bytes are not verified by themselves. Each piece is valid until the
        next is asked for.

        Args:
            ref: pinned.
            size: of the whole artifact, in bytes, as its entry says.
            start: position of the first byte.
            end: position after the last byte, at most ``size``.

        Raises:
            NotFoundError, DigestError, NotAuthorizedError, UnavailableError, NetworkError
        """
        artifact = Artifact(self._api, _pinned(ref, None), size=size)
        try:
            yield from artifact.chunks(start, end, None)
        except RangesIgnored:
            raise unexpected("the server, or a proxy before it, ignores ranges") from None

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
        """Fetch into a file, which has its name only after all bytes came and matched.

        An interrupted download continues where it stopped, also in another process, from the partial file
        ``.<hex digits of the digest>.bucket-part`` in the target's folder. A target that has these bytes already is
        not fetched again.

        Args:
            ref: may be pinned.
            target: path of the file, or a folder, in which the file is called ``artifact_id-version``.
            digest: what the bytes must be, else they are not fetched.
            overwrite: whether a file with other bytes is replaced. Its permissions stay.
            locked: lock file that must name the ref; its digest must be the stored one.
            progress: a callback, or ``True`` for a bar of ``tqdm``.

        Raises:
            TargetError: the target has other bytes, is not a file, or another process fetches the same bytes and does
                not advance.
            NotFoundError, DigestError, NotAuthorizedError, UnavailableError, NetworkError, OSError
        """
        asked = _locked(reference(ref, digest), locked)
        path = Path(target)
        if path.is_dir():
            path = path / f"{asked.artifact_id}-{asked.version}"
        self._sweep(Path(os.path.realpath(path)).parent)
        with reporting(progress, asked.name) as report:
            result = download(self._api, asked, path, overwrite, report, self._parallel)
        if result.fetched:
            sync_folder(Path(os.path.realpath(path)).parent)
        return result

    # Folders

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
            ManifestError: ``folder_invalid``: something that no manifest can describe.
            ConflictError: ``version_exists``: the ref holds another folder.
            SourceError: a file changed while it was sent.
            BucketError: as :meth:`put`.
        """
        description = Description(MEDIA_TYPE, uploaded_by, provenance_source)
        _check_all(lambda: reference(ref), lambda: check_description(description))
        asked = reference(ref)
        files_artifact_id(asked.artifact_id)
        if lock is not None:
            LockFile(lock).check()
        cache = default_cache_path() if digest_cache is True else None if digest_cache is False else Path(digest_cache)
        with reporting(progress, asked.name) as report:
            result = push(
                asked,
                Path(folder),
                put_file=self._put_file,
                put_manifest=lambda data: self._put_open(BytesSource(data), asked, description, no_report),
                list_files=self.list_versions,
                include=include,
                exclude=exclude,
                follow_symlinks=follow_symlinks,
                dry_run=dry_run,
                parallel=parallel,
                cache=DigestCache(cache),
                report=report,
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
        """Fetch a folder that was pushed. It has its name only when every file is there and verified.

        An interrupted pull continues where it stopped, from ``.<hex digits of the manifest's digest>.bucket-pull`` next
        to the target. A target that is the same folder already is not fetched again.

        Args:
            ref: of the manifest; may be pinned.
            target: path of the folder. It may exist if it is empty.
            digest: what the manifest must be, else nothing is fetched.
            overwrite: whether a folder that differs is replaced as a whole.
            parallel: files at once.
            locked: lock file that must name the ref.
            progress: a callback, or ``True`` for a bar of ``tqdm``.

        Raises:
            ManifestError: the artifact is not a manifest, or breaks the rules.
            TargetError: the target differs, cannot hold these names, or another process pulls the same folder.
            BucketError: as :meth:`download`.
        """
        manifest_ref, manifest = self.manifest(_locked(reference(ref, digest), locked))
        with reporting(progress, manifest_ref.name) as report:
            return pull(
                manifest_ref,
                manifest,
                Path(target),
                fetch=self._fetch_file,
                overwrite=overwrite,
                parallel=parallel,
                patience=self._retry.patience,
                report=report,
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
            return stream.ref, FolderManifest.from_bytes(stream.read())

    def _put_file(self, ref: ArtifactReference, location: Path, report: Report, cancel: Cancel) -> PutResult:
        with contextlib.closing(open_source(location, None, report)) as source:
            if isinstance(source, FileSource):
                # Hashed a moment ago. If it has changed since, the server finds that it has another digest.
                source.digests = Digests(ref.digest or "")
            return self._put_open(source, ref, Description(), report, cancel=cancel)

    def _put_open(
        self,
        source: Source,
        ref: ReferenceLike,
        description: Description,
        report: Report,
        digest: str | None = None,
        cancel: Cancel | None = None,
    ) -> PutResult:
        return put(self._api, self.limits, _namer(ref, digest), source, description, report, self._parallel, cancel)

    def _fetch_file(self, ref: ArtifactReference, target: Path, report: Report, cancel: Cancel) -> Downloaded:
        return download(self._api, ref, target, True, report, self._parallel, cancel)

    def _sweep(self, folder: Path) -> None:
        """Remove stale partial files, once in each folder."""
        if folder not in self._swept:
            self._swept.add(folder)
            remove_stale(folder)

    # Entries

    def entry(self, ref: ReferenceLike, *, digest: str | None = None) -> Entry:
        """Return what Bucket records about a version.

        Raises:
            NotFoundError: no such version.
            DigestError: ``digest_differs``: the ref is pinned, and the stored digest is another.
        """
        asked = reference(ref, digest)
        request = ApiRequest("GET", f"{version_path(asked)}/entry", (200,))
        stored = decode_entry(self._api.json(request), asked.unpinned())
        if asked.digest not in (None, stored.digest):
            raise error(
                "digest_differs",
                f"{asked.name} has the digest {stored.digest}, not {asked.digest}",
                members={"expected_digest": asked.digest, "stored_digest": stored.digest},
            )
        return stored

    def exists(self, ref: ReferenceLike) -> bool:
        """Return whether a version is stored; of a pinned ref, whether it is stored with that digest."""
        asked = reference(ref)
        stored = find_entry(self._api, asked, None)
        return stored is not None and asked.digest in (None, stored.digest)

    def list_versions(self, artifact: str, *, page: int = _PAGE) -> Iterator[Entry]:
        """Give all versions of an artifact in the byte order of their names, page after page as they are asked for.

        The order is not that of time: which version is current is a decision for your own registry.

        Args:
            artifact: ``bucket_id/artifact_id``.
            page: entries of one request, at most 1,000.
        """
        path = artifact_path(*artifact_name(artifact))
        cursor: str | None = None
        while True:
            query = {"limit": str(page)} | ({} if cursor is None else {"cursor": cursor})
            entries, cursor = decode_page(self._api.json(ApiRequest("GET", path, (200,), query)))
            yield from entries
            if cursor is None:
                return

    def limits(self) -> Limits:
        """Return the limits of this deployment, asked for once."""
        if self._known_limits is None:
            self._known_limits = decode_limits(self._api.json(ApiRequest("GET", "", (200,))))
        return self._known_limits

    # Unfinished uploads

    def upload(self, ref: ReferenceLike, digest: str | None = None) -> Upload:
        """Return an unfinished upload, which belongs to a ref and a digest.

        Raises:
            NotFoundError: ``upload_not_found``.
        """
        return UploadCalls(self._api, _pinned(ref, digest), None).state()

    def abort_upload(self, ref: ReferenceLike, digest: str | None = None) -> None:
        """Drop what was sent of an unfinished upload.

        Raises:
            NotFoundError: ``upload_not_found``.
            ConflictError: ``upload_conflict`` while it is verified or once it is committed.
        """
        UploadCalls(self._api, _pinned(ref, digest), None).abort()

    # Life

    def close(self) -> None:
        """Close idle connections. The client can be used again after that."""
        self._api.transport.close()

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close idle connections."""
        self.close()

    def __repr__(self) -> str:
        """Name the API, and no secret."""
        return f"BucketClient({self.url!r}, auth={type(self._auth).__name__})"

    def __getstate__(self) -> Mapping[str, Any]:
        """Pickle the settings: a worker process opens its own connections."""
        return {
            "url": self.url,
            "auth": self._auth,
            "api_key": self._api_key,
            "ca_file": self._ca_file,
            "parallel": self._parallel,
            "retry": self._retry,
            "timeouts": self._timeouts,
        }

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Make the same client again."""
        self.__init__(**state)


def _checked_url(url: str) -> str:
    what = "give the root of the API alone, as in https://artifacts.example/v1"
    _check_setting("url", url, str, f"a str; {what}")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"the URL {url.partition('?')[0]!r} is not one of http or https; {what}")
    try:
        _ = parts.port
    except ValueError:
        raise ValueError(f"the URL {url.partition('?')[0]!r} has a port that is not from 0 to 65535; {what}") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"the URL has credentials, which belong to auth; {what}")
    if parts.query or parts.fragment:
        raise ValueError(f"the URL has a query or a fragment; {what}")
    return url.rstrip("/")


def _is_artifact_name(ref: object) -> bool:
    """Return whether a ref leaves its version to the content."""
    return isinstance(ref, str) and ref.removeprefix("bucket://").count("/") == 1


def _check_all(*checks: Callable[[], object]) -> None:
    """Make all checks of a call.

    Raises:
        InvalidRequestError: with the faults of all of them.
    """
    faults: list[tuple[str, str]] = []
    for check in checks:
        try:
            check()
        except InvalidRequestError as problem:
            faults += [(fault["name"], fault["detail"]) for fault in problem.members["errors"]]
    if faults:
        raise invalid_request(faults)


def _check_size(size: object) -> None:
    if size is not None and (not isinstance(size, int) or size < 0):
        raise invalid_request([("size", f"is {size!r}; give bytes as an int from 0 on")])


def _check_setting(name: str, given: object, kind: type | tuple[type, ...], expected: str) -> None:
    if not isinstance(given, kind):
        raise ValueError(f"{name} is of the type {type(given).__name__}; give {expected}")


def _namer(ref: ReferenceLike, digest: str | None) -> Any:
    """Return what gives the reference for the digest of the bytes."""
    if _is_artifact_name(ref):
        bucket_id, artifact_id = artifact_name(ref)

        def by_content(computed: str) -> ArtifactReference:
            _check_pinned(str(ref), digest, computed)
            return ArtifactReference(bucket_id, artifact_id, content_version(computed), computed)

        return by_content
    asked = reference(ref, digest)

    def named(computed: str) -> ArtifactReference:
        _check_pinned(asked.name, asked.digest, computed)
        return asked.pinned(computed)

    return named


def _check_pinned(name: str, digest: str | None, computed: str) -> None:
    if digest not in (None, computed):
        raise error(
            "digest_mismatch",
            f"the source for {name} has the digest {computed}, not {digest}; nothing was sent",
            members={"declared_digest": digest, "computed_digest": computed},
            next="Find out which bytes you mean: the source may be cut off, or the digest may be of another file.",
        )


def _pinned(ref: ReferenceLike, digest: str | None) -> ArtifactReference:
    asked = reference(ref, digest)
    if asked.digest is None:
        raise invalid_request([("ref", f"{str(ref)!r} is not pinned: add @sha256:…, or give digest")])
    return asked


def _locked(asked: ArtifactReference, lock: PathLike | None) -> ArtifactReference:
    return asked if lock is None else LockFile(lock).pin(asked)


def _size_of(source: SourceLike) -> int | None:
    """Return the bytes of a source where that can be told without reading it."""
    if isinstance(source, bytes | bytearray | memoryview):
        return memoryview(source).nbytes
    if isinstance(source, str | os.PathLike) and Path(source).is_file():
        return Path(source).stat().st_size
    return None
