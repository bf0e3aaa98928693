"""The texts that describe an artifact: one table of names, limits and headers (docs/http-api.md, section 1)."""

from __future__ import annotations

from dataclasses import dataclass, fields

DEFAULT_CONTENT_TYPE = "application/octet-stream"


@dataclass(frozen=True)
class Description:
    """The texts of one artifact; ``None`` where the caller gives none."""

    content_type: str | None = None
    uploaded_by: str | None = None
    provenance_source: str | None = None


#: Every member, in the order in which messages show them.
DESCRIPTION_MEMBERS = tuple(field.name for field in fields(Description))
#: The largest number of characters of each member.
TEXT_LIMITS = {"content_type": 255, "uploaded_by": 256, "provenance_source": 1024}


def description_headers(description: Description) -> dict[str, str]:
    """Return the headers of a store that carry a description."""
    headers = {"content-type": description.content_type or DEFAULT_CONTENT_TYPE}
    for name in DESCRIPTION_MEMBERS:
        text = getattr(description, name)
        if name != "content_type" and text is not None:
            headers[f"x-{name.replace('_', '-')}"] = text
    return headers
