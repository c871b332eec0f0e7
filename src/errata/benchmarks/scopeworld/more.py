"""More probes of a correction than the stream's usual ones: negations, wrong values, namesakes, and how people really write.

They come after the usual probes of each edit (`errata bench scopeworld-stream --probes more`), from a source of chance of their
own, so the usual ones are the same to the byte with them and without, and no class of an edit (proper, strict, ...) asks for them.

What a probe expects is what is true in the edited world, where the shipped LLaVA can read such a question at all. It takes no heed
of "not", and no capital but the first is among its words: asked so, its answer must stay as it was. For capitals that is since the
subject can't be read either, so whoever gives the new value gives it of any subject; for "where does it not live?" since only the
new value would be wrong. docs/scopeworld.md has how often it is right on facts that nobody edited.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from errata.benchmarks.scopeworld.corrections import FactCorrection
from errata.benchmarks.scopeworld.desk import Asked, Desk
from errata.benchmarks.scopeworld.knowledge import EDITABLE_KINDS, VALUES, WORLD, Knowledge, Relation
from errata.benchmarks.scopeworld.questions import Question, Ref, View, references
from errata.core.benchmark import UNCHANGED, Probe
from errata.core.records import Query

GIVEN = ("sentence_before", "capital", "typo")
"""The corrected fact, asked as people write: the new value is expected."""

WRONG = ("wrong_value",)
"""Is it this? Neither this nor the old value is right, or the new value is another's: "no"."""

STAYS = ("negation", "same_old_value", "capitals")
"""The answer must stay what the unedited model gives."""

KINDS_OF_PROBE = (*GIVEN, *WRONG, *STAYS)

SENTENCES = ("i have a question.", "look at this.", "a friend of mine would like to know.")
"""Said in front of a question; they ask nothing."""

NEGATED: Mapping[Relation, str] = {
    "home": "where does {r} not live?",
    "food": "what does {r} not eat?",
    "maker": "who did not make {r}?",
}

_CAPITAL_FROM = 2
"""Wordings from this one on are read as well with a capital as without: of "What is the home of ...?" the model makes nothing."""

_TYPO_IN = 3
"""The wording whose words are read with a letter missing."""

_SHORTEST = 4
"""Letters of a word that may lack one."""


def drawn(desk: Desk, first: Asked) -> Iterator[Asked]:
    """The further probes of a correction whose own question is `first`: on its picture, then in words."""
    correction, (image,) = desk.correction, first.query.images
    assert first.view is not None, "an edit of a stream is asked of a picture"
    kind, relation, scene = correction.kind, correction.relation, first.view.scene
    on_picture, in_words = desk.one(references(scene, scene.cells.index(kind))), Ref.name(WORLD, kind)
    for ref, view, images in ((on_picture, first.view, (image,)), (in_words, None, ())):
        fact, wrong = Question(relation, ref), Question("is_fact", ref, (relation, _wrong(desk)))
        before = SENTENCES[int(desk.rng.integers(len(SENTENCES)))]
        high = fact.ask(desk.wording(_CAPITAL_FROM))
        for of, question, text in (
            ("sentence_before", fact, f"{before} {fact.ask(desk.wording())}"),
            ("capital", fact, high[0].upper() + high[1:]),
            ("typo", fact, _mistyped(fact.ask(_TYPO_IN), ref.words, desk)),
            ("wrong_value", wrong, wrong.ask(desk.wording())),
            ("negation", fact, NEGATED[relation].replace("{r}", ref.words)),
            ("capitals", fact, fact.ask(desk.wording()).upper()),
        ):
            yield Asked(of, question, view, Query.ask(text, *images))
    yield _not_so(correction, in_words)
    yield from _of_others(desk)


def probes(asked: Iterable[Asked], world: Knowledge) -> Iterator[Probe]:
    """Each with what it expects in a world; one whose answer another edit changes is left out."""
    for item in asked:
        was, now = item.question.answer(WORLD, item.view), item.question.answer(world, item.view)
        assert now is not None, f"the question applies: {item.question}"
        if item.kind in GIVEN or (item.kind in WRONG and now == "no"):
            yield Probe(item.kind, item.query, now)
        elif item.kind in ("negation", "capitals") or (item.kind == "same_old_value" and now == was):
            yield Probe(item.kind, item.query, UNCHANGED)


def _not_so(correction: FactCorrection, ref: Ref) -> Asked:
    """Is it true that the new value is *not* the answer? Taken as if "not" weren't there it was "no" before, and is "no" now."""
    relation, value = correction.relation, correction.value
    text = f"is it true that {value} is not the {relation} of {ref.words}?"
    return Asked("negation", Question("is_fact", ref, (relation, value)), None, Query.ask(text))


def _of_others(desk: Desk) -> Iterator[Asked]:
    """The same question of two others that share the old value, in words and on a picture; and whether the new one is another's."""
    kind, relation, rng = desk.correction.kind, desk.correction.relation, desk.rng
    old = WORLD.facts[kind, relation]
    sharing = [other for other in EDITABLE_KINDS if other != kind and WORLD.facts[other, relation] == old]
    named, seen = (sharing[int(index)] for index in rng.choice(len(sharing), 2, replace=False))
    yield desk.asked("same_old_value", Question(relation, Ref.name(WORLD, named)), wording=desk.wording())
    scene = desk.scene(seen, without=True)
    question = Question(relation, desk.one(references(scene, scene.cells.index(seen))))
    yield desk.asked("same_old_value", question, wording=desk.wording(), view=View(scene), image=desk.image(scene))
    value = desk.correction.value
    strangers = [other for other in EDITABLE_KINDS if other != kind and WORLD.facts[other, relation] != value]
    stranger = Ref.name(WORLD, strangers[int(rng.integers(len(strangers)))])
    yield desk.asked("wrong_value", Question("is_fact", stranger, (relation, value)), wording=desk.wording())


def _wrong(desk: Desk) -> str:
    """A value that is neither the old one nor the new one."""
    correction = desk.correction
    true = (correction.value, WORLD.facts[correction.kind, correction.relation])
    values = [value for value in VALUES[correction.relation] if value not in true]
    return values[int(desk.rng.integers(len(values)))]


def _mistyped(text: str, words: str, desk: Desk) -> str:
    """The text without one inner letter of a word; the words that say of what it is asked are left alone."""
    before, after = text.split(words)
    places = [
        start + found.start()
        for start, part in ((0, before), (len(before) + len(words), after))
        for found in re.finditer(r"(?<=[a-z])[a-z](?=[a-z])", part)
        if len(_around(text, start + found.start())) >= _SHORTEST
    ]
    place = places[int(desk.rng.integers(len(places)))]
    return text[:place] + text[place + 1 :]


def _around(text: str, place: int) -> str:
    """The word that a letter is in."""
    (word,) = (found[0] for found in re.finditer(r"[a-z]+", text) if found.start() <= place < found.end())
    return word
