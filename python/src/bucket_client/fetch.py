"""Opens the bytes of an artifact at any position, at the API or at the URL that the API returns.

The digest is pinned with ``?digest=`` on every request, also on those that continue: a front that redirects refuses
``If-Range`` (docs/http-api.md, section 5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from .api import Api, ApiRequest, version_path
from .errors import BucketError, error, unexpected
from .model import about_another, decode_digest, decode_presigned, decode_size
from .refs import ArtifactReference
from .response import Response
from .timing import Cancel, Patience, retrying

if TYPE_CHECKING:
    from hashlib import _Hash  # pyright: ignore[reportPrivateUsage]

#: A connection that gave at least this much before it broke counts as progress.
PROGRESS_BYTES = 1 << 20
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_FILE_NAME = re.compile(r';\s*filename="([^"]*)"', re.IGNORECASE)


class RangesIgnored(Exception):
    """The server, or a proxy in front of it, ignores ranges and gives bytes from the first on."""


class OpenedBytes:
    """A response whose body are bytes of the artifact, from position ``start``."""

    def __init__(self, response: Response, start: int) -> None:
        self.response = response
        self.start = start


class Artifact:
    """The bytes of one ref: opened once to learn digest and size, then at any position by any thread.

    Attributes:
        ref: pinned to the digest of the bytes.
        size: in bytes.
    """

    def __init__(self, api: Api, ref: ArtifactReference, cancel: Cancel | None = None, size: int = -1) -> None:
        """Ask for nothing yet. ``ref`` may be pinned or not; ``size`` is known of a pinned one."""
        self._api = api
        self._cancel = cancel
        self._target: tuple[str, Mapping[str, str]] | None = None
        self.ref = ref
        self.size = size

    def open(self, start: int = 0, end: int | None = None, cancel: Cancel | None = None) -> OpenedBytes:
        """Open the bytes from ``start`` up to, not including, ``end``; all that follow if that is ``None``.

        The server may begin earlier than asked: see ``OpenedBytes.start``.

        Raises:
            BucketError: ``version_not_found``, ``digest_differs``, and what any request raises.
        """
        cancel = cancel or self._cancel
        return retrying(self._api.retry, cancel, lambda: self.open_once(start, end, cancel))

    def open_once(self, start: int, end: int | None, cancel: Cancel | None) -> OpenedBytes:
        """Make one attempt of :meth:`open`."""
        is_whole = start == 0 and end is None
        ranges = {} if is_whole else {"Range": f"bytes={start}-{'' if end is None else end - 1}"}
        target = self._target
        if target is None:
            response = self._ask(ranges, cancel)
        else:
            # One presigned URL serves many ranges until it expires.
            response = self._api.follow(target[0], {**target[1], **ranges}, cancel)
        try:
            return OpenedBytes(response, self._position(response, start))
        except BaseException:
            self._target = None
            response.close()
            raise

    def chunks(
        self,
        start: int,
        end: int,
        cancel: Cancel | None,
        opened: OpenedBytes | None = None,
        buffer_bytes: int = 256 << 10,
    ) -> Iterator[memoryview]:
        """Yield the bytes from ``start`` up to ``end``, over as many connections as it takes. They are not verified.

        Each chunk is valid until the next one is read.

        Raises:
            RangesIgnored: the server cannot begin at ``start``, which is not 0.
            BucketError: after ``RetryPolicy.patience`` without progress.
        """
        patience = Patience(self._api.retry, begun=True)
        buffer = memoryview(bytearray(min(buffer_bytes, max(1, end - start))))
        # A range up to the artifact's end is requested without an end, so that extra bytes are noticed.
        asked_end = None if end == self.size else end
        at = start
        current = opened
        while at < end or current is not None:
            since = at
            try:
                if current is None:
                    current = self.open_once(at, asked_end, cancel)
                skip = at - current.start
                if skip > 0 and start > 0:
                    raise RangesIgnored
                with current.response as response:
                    while count := response.readinto(buffer):
                        fresh = buffer[min(skip, count) : count]
                        skip -= count - len(fresh)
                        if asked_end is not None:
                            fresh = fresh[: end - at]
                        at += len(fresh)
                        if fresh:
                            yield fresh
                        if at >= end and asked_end is not None:
                            return
                if at < end:
                    raise error("interrupted", f"the bytes end after {at} of {end}")
                return
            except BucketError as problem:
                # All bytes have arrived; only the end of the response was lost.
                if at >= end and problem.retryable:
                    return
                if at - since >= PROGRESS_BYTES:
                    patience.moved()
                patience.wait(problem, cancel)
            finally:
                if current is not None:
                    current.response.close()
                current = None

    def _ask(self, ranges: Mapping[str, str], cancel: Cancel | None) -> Response:
        """Ask the API for the bytes, or for where they are."""
        query = {} if self.ref.digest is None else {"digest": self.ref.digest}
        path = version_path(self.ref)
        if self._api.authorizes:
            # Credentials must not reach the target of a redirect, so its URL is requested first.
            request = ApiRequest("GET", f"{path}/download", (200,), query, cancel=cancel)
            where = self._api.json_once(request)
            presigned = decode_presigned(where)
            self._learn(decode_digest(where.get("digest")), decode_size(where.get("size")))
            self._target = (presigned.url, presigned.headers)
            return self._api.follow(presigned.url, {**presigned.headers, **ranges}, cancel)
        response = self._api.attempt(ApiRequest("GET", path, (200, 206, 307), query, ranges, cancel=cancel))
        try:
            headers = response.headers
            name = headers.get("x-artifact-ref")
            if name is not None and name != self.ref.name:
                raise about_another(self.ref.name, name)
            size = headers.get("x-artifact-size") or (headers.get("content-length") if response.status == 200 else None)
            self._learn(decode_digest(headers.get("x-artifact-digest")), decode_size(size))
            if response.status != 307:
                return response
            location = headers.get("location")
            if location is None:
                raise unexpected("the redirect has no Location")
        except BaseException:
            response.close()
            raise
        response.close()
        self._target = (location, {})
        return self._api.follow(location, ranges, cancel)

    def _learn(self, digest: str, size: int) -> None:
        if self.ref.digest not in (None, digest):
            raise error(
                "digest_differs",
                f"{self.ref.name} has the digest {digest}, not {self.ref.digest}",
                members={"expected_digest": self.ref.digest, "stored_digest": digest},
            )
        self.ref = self.ref.pinned(digest)
        self.size = size

    def _position(self, response: Response, start: int) -> int:
        """Return where the bytes of a response begin."""
        name = _FILE_NAME.search(response.headers.get("content-disposition") or "")
        if name and name[1] != f"{self.ref.artifact_id}-{self.ref.version}":
            raise about_another(self.ref.name, repr(name[1]))
        if response.status == 200:
            return 0
        if response.status == 404:
            raise error("blob_lost", f"the store that holds the bytes of {self.ref.name} has lost them")
        if response.status != 206:
            # An expired URL and a failing store are both retried; the text of the store's response is not read.
            raise error("unavailable", f"the store that holds the bytes answered {response.status}", retry_after=0)
        match = _CONTENT_RANGE.fullmatch(response.headers.get("content-range") or "")
        if not match or int(match[1]) != start or match[3] not in ("*", str(self.size)):
            given = response.headers.get("content-range")
            raise unexpected(f"the request was for the bytes from {start} on, but the response has others: {given}")
        return start


def verify(ref: ArtifactReference, hasher: _Hash) -> None:
    """Check that the bytes which arrived are those of a pinned ref.

    Raises:
        DigestError: ``digest_mismatch``.
    """
    computed = f"sha256:{hasher.hexdigest()}"
    if computed != ref.digest:
        raise _mismatch(ref, computed, f"its bytes have the digest {computed}")


def too_many_bytes(ref: ArtifactReference, size: int) -> BucketError:
    """Return the error of a response that continues after the last byte of an artifact."""
    return _mismatch(ref, None, f"more than its {size} bytes came")


def _mismatch(ref: ArtifactReference, computed: str | None, what: str) -> BucketError:
    members = {"declared_digest": ref.digest} | ({} if computed is None else {"computed_digest": computed})
    return error("digest_mismatch", f"{ref.name} should have the digest {ref.digest}, but {what}", members=members)
