"""The folder manifest, format 1: its entries, its rules, and its written form (docs/manifest.md)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from .checks import check_type
from .errors import BucketError, error
from .refs import ArtifactReference, digest_fault, digest_hex

FORMAT = "bucket-folder/1"
MEDIA_TYPE = "application/vnd.bucket.folder.v1+json"
#: Bytes; room for about 300,000 files.
MAX_BYTES = 64 << 20
_MAX_PATH_BYTES = 4096
_MAX_NAME_BYTES = 255
_MAX_SIZE = 2**53 - 1
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class FileEntry:
    """A file of a folder."""

    #: Relative, with ``/`` between segments.
    path: str
    #: Bytes.
    size: int
    #: ``sha256:`` and 64 hex digits.
    digest: str
    executable: bool = False
    #: ``bucket_id/artifact_id/version`` with the bytes, if they are not at the default place.
    ref: str | None = None


@dataclass(frozen=True)
class FolderEntry:
    """An empty folder."""

    path: str


@dataclass(frozen=True)
class SymlinkEntry:
    """A symlink that stays inside the folder."""

    path: str
    target: str


ManifestEntry: TypeAlias = FileEntry | FolderEntry | SymlinkEntry


@dataclass(frozen=True)
class FolderManifest:
    """The files, symlinks and empty folders of one folder, sorted by the bytes of their paths.

    Example:
        >>> shard = FileEntry("shard-0", 3, "sha256:" + "0" * 64, ref="demo/shards/rank-0")
        >>> FolderManifest([shard]).to_bytes().decode().splitlines()[0]
        '{"format":"bucket-folder/1","entries":['
    """

    entries: tuple[ManifestEntry, ...]

    def __init__(self, entries: Iterable[ManifestEntry]) -> None:
        """Check all rules.

        Raises:
            ManifestError: ``manifest_invalid``, with the first faults.
        """
        given: list[Any] = list(entries)
        faults = [fault for entry in given for fault in _type_faults(entry)]
        if faults:
            raise _invalid(faults)
        ordered = sorted(given, key=lambda entry: entry.path.encode("utf-8", "surrogatepass"))
        faults = [fault for entry in ordered for fault in _entry_faults(entry)] or _tree_faults(ordered)
        if faults:
            raise _invalid(faults)
        object.__setattr__(self, "entries", tuple(ordered))

    @property
    def files(self) -> tuple[FileEntry, ...]:
        """The files alone."""
        return tuple(entry for entry in self.entries if isinstance(entry, FileEntry))

    def to_bytes(self) -> bytes:
        """Return the written form. Equal folders give equal bytes."""
        if not self.entries:
            return f'{{"format":"{FORMAT}","entries":[]}}\n'.encode()
        lines = ",\n".join(_write(entry) for entry in self.entries)
        return f'{{"format":"{FORMAT}","entries":[\n{lines}\n]}}\n'.encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> FolderManifest:
        """Read a manifest, in any order and with any white space.

        Raises:
            ManifestError: ``manifest_invalid``.
        """
        check_type("manifest", data, (bytes, bytearray), "its bytes")
        try:
            value: Any = json.loads(data.decode("utf-8"))
        except (ValueError, RecursionError) as problem:
            raise _invalid([f"it is not JSON in UTF-8 ({problem})"]) from problem
        if not isinstance(value, dict):
            raise _invalid(["it is not a JSON object"])
        document = cast("dict[str, Any]", value)
        if document.get("format") != FORMAT:
            raise error(
                "manifest_invalid",
                f"the manifest has the format {document.get('format')!r}, not {FORMAT!r}",
                next="Use a newer client, if the format is a newer one.",
            )
        entries = document.get("entries")
        if set(document) != {"format", "entries"} or not isinstance(entries, list):
            raise _invalid(["its members are not exactly format and entries"])
        return cls(_read(entry) for entry in cast("list[Any]", entries))


def default_ref(manifest: ArtifactReference, digest: str) -> ArtifactReference:
    """Return where the bytes of a file are by default: ``artifact_id.files/sha256-<64 hex digits>``."""
    return ArtifactReference(
        manifest.bucket_id, files_artifact_id(manifest.artifact_id), f"sha256-{digest_hex(digest)}", digest
    )


def files_artifact_id(artifact_id: str) -> str:
    """Return the artifact that holds the files of the folders of ``artifact_id``.

    Raises:
        ManifestError: the name is too long for that.
    """
    if len(artifact_id) > 122:
        raise error(
            "folder_invalid",
            f"the artifact_id has {len(artifact_id)} characters; for folders at most 122 are allowed",
            next="Choose a shorter artifact_id.",
        )
    return f"{artifact_id}.files"


def file_ref(manifest: ArtifactReference, entry: FileEntry) -> ArtifactReference:
    """Return the pinned ref of a file."""
    if entry.ref is None:
        return default_ref(manifest, entry.digest)
    return ArtifactReference.parse(entry.ref).pinned(entry.digest)


def _write(entry: ManifestEntry) -> str:
    members: dict[str, Any] = {"path": entry.path}
    if isinstance(entry, FileEntry):
        members |= {"type": "file", "size": entry.size, "digest": entry.digest}
        members |= {"executable": True} if entry.executable else {}
        members |= {} if entry.ref is None else {"ref": entry.ref}
    elif isinstance(entry, SymlinkEntry):
        members |= {"type": "symlink", "target": entry.target}
    else:
        members["type"] = "folder"
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"))


_MEMBERS = {
    "file": ({"path", "type", "size", "digest"}, {"executable", "ref"}),
    "folder": ({"path", "type"}, set[str]()),
    "symlink": ({"path", "type", "target"}, set[str]()),
}


def _read(value: Any) -> ManifestEntry:
    if not isinstance(value, dict):
        raise _invalid(["an entry is not a JSON object"])
    entry = cast("dict[str, Any]", value)
    path, kind = entry.get("path"), entry.get("type")
    if not isinstance(path, str) or kind not in _MEMBERS:
        raise _invalid([f"an entry has no valid path or type: {entry!r:.200}"])
    required, optional = _MEMBERS[kind]
    if not required <= set(entry) <= required | optional:
        raise _invalid([f"{path!r} lacks a member, or has one that the format does not know"])
    if kind == "folder":
        return FolderEntry(path)
    if kind == "symlink":
        target = entry["target"]
        if not isinstance(target, str):
            raise _invalid([f"{path!r} has no valid target"])
        return SymlinkEntry(path, target)
    # JSON has one kind of numbers: 1.0 is the integer 1.
    number, digest = entry["size"], entry["digest"]
    size: Any = int(number) if isinstance(number, float) and number.is_integer() else number
    executable, ref = entry.get("executable", False), entry.get("ref")
    is_typed = isinstance(size, int) and not isinstance(size, bool) and isinstance(digest, str)
    if not is_typed or not isinstance(executable, bool) or ("ref" in entry and not isinstance(ref, str)):
        raise _invalid([f"{path!r} has a member of a wrong type"])
    return FileEntry(path, size, digest, executable, ref)


def _entry_faults(entry: ManifestEntry) -> list[str]:
    faults = [fault for fault in [path_fault(entry.path)] if fault]
    if isinstance(entry, FileEntry):
        if not 0 <= entry.size <= _MAX_SIZE:
            faults.append(f"{entry.path!r} has the size {entry.size}")
        if digest_fault(entry.digest):
            faults.append(f"the digest of {entry.path!r} {digest_fault(entry.digest)}")
        if entry.ref is not None and (fault := _ref_fault(entry.ref)):
            faults.append(f"the ref of {entry.path!r}: {fault}")
    elif isinstance(entry, SymlinkEntry) and (fault := target_fault(entry.path, entry.target)):
        faults.append(fault)
    return faults


_TYPES: Mapping[str, type] = {"path": str, "size": int, "digest": str, "executable": bool, "target": str}


def _type_faults(entry: object) -> list[str]:
    """Return members of wrong types, because Python does not enforce type hints."""
    if not isinstance(entry, FileEntry | FolderEntry | SymlinkEntry):
        return [f"{entry!r:.80} is not a FileEntry, FolderEntry or SymlinkEntry"]
    return [
        f"{name} of {entry.path!r} is of the type {type(member).__name__}, not {_TYPES[name].__name__}"
        for name, member in vars(entry).items()
        if name in _TYPES
        and (not isinstance(member, _TYPES[name]) or (_TYPES[name] is int and isinstance(member, bool)))
    ]


def _ref_fault(text: str) -> str | None:
    try:
        return "is pinned" if ArtifactReference.parse(text).name != text else None
    except BucketError as problem:
        return problem.detail


def path_fault(path: str) -> str | None:
    """Return what is wrong with a path of an entry, or ``None``."""
    if _SURROGATE.search(path):
        return f"{path!r} is not valid Unicode"
    if "\0" in path:
        return f"{path!r} contains NUL"
    segments = path.split("/")
    if any(segment in ("", ".", "..") for segment in segments):
        return f"{path!r} is not a relative path without empty segments, . and .."
    if any(len(segment.encode()) > _MAX_NAME_BYTES for segment in segments):
        return f"{path[:80]!r}… has a name of more than {_MAX_NAME_BYTES} bytes"
    if len(path.encode()) > _MAX_PATH_BYTES:
        return f"{path[:80]!r}… has more than {_MAX_PATH_BYTES} bytes"
    return None


def target_fault(path: str, target: str) -> str | None:
    """Return why the symlink at ``path`` may lead outside of the folder, or ``None``."""
    if target == "" or "\0" in target or _SURROGATE.search(target) or len(target.encode()) > _MAX_PATH_BYTES:
        return f"the symlink {path!r} has no valid target"
    segments = target.split("/")
    ups = 0
    while ups < len(segments) and segments[ups] == "..":
        ups += 1
    # A .. after another segment may follow a symlink, and so lead anywhere.
    if target.startswith("/") or ".." in segments[ups:] or ups > path.count("/"):
        return f"the symlink {path!r} leads outside of the folder, or may: {target!r}"
    return None


def _tree_faults(entries: list[ManifestEntry]) -> list[str]:
    """Find two entries with one path, and entries below something that is not a folder."""
    kinds: dict[str, type[ManifestEntry]] = {}
    faults: list[str] = []
    for entry in entries:
        if entry.path in kinds:
            faults.append(f"{entry.path!r} occurs twice")
        kinds[entry.path] = type(entry)
    for entry in entries:
        at = entry.path.find("/")
        while at >= 0:
            if kinds.get(entry.path[:at], FolderEntry) is not FolderEntry:
                faults.append(f"{entry.path!r} lies below a file or a symlink")
            at = entry.path.find("/", at + 1)
    return faults


def first_faults(faults: list[str]) -> str:
    """Return the first faults as one text, with the number of the others."""
    more = f" (and {len(faults) - 5} more)" if len(faults) > 5 else ""
    return "; ".join(faults[:5]) + more


def _invalid(faults: list[str]) -> BucketError:
    return error("manifest_invalid", f"the manifest breaks its rules: {first_faults(faults)}")
