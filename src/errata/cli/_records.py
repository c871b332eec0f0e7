"""Files that corrections are imported from: one JSON record to a line, read as a stream; a bad line is told apart and named.

    {"image": "a.png", "question": "what is at the top left?", "target": "a ring"}

Optional: `also` and `keep` (lists), `subject`, `reach`, `author`, `reason`, `ticket`. A path is relative to the file. An item of
`also` or `keep` is a question on the same picture, or an object {image?, question}: without `image`, it is asked without a picture.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from errata.cli._input import asked, picture, words
from errata.core.canonical import JSON
from errata.core.errors import BadInput
from errata.core.images import Image
from errata.core.records import Edit, Provenance, Query, Reach

_FIELDS = ("image", "question", "target", "also", "keep", "subject", "reach", "author", "reason", "ticket")


@dataclass(frozen=True)
class Line:
    """One line of an import file: a correction, or why it isn't one."""

    number: int
    read_bytes: int
    """How much of the file has been read."""

    found: tuple[Edit, Provenance] | str
    """The correction with who made it, or the sentence that says what is wrong."""


def read_lines(path: Path, default: Provenance) -> Iterator[Line]:
    """The lines that aren't blank, in order. `default` fills in what a record doesn't say of author, reason and ticket.

    Raises:
        BadInput: the file can't be read.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise BadInput(f"The file {path} can't be read: {error.strerror}. Give a file with one JSON record to a line.") from None
    read = 0
    with file:
        for number, raw in enumerate(file, start=1):
            read += len(raw)
            if raw.strip():
                yield Line(number, read, _found(raw.removeprefix(b"\xef\xbb\xbf"), path.parent, default))


def _found(raw: bytes, folder: Path, default: Provenance) -> tuple[Edit, Provenance] | str:
    try:
        record = json.loads(raw.decode("utf-8"))
        if not isinstance(record, dict):
            raise BadInput("It isn't a JSON object. Write {...}.")
        return _edit(record, folder), _provenance(record, default)
    except UnicodeDecodeError:
        return "It isn't UTF-8 text. Save the file as UTF-8."
    except json.JSONDecodeError as error:
        return f"It isn't JSON: {error.msg} at column {error.colno}. Write one whole record to a line."
    except RecursionError:
        return "It is nested too deeply. Write one flat record to a line."
    except BadInput as error:
        return str(error)


def _edit(record: Mapping[str, JSON], folder: Path) -> Edit:
    unknown = [name for name in record if name not in _FIELDS]
    if unknown:
        raise BadInput(f"The field {unknown[0]!r} isn't known. The fields are: {', '.join(_FIELDS)}.")
    images = _images(record, folder)
    reach = _text(record, "reach") or "open"
    if reach not in get_args(Reach):
        raise BadInput(f"The reach {reach!r} isn't known. Use one of: {', '.join(get_args(Reach))}.")
    return Edit(
        query=asked(_needed(record, "question"), images),
        target=_needed(record, "target"),
        also=_queries(record, "also", images, folder),
        keep=_queries(record, "keep", images, folder),
        reach=cast(Reach, reach),
        subject=_text(record, "subject"),
    )


def _provenance(record: Mapping[str, JSON], default: Provenance) -> Provenance:
    return Provenance(
        author=_text(record, "author") or default.author,
        reason=_text(record, "reason") or default.reason,
        ticket=_text(record, "ticket") or default.ticket,
    )


def _queries(record: Mapping[str, JSON], name: str, images: tuple[Image, ...], folder: Path) -> tuple[Query, ...]:
    items = record.get(name) or []
    if not isinstance(items, list):
        raise BadInput(f"The field {name!r} isn't a list. Write a list of questions.")
    return tuple(_query(item, name, images, folder) for item in items)


def _query(item: JSON, name: str, images: tuple[Image, ...], folder: Path) -> Query:
    if isinstance(item, str):
        return asked(item, images)
    if not isinstance(item, dict) or not set(item) <= {"image", "question"}:
        raise BadInput(f"An item of {name!r} is neither a question nor an object with 'question' and 'image'. Write one of these.")
    return asked(_needed(item, "question"), _images(item, folder))


def _images(record: Mapping[str, JSON], folder: Path) -> tuple[Image, ...]:
    value = record.get("image")
    names = [value] if isinstance(value, str) else [] if value is None else value
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise BadInput("The field 'image' is neither a path nor a list of paths. Leave it out for a question without a picture.")
    return tuple(picture(folder / words(str(name), "path of an image")) for name in names)


def _text(record: Mapping[str, JSON], name: str) -> str | None:
    value = record.get(name)
    if value is not None and not isinstance(value, str):
        raise BadInput(f"The field {name!r} isn't text. Put it in quotes.")
    return value if value is None else words(value, f"field {name!r}")


def _needed(record: Mapping[str, JSON], name: str) -> str:
    value = _text(record, name)
    if value is None:
        raise BadInput(f"The field {name!r} is missing. Every record needs 'question' and 'target'.")
    return value
