"""Sends bytes to the store with presigned requests from the server.

docs/http-api.md, section 7.1, says what the statuses of the store mean; its texts are not read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from .api import Api, read_retry_after
from .errors import BucketError, error, unexpected
from .exchange import OnSent
from .model import Presigned
from .response import Response
from .source import Source
from .timing import Cancel, Patience, backoff, pause

#: Fresh requests for the same bytes before a refusal counts as final.
_MOST_FRESH = 3

Outcome = Literal["stored", "expired", "refused"]


@dataclass(frozen=True)
class Slice:
    """A part of a source, which lives as long as the source does."""

    source: Source
    start: int
    end: int

    @property
    def size(self) -> int:
        """In bytes."""
        return self.end - self.start

    def open(self, start: int, end: int) -> Iterator[bytes | memoryview]:
        """Yield the bytes from ``start`` up to ``end`` of the slice."""
        return self.source.open(self.start + start, self.start + end)


def presigned_put(
    api: Api,
    body: Slice,
    sha256: str,
    request: Callable[[bool], Presigned | None],
    on_sent: OnSent | None,
    cancel: Cancel | None,
) -> None:
    """Send until the store has the bytes.

    Args:
        api: the API that signed.
        body: the bytes.
        sha256: of the body, 64 hex digits.
        request: returns the request to send; its argument says whether the one before was refused, so that a fresh one
            is needed. Returns ``None`` if the store has the bytes by now.
        on_sent: told how many bytes have left.
        cancel: ends the call.

    Raises:
        BucketError: ``source_changed``; ``upload_not_found`` if the store expects no bytes; ``forbidden`` or
            ``digest_mismatch`` if it keeps refusing; ``insufficient_storage``; what the last attempt raised.
    """
    patience = Patience(api.retry, begun=True)
    refusals = 0
    current = request(False)
    while current is not None:
        _check_length(current, body.size)
        try:
            with api.send_presigned(current, body, on_sent, cancel) as response:
                outcome = _judge(response)
        except BucketError as problem:
            patience.wait(problem, cancel)
            continue
        if outcome == "stored":
            return
        if outcome == "refused":
            _check_unchanged(body, sha256)
        refusals += 1
        if refusals > _MOST_FRESH:
            raise _forbidden() if outcome == "expired" else _damaged(body.size, sha256)
        if refusals > 1:
            pause(backoff(api.retry, refusals), cancel)
        current = request(True)


def _judge(response: Response) -> Outcome:
    status = response.status
    if 200 <= status < 300 or status == 412:
        return "stored"
    if status == 403:
        return "expired"
    if status == 400:
        return "refused"
    if status == 404:
        raise error("upload_not_found", "the store no longer expects these bytes")
    if status == 507:
        raise error("insufficient_storage", "the disk of the store is full")
    if status in (408, 409, 429) or status >= 500:
        retry_after = read_retry_after(response.headers.get("retry-after"))
        detail = "another sender is sending the same bytes" if status == 409 else f"the store answered {status}"
        raise error("unavailable", detail, status=status, retry_after=retry_after)
    raise unexpected(f"the store answered {status}", status)


def _check_length(presigned: Presigned, size: int) -> None:
    """A request for another length would be refused after all bytes were sent."""
    for name, text in presigned.headers.items():
        if name.lower() == "content-length" and text != str(size):
            raise unexpected(f"the server wants {text} bytes where there are {size}")


def _check_unchanged(body: Slice, sha256: str) -> None:
    """Find out whether bytes that the store refused changed here, or were damaged on the way."""
    computed = hashlib.sha256()
    for chunk in body.source.open(body.start, body.end):
        computed.update(chunk)
    if computed.hexdigest() != sha256:
        raise error("source_changed", "the bytes changed after they were hashed")


def _forbidden() -> BucketError:
    return error(
        "forbidden",
        "the store refuses the requests that the server signs",
        next="Check the clocks of the server and of its store; if they are right, tell the operator.",
    )


def _damaged(size: int, sha256: str) -> BucketError:
    return error(
        "digest_mismatch",
        f"the store finds other bytes than those that were sent (SHA-256 {sha256})",
        members={"declared_digest": f"sha256:{sha256}", "size": size},
        next="Something between here and the store changes bytes: try another network, and look at proxies.",
    )
