"""`tune`: an editor's fields for a model, chosen on one half of the questions and told by figures of the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, final

from errata.core.canonical import JSON
from errata.core.counted import counted
from errata.core.editor import Editor
from errata.core.errors import BadInput, quoted
from errata.core.model import Model
from errata.core.progress import Progress
from errata.editors.codebook import Codebook
from errata.editors.scopeedit.editor import ScopeEdit
from errata.measure.tuning import book, shared
from errata.measure.tuning.book import Book, Layer
from errata.measure.tuning.figures import Asking, Figures
from errata.measure.tuning.questions import Questions
from errata.measure.tuning.shared import Shared
from errata.measure.tuning.trying import Clock, Trials, Tried

TUNABLE: Final = (book.NAME, shared.NAME)
"""The editors whose fields can be searched."""

LOW: Final = 0.75
"""Shares below this are said in a sentence."""


@final
@dataclass(frozen=True)
class Tuned:
    """What a search found."""

    layers: tuple[Layer, ...]
    """What distances foretell, from the last layer; none of an editor whose edits share weights."""

    tried: tuple[Tried, ...]
    """On the search half; the first is what the search began with."""

    chosen: Tried
    before: Figures
    """Of the held-out half, with what the search began with."""

    after: Figures
    """Of the held-out half, with what was chosen."""

    seconds: float
    cut: bool
    """Whether time was over before everything was tried."""

    def to_json(self) -> dict[str, JSON]:
        """Everything, by name."""
        layers: list[JSON] = [layer.to_json() for layer in self.layers]
        tried: list[JSON] = [one.to_json() for one in self.tried]
        return {
            "spec": self.chosen.spec,
            "began_with": self.tried[0].spec,
            "layers": layers,
            "tried": tried,
            "held_out": {"began_with": self.before.to_json(), "spec": self.after.to_json()},
            "said": list(self.said()),
            "seconds": round(self.seconds, 1),
            "all_tried": not self.cut,
        }

    def said(self) -> tuple[str, ...]:
        """What a reader of the figures should know, a sentence each."""
        lines = []
        if self.cut:
            lines.append("Time was over before everything was tried; give more with --minutes.")
        if self.chosen is self.tried[0]:
            lines.append("Nothing that was tried did better on the search half than what it began with.")
        elif self.after.score <= self.before.score:
            lines.append(
                "On the held-out half it does no better than what the search began with: it was chosen by chance. Keep that."
            )
        lines += self._low()
        return tuple(lines)

    def _low(self) -> list[str]:
        own, followed, kept = self.after.own, self.after.followed, self.after.kept
        lines = []
        if own.met < own.of:
            lines.append(f"Of {counted(own.of, 'correction')} {own.of - own.met} couldn't be given to their own questions.")
        if min(followed.rate, kept.rate) >= LOW:
            return lines
        which = "Layers don't" if self.layers else "Its writes don't"
        lines.append(
            f"{which} tell other wordings of a correction well from what must stay: of the held-out half the chosen spec follows "
            f"{followed.met} of {followed.of} and keeps {kept.met} of {kept.of}. Give wordings that count with --also, and what "
            "must stay with --keep: a correction that breaks it is refused."
        )
        return lines


def check_tunable(editor: Editor[Any], name: str) -> None:
    """Whether an editor's fields can be searched.

    Raises:
        BadInput: they can't.
    """
    if not isinstance(editor, Codebook | ScopeEdit):
        raise BadInput(f"The fields of {quoted(name)} can't be searched. Tune {' or '.join(TUNABLE)}.")


def tune(model: Model, editor: Editor[Any], questions: Questions, *, minutes: float, progress: Progress) -> Tuned:
    """Search an editor's fields on one half of the questions, and ask the other.

    Args:
        model: left as found.
        editor: a `Codebook` or a `ScopeEdit`, where the search begins; what isn't searched of it stays.
        questions: see `questions.made` and `questions.given`.
        minutes: no trial begins that would end later, with the held-out half still to be asked; the first is made in any case.
        progress: told of each trial.

    Raises:
        BadInput: another editor, or one that can't be used on this model.
    """
    check_tunable(editor, type(editor).__name__)
    clock = Clock(minutes, after=3)
    asking = Asking(model, questions.search)
    layers: list[Layer] = []
    if isinstance(editor, Codebook):
        progress("distances", 0, book.PLANNED)
        seen = Book(model, editor)
        layers = seen.layers(questions.search)
        trials = Trials(asking, seen.begins, clock, progress, book.PLANNED, lambda one: one.reach)
        seen.search(trials, layers)
    else:
        assert isinstance(editor, ScopeEdit), "there are two"
        written = Shared(model, editor, questions)
        trials = Trials(asking, written.begins, clock, progress, shared.PLANNED, lambda _: 0.0)
        written.search(trials)
    first, chosen = trials.tried[0], trials.best
    progress("the held-out half", len(trials.tried), trials.planned)
    before, after = _held_out(Asking(model, questions.held_out), trials, first, chosen)
    progress("done", trials.planned, trials.planned)
    return Tuned(tuple(layers), tuple(trials.tried), chosen, before, after, clock.seconds, trials.cut)


def _held_out(asking: Asking, trials: Trials, first: Tried, chosen: Tried) -> tuple[Figures, Figures]:
    """Figures of the held-out half with what the search began with, and with what was chosen."""
    before, *others = (
        asking.figures(one.editor, asking.written(one.editor, trials.begins(one.editor)))
        for one in ((first,) if chosen is first else (first, chosen))
    )
    return before, others[0] if others else before
