"""The further probes: the usual ones stay as they were to the byte, and each further one expects what its rule says."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from errata.benchmarks.atlas.probes import HELD
from errata.benchmarks.scopeworld import more
from errata.benchmarks.scopeworld.corrections import FactCorrection
from errata.benchmarks.scopeworld.desk import Desk
from errata.benchmarks.scopeworld.knowledge import EDITABLE_KINDS, RELATIONS, WORLD
from errata.benchmarks.scopeworld.questions import Question, Ref
from errata.benchmarks.scopeworld.stream import KINDS_OF_PROBE, ScopeWorldStream
from errata.core.benchmark import UNCHANGED
from errata.core.errors import BadInput
from errata.measure import kinds, scoring

SEED, EDITS = 41, 60
CORRECTION = FactCorrection(EDITABLE_KINDS[0], "home", "the old pier")


@pytest.fixture(scope="module")
def usual():
    return ScopeWorldStream(seed=SEED, edits=EDITS)


@pytest.fixture(scope="module")
def stream():
    return ScopeWorldStream(seed=SEED, edits=EDITS, probes="more")


def beside(case):
    return [probe for probe in case.probes if probe.kind in more.KINDS_OF_PROBE]


def test_edits_and_usual_probes_are_the_same_to_the_byte_and_come_first(usual, stream):
    for one, other in ((usual[i], stream[i]) for i in range(EDITS)):
        assert other.edit == one.edit
        assert other.probes[: len(one.probes)] == one.probes
        assert beside(other) == list(other.probes[len(one.probes) :])
    for one, other in zip(usual.truth(EDITS), stream.truth(EDITS), strict=True):
        assert other.probes[: len(one.probes)] == one.probes
        assert bool(one.probes) == bool(other.probes)
    assert stream.digest != usual.digest
    assert stream.digest == ScopeWorldStream(seed=SEED, edits=EDITS, probes="more").digest


def test_every_kind_is_asked_on_pictures_and_in_words_and_none_is_a_usual_one(stream):
    counted = Counter((probe.kind, bool(probe.query.images)) for i in range(EDITS) for probe in beside(stream[i]))
    assert set(counted) == {(kind, seen) for kind in more.KINDS_OF_PROBE for seen in (True, False)}
    assert not set(KINDS_OF_PROBE) & set(more.KINDS_OF_PROBE)


def test_the_fact_is_given_however_it_is_written_and_what_cannot_be_read_stays(stream):
    for i in range(EDITS):
        case = stream[i]
        for probe in beside(case):
            expected = case.edit.target if probe.kind in more.GIVEN else "no" if probe.kind in more.WRONG else UNCHANGED
            assert probe.expect == expected, probe


def test_what_another_edit_settles_is_left_out(stream):
    """Of others that share the old value, and of values that another edit makes right."""
    world, last = WORLD, {}
    for index, correction in enumerate(stream.corrections()):
        world, last[correction.kind, correction.relation] = correction.world(world), index
    found = 0
    for index, (case, correction) in enumerate(zip(stream.truth(EDITS), stream.corrections(), strict=True)):
        if last[correction.kind, correction.relation] != index:
            continue
        alone = beside(stream[index])
        found += len(alone) - len(beside(case))
        for item, probe in zip(stream.asked_beside(index), alone, strict=True):
            moved = item.question.answer(world, item.view) != item.question.answer(correction.world(WORLD), item.view)
            assert (probe in beside(case)) == (not moved), item
    assert found, "sixty edits meet some of the others"


def test_others_share_the_old_value_and_are_never_the_kind_itself(stream):
    for index, correction in enumerate(stream.corrections()):
        old = WORLD.facts[correction.kind, correction.relation]
        sharing = [item for item in stream.asked_beside(index) if item.kind == "same_old_value"]
        assert len(sharing) == 2
        assert all(item.question.answer(WORLD, item.view) == old for item in sharing)
        assert all(item.question.answer(correction.world(WORLD), item.view) == old for item in sharing)


def test_the_words_are_those_of_their_kind(stream):
    for index in range(EDITS):
        for item in stream.asked_beside(index):
            text, ref = item.query.text, item.question.ref
            plain = {item.question.ask(wording) for wording in range(6)}
            match item.kind:
                case "sentence_before":
                    assert any(text == f"{said} {one}" for said in more.SENTENCES for one in plain)
                case "capital":
                    assert text[0].isupper()
                    assert text[0].lower() + text[1:] in plain
                case "capitals":
                    assert text.isupper()
                    assert text.lower() in plain
                case "typo":
                    assert ref.words in text
                    assert any(len(one) == len(text) + 1 and set(one) >= set(text) for one in plain)
                    assert text not in plain
                case "negation":
                    assert " not " in text
                    assert ref.words in text


def test_a_letter_is_left_out_inside_a_word_and_never_of_the_words_that_are_meant():
    seen = set()
    for index in range(40):
        desk = Desk(CORRECTION, np.random.default_rng(index))
        for relation in RELATIONS:
            question = Question(relation, Ref.cell(0))
            text = more._mistyped(question.ask(3), "the thing at the top left", desk)
            assert "the thing at the top left" in text
            seen.add(text)
    assert "by whm was the thing at the top left made?" in seen
    assert not {text for text in seen if text.startswith("y whom")}


def test_no_further_probe_is_a_usual_one_or_shown_to_the_editor(stream):
    for index in range(EDITS):
        case = stream[index]
        queries = [probe.query.digest for probe in case.probes]
        assert case.edit.query.digest not in [probe.query.digest for probe in beside(case)]
        assert len(set(queries)) >= len(queries) - 2  # a wording may be drawn twice, as among the usual ones


def test_the_report_and_the_classes_know_these_kinds_and_no_other_as_asked_beside():
    assert set(scoring.ASIDE) == set(more.KINDS_OF_PROBE) | set(HELD)
    assert {kind.name for kind in kinds.KINDS if kind.side == "more"} == set(scoring.ASIDE)


def test_other_probes_are_refused_with_a_sentence():
    with pytest.raises(BadInput, match="'all'. Ask for usual or more"):
        ScopeWorldStream(seed=1, edits=1, probes="all")
