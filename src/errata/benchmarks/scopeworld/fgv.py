"""`scopeworld-fgv`: image-reach corrections, each with fine-grained questions on the same picture; the FGVEdit setting.

A question is in scope when its answer differs between the picture and the corrected picture; nobody judges. A pair is *hard* when
the words of edit and question leave that open. Hard pairs come in twos, one in scope and one out, alike in family, wording and form
of reference, so that whoever reads the words alone stays at chance (`fgv_hard` draws them).

Every scene belongs to one split by its own digest, one in four to "test": no scene is shared, whatever the seeds. The splits also
differ in handwriting, and the held-out wordings are asked in "test" alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from errata.benchmarks.scopeworld.corrections import ImageCorrection, draw_image_correction, image_in_scope
from errata.benchmarks.scopeworld.fgv_hard import hard_twins
from errata.benchmarks.scopeworld.knowledge import EDITABLE_KINDS, RELATIONS, WORLD, Kind
from errata.benchmarks.scopeworld.lessons import Topic, draw_question
from errata.benchmarks.scopeworld.questions import (
    LESSON_WORDINGS,
    SECOND,
    TRAINED_WORDINGS,
    WORDINGS,
    Family,
    Question,
    Ref,
    View,
    references,
)
from errata.benchmarks.scopeworld.scenes import Hand, Scene, lightly_changed, picture, random_scene
from errata.benchmarks.scopeworld.stream import pool_questions
from errata.core.benchmark import UNCHANGED, Case, Pair, Probe, check_drawn
from errata.core.canonical import JSON, digest_of_json
from errata.core.counted import counted
from errata.core.errors import BadInput, quoted
from errata.core.images import Image
from errata.core.records import Edit, Query

NAME = "scopeworld-fgv"

Split = Literal["train", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
SHARE = 4
"""One scene in so many is for "test"; the others are for "train"."""

IN_SCOPE = ("reliability", "text_generality", "image_generality", "specificity_in")
OUT_OF_SCOPE = ("specificity_out", "near_locality", "words_locality", "image_locality", "text_locality")
KINDS_OF_PROBE = (*IN_SCOPE, *OUT_OF_SCOPE)

_REDRAWN = 0.25
"""How often the other picture of a near probe shows the very same things in the same places."""

_SAME_KIND = 0.35
"""How often it has the corrected kind among its things."""

_HAND: dict[Split, Hand] = {"train": "train", "test": "held_out"}
_LOOKS: tuple[Family, ...] = ("recognition", "colour", "shape", "name", *RELATIONS, *SECOND.values())
_ELSEWHERE: tuple[Topic, ...] = ("recognition", "name", "count", "fact", "second", "is_attribute")


@dataclass(frozen=True)
class Drawn:
    """One probe as a structure: what is asked of which view, and whether it is hard."""

    kind: str
    question: Question
    view: View | None
    """How the picture is understood before the correction; None for a question without a picture."""

    same_picture: bool
    query: Query
    hard: bool = False

    def probe(self, correction: ImageCorrection) -> Probe:
        """The probe with what it must do, worked out from the world."""
        if not self.in_scope(correction):
            return Probe(self.kind, self.query, UNCHANGED)
        assert self.view is not None, "a question without a picture is never in scope of a picture's correction"
        answer = self.question.answer(WORLD, correction.view(self.view))
        assert answer is not None, f"{self.question} has an answer on the corrected picture"
        return Probe(self.kind, self.query, answer)

    def in_scope(self, correction: ImageCorrection) -> bool:
        """Whether the correction changes the answer."""
        if self.view is None:
            return False
        label = image_in_scope(correction, self.question, self.view, same_picture=self.same_picture)
        assert label is not None, f"{self.question} applies to the corrected picture"
        return label


@dataclass(frozen=True)
class _Drawing:
    correction: ImageCorrection
    edit: Edit
    drawn: tuple[Drawn, ...]


class ScopeWorldFGV:
    """Image-reach corrections of ScopeWorld with fine-grained probes; any number is drawn on demand.

    Args:
        seed: draws edits, scenes and wordings.
        edits: how many, at least 1.
        split: "train" for whoever learns a scope, "test" for figures. For 3:1, `edits` is three times as large for "train".

    Raises:
        BadInput: `edits` below 1, `seed` negative, or no such split.
    """

    def __init__(self, *, seed: int, edits: int, split: Split = "test") -> None:
        check_drawn(seed=seed, edits=edits, what="benchmark")
        if split not in SPLITS:
            raise BadInput(f"There is no split {quoted(split)}. Use one of: {', '.join(SPLITS)}.")
        self.seed = seed
        self.split = split
        self._edits = edits
        self._drawings: dict[int, _Drawing] = {}

    @property
    def name(self) -> str:
        return NAME

    @cached_property
    def digest(self) -> str:
        """A digest of the split's every edit and probe, with the labels."""
        told: list[JSON] = []
        for index in range(len(self)):
            edit = self[index].edit.id
            told.append([edit, *([pair.kind, pair.query.digest, pair.in_scope, pair.hard] for pair in self.pairs(index))])
        return digest_of_json(told)

    def __len__(self) -> int:
        return self._edits

    def __getitem__(self, index: int) -> Case:
        """An edit with its probes."""
        drawing = self._drawing(index)
        return Case(drawing.edit, tuple(drawn.probe(drawing.correction) for drawn in drawing.drawn))

    def pairs(self, index: int) -> Sequence[Pair]:
        """The edit with each of its probes, labelled; see `core.benchmark.FineGrained`."""
        drawing = self._drawing(index)
        return [
            Pair(drawing.edit, drawn.query, drawn.in_scope(drawing.correction), drawn.kind, drawn.hard) for drawn in drawing.drawn
        ]

    def correction(self, index: int) -> ImageCorrection:
        """The correction as a structure."""
        return self._drawing(index).correction

    def drawn(self, index: int) -> tuple[Drawn, ...]:
        """The probes as structures."""
        return self._drawing(index).drawn

    def truth(self, horizon: int) -> Sequence[Case]:
        """The first `horizon` cases: each is about a picture of its own, so that none changes what another one entails."""
        return [self[index] for index in range(horizon)]

    def pool(self) -> Sequence[Query]:
        """Ordinary queries about kinds that no edit and no probe is about, half of them on pictures."""
        return [item.query for item in pool_questions(self.seed)]

    def _drawing(self, index: int) -> _Drawing:
        if not 0 <= index < len(self):
            raise IndexError(f"the split has {counted(len(self), 'edit')}; there is no number {index}")
        if index not in self._drawings:
            rng = np.random.default_rng([self.seed, 6, SPLITS.index(self.split), index])
            self._drawings[index] = _draw(rng, self.split)
        return self._drawings[index]


def split_of(scene: Scene) -> Split:
    """The split that a scene belongs to."""
    cells = [None if kind is None else kind.words for kind in scene.cells]
    return "test" if int(digest_of_json(cells)[:8], 16) % SHARE == 0 else "train"


def training_pairs(*, seed: int, edits: int) -> Iterator[Pair]:
    """What a scope learns from: the pairs of the train split, in order; drawn as they are asked for."""
    fgv = ScopeWorldFGV(seed=seed, edits=edits, split="train")
    for index in range(edits):
        yield from fgv.pairs(index)


@dataclass(frozen=True)
class _Desk:
    """What drawing one case needs at hand."""

    split: Split
    rng: np.random.Generator

    def scene(self, fits: Callable[[Scene], bool] = lambda scene: True, *, must: Sequence[Kind] = ()) -> Scene:
        """A scene of the split that fits."""
        while True:
            scene = random_scene(self.rng, must=must, among=EDITABLE_KINDS)
            if split_of(scene) == self.split and fits(scene):
                return scene

    def image(self, scene: Scene) -> Image:
        return picture(scene, self.rng, hand=_HAND[self.split])

    def index(self, count: int) -> int:
        return int(self.rng.integers(count))

    def wording(self) -> int:
        """Any wording, in the train split none that is held out."""
        return LESSON_WORDINGS[self.index(len(LESSON_WORDINGS))] if self.split == "train" else self.index(WORDINGS)

    def rephrasings(self, wording: int) -> tuple[int, int]:
        """Two wordings other than the edit's: the held-out ones, or any that lessons use."""
        if self.split == "test":
            return TRAINED_WORDINGS, TRAINED_WORDINGS + 1
        others = self.rng.permutation([each for each in LESSON_WORDINGS if each != wording])
        return int(others[0]), int(others[1])


def _draw(rng: np.random.Generator, split: Split) -> _Drawing:
    desk = _Desk(split, rng)
    while True:
        correction = draw_image_correction(rng)
        if split_of(correction.scene) != split:
            continue
        asked = _edits_question(correction, desk)
        twins = hard_twins(correction, asked, rng)
        easy = _easy(correction, asked, desk)
        if twins is not None and easy is not None:
            break
    scene, wording = correction.scene, desk.index(TRAINED_WORDINGS)
    image, view = desk.image(scene), View(scene)
    query = Query.ask(asked.ask(wording), image)
    edit = Edit(query, correction.value, reach="image", subject=scene.at(correction.cell).words)

    def here(kind: str, question: Question, said: int, *, hard: bool = False, seen: Image = image) -> Drawn:
        return Drawn(kind, question, view, True, Query.ask(question.ask(said), seen), hard)

    hard_wording = desk.wording()
    changed = list(lightly_changed(image).values())
    left_out = desk.index(len(changed))
    drawn = (
        here("reliability", asked, wording),
        *(here("text_generality", asked, other) for other in desk.rephrasings(wording)),
        *(here("image_generality", asked, wording, hard=True, seen=seen) for i, seen in enumerate(changed) if i != left_out),
        here("specificity_in", twins[0], hard_wording, hard=True),
        here("specificity_in", easy[0], desk.wording()),
        here("specificity_out", twins[1], hard_wording, hard=True),
        here("specificity_out", easy[1], wording if easy[1].family == asked.family else desk.wording()),
        *(_near(correction, asked, wording, desk) for _ in range(2)),
        *_in_words(correction, asked, wording, desk),
        *_unrelated(correction, desk),
    )
    return _Drawing(correction, edit, drawn)


def _edits_question(correction: ImageCorrection, desk: _Desk) -> Question:
    """What the edit answers, its entity named in any way that still means it on the corrected picture."""
    family, scene = correction.question.family, correction.scene
    corrected = correction.view(View(scene))
    fitting = [
        ref
        for ref in references(scene, correction.cell)
        if Question(family, ref).answer(WORLD, corrected) == correction.value and ref.resolve(corrected.scene) == correction.cell
    ]
    forms = sorted({ref.form for ref in fitting})
    form = forms[desk.index(len(forms))]
    refs = [ref for ref in fitting if ref.form == form]
    return Question(family, refs[desk.index(len(refs))])


def _easy(correction: ImageCorrection, asked: Question, desk: _Desk) -> tuple[Question, Question] | None:
    """A question of the edit's own words that it entails, and one that it doesn't: another fact, or its entity's neighbour."""
    scene, view = correction.scene, View(correction.scene)
    about = [Question(family, asked.ref) for family in _LOOKS if family != asked.family]
    labels = [image_in_scope(correction, question, view, same_picture=True) for question in about]
    inside = [question for question, label in zip(about, labels, strict=True) if label is True]
    if correction.aspect == "name":
        inside.append(Question("is_attribute", asked.ref, (f"called {correction.value}",)))
    outside = [question for question, label in zip(about, labels, strict=True) if label is False]
    neighbours = [
        Question(asked.family, ref)
        for cell in scene.filled
        if cell != correction.cell
        for ref in references(scene, cell)
        if asked.ref is not None and ref.form == asked.ref.form
    ]
    neighbours = [each for each in neighbours if image_in_scope(correction, each, view, same_picture=True) is False]
    others = neighbours if neighbours and (not outside or desk.rng.random() < 0.5) else outside
    if not inside or not others:
        return None
    return inside[desk.index(len(inside))], others[desk.index(len(others))]


def _near(correction: ImageCorrection, asked: Question, wording: int, desk: _Desk) -> Drawn:
    """The edit's own words on another picture, where they mean something too."""
    kind, chance = correction.scene.at(correction.cell), desk.rng.random()

    def fits(scene: Scene) -> bool:
        return asked.answer(WORLD, View(scene)) is not None and scene != correction.scene

    must = (kind,) if chance < _REDRAWN + _SAME_KIND else ()
    scene = correction.scene if chance < _REDRAWN else desk.scene(fits, must=must)
    return Drawn("near_locality", asked, View(scene), False, Query.ask(asked.ask(wording), desk.image(scene)), hard=True)


def _in_words(correction: ImageCorrection, asked: Question, wording: int, desk: _Desk) -> Iterator[Drawn]:
    """The edit's wording without any picture, about the kind that it was taken for, and another fact of that kind."""
    kind = correction.scene.at(correction.cell)
    ref = Ref.description(kind) if asked.family == "name" else Ref.name(WORLD, kind)
    relation = RELATIONS[desk.index(len(RELATIONS))]
    for question, said in ((Question(asked.family, ref), wording), (Question(relation, Ref.description(kind)), desk.wording())):
        yield Drawn("words_locality", question, None, False, Query.ask(question.ask(said)))


def _unrelated(correction: ImageCorrection, desk: _Desk) -> Iterator[Drawn]:
    """Pictures and questions that have nothing to do with the edit, and questions in words on strangers."""
    kind = correction.scene.at(correction.cell)
    strangers = tuple(other for other in EDITABLE_KINDS if other.glyph != kind.glyph and other.colour != kind.colour)
    for _ in range(2):
        scene = desk.scene(lambda scene: all(scene.at(cell) in strangers for cell in scene.filled))
        question = draw_question(_ELSEWHERE[desk.index(len(_ELSEWHERE))], scene, desk.rng)
        yield Drawn("image_locality", question, View(scene), False, Query.ask(question.ask(desk.wording()), desk.image(scene)))
    topics: tuple[Topic, ...] = ("arithmetic", "fact_by_name")
    for topic in topics:
        question = draw_question(topic, correction.scene, desk.rng, among=strangers)
        yield Drawn("text_locality", question, None, False, Query.ask(question.ask(desk.wording())))
