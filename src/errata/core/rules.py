"""Scope rules: what must follow from a correction, what must not, and what none may touch; and the questions that tell.

Rules are values, and here they only become *expectations*: a question with the answer that it must get. Asking is the session's.
What a reach enforces:

    image   the same question on other pictures, and without a picture, must stay
    text    the same question asked with pictures must stay
    kind    nothing by itself: say what is of the kind under `must`, and what isn't under `must_not`
    open    nothing

The other pictures are those of the questions that are protected anyway: `must_not`, the edit's `keep`, the guard's standing ones.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Literal, get_args

from errata.core.benchmark import UNCHANGED, Unchanged
from errata.core.canonical import JSON, digest_of_json
from errata.core.errors import BadInput, quoted
from errata.core.images import Image
from errata.core.records import Edit, EditId, Message, Query, Reach

MAX_PATTERN = 200
"""The longest pattern that is accepted, in characters."""

Rule = Literal["target", "also", "must", "keep", "must_not", "never", "reach"]
"""Where an expectation comes from: the edit itself (`target`, `also`, `keep`) or a rule."""

GIVES: Final[frozenset[Rule]] = frozenset({"target", "also", "must"})
"""The rules whose question must get a certain answer; the others' questions must be answered as by the unedited model."""

_PREFIX: Final = re.compile(r"[0-9a-f]{6,64}")


@dataclass(frozen=True)
class Must:
    """A question that must follow from a correction."""

    query: Query

    answer: str | None = None
    """What it must get; None: the target of the edit that the rule is for."""

    def to_json(self) -> dict[str, JSON]:
        return {"query": self.query.to_json(), "answer": self.answer}


@dataclass(frozen=True)
class RuleSet:
    """The rules for one edit, or for every edit of a branch."""

    reach: Reach | None = None
    """How far; None: not said here."""

    must: tuple[Must, ...] = ()
    """Questions that must get their answers."""

    must_not: tuple[Query, ...] = ()
    """Questions that must be answered as by the unedited model."""

    never: tuple[str, ...] = ()
    """Regular expressions over a question's words (of the last user message): what they match isn't to be touched."""

    def __post_init__(self) -> None:
        if self.reach is not None and self.reach not in get_args(Reach):
            raise BadInput(f"The reach {quoted(self.reach)} isn't known. Use one of: {', '.join(get_args(Reach))}.")
        for pattern in self.never:
            check_pattern(pattern)

    def forbids(self, query: Query) -> str | None:
        """The first pattern of `never` that the question's words match."""
        return next((pattern for pattern in self.never if re.search(pattern, query.text)), None)

    def to_json(self) -> dict[str, JSON]:
        return {
            "reach": self.reach,
            "must": [must.to_json() for must in self.must],
            "must_not": [query.to_json() for query in self.must_not],
            "never": list(self.never),
        }


@dataclass(frozen=True)
class EditRules:
    """Rules for the edit whose id begins with these digits."""

    edit: str
    rules: RuleSet

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.edit):
            raise BadInput(f"{quoted(self.edit)} can't name an edit. Give the first 6 to 64 digits of its id: 0-9 and a-f.")


@dataclass(frozen=True)
class Rules:
    """Everything that a rules file says: for the whole branch, and for single edits."""

    branch: RuleSet = RuleSet()
    edits: tuple[EditRules, ...] = ()

    def __post_init__(self) -> None:
        for must in self.branch.must:
            if must.answer is None:
                raise BadInput(
                    f"The branch's rule on {quoted(must.query.text)} doesn't say which answer must be given. A rule for all edits "
                    "has no edit to take it from: give it an answer."
                )
        if len({one.edit for one in self.edits}) < len(self.edits):
            raise BadInput("Two sets of rules name an edit by the same digits. Put the rules for an edit in one set.")

    @cached_property
    def digest(self) -> str:
        """The digest of every rule, whatever the order in which edits were named; an entry that was judged by them carries it."""
        named = sorted(self.edits, key=lambda one: one.edit)
        return digest_of_json(
            {"branch": self.branch.to_json(), "edits": [{"edit": one.edit, "rules": one.rules.to_json()} for one in named]}
        )

    @cached_property
    def _named(self) -> Mapping[str, RuleSet]:
        return {one.edit: one.rules for one in self.edits}

    @cached_property
    def _sizes(self) -> tuple[int, ...]:
        return tuple(sorted({len(one.edit) for one in self.edits}))

    def own(self, edit: Edit) -> RuleSet:
        """The rules that name this edit, `must` with its answers filled in."""
        names = (edit.id[:size] for size in self._sizes)
        found = [self._named[name] for name in names if name in self._named]
        return RuleSet(
            reach=next((one.reach for one in found if one.reach is not None), None),
            must=tuple(replace(must, answer=must.answer or edit.target) for one in found for must in one.must),
            must_not=tuple(query for one in found for query in one.must_not),
            never=tuple(pattern for one in found for pattern in one.never),
        )

    def for_edit(self, edit: Edit) -> RuleSet:
        """Every rule that binds this edit: its own, and the branch's.

        The reach is the one that its own rules say, else the one that the edit itself says, else the branch's.
        """
        own = self.own(edit)
        said = edit.reach if edit.reach != "open" else None
        return RuleSet(
            reach=own.reach or said or self.branch.reach or "open",
            must=own.must + self.branch.must,
            must_not=own.must_not + self.branch.must_not,
            never=own.never + self.branch.never,
        )


NO_RULES: Final = Rules()
"""What holds where there is no rules file: an edit's own `also`, `keep` and `reach`."""


@dataclass(frozen=True)
class Expectation:
    """A question and what it must get."""

    rule: Rule
    query: Query
    expect: str | Unchanged
    """The answer, or UNCHANGED: what the unedited model gives."""

    of: EditId | None = None
    """Whose expectation it is; None: the branch's."""

    why: str = ""
    """The pattern of a `never`, the reach of a `reach`."""

    derived: bool = False
    """Whether it was made from another question, so that nobody may have seen to it that a model can be asked it."""


@dataclass(frozen=True)
class Breach:
    """An expectation that isn't met, with the answers."""

    expectation: Expectation
    unedited: str
    """What the unedited model answers."""

    got: str
    """What is answered now."""

    culprit: EditId | None = None
    """The edit that did it, where that was found out."""

    @property
    def rule(self) -> Rule:
        return self.expectation.rule

    @property
    def query(self) -> Query:
        return self.expectation.query

    @property
    def expected(self) -> str:
        """The answer that was to be given."""
        return self.unedited if isinstance(self.expectation.expect, Unchanged) else self.expectation.expect

    @property
    def leaks(self) -> bool:
        """Whether something moved that must stay; else, something doesn't follow that must."""
        return self.rule not in GIVES

    @property
    def sentence(self) -> str:
        """What is wrong, in a sentence."""
        asked = said(self.query)
        if not self.leaks:
            since = "" if self.culprit in (None, self.expectation.of) else f", since edit {str(self.culprit)[:12]}"
            return f"{self.rule}: {asked} must give {quoted(self.expected)}, and gives {quoted(self.got)}{since}"
        why = f" ({self.expectation.why})" if self.expectation.why else ""
        return f"{self.rule}{why}: {asked} must stay {quoted(self.expected)} as without edits, and gives {quoted(self.got)}"

    def to_json(self) -> dict[str, JSON]:
        return {
            "rule": self.rule,
            "of": self.expectation.of,
            "why": self.expectation.why,
            "query": self.query.to_json(),
            "expected": self.expected,
            "before": self.unedited,
            "now": self.got,
            "culprit": self.culprit,
        }


def check_pattern(pattern: str) -> str:
    """The pattern, if it can be used.

    Raises:
        BadInput: empty, too long, matches everything, or isn't a regular expression.
    """
    if not pattern.strip():
        raise BadInput("A pattern is empty. Write a regular expression for the words that no edit may touch.")
    if len(pattern) > MAX_PATTERN:
        raise BadInput(f"A pattern has {len(pattern)} characters; at most {MAX_PATTERN} are accepted. Split it into several.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a set within a set, which a later Python would read differently
            compiled = re.compile(pattern)
    except (re.error, FutureWarning, DeprecationWarning, OverflowError, RecursionError) as error:
        raise BadInput(
            f"The pattern {quoted(pattern)} isn't a regular expression: {error}. Escape what is meant literally."
        ) from None
    if compiled.search("") is not None:
        raise BadInput(f"The pattern {quoted(pattern)} matches even the empty text, so every question. Say what it is to match.")
    return pattern


def forbidden(edit: Edit, rules: Rules) -> str:
    """Why the edit may not be made at all: a question of its own is one that no edit may touch. Empty where it may."""
    binding = rules.for_edit(edit)
    for query in (edit.query, *edit.also):
        pattern = binding.forbids(query)
        if pattern is not None:
            return f"the question {said(query)} matches the pattern {quoted(pattern)}, which no edit may touch"
    return ""


def expectations(edit: Edit, rules: Rules, standing: Sequence[Query] = ()) -> tuple[Expectation, ...]:
    """What an edit must do and must leave alone: its own claims, and the rules that name it or bind its questions.

    Args:
        edit: the edit.
        rules: what holds on its branch.
        standing: further protected questions, whose pictures a reach is tried on.
    """
    return (*claims(edit), *demands(edit, rules, standing))


def claims(edit: Edit) -> Iterator[Expectation]:
    """What the edit says of itself: its target, its other wordings, what it keeps."""
    yield Expectation("target", edit.query, edit.target, edit.id)
    for query in edit.also:
        yield Expectation("also", query, edit.target, edit.id)
    for query in edit.keep:
        yield Expectation("keep", query, UNCHANGED, edit.id)


def demands(edit: Edit, rules: Rules, standing: Sequence[Query] = ()) -> Iterator[Expectation]:
    """What the rules ask of the edit: `must`, `must_not`, its reach, and that its questions aren't ones never to be touched."""
    own, binding = rules.own(edit), rules.for_edit(edit)
    for must in own.must:
        yield Expectation("must", must.query, must.answer or edit.target, edit.id)
    for query in own.must_not:
        yield Expectation("must_not", query, UNCHANGED, edit.id)
    musts = [must.query for must in own.must]
    for query in (edit.query, *edit.also, *musts, *edit.keep):
        pattern = binding.forbids(query)
        if pattern is not None:
            yield Expectation("never", query, UNCHANGED, edit.id, pattern)
    protected = (*binding.must_not, *edit.keep, *standing)
    mine = {query.digest for query in (edit.query, *edit.also, *musts)}
    for query in _beyond(edit.query, binding.reach or "open", protected):
        if query.digest not in mine:
            yield Expectation("reach", query, UNCHANGED, edit.id, binding.reach or "open", derived=True)


def branch_demands(rules: Rules, standing: Sequence[Query] = ()) -> Iterator[Expectation]:
    """What the rules ask of all edits together."""
    for must in rules.branch.must:
        yield Expectation("must", must.query, must.answer or "")
    for query in rules.branch.must_not:
        yield Expectation("must_not", query, UNCHANGED)
    for query in standing:
        pattern = rules.branch.forbids(query)
        if pattern is not None:
            yield Expectation("never", query, UNCHANGED, why=pattern)


def said(query: Query) -> str:
    """The question in quotes, with the first digits of its pictures."""
    images = "".join(f" [image {image.digest[:12]}]" for image in query.images)
    return f"{quoted(' '.join(query.text.split()))}{images}"


def _beyond(query: Query, reach: Reach, protected: Iterable[Query]) -> Iterator[Query]:
    """The question where the reach says that the edit must not be felt."""
    if reach not in ("image", "text"):
        return
    own = set(query.images)
    others = dict.fromkeys(image for one in protected for image in one.images if image not in own)
    changed = [_on(query, (image,)) for image in others]
    if reach == "image" and own:
        changed.append(_on(query, ()))
    yield from (one for one in changed if one is not None)


def _on(query: Query, images: tuple[Image, ...]) -> Query | None:
    """The same words with these pictures, before the last turn's words; None where a message was a picture alone."""
    words = [replace(message, parts=tuple(part for part in message.parts if isinstance(part, str))) for message in query.messages]
    if not all(message.parts for message in words):
        return None
    last = words[-1]
    return Query((*words[:-1], Message(last.role, (*images, *last.parts))))
