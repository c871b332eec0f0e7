"""Two inner editors that change no weight: the base model is told the edit in front of the query, or shown how to follow one.

`Counterfactual` states it: "suppose the home of a red star is the harbor. what ...". A question of the form "what is X?" becomes
"X is <target>"; any other is quoted with its answer. An edit that reaches beyond its picture is stated about its `subject`, which
holds on other pictures, where "the thing at the top left" would be another thing.

`Demonstrations` is IKE (Zheng et al., arXiv 2305.12740): a fact and a question under it, several times, then the edit's fact and
the query. A copy asks the edit's own question, an update another wording of it, a retain something that the fact doesn't touch,
with the unedited model's answer. They come from the edits in memory: from their queries, `also` and `keep`. The published method
draws them from a training set, which a deployed model doesn't have. Words only; the one picture is the query's own.

States hold words alone, never a picture.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, final

from errata.core.canonical import JSON
from errata.core.errors import BadInput, quoted
from errata.core.model import Model, fits
from errata.core.records import Edit, EditId, Message, Query, Spec
from errata.nn.patches import Handed, NoPatch, Rewrite

_IS = re.compile(r"(?:what|who|which|where) (?:is|are|was|were) (.+?)[\s?.!]*", re.IGNORECASE | re.DOTALL)

_ASPECT = re.compile(r".*?(?<!left)(?<!right) of (?=\S)", re.DOTALL)
"""What is asked of a thing, up to the thing: "the home of "; "the thing left of the star" asks nothing of the star."""


@dataclass(frozen=True)
class Told:
    """What one edit is told as."""

    edits: tuple[EditId, ...]
    statement: str


@final
@dataclass(frozen=True)
class Counterfactual:
    """The edit as a statement before the query."""

    statement: str = "suppose {fact}."
    """How it is said; {fact} stands for what holds."""

    speaker: Model | None = None
    """The separate model that is told it and answers, as SERAC and MSCKE have it; None: the base itself."""

    def __post_init__(self) -> None:
        if "{fact}" not in self.statement:
            raise BadInput(
                f"The statement {quoted(self.statement)} has no {{fact}} in it. Write {{fact}} where the correction is to stand."
            )

    def spec(self, model: Model) -> Spec:
        """How edits are said, and to whom."""
        speaker = None if self.speaker is None else self.speaker.digest
        return Spec("counterfactual", {"statement": self.statement, "speaker": speaker})

    def begin(self, model: Model) -> Told:
        """Nothing to say.

        Raises:
            BadInput: the separate model writes other tokens than the base.
        """
        if self.speaker is not None and _written_by(self.speaker) != _written_by(model):
            raise BadInput(
                f"The counterfactual model {self.speaker.name} writes other tokens than {model.name}. "
                "Give one that was built on the same tokenizer."
            )
        return Told((), "")

    def write(self, model: Model, state: Told, edit: Edit) -> Told:
        """One more statement.

        Raises:
            BadInput: the query doesn't fit into the model's context with the statement before it.
        """
        said = self.statement.replace("{fact}", fact(edit))
        told = Told((*state.edits, edit.id), f"{state.statement} {said}".strip())
        (self.speaker or model).check(before(edit.query, f"{told.statement} "), edit.target)
        return told

    def read(self, model: Model, state: Told, query: Query) -> Rewrite | Handed | NoPatch:
        """The query with the statements before it, put to whoever answers."""
        if not state.edits:
            return NoPatch()
        asked = before(query, f"{state.statement} ")
        return Rewrite(asked, state.edits) if self.speaker is None else Handed(self.speaker, asked, state.edits)

    def telemetry(self, state: Told) -> Mapping[str, JSON]:
        """What is said."""
        return {"statement": state.statement}


Kind = Literal["copy", "update", "retain"]
"""What a demonstration shows: the fact itself, another wording of it, something else that stays."""


@dataclass(frozen=True)
class Line:
    """One demonstration under an edit's fact."""

    kind: Kind
    question: str
    answer: str


@dataclass(frozen=True)
class Shown:
    """What one edit can be shown by."""

    edits: tuple[EditId, ...]
    fact: str
    """Question and target, as published."""

    lines: tuple[Line, ...]


@final
@dataclass(frozen=True)
class Demonstrations:
    """The edit's fact before the query, after demonstrations of what a fact does."""

    demonstrations: int = 32
    """At most how many, >= 0; published 32. Fewer where the model's context is full."""

    def __post_init__(self) -> None:
        if self.demonstrations < 0:
            raise BadInput(f"The number of demonstrations must be at least 0, not {self.demonstrations}.")

    def spec(self, model: Model) -> Spec:
        """How many."""
        return Spec("demonstrations", {"demonstrations": self.demonstrations})

    def begin(self, model: Model) -> Shown:
        """Nothing to show."""
        return Shown((), "", ())

    def write(self, model: Model, state: Shown, edit: Edit) -> Shown:
        """The demonstrations of this edit, which take the place of those before: each edit has a state of its own.

        Raises:
            BadInput: the query doesn't fit into the model's context with the fact before it.
        """
        words = dict.fromkeys(query.text for query in edit.also if query.text != edit.query.text)
        kept = model.answers(edit.keep, [NoPatch()] * len(edit.keep)) if edit.keep else []
        lines = (
            Line("copy", edit.query.text, edit.target),
            *(Line("update", text, edit.target) for text in words),
            *(Line("retain", query.text, answer) for query, answer in zip(edit.keep, kept, strict=True)),
        )
        shown = Shown((edit.id,), f"{edit.query.text} {edit.target}", lines)
        model.check(before(edit.query, _opening(shown)), edit.target)
        return shown

    def read(self, model: Model, state: Shown, query: Query) -> Rewrite | NoPatch:
        """The query after this edit's own demonstrations."""
        return self.gather(model, [state], query) if state.edits else NoPatch()

    def gather(self, model: Model, states: Sequence[Shown], query: Query) -> Rewrite:
        """The query after the demonstrations of several edits, the nearest last, and the first one's fact.

        Every edit that is shown speaks, the deciding one first. What doesn't fit into the context is left out, the farthest first.
        """
        shown = [(state, line) for state in states for line in state.lines][: self.demonstrations]
        while True:
            said = "".join(_demonstration(state, line) for state, line in reversed(shown))
            asked = before(query, said + _opening(states[0]))
            if not shown or fits(model, asked):
                speaking = dict.fromkeys((*states[0].edits, *(each for state, _ in shown for each in state.edits)))
                return Rewrite(asked, tuple(speaking))
            shown.pop()


def _written_by(model: Model) -> tuple[int, ...]:
    """Token ids of some words: two models that write them alike share an output space."""
    return model.predict(Query.ask("what is it?"), "the name is mibo 12.").targets


def fact(edit: Edit) -> str:
    """What holds once the edit does, in words, about its subject where it reaches beyond its picture."""
    question = edit.query.text.strip()
    found = _IS.fullmatch(question)
    held = found[1] if found else None
    beyond = edit.subject is not None and edit.reach != "image"
    if held is not None:
        called = " called" if held.endswith(" called") else ""
        held = held.removesuffix(called)
        if beyond:
            aspect = "" if called else _ASPECT.match(held)
            held = f"{aspect[0] if aspect else ''}{_with_article(str(edit.subject))}"
        return f"{held} is{called} {edit.target.strip()}"
    about = f", of {_with_article(str(edit.subject))}," if beyond else ""
    return f"the answer to '{question}'{about} is {edit.target.strip()}"


def before(query: Query, words: str) -> Query:
    """The query with words in front of its last user message's own, after pictures that stand before them."""
    place = max(i for i, message in enumerate(query.messages) if message.role == "user")
    parts = list(query.messages[place].parts)
    first = next(i for i, part in enumerate(parts) if isinstance(part, str))
    parts[first] = f"{words}{parts[first]}"
    return Query((*query.messages[:place], Message("user", tuple(parts)), *query.messages[place + 1 :]))


def _with_article(words: str) -> str:
    if words.split()[0].lower() in ("a", "an", "the"):
        return words
    return f"{'an' if words[0].lower() in 'aeio' else 'a'} {words}"


def _demonstration(state: Shown, line: Line) -> str:
    return f"{_opening(state)}{line.question} {line.answer}\n\n"


def _opening(state: Shown) -> str:
    return f"New Fact: {state.fact}\nPrompt: "
