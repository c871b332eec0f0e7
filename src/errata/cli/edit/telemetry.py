"""What an editor said of a write, for a reader at the terminal: numbers as fields, what it says of each module as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from errata.cli._print import fields, say, table
from errata.core.canonical import JSON
from errata.core.counted import digits


def show_telemetry(telemetry: Mapping[str, JSON]) -> None:
    """Telemetry of any editor: numbers and lists of them on a line each, a mapping of mappings as a table with a row for each."""
    tables = {name: value for name, value in telemetry.items() if isinstance(value, Mapping)}
    fields({f"  {name}": _cell(value) for name, value in telemetry.items() if name not in tables})
    for name, rows in tables.items():
        held = {key: row for key, row in rows.items() if isinstance(row, Mapping)}
        columns = tuple(dict.fromkeys(column for row in held.values() for column in row))
        say(f"  {name}:")
        lines = [(key, *(_cell(row.get(column)) for column in columns)) for key, row in held.items()]
        table(("", *(column.replace("_", " ") for column in columns)), lines)


def _cell(value: JSON) -> str:
    match value:
        case None:
            return "-"
        case float():
            return digits(value)
        case str() | int():
            return str(value)
        case Sequence():
            return ", ".join(" ".join(map(str, each)) if isinstance(each, list | tuple) else _cell(each) for each in value)
    return str(value)
