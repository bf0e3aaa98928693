"""Every failure of the client, one class per family.

Programs decide by class or by ``code``; people read ``detail`` (what happened) and ``next`` (what to do).
The codes of the service are those of docs/http-api.md, section 8; the client adds a few of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_NOTHING: Mapping[str, Any] = {}


class BucketError(Exception):
    """A call that failed, and what to do about it.

    Attributes:
        code: stable name of the failure, for example ``version_exists``.
        detail: what happened, about this call.
        next: what to do next.
        retryable: whether the same call may succeed later. The client has already retried such a failure.
        status: HTTP status, or ``None`` if the failure was found before or without a response.
        members: further members of the problem document (docs/http-api.md, section 8).
        request_id: names the request in the service's log.
        retry_after: seconds that the service asked to wait.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        next: str | None = None,
        status: int | None = None,
        retryable: bool | None = None,
        members: Mapping[str, Any] = _NOTHING,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        known = CODES.get(code, _UNKNOWN)
        self.code = code
        self.detail = detail
        self.next = known.next if next is None else next
        self.retryable = known.retryable if retryable is None else retryable
        self.status = known.status if status is None else status
        self.members = members
        self.request_id = request_id
        self.retry_after = retry_after
        super().__init__(str(self))

    def __str__(self) -> str:
        """Return all that a person needs: code, what happened, what to do, and which request it was."""
        request = "" if self.request_id is None else f" (request {self.request_id})"
        return f"{self.code}: {self.detail.rstrip('.')}. {self.next}{request}"

    def add_next(self, sentence: str) -> None:
        """Add to what to do."""
        self.next = f"{self.next} {sentence}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Survives the way out of a worker process (``multiprocessing``, data loaders), with its notes."""
        return type(self), (self.code, self.detail), self.__dict__


class InvalidRequestError(BucketError):
    """An input breaks its rules. ``members["errors"]`` lists all faults of the call."""


class NotFoundError(BucketError):
    """No such version or upload. This is certain: a store that fails is :class:`UnavailableError`."""


class ConflictError(BucketError):
    """The version holds other bytes (``version_exists``), or the upload does not allow the call.

    ``members["stored"]`` is the entry of the stored version, as JSON.
    """


class DigestError(BucketError):
    """Bytes do not have the digest that was declared or expected. Do not use them."""


class TooLargeError(BucketError):
    """Larger than the deployment or one request allows."""


class NotAuthorizedError(BucketError):
    """The gateway does not know the caller, or does not permit the call."""


class UnavailableError(BucketError):
    """The service or its store does not work now."""


class NetworkError(BucketError):
    """No response, or none of Bucket's: ``unreachable``, ``interrupted``, ``stalled``, ``unexpected_response``."""


class SourceError(BucketError):
    """The bytes to store changed while they were sent, or are not as many as promised. Nothing was stored."""


class TargetError(BucketError):
    """A download cannot have its name on this file system. Nothing was replaced."""


class ManifestError(BucketError):
    """A folder that no manifest can describe, or a manifest that breaks its rules (docs/manifest.md)."""


class LockFileError(BucketError):
    """A lock file that breaks its rules, lacks a ref, or names other bytes (docs/manifest.md)."""


class _Code:
    __slots__ = ("family", "next", "retryable", "status")

    def __init__(self, family: type[BucketError], status: int | None, next: str, retryable: bool = False) -> None:
        self.family = family
        self.status = status
        self.next = next
        self.retryable = retryable


_UNKNOWN = _Code(BucketError, None, "Read the message; a newer client may know this code.")
_SAME_BYTES = "Fetch again; if it fails again, the stored bytes are damaged: tell the operator of this deployment."

CODES: Mapping[str, _Code] = {
    "invalid_request": _Code(InvalidRequestError, 400, "Correct all inputs that are named, and call again."),
    "unsupported_content_encoding": _Code(InvalidRequestError, 415, "Send the bytes without a coding."),
    "method_not_allowed": _Code(InvalidRequestError, 405, "Bucket has no such operation."),
    "uri_too_long": _Code(InvalidRequestError, 414, "Use shorter inputs."),
    "headers_too_large": _Code(InvalidRequestError, 431, "Use shorter inputs."),
    "range_not_satisfiable": _Code(InvalidRequestError, 416, "Ask for a range inside the artifact."),
    "host_not_allowed": _Code(
        InvalidRequestError, 421, "Use the URL that the server printed, or start it with --public-url."
    ),
    "route_not_found": _Code(NotFoundError, 404, "Give the root of a Bucket API, as in http://127.0.0.1:9470/v1."),
    "version_not_found": _Code(
        NotFoundError,
        404,
        'Check the ref. There is no "latest": keep current refs in a registry of your own.',
    ),
    "upload_not_found": _Code(NotFoundError, 404, "Store the bytes again: a new upload begins."),
    "version_exists": _Code(ConflictError, 409, "Choose a new version: a stored version never changes."),
    "precondition_failed": _Code(ConflictError, 412, "Choose a new version: a stored version never changes."),
    "upload_incomplete": _Code(ConflictError, 409, "Store the bytes again: only missing parts are sent."),
    "upload_conflict": _Code(ConflictError, 409, "Wait until the upload has ended, or abort it."),
    "digest_mismatch": _Code(DigestError, 400, _SAME_BYTES),
    "digest_differs": _Code(
        DigestError, 412, "Do not use the stored bytes; find out where the expected digest comes from."
    ),
    "artifact_too_large": _Code(TooLargeError, 413, "Store parts and a manifest, or have the limit raised."),
    "inline_too_large": _Code(TooLargeError, 413, "Send the bytes as an upload."),
    "unauthorized": _Code(NotAuthorizedError, 401, "Give credentials that this deployment knows (auth=…)."),
    "forbidden": _Code(NotAuthorizedError, 403, "Ask the operator of this deployment for access."),
    "request_timeout": _Code(UnavailableError, 408, "Call again.", True),
    "throttled": _Code(UnavailableError, 429, "Wait, then call again with fewer calls at once.", True),
    "internal": _Code(UnavailableError, 500, "Call again; if it fails again, give the operator the request id.", True),
    "blob_lost": _Code(
        UnavailableError, 500, "Tell the operator; if you have the bytes, store them again under the same ref."
    ),
    "unavailable": _Code(UnavailableError, 503, "Wait, then call again.", True),
    "insufficient_storage": _Code(UnavailableError, 507, "Free space on the server's disk, then call again."),
    "unreachable": _Code(
        NetworkError, None, "Check the URL, and that the server is running and reachable from here.", True
    ),
    "interrupted": _Code(NetworkError, None, "Call again: every call is safe to repeat.", True),
    "stalled": _Code(
        NetworkError, None, "Call again later; if it fails again, look at the server and the network.", True
    ),
    "unexpected_response": _Code(
        NetworkError, None, "Check that the URL is the root of a Bucket API (…/v1), and any proxy in front of it."
    ),
    "source_changed": _Code(SourceError, None, "Store it again when it no longer changes, or store a copy."),
    "source_invalid": _Code(SourceError, None, "Give a path, bytes, a binary file object or an iterator of bytes."),
    "target_exists": _Code(TargetError, None, "Choose another path, or pass overwrite=True to replace it."),
    "target_invalid": _Code(TargetError, None, "Name a file, or a path where nothing is yet."),
    "target_busy": _Code(TargetError, None, "Wait for the other process, then call again.", True),
    "folder_invalid": _Code(ManifestError, None, "Exclude what is named, or replace it by a file."),
    "manifest_invalid": _Code(ManifestError, None, "Do not use it; tell the author of the manifest."),
    "lock_invalid": _Code(LockFileError, None, "Correct the line, or restore the file from version control."),
    "lock_busy": _Code(LockFileError, None, "Wait for the other writer; if none is running, remove that file."),
    "not_locked": _Code(LockFileError, None, "Add the ref with put(…, lock=…) or push(…, lock=…)."),
    "lock_differs": _Code(LockFileError, None, "Find out which one is right: a stored version never changes."),
}


def error(code: str, detail: str, **keywords: Any) -> BucketError:
    """Return the error of ``code``'s family; keywords as for :class:`BucketError`."""
    return CODES.get(code, _UNKNOWN).family(code, detail, **keywords)


def invalid_request(errors: Sequence[tuple[str, str]]) -> BucketError:
    """Return ``invalid_request`` with all faults, each an input's name and what is wrong with it."""
    return error(
        "invalid_request",
        "; ".join(f"{name} {detail}" for name, detail in errors),
        members={"errors": [{"in": "call", "name": name, "detail": detail} for name, detail in errors]},
    )


def unexpected(detail: str, status: int | None = None) -> BucketError:
    """Return ``unexpected_response``: something answered, but not as Bucket does."""
    return error("unexpected_response", detail, status=status)
