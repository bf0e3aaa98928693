"""Store: hash, look whether there is anything to send, send. Bytes that are there already are a success.

Size and the front's own limits choose the way: one request body, or an upload that can be resumed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .api import Api, ApiRequest, read_json, version_path
from .checks import type_fault
from .description import DESCRIPTION_MEMBERS, TEXT_LIMITS, Description, description_headers
from .errors import BucketError, ConflictError, TooLargeError, error, invalid_request
from .model import Entry, Limits, decode_entry
from .presigned_put import Slice
from .progress import Report, no_report
from .refs import (
    ArtifactReference,
    ReferenceLike,
    artifact_name,
    content_version,
    digest_hex,
    is_artifact_name,
    reference,
)
from .source import SINGLE_BYTES, Digests, Source, hash_source, too_large
from .timing import Cancel, Patience, check_cancelled
from .upload import UploadCalls, upload

#: Every front accepts this much in one body, or refuses with ``inline_too_large``.
_ALWAYS_INLINE_BYTES = 4 << 20
#: Above this the entry is requested before the bytes are sent.
_ASK_FIRST_BYTES = 1 << 20

_TEXT = re.compile(r"[!-~]+(?: [!-~]+)*")


@dataclass(frozen=True)
class PutResult:
    """Result of a store."""

    entry: Entry
    #: False if the same bytes were stored there before.
    created: bool
    #: True if the same bytes were stored there before, the service had lost them, and this call brought them back.
    restored: bool = False

    @property
    def ref(self) -> ArtifactReference:
        """The pinned reference, for your registry."""
        return self.entry.ref


def check_description(description: Description) -> None:
    """Check all texts before gigabytes are read.

    Raises:
        InvalidRequestError: with all of them.
    """
    faults: list[tuple[str, str]] = []
    for name, limit in TEXT_LIMITS.items():
        text: Any = getattr(description, name)
        if text is None:
            continue
        if not isinstance(text, str):
            faults.append((name, type_fault(text, "a str")))
        elif not _TEXT.fullmatch(text):
            faults.append((name, "must be visible ASCII with single spaces inside, and not empty"))
        elif len(text) > limit:
            faults.append((name, f"has {len(text)} characters; at most {limit} are allowed"))
    if faults:
        raise invalid_request(faults)


def namer(ref: ReferenceLike, digest: str | None) -> Callable[[str], ArtifactReference]:
    """Return what gives the reference for the digest of the bytes.

    It raises ``digest_mismatch`` if the digest is not the one that the caller pinned.

    Raises:
        InvalidRequestError: a malformed ref or digest, or two different digests.
    """
    if is_artifact_name(ref):
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


def put(
    api: Api,
    limits: Callable[[], Limits],
    name: Callable[[str], ArtifactReference],
    source: Source,
    description: Description,
    report: Report,
    parallel: int,
    cancel: Cancel | None = None,
) -> PutResult:
    """Store a source.

    Args:
        api: where.
        limits: asks for the limits; called only if the size makes them matter.
        name: gives the reference for a digest; raises if the digest is not the one that the caller pinned.
        source: the bytes.
        description: texts, checked.
        report: gets the progress.
        parallel: parts that are sent at once.
        cancel: ends the call.
    """
    is_inline = _fits_inline(source.size, limits)
    digests = hash_source(source, report, with_parts=source.size > SINGLE_BYTES)
    ref = name(digests.digest)
    try:
        # If the server has lost stored bytes, an upload restores them; if not, its begin is refused as identical.
        is_stored = _is_stored(api, ref, source.size, cancel)
        if is_inline and not is_stored:
            try:
                return _put_inline(api, ref, source, description, report, cancel)
            except TooLargeError as refusal:
                # A front may accept less in one body than expected.
                if refusal.code != "inline_too_large":
                    raise
        entry, created = upload(UploadCalls(api, ref, cancel), source, digests, description, report, parallel)
        return PutResult(entry, created and not is_stored, restored=is_stored)
    except ConflictError as refusal:
        if refusal.code != "version_exists" or refusal.members.get("conflict") != "identical":
            raise
        return PutResult(decode_entry(refusal.members.get("stored"), ref), False)


def _put_inline(
    api: Api,
    ref: ArtifactReference,
    source: Source,
    description: Description,
    report: Report,
    cancel: Cancel | None,
) -> PutResult:
    size = source.size

    def on_sent(sent: int) -> None:
        # Nothing is acknowledged before all of it is; what follows is the server's work.
        report("uploading", 0, size, sent)
        if sent == size:
            report("verifying", 0, size)

    headers = {**description_headers(description), "x-artifact-digest": ref.digest or ""}
    request = ApiRequest(
        "PUT",
        version_path(ref),
        (200, 201),
        headers=headers,
        body=Slice(source, 0, size),
        sha256=digest_hex(ref.digest or ""),
        on_sent=on_sent,
        cancel=cancel,
    )
    # A large body that an outage cut off is retried for minutes, a small one like any other request.
    patience = Patience(api.retry, begun=size > _ASK_FIRST_BYTES)
    while True:
        check_cancelled(cancel)
        try:
            with api.attempt(request) as response:
                entry = decode_entry(read_json(response, f"the store of {ref.name}"), ref)
                status = response.status
        except BucketError as problem:
            if problem.code == "digest_mismatch":
                raise _explain_mismatch(problem, source, ref) from problem
            patience.wait(problem, cancel)
            continue
        report("committed", size, size)
        return PutResult(entry, created=status == 201, restored=status == 200)


def _is_stored(api: Api, ref: ArtifactReference, size: int, cancel: Cancel | None) -> bool:
    """Return whether the ref has these bytes; raise if it has others. Small bodies are sent without a check."""
    if size <= _ASK_FIRST_BYTES or (stored := find_entry(api, ref, cancel)) is None:
        return False
    if stored.digest != ref.digest:
        raise version_exists(stored, ref)
    return True


def find_entry(api: Api, ref: ArtifactReference, cancel: Cancel | None) -> Entry | None:
    """Return the entry of a ref, with any digest; ``None`` if nothing is stored there."""
    try:
        request = ApiRequest("GET", f"{version_path(ref)}/entry", (200,), cancel=cancel)
        return decode_entry(api.json(request), ref.unpinned())
    except BucketError as problem:
        if problem.code == "version_not_found":
            return None
        raise


def still_has_bytes(api: Api, stored: Entry) -> bool:
    """Return whether the service still has the bytes of a stored version.

    It refuses to begin an upload of them only then. If it has lost them, this begins the upload that restores them
    (docs/http-api.md, section 7.1).
    """
    try:
        UploadCalls(api, stored.ref, None).begin(stored.size, Description())
    except ConflictError as refusal:
        if refusal.code == "version_exists" and refusal.members.get("conflict") == "identical":
            return True
        raise
    return False


def version_exists(stored: Entry, ref: ArtifactReference) -> BucketError:
    """Return the server's refusal, made from the stored entry before a byte is sent."""
    return error(
        "version_exists",
        f"{ref.name} is stored already, with other bytes ({stored.digest}, {stored.size} bytes)",
        members={"conflict": "different", "declared_digest": ref.digest, "stored": entry_json(stored)},
    )


def entry_json(entry: Entry) -> dict[str, Any]:
    """Return an entry as JSON (docs/http-api.md, section 3)."""
    return {
        "bucket_id": entry.ref.bucket_id,
        "artifact_id": entry.ref.artifact_id,
        "version": entry.ref.version,
        "digest": entry.digest,
        "size": entry.size,
        **{name: getattr(entry, name) for name in DESCRIPTION_MEMBERS},
        "created_at": entry.created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


def _explain_mismatch(problem: BucketError, source: Source, ref: ArtifactReference) -> BucketError:
    """Find out whether bytes with another digest changed here, or on the way."""
    if hash_source(_Unhashed(source), no_report, with_parts=False).digest != ref.digest:
        return error("source_changed", "the bytes changed after they were hashed")
    return error(
        "digest_mismatch",
        problem.detail,
        members=problem.members,
        request_id=problem.request_id,
        next="Something between here and the server changes bytes: try another network, and look at proxies.",
    )


class _Unhashed:
    """A source without its known digests."""

    digests: Digests | None = None

    def __init__(self, source: Source) -> None:
        self.size = source.size
        self.open = source.open
        self.close = source.close


def _fits_inline(size: int, limits: Callable[[], Limits]) -> bool:
    if size <= _ALWAYS_INLINE_BYTES:
        return True
    known = limits()
    if size > known.max_artifact_bytes:
        raise too_large(size, known)
    # Below SINGLE_BYTES an upload would be sent in one piece as well, and costs two more round trips.
    return size <= min(known.max_inline_bytes, SINGLE_BYTES)
