"""Entries, uploads and limits, decoded from JSON of the service. Every member is checked.

Members that this client does not know are ignored: a newer server may say more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, cast

from .description import DESCRIPTION_MEMBERS
from .errors import BucketError, error, unexpected
from .refs import ArtifactReference, digest_fault

JsonObject = Mapping[str, Any]


@dataclass(frozen=True)
class Entry:
    """What Bucket records about one stored version. It never changes (docs/http-api.md, section 3)."""

    #: Pinned to the stored digest.
    ref: ArtifactReference
    #: Bytes.
    size: int
    content_type: str
    uploaded_by: str | None
    provenance_source: str | None
    #: With the time zone UTC.
    created_at: datetime

    @property
    def digest(self) -> str:
        """``sha256:`` and 64 hex digits of the stored bytes."""
        return self.ref.digest or ""


@dataclass(frozen=True)
class Limits:
    """Limits of one deployment, in bytes (docs/http-api.md, section 2)."""

    max_artifact_bytes: int
    #: Largest body of one store on this front.
    max_inline_bytes: int


@dataclass(frozen=True)
class Presigned:
    """A request that the server made, to be sent unchanged (docs/http-api.md, section 7.1)."""

    method: str
    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class ReceivedPart:
    """A part that the store has."""

    #: From 1.
    number: int
    #: Bytes.
    size: int
    #: 64 hex digits.
    sha256: str


@dataclass(frozen=True)
class Upload:
    """Unfinished work towards an entry, found by ref and digest (docs/http-api.md, section 7)."""

    #: Pinned to the digest of the whole artifact.
    ref: ArtifactReference
    #: Bytes.
    size: int
    mode: Literal["single", "multipart"]
    state: Literal["open", "verifying", "committed", "failed"]
    expires_at: datetime
    #: In single mode whether the bytes have arrived, in multipart mode the parts that have.
    received: bool | tuple[ReceivedPart, ...]
    #: Bytes that the service has verified.
    verified_bytes: int = 0
    #: Set once it is committed.
    entry: Entry | None = None
    #: Set if it failed.
    problem: BucketError | None = None
    request: Presigned | None = field(default=None, repr=False)


def json_object(body: bytes, where: str) -> JsonObject:
    """Decode a body that should be a JSON object."""
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise unexpected(f"{where} answered without a JSON object; is this a Bucket API?")
    return cast(JsonObject, value)


def _text(value: JsonObject, name: str) -> str:
    member = value.get(name)
    if not isinstance(member, str):
        raise unexpected(f"the response has no {name}")
    return member


def _bytes(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise unexpected(f"the response has no valid {name}")
    return value


def _time(value: JsonObject, name: str) -> datetime:
    try:
        return datetime.fromisoformat(_text(value, name).replace("Z", "+00:00"))
    except ValueError:
        raise unexpected(f"the response has no valid {name}") from None


def _object(value: Any, what: str) -> JsonObject:
    if not isinstance(value, dict):
        raise unexpected(f"the response has no {what}")
    return cast(JsonObject, value)


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise unexpected(f"the response has no {what}")
    return cast("list[Any]", value)


def decode_digest(value: Any) -> str:
    """Decode a digest of the wire."""
    if not isinstance(value, str) or digest_fault(value):
        raise unexpected("the response has no valid digest")
    return value


def decode_size(value: Any, name: str = "size") -> int:
    """Decode a number of bytes, which a header holds as text."""
    return _bytes(int(value) if isinstance(value, str) and value.isdecimal() else value, name)


def _reference(value: JsonObject) -> ArtifactReference:
    names = (_text(value, "bucket_id"), _text(value, "artifact_id"), _text(value, "version"))
    try:
        return ArtifactReference(*names, digest=decode_digest(value.get("digest")))
    except BucketError as problem:
        raise unexpected(f"the response names something malformed: {problem.detail}") from problem


def about_another(requested: str, received: str) -> BucketError:
    """Return the error of a valid response that is about something else."""
    return unexpected(f"the request was for {requested}, but the response is about {received}")


def decode_entry(value: Any, asked: ArtifactReference | None = None) -> Entry:
    """Decode an entry.

    Args:
        value: JSON.
        asked: what the request was about; if it is pinned, the digest must be the same.
    """
    entry = _object(value, "entry")
    ref = _reference(entry)
    if asked is not None and ref != (asked if asked.digest else asked.pinned(ref.digest or "")):
        raise about_another(str(asked), str(ref))
    # A member that the server does not know yet is null.
    optional = {name: entry.get(name) for name in DESCRIPTION_MEMBERS if name != "content_type"}
    return Entry(
        ref=ref,
        size=_bytes(entry.get("size"), "size"),
        content_type=_text(entry, "content_type"),
        created_at=_time(entry, "created_at"),
        **{name: None if text is None else _text(entry, name) for name, text in optional.items()},
    )


def decode_page(value: JsonObject) -> tuple[list[Entry], str | None]:
    """Decode a page of a list: its entries, and the cursor of the next page."""
    cursor = value.get("next_cursor")
    if cursor is not None and not isinstance(cursor, str):
        raise unexpected("the response is not a page of versions")
    return [decode_entry(entry) for entry in _list(value.get("versions"), "versions")], cursor


def decode_limits(value: JsonObject) -> Limits:
    """Decode the service document."""
    if value.get("service") != "bucket":
        raise unexpected("the response is not a service document of Bucket")
    limits = _object(value.get("limits"), "limits")
    return Limits(
        max_artifact_bytes=_bytes(limits.get("max_artifact_bytes"), "max_artifact_bytes"),
        max_inline_bytes=_bytes(limits.get("max_inline_bytes"), "max_inline_bytes"),
    )


def decode_presigned(value: Any) -> Presigned:
    """Decode a request that the server hands out."""
    request = _object(value, "presigned request")
    headers = _object(request.get("headers", {}), "headers")
    if request.get("method") not in ("GET", "PUT"):
        raise unexpected("the presigned request is neither GET nor PUT")
    return Presigned(request["method"], _text(request, "url"), {name: str(text) for name, text in headers.items()})


def decode_upload(value: JsonObject, asked: ArtifactReference) -> Upload:
    """Decode an upload, which must be the one of ``asked``."""
    ref = _reference(value)
    if ref != asked:
        raise about_another(f"the upload of {asked}", str(ref))
    mode, state = value.get("mode"), value.get("state")
    if mode not in ("single", "multipart") or state not in ("open", "verifying", "committed", "failed"):
        raise unexpected("the upload has an unknown mode or state")
    size = _bytes(value.get("size"), "size")
    if value.get("part_size") not in (None, part_size(size)):
        raise unexpected(f"the upload has parts of {value.get('part_size')} bytes, not {part_size(size)}")
    received = value.get("received")
    return Upload(
        ref=ref,
        size=size,
        mode=mode,
        state=state,
        expires_at=_time(value, "expires_at"),
        received=received is True if mode == "single" else _decode_parts(received),
        verified_bytes=_bytes(value.get("verified_bytes") or 0, "verified_bytes"),
        entry=None if value.get("entry") is None else decode_entry(value["entry"], ref),
        problem=_decode_failure(value.get("problem")) if state == "failed" else None,
        request=None if value.get("request") is None else decode_presigned(value["request"]),
    )


def _decode_parts(value: Any) -> tuple[ReceivedPart, ...]:
    if value is None:
        return ()
    parts = [_object(part, "part") for part in _list(value, "received")]
    return tuple(
        ReceivedPart(_bytes(part.get("number"), "number"), _bytes(part.get("size"), "size"), _text(part, "sha256"))
        for part in parts
    )


def _decode_failure(value: Any) -> BucketError:
    problem = decode_problem(cast(JsonObject, value)) if isinstance(value, dict) else None
    return problem or error("unavailable", "the upload failed, and the server does not say why")


_COMMON_MEMBERS = {"type", "title", "status", "detail", "code", "retryable", "next", "request_id"}


def decode_problem(
    value: JsonObject, *, request_id: str | None = None, retry_after: float | None = None
) -> BucketError | None:
    """Return the error that a problem document describes; ``None`` if it is not one of Bucket's."""
    code, status = value.get("code"), value.get("status")
    if not isinstance(code, str) or not isinstance(value.get("detail"), str):
        return None
    is_retryable = value.get("retryable") is True
    # Where these fail, the server speaks of requests and headers, which are the client's business.
    is_told = isinstance(value.get("next"), str) and not is_retryable and not code.startswith("upload_")
    return error(
        code,
        value["detail"],
        next=value["next"] if is_told else None,
        status=status if isinstance(status, int) else None,
        retryable=is_retryable,
        members={name: member for name, member in value.items() if name not in _COMMON_MEMBERS},
        request_id=request_id or (value["request_id"] if isinstance(value.get("request_id"), str) else None),
        retry_after=retry_after,
    )


_MIB = 1 << 20


def part_size(size: int) -> int:
    """Return the size of every part but the last: at least 16 MiB, at most 9,000 parts, a whole number of MiB.

    Source: docs/http-api.md, section 7.2.
    """
    return -(-max(16 * _MIB, -(-size // 9000)) // _MIB) * _MIB


def part_span(size: int, number: int) -> tuple[int, int]:
    """Return the start and the end (exclusive) of part ``number``, counted from 1."""
    full = part_size(size)
    return (number - 1) * full, min(size, number * full)
