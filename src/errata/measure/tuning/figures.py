"""What an editor does to one half of the questions: its rows written together, everything asked before and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple, final

from errata.core.canonical import JSON
from errata.core.editor import Editor
from errata.core.matching import same
from errata.core.model import Model
from errata.core.records import Edit, Query
from errata.measure.tuning.questions import Half
from errata.nn.patches import NoPatch

TOKENS: Final = 16
"""Of an answer that are compared, or as many as the longest target needs: where a write shows, it shows early."""

_AT_ONCE: Final = 32


class Share(NamedTuple):
    """So many of so many."""

    met: int
    of: int

    @property
    def rate(self) -> float:
        """From 0 to 1; 1 of none, where nothing is amiss."""
        return self.met / self.of if self.of else 1.0


@final
@dataclass(frozen=True)
class Figures:
    """What became of a half."""

    own: Share
    """Of the rows' own questions, those that are answered with the target."""

    followed: Share
    """Of the wordings that must follow, those that are; what the unedited model answers so already isn't counted."""

    kept: Share
    """Of what rows say must stay, what is answered as before, over its first tokens."""

    ordinary: Share
    """The same of ordinary questions."""

    @property
    def score(self) -> float:
        """The mean of what is given and what stays: of own and followed the lower share, of kept and ordinary the mean."""
        return (min(self.own.rate, self.followed.rate) + (self.kept.rate + self.ordinary.rate) / 2) / 2

    def to_json(self) -> dict[str, JSON]:
        """Counts by name, and the score."""
        shares = {"own": self.own, "followed": self.followed, "kept": self.kept, "ordinary": self.ordinary}
        return {**{name: {"met": share.met, "of": share.of} for name, share in shares.items()}, "score": self.score}


@final
class Asking:
    """A half put to a model: what the unedited model says is asked once.

    Args:
        model: left as found.
        half: rows and ordinary questions.
    """

    def __init__(self, model: Model, half: Half) -> None:
        self.model = model
        self.half = half

    def written(self, editor: Editor[Any], state: Any) -> Any:
        """The state with every row in it; other wordings and what must stay are held back, since they are what is asked."""
        for edit in self.half.rows:
            state = editor.write(self.model, state, Edit(edit.query, edit.target))
        return state

    def figures(self, editor: Editor[Any], state: Any) -> Figures:
        """What a state does to the half."""
        rows, follow, keep, ordinary = self.half.rows, self._telling, self.half.keep, self.half.ordinary
        queries = [*(edit.query for edit in rows), *(query for _, query in follow), *keep, *ordinary]
        answers = iter(self._answers(queries, lambda query: editor.read(self.model, state, query)))
        own = sum(same(next(answers), edit.target) for edit in rows)
        followed = sum(same(next(answers), rows[row].target) for row, _ in follow)
        kept = sum(same(next(answers), self.unedited[query.digest]) for query in keep)
        calm = sum(same(next(answers), self.unedited[query.digest]) for query in ordinary)
        return Figures(Share(own, len(rows)), Share(followed, len(follow)), Share(kept, len(keep)), Share(calm, len(ordinary)))

    @cached_property
    def unedited(self) -> dict[str, str]:
        """A query's digest -> what the unedited model answers."""
        queries = [*(query for _, query in self.half.follow), *self.half.keep, *self.half.ordinary]
        answers = self._answers(queries, lambda _: NoPatch())
        return {query.digest: answer for query, answer in zip(queries, answers, strict=True)}

    @cached_property
    def _telling(self) -> list[tuple[int, Query]]:
        """What must follow and doesn't say so unedited."""
        rows = self.half.rows
        return [(row, query) for row, query in self.half.follow if not same(self.unedited[query.digest], rows[row].target)]

    @cached_property
    def _room(self) -> int:
        longest = (len(self.model.positions(edit.query, edit.target).target) + 1 for edit in self.half.rows)
        return max(TOKENS, *longest)

    def _answers(self, queries: Sequence[Query], read: Callable[[Query], Any]) -> list[str]:
        found: list[str] = []
        for start in range(0, len(queries), _AT_ONCE):
            some = queries[start : start + _AT_ONCE]
            found += self.model.answers(some, [read(query) for query in some], max_new_tokens=self._room)
        return found
