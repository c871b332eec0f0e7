"""The stream is the same for the same seed, scores later edits against the later world, and shows an editor nothing it may
not see."""

from collections import Counter

import pytest

from errata.benchmarks.scopeworld.knowledge import EDITABLE_KINDS, POOL_KINDS, RELATIONS, UNSEEN_SENTENCES, UNSEEN_VALUES, WORLD
from errata.benchmarks.scopeworld.stream import IN_SCOPE, KINDS_OF_PROBE, OUT_OF_SCOPE, ScopeWorldStream, pool_questions
from errata.core.benchmark import UNCHANGED
from errata.core.errors import BadInput

SEED = 41


@pytest.fixture(scope="module")
def stream():
    return ScopeWorldStream(seed=SEED, edits=60)


def test_the_same_seed_gives_the_same_bytes(stream):
    assert ScopeWorldStream(seed=SEED, edits=60).digest == stream.digest
    assert ScopeWorldStream(seed=SEED + 1, edits=60).digest != stream.digest


def test_a_longer_stream_begins_as_a_shorter_one(stream):
    short = ScopeWorldStream(seed=SEED, edits=5)
    assert [short[i].edit.id for i in range(5)] == [stream[i].edit.id for i in range(5)]


def test_ids_are_unique_and_every_claimed_kind_of_probe_appears(stream):
    cases = [stream[i] for i in range(len(stream))]
    assert len({case.edit.id for case in cases}) == len(cases)
    kinds = Counter(probe.kind for case in cases for probe in case.probes)
    assert set(kinds) == set(KINDS_OF_PROBE)


def test_probes_expect_what_the_world_computes(stream):
    for index, correction in enumerate(stream.corrections()[:20]):
        case = stream[index]
        assert case.edit.target == correction.value
        assert case.edit.subject == correction.kind.words
        for probe in case.probes:
            assert (probe.expect is UNCHANGED) == (probe.kind in OUT_OF_SCOPE)
        given = {probe.expect for probe in case.probes if probe.kind in ("reliability", "text_generality", "image_generality")}
        assert given == {correction.value}


def test_out_of_scope_probes_really_keep_their_answer_and_in_scope_ones_change(stream):
    for index, correction in enumerate(stream.corrections()[:30]):
        edited = correction.world(WORLD)
        for item in stream.asked(index):
            before, after = item.question.answer(WORLD, item.view), item.question.answer(edited, item.view)
            if item.kind in OUT_OF_SCOPE:
                assert before == after, item
            elif item.kind != "portability":
                assert before != after, item


def test_a_probe_that_another_edit_entails_is_scored_against_that_edit(stream):
    alone = {probe.query.digest: probe for i in range(60) for probe in stream[i].probes}
    crossed = [probe for case in stream.truth(60) for probe in case.probes if probe.kind == "cross_edit"]
    assert crossed, "sixty edits of some four hundred facts must meet"
    for probe in crossed:
        assert alone[probe.query.digest].expect is UNCHANGED
        assert isinstance(probe.expect, str)


def test_a_corrected_correction_is_no_longer_scored(stream):
    last = {}
    for index, correction in enumerate(stream.corrections()):
        last[correction.kind, correction.relation] = index
    for index, (case, correction) in enumerate(zip(stream.truth(60), stream.corrections(), strict=True)):
        assert bool(case.probes) == (last[correction.kind, correction.relation] == index)
    assert any(not case.probes for case in stream.truth(60))


def test_a_stream_may_be_longer_than_the_worlds_distinct_facts():
    facts = len(EDITABLE_KINDS) * len(RELATIONS)
    corrections = ScopeWorldStream(seed=SEED, edits=facts + 200).corrections()
    assert len(corrections) == facts + 200
    assert all(c.value != WORLD.facts[c.kind, c.relation] for c in corrections)


def test_one_target_in_five_was_never_an_answer_and_one_in_ten_is_a_sentence():
    corrections = ScopeWorldStream(seed=SEED, edits=370).corrections()
    unseen = sum(c.value in UNSEEN_VALUES[c.relation] for c in corrections) / len(corrections)
    sentences = sum(c.value in UNSEEN_SENTENCES[c.relation] for c in corrections) / len(corrections)
    assert 0.14 < unseen < 0.26
    assert 0.06 < sentences < 0.14
    again = len(corrections) - len({(c.kind, c.relation) for c in corrections})
    assert 0.05 < again / len(corrections) < 0.2


def test_no_correction_says_what_is_true_already():
    current = dict(WORLD.facts)
    for correction in ScopeWorldStream(seed=SEED, edits=300).corrections():
        assert correction.value != WORLD.facts[correction.kind, correction.relation]
        assert current[correction.kind, correction.relation] != correction.value
        current[correction.kind, correction.relation] = correction.value


def test_the_pool_is_disjoint_from_edits_and_probes_by_kind_and_fact(stream):
    def kinds(item):
        seen = {item.question.ref.kind} if item.question.ref and item.question.ref.kind else set()
        return seen | ({item.view.scene.at(cell) for cell in item.view.scene.filled} if item.view else set())

    pool = list(pool_questions(SEED))
    assert {kind for item in pool for kind in kinds(item)} <= set(POOL_KINDS)
    probed = {kind for i in range(60) for item in stream.asked(i) for kind in kinds(item)}
    assert probed <= set(EDITABLE_KINDS)
    texts = {probe.query.digest for i in range(60) for probe in stream[i].probes}
    assert not texts & {item.query.digest for item in pool}
    assert sum(bool(item.query.images) for item in pool) == len(pool) // 2


def test_an_edit_carries_nothing_of_its_probes_but_the_picture_that_the_user_sent(stream):
    for index in range(60):
        case = stream[index]
        probes = [probe for probe in case.probes if probe.kind != "reliability"]
        sent = {case.edit.query.digest, *(query.digest for query in (*case.edit.also, *case.edit.keep))}
        assert not sent & {probe.query.digest for probe in probes}
        pictures = {image.digest for image in case.edit.images}
        elsewhere = {image.digest for probe in probes if probe.kind not in IN_PICTURE for image in probe.query.images}
        assert not pictures & elsewhere


IN_PICTURE = {"text_generality", "portability", "specificity_in", "specificity_out"}


def test_in_scope_and_out_of_scope_kinds_are_all_there_is():
    assert set(IN_SCOPE) | set(OUT_OF_SCOPE) == set(KINDS_OF_PROBE)
    assert not set(IN_SCOPE) & set(OUT_OF_SCOPE)


def test_no_report_seed_shares_a_picture_or_a_question_on_one_with_a_tuning_seed(stream):
    report = ScopeWorldStream(seed=SEED + 100, edits=20)
    tuned = {image.digest for i in range(60) for probe in stream[i].probes for image in probe.query.images}
    reported = {image.digest for i in range(20) for probe in report[i].probes for image in probe.query.images}
    assert not tuned & reported


@pytest.mark.parametrize("edits", [0, -3])
def test_a_stream_without_edits_is_refused(edits):
    with pytest.raises(BadInput, match="at least 1"):
        ScopeWorldStream(seed=1, edits=edits)


def test_a_negative_seed_is_refused():
    with pytest.raises(BadInput, match="seed"):
        ScopeWorldStream(seed=-1, edits=3)


def test_what_the_user_gives_besides_is_of_the_same_fact_in_no_probe_and_changes_nothing_else(stream):
    given = ScopeWorldStream(seed=SEED, edits=12, also=3)
    seen = {probe.query.digest for i in range(12) for probe in stream[i].probes}
    for i in range(12):
        edit, plain = given[i].edit, stream[i].edit
        assert (edit.query, edit.target, edit.subject) == (plain.query, plain.target, plain.subject)
        assert given[i].probes == stream[i].probes
        assert len({query.digest for query in (edit.query, *edit.also)}) == 4
        assert not seen & {query.digest for query in edit.also}
        own = [query.images == edit.query.images for query in edit.also]
        assert own == [True, False, True]
        relation = given.corrections()[i].relation
        hints = {"home": ("home", "live"), "food": ("eat", "food"), "maker": ("make", "made")}[relation]
        assert all(any(hint in query.text for hint in hints) for query in edit.also)
    assert given.digest != ScopeWorldStream(seed=SEED, edits=12).digest
    with pytest.raises(BadInput, match="0 or more"):
        ScopeWorldStream(seed=SEED, edits=1, also=-1)
