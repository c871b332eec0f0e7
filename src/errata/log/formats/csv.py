"""A table with a row for each correction, as spreadsheets write it: the columns are the fields of a JSONL record.

`image`, `also` and `keep` may stand over several columns, one item in each. An item that begins with a brace is the JSON object
that JSONL has in its place.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import BinaryIO, Final, TextIO

from errata.core.canonical import JSON
from errata.core.errors import BadInput, quoted
from errata.core.records import Edit, Provenance, Query
from errata.log.formats.fields import Source, given_as
from errata.log.formats.jsonl import FIELDS, NameOf, correction, is_plain, item_of, record
from errata.log.formats.records import Exported, Line, attempt, loaded
from errata.log.formats.tables import Row, Table

COLUMNS: Final = tuple(name for name in FIELDS if name != "messages")

MANY: Final = ("image", "also", "keep")
"""The columns that may be repeated."""


def read(file: BinaryIO, source: Source) -> Iterator[Line]:
    """The corrections of a file, in order.

    Raises:
        BadInput: the header can't be used.
    """
    table = Table(file)
    _check(table.header.names, source)
    for row in table:
        yield Line(row.number, row.read_bytes, attempt(partial(_correction, row, source)))


def recognises(names: Collection[str]) -> bool:
    """Whether the columns of a table are those of this format."""
    return {"question", "target"} <= set(names)


def _check(names: Sequence[str], source: Source) -> None:
    unknown = [name for name in names if name and name not in COLUMNS and name not in source.ignored]
    if unknown or not recognises(names):
        if unknown:
            wrong = f"the column {quoted(unknown[0])} isn't known (--ignore {given_as(unknown[0])} passes it over)"
        else:
            wrong = "it needs the columns 'question' and 'target'"
        raise BadInput(f"The header of the table can't be used: {wrong}. The columns are: {', '.join(COLUMNS)}.")
    twice = [name for name in names if name and names.count(name) > 1 and name not in MANY and name not in source.ignored]
    if twice:
        raise BadInput(f"The header of the table has {quoted(twice[0])} twice. Only {', '.join(MANY)} may be repeated.")


def _correction(row: Row, source: Source) -> tuple[Edit, Provenance]:
    """The correction that a row says; an empty cell says nothing."""
    pairs = [(name, cell) for name, cell in row.pairs() if name not in source.ignored]
    said: dict[str, JSON] = {}
    for many in MANY:
        items: list[JSON] = [_item(cell, many) for name, cell in pairs if name == many]
        if items:
            said[many] = items
    return correction(said | {name: cell for name, cell in pairs if name not in MANY}, source)


def _item(cell: str, name: str) -> JSON:
    if name == "image" or not cell.startswith("{"):
        return cell
    try:
        return loaded(cell)
    except json.JSONDecodeError:
        raise BadInput(
            f"A cell of {name!r} begins with a brace and isn't JSON. Write an object with 'question' and 'image'."
        ) from None


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
    whole = csv.writer(file, quoting=csv.QUOTE_ALL)
    rows.writerow(names)
    for each in held():
        row = _row(each, most, name_of)
        spaced = any(cell[:1].isspace() for cell in row)  # a space before a quote is no part of a cell, so these are quoted
        (whole if spaced else rows).writerow(row)


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
        cells = several[column] if column in MANY else [_written(said.get(column, ""))]
        row += cells + [""] * (most.get(column, 1) - len(cells))
    return row


def _written(value: JSON) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cell(query: Query, edit: Edit, name_of: NameOf) -> str:
    item = item_of(query, edit.query.images, name_of)
    if isinstance(item, str) and not item.startswith("{"):
        return item
    # words that begin with a brace would be taken for an object, so they are written as one
    names: list[JSON] = [name_of(image) for image in query.images]
    return json.dumps({"image": names, "question": item} if isinstance(item, str) else item, ensure_ascii=False)
