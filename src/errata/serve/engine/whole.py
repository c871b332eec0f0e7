"""Questions answered whole, by `Model.generated`: for what can't go token by token. A batch ends when its longest answer does."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import final

from errata.core.errors import BadInput
from errata.serve.engine.branches import Version
from errata.serve.engine.rows import Admitted, Listener
from errata.serve.engine.seam import Piece, Said, Sampling
from errata.session.asking import answered
from errata.session.receipts import Answer


def check_plain(sampling: Sampling) -> None:
    """Whether an answer is to be the most likely one, whole.

    Raises:
        BadInput: it is to be drawn, stopped or told in log-probabilities.
    """
    if sampling.temperature != 0 or sampling.stop or sampling.top_logprobs is not None:
        raise BadInput(
            "This model, or this correction, is answered with the most likely words alone. Ask with temperature 0, without stop "
            "texts and log-probabilities."
        )


@final
class Whole:
    """Questions that wait to be answered whole, counted."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Listener, Version]] = deque()
        self.steps = self.tokens = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, asked: Sequence[Admitted]) -> None:
        """Take questions in."""
        for each in asked:
            try:
                check_plain(each.one.ask.sampling)
            except BadInput as error:
                each.one.say(error)
            else:
                self._waiting.append((each.one, each.version))

    def step(self) -> None:
        """Answer the one that waited longest, and with it those of the same version and limit."""
        self._waiting = deque(each for each in self._waiting if not each[0].left)
        if not self._waiting:
            return
        key = _together(self._waiting[0])
        rows = [each for each in self._waiting if _together(each) == key]
        self._waiting = deque(each for each in self._waiting if _together(each) != key)
        self._answer(rows)

    def drop(self, error: Exception) -> None:
        """Tell everyone who waits that nothing will come."""
        for one, _ in self._waiting:
            one.say(error)
        self._waiting.clear()

    def _answer(self, rows: Sequence[tuple[Listener, Version]]) -> None:
        version = rows[0][1]
        limit = rows[0][0].ask.sampling.max_new_tokens
        queries = [one.ask.query for one, _ in rows]
        try:
            answers = answered(version.model, version.log, version.read, queries, limit=limit)
        except Exception as error:  # noqa: BLE001  told to whom it concerns
            if len(rows) == 1:
                rows[0][0].say(error)
            for row in rows if len(rows) > 1 else ():
                self._answer([row])
            return
        self.steps += max(answer.tokens for answer in answers)
        self.tokens += sum(answer.tokens for answer in answers)
        for (one, _), answer in zip(rows, answers, strict=True):
            if answer.text:
                one.say(Piece(answer.text))
            one.say(said(answer, version))


def _together(asked: tuple[Listener, Version]) -> tuple[int, int, str, int | None]:
    one, version = asked
    return id(version.log), version.seq, version.head, one.ask.sampling.max_new_tokens


def said(answer: Answer, version: Version) -> Said:
    """An answer's end."""
    return Said(
        answer.text,
        "stop" if answer.whole else "length",
        answer.edits,
        answer.told,
        answer.decision,
        version.seq,
        version.head,
        answer.prompt,
        answer.tokens,
    )
