"""Requests to one API: its root, authorization, retries and refusals.

Paths that the server hands out (``/v1/…``) are read relative to the root that the caller gave, wherever it is mounted.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urljoin, urlsplit

from .auth import Authorize
from .errors import BucketError, NotAuthorizedError, error, unexpected
from .exchange import Body, OnSent
from .model import JsonObject, Presigned, decode_problem, json_object
from .refs import ArtifactReference
from .response import Response
from .timing import Cancel, RetryPolicy, retrying
from .transport import Request, Transport, shown_url

T = TypeVar("T")
#: The largest JSON answer: a page of 1,000 entries has at most about 3 MiB.
_MAX_JSON_BYTES = 16 << 20
#: A signature of version 4 is valid for 5 minutes around the time of the service.
_CLOCK_SECONDS = 240
#: Meanings of statuses without a problem document of Bucket: responses of gateways and proxies.
_MEANINGS = {
    401: "unauthorized",
    403: "forbidden",
    429: "throttled",
    502: "unavailable",
    503: "unavailable",
    504: "unavailable",
}


@dataclass(frozen=True)
class JsonBody:
    """A small body of JSON."""

    data: bytes

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.data)

    def open(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes."""
        yield self.data[start:end]


@dataclass(frozen=True)
class ApiRequest:
    """A request to the API."""

    method: str
    #: Relative to the root, for example ``/buckets/b/artifacts/a/versions``.
    path: str
    #: The statuses that are not errors.
    accept: Collection[int]
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Body | None = None
    #: SHA-256 of the body, 64 hex digits.
    sha256: str | None = None
    on_sent: OnSent | None = None
    cancel: Cancel | None = None


def json_request(method: str, path: str, value: object, accept: Collection[int], cancel: Cancel | None) -> ApiRequest:
    """Return a request with a body of JSON."""
    data = json.dumps(value).encode()
    return ApiRequest(
        method,
        path,
        accept,
        headers={"content-type": "application/json"},
        body=JsonBody(data),
        sha256=hashlib.sha256(data).hexdigest(),
        cancel=cancel,
    )


def artifact_path(bucket_id: str, artifact_id: str) -> str:
    """Return the path of the list of versions."""
    return f"/buckets/{quote(bucket_id, safe='')}/artifacts/{quote(artifact_id, safe='')}/versions"


def version_path(ref: ArtifactReference) -> str:
    """Return the path of one version."""
    return f"{artifact_path(ref.bucket_id, ref.artifact_id)}/{quote(ref.version, safe='')}"


class Api:
    """Speaks to the API at one root."""

    def __init__(
        self, root: str, transport: Transport, authorize: Authorize, retry: RetryPolicy, *, authorizes: bool
    ) -> None:
        self.root = root.rstrip("/")
        #: A root without ``/v1`` may be the server's address instead of the API's. Then ``/v1`` below it is tried.
        self._may_be_above = not self.root.endswith("/v1")
        self.transport = transport
        self.retry = retry
        self.timeouts = transport.timeouts
        #: Whether requests carry credentials.
        self.authorizes = authorizes
        self._authorize = authorize
        self._origin = urlsplit(self.root)[:2]

    def attempt(self, request: ApiRequest) -> Response:
        """Make one attempt. The caller closes the response.

        Raises:
            BucketError: for every status but the accepted ones, and for no response.
        """
        return self._at_root(lambda: self._attempt(request))

    def _at_root(self, call: Callable[[], T]) -> T:
        """Run ``call``. If the root was wrong and could be corrected, run it again."""
        try:
            return call()
        except BucketError as problem:
            # API Gateway refuses unknown paths with 403.
            is_elsewhere = problem.code in ("route_not_found", "unexpected_response", "forbidden")
            if not is_elsewhere or not self._finds_api_below():
                raise
        return call()

    def _finds_api_below(self) -> bool:
        """Return whether the API is at ``/v1`` below the address that the caller gave, and use it from now on."""
        if self.root.endswith("/v1"):
            # Another thread found it, or the caller gave it.
            return self._may_be_above
        if not self._may_be_above:
            return False
        given = self.root
        self.root = f"{given}/v1"
        try:
            is_bucket = self._json_once(ApiRequest("GET", "", (200,))).get("service") == "bucket"
        except BucketError:
            is_bucket = False
        if not is_bucket:
            self.root = given
            self._may_be_above = False
        return is_bucket

    def _attempt(self, request: ApiRequest) -> Response:
        url = self.root + request.path
        if request.query:
            url += f"?{urlencode(request.query)}"
        headers = self._authorize(request.method, url, request.headers, request.sha256)
        response = self.transport.send(
            Request(request.method, url, headers, request.body, request.on_sent, request.cancel)
        )
        if response.status in request.accept:
            return response
        with response:
            raise read_problem(response, shown_url(url))

    def json_once(self, request: ApiRequest) -> JsonObject:
        """Make one attempt whose answer is a JSON object."""
        return self._at_root(lambda: self._json_once(request))

    def _json_once(self, request: ApiRequest) -> JsonObject:
        with self._attempt(request) as response:
            return read_json(response, shown_url(self.root + request.path))

    def json(self, request: ApiRequest, *, begun: bool = False) -> JsonObject:
        """Make as many attempts as the policy allows; the answer is a JSON object.

        ``begun`` says that the request belongs to a transfer that has moved bytes.
        """
        return retrying(self.retry, request.cancel, lambda: self.json_once(request), begun=begun)

    def follow(self, address: str, headers: Mapping[str, str], cancel: Cancel | None) -> Response:
        """Send a GET to an address that the server handed out, with these headers alone.

        An address on the API's own origin that was given as a path is authorized; an absolute one gets nothing.
        """
        url = self._located(address)
        is_own = address.startswith("/") and urlsplit(url)[:2] == self._origin
        sent = self._authorize("GET", url, headers, None) if is_own else dict(headers)
        return self.transport.send(Request("GET", url, sent, cancel=cancel))

    def send_presigned(
        self, presigned: Presigned, body: Body, on_sent: OnSent | None, cancel: Cancel | None
    ) -> Response:
        """Send a body with a request that the server made, unchanged: it carries its own permission."""
        url = self._located(presigned.url)
        return self.transport.send(Request(presigned.method, url, presigned.headers, body, on_sent, cancel))

    def _located(self, address: str) -> str:
        if address == "/v1" or address.startswith(("/v1/", "/v1?")):
            return self.root + address.removeprefix("/v1")
        return urljoin(self.root, address)


def read_json(response: Response, where: str) -> JsonObject:
    """Read a body that should be a JSON object."""
    return json_object(response.read(_MAX_JSON_BYTES), where)


def read_problem(response: Response, where: str) -> BucketError:
    """Read the body of a refusal and return the error to raise."""
    problem = _read_problem(response, where)
    if isinstance(problem, NotAuthorizedError) and (hint := _clock_hint(response.headers.get("date"))):
        problem.add_next(hint)
    return problem


def _clock_hint(date: str | None) -> str | None:
    """Return what to say if this machine's clock differs from the service's: signatures and tokens expire by it."""
    try:
        ahead = 0.0 if date is None else time.time() - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
    if abs(ahead) < _CLOCK_SECONDS:
        return None
    way = "ahead of" if ahead > 0 else "behind"
    return f"This machine's clock is {abs(ahead) / 60:.0f} minutes {way} the service's: correct it first."


def _read_problem(response: Response, where: str) -> BucketError:
    status = response.status
    if 300 <= status < 400:
        location = shown_url(response.headers.get("location") or "")
        return error(
            "unexpected_response",
            f"{where} answered {status} and points to {location or 'another address'}",
            status=status,
            next="Use the address that it points to, if that is the API you mean.",
        )
    request_id = response.headers.get("x-request-id")
    retry_after = read_retry_after(response.headers.get("retry-after"))
    try:
        value: Any = json_object(response.read(_MAX_JSON_BYTES), where)
    except BucketError as problem:
        if problem.code != "unexpected_response":
            raise
        value = {}
    described = decode_problem(value, request_id=request_id, retry_after=retry_after)
    if described is not None and described.code == "route_not_found":
        # The client builds every path itself, so the root that the caller gave is wrong.
        return error(described.code, f"{where} is not a resource of this API", status=status, request_id=request_id)
    if described is not None:
        return described
    reason = value.get("detail") or value.get("message")
    detail = f"{where} answered {status}" + (f": {reason}" if isinstance(reason, str) else "")
    if status not in _MEANINGS:
        return unexpected(detail, status)
    return error(_MEANINGS[status], detail, status=status, request_id=request_id, retry_after=retry_after)


def read_retry_after(text: str | None) -> float | None:
    """Return the seconds of ``Retry-After`` in either of its forms (RFC 9110, section 10.2.3)."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None
