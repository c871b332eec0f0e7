"""The table of every picture: its name, licence and attribution, and a digest of what it looked like when it was written."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final, Literal, get_args

from errata.benchmarks.atlas.pictures.catalogue import pixels
from errata.benchmarks.atlas.pictures.picture import Picture, Pixels

_TABLE: Final = "table.tsv"

State = Literal["as in the table", "other than in the table", "not in the table"]
STATES: Final[tuple[State, ...]] = get_args(State)


@dataclass(frozen=True)
class Row:
    """One picture."""

    key: str
    name: str
    licence: str
    attribution: str
    digest: str


@cache
def rows() -> Mapping[str, Row]:
    """Key -> what the table says."""
    text = (files("errata.benchmarks.atlas.pictures") / _TABLE).read_text(encoding="utf-8")
    read = csv.reader(io.StringIO(text), csv.excel_tab)
    next(read)
    return {row.key: row for row in (Row(*cells) for cells in read)}


def digest(picture: Pixels) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a picture's height, width and RGBA values."""
    height, width, _ = picture.shape
    return sha256(f"{height} {width}\n".encode() + picture.tobytes()).hexdigest()[:16]


def row(picture: Picture) -> Row:
    """A picture's row, as it is on this machine.

    Raises:
        BadInput: the package that holds it is gone.
    """
    return Row(picture.key, picture.name, picture.licence, picture.attribution, digest(pixels(picture)))


def state(row: Row) -> State:
    """Whether a picture, here, is what the table says."""
    if row.key not in rows():
        return "not in the table"
    return "as in the table" if rows()[row.key] == row else "other than in the table"


def written(rows: Iterable[Row]) -> str:
    """The table, tab-separated, in the order of the keys."""
    text = io.StringIO()
    table = csv.writer(text, csv.excel_tab, lineterminator="\n")
    table.writerow([field.name for field in fields(Row)])
    table.writerows(astuple(row) for row in sorted(rows, key=lambda row: row.key))
    return text.getvalue()
