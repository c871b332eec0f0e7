"""Questions answered together, token by token: each enters when a row is free and leaves when its answer ends."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, final

from errata.core.errors import BadInput
from errata.core.model import ANSWER_TOKENS, Entrant, Patch, Stepper
from errata.core.records import EditId
from errata.serve.engine.branches import Version
from errata.serve.engine.choosing import Dice
from errata.serve.engine.seam import Ask, Finish, Piece, Said, Token
from errata.serve.engine.words import Words
from errata.session.asking import needed

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


class Listener(Protocol):
    """Whoever asked."""

    @property
    def ask(self) -> Ask: ...

    @property
    def left(self) -> bool:
        """Whether nobody listens any more."""
        ...

    def say(self, what: Piece | Said | Exception) -> None: ...


@final
@dataclass(frozen=True, eq=False)
class Admitted:
    """A question, the version that it is asked of, and what that has to say to it."""

    one: Listener
    version: Version
    patch: Patch


@final
@dataclass(eq=False)
class _Row:
    """One answer on its way."""

    asked: Admitted
    dice: Dice
    words: Words
    limit: int
    count: int = 0
    """Tokens that were chosen."""

    token: int = 0
    """The last of them."""

    told: list[tuple[int, Token]] = field(default_factory=list)
    """Log-probabilities that weren't handed out yet, each with where its text begins."""

    grown: bool = False
    """Whether the limit was raised once."""


@final
class Rows:
    """The rows of one batch.

    Args:
        stepper: the batch, empty.
    """

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper
        self._rows: list[_Row] = []
        self.steps = self.tokens = 0

    def __len__(self) -> int:
        return len(self._rows)

    def takes(self, patch: Patch) -> bool:
        """Whether a question under this patch can have a row."""
        return self._stepper.takes(patch)

    def enter(self, asked: Sequence[Admitted]) -> None:
        """Read what is asked, and choose the first token of each."""
        rows = [self._row(each) for each in asked]
        entrants = [
            Entrant(each.one.ask.query, each.patch, row.limit, each.version.model) for each, row in zip(asked, rows, strict=True)
        ]
        try:
            logits_BV = self._stepper.enter(entrants)
        except Exception as error:  # noqa: BLE001  told to whom it concerns
            if len(asked) == 1:
                asked[0].one.say(error)
            for each in asked if len(asked) > 1 else ():
                self.enter([each])
            return
        before = len(self._rows)
        self._rows += rows
        self._choose(rows, logits_BV, first=before)

    def step(self) -> None:
        """One more token for every row that somebody listens to."""
        self._leave({place for place, row in enumerate(self._rows) if row.asked.one.left})
        if not self._rows:
            return
        try:
            logits_BV = self._stepper.step([row.token for row in self._rows])
        except Exception as error:  # noqa: BLE001  told to all whom it concerns
            self.drop(error)
            return
        self.steps += 1
        self._choose(self._rows, logits_BV, first=0)

    def drop(self, error: Exception) -> None:
        """Tell every row that it won't be answered."""
        rows = list(self._rows)
        self._leave(set(range(len(rows))))
        for row in rows:
            row.asked.one.say(error)

    def _row(self, asked: Admitted) -> _Row:
        sampling = asked.one.ask.sampling
        limit = ANSWER_TOKENS if sampling.max_new_tokens is None else sampling.max_new_tokens
        return _Row(asked, Dice(sampling), Words(self._stepper.words, sampling.stop), limit)

    def _choose(self, rows: Sequence[_Row], logits_BV: Float[Tensor, "B V"], *, first: int) -> None:
        """A token for each of some rows, which stand from `first` on; those whose answer it ends leave."""
        likely = logits_BV.argmax(-1).tolist()
        ended: dict[int, Said] = {}
        for place, (row, best) in enumerate(zip(rows, likely, strict=True), start=first):
            logits_V = logits_BV[place - first]
            row.token = best if row.asked.one.ask.sampling.temperature == 0 else row.dice.choose(logits_V)
            row.count += 1
            self.tokens += 1
            finish = self._take(place, row, logits_V)
            if finish is not None:
                ended[place] = self._said(place, row, finish)
        listening = [(row, ended.get(place)) for place, row in enumerate(rows, start=first)]
        self._leave(set(ended))
        for row, said in listening:
            _tell(row, said)

    def _take(self, place: int, row: _Row, logits_V: Float[Tensor, " V"]) -> Finish | None:
        """The row with its next token; why that was its last."""
        if row.token in self._stepper.ends:
            row.words.end(row.token)
            return "stop"
        most = row.asked.one.ask.sampling.top_logprobs
        token = None if most is None else _token(row, logits_V, most)
        begun = row.words.length
        text = row.words.add(row.token)
        if token is not None:
            row.told.append((begun, Token(text, *token)))
        if row.words.stopped:
            return "stop"
        if row.count >= row.limit and not self._goes_on(place, row):
            return "length"
        return None

    def _goes_on(self, place: int, row: _Row) -> bool:
        """Raise the limit once where no other was asked for and a correction that speaks needs more (`session.asking.ended`)."""
        asked = row.asked
        if asked.one.ask.sampling.max_new_tokens is not None or row.grown:
            return False
        row.grown = True
        with suppress(BadInput):  # beyond the model's context
            targets = [asked.version.log.words(edit).target for edit in self._spoke(place, row)[0]]
            limit = max((needed(asked.version.model, asked.one.ask.query, target) for target in targets), default=0)
            row.limit = max(row.limit, limit) if limit <= self._stepper.room(place) else row.limit
        return row.count < row.limit

    def _spoke(self, place: int, row: _Row) -> tuple[tuple[EditId, ...], bool]:
        spoke = self._stepper.spoke(place)
        return (row.asked.patch.edits, False) if spoke is None else (spoke, True)

    def _said(self, place: int, row: _Row, finish: Finish) -> Said:
        edits, told = self._spoke(place, row)
        version, patch = row.asked.version, row.asked.patch
        prompt = self._stepper.prompt(place)
        return Said(row.words.whole, finish, edits, told, patch.decision, version.seq, version.head, prompt, row.count)

    def _leave(self, places: set[int]) -> None:
        if not places:
            return
        stay = [place for place in range(len(self._rows)) if place not in places]
        self._stepper.keep(stay)
        self._rows = [self._rows[place] for place in stay]


def _tell(row: _Row, said: Said | None) -> None:
    """Hand out what is new of an answer, and its end."""
    text = row.words.fresh() if said is None else row.words.rest()
    cut = row.words.cut if said is not None else None
    if text or (said is not None and row.told):
        tokens = tuple(token for begun, token in row.told if cut is None or begun < cut)
        row.told.clear()
        row.asked.one.say(Piece(text, tokens))
    if said is not None:
        row.asked.one.say(said)


def _token(row: _Row, logits_V: Float[Tensor, " V"], most: int) -> tuple[float, tuple[tuple[str, float], ...]]:
    """The chosen token's log-probability, and the likeliest with theirs: the model's own, at whatever temperature it was drawn."""
    logs_V = logits_V.log_softmax(-1)
    top = logs_V.topk(most) if most else None
    found = [] if top is None else list(zip(top.indices.tolist(), top.values.tolist(), strict=True))
    return float(logs_V[row.token]), tuple((row.words.would_add(id_), log) for id_, log in found)
