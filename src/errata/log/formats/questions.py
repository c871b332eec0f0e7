"""A file of questions to be asked: JSON objects one to a line or in a list, or a table with a row for each.

A question is `question` and, where there is one, `image` (a path or several, from the file's folder), or a conversation under
`messages`, as in a file of corrections; `id` comes back with its answer. The other fields of a correction are passed over, so that
a file of corrections can be asked as it is.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from errata.core.canonical import JSON
from errata.core.errors import BadInput
from errata.core.records import Query
from errata.log.formats.fields import Source
from errata.log.formats.jsonl import FIELDS, asked

KNOWN: Final = (*FIELDS, "id")
"""What a row may hold."""

_TABLES: Final = (".csv", ".tsv")


class Question(NamedTuple):
    """A row of the file."""

    number: int
    """The line that it begins at, or its place in a list; from 1."""

    id: JSON
    """As it was given; None where it wasn't."""

    found: Query | str
    """What is asked, or the sentence that says what is wrong."""


def questions(path: Path) -> Iterator[Question]:
    """The questions of a file, in its order; a bad row costs itself alone.

    Raises:
        BadInput: the file can't be read, or its header can't be used.
    """
    text = _text(path)
    rows = _table(text) if path.suffix.lower() in _TABLES else _objects(text)
    for number, value in rows:
        yield _question(number, value, Source(path.parent))


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            raise BadInput(f"There is no file {path} of questions. Check the path.")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"The file {path} isn't text in UTF-8. Save it as UTF-8.") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"The file {path} can't be read: {error}. Check the path.") from None


def _objects(text: str) -> Iterator[tuple[int, JSON | BadInput]]:
    """The objects of a list, or one of each line that isn't blank."""
    if text.lstrip().startswith("["):
        try:
            yield from enumerate(json.loads(text), start=1)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"The list of questions isn't JSON ({error}). Mend it, or write one object to a line.") from None
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError):
                yield number, BadInput('It isn\'t a JSON object. Write {"question": ..., "image": ...} on one line.')


def _table(text: str) -> Iterator[tuple[int, JSON | BadInput]]:
    """The rows of a table; an empty cell says nothing."""
    first = text.split("\n", 1)[0]
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    names = [name.strip().lower() for name in next(rows, [])]
    unknown = [name for name in names if name not in KNOWN]
    if unknown or "question" not in names:
        wrong = f"the column {unknown[0][:200]!r} isn't known" if unknown else "it needs the column 'question'"
        raise BadInput(f"The header of the table can't be used: {wrong}. The columns are: {', '.join(KNOWN)}.")
    while True:
        number = rows.line_num + 1
        try:
            row = next(rows, None)
        except csv.Error as error:
            yield number, BadInput(f"It isn't CSV: {error}. Check its quotes.")
            continue
        if row is None:
            return
        if len(row) > len(names):
            yield number, BadInput(f"It has {len(row)} cells, and the header {len(names)}. Quote cells that hold the separator.")
        elif any(cell.strip() for cell in row):
            said: dict[str, JSON] = {name: cell for name, cell in zip(names, row, strict=False) if cell and name != "image"}
            pictures: list[JSON] = [cell for name, cell in zip(names, row, strict=False) if cell and name == "image"]
            yield number, said | ({"image": pictures} if pictures else {})


def _question(number: int, value: JSON | BadInput, source: Source) -> Question:
    named = value.get("id") if isinstance(value, Mapping) else None
    try:
        if isinstance(value, BadInput):
            raise value
        return Question(number, named, _asked(value, source))
    except BadInput as error:
        return Question(number, named, str(error))


def _asked(value: JSON, source: Source) -> Query:
    if not isinstance(value, Mapping):
        raise BadInput("It isn't a JSON object. Write {...}.")
    unknown = [name for name in value if name not in KNOWN]
    if unknown:
        raise BadInput(f"The field {unknown[0][:200]!r} isn't known. The fields are: {', '.join(KNOWN)}.")
    return asked(value, source)
