"""Where a file lies: on a disk of this machine, or on another's, where SQLite can't keep its promises."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Final

MOUNTS: Final = Path("/proc/self/mounts")
"""What is mounted, on Linux; elsewhere nothing can be told."""

_FUSE: Final = ("beegfs", "ceph", "curlftpfs", "davfs", "gcsfuse", "glusterfs", "juicefs", "rclone", "s3fs", "smbnetfs", "sshfs")
_KERNEL: Final = ("9p", "afs", "beegfs", "ceph", "cifs", "davfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs")
_SHARED: Final = ("fuse.vmhgfs-fuse", "vboxsf", "virtiofs", "vmhgfs")
"""Folders that a virtual machine shares with its host."""

FAR: Final = frozenset((*_KERNEL, *_SHARED, *(f"fuse.{name}" for name in _FUSE)))
"""Kinds of file systems whose files are another machine's."""

_told: Final[set[Path]] = set()


class FarAway(UserWarning):
    """A SQLite store lies on a network file system."""


def warn_if_far(path: Path) -> None:
    """Warn, once for each store, of one that lies on a network file system."""
    where = path.resolve()
    if where in _told:
        return
    try:
        mounts = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return
    kind = kind_of(where, mounts)
    if kind in FAR:
        _told.add(where)
        warnings.warn(
            f"The store {path} is on a network file system ({kind}). SQLite's locks don't hold between the machines that share it: "
            "two that write at once can damage the file. Keep it on a disk of one machine, or use PostgreSQL "
            "(--store postgresql://...).",
            FarAway,
            stacklevel=3,
        )


def kind_of(path: Path, mounts: str) -> str:
    """The kind of file system that a path is on; "" where it isn't listed.

    Args:
        path: absolute, without links.
        mounts: as Linux lists them, the latest last: device, place, kind and more to a line, blanks written as octal numbers.
    """
    best, kind = -1, ""
    for line in mounts.splitlines():
        device, place, found, *_ = [*line.split(" "), "", "", ""]
        root = Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), place))
        if device and path.is_relative_to(root) and len(root.parts) >= best:
            best, kind = len(root.parts), found
    return kind
