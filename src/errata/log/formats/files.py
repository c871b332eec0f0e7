"""Which format a file has, reading it, and writing one whole or not at all."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final, Literal, NamedTuple, TextIO, get_args

from errata.core.canonical import JSON
from errata.core.errors import BadInput, quoted, shortened
from errata.core.images import Image
from errata.core.records import Edit, Provenance
from errata.log.formats import argilla, chat, csv, easyedit, jsonl, labelstudio, langfuse, rome, tables
from errata.log.formats.encodings import opened, raw
from errata.log.formats.fields import Source
from errata.log.formats.jsonl import NameOf
from errata.log.formats.records import Exported, Line, begins_json, json_records, parsed

Format = Literal["jsonl", "csv", "langfuse", "easyedit", "rome", "chat", "labelstudio", "argilla"]
"""What corrections are read from."""

FORMATS: Final[tuple[Format, ...]] = get_args(Format)

Exportable = Literal["jsonl", "csv", "langfuse", "easyedit"]
"""What edits are written as."""

EXPORTABLE: Final[tuple[Exportable, ...]] = get_args(Exportable)

_ENDINGS: Final[Mapping[str, Exportable]] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}
"""The endings of names that say what is to be written."""


class _Known(NamedTuple):
    """A format that is read."""

    read: Callable[[BinaryIO, Source], Iterator[Line]]
    record: Callable[[Mapping[str, JSON]], bool] | Callable[[Collection[str]], bool]
    """Whether an object, the first of a file, is a record of the format."""

    columns: Callable[[Collection[str]], bool]
    """Whether the columns of a table are the format's."""


def _none(_: Collection[str]) -> bool:
    """No table is of this format."""
    return False


_KNOWN: Final[Mapping[Format, _Known]] = {
    "langfuse": _Known(langfuse.read, langfuse.recognises, langfuse.is_table),
    "rome": _Known(rome.read, rome.recognises, _none),
    "labelstudio": _Known(labelstudio.read, labelstudio.recognises, labelstudio.is_table),
    "argilla": _Known(argilla.read, argilla.recognises, _none),
    "easyedit": _Known(easyedit.read, easyedit.recognises, _none),
    "chat": _Known(chat.read, chat.recognises, _none),
    "jsonl": _Known(jsonl.read, jsonl.recognises, _none),
    "csv": _Known(csv.read, _none, csv.recognises),
}
"""In the order in which a record is asked for: the one with the plainest keys comes last."""

_TRIED: Final = 8
"""So many records at the beginning of a file are looked at to tell what it is."""

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
    """Whether the locality probes of an EasyEdit or ROME data set become `keep`."""

    ignored: Collection[str] = ()
    """Fields that aren't known and are passed over."""


class Written(NamedTuple):
    """What an export did."""

    edits: int
    images: int
    losses: Mapping[str, int]
    """What the format couldn't hold, in words -> of how many edits."""


def guess(path: Path) -> Format:
    """The format of a file, from what is in it; its name decides only where nothing there does.

    Raises:
        BadInput: it can't be told, or the file can't be read.
    """
    with opened(path) as file:
        known, named = _recognised(file), _fields(file)
    if known is not None:
        return known
    ending = path.suffix.lower()
    if ending in (".csv", ".tsv"):
        return "csv"
    if ending in (".jsonl", ".ndjson") and not named:
        return "jsonl"
    fields = f" Its first record has the fields {', '.join(map(quoted, named[:8]))}." if named else ""
    raise BadInput(f"It can't be told which format {shortened(path)} has.{fields} Say it with --format: {', '.join(FORMATS)}.")


def settled(path: Path, format: Format | None) -> Format:
    """The format that a file is read in: the one that is said, where the file may be that, or the one that it has.

    Raises:
        BadInput: it is another, or can't be told; one sentence, not one for each of its records.
    """
    if format is None:
        return guess(path)
    with opened(path) as file:
        found, named = _recognised(file, first=format), _fields(file)
        of_no_table = not begins_json(file) and bool(file.read(1)) and format != "csv"
    if found == format or (found is None and not named and not of_no_table):
        return format
    if found is not None:
        raise BadInput(f"{shortened(path)} isn't in the format {format}, but in {found}. Say --format {found}, or leave it out.")
    why = (
        f"its first record has the fields {', '.join(map(quoted, named[:8]))}" if named else "it is neither JSON nor a table of it"
    )
    raise BadInput(f"{shortened(path)} isn't in the format {format}: {why}. The formats are: {', '.join(FORMATS)}.")


def _recognised(file: BinaryIO, first: Format | None = None) -> Format | None:
    """The format of the first record that has one, or of the header of a table; `first` is asked before the others."""
    order = sorted(_KNOWN, key=lambda name: name != first)
    if not begins_json(file):
        names = _columns(file)
        return next((name for name in order if _KNOWN[name].columns(names)), None)
    for record in _first_records(file):
        for name in order:
            if _KNOWN[name].record(record):
                return name
    return None


def _first_records(file: BinaryIO) -> Iterator[Mapping[str, JSON]]:
    """The objects among the first records."""
    for each in islice(json_records(file), _TRIED):
        try:
            record = parsed(each)
        except BadInput:
            continue
        if isinstance(record, dict):
            yield record
    file.seek(0)


def _fields(file: BinaryIO) -> list[str]:
    """The fields of the first object of a file, if it begins with one."""
    file.seek(0)
    return list(next(_first_records(file), ())) if begins_json(file) else []


def _columns(file: BinaryIO) -> list[str]:
    """The columns that the header of a table names; none where there is none."""
    file.seek(0)
    try:
        names = tables.Table(file).header.names
        " ".join(names).encode()
    except (BadInput, UnicodeEncodeError):
        names = []
    file.seek(0)
    return names


def read(path: Path, format: Format, options: Options = Options()) -> Iterator[Line]:
    """The corrections of a file, in order, one at a time.

    Raises:
        BadInput: the file can't be read, or isn't of this format at all (the header of a table).
    """
    folder = options.images or path.parent
    source = Source(folder, options.default, options.with_locality, frozenset(options.ignored))
    with opened(path) as file:
        yield from _KNOWN[format].read(file, source)


def digest_of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, of which few are held at a time.

    Raises:
        BadInput: the file can't be read.
    """
    digest = hashlib.sha256()
    with raw(path) as file:
        while data := file.read(_HEAD_BYTES):
            digest.update(data)
    return digest.hexdigest()


def written_as(path: Path, format: Exportable | None) -> Exportable:
    """What a file is written as: the format that is said, or the one of its ending.

    Raises:
        BadInput: none is said, and the ending is of none.
    """
    known = format or _ENDINGS.get(path.suffix.lower())
    if known is None:
        raise BadInput(
            f"The ending {quoted(path.suffix)} of {shortened(path)} doesn't say what to write. End it with {', '.join(_ENDINGS)}, "
            f"or say --format: {', '.join(EXPORTABLE)}."
        )
    return known


def write(
    path: Path, format: Exportable, held: Callable[[], Iterator[Exported]], *, images: Path | None = None, force: bool = False
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
        raise BadInput(f"There is a file {shortened(path)} already. Give another name, or --force to replace it.")
    if not path.parent.is_dir():
        raise BadInput(f"There is no folder {shortened(path.parent)}. Make it first.")
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


def _losses(format: Exportable, held: Exported) -> list[str]:
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
