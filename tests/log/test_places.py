"""A SQLite store on a network file system is warned of, once."""

from __future__ import annotations

import warnings
from contextlib import closing
from pathlib import Path

import pytest

from errata.log import open_store
from errata.log.stores import places
from errata.log.stores.places import FAR, FarAway, kind_of

MOUNTS = r"""
/dev/sda1 / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
server:/export /mnt/share nfs4 rw,vers=4.2 0 0
/dev/sdb1 /mnt/share/disk xfs rw 0 0
//server/team /mnt/team\040folder cifs rw 0 0
ada@server: /data/far fuse.sshfs rw 0 0
over /over ext4 rw 0 0
host /over 9p rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/data/errata.db", "ext4"),
        ("/mnt/share/errata.db", "nfs4"),
        ("/mnt/shared/errata.db", "ext4"),
        ("/mnt/share/disk/errata.db", "xfs"),
        ("/mnt/team folder/a/errata.db", "cifs"),
        ("/data/far/errata.db", "fuse.sshfs"),
        ("/over/errata.db", "9p"),
    ],
)
def test_a_path_is_on_what_is_mounted_nearest_above_it_and_last(path: str, kind: str):
    assert kind_of(Path(path), MOUNTS) == kind


def test_a_list_that_cannot_be_made_out_says_nothing():
    assert kind_of(Path("/home/errata.db"), "") == ""
    assert kind_of(Path("/home/errata.db"), "nonsense\n\n a b\n") == ""


@pytest.fixture
def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the kernel's list says is on another machine."""
    listed = tmp_path / "mounts"
    listed.write_text(f"/dev/sda1 / ext4 rw 0 0\nserver:/export {tmp_path / 'share'} nfs rw 0 0\n", encoding="utf-8")
    (tmp_path / "share").mkdir()
    monkeypatch.setattr(places, "MOUNTS", listed)
    return tmp_path / "share"


def test_a_store_on_another_machine_is_warned_of_once(far: Path):
    with pytest.warns(FarAway, match=r"network file system \(nfs\).*PostgreSQL"):
        open_store(far / "errata.db").close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_store(far / "errata.db").close()
        with closing(open_store(far.parent / "errata.db")) as store:
            assert store.branches() == {}


def test_every_kind_is_written_as_the_kernel_does():
    assert {"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"} <= FAR
    assert all(kind == kind.lower() and " " not in kind for kind in FAR)
