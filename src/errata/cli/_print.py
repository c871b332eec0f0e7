"""How things look on a terminal: results on standard output, everything else on standard error, plain where nobody watches."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from errata.core.canonical import JSON

SHORT = 12
"""Hexadecimal digits of an id that are shown; any unique prefix of at least 6 is taken."""

Show = Callable[[str, int, int], None]
"""Told what is going on, how much is done, and how much there is."""

_LINES = 20
"""Progress lines for a whole piece of work, where standard error is a file and not a terminal."""


def say(text: str) -> None:
    """A line of result."""
    Console(highlight=False, soft_wrap=True).print(Text(text))


def say_json(value: JSON) -> None:
    """A result as one line of JSON, names in order."""
    say(json.dumps(_in_order(value), ensure_ascii=False))


def place(name: str) -> str:
    """Where a name stands among others: in the alphabet, but what was before ahead of what is after."""
    return "afte" if name == "before" else name


def _in_order(value: JSON) -> JSON:
    if isinstance(value, Mapping):
        return {name: _in_order(value[name]) for name in sorted(value, key=place)}
    return [_in_order(each) for each in value] if isinstance(value, list | tuple) else value


def note(text: str) -> None:
    """A line for whoever watches; no part of the result."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(text, style="dim"))


def complain(text: str) -> None:
    """What went wrong, as a sentence."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(text, style="red"))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[str] = ()) -> None:
    """A table on standard output; the columns named in `numbers` are set to the right. Nobody's terminal: as wide as it needs."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=200)
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        drawn.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    console.print(drawn)


def has_room(columns: Mapping[str, Sequence[str]]) -> bool:
    """Whether a table of these columns fits without folding a cell; always where nobody's terminal is written to."""
    console = Console(highlight=False)
    needed = sum(3 + max(map(len, (name, *cells))) for name, cells in columns.items())
    return not console.is_terminal or needed <= console.width


def fields(values: Mapping[str, str]) -> None:
    """Names and values, one pair to a line; nothing is shown for an empty value."""
    width = max(map(len, values), default=0)
    for name, value in values.items():
        if value:
            say(f"{name:<{width}}  {value}")


@contextmanager
def watched(title: str) -> Iterator[Show]:
    """Progress on standard error for the length of a `with` block: a bar on a terminal, a few lines in a file."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield _lines(title)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None)

        def show(what: str, done: int, total: int) -> None:
            bar.update(task, description=f"{title}: {what}", completed=done, total=total)

        yield show


def _lines(title: str) -> Show:
    last = [-1]

    def show(what: str, done: int, total: int) -> None:
        part = _LINES * done // max(1, total)
        if part != last[0]:
            last[0] = part
            note(f"{title}: {what} ({done} of {total})")

    return show


def percent(rate: float | None) -> str:
    """A share as a percentage; a dash for the share of nothing."""
    return "-" if rate is None else f"{100 * rate:.1f}"
