"""One spec after another put to the search half, as long as there is time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from time import perf_counter
from typing import Any, final

from errata.core.canonical import JSON
from errata.core.progress import Progress
from errata.measure.tuning.figures import Asking, Figures

Begins = Callable[[Any], Any]
"""An editor's state before any edit, where that is known from an earlier one of the same metric."""


@final
@dataclass(frozen=True)
class Tried:
    """A spec and what it does to the search half."""

    editor: Any
    spec: str
    figures: Figures
    seconds: float

    def to_json(self) -> dict[str, JSON]:
        """Spec, figures and seconds."""
        return {"spec": self.spec, "figures": self.figures.to_json(), "seconds": round(self.seconds, 1)}


@final
class Clock:
    """How much time there is.

    Args:
        minutes: in all, from now on.
        after: how many trials must still fit behind the next: the held-out half is asked unedited, and with two specs.
    """

    def __init__(self, minutes: float, *, after: int) -> None:
        self._began = perf_counter()
        self._limit_s = 60 * minutes
        self._after = after
        self.longest_s = 0.0

    @property
    def seconds(self) -> float:
        """Since it was started."""
        return perf_counter() - self._began

    def has_room(self) -> bool:
        """Whether one more trial ends in time, if it takes as long as the longest did."""
        return self.seconds + (1 + self._after) * self.longest_s <= self._limit_s


@final
@dataclass
class Trials:
    """What was tried so far; the first is the spec that the search began with."""

    asking: Asking
    begins: Begins
    clock: Clock
    progress: Progress
    planned: int
    reach: Callable[[Any], float]
    """How near a question must be to an editor's edits: of equals the one that reaches least is taken."""

    tried: list[Tried] = field(default_factory=list)
    cut: bool = False
    """Whether time was over before everything was tried."""

    @property
    def best(self) -> Tried:
        """Of the highest score; of equals the one that reaches least, then the one that was tried first."""
        return max(self.tried, key=lambda each: (each.figures.score, self.reach(each.editor)))

    def run(self, name: str, editor: Any, change: Callable[[Any], Any] | None = None) -> Tried | None:
        """Write the rows with an editor, and ask; None where there is no time left.

        Args:
            name: the editor's.
            editor: of which the spec is told.
            change: makes its state out of one that is written already, in the place of writing.
        """
        if self.tried and not self.clock.has_room():
            self.cut = True
            return None
        spec = written(name, editor)
        self.progress(spec, len(self.tried), self.planned)
        _ = self.asking.unedited  # asked once for all trials, so that no trial is taken for a longer one than it is
        began = perf_counter()
        state = self.asking.written(editor, self.begins(editor)) if change is None else change(editor)
        found = Tried(editor, spec, self.asking.figures(editor, state), perf_counter() - began)
        self.clock.longest_s = max(self.clock.longest_s, found.seconds)
        self.tried.append(found)
        return found


def written(name: str, editor: Any) -> str:
    """The text that `--editor` takes: a name, and the fields that aren't the editor's defaults."""
    plain = type(editor)()
    given = {each.name: (vars(editor)[each.name], vars(plain)[each.name]) for each in fields(editor) if each.init}
    told = [f"{key}={_said(value)}" for key, (value, default) in given.items() if value != default and _is_plain(value)]
    return f"{name}:{','.join(told)}" if told else name


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)


def _said(value: object) -> str:
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)
