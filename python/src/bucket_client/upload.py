"""An upload from begin to commit (docs/http-api.md, section 7).

The client keeps no state: the same ref and bytes find the same upload again, from any process on any host, and only
missing parts are sent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from .api import Api, ApiRequest, json_request, read_json, read_retry_after, version_path
from .description import Description
from .errors import BucketError, ConflictError, NotFoundError, error, unexpected
from .model import (
    Entry,
    Presigned,
    Upload,
    decode_entry,
    decode_presigned,
    decode_upload,
    part_span,
)
from .presigned_put import Slice, presigned_put
from .progress import Report
from .refs import ArtifactReference
from .source import Digests, Source, hash_source
from .timing import Cancel, backoff, pause, retrying
from .workers import run_parallel

#: The most part numbers in one request for parts.
_MOST_PER_REQUEST = 100
#: How often a commit is repeated because the verification makes no progress.
_MOST_STALLS = 20
#: Seconds before the first look at a verification; each wait is a quarter longer than the last, up to what the server
#: names.
_FIRST_LOOK = 0.1
_LATER_LOOKS = 1.25


class _Restart(Exception):
    """The upload ended or was reopened, and beginning it again may help."""

    def __init__(self, problem: BucketError) -> None:
        super().__init__(str(problem))
        self.problem = problem


def upload_path(ref: ArtifactReference) -> str:
    """Return the path of the upload of a pinned ref."""
    return f"{version_path(ref)}/uploads/{ref.digest}"


class UploadCalls:
    """The requests about one upload."""

    def __init__(self, api: Api, ref: ArtifactReference, cancel: Cancel | None) -> None:
        self.api = api
        self.ref = ref
        self.cancel = cancel
        self._path = upload_path(ref)

    def begin(self, size: int, description: Description) -> Upload:
        """Begin the upload, or find it again."""
        terms = {"size": size, **vars(description)}
        return decode_upload(self.api.json(json_request("PUT", self._path, terms, (200, 201), self.cancel)), self.ref)

    def state(self, *, begun: bool = False) -> Upload:
        """Return the upload. ``begun`` says that this client has sent its bytes."""
        request = ApiRequest("GET", self._path, (200,), cancel=self.cancel)
        return decode_upload(self.api.json(request, begun=begun), self.ref)

    def abort(self) -> None:
        """Abort the upload."""
        request = ApiRequest("DELETE", self._path, (204,), cancel=self.cancel)
        retrying(self.api.retry, self.cancel, lambda: self.api.attempt(request).close())

    def presign_parts(self, parts: Sequence[tuple[int, str]]) -> dict[int, Presigned]:
        """Return requests by part number; ``parts`` are numbers and SHA-256 in hex, at most 100."""
        wanted = {"parts": [{"number": number, "sha256": sha256} for number, sha256 in parts]}
        answer = self.api.json(json_request("POST", f"{self._path}/parts", wanted, (200,), self.cancel), begun=True)
        requests = {part["number"]: decode_presigned(part["request"]) for part in answer.get("parts", [])}
        if any(number not in requests for number, _ in parts):
            raise unexpected("the response lacks a request for a part")
        return requests

    def commit(self) -> tuple[Entry, bool] | float:
        """Return the entry and whether this call made it visible; or, while bytes are verified, when to look again."""
        is_repeated = False

        def attempt() -> tuple[Entry, bool] | float:
            nonlocal is_repeated
            try:
                request = ApiRequest("POST", f"{self._path}/commit", (200, 201, 202), cancel=self.cancel)
                with self.api.attempt(request) as response:
                    if response.status == 202:
                        return read_retry_after(response.headers.get("retry-after")) or self.api.timeouts.poll
                    entry = decode_entry(read_json(response, "commit"), self.ref)
                    # A commit whose response was lost may have created the entry.
                    return entry, response.status == 201 or is_repeated
            except BucketError as problem:
                is_repeated = is_repeated or problem.retryable
                if problem.code == "unavailable":
                    # A failed upload and a failing service both respond with unavailable; the upload's state differs.
                    self._raise_failure()
                raise

        return retrying(self.api.retry, self.cancel, attempt, begun=True)

    def _raise_failure(self) -> None:
        try:
            request = ApiRequest("GET", self._path, (200,), cancel=self.cancel)
            upload = decode_upload(self.api.json_once(request), self.ref)
        except BucketError:
            return
        if upload.problem is not None:
            raise _failure(upload.problem)


def _failure(problem: BucketError) -> Exception:
    return _Restart(problem) if problem.retryable else problem


def upload(
    calls: UploadCalls,
    source: Source,
    digests: Digests,
    description: Description,
    report: Report,
    parallel: int,
) -> tuple[Entry, bool]:
    """Store a source as an upload. Returns the entry, and whether this call made it visible.

    Raises:
        BucketError: ``version_exists``, also if the same bytes are stored already; ``upload_conflict`` if an upload of
            this digest has another size; ``artifact_too_large``; ``source_changed``; a ``NetworkError``.
    """
    api, size = calls.api, source.size
    round_ = 0
    while True:
        round_ += 1
        begun = calls.begin(size, description)
        try:
            if begun.size != size:
                raise unexpected(f"the server has an upload of {begun.size} bytes, not {size}")
            if begun.state == "open" and begun.mode == "single":
                _send_whole(calls, begun, source, digests, description, report)
            elif begun.state == "open":
                known = digests if digests.parts is not None else hash_source(source, report, with_parts=True)
                _send_parts(calls, begun, source, known.parts or (), report, parallel)
            result = _commit_and_wait(calls, size, report)
        except _Restart as restart:
            problem = restart.problem
        except (NotFoundError, ConflictError) as refusal:
            # The upload was aborted, expired, or reopened by another commit.
            if refusal.code not in ("upload_not_found", "upload_incomplete", "upload_conflict"):
                raise
            problem = refusal
        else:
            report("committed", size, size)
            return result
        if round_ >= api.retry.attempts:
            raise problem
        pause(backoff(api.retry, round_), calls.cancel)


def _send_whole(
    calls: UploadCalls,
    begun: Upload,
    source: Source,
    digests: Digests,
    description: Description,
    report: Report,
) -> None:
    size = source.size

    def request(is_fresh: bool) -> Presigned | None:
        current = calls.begin(size, description) if is_fresh else begun
        return None if current.received is True else current.request

    body = Slice(source, 0, size)
    sha256 = digests.digest.removeprefix("sha256:")
    presigned_put(calls.api, body, sha256, request, lambda sent: report("uploading", 0, size, sent), calls.cancel)
    report("uploading", size, size, size)


class _Parts:
    """The parts that are left to send, shared by threads."""

    def __init__(
        self, calls: UploadCalls, size: int, missing: list[tuple[int, str]], report: Report, ahead: int
    ) -> None:
        self._calls = calls
        self._size = size
        self._waiting = list(reversed(missing))
        self._ahead = ahead
        self._ready: dict[int, Presigned] = {}
        self._lock = threading.Lock()
        self._under_way: dict[int, int] = {}
        self._acknowledged = size - sum(self.length(number) for number, _ in missing)
        self._report = report

    def length(self, number: int) -> int:
        start, end = part_span(self._size, number)
        return end - start

    def take(self, number: int) -> Presigned:
        """Return a request for a part. Requests are presigned for several parts at once, shortly before their use."""
        with self._lock:
            while number not in self._ready and self._waiting:
                batch = [self._waiting.pop() for _ in range(min(self._ahead, len(self._waiting)))]
                self._ready.update(self._calls.presign_parts(batch))
            return self._ready.pop(number)

    def sent(self, number: int, count: int) -> None:
        self._under_way[number] = count
        self._tell()

    def acknowledged(self, number: int) -> None:
        with self._lock:
            self._under_way.pop(number, None)
            self._acknowledged += self.length(number)
        self._tell()

    def _tell(self) -> None:
        done = self._acknowledged
        self._report("uploading", done, self._size, done + sum(list(self._under_way.values())))


def _send_parts(
    calls: UploadCalls,
    begun: Upload,
    source: Source,
    sha256s: Sequence[str],
    report: Report,
    parallel: int,
) -> None:
    """Send the parts that the store lacks, several at once, each streamed from its place in the source."""
    size = begun.size
    received = begun.received if isinstance(begun.received, tuple) else ()
    stored = {part.number: (part.sha256, part.size) for part in received}
    missing = [
        (number, sha256)
        for number, sha256 in enumerate(sha256s, 1)
        # A part that the store has with another digest is sent again (docs/http-api.md, section 7.2).
        if stored.get(number) != (sha256, part_span(size, number)[1] - part_span(size, number)[0])
    ]
    parts = _Parts(calls, size, missing, report, min(_MOST_PER_REQUEST, parallel * 4))
    # Threads take the parts in order, so that requests are presigned in order.
    order = iter(missing)

    def send(part: tuple[int, str], stop: Cancel) -> None:
        number, sha256 = part

        def request(is_fresh: bool) -> Presigned | None:
            return calls.presign_parts([part])[number] if is_fresh else parts.take(number)

        body = Slice(source, *part_span(size, number))
        presigned_put(calls.api, body, sha256, request, lambda sent: parts.sent(number, sent), stop)
        parts.acknowledged(number)

    run_parallel(order, send, parallel, calls.cancel)


def _commit_and_wait(calls: UploadCalls, size: int, report: Report) -> tuple[Entry, bool]:
    """Commit, and wait until the service has verified the bytes."""
    report("verifying", 0, size)
    is_ours = False
    seen = -1
    for _ in range(_MOST_STALLS):
        answer = calls.commit()
        if isinstance(answer, tuple):
            entry, created = answer
            return entry, created or is_ours
        is_ours = True
        wait = _FIRST_LOOK
        advanced_at = time.monotonic()
        while time.monotonic() - advanced_at < calls.api.timeouts.verification_idle:
            pause(min(wait, answer), calls.cancel)
            wait *= _LATER_LOOKS
            current = calls.state(begun=True)
            if current.entry is not None:
                return current.entry, True
            if current.problem is not None:
                raise _failure(current.problem)
            if current.state == "open":
                raise _Restart(error("unavailable", "the upload was opened again while it was verified"))
            if current.verified_bytes != seen:
                seen = current.verified_bytes
                advanced_at = time.monotonic()
                report("verifying", seen, size)
    raise error("unavailable", f"the verification of {calls.ref.name} does not advance")
