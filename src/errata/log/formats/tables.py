"""A table as spreadsheets write it, row by row: what separates its cells, how they are quoted, and which columns it has.

The separator is whichever of comma, semicolon, tab and bar the header has most of, or the one that a line `sep=;` before it names.
A quote may stand after a space. Columns without a name may stand at the end, as long as nothing is in them.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple, final

from errata.core.errors import BadInput, quoted
from errata.log.formats.records import BOM, MAX_RECORD_BYTES, TOO_LONG

_SEPARATORS: Final = ",;\t|"
_NAMED: Final = re.compile(r'\s*"?sep=(.)\1*"?\s*', re.IGNORECASE)
_NUMBERED: Final = re.compile(r"unnamed: \d+", re.IGNORECASE)
"""What pandas calls a column without a name."""

_LATE: Final = re.compile(r'\s+"')
"""A quote after a space: it isn't seen as one where spaces belong to a cell."""


class Header(NamedTuple):
    """The first line of a table."""

    names: list[str]
    """In small letters; "" for a column without one."""

    delimiter: str
    spaced: bool
    """A space follows the separator, so that none belongs to a cell."""


class Row(NamedTuple):
    """One row; it can't be used where `why` says something."""

    number: int
    read_bytes: int
    names: list[str]
    cells: list[str]
    why: str = ""

    def pairs(self) -> list[tuple[str, str]]:
        """Each cell that says something, under the name of its column.

        Raises:
            BadInput: the row can't be read, or a cell has no column.
        """
        if self.why:
            raise BadInput(self.why)
        for number, cell in enumerate(self.cells):
            if cell.strip() and number >= len(self.names):
                raise BadInput(
                    f"It has {len(self.cells)} cells where the header has {len(self.names)} columns. "
                    "Quote cells that hold the separator."
                )
            if cell.strip() and not self.names[number] and not cell.strip().isdecimal():  # the numbers of the rows say nothing
                raise BadInput(f"It says {quoted(cell)} in column {number + 1}, which has no name. Name it in the header.")
        return [(name, cell) for name, cell in zip(self.names, self.cells, strict=False) if name and cell]

    def fields(self) -> dict[str, str]:
        """What each column says, where no column may be there twice.

        Raises:
            BadInput: one is, or as in `pairs`.
        """
        said: dict[str, str] = {}
        for name, cell in self.pairs():
            if name in said:
                raise BadInput(f"The column {quoted(name)} is there twice, and both say something. Keep one.")
            said[name] = cell
        return said


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
        self._first = (0, 0)
        self._second: tuple[int, int] | None = None

    @property
    def read_bytes(self) -> int:
        return self._file.tell()

    def begin(self) -> None:
        """The next line begins a record."""
        self._record_bytes = 0
        self._first = (self.number, self._file.tell())
        self._second = None

    def give_back(self) -> None:
        """Go back to the second line of the record at hand: it has a quote that isn't closed, and swallowed good records."""
        if self._second is not None:
            self._go(self._second)

    def again(self) -> None:
        """Go back to where the record at hand begins."""
        self._go(self._first)
        self.begin()

    def _go(self, where: tuple[int, int]) -> None:
        self.number, at = where
        self._file.seek(at)

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


@final
class Table:
    """A table that is being read.

    Raises:
        BadInput: it has no header.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._lines = _Lines(file)
        self.header = self._begin()

    def __iter__(self) -> Iterator[Row]:
        """The rows that aren't blank."""
        lines, (names, delimiter, spaced) = self._lines, self.header
        loose = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)
        rows = loose if spaced else csv.reader(lines, delimiter=delimiter, strict=True)
        while True:
            lines.begin()
            number = lines.number + 1
            try:
                row = next(rows, None)
                if row is not None and any(map(_LATE.match, row)):
                    lines.again()
                    row = next(loose, None)
            except _TooLong:
                lines.give_back()
                yield Row(number, lines.read_bytes, names, [], TOO_LONG)
                continue
            except csv.Error as error:
                lines.give_back()
                why = f"It isn't CSV: {error}. Check its quotes: one inside a quoted cell is doubled."
                yield Row(number, lines.read_bytes, names, [], why)
                continue
            if row is None:
                return
            if any(cell.strip() for cell in row):
                yield Row(number, lines.read_bytes, names, row)

    def _begin(self) -> Header:
        try:
            first = next(self._lines, "")
            return header_in(first) or header_in(next(self._lines, ""), first) or Header([], ",", spaced=False)
        except _TooLong:
            raise BadInput(f"The first line isn't a header of a table: {TOO_LONG}") from None
        except csv.Error as error:
            raise BadInput(f"The header of the table can't be read: {error}. Name the columns in the first line.") from None


def rows(file: BinaryIO) -> Iterator[Row]:
    """The rows of a table.

    Raises:
        BadInput: it has no header.
    """
    yield from Table(file)


def header_in(line: str, before: str = "") -> Header | None:
    """The columns that a line names, and what is between them; None where it only says what that is (`sep=;`).

    Args:
        line: the line.
        before: the line before it, if there was one.

    Raises:
        csv.Error: it names none.
    """
    named = _NAMED.fullmatch(before)
    if named is None and _NAMED.fullmatch(line):
        return None
    delimiter = named[1] if named else max(_SEPARATORS, key=line.count)
    cells = next(csv.reader([line], delimiter=delimiter, strict=True, skipinitialspace=True), [])
    names = ["" if _NUMBERED.fullmatch(name.strip()) else name.strip().lower() for name in cells]
    while names and not names[-1]:
        names.pop()
    plain = next(csv.reader([line], delimiter=delimiter), [])
    return Header(names, delimiter, spaced=any(name[:1] == " " for name in plain[1:]))
