"""A table with a row for each correction, as spreadsheets write it: the columns are the fields of a JSONL record.

`image`, `also` and `keep` may stand over several columns, one item in each. An item that begins with a brace is the JSON object
that JSONL has in its place. The separator is whichever of comma, semicolon and tab the header has most of.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import BinaryIO, Final, NamedTuple, TextIO, final

from errata.core.canonical import JSON
from errata.core.errors import BadInput
from errata.core.records import Edit, Provenance, Query
from errata.log.formats.fields import Source
from errata.log.formats.jsonl import FIELDS, NameOf, correction, is_plain, item_of, record
from errata.log.formats.records import BOM, MAX_RECORD_BYTES, TOO_LONG, Exported, Line, attempt

COLUMNS: Final = tuple(name for name in FIELDS if name != "messages")

MANY: Final = ("image", "also", "keep")
"""The columns that may be repeated."""


class _TooLong(Exception):
    """A record is longer than what is read as one."""


@final
class _Lines:
    """The file's lines as text, counted, for `csv.reader`; a record that runs on too long is cut off. Bytes that aren't UTF-8 come
    through as lone surrogates, which no field may hold, so that they cost their own record alone."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.number = 0
        self._record_bytes = 0
        self._second: tuple[int, int] | None = None

    @property
    def read_bytes(self) -> int:
        return self._file.tell()

    def begin(self) -> None:
        """The next line begins a record."""
        self._record_bytes = 0
        self._second = None

    def give_back(self) -> None:
        """Go back to the second line of the record at hand: it has a quote that isn't closed, and swallowed good records."""
        if self._second is not None:
            number, at = self._second
            self._file.seek(at)
            self.number = number

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        data = self._file.readline(MAX_RECORD_BYTES + 1)
        if not data:
            raise StopIteration
        self.number += 1
        if not self._record_bytes and len(data) <= MAX_RECORD_BYTES:
            self._second = (self.number, self._file.tell())
        self._record_bytes += len(data)
        if self._record_bytes > MAX_RECORD_BYTES:
            while data and not data.endswith(b"\n"):
                data = self._file.readline(MAX_RECORD_BYTES)
            raise _TooLong
        if self.number == 1:
            data = data.removeprefix(BOM)
        return data.decode("utf-8", errors="surrogateescape")


def read(file: BinaryIO, source: Source) -> Iterator[Line]:
    """The corrections of a file, in order.

    Raises:
        BadInput: the header can't be used.
    """
    lines = _Lines(file)
    header = _header(lines)
    rows = csv.reader(lines, delimiter=header.delimiter, strict=True)
    while True:
        lines.begin()
        number = lines.number + 1
        try:
            row = next(rows, None)
        except _TooLong:
            lines.give_back()
            yield Line(number, lines.read_bytes, TOO_LONG)
            continue
        except csv.Error as error:
            lines.give_back()
            yield Line(number, lines.read_bytes, f"It isn't CSV: {error}. Check its quotes: one inside a quoted cell is doubled.")
            continue
        if row is None:
            return
        if any(cell.strip() for cell in row):
            yield Line(number, lines.read_bytes, attempt(partial(_correction, row, header.names, source)))


class _Header(NamedTuple):
    names: list[str]
    delimiter: str


def names_in(line: str) -> _Header:
    """The columns that a header names, and the separator between them.

    Raises:
        csv.Error: it isn't one.
    """
    delimiter = max(",;\t", key=line.count)
    cells = next(csv.reader([line], delimiter=delimiter, strict=True), [])
    return _Header([name.strip().lower() for name in cells], delimiter)


def _header(lines: _Lines) -> _Header:
    try:
        first = next(lines, "")
    except _TooLong:
        raise BadInput(f"The first line isn't a header of a table: {TOO_LONG}") from None
    try:
        names, delimiter = names_in(first)
    except csv.Error as error:
        raise BadInput(f"The header of the table can't be read: {error}. Name the columns in the first line.") from None
    unknown = [name for name in names if name not in COLUMNS]
    if unknown or not {"question", "target"} <= set(names):
        wrong = f"the column {unknown[0]!r} isn't known" if unknown else "it needs the columns 'question' and 'target'"
        raise BadInput(f"The header of the table can't be used: {wrong}. The columns are: {', '.join(COLUMNS)}.")
    twice = [name for name in names if names.count(name) > 1 and name not in MANY]
    if twice:
        raise BadInput(f"The header of the table has {twice[0]!r} twice. Only {', '.join(MANY)} may be repeated.")
    return _Header(names, delimiter)


def _correction(row: Sequence[str], names: Sequence[str], source: Source) -> tuple[Edit, Provenance]:
    return correction(_record(row, names), source)


def _record(row: Sequence[str], names: Sequence[str]) -> JSON:
    """The record that a row says; an empty cell says nothing."""
    if len(row) > len(names):
        raise BadInput(f"It has {len(row)} cells where the header has {len(names)} columns. Quote cells that hold the separator.")
    said: dict[str, JSON] = {}
    for name in MANY:
        items: list[JSON] = [_item(cell, name) for cell, column in zip(row, names, strict=False) if column == name and cell]
        if items:
            said[name] = items
    return said | {name: cell for cell, name in zip(row, names, strict=False) if name not in MANY and cell}


def _item(cell: str, name: str) -> JSON:
    if name == "image" or not cell.startswith("{"):
        return cell
    try:
        value: JSON = json.loads(cell)
    except (ValueError, RecursionError):
        raise BadInput(
            f"A cell of {name!r} begins with a brace and isn't JSON. Write an object with 'question' and 'image'."
        ) from None
    return value


def held_whole(edit: Edit) -> bool:
    """Whether a row holds the edit: a conversation has no column, and neither have empty words."""
    return is_plain(edit.query) and "" not in (edit.subject, edit.valid_until)


def write(file: TextIO, held: Callable[[], Iterator[Exported]], name_of: NameOf) -> None:
    """Write the edits that `held_whole` allows. They are gone through twice: the header must have room for the longest row."""
    most = dict.fromkeys(MANY, 0)
    for each in held():
        edit = each.edit
        for name, count in (("image", len(edit.query.images)), ("also", len(edit.also)), ("keep", len(edit.keep))):
            most[name] = max(most[name], count)
    names = [column for column in COLUMNS for _ in range(most.get(column, 1))]
    rows = csv.writer(file)  # carriage return and newline, as RFC 4180 has it
    rows.writerow(names)
    for each in held():
        rows.writerow(_row(each, most, name_of))


def _row(held: Exported, most: dict[str, int], name_of: NameOf) -> list[str]:
    edit, said = held.edit, record(held, name_of)
    images = edit.query.images
    several = {
        "image": [name_of(image) for image in images],
        "also": [_cell(query, edit, name_of) for query in edit.also],
        "keep": [_cell(query, edit, name_of) for query in edit.keep],
    }
    row: list[str] = []
    for column in COLUMNS:
        cells = several[column] if column in MANY else [str(said.get(column, ""))]
        row += cells + [""] * (most.get(column, 1) - len(cells))
    return row


def _cell(query: Query, edit: Edit, name_of: NameOf) -> str:
    item = item_of(query, edit.query.images, name_of)
    if isinstance(item, str) and not item.startswith("{"):
        return item
    # words that begin with a brace would be taken for an object, so they are written as one
    names: list[JSON] = [name_of(image) for image in query.images]
    return json.dumps({"image": names, "question": item} if isinstance(item, str) else item, ensure_ascii=False)
