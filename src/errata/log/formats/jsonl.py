"""One JSON object to a line: the format that holds everything an edit is.

    {"image": "a.png", "question": "what is at the top left?", "target": "a ring"}

Optional: `also` and `keep` (lists), `subject`, `reach`, `valid_until`, `author`, `reason`, `ticket`. An item of `also` or `keep` is
a question on the same picture, or an object {image?, question}: without `image`, it is asked without a picture. A conversation is
`messages` in place of `question` and `image`: [{"role": ..., "parts": ["words", {"image": "a.png"}]}]. A list of the same objects
is read too, as tables are written by other programs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, TextIO, cast, get_args

from errata.core import given
from errata.core.canonical import JSON
from errata.core.errors import BadInput, quoted
from errata.core.images import Image
from errata.core.records import Edit, Message, Provenance, Query, Reach, Speaker
from errata.log.formats.conversations import answer_of, conversation
from errata.log.formats.fields import Source, needed, nothing_else, provenance, text
from errata.log.formats.pictures import picture
from errata.log.formats.records import Exported, Line, Raw, attempt, json_lines, maybe, parsed

FIELDS: Final = (
    "image",
    "question",
    "messages",
    "target",
    "also",
    "keep",
    "subject",
    "reach",
    "valid_until",
    "author",
    "reason",
    "ticket",
)

NameOf = Callable[[Image], str]
"""Puts a picture where an export's pictures go; the path that names it there."""


def read(file: BinaryIO, source: Source) -> Iterator[Line]:
    """The corrections of a file, in order."""
    for raw in json_lines(file):
        yield Line(raw.number, raw.read_bytes, attempt(partial(_read, raw, source)), raw.unit)


def recognises(record: Mapping[str, JSON]) -> bool:
    """Whether a record is of this format, by its keys."""
    return bool({"target", "question"} & set(record))


def _read(raw: Raw, source: Source) -> tuple[Edit, Provenance]:
    return correction(parsed(raw), source)


def write(file: TextIO, held: Iterator[Exported], name_of: NameOf) -> None:
    """Write the edits; read again, each has the same id."""
    for each in held:
        file.write(json.dumps(record(each, name_of), ensure_ascii=False) + "\n")


def correction(value: JSON, source: Source) -> tuple[Edit, Provenance]:
    """What a record says.

    Raises:
        BadInput: it isn't a record of this format.
    """
    if not isinstance(value, dict):
        raise BadInput("It isn't a JSON object. Write {...}.")
    unknown = [name for name in value if name not in FIELDS and name not in source.ignored]
    if unknown:
        raise BadInput(f"The field {quoted(unknown[0])} isn't known. The fields are: {', '.join(FIELDS)}.")
    if isinstance(value.get("question"), dict) and isinstance(value.get("target"), dict):
        raise BadInput("It is a table by columns. Write it by rows: a list of objects (in pandas, orient='records').")
    reach = text(value, "reach") or "open"
    if reach not in get_args(Reach):
        raise BadInput(f"The reach {quoted(reach)} isn't known. Use one of: {', '.join(get_args(Reach))}.")
    query = asked(value, source)
    edit = Edit(
        query=query,
        target=_target(value, source),
        also=_queries(value, "also", query.images, source),
        keep=_queries(value, "keep", query.images, source),
        reach=cast(Reach, reach),
        subject=text(value, "subject"),
        valid_until=text(value, "valid_until"),
    )
    return edit, provenance(value, source.default)


def _target(value: Mapping[str, JSON], source: Source) -> str:
    given_as = value.get("target")
    if given_as is None or not isinstance(given_as, str | dict | list):
        return needed(value, "target")
    return answer_of(given_as, source, what="field 'target'")


def _told_target(target: str) -> JSON:
    """The target as `_target` reads it: one that reads like a whole message is put into one."""
    try:
        literal = answer_of(target, Source(Path()), what="target") == target
    except BadInput:
        literal = False
    return target if literal else {"role": "assistant", "content": target}


def record(held: Exported, name_of: NameOf) -> dict[str, JSON]:
    """An edit as `correction` reads it."""
    edit, by = held.edit, held.by
    said: dict[str, JSON] = {**said_of(edit.query, name_of), "target": _told_target(edit.target)}
    for name, queries in (("also", edit.also), ("keep", edit.keep)):
        if queries:
            said[name] = [item_of(query, edit.query.images, name_of) for query in queries]
    optional = {"subject": edit.subject, "valid_until": edit.valid_until}
    said.update({name: value for name, value in optional.items() if value is not None})
    written = {"reach": edit.reach if edit.reach != "open" else "", "author": by.author, "reason": by.reason, "ticket": by.ticket}
    return said | {name: value for name, value in written.items() if value}


def asked(value: Mapping[str, JSON], source: Source) -> Query:
    """The query of a record, or of an item of `also` or `keep`."""
    if value.get("messages") is None:
        return given.asked(needed(value, "question"), _images(value, source))
    if value.get("question") is not None or value.get("image") is not None:
        raise BadInput("It has both 'messages' and 'question' or 'image'. A conversation is 'messages' alone.")
    messages = value["messages"]
    if not isinstance(messages, list) or not messages:
        raise BadInput("The field 'messages' isn't a list of messages. Write [{'role': 'user', 'parts': [...]}].")
    query = Query(tuple(_message(message, source) for message in messages))
    if query.messages[-1].role != "user" or not query.text.strip():
        raise BadInput("The last message isn't a question of the user. End with what the model is asked.")
    return query


def is_plain(query: Query) -> bool:
    """Whether `question` and `image` hold all of the query: one turn of the user, pictures first."""
    return len(query.messages) == 1 and query == Query((Message("user", (*query.images, query.text)),))


def said_of(query: Query, name_of: NameOf) -> dict[str, JSON]:
    """The query as `asked` reads it."""
    if not is_plain(query):
        return {"messages": [_told(message, name_of) for message in query.messages]}
    names: list[JSON] = [name_of(image) for image in query.images]
    return {**({"image": names[0] if len(names) == 1 else names} if names else {}), "question": query.text}


def item_of(query: Query, images: tuple[Image, ...], name_of: NameOf) -> JSON:
    """An item of `also` or `keep`: words alone where it is asked on the pictures of the edit."""
    return query.text if is_plain(query) and query.images == images else said_of(query, name_of)


def item(value: JSON, name: str, images: tuple[Image, ...], source: Source) -> Query:
    """An item of `also` or `keep`, read.

    Raises:
        BadInput: it isn't one.
    """
    if isinstance(value, str):
        return given.asked(value, images)
    if not isinstance(value, dict) or not set(value) <= {"image", "question", "messages"}:
        raise BadInput(
            f"An item of {quoted(name)} is neither a question nor an object with 'question' and 'image'. Write one of these."
        )
    return asked(value, source)


def _queries(value: Mapping[str, JSON], name: str, images: tuple[Image, ...], source: Source) -> tuple[Query, ...]:
    items = value.get(name) or []
    if not isinstance(items, list):
        raise BadInput(f"The field {name!r} isn't a list. Write a list of questions.")
    return tuple(item(each, name, images, source) for each in items)


def _images(value: Mapping[str, JSON], source: Source) -> tuple[Image, ...]:
    given_as = value.get("image")
    names = [given_as] if isinstance(given_as, str) else [] if given_as is None else given_as
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise BadInput("The field 'image' is neither a path nor a list of paths. Leave it out for a question without a picture.")
    return tuple(picture(str(name), source.folder) for name in names)


def _message(value: JSON, source: Source) -> Message:
    if isinstance(value, dict) and "content" in value:  # as the makers of models write it
        return conversation([value], source, what="field 'messages'")[0]
    if isinstance(value, dict):
        nothing_else(value, ("role", "parts"), "a message", source)
    if not isinstance(value, dict) or value.get("role") not in get_args(Speaker) or set(value) != {"role", "parts"}:
        raise BadInput(f"A message has a 'role' ({', '.join(get_args(Speaker))}) and 'parts'; this one doesn't. Write both.")
    parts = value["parts"]
    if not isinstance(parts, list):
        raise BadInput("The 'parts' of a message aren't a list. Write words, and pictures as {'image': PATH}.")
    return Message(cast(Speaker, value["role"]), tuple(_part(part, source) for part in parts))


def _part(value: JSON, source: Source) -> str | Image:
    if isinstance(value, str) and not _is_literal(value):
        value = maybe(value)
    if isinstance(value, dict) and set(value) == {"text"}:
        value = text(value, "text") or ""
    if isinstance(value, str):
        return given.words(value, "part of a message")
    if isinstance(value, dict):
        nothing_else(value, ("image",), "a part of a message", source)
    if not isinstance(value, dict) or set(value) != {"image"} or not isinstance(value["image"], str):
        raise BadInput("A part of a message is neither words nor a picture. Write words, and pictures as {'image': PATH}.")
    return picture(value["image"], source.folder)


def _is_literal(words: str) -> bool:
    """Whether words are meant as they are: not a picture that was written down as JSON text."""
    if not words.startswith('{"image"'):
        return True
    try:
        return not isinstance(maybe(words), dict)
    except BadInput:
        return False


def _told(message: Message, name_of: NameOf) -> JSON:
    parts: list[JSON] = []
    for part in message.parts:
        if isinstance(part, str):
            parts.append(part if _is_literal(part) else {"text": part})
        else:
            parts.append({"image": name_of(part)})
    return {"role": message.role, "parts": parts}
