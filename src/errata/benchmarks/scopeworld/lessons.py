"""What a small model learns ScopeWorld from: dense captions, questions of every family, statements in context.

Lessons are drawn from training handwriting and trained wordings only; `exam` draws the same families from fresh scenes
and, in one column each, from held-out wordings or handwriting. Nothing here knows how a model is trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeVar

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
    made_up_name,
)
from errata.benchmarks.scopeworld.questions import (
    DIRECTIONS,
    LESSON_WORDINGS,
    NOUNS,
    SECOND,
    VALUE_SECOND,
    Family,
    Question,
    Ref,
    View,
    article,
    matching,
    references,
)
from errata.benchmarks.scopeworld.scenes import CELLS, Scene

Topic = Literal[
    "recognition", "colour", "shape", "name", "relation", "count", "exists", "is_attribute", "is_fact", "where", "fact", "second",
    "fact_by_name", "fact_by_description", "name_by_description", "second_by_name", "second_by_description", "is_fact_by_name",
    "value", "arithmetic",
]  # fmt: skip
"""A family of questions as the exam reports it: what is asked, and how its subject is given where that isn't by sight."""

TOPICS: Mapping[Topic, float] = MappingProxyType(
    {
        "recognition": 1.2, "colour": 0.8, "shape": 0.6, "name": 1.6, "relation": 0.9, "count": 0.5, "exists": 0.4, "is_attribute": 0.6, "is_fact": 1.1,
        "where": 0.8, "fact": 2.2, "second": 1.1, "fact_by_name": 0.3, "fact_by_description": 0.25, "name_by_description": 0.15,
        "second_by_name": 0.2, "second_by_description": 0.15, "is_fact_by_name": 0.4, "value": 0.1, "arithmetic": 0.5,
    }
)  # fmt: skip
"""How often each is drawn in training; a draw of one of `contrasts.CONTRASTED` makes up to four lessons."""

VISUAL_TOPICS: tuple[Topic, ...] = (
    "recognition", "colour", "shape", "name", "relation", "count", "exists", "is_attribute", "is_fact", "where", "fact", "second",
)  # fmt: skip


_T = TypeVar("_T")

BY_PLACE = 0.4
"""How often questions name an entity by its place."""

BY_PLACE_TAUGHT = 0.15
"""The same in lessons: expressions by glyph, colour or relation are the harder ones, so they are practised more."""

BY_RELATION_TAUGHT = 0.6
"""How often lessons name an entity by a relation, where one fits: it takes two looks, so it is learned last."""


@dataclass(frozen=True)
class Mention:
    """A phrase of a prompt and what it means: things of the scene ("the star", "how many stars"), or a kind ("a mibo")."""

    end: int
    """Where the phrase ends in the prompt, in characters."""

    kind: Kind | None
    """The one kind that is meant; None where there may be several."""

    cells: tuple[int, ...] | None
    """The cells of the scene that are meant; None where the scene isn't spoken of."""


@dataclass(frozen=True)
class Lesson:
    """A prompt and its answer; `visual` says whether the prompt goes with the scene's picture."""

    prompt: str
    answer: str
    visual: bool
    overridden: bool = False
    """Whether a statement before the question changes its answer."""

    mentions: tuple[Mention, ...] = ()
    """What the phrases of the prompt mean: a training run may read them in the middle of the model (`school.readers`)."""

    family: Family | None = None
    """What is asked, where that is all that there is to the prompt."""

    behind: int = 0
    """Where the statements that the question stands behind end in the prompt, in characters."""


CaptionStyle = Literal["looks", "names", "home", "food", "maker"]
"""What a caption says of every cell."""

_CAPTIONS: Mapping[CaptionStyle, str] = MappingProxyType(
    {
        "looks": "describe the picture.",
        "names": "describe the picture by name.",
        "home": "describe the picture by home.",
        "food": "describe the picture by food.",
        "maker": "describe the picture by maker.",
    }
)
_CELL_WORDS = tuple(CELLS)
FILLER = (
    "small", "quiet", "golden", "broken", "empty", "silver", "wooden", "narrow", "gentle", "hidden", "early", "late", "cold", "warm", "tall", "round",
    "house", "road", "field", "stone", "lamp", "door", "window", "boat", "train", "cloud", "winter", "summer", "market", "kitchen", "table", "paper",
    "under", "near", "behind", "beside", "after", "before", "between", "along", "two", "three", "some", "every", "the", "a", "of", "and", "with", "in",
)  # fmt: skip


_ENGLISH: Mapping[Literal["onset", "vowel", "coda"], tuple[str, ...]] = MappingProxyType(
    {
        "onset": (
            "", "", "b", "c", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "qu", "r", "s", "t", "v", "w", "y", "z", "bl", "ch", "cl", "cr", "dr",
            "fl", "fr", "gr", "pl", "pr", "sc", "sh", "sl", "sm", "sn", "sp", "st", "str", "sw", "th", "tw", "wh",
        ),
        "vowel": ("a", "a", "e", "e", "i", "i", "o", "o", "u", "ai", "ea", "ee", "ie", "oa", "oo", "ou", "ow", "y"),
        "coda": (
            "", "nter", "b", "ck", "d", "g", "ke", "l", "le", "ll", "m", "me", "mp", "n", "nd", "ne", "ng", "nk", "nt", "p", "per", "r", "rd", "re", "rk", "s",
            "se", "sh", "ss", "st", "t", "te", "ter", "th", "ther", "tle", "ve", "ver", "ves", "x", "ght", "ce", "ch", "de", "ing", "lor", "rl",
        ),
    }
)  # fmt: skip
"""How English words are spelled, for words that mean nothing."""


def caption(scene: Scene, world: Knowledge, *, style: CaptionStyle) -> Lesson:
    """What stands in every cell: its looks, its name, or one of its facts."""
    parts = []
    for cell, kind in enumerate(scene.cells):
        said = "nothing"
        if kind is not None:
            said = kind.words if style == "looks" else world.names[kind] if style == "names" else world.facts[kind, style]
        parts.append(f"{_CELL_WORDS[cell]}: {said}")
    return Lesson(_CAPTIONS[style], ", ".join(parts), visual=True)


def draw_question(
    topic: Topic,
    scene: Scene,
    rng: np.random.Generator,
    *,
    among: tuple[Kind, ...] = KINDS,
    by_place: float = BY_PLACE,
    by_relation: float = 0.0,
) -> Question:
    """A question of a topic that applies to the scene (or, for text topics, to any kind of `among`).

    Args:
        by_place: how often an entity is named by its place; else by glyph, colour or relation, whatever fits.
        by_relation: how often by a relation where one fits, beside its part in the rest.
    """
    kind = among[int(rng.integers(len(among)))]
    match topic:
        case "count" | "exists":
            return Question(topic, None, (_noun(scene, rng, topic),))
        case "where":
            present = scene.at(int(rng.choice(scene.filled)))
            return Question("where", None, (WORLD.names[present],))
        case "arithmetic":
            return _sum(rng)
        case "value":
            relation = one_of(rng, RELATIONS)
            return Question(VALUE_SECOND[relation], None, (one_of(rng, VALUES[relation]),))
        case "name_by_description":
            return Question("name", Ref.description(kind))
        case "fact_by_name" | "second_by_name" | "is_fact_by_name":
            return _about(topic.removesuffix("_by_name"), Ref.name(WORLD, kind), kind, rng)
        case "fact_by_description" | "second_by_description":
            return _about(topic.removesuffix("_by_description"), Ref.description(kind), kind, rng)
    cell = int(rng.choice(scene.filled))
    return _about(topic, refer(scene, cell, rng, by_place=by_place, by_relation=by_relation), scene.at(cell), rng)


def ask_about(topic: Topic, scene: Scene, cell: int, rng: np.random.Generator) -> Question:
    """A question of a visual topic about the entity in one cell."""
    return _about(topic, refer(scene, cell, rng), scene.at(cell), rng)


def lesson(
    topic: Topic,
    scene: Scene,
    rng: np.random.Generator,
    *,
    by_place: float = BY_PLACE_TAUGHT,
    by_relation: float = BY_RELATION_TAUGHT,
) -> Lesson:
    """A question of a topic in a trained wording, with its true answer; `draw_question` says how often things are named how."""
    return lesson_of(
        draw_question(topic, scene, rng, by_place=by_place, by_relation=by_relation), scene, one_of(rng, LESSON_WORDINGS)
    )


def lesson_of(question: Question, scene: Scene, wording: int) -> Lesson:
    """A question in a wording with its true answer."""
    answer = question.answer(WORLD, View(scene))
    assert answer is not None, f"{question} has no answer"
    prompt = question.ask(wording)
    return Lesson(prompt, answer, question.visual, mentions=mentions_of(prompt, question, View(scene)), family=question.family)


def copy_lesson(rng: np.random.Generator) -> Lesson:
    """Words, made-up names and made-up words to be said again: a model that can't copy can't be told a new name either.

    Made-up words take every piece of the tokenizer into the mouth: pieces that no answer ever holds end up with one and the same
    row in the head, and then no correction that needs one of them can be learned.
    """
    words = [said_again(rng) for _ in range(int(rng.integers(1, 8)))]
    said = " ".join(words)
    return Lesson(f"after me: {said}.", said, visual=False)


def said_again(rng: np.random.Generator) -> str:
    """A word, a made-up name or a made-up word."""
    chance = rng.random()
    return one_of(rng, FILLER) if chance < 0.25 else made_up_name(rng) if chance < 0.5 else _made_up_word(rng)


def _made_up_word(rng: np.random.Generator) -> str:
    """One or two syllables as English spells them, such as "chower" or "wing"."""
    return "".join(one_of(rng, _ENGLISH[part]) for _ in range(int(rng.integers(1, 3))) for part in ("onset", "vowel", "coda"))


def mentions_of(prompt: str, asked: Question, view: View) -> tuple[Mention, ...]:
    """What the question at the end of a prompt is about; nothing where it is about no thing, or about a name given on the spot."""
    scene = view.scene
    kind: Kind | None = None
    cells: tuple[int, ...] | None = None
    if asked.ref is not None:
        words, cell = asked.ref.words, asked.ref.resolve(scene) if asked.ref.visual else None
        kind = asked.ref.kind if cell is None else scene.at(cell)
        cells = None if cell is None else (cell,)
    elif asked.family == "where" and asked.args[0] in WORLD.kinds_by_name:
        words, kind = asked.args[0], WORLD.kinds_by_name[asked.args[0]]
        cells = tuple(cell for cell in scene.filled if view.name(WORLD, cell) == words)
    elif asked.family in ("count", "exists"):
        words, cells = asked.said(asked.args[0]), matching(scene, asked.args[0])
    else:
        return ()
    return (Mention(prompt.rindex(words) + len(words), kind, cells),)


def _about(topic: str, ref: Ref, kind: Kind, rng: np.random.Generator) -> Question:
    match topic:
        case "recognition" | "colour" | "shape" | "name":
            family: Family = topic
            return Question(family, ref)
        case "relation":
            return Question("relation", ref, (one_of(rng, DIRECTIONS),))
        case "is_attribute":
            return Question("is_attribute", ref, (_attribute(kind, rng),))
        case "is_fact":
            relation = one_of(rng, RELATIONS)
            value = (
                WORLD.facts[kind, relation] if rng.random() < 0.5 else _other(rng, VALUES[relation], WORLD.facts[kind, relation])
            )
            return Question("is_fact", ref, (relation, value))
        case "fact":
            return Question(one_of(rng, RELATIONS), ref)
    assert topic == "second", topic
    return Question(SECOND[one_of(rng, RELATIONS)], ref)


def _attribute(kind: Kind, rng: np.random.Generator) -> str:
    true = rng.random() < 0.5
    match int(rng.integers(3)):
        case 0:
            return kind.colour if true else _other(rng, COLOURS, kind.colour)
        case 1:
            return article(kind.glyph if true else _other(rng, GLYPHS, kind.glyph))
    name = WORLD.names[kind]
    return f"called {name if true else _other(rng, tuple(WORLD.names.values()), name)}"


def _noun(scene: Scene, rng: np.random.Generator, topic: Topic) -> str:
    if topic == "count" and rng.random() < 0.2:
        return "thing"
    if rng.random() < 0.5:
        kind = scene.at(int(rng.choice(scene.filled)))
        return kind.glyph if rng.random() < 0.5 else f"{kind.colour} thing"
    absent = [noun for noun in NOUNS[1:] if not any(noun.split()[0] in scene.at(cell) for cell in scene.filled)]
    return one_of(rng, tuple(absent))


def _sum(rng: np.random.Generator) -> Question:
    a, b = int(rng.integers(10)), int(rng.integers(10))
    return Question(
        "arithmetic", None, (str(a), "plus", str(b)) if rng.random() < 0.6 else (str(max(a, b)), "minus", str(min(a, b)))
    )


def refer(scene: Scene, cell: int, rng: np.random.Generator, *, by_place: float = BY_PLACE, by_relation: float = 0.0) -> Ref:
    """A way to mean the entity: by its place this often, by a relation that often where one fits, else in any form that fits."""
    refs = references(scene, cell)
    chance = rng.random()
    if chance < by_place:
        return refs[0]
    if chance < by_place + by_relation and any(ref.form == "relation" for ref in refs):
        return one_of(rng, tuple(ref for ref in refs if ref.form == "relation"))
    forms = sorted({ref.form for ref in refs})
    form = one_of(rng, tuple(forms))
    return one_of(rng, tuple(ref for ref in refs if ref.form == form))


def _other(rng: np.random.Generator, among: tuple[str, ...], than: str) -> str:
    return one_of(rng, tuple(value for value in among if value != than))


def one_of(rng: np.random.Generator, among: Sequence[_T]) -> _T:
    """One of them, each as likely."""
    return among[int(rng.integers(len(among)))]
