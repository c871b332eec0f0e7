"""A file as a stream of raw records, one line or one element of a JSON list at a time, and what became of each."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import BinaryIO, Final, Literal, NamedTuple

from errata.core.canonical import JSON
from errata.core.errors import BadInput, quoted
from errata.core.records import Edit, Provenance

MAX_RECORD_BYTES: Final = 16 * 1024 * 1024
"""The largest record that is read, in bytes; a longer one is a bad record, so that memory stays bounded."""

BOM: Final = b"\xef\xbb\xbf"

TOO_LONG: Final = f"It takes more than {MAX_RECORD_BYTES // 1024**2} MiB, the most that is read as one record. Split it."

_TOO_DEEP: Final = "It is nested too deeply. Write one flat record to a line."

_CHUNK: Final = 64 * 1024

Unit = Literal["line", "record"]
"""How the records of a file are counted: by its lines, or by the elements of its list."""

Found = tuple[Edit, Provenance] | str
"""A correction with who made it, or the sentence that says what is wrong."""


@dataclass(frozen=True)
class Line:
    """One correction of a file, or why it isn't one."""

    number: int
    """The line that it begins at, or its place in the list; from 1."""

    read_bytes: int
    """How much of the file has been read."""

    found: Found
    unit: Unit = "line"
    part: int = 0
    """Which of the several corrections in one record, from 1; 0 where a record holds at most one."""

    @property
    def place(self) -> str:
        """Where it stands, as a person says it."""
        return f"{self.unit} {self.number}{f', correction {self.part}' if self.part else ''}"


@dataclass(frozen=True)
class Exported:
    """An edit that the log holds, as it is exported."""

    edit: Edit
    by: Provenance
    before: str = ""
    """What the model answered before the edit; "" where the log doesn't say."""


class Raw(NamedTuple):
    """The bytes of one record; None: too many of them."""

    number: int
    read_bytes: int
    data: bytes | None
    unit: Unit


def lines(file: BinaryIO) -> Iterator[Raw]:
    """The lines that aren't blank."""
    number = read = 0
    while data := file.readline(MAX_RECORD_BYTES + 1):
        number, read = number + 1, read + len(data)
        whole = len(data) <= MAX_RECORD_BYTES
        while not whole and not data.endswith(b"\n"):
            data = file.readline(_CHUNK)
            read += len(data)
            if not data:
                break
        if number == 1:
            data = data.removeprefix(BOM)
        if not whole or data.strip():
            yield Raw(number, read, data if whole else None, "line")


def begins_json(file: BinaryIO) -> bool:
    """Whether a file begins as JSON does, and not as a table."""
    head = file.read(_CHUNK).removeprefix(BOM).lstrip()
    file.seek(0)
    return head[:1] in (b"{", b"[")


_LIST: Final = re.compile(rb"\[\s*[{\]]")


def json_lines(file: BinaryIO) -> Iterator[Raw]:
    """The records of a file that has one to a line; or of one that is a list of objects, or a few objects over several lines,
    as other programs write the same records."""
    head = file.read(_CHUNK).removeprefix(BOM).lstrip()
    file.seek(0)
    if _LIST.match(head):
        return _elements(file, inside=1)
    return _elements(file, inside=0) if head.split(b"\n", 1)[0].strip() == b"{" else lines(file)


def json_records(file: BinaryIO) -> Iterator[Raw]:
    """The records of a JSON file, laid out as a list, as one object to a line, or as objects over several lines."""
    head = file.read(_CHUNK).removeprefix(BOM).lstrip()
    file.seek(0)
    if head.startswith(b"["):
        return _elements(file, inside=1)
    if head.split(b"\n", 1)[0].rstrip().endswith((b"{", b"[", b",")) and b"\n" in head:
        return _elements(file, inside=0)  # an object that its first line doesn't close
    return lines(file)


_OUTSIDE: Final = re.compile(rb'["\[\]{},]')
_INSIDE: Final = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
"""The rest of a string, up to its closing quote, or what there is of it, up to a backslash that the next chunk goes on from."""


@dataclass
class _Splitter:
    """Cuts a stream where its list has a comma, or where an object ends. It knows strings and brackets and nothing else of JSON,
    so that a broken element costs that element alone."""

    inside: int
    """The depth of brackets between two records: 1 in a list, 0 for objects one after another."""

    depth: int = 0
    quoted: bool = False
    escaped: bool = False
    """The last byte so far was a backslash in a string."""

    closed: bool = False
    """The list has ended."""

    pending: bytearray = field(default_factory=bytearray)
    too_long: bool = False

    def cut(self, chunk: bytes) -> Iterator[bytes | None]:
        """The records that end in this chunk; None for one that was too long."""
        start = at = 0
        while at < len(chunk) and not self.closed:
            if self.escaped:
                self.escaped, at = False, at + 1
            if self.quoted:
                at = self._string(chunk, at)
                continue
            found = _OUTSIDE.search(chunk, at)
            if found is None:
                break
            at, sign = found.end(), found[0]
            if sign == b'"':
                self.quoted = True
            elif sign in b"[{":
                self.depth += 1
                if self.inside and self.depth == 1:
                    start = at  # the bracket that opens the list
            elif sign == b"," and self.inside and self.depth == 1:
                yield self._whole(chunk[start : at - 1])
                start = at
            elif sign in b"]}":
                self.depth -= 1
                if self.depth <= 0:
                    self.closed = bool(self.inside)
                    end = at - 1 if self.inside else at
                    last = self._whole(chunk[start:end])
                    self.depth, start = 0, at
                    if last is None or not self.inside or last.strip():  # a comma before the bracket is forgiven
                        yield last
        self._add(chunk[start:])

    def rest(self) -> bytes | None:
        """What is left at the end of the file."""
        return self._whole(b"")

    def _string(self, chunk: bytes, at: int) -> int:
        """Where the string that begins before `at` ends, or the chunk does."""
        inside = _INSIDE.match(chunk, at)
        assert inside is not None, "nothing at all is a part of a string too"
        end = inside.end()
        self.quoted = chunk[end : end + 1] != b'"'
        self.escaped = chunk[end : end + 1] == b"\\"
        return min(end + 1, len(chunk))

    def _add(self, data: bytes) -> None:
        if len(self.pending) + len(data) > MAX_RECORD_BYTES:
            self.too_long = True
            self.pending.clear()
        elif not self.too_long:
            self.pending += data

    def _whole(self, data: bytes) -> bytes | None:
        self._add(data)
        whole = None if self.too_long else bytes(self.pending)
        self.pending.clear()
        self.too_long = False
        return whole


def _elements(file: BinaryIO, *, inside: int) -> Iterator[Raw]:
    splitter = _Splitter(inside)
    number = read = 0
    while chunk := file.read(_CHUNK):
        chunk, read = (chunk.removeprefix(BOM) if not read else chunk), read + len(chunk)
        for data in splitter.cut(chunk):
            number += 1
            yield Raw(number, read, data, "record")
    rest = splitter.rest()
    if rest is None or rest.strip():
        number += 1
        yield Raw(number, read, rest, "record")
    if inside and not splitter.closed:
        yield Raw(number + 1, read, b"", "record")


def parsed(raw: Raw) -> JSON:
    """The record as JSON.

    Raises:
        BadInput: it isn't.
    """
    if raw.data is None:
        raise BadInput(TOO_LONG)
    if not raw.data.strip():
        raise BadInput("There is no record here: the file ends, or a comma stands, where one should be. Is the file whole?")
    try:
        return loaded(raw.data.decode("utf-8"))
    except UnicodeDecodeError:
        raise BadInput("It isn't UTF-8 text. Save the file as UTF-8.") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}" if raw.unit == "record" else f"column {error.colno}"
        whole = "Write one whole record to a line." if raw.unit == "line" else "Check its commas, quotes and brackets."
        raise BadInput(f"It isn't JSON: {error.msg} at {where}. {whole}") from None


def values(file: BinaryIO) -> Iterator[tuple[Line, JSON]]:
    """The records of a JSON file, each with a line that nothing was found on yet; or that says why it can't be read."""
    for raw in json_records(file):
        line = Line(raw.number, raw.read_bytes, "", raw.unit)
        try:
            yield line, parsed(raw)
        except BadInput as error:
            yield replace(line, found=str(error)), None


def loaded(words: str) -> JSON:
    """A text as JSON. A missing value of a table (NaN) is none.

    Raises:
        json.JSONDecodeError: it isn't JSON.
        BadInput: a key is there twice, so that one of its values would be dropped; or it can't be read at all.
    """
    try:
        value: JSON = json.loads(words, object_pairs_hook=_object, parse_constant=_constant)
    except (BadInput, json.JSONDecodeError):
        raise
    except ValueError as error:  # a number of thousands of digits
        raise BadInput(f"It isn't JSON that can be read: {error}.") from None
    except RecursionError:
        raise BadInput(_TOO_DEEP) from None
    return value


def maybe(words: str) -> JSON:
    """What a text says as JSON, where an object, a list or a text was written into it; any other text is itself.

    Raises:
        BadInput: as in `loaded`.
    """
    if words.lstrip()[:1] not in ("{", "[", '"'):
        return words
    try:
        return loaded(words)
    except json.JSONDecodeError:
        return words


def _object(pairs: list[tuple[str, JSON]]) -> JSON:
    value = dict(pairs)
    if len(value) < len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise BadInput(f"The key {quoted(twice)} is there twice in one object, so one of its values would be dropped. Keep one.")
    return value


def _constant(name: str) -> None:
    if name != "NaN":
        raise BadInput(f"It isn't JSON that can be read: {name} is no value. Write a number or a text.")


def attempt(make: Callable[[], tuple[Edit, Provenance]]) -> Found:
    """What `make` makes, or the sentence that it raises."""
    try:
        return make()
    except (BadInput, RecursionError) as error:
        return sentence(error)


def sentence(error: BadInput | RecursionError) -> str:
    """What went wrong with a record."""
    return str(error) if isinstance(error, BadInput) else _TOO_DEEP
