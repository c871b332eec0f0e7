"""Lessons in being told: one or two statements that change a picture or the world, and a question that is answered as if they held.

What is said is what the editors that tell a model its corrections say (`editors._in_context`): "the home of a red star is the
harbor", "the thing at the top left is called mibo", "the answer to 'what colour is the star?' is blue". A statement on a thing's
name, colour or shape holds on the picture that it is about; one on a fact holds of the kind.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, cast

import numpy as np

from errata.benchmarks.scopeworld.knowledge import (
    COLOURS,
    GLYPHS,
    KINDS,
    RELATIONS,
    VALUES,
    WORLD,
    Kind,
    Knowledge,
    Relation,
    made_up_name,
)
from errata.benchmarks.scopeworld.lessons import (
    FILLER,
    Lesson,
    Mention,
    Topic,
    ask_about,
    draw_question,
    mentions_of,
    one_of,
    refer,
    said_again,
)
from errata.benchmarks.scopeworld.questions import (
    FACT_OF,
    LESSON_WORDINGS,
    SECOND,
    TRAINED_WORDINGS,
    WORDINGS,
    Family,
    Question,
    Ref,
    View,
    article,
)
from errata.benchmarks.scopeworld.scenes import Scene

Aspect = Literal["name", "colour", "shape", "home", "food", "maker"]
"""What a statement is about."""

_LOOKS: tuple[Aspect, ...] = ("name", "colour", "shape")
"""Of one thing on one picture; the others are of a kind, everywhere."""

_ON_IMAGE = 0.65
_TWO = 0.25
"""How often there is a second statement: in the exam, and wherever nothing else is said."""

_ELSEWHERE = 0.4
"""How often the question is drawn without regard to the statements, so that reading them is not enough."""

_QUOTED = 0.4
"""How often a statement quotes a question and gives its answer."""

_FOLLOWS: tuple[tuple[Topic, float], ...] = (
    ("recognition", 0.3), ("name", 0.2), ("fact", 0.15), ("is_attribute", 0.15), ("second", 0.1), ("count", 0.05), ("exists", 0.05),
)  # fmt: skip
"""What is asked, and how often, once a thing's colour or shape was said to be another."""


@dataclass
class _Supposed:
    """What holds after the statements so far."""

    view: View
    world: Knowledge = WORLD
    said: str = ""
    mentions: list[Mention] = field(default_factory=list)


@dataclass(frozen=True)
class _Stated:
    """One statement. Without a cell it is about the kind, in words."""

    aspect: Aspect
    cell: int | None
    kind: Kind
    value: str


def statement_lesson(
    scene: Scene, rng: np.random.Generator, *, held_out: bool = False, close: float = 0.0, counted: float = 0.0
) -> Lesson:
    """A question after one or two statements ("suppose the home of a red star is the harbor."), answered as if they held.

    Two in five questions are drawn without regard to the statements, so that reading them is not enough: what they are about must
    be matched.

    Args:
        held_out: ask in a wording that no lesson has.
        close: how often one of these two in five asks what a statement said, of something else, or something else of what it said
            it of: the hardest to tell apart.
        counted: how often a question that a statement on a thing's colour or shape touches counts the things that look so now, or
            as it did; beside what `_FOLLOWS` draws.
    """
    return statement_lessons(scene, rng, 1, held_out=held_out, close=close, counted=counted)[0]


def statement_lessons(
    scene: Scene,
    rng: np.random.Generator,
    questions: int,
    *,
    held_out: bool = False,
    close: float = 0.0,
    counted: float = 0.0,
    seen: float = _ON_IMAGE,
    two: float = _TWO,
) -> list[Lesson]:
    """At most so many questions behind the same statements, each drawn as `statement_lesson` says.

    Args:
        seen: how often the statements are on what is on the picture; else they are on a kind, in words alone.
        two: how often there are two.
    """
    while True:
        made = _made(scene, rng, questions, held_out=held_out, close=close, counted=counted, seen=seen, two=two)
        if made:
            return made


def _made(
    scene: Scene, rng: np.random.Generator, questions: int, *, held_out: bool, close: float, counted: float, seen: float, two: float
) -> list[Lesson]:
    """Lessons behind the same statements; none where what was drawn doesn't fit together."""
    supposed = _Supposed(View(scene))
    on_image = rng.random() < seen
    cell = int(rng.choice(scene.filled)) if on_image else None
    kind = one_of(rng, KINDS)
    first = _suppose(supposed, cell, kind, rng)
    if first is None:
        return []
    if (
        rng.random() < two
        and _suppose(supposed, int(rng.choice(scene.filled)) if on_image else None, one_of(rng, KINDS), rng) is None
    ):
        return []
    made: dict[Question, Lesson] = {}
    for _ in range(questions):
        if rng.random() < _ELSEWHERE:
            asked = _other_question(first, supposed.view, rng, close=close)
        else:
            asked = _touched(first, supposed.view, rng, counted=counted)
        answer = asked.answer(supposed.world, supposed.view)
        if answer is None:
            continue
        wording = int(rng.integers(TRAINED_WORDINGS, WORDINGS)) if held_out else one_of(rng, LESSON_WORDINGS)
        prompt = supposed.said + asked.ask(wording)
        overridden = answer != asked.answer(WORLD, View(scene))
        mentions = (*supposed.mentions, *mentions_of(prompt, asked, supposed.view))
        made.setdefault(asked, Lesson(prompt, answer, on_image, overridden, mentions, behind=len(supposed.said.rstrip())))
    return list(made.values())


def _suppose(supposed: _Supposed, cell: int | None, kind: Kind, rng: np.random.Generator) -> _Stated | None:
    """Say one thing more; None where it can't be said."""
    view = supposed.view
    if cell is None:
        aspect: Aspect = one_of(rng, RELATIONS)
    else:
        aspect = one_of(rng, (*_LOOKS, *RELATIONS))
        known = view.identity(supposed.world, cell)
        if known is None and aspect not in _LOOKS:
            return None
        kind = known or kind
    value = _value(aspect, cell, view, rng)
    ref = _subject(view.scene, cell, kind, rng, visual=aspect in _LOOKS)
    words = _statement(aspect, ref, value, kind if cell is not None else None, rng)
    end = words.rindex(ref.words) + len(ref.words)
    seen = kind if cell is None else view.scene.at(cell)
    supposed.said += f"suppose {words[:end]}"
    supposed.mentions.append(Mention(len(supposed.said), seen if ref.visual else kind, (cast(int, cell),) if ref.visual else None))
    supposed.said += f"{words[end:]}. "
    if aspect in _LOOKS:
        supposed.view = _seen(view, cast(int, cell), aspect, value)
    else:
        supposed.world = supposed.world.with_fact(kind, FACT_OF[aspect], value)
    return _Stated(aspect, cell, kind, value)


def _seen(view: View, cell: int, aspect: Aspect, value: str) -> View:
    """The view with one thing of it called or looking otherwise."""
    if aspect == "name":
        return View(view.scene, {**view.called, cell: value})
    kind = view.scene.at(cell)
    return View(view.scene.replace(cell, Kind(value, kind.colour) if aspect == "shape" else Kind(kind.glyph, value)), view.called)


def _statement(aspect: Aspect, ref: Ref, value: str, kind: Kind | None, rng: np.random.Generator) -> str:
    """What is said, without "suppose"; where a thing on a picture stands for its kind, the kind may be said as well.

    What the statement is about comes last of all that is said of it but the kind, and before the value.
    """
    if rng.random() < _QUOTED:
        question = Question(aspect, ref).ask(one_of(rng, LESSON_WORDINGS))
        beyond = f", of {article(kind.words)}," if ref.visual and aspect not in _LOOKS and kind and rng.random() < 0.5 else ""
        return f"the answer to '{question}'{beyond} is {value}"
    if aspect == "name" and rng.random() < 0.5:
        return f"{ref.words} is called {value}"
    return f"the {aspect} of {ref.words} is {value}"


def _other_question(first: _Stated, view: View, rng: np.random.Generator, *, close: float) -> Question:
    """A question that the statements may leave as it is."""
    scene = view.scene
    if rng.random() < close:
        if first.aspect not in _LOOKS and rng.random() < 0.4:
            relation = one_of(rng, [each for each in RELATIONS if each != first.aspect])
            return Question(relation, _subject(scene, first.cell, first.kind, rng, visual=first.cell is not None))
        asked, others = _touched(first, view, rng), [cell for cell in scene.filled if cell != first.cell]
        if asked.ref is not None and (others or first.cell is None):
            other = None if first.cell is None else one_of(rng, others)
            kind = one_of(rng, [kind for kind in KINDS if kind != first.kind])
            return replace(asked, ref=_subject(scene, other, kind, rng, visual=other is not None))
    topics: tuple[Topic, ...] = ("fact_by_name", "fact_by_description")
    if first.cell is not None:
        topics = ("name", "colour", "shape", "recognition", "relation", "fact", "fact", "is_fact", "second")
    return draw_question(one_of(rng, topics), scene, rng)


def _touched(stated: _Stated, view: View, rng: np.random.Generator, *, counted: float = 0.0) -> Question:
    """A question that a statement entails, or is likely to."""
    aspect, cell, value = stated.aspect, stated.cell, stated.value
    ref = _subject(view.scene, cell, stated.kind, rng, visual=cell is not None)
    if aspect not in _LOOKS:
        return _touched_fact(FACT_OF[aspect], ref, value, rng)
    assert cell is not None, "what is said of looks is said of a thing on the picture"
    if counted and aspect != "name" and rng.random() < counted:  # where none are wanted nothing is drawn: the exam stays as it was
        word = one_of(rng, (value, stated.kind.glyph if aspect == "shape" else stated.kind.colour))
        return Question("count", None, (word if aspect == "shape" else f"{word} thing",))
    chance = rng.random()
    if chance < 0.4:
        return Question(cast(Family, aspect), ref)
    if aspect == "name":
        if chance < 0.6:
            other = WORLD.names[view.scene.at(cell)]
            return Question("is_attribute", ref, (f"called {value if rng.random() < 0.5 else other}",))
        if chance < 0.7 or value not in WORLD.kinds_by_name:
            return Question("where", None, (value,)) if chance < 0.8 else Question("name", ref)
        return ask_about("fact" if chance < 0.9 else "second", view.scene, cell, rng)
    if chance < 0.5:
        return draw_question("relation", view.scene, rng)
    topics, shares = zip(*_FOLLOWS, strict=True)
    topic: Topic = topics[int(rng.choice(len(topics), p=np.array(shares)))]
    return draw_question(topic, view.scene, rng) if topic in ("count", "exists") else ask_about(topic, view.scene, cell, rng)


def _touched_fact(relation: Relation, ref: Ref, value: str, rng: np.random.Generator) -> Question:
    chance = rng.random()
    if chance < 0.15:
        return Question("is_fact", ref, (relation, value if rng.random() < 0.5 else one_of(rng, VALUES[relation])))
    if chance < 0.3 and value in VALUES[relation]:
        return Question(SECOND[relation], ref)
    return Question(relation, ref)


def _subject(scene: Scene, cell: int | None, kind: Kind, rng: np.random.Generator, *, visual: bool = False) -> Ref:
    if cell is not None and (visual or rng.random() < 0.6):
        return refer(scene, cell, rng)
    return Ref.name(WORLD, kind) if rng.random() < 0.5 else Ref.description(kind)


def _value(aspect: Aspect, cell: int | None, view: View, rng: np.random.Generator) -> str:
    """What is said to hold. A thing never looks like another one of its picture, so that every phrase still means one."""
    if aspect == "name":
        return made_up_name(rng) if rng.random() < 0.5 else one_of(rng, tuple(WORLD.names.values()))
    if aspect in ("colour", "shape"):
        assert cell is not None, "what is said of looks is said of a thing on the picture"
        glyph, colour = view.scene.at(cell)
        kinds = [Kind(each, colour) for each in GLYPHS] if aspect == "shape" else [Kind(glyph, each) for each in COLOURS]
        other = one_of(rng, [kind for kind in kinds if kind not in view.scene.cells])
        return other.glyph if aspect == "shape" else other.colour
    if rng.random() < 0.45:
        return one_of(rng, VALUES[FACT_OF[aspect]])
    words = int(rng.integers(6, 11)) if rng.random() < 0.2 else int(rng.integers(1, 4))
    return " ".join(one_of(rng, FILLER) if rng.random() < 0.5 else said_again(rng) for _ in range(words))
