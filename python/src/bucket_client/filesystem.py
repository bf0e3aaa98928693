# pyright: basic, reportIncompatibleMethodOverride=false
"""``bucket://`` for fsspec, and so for pandas, pyarrow, zarr, datasets and all that open paths through it.

A path is ``bucket://bucket_id/artifact_id/version``, with ``@sha256:…`` to pin it. A version that is a folder manifest
is a folder: ``bucket://bucket_id/artifact_id/version/path/in/it``. Files can be created, never changed or removed.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

from fsspec.spec import AbstractFileSystem

from .auth import secret_mark
from .checks import check_all, check_type
from .client import BucketClient
from .description import DESCRIPTION_MEMBERS, Description
from .errors import DigestError
from .files import BucketFile, BucketWriter, as_os_errors, plain_path
from .folder_tree import FolderTree
from .manifest import MEDIA_TYPE
from .model import Entry
from .put import check_description
from .refs import ArtifactReference, artifact_name

_PARALLEL_RANGES = 8
_KEPT_FOLDERS = 16
#: Settings of the environment that are not secret.
_SHOWN = {"BUCKET_URL", "BUCKET_AUTH", "BUCKET_CA_FILE"}
_OPTIONS = ("url", "auth", "api_key", "ca_file", "client", *DESCRIPTION_MEMBERS[1:])
#: What fsspec's own classes take, for every file system.
_FSSPEC_OPTIONS = {
    "asynchronous",
    "batch_size",
    "listings_expiry_time",
    "loop",
    "max_paths",
    "skip_instance_cache",
    "use_listings_cache",
}


class _Environment:
    """Its ``repr`` changes with the settings of the environment."""

    def __repr__(self) -> str:
        found = sorted((name, text) for name, text in os.environ.items() if name.startswith("BUCKET_"))
        return repr([(name, text if name in _SHOWN else secret_mark(text)) for name, text in found])


class BucketFileSystem(AbstractFileSystem):
    """A file system of what one Bucket API stores. Settings that are left out come from the environment.

    Example:
        >>> pandas.read_parquet("bucket://demo/evals/run-47")  # doctest: +SKIP
    """

    protocol = "bucket"
    root_marker = ""
    # Lists are not cached, because versions are added.
    cachable = True
    #: Part of fsspec's cache key: instances made under other settings of the environment are not reused.
    _extra_tokenize_attributes = ("_environment",)
    _environment = _Environment()

    def __init__(
        self,
        url: str | None = None,
        auth: Any = None,
        api_key: str | None = None,
        ca_file: str | None = None,
        client: BucketClient | None = None,
        uploaded_by: str | None = None,
        provenance_source: str | None = None,
        **options: Any,
    ) -> None:
        """Make a file system.

        Args:
            url: root of the API; with ``auth``, ``api_key`` and ``ca_file`` as for :class:`BucketClient`.
            auth: who calls.
            api_key: key of a gateway's usage plan.
            ca_file: certificate authorities to trust.
            client: a client, instead of its settings.
            uploaded_by: recorded with every file that is written.
            provenance_source: recorded with every file that is written.
            options: of fsspec.

        Raises:
            TypeError: an unknown option, or a client of another type.
            ValueError: an invalid setting, or a text that is invalid for an artifact.
        """
        unknown = sorted(options.keys() - _FSSPEC_OPTIONS)
        if unknown:
            # fsspec would ignore it, and a misspelt url would lead to another server.
            raise TypeError(f"unknown option {unknown[0]!r} of bucket://; valid options: {', '.join(_OPTIONS)}")
        super().__init__(**options)
        if client is not None and not isinstance(client, BucketClient):
            raise TypeError(f"client is of the type {type(client).__name__}; give a BucketClient")
        self.client = client or BucketClient(url, auth=auth, api_key=api_key, ca_file=ca_file)
        self._description = {"uploaded_by": uploaded_by, "provenance_source": provenance_source}
        with as_os_errors(""):
            check_description(Description(**self._description))
        # A stored folder never changes. lru_cache needs no lock that another thread could hold during a fork.
        self._tree = lru_cache(_KEPT_FOLDERS)(self._read_tree)

    # Looking

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Return size, type and digest of a path, and of a version what its entry records."""
        path, segments = _split(path)
        if len(segments) < 2:
            return _folder_info(path)
        with as_os_errors(path):
            if len(segments) == 2:
                artifact_name(path)
                if next(iter(self.client.list_versions(path, page=1)), None) is None:
                    raise FileNotFoundError(errno.ENOENT, "no version is stored", path)
                return _folder_info(path)
            ref = ArtifactReference.parse("/".join(segments[:3]))
            if len(segments) == 3:
                entry = self.client.entry(ref)
                return _entry_info(path, entry)
            return self._tree(ref).info(path, "/".join(segments[3:]))

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """List the versions of ``bucket_id/artifact_id``, or a folder that was pushed."""
        path, segments = _split(path)
        if len(segments) < 2:
            raise NotImplementedError(
                "Bucket lists the versions of one artifact; it does not list buckets or artifacts. "
                "Keep the refs that you need in a registry of your own."
            )
        with as_os_errors(path):
            if len(segments) == 2:
                artifact_name(path)
                found = [_entry_info(f"{path}/{entry.ref.version}", entry) for entry in self.client.list_versions(path)]
                if not found:
                    raise FileNotFoundError(errno.ENOENT, "no version is stored", path)
            else:
                found = self._ls_version(path, segments)
        return found if detail else [item["name"] for item in found]

    def _ls_version(self, path: str, segments: list[str]) -> list[dict[str, Any]]:
        info = self.info(path)
        if info["type"] == "file":
            return [info]
        ref = ArtifactReference.parse("/".join(segments[:3]))
        return self._tree(ref).children(path, "/".join(segments[3:]))

    def exists(self, path: str, **options: Any) -> bool:
        """Return whether a path exists. A pinned path exists only with that digest.

        A failure of the service is raised, and never ``False``.
        """
        try:
            self.info(path, **options)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except DigestError as problem:
            if problem.code == "digest_differs":
                return False
            raise
        return True

    def isfile(self, path: str) -> bool:
        """Return whether a path is a file."""
        return self.exists(path) and self.info(path)["type"] == "file"

    def isdir(self, path: str) -> bool:
        """Return whether a path is an artifact or a folder that was pushed."""
        return self.exists(path) and self.info(path)["type"] == "directory"

    def checksum(self, path: str) -> str:
        """Return ``sha256:`` and 64 hex digits of a file's bytes, or of the manifest of a folder that was pushed."""
        return self._recorded(path, "digest")

    def ukey(self, path: str) -> str:
        """Return the digest, which identifies these bytes in a cache."""
        return self.checksum(path)

    def created(self, path: str) -> datetime:
        """Return when a version was stored."""
        return self._recorded(path, "created")

    def modified(self, path: str) -> datetime:
        """Return when a version was stored: it has not changed since."""
        return self.created(path)

    def _recorded(self, path: str, member: str) -> Any:
        info = self.info(path)
        if member not in info:
            raise IsADirectoryError(errno.EISDIR, f"only a stored version has {member!r}; this is a folder", path)
        return info[member]

    def _read_tree(self, ref: ArtifactReference) -> FolderTree:
        entry = self.client.entry(ref)
        if entry.content_type != MEDIA_TYPE:
            raise NotADirectoryError(errno.ENOTDIR, "this version is a file, not a folder that was pushed", ref.name)
        return FolderTree(*self.client.manifest(entry.ref), entry.created_at)

    def _locate(self, path: str) -> tuple[ArtifactReference, int]:
        """Return the pinned ref and the size of a file's bytes."""
        segments = plain_path(path).split("/")
        ref = ArtifactReference.parse("/".join(segments[:3]))
        if len(segments) > 3:
            return self._tree(ref).locate("/".join(segments[3:]))
        entry = self.client.entry(ref)
        return entry.ref, entry.size

    # Reading

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: dict[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        if mode == "rb":
            with as_os_errors(path):
                return BucketFile(
                    self,
                    path,
                    block_size=block_size or "default",
                    cache_options=cache_options,
                    cache_type=options.pop("cache_type", "readahead"),
                )
        if mode in ("wb", "xb"):
            unknown = sorted(options.keys() - set(DESCRIPTION_MEMBERS))
            if unknown:
                raise TypeError(
                    f"unknown option {unknown[0]!r} of a new file; valid options: {', '.join(DESCRIPTION_MEMBERS)}"
                )
            return BucketWriter(self, path, autocommit, self._describe(options))
        raise ValueError(f"mode {mode!r}: what is stored never changes, so files open as rb, wb or xb")

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        """Return the verified bytes of a file, or a range, which cannot be verified."""
        with as_os_errors(path):
            ref, size = self._locate(path)
            if start is None and end is None:
                with self.client.get(ref) as stream:
                    return stream.read()
            check_all(lambda: _check_bound("start", start), lambda: _check_bound("end", end))
            first, last = _bound(start, size, 0), _bound(end, size, size)
            return b"".join(map(bytes, self.client.read_range(ref, size, first, last))) if first < last else b""

    def cat_ranges(
        self, paths: Sequence[str], starts: Any, ends: Any, max_gap: Any = None, on_error: str = "return", **_: Any
    ) -> list[Any]:
        """Return several ranges, fetched at the same time."""
        if max_gap is not None:
            raise NotImplementedError("max_gap")
        firsts = starts if isinstance(starts, list | tuple) else [starts] * len(paths)
        lasts = ends if isinstance(ends, list | tuple) else [ends] * len(paths)

        def fetch(path: str, first: int | None, last: int | None) -> Any:
            try:
                return self.cat_file(path, first, last)
            except Exception as problem:
                if on_error == "return":
                    return problem
                raise

        with ThreadPoolExecutor(_PARALLEL_RANGES) as pool:
            return list(pool.map(fetch, paths, firsts, lasts))

    def get_file(self, rpath: str, lpath: Any, callback: Any = None, outfile: Any = None, **_: Any) -> None:
        """Fetch a file. It gets its local name only after all bytes arrived and matched."""
        if outfile is not None:
            outfile.write(self.cat_file(rpath))
            return
        if self.isdir(rpath):
            Path(lpath).mkdir(parents=True, exist_ok=True)
            return
        Path(lpath).parent.mkdir(parents=True, exist_ok=True)
        with as_os_errors(rpath):
            ref, size = self._locate(rpath)
            if callback is not None:
                callback.set_size(size)
            self.client.download(
                ref,
                lpath,
                overwrite=True,
                progress=None if callback is None else lambda progress: callback.absolute_update(progress.done),
            )

    # Writing

    def put_file(self, lpath: Any, rpath: str, *_: Any, **options: Any) -> None:
        """Store a local file. A version that has these bytes already is a success."""
        if Path(lpath).is_dir():
            return
        self._store(rpath, Path(lpath), self._describe(options))

    def pipe_file(self, path: str, value: bytes, *_: Any, **options: Any) -> None:
        """Store bytes. A version that has these bytes already is a success."""
        if not isinstance(value, bytes | bytearray | memoryview):
            raise TypeError(f"pipe takes bytes, not {type(value).__name__}; give text.encode() to store text")
        self._store(path, value, self._describe(options))

    def _describe(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the description of a new file. Options for other file systems are ignored."""
        return self._description | {
            name: options[name] for name in DESCRIPTION_MEMBERS if options.get(name) is not None
        }

    def _store(self, path: str, source: Any, description: dict[str, Any]) -> None:
        path = plain_path(path)
        with as_os_errors(path):
            self.client.put(self._check_new(path), source, **description)

    def _check_new(self, path: str) -> ArtifactReference:
        """Return the ref of a file that is to be created."""
        if path.count("/") > 2:
            raise NotImplementedError(
                f"{path!r}: a folder is stored as a whole. Write it to a local folder, then "
                "BucketClient.push(ref, folder)."
            )
        return ArtifactReference.parse(path)

    def touch(self, path: str, truncate: bool = True, **_: Any) -> None:
        """Refuse, because an empty version can never be filled."""
        raise NotImplementedError(
            f"{path!r}: touch would store zero bytes, which can never be replaced. Write the bytes with "
            "open(path, 'wb'); to store zero bytes, use pipe(path, b'')."
        )

    def mkdir(self, path: str, create_parents: bool = True, **_: Any) -> None:
        """Do nothing: an artifact needs no folder."""

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Do nothing: an artifact needs no folder."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError("what Bucket stores is never changed, moved or removed; choose a new version")

    rm = rm_file = _rm = rmdir = mv = cp_file = _refuse


def _split(path: Any) -> tuple[str, list[str]]:
    """Return a path without ``bucket://``, and its segments."""
    plain = plain_path(path)
    return plain, plain.split("/") if plain else []


def _check_bound(name: str, position: object) -> None:
    if position is not None:
        check_type(name, position, int, "a position as a whole number")


def _bound(position: int | None, size: int, default: int) -> int:
    """Return a position as Python's slices read it."""
    if position is None:
        return default
    return max(0, size + position) if position < 0 else min(position, size)


def _folder_info(path: str) -> dict[str, Any]:
    return {"name": path, "size": 0, "type": "directory"}


def _entry_info(path: str, entry: Entry) -> dict[str, Any]:
    is_folder = entry.content_type == MEDIA_TYPE
    return {
        "name": path,
        "size": 0 if is_folder else entry.size,
        "type": "directory" if is_folder else "file",
        "digest": entry.digest,
        **{name: getattr(entry, name) for name in DESCRIPTION_MEMBERS},
        "created": entry.created_at,
    }


__all__ = ["BucketFile", "BucketFileSystem", "BucketWriter"]
