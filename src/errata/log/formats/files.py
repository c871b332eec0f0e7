"""Which format a file has, reading it, and writing one whole or not at all."""

from __future__ import annotations

import csv as tables
import hashlib
import os
import re
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Literal, NamedTuple, TextIO, get_args

from errata.core.errors import BadInput
from errata.core.images import Image
from errata.core.records import Edit, Provenance
from errata.log.formats import csv, easyedit, jsonl, langfuse
from errata.log.formats.fields import Source
from errata.log.formats.jsonl import NameOf
from errata.log.formats.records import BOM, Exported, Line

Format = Literal["jsonl", "csv", "langfuse", "easyedit"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)

_READERS: Final[Mapping[Format, Callable[[BinaryIO, Source], Iterator[Line]]]] = {
    "jsonl": jsonl.read,
    "csv": csv.read,
    "langfuse": langfuse.read,
    "easyedit": easyedit.read,
}

_KEYS: Final[Mapping[Format, tuple[frozenset[str], ...]]] = {
    "langfuse": tuple(map(frozenset, (("dataType",), ("data_type",), ("scores",), ("observations",)))),
    "jsonl": tuple(map(frozenset, (("question", "target"), ("messages", "target")))),
    "easyedit": tuple(map(frozenset, (("src", "alt"), ("prompt", "target_new"), ("question", "answer", "rephrase")))),
}
"""The keys that tell a format: every one of some set is in the beginning of a file."""

_KEY: Final = re.compile(rb'"([A-Za-z_]+)"\s*:')
_HEAD_BYTES: Final = 64 * 1024
_UNFINISHED: Final = ".unfinished-"

_SUFFIXES: Final = ((b"\x89PNG", ".png"), (b"\xff\xd8\xff", ".jpg"), (b"GIF8", ".gif"), (b"BM", ".bmp"), (b"RIFF", ".webp"))


@dataclass(frozen=True)
class Options:
    """How a file is read."""

    images: Path | None = None
    """The folder where the paths of pictures begin; None: the folder of the file."""

    default: Provenance = Provenance()
    """What fills in where a record doesn't say its author, reason or ticket."""

    with_locality: bool = False
    """Whether the locality probes of an EasyEdit data set become `keep`."""


class Written(NamedTuple):
    """What an export did."""

    edits: int
    images: int
    losses: Mapping[str, int]
    """What the format couldn't hold, in words -> of how many edits."""


def guess(path: Path) -> Format:
    """The format of a file, from its name and its beginning.

    Raises:
        BadInput: it can't be told, or the file can't be read.
    """
    with _opened(path) as file:
        head = file.read(_HEAD_BYTES).removeprefix(BOM)
    if path.suffix.lower() in (".csv", ".tsv"):
        return "csv"
    if head.lstrip()[:1] in (b"{", b"["):
        keys = {key.decode() for key in _KEY.findall(head)}
        for name, sets in _KEYS.items():
            if any(wanted <= keys for wanted in sets):
                return name
    elif {"question", "target"} <= set(_columns(head)):
        return "csv"
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        return "jsonl"
    raise BadInput(f"It can't be told which format {path} has. Say it with --format: {', '.join(FORMATS)}.")


def read(path: Path, format: Format, options: Options = Options()) -> Iterator[Line]:
    """The corrections of a file, in order, one at a time.

    Raises:
        BadInput: the file can't be read, or isn't of this format at all (the header of a table).
    """
    source = Source(options.images or path.parent, options.default, options.with_locality)
    with _opened(path) as file:
        yield from _READERS[format](file, source)


def digest_of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, of which few are held at a time.

    Raises:
        BadInput: the file can't be read.
    """
    digest = hashlib.sha256()
    with _opened(path) as file:
        while data := file.read(_HEAD_BYTES):
            digest.update(data)
    return digest.hexdigest()


def write(
    path: Path, format: Format, held: Callable[[], Iterator[Exported]], *, images: Path | None = None, force: bool = False
) -> Written:
    """Write a file of edits, and their pictures as files named by digest beside it. The file is there whole or not at all.

    Args:
        held: gives the edits, the same ones each time (a table is gone through twice).
        images: the folder for the pictures; None: one beside the file, named after it.
        force: whether files that are there may be replaced.

    Raises:
        BadInput: the file is there already, or can't be written.
    """
    if path.exists() and not force:
        raise BadInput(f"There is a file {path} already. Give another name, or --force to replace it.")
    if not path.parent.is_dir():
        raise BadInput(f"There is no folder {path.parent}. Make it first.")
    pictures = _Pictures(images or path.with_name(f"{path.stem}-images"), path.parent, force)
    tally: Counter[str] = Counter()
    losses: Counter[str] = Counter()

    def chosen() -> Iterator[Exported]:
        tally.clear()
        losses.clear()
        for each in held():
            lost = _losses(format, each)
            losses.update(lost)
            if _LEFT_OUT not in lost:
                tally["edits"] += 1
                yield each

    with _whole(path) as file:
        if format == "csv":
            csv.write(file, chosen, pictures.name_of)
        else:
            writer: Callable[[TextIO, Iterator[Exported], NameOf], None] = {
                "jsonl": jsonl.write,
                "langfuse": langfuse.write,
                "easyedit": easyedit.write,
            }[format]
            writer(file, chosen(), pictures.name_of)
    return Written(tally["edits"], len(pictures.written), dict(losses))


_LEFT_OUT: Final = "edits that it can't hold at all, left out"


def _losses(format: Format, held: Exported) -> list[str]:
    """What of an edit the format can't hold."""
    edit: Edit = held.edit
    if format == "csv" and not csv.held_whole(edit):
        return [_LEFT_OUT]
    if format == "easyedit":
        return easyedit.losses(held) if easyedit.is_held(edit) else [_LEFT_OUT]
    if format == "langfuse":
        there = {"also": edit.also, "keep": edit.keep, "subject": edit.subject, "valid_until": edit.valid_until}
        return [name for name, value in there.items() if value] + (["reach"] if edit.reach != "open" else [])
    return []


class _Pictures:
    """The pictures of an export: files in a folder, each named by its digest."""

    def __init__(self, folder: Path, beside: Path, force: bool) -> None:
        self._folder = folder
        self._beside = beside
        self._force = force
        self.written: set[str] = set()

    def name_of(self, image: Image) -> str:
        """The path of the picture from the export's folder; it is written where it isn't there."""
        suffix = next((suffix for magic, suffix in _SUFFIXES if image.data.startswith(magic)), ".img")
        path = self._folder / f"{image.digest}{suffix}"
        if image.digest not in self.written:
            self.written.add(image.digest)
            self._put(path, image.data)
        return Path(os.path.relpath(path, self._beside)).as_posix()

    def _put(self, path: Path, data: bytes) -> None:
        try:
            if path.read_bytes() == data:
                return
        except FileNotFoundError:
            pass
        else:
            if not self._force:
                raise BadInput(f"{path} is there already and isn't the picture of that name. Move it away, or give --force.")
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.parent / f"{_UNFINISHED}{secrets.token_hex(8)}"
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextmanager
def _whole(path: Path) -> Iterator[TextIO]:
    """A file to write, which takes its name when it's finished; after an error nothing of it is left."""
    temporary = path.parent / f"{_UNFINISHED}{secrets.token_hex(8)}"
    try:
        with temporary.open("x", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        file = path.open("rb") if path.is_file() or not path.exists() else None
    except (OSError, ValueError) as error:
        why = (error.strerror or error) if isinstance(error, OSError) else error
        raise BadInput(f"The file {path} can't be read: {why}. Check the path.") from None
    if file is None:
        raise BadInput(f"The file {path} can't be read: it is a folder, a pipe or a device. Give a file.")
    with file:
        yield file


def _columns(head: bytes) -> list[str]:
    """The columns that the first line names, if it is the header of a table."""
    try:
        return csv.names_in(head.split(b"\n", 1)[0].decode("utf-8")).names
    except (tables.Error, UnicodeDecodeError):
        return []
