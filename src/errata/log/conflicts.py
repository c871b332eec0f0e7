"""Corrections of one file that contradict each other: two people give the same question different answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from errata.core.matching import asks, same
from errata.core.records import EditId, Query
from errata.log.formats import Line

_SHOWN = 80
"""Characters of a question or an answer that a sentence shows."""


@dataclass(frozen=True)
class Said:
    """What somebody says, and where."""

    place: str
    author: str
    target: str
    edit: EditId


@dataclass(frozen=True)
class Disagreement:
    """Two lines that can't both hold; the later one takes the earlier one's place where it is applied."""

    question: str
    earlier: Said
    later: Said

    @property
    def sentence(self) -> str:
        first, second = self.earlier, self.later
        return (
            f"{_short(self.question)}: {_short(second.target)} by {second.author} ({second.place}), but "
            f"{_short(first.target)} by {first.author} ({first.place})"
        )


@final
class Conflicts:
    """Hears a file line by line.

    Args:
        asks: names what a query asks; the branch's rule where there is one.
    """

    def __init__(self, asks: Callable[[Query], str] = asks) -> None:
        self._asks = asks
        self._said: dict[str, list[Said]] = {}
        self.found: list[Disagreement] = []

    def hear(self, line: Line) -> None:
        """Take in a line; one that can't be used says nothing."""
        if isinstance(line.found, str):
            return
        edit, by = line.found
        now, before = Said(line.place, by.author, edit.target, edit.id), self._said.setdefault(self._asks(edit.query), [])
        if any(old.author == now.author and same(old.target, now.target) for old in before):
            return
        against = [old for old in before if old.author != now.author and not same(old.target, now.target)]
        if against:
            self.found.append(Disagreement(edit.query.text, against[-1], now))
        before.append(now)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= _SHOWN else f"{line[: _SHOWN - 3]}...")
