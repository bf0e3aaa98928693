# pyright: basic, reportIncompatibleMethodOverride=false
"""``bucket://`` for fsspec, and so for pandas, pyarrow, zarr, datasets and all that open paths through it.

A path is ``bucket://bucket_id/artifact_id/version``, with ``@sha256:…`` to pin it. A version that is a folder manifest
is a folder: ``bucket://bucket_id/artifact_id/version/path/in/it``. Files can be created, never changed or removed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import sys
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

from .client import BucketClient
from .errors import ConflictError, InvalidRequestError, NotAuthorizedError, NotFoundError
from .fetch import mismatch
from .folder_tree import FolderTree
from .manifest import MEDIA_TYPE
from .model import Entry
from .refs import ArtifactReference, artifact_name

#: Up to this size a file is fetched whole when it is opened, and so verified however it is read.
WHOLE_BYTES = 8 << 20
_PARALLEL_RANGES = 8
_KEPT_FOLDERS = 16
_OPTIONS = ("url", "auth", "api_key", "ca_file", "client", "uploaded_by", "provenance_source")
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


class BucketFileSystem(AbstractFileSystem):
    """A file system of what one Bucket API stores. Settings that are left out come from the environment.

    Example:
        >>> pandas.read_parquet("bucket://demo/evals/run-47")  # doctest: +SKIP
    """

    protocol = "bucket"
    root_marker = ""
    # What is listed never changes, but versions are added: nothing is cached here.
    cachable = True

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
            TypeError: an option that neither has.
        """
        unknown = sorted(options.keys() - _FSSPEC_OPTIONS)
        if unknown:
            # fsspec would ignore it: a misspelt url would lead to another server.
            raise TypeError(f"bucket:// has no option {unknown[0]!r}; give {', '.join(_OPTIONS)}")
        super().__init__(**options)
        self.client = client or BucketClient(url, auth=auth, api_key=api_key, ca_file=ca_file)
        self._description: dict[str, Any] = {"uploaded_by": uploaded_by, "provenance_source": provenance_source}
        self._folders: OrderedDict[str, FolderTree] = OrderedDict()
        self._folders_lock = threading.Lock()

    # Looking

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Return what is known of a path; ``digest`` of a file is the one that was verified when it was stored."""
        path = _plain(path)
        segments = [segment for segment in path.split("/") if segment]
        if len(segments) < 2:
            return _folder_info(path)
        with _as_os_errors(path):
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
        path = _plain(path)
        segments = [segment for segment in path.split("/") if segment]
        if len(segments) < 2:
            raise NotImplementedError(
                "Bucket lists the versions of one artifact; it does not list buckets or artifacts. "
                "Keep the refs that you need in a registry of your own."
            )
        with _as_os_errors(path):
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
        """Return whether a path exists. A service that fails is not an answer: its error is raised."""
        try:
            self.info(path, **options)
        except FileNotFoundError:
            return False
        return True

    def isfile(self, path: str) -> bool:
        """Return whether a path is a file."""
        return self.exists(path) and self.info(path)["type"] == "file"

    def isdir(self, path: str) -> bool:
        """Return whether a path is an artifact or a folder that was pushed."""
        return self.exists(path) and self.info(path)["type"] == "directory"

    def checksum(self, path: str) -> str:
        """Return ``sha256:`` and 64 hex digits of a file's bytes."""
        return self.info(path)["digest"]

    def ukey(self, path: str) -> str:
        """Return what names these bytes for a cache: their digest."""
        return self.checksum(path)

    def created(self, path: str) -> datetime:
        """Return when a version was stored."""
        return self.info(path)["created"]

    def modified(self, path: str) -> datetime:
        """Return when a version was stored: it has not changed since."""
        return self.created(path)

    def _tree(self, ref: ArtifactReference) -> FolderTree:
        key = str(ref)
        with self._folders_lock:
            known = self._folders.get(key)
            if known is not None:
                self._folders.move_to_end(key)
                return known
        entry = self.client.entry(ref)
        if entry.content_type != MEDIA_TYPE:
            raise NotADirectoryError(errno.ENOTDIR, "this version is a file, not a folder that was pushed", ref.name)
        tree = FolderTree(*self.client.manifest(entry.ref), entry.created_at)
        with self._folders_lock:
            self._folders[key] = tree
            while len(self._folders) > _KEPT_FOLDERS:
                self._folders.popitem(last=False)
        return tree

    def _locate(self, path: str) -> tuple[ArtifactReference, int]:
        """Return the pinned ref and the size of a file's bytes."""
        segments = _plain(path).split("/")
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
            with _as_os_errors(path):
                return BucketFile(
                    self,
                    path,
                    block_size=block_size or "default",
                    cache_options=cache_options,
                    cache_type=options.pop("cache_type", "readahead"),
                )
        if mode in ("wb", "xb"):
            return BucketWriter(self, path, autocommit, options.pop("content_type", None))
        raise ValueError(f"mode {mode!r}: what is stored never changes, so files open as rb, wb or xb")

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        """Return the verified bytes of a file; of a range, bytes that are not verified by themselves."""
        with _as_os_errors(path):
            ref, size = self._locate(path)
            if start is None and end is None:
                with self.client.get(ref) as stream:
                    return stream.read()
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
        """Fetch a file, which has its local name only after all bytes came and matched."""
        if outfile is not None:
            outfile.write(self.cat_file(rpath))
            return
        if self.isdir(rpath):
            Path(lpath).mkdir(parents=True, exist_ok=True)
            return
        Path(lpath).parent.mkdir(parents=True, exist_ok=True)
        with _as_os_errors(rpath):
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
        self._store(rpath, lpath, options.get("content_type"))

    def pipe_file(self, path: str, value: bytes, *_: Any, **options: Any) -> None:
        """Store bytes. A version that has these bytes already is a success."""
        self._store(path, value, options.get("content_type"))

    def _store(self, path: str, source: Any, content_type: str | None) -> None:
        path = _plain(path)
        if path.count("/") > 2:
            raise NotImplementedError(
                f"{path!r}: a folder is stored as a whole. Write it to a local folder, then "
                "BucketClient.push(ref, folder)."
            )
        with _as_os_errors(path):
            self.client.put(ArtifactReference.parse(path), source, content_type=content_type, **self._description)

    def mkdir(self, path: str, create_parents: bool = True, **_: Any) -> None:
        """Do nothing: an artifact needs no folder."""

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Do nothing: an artifact needs no folder."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError("what Bucket stores is never changed, moved or removed; choose a new version")

    rm = rm_file = _rm = rmdir = mv = cp_file = _refuse


class BucketFile(AbstractBufferedFile):
    """A stored file that can be read at any position.

    Up to ``WHOLE_BYTES`` it is verified when it is opened. A larger one is verified when it has been read from its
    first byte to its last; single ranges of it cannot be verified by themselves.
    """

    def __init__(self, fs: BucketFileSystem, path: str, **options: Any) -> None:
        self.ref, size = fs._locate(path)
        self._client = fs.client
        self._hash = hashlib.sha256()
        self._hashed = 0
        if size <= WHOLE_BYTES:
            with fs.client.get(self.ref) as stream:
                options |= {"cache_type": "all", "cache_options": {"data": stream.read()}}
            self._hashed = size
        super().__init__(fs, path, mode="rb", size=size, **options)

    def _fetch_range(self, start: int, end: int) -> bytes:
        with _as_os_errors(self.path):
            pieces = self._client.read_range(self.ref, self.size, start, min(end, self.size))
            return b"".join(map(bytes, pieces))

    def read(self, length: int = -1) -> bytes:
        """Return bytes from the current position.

        Raises:
            DigestError: at the end of a whole sequential read, if the bytes are not those of the digest.
        """
        at = self.loc
        data = super().read(length)
        if at <= self._hashed < at + len(data) and self._hashed < self.size:
            self._hash.update(memoryview(data)[self._hashed - at :])
            self._hashed = at + len(data)
            computed = f"sha256:{self._hash.hexdigest()}"
            if self._hashed == self.size and computed != self.ref.digest:
                raise mismatch(self.ref, computed, f"its bytes have the digest {computed}")
        return data


class BucketWriter(io.BufferedIOBase):
    """A new file. It is stored when it is closed, and not stored if an exception ends its ``with`` block."""

    def __init__(self, fs: BucketFileSystem, path: str, autocommit: bool, content_type: str | None) -> None:
        self.fs = fs
        self.path = _plain(path)
        self.mode = "wb"
        self._autocommit = autocommit
        self._content_type = content_type
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the file
        self._exception_at_open = sys.exc_info()[1]
        with _as_os_errors(path):
            if self.path.count("/") > 2:
                fs._store(self.path, b"", None)
            ArtifactReference.parse(self.path)

    def writable(self) -> bool:
        """Return true."""
        return True

    def seekable(self) -> bool:
        """Return true: formats with an index at their beginning need that."""
        return True

    def write(self, data: Any) -> int:
        """Write bytes."""
        return self._spool.write(data)

    def tell(self) -> int:
        """Return the position."""
        return self._spool.tell()

    def seek(self, offset: int, origin: int = 0, /) -> int:
        """Move the position."""
        self._spool.seek(offset, origin)
        return self._spool.tell()

    def close(self) -> None:
        """Store the file, unless it is closed because of an exception.

        Raises:
            FileExistsError: the version holds other bytes.
        """
        if self.closed:
            return
        super().close()
        # After an exception the file is probably incomplete, and a stored file cannot be corrected.
        failing = sys.exc_info()[1]
        if failing is not None and failing is not self._exception_at_open:
            self.discard()
        elif self._autocommit:
            self.commit()

    def commit(self) -> None:
        """Store the file."""
        try:
            self._spool.seek(0)
            self.fs._store(self.path, self._spool, self._content_type)
        finally:
            self.discard()

    def discard(self) -> None:
        """Store nothing."""
        self._spool.close()

    def __exit__(self, kind: Any, *_: object) -> None:
        """Store the file, or nothing after an exception."""
        if kind is not None and not self.closed:
            super().close()
            self.discard()
        self.close()

    def __del__(self) -> None:
        """Store nothing: a file that was forgotten may not be complete."""
        self._spool.close()


def _plain(path: str) -> str:
    """Return a path without ``bucket://``, and without a slash at its end."""
    return path.removeprefix("bucket://").strip("/")


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
        "content_type": entry.content_type,
        "uploaded_by": entry.uploaded_by,
        "provenance_source": entry.provenance_source,
        "created": entry.created_at,
    }


@contextlib.contextmanager
def _as_os_errors(path: str) -> Iterator[None]:
    """Raise what users of file systems expect. Failures of the service stay what they are."""
    try:
        yield
    except NotFoundError as problem:
        raise FileNotFoundError(errno.ENOENT, problem.detail, path) from problem
    except ConflictError as problem:
        raise FileExistsError(errno.EEXIST, f"{problem.detail}. {problem.next}", path) from problem
    except NotAuthorizedError as problem:
        raise PermissionError(errno.EACCES, f"{problem.detail}. {problem.next}", path) from problem
    except InvalidRequestError as problem:
        raise ValueError(str(problem)) from problem


__all__ = ["BucketFile", "BucketFileSystem", "BucketWriter"]
