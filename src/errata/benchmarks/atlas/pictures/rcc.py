"""A reader of Qt's binary resource files (.rcc): a tree of names, and what each file of it holds.

All numbers are big-endian. A header (qres, a version, where tree, data and names begin) is followed by the three in any order. A
node of the tree is a folder (how many children, and where the first is) or a file (where its data begins); from version 2 on with
a time, which isn't read. Of two files with one name, for two languages, the first is read.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from errata.core.errors import BadInput

_MAGIC: Final = b"qres"
_VERSIONS: Final = (1, 2, 3)
_ZLIB, _FOLDER, _ZSTD = 1, 2, 4
_DEEPEST: Final = 32
"""Folders in folders, at most: a tree that goes round in a circle ends there."""


@dataclass(frozen=True)
class _Node:
    name: str
    flags: int
    count: int
    """Of a folder: its children. Of a file: 0."""
    start: int
    """Of a folder: the place of its first child in the tree. Of a file: where its data begins, from the start of all data."""


class Resources:
    """The files of one resource file."""

    def __init__(self, path: Path) -> None:
        """Read the header.

        Raises:
            BadInput: it can't be read, or isn't such a file.
        """
        self._path = path
        try:
            self._held = path.read_bytes()
        except OSError as error:
            raise BadInput(f"{path} can't be read: {error.strerror}. Is it a file, and may you read it?") from None
        if self._held[:4] != _MAGIC:
            raise BadInput(
                f"{path} isn't a Qt resource file: it doesn't begin with {_MAGIC.decode()}. Was it made by rcc --binary?"
            )
        version, self._tree, self._data, self._names = self._numbers(">4I", 4)
        if version not in _VERSIONS:
            raise BadInput(f"{path} is a Qt resource file of version {version}; versions 1 to 3 are read.")
        self._node_bytes = 14 if version == 1 else 22

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The path of each file, as "folder/file", in alphabetical order.

        Raises:
            BadInput: the file is cut short or damaged.
        """
        return tuple(sorted(self._files))

    def read(self, name: str) -> bytes:
        """What one file holds.

        Raises:
            BadInput: there is no such file; or this one is damaged, or compressed in a way that isn't read.
        """
        if name not in self._files:
            raise BadInput(f"{self._path} holds no {name}. See its names.")
        node = self._files[name]
        (size,) = self._numbers(">I", self._data + node.start)
        held = self._piece(self._data + node.start + 4, size)
        if node.flags & _ZSTD:
            raise BadInput(
                f"{name} in {self._path} is compressed with Zstandard, which isn't read. Make it with rcc --compress-algo zlib."
            )
        if not node.flags & _ZLIB:
            return held
        try:
            return zlib.decompress(held[4:])  # Qt's own compression: four bytes say how long it will be
        except zlib.error as error:
            raise BadInput(f"{name} in {self._path} is damaged: {error}. Install its package again.") from None

    @cached_property
    def _files(self) -> dict[str, _Node]:
        found: dict[str, _Node] = {}
        for name, node in self._under(self._node(0), ()):
            found.setdefault(name, node)
        return found

    def _under(self, folder: _Node, above: tuple[str, ...]) -> Iterator[tuple[str, _Node]]:
        if len(above) > _DEEPEST:
            raise BadInput(f"{self._path} is damaged: folders lie more than {_DEEPEST} deep. Install its package again.")
        for place in range(folder.start, folder.start + folder.count):
            node = self._node(place)
            if node.flags & _FOLDER:
                yield from self._under(node, (*above, node.name))
            else:
                yield "/".join((*above, node.name)), node

    def _node(self, place: int) -> _Node:
        start = self._tree + place * self._node_bytes
        name, flags = self._numbers(">IH", start)
        one, other = self._numbers(">II", start + 6)  # of a file, the first is its country and language
        called = self._name(name) if place else ""
        return _Node(called, flags, one if flags & _FOLDER else 0, other)

    def _name(self, offset: int) -> str:
        length, _ = self._numbers(">HI", self._names + offset)  # the second is a hash of the name
        return self._piece(self._names + offset + 6, 2 * length).decode("utf-16-be", "replace")

    def _numbers(self, form: str, start: int) -> tuple[int, ...]:
        return struct.unpack(form, self._piece(start, struct.calcsize(form)))

    def _piece(self, start: int, size: int) -> bytes:
        piece = self._held[start : start + size]
        if len(piece) < size:
            raise BadInput(
                f"{self._path} is cut short: {start + size:,} bytes are needed of {len(self._held):,}. Install its package again."
            )
        return piece
