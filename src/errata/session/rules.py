"""Whether rules hold: expectations are asked, under the unedited model and under a state, and what isn't met is named.

`broken` is the guard's part: pure, two states go in, breaches come out. The audit and `errata scope check` use the pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

from errata.core.benchmark import Unchanged
from errata.core.editor import Editor
from errata.core.errors import BadInput
from errata.core.matching import same
from errata.core.model import Model
from errata.core.records import Edit, Query
from errata.core.rules import Breach, Expectation, Rules, branch_demands, demands
from errata.session.asking import Read, heard, unedited
from errata.session.receipts import Answer

BATCH = 64
"""Questions that are put to the model at once."""


Targets = Mapping[str, str]
"""A query's digest -> what it should be answered with."""

Heard = Mapping[str, Answer]
"""A query's digest -> what was said to it."""


def ask_all(model: Model, queries: Iterable[Query], read: Read, *, targets: Targets = MappingProxyType({})) -> dict[str, Answer]:
    """Every question once, in batches of bounded size, with room for its targets."""
    found: dict[str, Answer] = {}
    for some in batches(queries):
        answers = heard(model, read, some, targets=[targets.get(query.digest) for query in some])
        found |= {query.digest: answer for query, answer in zip(some, answers, strict=True)}
    return found


def targets_of(wanted: Iterable[Expectation]) -> Targets:
    """The longest answer that each question must get, where it must get one."""
    pairs = ((one.query.digest, one.expect) for one in wanted if not isinstance(one.expect, Unchanged))
    return dict(sorted(pairs, key=lambda pair: len(pair[1])))


def batches(queries: Iterable[Query]) -> Iterator[list[Query]]:
    """The questions, each once, as many at a time as are asked together."""
    wanted = list({query.digest: query for query in queries}.values())
    for start in range(0, len(wanted), BATCH):
        yield wanted[start : start + BATCH]


def askable(model: Model, wanted: Iterable[Expectation]) -> list[Expectation]:
    """The expectations that can be put to the model; a question made from another one is left out where it can't.

    Raises:
        BadInput: a question that somebody wrote can't be put to this model.
    """
    found = []
    for one in wanted:
        try:
            model.check(one.query)
        except BadInput:
            if not one.derived:
                raise
        else:
            found.append(one)
    return found


def breaches(wanted: Iterable[Expectation], *, bare: Heard, now: Heard) -> tuple[Breach, ...]:
    """The expectations that aren't met, by the answers of the unedited model (`bare`) and those of now."""
    found = (Breach(one, bare[one.query.digest].text, now[one.query.digest].text) for one in wanted)
    return tuple(breach for breach in found if not same(breach.got, breach.expected))


def broken(
    model: Model,
    editor: Editor[Any],
    *,
    before: Any,
    after: Any,
    edit: Edit,
    rules: Rules,
    standing: Sequence[Query] = (),
) -> tuple[Breach, ...]:
    """The rules that an edit would break: the guard refuses it where there is any.

    Bound are the edit's own rules, the branch's, and its reach. A question that stood wrong before the edit and was left as it was
    is not the edit's doing (the audit finds it); nor is an answer that the branch wants and that wasn't given before either.

    Args:
        model: the model.
        editor: the editor whose states these are.
        before: the state without the edit.
        after: the state with it.
        edit: the edit.
        rules: what holds on the branch.
        standing: the guard's own questions: a reach is tried on their pictures, and those never to be touched must stay.

    Raises:
        BadInput: a question of the rules can't be put to this model.
    """
    wanted = askable(model, (*demands(edit, rules, standing), *branch_demands(rules, standing)))
    asked, targets = [one.query for one in wanted], targets_of(wanted)
    bare = ask_all(model, asked, unedited)
    now = ask_all(model, asked, partial(editor.read, model, after), targets=targets)
    found = breaches(wanted, bare=bare, now=now)
    was = ask_all(model, [one.query for one in found], partial(editor.read, model, before), targets=targets)
    mine = {query.digest for query in (edit.query, *edit.also)}
    forbidden = tuple(
        Breach(one, bare[one.query.digest].text, now[one.query.digest].text)
        for one in wanted
        if one.rule == "never" and one.query.digest in mine
    )
    moved = (breach for breach in found if breach not in forbidden and _its_doing(breach, was[breach.query.digest].text))
    return tuple(replace(breach, culprit=edit.id) for breach in (*forbidden, *moved))


def _its_doing(breach: Breach, was: str) -> bool:
    """Whether the edit broke it, rather than found it broken."""
    expectation = breach.expectation
    if isinstance(expectation.expect, Unchanged):
        return not same(breach.got, was)
    return expectation.of is not None or same(was, expectation.expect)
