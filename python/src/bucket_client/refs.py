"""Names: the three identifiers, the digest, and the reference that they form (docs/http-api.md, section 1).

An :class:`ArtifactReference` is always valid, so it can be part of a path or a file name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TypeAlias

from .checks import check_type, type_fault
from .errors import invalid_request

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+:-]{0,127}")
_STRANGER = re.compile(r"[^A-Za-z0-9._+:-]")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_WRITTEN = "bucket_id/artifact_id/version as a str, or an ArtifactReference"

#: The digest of zero bytes, which is a legal artifact.
EMPTY_DIGEST = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def identifier_fault(text: object) -> str | None:
    """Return what is wrong with an identifier, or ``None``."""
    if not isinstance(text, str):
        return f"is of the type {type(text).__name__}; give a str"
    rule = "use 1 to 128 characters A-Z a-z 0-9 . _ + : - and begin with a letter or digit"
    if _IDENTIFIER.fullmatch(text):
        return None
    if text == "":
        return f"is empty: {rule}"
    if len(text) > 128:
        return f"has {len(text)} characters: {rule}"
    stranger = _STRANGER.search(text)
    if stranger:
        return f"contains {stranger[0]!r} at position {stranger.start() + 1}: {rule}"
    return f"begins with {text[0]!r}: {rule}"


def digest_fault(text: object) -> str | None:
    """Return what is wrong with a digest, or ``None``."""
    if not isinstance(text, str):
        return f"is of the type {type(text).__name__}; give a str"
    expected = "expected sha256: and 64 lower-case hex digits"
    if _DIGEST.fullmatch(text):
        return None
    if re.fullmatch(r"[0-9a-fA-F]{64}", text):
        return f"has no prefix: write sha256:{text.lower()}"
    if re.fullmatch(r"sha256:[0-9a-fA-F]{64}", text):
        return f"has upper-case hex digits: write {text.lower()}"
    return f"is {text[:80]!r}; {expected}"


def check_digest(text: str, name: str = "digest") -> str:
    """Return ``text`` if it is a digest.

    Raises:
        InvalidRequestError: it is not; the message says what it looks like.
    """
    fault = digest_fault(text)
    if fault:
        raise invalid_request([(name, fault)])
    return text


def digest_hex(digest: str) -> str:
    """Return the 64 hex digits of a digest."""
    return digest.removeprefix("sha256:")


def content_version(digest: str) -> str:
    """Return a version that is made from the content: ``sha256-`` and the first 12 hex digits.

    ``bucket put BUCKET_ID/ARTIFACT_ID FILE`` gives the same name.
    """
    return f"sha256-{digest_hex(check_digest(digest))[:12]}"


@dataclass(frozen=True)
class ArtifactReference:
    """The name of one stored version, pinned if it has a digest. Store ``str(reference)`` in your registry.

    Raises:
        InvalidRequestError: with all faults of the identifiers and the digest.

    Example:
        >>> ArtifactReference.parse("demo/model/v1").bucket_id
        'demo'
    """

    bucket_id: str
    artifact_id: str
    version: str
    #: ``sha256:`` and 64 lower-case hex digits of the exact bytes; ``None`` if the reference is not pinned.
    digest: str | None = None

    def __post_init__(self) -> None:
        """Check all parts at once."""
        parts = {"bucket_id": self.bucket_id, "artifact_id": self.artifact_id, "version": self.version}
        faults = [(name, fault) for name, text in parts.items() if (fault := identifier_fault(text))]
        if self.digest is not None and (fault := digest_fault(self.digest)):
            faults.append(("digest", fault))
        if faults:
            raise invalid_request(faults)

    @classmethod
    def parse(cls, text: str) -> ArtifactReference:
        """Read ``bucket_id/artifact_id/version`` or ``bucket_id/artifact_id/version@sha256:…``.

        Raises:
            InvalidRequestError: malformed.
        """
        check_type("ref", text, str, _WRITTEN)
        name, at, digest = text.partition("@")
        parts = name.removeprefix("bucket://").split("/")
        if len(parts) != 3:
            raise invalid_request([("ref", f"{text[:400]!r} is not bucket_id/artifact_id/version")])
        return cls(*parts, digest=digest if at else None)

    def __str__(self) -> str:
        """Return the written form, with the digest if there is one."""
        return self.name if self.digest is None else f"{self.name}@{self.digest}"

    @property
    def name(self) -> str:
        """``bucket_id/artifact_id/version``, without the digest."""
        return f"{self.artifact}/{self.version}"

    @property
    def artifact(self) -> str:
        """``bucket_id/artifact_id``."""
        return f"{self.bucket_id}/{self.artifact_id}"

    def pinned(self, digest: str) -> ArtifactReference:
        """Return the same reference, pinned to ``digest``."""
        return replace(self, digest=digest)

    def unpinned(self) -> ArtifactReference:
        """Return the same reference without its digest."""
        return replace(self, digest=None)


#: A reference as calls take it: an object, or its written form.
ReferenceLike: TypeAlias = ArtifactReference | str


def reference(ref: ReferenceLike, digest: str | None = None) -> ArtifactReference:
    """Return ``ref`` as an object, pinned to ``digest`` if that is given.

    Raises:
        InvalidRequestError: malformed, or pinned to two different digests.
    """
    parsed = ArtifactReference.parse(ref) if isinstance(ref, str) else _reference_object(ref)
    if digest is None:
        return parsed
    check_digest(digest)
    if parsed.digest not in (None, digest):
        raise invalid_request([("digest", f"is {digest}, but the ref is pinned to {parsed.digest}")])
    return parsed.pinned(digest)


def _reference_object(ref: object) -> ArtifactReference:
    if isinstance(ref, ArtifactReference):
        return ref
    raise invalid_request([("ref", type_fault(ref, _WRITTEN))])


def pinned_reference(ref: ReferenceLike, digest: str | None) -> ArtifactReference:
    """Return ``ref`` as an object that has a digest.

    Raises:
        InvalidRequestError: malformed, or without a digest.
    """
    asked = reference(ref, digest)
    if asked.digest is None:
        raise invalid_request([("ref", f"{str(ref)!r} is not pinned: add @sha256:…, or give digest")])
    return asked


def is_artifact_name(ref: object) -> bool:
    """Return whether a ref leaves its version to the content: ``bucket_id/artifact_id``."""
    return isinstance(ref, str) and ref.removeprefix("bucket://").count("/") == 1


def artifact_name(text: object) -> tuple[str, str]:
    """Read ``bucket_id/artifact_id``.

    Raises:
        InvalidRequestError: malformed.
    """
    if not isinstance(text, str):
        hint = f": {text.artifact!r}" if isinstance(text, ArtifactReference) else ""
        fault = f"is of the type {type(text).__name__}; give bucket_id/artifact_id as a str{hint}"
        raise invalid_request([("artifact", fault)])
    parts = text.removeprefix("bucket://").split("/")
    if len(parts) != 2:
        raise invalid_request([("artifact", f"{text!r} is not bucket_id/artifact_id")])
    names = ("bucket_id", "artifact_id")
    faults = [(name, fault) for name, part in zip(names, parts, strict=True) if (fault := identifier_fault(part))]
    if faults:
        raise invalid_request(faults)
    return parts[0], parts[1]
