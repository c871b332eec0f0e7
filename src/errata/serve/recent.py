"""Recent answers, by their ids: what a correction may name, and what the studio lists. Kept in memory, so many for each branch."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, final

from errata.core.records import Query
from errata.serve.engine.seam import Said

KEPT: Final = 1000
"""Completions of a branch that are remembered, unless said otherwise."""


@dataclass(frozen=True)
class Completion:
    """An answer that was given."""

    id: str
    """chatcmpl-..."""

    created: int
    """Seconds since 1970, UTC."""

    model: str
    """As it was asked for, with its pin."""

    query: Query
    said: Said
    caller: str
    """The name of whoever asked."""

    user: str | None = None
    """Who asked, in the client's own words."""

    metadata: Mapping[str, str] = field(default_factory=dict)
    """What the client wants to be kept with it."""

    flagged: bool = False
    note: str = ""
    """Why it was flagged."""


@final
class Recent:
    """The newest completions of each branch; threads may share it.

    Args:
        kept: of each branch, >= 0.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._held: dict[str, OrderedDict[str, Completion]] = {}

    def remember(self, branch: str, completion: Completion) -> None:
        """Keep one more, and let go of what is too old; what was flagged stays longest."""
        with self._lock:
            held = self._held.setdefault(branch, OrderedDict())
            held[completion.id] = completion
            while len(held) > self._kept:
                del held[next((each.id for each in held.values() if not each.flagged), next(iter(held)))]

    def find(self, branch: str, id: str) -> Completion | None:  # noqa: A002  OpenAI's name
        """A completion of this branch; None: it isn't remembered, or is another branch's."""
        with self._lock:
            return self._held.get(branch, OrderedDict()).get(id)

    def newest(self, branch: str, limit: int) -> Iterator[Completion]:
        """The newest first."""
        with self._lock:
            held = list(self._held.get(branch, OrderedDict()).values())
        yield from held[::-1][: max(limit, 0)]

    def flag(self, branch: str, id: str, *, flagged: bool, note: str = "") -> Completion | None:  # noqa: A002  as above
        """Mark an answer as suspect, or no longer; None: it isn't remembered."""
        with self._lock:
            held = self._held.get(branch, OrderedDict())
            if id in held:
                held[id] = replace(held[id], flagged=flagged, note=note)
            return held.get(id)
