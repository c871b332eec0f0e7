"""`scopeworld-stream`: kind-reach corrections one after another, each with probes of every kind; the E-VQA / VLKEB setting.

A horizon is scored against the world with all corrections so far: a probe that another correction entails is scored against that
correction's answer, as "cross_edit", and a correction that a later one overrules is no longer scored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from errata.benchmarks.scopeworld import more
from errata.benchmarks.scopeworld.corrections import FactCorrection, correct_again, draw_fact_correction
from errata.benchmarks.scopeworld.desk import Asked, Desk
from errata.benchmarks.scopeworld.knowledge import EDITABLE_KINDS, POOL_KINDS, RELATIONS, WORLD, Kind, Knowledge, Relation
from errata.benchmarks.scopeworld.lessons import Topic, ask_about, draw_question
from errata.benchmarks.scopeworld.questions import SECOND, TRAINED_WORDINGS, Question, Ref, View, references
from errata.benchmarks.scopeworld.scenes import Scene, picture, random_scene
from errata.core.benchmark import UNCHANGED, Case, Probe, check_drawn, digest_of_cases
from errata.core.counted import counted
from errata.core.errors import BadInput
from errata.core.images import Image
from errata.core.records import Edit, Query

NAME = "scopeworld-stream"

IN_SCOPE = ("reliability", "text_generality", "image_generality", "cross_modal", "portability", "specificity_in")
OUT_OF_SCOPE = ("specificity_out", "near_locality", "image_locality", "text_locality")
KINDS_OF_PROBE = (*IN_SCOPE, *OUT_OF_SCOPE)

PROBES = ("usual", "more")
"""Which probes there can be."""

_CORRECTS_EARLIER = 0.1
_POOL = 480
_POOL_TOPICS_ON_PICTURES: tuple[Topic, ...] = ("recognition", "colour", "name", "relation", "is_fact", "fact", "fact", "second")
_POOL_TOPICS_IN_WORDS: tuple[Topic, ...] = (
    "fact_by_name",
    "fact_by_name",
    "fact_by_description",
    "second_by_name",
    "name_by_description",
)


class ScopeWorldStream:
    """A stream of kind-reach corrections of ScopeWorld.

    Args:
        seed: draws edits, scenes and wordings.
        edits: how many, at least 1.
        also: how many other wordings and views of the same fact the user gives with each edit; none of them is a probe, and
            edits and probes are those of the stream without them.
        probes: "more": after the usual probes of each edit those of `more`; edits and usual probes are those of the stream without.

    Raises:
        BadInput: `edits` below 1, `seed` or `also` negative, or other `probes`.
    """

    def __init__(self, *, seed: int, edits: int, also: int = 0, probes: str = "usual") -> None:
        check_drawn(seed=seed, edits=edits)
        if also < 0:
            raise BadInput(f"As many other wordings and views as {also} can't be given. Give 0 or more.")
        if probes not in PROBES:
            raise BadInput(f"There are no probes {probes[:200]!r}. Ask for {' or '.join(PROBES)}.")
        self.seed = seed
        self.also = also
        self.probes = probes
        self._corrections = tuple(_corrections(seed, edits))
        self._drawn: dict[int, tuple[Edit, tuple[Asked, ...]]] = {}
        self._beside: dict[int, tuple[Asked, ...]] = {}

    @property
    def name(self) -> str:
        return NAME

    @cached_property
    def digest(self) -> str:
        """A digest of the seed's every edit and probe."""
        return digest_of_cases(self)

    def __len__(self) -> int:
        return len(self._corrections)

    def __getitem__(self, index: int) -> Case:
        """An edit with its probes as they stand when it is the only one."""
        if not 0 <= index < len(self):
            raise IndexError(f"the stream has {counted(len(self), 'edit')}; there is no number {index}")
        return Case(self._case(index)[0], self._stands(index, self._corrections[index].world(WORLD)))

    def corrections(self) -> tuple[FactCorrection, ...]:
        """The corrections as structures, in order."""
        return self._corrections

    def asked(self, index: int) -> tuple[Asked, ...]:
        """The probes of one edit as structures, before anything is expected of them."""
        return self._case(index)[1]

    def asked_beside(self, index: int) -> tuple[Asked, ...]:
        """The further probes of one edit, as `more` draws them, whether or not they were asked for."""
        if index not in self._beside:
            desk = Desk(self._corrections[index], np.random.default_rng([self.seed, 5, index]))
            self._beside[index] = tuple(more.drawn(desk, self._case(index)[1][0]))
        return self._beside[index]

    def truth(self, horizon: int) -> Sequence[Case]:
        """The first `horizon` cases as they stand after all of these edits; see `core.benchmark.Stream`."""
        world, last = WORLD, dict[tuple[Kind, Relation], int]()
        for index, correction in enumerate(self._corrections[:horizon]):
            world = correction.world(world)
            last[correction.kind, correction.relation] = index
        cases = []
        for index, correction in enumerate(self._corrections[:horizon]):
            overruled = last[correction.kind, correction.relation] != index
            cases.append(Case(self._case(index)[0], () if overruled else self._stands(index, world)))
        return cases

    def pool(self) -> Sequence[Query]:
        """Ordinary queries about kinds that no edit and no probe is about, half of them on pictures."""
        return [item.query for item in pool_questions(self.seed)]

    def _stands(self, index: int, world: Knowledge) -> tuple[Probe, ...]:
        """The probes of one edit as they stand in a world, the usual ones first."""
        usual = tuple(_probes(self._case(index)[1], world))
        return usual if self.probes == "usual" else (*usual, *more.probes(self.asked_beside(index), world))

    def _case(self, index: int) -> tuple[Edit, tuple[Asked, ...]]:
        if index not in self._drawn:
            correction = self._corrections[index]
            edit, asked = _draw_case(correction, np.random.default_rng([self.seed, 2, index]))
            desk = Desk(correction, np.random.default_rng([self.seed, 4, index]))
            self._drawn[index] = replace(edit, also=tuple(_said_otherwise(desk, asked, self.also))), asked
        return self._drawn[index]


def pool_questions(seed: int) -> Iterator[Asked]:
    """The pool with its questions as structures."""
    rng = np.random.default_rng([seed, 3])
    for index in range(_POOL):
        wording = int(rng.integers(TRAINED_WORDINGS))
        scene = random_scene(rng, among=POOL_KINDS)
        topics = _POOL_TOPICS_ON_PICTURES if index % 2 else _POOL_TOPICS_IN_WORDS
        question = draw_question(topics[int(rng.integers(len(topics)))], scene, rng, among=POOL_KINDS)
        images = (picture(scene, rng, hand="train"),) if question.visual else ()
        yield Asked("pool", question, View(scene) if images else None, Query.ask(question.ask(wording), *images))


def _corrections(seed: int, count: int) -> Iterator[FactCorrection]:
    rng = np.random.default_rng([seed, 1])
    taken: dict[tuple[Kind, Relation], str] = {}
    for _ in range(count):
        if taken and rng.random() < _CORRECTS_EARLIER:
            kind, relation = list(taken)[int(rng.integers(len(taken)))]
            correction = correct_again(kind, relation, taken[kind, relation], rng)
        else:
            correction = draw_fact_correction(rng, taken=taken)
        taken[correction.kind, correction.relation] = correction.value
        yield correction


def _probes(asked: Sequence[Asked], world: Knowledge) -> Iterator[Probe]:
    for item in asked:
        before, now = item.question.answer(WORLD, item.view), item.question.answer(world, item.view)
        assert before is not None or item.kind in IN_SCOPE, f"an out-of-scope probe needs an answer: {item.question}"
        if item.kind in IN_SCOPE:
            if now is not None and now != before:
                yield Probe(item.kind, item.query, now)
        elif now is None:
            continue
        else:
            yield Probe(item.kind, item.query, UNCHANGED) if now == before else Probe("cross_edit", item.query, now)


def _draw_case(correction: FactCorrection, rng: np.random.Generator) -> tuple[Edit, tuple[Asked, ...]]:
    desk = Desk(correction, rng)
    kind, relation = correction.kind, correction.relation
    scene = desk.scene(kind, count=int(rng.integers(2, 5)))
    cell, image, view = scene.cells.index(kind), desk.image(scene), View(scene)
    refs = references(scene, cell)
    ref, wording = desk.one(refs), desk.wording(0, TRAINED_WORDINGS)
    asked = desk.asked("reliability", Question(relation, ref), wording=wording, view=view, image=image)
    edit = Edit(asked.query, correction.value, reach="kind", subject=kind.words)
    other = desk.one([other for other in refs if other != ref] or [ref])
    here = [
        asked,
        desk.asked("text_generality", Question(relation, ref), wording=4, view=view, image=image),
        desk.asked("text_generality", Question(relation, other), wording=5, view=view, image=image),
        desk.asked("portability", Question(SECOND[relation], desk.one(refs)), wording=desk.wording(), view=view, image=image),
        *(
            desk.asked(
                "specificity_in",
                Question("is_fact", desk.one(refs), (relation, value)),
                wording=desk.wording(),
                view=view,
                image=image,
            )
            for value in (correction.value, WORLD.facts[kind, relation])
        ),
        *_specificity_out(desk, scene, cell, wording, image),
    ]
    return edit, (*here, *_elsewhere(desk, wording), *_in_words(desk), *_localities(desk, wording))


def _said_otherwise(desk: Desk, asked: Sequence[Asked], count: int) -> Iterator[Query]:
    """The edit's question in another trained wording, in turn of its own picture and of another one with the same kind."""
    view, (own,) = asked[0].view, asked[0].query.images
    assert view is not None, "an edit of a stream is asked of a picture"
    kind, taken = desk.correction.kind, {item.query.digest for item in asked}
    given = 0
    while given < count:
        scene = desk.scene(kind) if given % 2 else view.scene
        image = desk.image(scene) if given % 2 else own
        question = Question(desk.correction.relation, desk.one(references(scene, scene.cells.index(kind))))
        query = Query.ask(question.ask(desk.wording(0, TRAINED_WORDINGS)), image)
        if query.digest not in taken:
            taken.add(query.digest)
            given += 1
            yield query


def _specificity_out(desk: Desk, scene: Scene, cell: int, wording: int, image: Image) -> Iterator[Asked]:
    """The same picture: its other entities under the edit's wording, other facts of the same entity, and any other question."""
    view, relation = View(scene), desk.correction.relation
    neighbour = int(desk.rng.choice([other for other in scene.filled if other != cell]))
    yield desk.asked(
        "specificity_out", Question(relation, desk.one(references(scene, neighbour))), wording=wording, view=view, image=image
    )
    others = [other for other in RELATIONS if other != relation]
    fact = others[int(desk.rng.integers(len(others)))]
    yield desk.asked(
        "specificity_out", Question(fact, desk.one(references(scene, cell))), wording=desk.wording(), view=view, image=image
    )
    looks: tuple[Topic, ...] = ("recognition", "colour", "name", "relation", "count")
    topic = looks[int(desk.rng.integers(len(looks)))]
    question = draw_question(topic, scene, desk.rng) if topic == "count" else ask_about(topic, scene, cell, desk.rng)
    yield desk.asked("specificity_out", question, wording=desk.wording(), view=view, image=image)


def _elsewhere(desk: Desk, wording: int) -> Iterator[Asked]:
    """Other pictures of the same kind, the edit's wording."""
    for _ in range(2):
        scene = desk.scene(desk.correction.kind)
        refs = references(scene, scene.cells.index(desk.correction.kind))
        question = Question(desk.correction.relation, desk.one(refs))
        yield desk.asked("image_generality", question, wording=wording, view=View(scene), image=desk.image(scene))


def _in_words(desk: Desk) -> Iterator[Asked]:
    """The same fact, and what follows from it, asked without any image."""
    kind, relation = desk.correction.kind, desk.correction.relation
    for ref in (Ref.name(WORLD, kind), Ref.description(kind)):
        yield desk.asked("cross_modal", Question(relation, ref), wording=desk.wording())
    yield desk.asked("portability", Question(SECOND[relation], Ref.name(WORLD, kind)), wording=desk.wording())


def _localities(desk: Desk, wording: int) -> Iterator[Asked]:
    kind, relation, rng = desk.correction.kind, desk.correction.relation, desk.rng
    for near in (
        [other for other in EDITABLE_KINDS if other.colour == kind.colour and other != kind],
        [other for other in EDITABLE_KINDS if other.glyph == kind.glyph and other != kind],
    ):
        subject = near[int(rng.integers(len(near)))]
        scene = desk.scene(subject, without=True)
        refs = references(scene, scene.cells.index(subject))
        question = Question(relation, desk.one(refs))
        yield desk.asked("near_locality", question, wording=wording, view=View(scene), image=desk.image(scene))
    topics: tuple[Topic, ...] = ("recognition", "name", "count", "fact", "second", "is_attribute")
    for _ in range(2):
        scene = desk.scene(without=True)
        question = draw_question(topics[int(rng.integers(len(topics)))], scene, rng)
        yield desk.asked("image_locality", question, wording=desk.wording(), view=View(scene), image=desk.image(scene))
    strangers = tuple(other for other in EDITABLE_KINDS if other != kind)
    for topic in ("arithmetic", "fact_by_name", "fact_by_description"):
        yield desk.asked(
            "text_locality", draw_question(topic, Scene((kind, None, None, None)), rng, among=strangers), wording=desk.wording()
        )
