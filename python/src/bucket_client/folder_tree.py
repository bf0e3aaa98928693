"""A folder manifest as a tree that can be looked into, symlinks included, without fetching a file."""

from __future__ import annotations

import errno
import posixpath
from datetime import datetime
from typing import Any

from .manifest import FileEntry, FolderEntry, FolderManifest, ManifestEntry, SymlinkEntry, file_ref
from .refs import ArtifactReference

#: A longer chain of symlinks counts as a loop, as in the Linux kernel.
_MOST_LINKS = 40


class FolderTree:
    """The files and folders of one manifest. Paths are relative; the root is the empty path."""

    def __init__(self, ref: ArtifactReference, manifest: FolderManifest, created_at: datetime) -> None:
        self._ref = ref
        self._created_at = created_at
        self._entries: dict[str, ManifestEntry] = {entry.path: entry for entry in manifest.entries}
        self._children: dict[str, set[str]] = {"": set()}
        for entry in manifest.entries:
            self._add(entry.path)
            if isinstance(entry, FolderEntry):
                self._children.setdefault(entry.path, set())

    def _add(self, path: str) -> None:
        while path:
            parent, _, name = path.rpartition("/")
            names = self._children.setdefault(parent, set())
            if name in names:
                return
            names.add(name)
            path = parent

    def _resolve(self, path: str) -> str:
        """Return the path that all symlinks lead to.

        Raises:
            FileNotFoundError: nothing is there.
            OSError: ``ELOOP``.
        """
        done = ""
        rest = path.split("/") if path else []
        links = 0
        while rest:
            done = posixpath.normpath(posixpath.join(done, rest.pop(0)))
            done = "" if done == "." else done
            entry = self._entries.get(done)
            if isinstance(entry, SymlinkEntry):
                links += 1
                if links > _MOST_LINKS:
                    raise OSError(errno.ELOOP, "a symlink leads to itself", path)
                rest = entry.target.split("/") + rest
                done = done.rpartition("/")[0]
            elif done not in self._children and (rest or done not in self._entries):
                raise FileNotFoundError(errno.ENOENT, f"{self._ref.name} has no such file", path)
        return done

    def locate(self, path: str) -> tuple[ArtifactReference, int]:
        """Return the pinned ref and the size of a file's bytes."""
        entry = self._entries.get(self._resolve(path))
        if not isinstance(entry, FileEntry):
            raise IsADirectoryError(errno.EISDIR, "this is a folder", path)
        return file_ref(self._ref, entry), entry.size

    def info(self, name: str, path: str) -> dict[str, Any]:
        """Return size, type and digest of a path. ``name`` is its full path for the caller."""
        entry = self._entries.get(self._resolve(path))
        if not isinstance(entry, FileEntry):
            return {"name": name, "size": 0, "type": "directory", "created": self._created_at}
        return {
            "name": name,
            "size": entry.size,
            "type": "file",
            "digest": entry.digest,
            "created": self._created_at,
            "executable": entry.executable,
        }

    def children(self, name: str, path: str) -> list[dict[str, Any]]:
        """Return the sorted contents of a folder, without broken symlinks."""
        found: list[dict[str, Any]] = []
        for child in sorted(self._children[self._resolve(path)]):
            try:
                found.append(self.info(f"{name}/{child}", f"{path}/{child}" if path else child))
            except FileNotFoundError:
                continue
        return found
