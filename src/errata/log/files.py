"""Blobs and snapshots as files that are whole or not there.

A file is written under a temporary name, flushed to the disk, and only then given its own name (an atomic rename, the folder
flushed too), so that a crash at any moment leaves at worst a temporary file, which nobody reads and the next start sweeps away.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, final

from errata.core.canonical import digest_of
from errata.core.errors import LogError
from errata.log.entry import is_digest
from errata.log.store import SnapshotKey, check_blob

_UNFINISHED: Final = ".unfinished-"
_STALE_S: Final = 3600.0
"""A temporary file older than this is a crash's: no write takes an hour."""

_SNAPSHOT: Final = ".snapshot"


@final
class FileBlobs:
    """`Blobs` in a folder: `ab/abcdef...`, two digits to a subfolder so that none grows too long."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        _sweep(folder)

    def put(self, data: bytes) -> str:
        digest = digest_of(data)
        path = self._path(digest)
        with _disk_errors("write to", path):
            try:
                there = path.read_bytes() == data
            except FileNotFoundError:
                there = False
            if not there:
                _write_whole(self._folder, path, data)
        return digest

    def get(self, digest: str) -> bytes | None:
        if not is_digest(digest):  # also keeps a tampered name from leading out of the folder
            return None
        path = self._path(digest)
        with _disk_errors("read", path):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                return None
        return check_blob(digest, data)

    def size(self, digest: str) -> int | None:
        path = self._path(digest)
        with _disk_errors("read", path):
            return path.stat().st_size if is_digest(digest) and path.is_file() else None

    def erase(self, digest: str) -> bool:
        if not is_digest(digest):
            return False
        path = self._path(digest)
        with _disk_errors("erase", path):
            try:
                path.unlink()
            except FileNotFoundError:
                return False
            _flush_folder(path.parent)
        return True

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest


@final
class FileShelf:
    """`Shelf` in a folder: one file for each snapshot, its whole key in its name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        _sweep(folder)

    def put(self, key: SnapshotKey, data: bytes) -> None:
        path = self._path(key)
        with _disk_errors("write to", path):
            _write_whole(self._folder, path, data)

    def get(self, key: SnapshotKey) -> bytes | None:
        path = self._path(key)
        with _disk_errors("read", path):
            try:
                return path.read_bytes()
            except FileNotFoundError:
                return None

    def sizes(self, branch: str | None = None) -> Mapping[SnapshotKey, int]:
        found: dict[SnapshotKey, int] = {}
        with _disk_errors("list", self._folder):
            if not self._folder.is_dir():
                return found
            begins = "" if branch is None else f"{branch}."
            for name in os.listdir(self._folder):  # thousands may be another branch's
                key = _key(name) if name.startswith(begins) else None
                if key is not None and branch in (None, key.branch):
                    with suppress(FileNotFoundError):  # thinned by another process since
                        found[key] = (self._folder / name).stat().st_size
        return dict(sorted(found.items()))

    def delete(self, key: SnapshotKey) -> None:
        path = self._path(key)
        with _disk_errors("delete", path):
            path.unlink(missing_ok=True)

    def _path(self, key: SnapshotKey) -> Path:
        return self._folder / f"{key.branch}.{key.seq:012d}.{key.entry}.{key.digest}{_SNAPSHOT}"


def _key(name: str) -> SnapshotKey | None:
    """The key in a file's name; None for any other file."""
    parts = name.removesuffix(_SNAPSHOT).rsplit(".", 3)  # a branch may have dots, the rest may not
    if not name.endswith(_SNAPSHOT) or len(parts) != 4 or not parts[1].isdecimal():
        return None
    branch, seq, entry, digest = parts
    return SnapshotKey(branch, int(seq), entry, digest) if is_digest(entry) and is_digest(digest) else None


def _write_whole(root: Path, path: Path, data: bytes) -> None:
    for folder in (root, path.parent):
        if not folder.is_dir():
            folder.mkdir(exist_ok=True)
            _flush_folder(folder.parent)
    temporary = root / f"{_UNFINISHED}{secrets.token_hex(8)}"
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    """Make a rename or an unlink in the folder survive a power cut."""
    if os.name == "nt":
        return  # a folder can't be opened there; NTFS journals its names
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(folder: Path) -> None:
    """Remove what crashed writes left: a snapshot can be large."""
    with suppress(OSError):  # an auditor may have the folder for reading only
        for path in folder.glob(f"{_UNFINISHED}*"):
            if time.time() - path.stat().st_mtime > _STALE_S:
                path.unlink(missing_ok=True)


@contextmanager
def _disk_errors(verb: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LogError(
            f"Can't {verb} {path}: {error.strerror or error}. Nothing was acknowledged. "
            "Check the disk's space and the folder's permissions."
        ) from error
