"""Qt's resource files, made here by hand: what is read, and what is said of one that is damaged."""

from __future__ import annotations

import struct
import zlib

import pytest

from errata.benchmarks.atlas.pictures.rcc import Resources
from errata.core.errors import BadInput

FOLDER, ZLIB, ZSTD = 2, 1, 4
PLAIN, LONG = b"a plain file", b"long " * 50


def made(*, version: int = 2, magic: bytes = b"qres", flags: int = ZLIB) -> bytes:
    """A folder "board" with the files "a.qml" and "b.qml" in it, the second with flags of its own."""
    names = b""
    places = []
    for name in ("board", "a.qml", "b.qml"):
        places.append(len(names))
        names += struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
    packed = struct.pack(">I", len(LONG)) + zlib.compress(LONG)
    data = struct.pack(">I", len(PLAIN)) + PLAIN + struct.pack(">I", len(packed)) + packed
    late = b"" if version == 1 else bytes(8)
    nodes = [
        struct.pack(">IHII", 0, FOLDER, 1, 1) + late,
        struct.pack(">IHII", places[0], FOLDER, 2, 2) + late,
        struct.pack(">IHHHI", places[1], 0, 0, 1, 0) + late,
        struct.pack(">IHHHI", places[2], flags, 0, 1, 4 + len(PLAIN)) + late,
    ]
    tree = b"".join(nodes)
    head = 20 if version < 3 else 24
    header = magic + struct.pack(">4I", version, head, head + len(tree), head + len(tree) + len(data))
    return header + (b"" if version < 3 else bytes(4)) + tree + data + names


@pytest.fixture
def file(tmp_path):
    def written(held: bytes):
        path = tmp_path / "some.rcc"
        path.write_bytes(held)
        return path

    return written


@pytest.mark.parametrize("version", [1, 2, 3])
def test_every_file_is_read_by_its_path(file, version):
    held = Resources(file(made(version=version)))
    assert held.names == ("board/a.qml", "board/b.qml")
    assert held.read("board/a.qml") == PLAIN
    assert held.read("board/b.qml") == LONG


def test_what_is_no_resource_file_is_a_sentence(file, tmp_path):
    with pytest.raises(BadInput, match="isn't a Qt resource file"):
        Resources(file(made(magic=b"RIFF")))
    with pytest.raises(BadInput, match="version 9"):
        Resources(file(made(version=9)))
    with pytest.raises(BadInput, match="can't be read"):
        Resources(tmp_path / "nothing.rcc")


def test_a_file_cut_anywhere_is_a_sentence(file):
    whole = made()
    for length in range(4, len(whole)):
        with pytest.raises(BadInput, match="cut short"):
            everything(file(whole[:length]))


def everything(path):
    held = Resources(path)
    return [held.read(name) for name in held.names]


def test_a_file_whose_packed_bytes_changed_is_a_sentence(file):
    held = bytearray(made())
    at = held.index(zlib.compress(LONG))
    held[at] ^= 0xFF
    with pytest.raises(BadInput, match="is damaged"):
        Resources(file(bytes(held))).read("board/b.qml")


def test_another_packing_is_refused_by_name(file):
    with pytest.raises(BadInput, match="Zstandard"):
        Resources(file(made(flags=ZSTD))).read("board/b.qml")


def test_a_name_that_is_not_there_is_a_sentence(file):
    with pytest.raises(BadInput, match=r"holds no c\.qml"):
        Resources(file(made())).read("c.qml")


def test_a_tree_that_goes_round_ends(file):
    held = bytearray(made())
    struct.pack_into(">II", held, 20 + 22 + 6, 2, 0)  # the folder's children begin at the root
    with pytest.raises(BadInput, match="deep"):
        assert Resources(file(bytes(held))).names
