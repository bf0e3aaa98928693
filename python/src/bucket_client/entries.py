"""A client's settings and connections, and its requests about artifacts that transfer no bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

from .api import ApiRequest, artifact_path, version_path
from .auth import Auth
from .checks import check_all, check_count
from .errors import error
from .model import Entry, Limits, Upload, decode_entry, decode_limits, decode_page
from .put import find_entry
from .refs import ReferenceLike, artifact_name, pinned_reference, reference
from .settings import Settings, resolve_settings
from .timing import RetryPolicy, Timeouts
from .upload import UploadCalls

if TYPE_CHECKING:
    from typing_extensions import Self

#: The most entries in one request for a list (docs/http-api.md, section 2).
_MOST_PER_PAGE = 1000

PathLike: TypeAlias = str | os.PathLike[str]


class EntryClient:
    """Asks one Bucket API what it has recorded."""

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
            parallel: connections of one large transfer, from 1 on.
            retry: when failures are retried.
            timeouts: bounds of single waits, in seconds.

        Raises:
            ValueError: a URL that is not the root of an API, an ``auth`` that lacks something, or a wrong type.
            ImportError: IAM without ``botocore``.
            OSError: ``ca_file`` cannot be read.
        """
        self._start(resolve_settings(url, auth, api_key, ca_file, parallel, retry, timeouts))

    def _start(self, settings: Settings) -> None:
        self._settings = settings
        self._api = settings.make_api()
        self._known_limits: Limits | None = None

    @property
    def url(self) -> str:
        """Root of the API, as it was given."""
        return self._settings.url

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
        # With its identity, because fsspec compares clients by their repr.
        return f"<{type(self).__name__} {self.url} auth={type(self._settings.auth).__name__} at {id(self):#x}>"

    def __getstate__(self) -> Settings:
        """Pickle the settings: a worker process opens its own connections."""
        return self._settings

    def __setstate__(self, state: Settings) -> None:
        """Make the same client again."""
        self._start(state)

    # Entries

    def entry(self, ref: ReferenceLike, *, digest: str | None = None) -> Entry:
        """Return what Bucket records about a version.

        Raises:
            NotFoundError: no such version.
            DigestError: ``digest_differs``: the ref is pinned, and the stored digest is another.
            InvalidRequestError, NotAuthorizedError, UnavailableError, NetworkError
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
        """Return whether a version is stored; of a pinned ref, whether it is stored with that digest.

        Raises:
            BucketError: the service did not answer. A failure is never ``False``.
        """
        asked = reference(ref)
        stored = find_entry(self._api, asked, None)
        return stored is not None and asked.digest in (None, stored.digest)

    def list_versions(self, artifact: str, *, page: int = _MOST_PER_PAGE) -> Iterator[Entry]:
        """Yield all versions of an artifact in the byte order of their names. Pages are requested as needed.

        The order is not by time. Keep the current version in a registry of your own.

        Args:
            artifact: ``bucket_id/artifact_id``.
            page: entries of one request, from 1 to 1,000.

        Raises:
            InvalidRequestError, NotAuthorizedError, UnavailableError, NetworkError
        """
        check_all(lambda: artifact_name(artifact), lambda: check_count("page", page, 1, _MOST_PER_PAGE))
        return self._pages(artifact_path(*artifact_name(artifact)), page)

    def _pages(self, path: str, page: int) -> Iterator[Entry]:
        cursor: str | None = None
        while True:
            query = {"limit": str(page)} | ({} if cursor is None else {"cursor": cursor})
            entries, cursor = decode_page(self._api.json(ApiRequest("GET", path, (200,), query)))
            yield from entries
            if cursor is None:
                return

    def limits(self) -> Limits:
        """Return the limits of this deployment, requested once."""
        if self._known_limits is None:
            self._known_limits = decode_limits(self._api.json(ApiRequest("GET", "", (200,))))
        return self._known_limits

    # Unfinished uploads

    def upload(self, ref: ReferenceLike, digest: str | None = None) -> Upload:
        """Return the unfinished upload of a ref and a digest.

        Raises:
            NotFoundError: ``upload_not_found``.
            InvalidRequestError, NotAuthorizedError, UnavailableError, NetworkError
        """
        return UploadCalls(self._api, pinned_reference(ref, digest), None).state()

    def abort_upload(self, ref: ReferenceLike, digest: str | None = None) -> None:
        """Abort an unfinished upload, and remove the received parts.

        Raises:
            NotFoundError: ``upload_not_found``.
            ConflictError: ``upload_conflict`` while it is verified or once it is committed.
            InvalidRequestError, NotAuthorizedError, UnavailableError, NetworkError
        """
        UploadCalls(self._api, pinned_reference(ref, digest), None).abort()
