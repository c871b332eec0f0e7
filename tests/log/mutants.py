"""Import files as they come when something went wrong with them: a file of a known kind, changed in one to three places by chance.

What is added or moved carries a mark of its own, so that a test can tell whether it was read, refused or dropped.
"""

from __future__ import annotations

import codecs
import copy
import csv
import io
import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final, NamedTuple

from tests.log.kinds import BASE64, KINDS, MARKS
from tests.log.worlds import picture

JSONTree = Any
"""What `json.loads` gives."""

BESIDE: Final = (
    (
        "system",
        "system_prompt",
        "systemPrompt",
        "instructions",
        "system_instruction",
        "developer",
        "image",
        "images",
        "img",
        "image_url",
    )
    + ("picture", "pictures", "photo", "attachments", "files", "history", "chat_history", "messages", "conversation", "context")
    + ("prompt", "question", "input", "query", "documents", "audio", "video", "content", "parts", "text", "contents", "inputs")
)
"""Names under which input may stand beside what is read."""

_MOVED: Final = ("metadata", "output", "pred", "rejected", "non_preferred_output")


class Mutant(NamedTuple):
    """A file, and what in it was put to a model."""

    name: str
    """Of the kind that it was made from."""

    data: bytes
    marks: frozenset[str]
    """Words that must be in an edit, unless something is said of the file."""

    shows: bool
    """Whether there is a picture in it."""

    steps: tuple[str, ...]
    """What was done."""

    records: tuple[str, ...]
    """Each record as it was written, where the file is whole."""

    added: str
    """The field that was added, where nothing else was done."""


def mutant(random: Random) -> Mutant:
    """One file, changed."""
    name = random.choice(list(KINDS))
    kind = KINDS[name]
    records = [_own(copy.deepcopy(kind.record), number) for number in range(random.randint(1, 3))]
    steps: list[str] = []
    for number in range(random.randint(0, 2)):
        step = random.choice(_IN_TREES)
        record = random.choice(records)
        steps.append(f"{step.__name__} {step(record, random, number)}")
    data = _as_table(records, random) if kind.table else _as_json(records, random)
    changes = random.sample(_IN_BYTES, random.choice((0, 0, 1)))
    whole = () if changes else tuple(json.dumps(record) for record in records)
    only = steps[0].split("=")[0] if len(steps) == 1 and not changes and "=" in steps[0] else ""
    for change in changes:
        data = change(data, random)
        steps.append(change.__name__)
    text = _text_of(data)
    if kind.table:
        text = text.partition("\n")[2]  # the header names columns
    marks = {mark + end for mark in (*MARKS, "addedx") for end in _ends(text, mark)}
    return Mutant(
        name,
        data,
        frozenset(marks),
        "a.png" in text or BASE64 in text,
        tuple(steps),
        whole,
        only.removeprefix("add_input ").removeprefix("add_a_picture ") if only.startswith("add_") else "",
    )


def _own(record: JSONTree, number: int) -> JSONTree:
    """The record with marks of its own."""
    text = json.dumps(record)
    for mark in MARKS:
        text = text.replace(mark, f"{mark}{'jkv'[number]}q")
    return json.loads(text)


def _ends(text: str, mark: str) -> Iterator[str]:
    """What follows each place of a mark, up to the end of its word."""
    for piece in text.split(mark)[1:]:
        end = piece[:2]
        if len(end) == 2 and end[0] in "jkv" and end[1] == "q":
            yield end


def _text_of(data: bytes) -> str:
    for encoding in ("utf-8", "utf-16"):
        try:
            return data.decode(encoding)
        except UnicodeError:
            continue
    return data.decode("latin-1")


# -- in the records


def _places(tree: JSONTree) -> list[tuple[JSONTree, Any]]:
    """Every value in a record, as what holds it and where."""
    found: list[tuple[JSONTree, Any]] = []
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        found += [(tree, key), *_places(value)]
    return found


def _objects(tree: JSONTree) -> list[dict[str, JSONTree]]:
    return [tree, *(holder[key] for holder, key in _places(tree) if isinstance(holder[key], dict))]


def add_input(record: JSONTree, random: Random, number: int) -> str:
    """Something that was put to the model, under one of the names that such things have."""
    mark = f"addedx{'jkv'[number]}q"
    name = random.choice(BESIDE)
    value = random.choice(
        (mark, [mark], {"text": mark}, [{"role": "system", "content": mark}], [{"role": "user", "content": mark}])
    )
    held = random.choice(_objects(record))
    if name in held or _is_passed_over(held, record) or (name == "input" and "scores" in record):  # a score's own goes first
        return "nothing"
    held[name] = value
    return f"{name}={value}"


def add_a_picture(record: JSONTree, random: Random, number: int) -> str:
    """A picture beside what is read: one that no record has."""
    held = random.choice(_objects(record))
    name = random.choice(("image", "images", "image_url", "img", "screenshot", "attachment"))
    if name in held or _is_passed_over(held, record):
        return "nothing"
    held[name] = random.choice(("b.png", ["b.png"], {"url": "b.png"}))
    return f"{name}={held[name]}"


def _is_passed_over(held: JSONTree, record: JSONTree) -> bool:
    """Whether an object is what the program says that it doesn't read."""
    names = ("metadata", "suggestions", "vectors", "additional_kwargs", "response_metadata", "target_true", "corrected")
    inside = [holder[key] for holder, key in _places(record) if key in (*names, *_MOVED)]
    return any(held is each or any(held is holder[key] for holder, key in _places(each)) for each in inside)


def misspell(record: JSONTree, random: Random, _: int) -> str:
    """A key with a letter too many or too few, or in capitals."""
    held, key = random.choice([(held, key) for held, key in _places(record) if isinstance(held, dict)])
    wrong = random.choice((key[:-1] or "x", key + "s", key.upper(), f"{key} ", f"{key}_2", f"x{key}"))
    if wrong in held or wrong in _MOVED:
        return "nothing"
    held[wrong] = held.pop(key)
    return f"{key} -> {wrong}"


def take_out(record: JSONTree, random: Random, _: int) -> str:
    held, key = random.choice([(held, key) for held, key in _places(record) if isinstance(held, dict)])
    if key == "scores":
        return "nothing"  # a trace without scores is no correction
    del held[key]
    return str(key)


def say_otherwise(record: JSONTree, random: Random, _: int) -> str:
    """A value of another type."""
    held, key = random.choice([place for place in _places(record) if not isinstance(place[0][place[1]], dict | list)])
    value = held[key]
    held[key] = random.choice(
        (None, 3, True, "", [], {}, [value], {"value": value}, [[value]], "\0", "x" * 70_000, f" {value} ", 1e999)
    )
    return f"{key}={str(held[key])[:40]}"


def write_as_text(record: JSONTree, random: Random, _: int) -> str:
    """An object as the JSON text of it."""
    inner = [place for place in _places(record) if isinstance(place[0][place[1]], dict | list)]
    if not inner:
        return "nothing"
    held, key = random.choice(inner)
    held[key] = json.dumps(held[key])
    return str(key)


def say_twice(record: JSONTree, random: Random, number: int) -> str:
    """An item of a list, twice; another message or another part."""
    lists = [holder[key] for holder, key in _places(record) if isinstance(holder[key], list) and holder[key]]
    if not lists:
        return "nothing"
    held = random.choice(lists)
    held.insert(0, copy.deepcopy(held[-1]))
    return str(held[0])[:40]


_IN_TREES: Final[tuple[Callable[[JSONTree, Random, int], str], ...]] = (
    add_input, add_input, add_a_picture, misspell, take_out, say_otherwise, write_as_text, say_twice)  # fmt: skip


# -- in the file


def _as_json(records: list[JSONTree], random: Random) -> bytes:
    layout = random.randrange(4)
    if layout == 0:
        return json.dumps(records).encode()
    if layout == 1:
        return json.dumps(records, indent=2, ensure_ascii=False).encode("utf-8", "surrogatepass")
    if layout == 2 and len(records) == 1:
        return json.dumps(records[0], indent=1).encode()
    return b"\n".join(json.dumps(record).encode() for record in records) + b"\n"


def _as_table(records: list[JSONTree], random: Random) -> bytes:
    names = list(dict.fromkeys(name for record in records for name in record))
    text = io.StringIO()
    rows = csv.writer(text, delimiter=random.choice(",;\t"), quoting=random.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)))
    rows.writerow(names)
    for record in records:
        cells = [record.get(name, "") for name in names]
        rows.writerow([cell if isinstance(cell, str) else json.dumps(cell) for cell in cells])
    return text.getvalue().encode("utf-8", "surrogatepass")


def flip_a_byte(data: bytes, random: Random) -> bytes:
    at = random.randrange(len(data))
    return data[:at] + bytes([random.randrange(256)]) + data[at + 1 :]


def cut(data: bytes, random: Random) -> bytes:
    return data[: random.randrange(len(data))]


def take_a_piece_out(data: bytes, random: Random) -> bytes:
    at = random.randrange(len(data))
    return data[:at] + data[at + random.randint(1, 30) :]


def put_a_sign_in(data: bytes, random: Random) -> bytes:
    at = random.randrange(len(data))
    return (
        data[:at]
        + random.choice((b'"', b",", b"{", b"}", b"]", b"\n", b"\0", b"\xff", b"\\", b"'", b"\r", b";", b"\t"))
        + data[at:]
    )


def in_utf_16(data: bytes, _: Random) -> bytes:
    return data.decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass")


def with_a_mark(data: bytes, _: Random) -> bytes:
    return codecs.BOM_UTF8 + data


def with_old_line_ends(data: bytes, random: Random) -> bytes:
    return data.replace(b"\r\n", b"\n").replace(b"\n", random.choice((b"\r", b"\r\n", b"\n\n")))


def twice_over(data: bytes, _: Random) -> bytes:
    return data + data


_IN_BYTES: Final[tuple[Callable[[bytes, Random], bytes], ...]] = (
    flip_a_byte, cut, take_a_piece_out, put_a_sign_in, in_utf_16, with_a_mark, with_old_line_ends, twice_over)  # fmt: skip

ADDED: Final = picture(2)
"""What `add_a_picture` adds."""
