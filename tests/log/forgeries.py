"""What somebody who can write to the database may do to a log of entries 1 to n, and where it must be found."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from errata.log import Row
from errata.log.entry import hash_of

COLUMNS = ("branch", "seq", "kind", "time", "body", "previous", "hash")


@dataclass(frozen=True)
class Forged:
    """Where a forgery must be found."""

    chain: int
    """The entry that verifying the store alone names."""

    hidden: bool = False
    """Whether the store alone doesn't tell, once the note of the last entry is made to fit."""

    left: int = 0
    """For a hidden one: how many entries are left."""

    kept: int = 0
    """For a hidden one: the entry that a checkpoint kept over all of them names."""


Forgery = Callable[[sqlite3.Connection, Sequence[Row], random.Random], Forged]


def flip_a_byte(database: sqlite3.Connection, rows: Sequence[Row], draw: random.Random) -> Forged:
    """One bit of one byte of one column."""
    row, column = draw.choice(rows), draw.choice(COLUMNS)
    last = row.seq == len(rows)
    if column == "seq":
        new = draw.choice([seq for seq in map(_signed, _flips(row.seq)) if not 1 <= seq <= len(rows)])
        database.execute("UPDATE entries SET seq = ? WHERE seq = ?", (new, row.seq))
        return _cut(row.seq - 1) if last and new < 1 else Forged(row.seq)
    if column == "previous" and row.seq == 1:  # nothing to flip: something is put there
        database.execute("UPDATE entries SET previous = '0' WHERE seq = 1")
        return Forged(1)
    old = row.body if column == "body" else str(vars(row)[column]).encode()
    database.execute(f"UPDATE entries SET {column} = CAST(? AS TEXT) WHERE seq = ?", (_flipped(old, draw), row.seq))
    return _cut(row.seq - 1) if last and column == "branch" else Forged(row.seq)


def flip_the_note(database: sqlite3.Connection, rows: Sequence[Row], draw: random.Random) -> Forged:
    """One bit of one byte of what the store noted of the last entry."""
    column = draw.choice(("name", "seq", "hash"))
    if column == "seq":
        new = draw.choice([_signed(value) for value in _flips(len(rows))])
        database.execute("UPDATE branches SET seq = ?", (new,))
        return Forged(len(rows) + 1 if new > len(rows) else max(new + 1, 1))
    old = "main" if column == "name" else rows[-1].hash
    database.execute(f"UPDATE branches SET {column} = CAST(? AS TEXT)", (_flipped(old.encode(), draw),))
    return Forged(1 if column == "name" else len(rows))


def drop(database: sqlite3.Connection, rows: Sequence[Row], draw: random.Random) -> Forged:
    """One entry taken out; those after it may close the gap."""
    seq = draw.randint(1, len(rows))
    database.execute("DELETE FROM entries WHERE seq = ?", (seq,))
    if draw.random() < 0.5:
        _move(database, range(seq + 1, len(rows) + 1), -1)
    return _cut(seq - 1) if seq == len(rows) else Forged(seq)


def swap(database: sqlite3.Connection, rows: Sequence[Row], draw: random.Random) -> Forged:
    """Two entries in each other's place."""
    first, second = sorted(draw.sample(range(1, len(rows) + 1), 2))
    for old, new in ((first, -1), (second, first), (-1, second)):
        database.execute("UPDATE entries SET seq = ? WHERE seq = ?", (new, old))
    return Forged(first)


def double(database: sqlite3.Connection, rows: Sequence[Row], draw: random.Random) -> Forged:
    """An entry once more, anywhere; those from there on make room."""
    row, place = draw.choice(rows), draw.randint(1, len(rows) + 1)
    _move(database, range(len(rows), place - 1, -1), 1)
    values = (row.branch, place, row.kind, row.time, row.body.decode(), row.previous, row.hash)
    database.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    return Forged(place + 1 if place == row.seq else place)


def truncate(database: sqlite3.Connection, rows: Sequence[Row], draw: random.Random) -> Forged:
    """The end cut off, or everything."""
    left = draw.randrange(len(rows))
    database.execute("DELETE FROM entries WHERE seq > ?", (left,))
    return _cut(left)


def rewrite_one(database: sqlite3.Connection, rows: Sequence[Row], draw: random.Random) -> Forged:
    """An entry with another author, and its own hash made to fit."""
    row = draw.choice(rows)
    _put(database, _by_another(row), row.previous)
    last = row.seq == len(rows)
    return Forged(row.seq if last else row.seq + 1, hidden=last, left=len(rows), kept=len(rows))


def rewrite_the_rest(database: sqlite3.Connection, rows: Sequence[Row], draw: random.Random) -> Forged:
    """An entry with another author, and every hash from there on made to fit."""
    first = draw.choice(rows).seq
    previous = rows[first - 1].previous
    for row in rows[first - 1 :]:
        previous = _put(database, _by_another(row) if row.seq == first else row, previous)
    return Forged(len(rows), hidden=True, left=len(rows), kept=1 if first == 1 else len(rows))


FORGERIES: tuple[Forgery, ...] = (flip_a_byte, flip_the_note, drop, swap, double, truncate, rewrite_one, rewrite_the_rest)


def note_the_last(database: sqlite3.Connection) -> None:
    """Make what the store noted of the branch's end fit the entries that are there."""
    found = database.execute("SELECT seq, hash FROM entries WHERE branch = 'main' AND seq > 0 ORDER BY seq DESC LIMIT 1").fetchone()
    if found is None:
        database.execute("DELETE FROM branches")
    else:
        database.execute("UPDATE branches SET name = 'main', seq = ?, hash = ?", found)


def _cut(left: int) -> Forged:
    return Forged(left + 1, hidden=True, left=left, kept=left + 1)


def _move(database: sqlite3.Connection, entries: Sequence[int], by: int) -> None:
    for seq in entries:
        database.execute("UPDATE entries SET seq = ? WHERE seq = ?", (seq + by, seq))


def _by_another(row: Row) -> Row:
    return replace(row, body=row.body.replace(b'"author":"ada"', b'"author":"eve"'))


def _put(database: sqlite3.Connection, row: Row, previous: str) -> str:
    """Put a row in place of the one with its number, its hash made to fit; that hash."""
    fit = hash_of(replace(row, previous=previous))
    values = (row.body.decode(), previous, fit, row.seq)
    database.execute("UPDATE entries SET body = ?, previous = ?, hash = ? WHERE seq = ?", values)
    return fit


def _flips(number: int) -> list[int]:
    """The 64-bit number with each of its bits flipped."""
    return [number ^ 1 << bit for bit in range(64)]


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number


def _flipped(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << draw.randrange(8)]) + data[at + 1 :]
