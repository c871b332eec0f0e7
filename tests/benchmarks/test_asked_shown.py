"""Pairs of corrections on pictures, in words: the picture's subject stands beside the question."""

from collections import Counter

import pytest

from errata.benchmarks.asked.shown import _ANY, _CLAUSES, _OF_PICTURES, pairs
from errata.benchmarks.asked.words import SUBJECTS
from errata.benchmarks.atlas.questions import SPLITS
from errata.benchmarks.atlas.wordings.seen import ALONE, BESIDE
from errata.core.errors import BadInput
from errata.session import registry


@pytest.fixture(scope="module")
def drawn():
    return list(pairs(seed=0, edits=150))


def test_they_are_the_same_for_the_same_seed(drawn):
    assert drawn == list(pairs(seed=0, edits=150)) == list(registry.training_pairs("asked-shown", seed=0, edits=150))
    assert drawn != list(pairs(seed=1, edits=150))


def test_every_sort_is_there_and_is_what_in_scope_says(drawn):
    count = Counter(pair.sort for pair in drawn)
    assert set(count) == {"same", "yes", "no", "follows", "apart"}
    assert all(pair.in_scope == (pair.sort != "apart") for pair in drawn)


def test_a_correction_names_its_subject_beside_the_question_alone(drawn):
    for pair in drawn:
        assert pair.edit.subject is not None
        assert pair.edit.subject.casefold() not in pair.edit.query.text.casefold()
        assert pair.edit.reach == "kind"


def test_half_of_what_asks_the_same_is_in_words_and_half_about_the_picture(drawn):
    named = Counter(str(pair.edit.subject).casefold() in pair.query.text.casefold() for pair in drawn if pair.sort == "same")
    assert named[True] > 0.3 * named.total()
    assert named[False] > 0.3 * named.total()


def test_what_the_picture_shows_is_no_fact_of_it(drawn):
    of_pictures = [pair for pair in drawn if pair.query.text in _OF_PICTURES]
    assert of_pictures
    assert {pair.sort for pair in of_pictures} == {"apart"}


def test_no_question_is_both_in_a_corrections_scope_and_apart_from_it(drawn):
    sides: dict[bool, set[tuple[str, str]]] = {True: set(), False: set()}
    for pair in drawn:
        sides[pair.in_scope].add((pair.edit.id, pair.query.digest))
    assert not sides[True] & sides[False]


def test_no_clause_is_one_that_atlas_reports_or_judges_on():
    kept = {
        clause for rows in (ALONE, BESIDE) for row in rows.values() for split, clauses in zip(SPLITS, row, strict=True)
        for clause in clauses if split != "tune"
    }  # fmt: skip
    assert not kept & {clause for clauses in (*_CLAUSES.values(), _ANY) for clause in clauses}
    assert set(_CLAUSES) <= set(SUBJECTS)


@pytest.mark.parametrize(("seed", "edits"), [(-1, 5), (0, 0)])
def test_what_cannot_be_drawn_is_a_sentence(seed, edits):
    with pytest.raises(BadInput):
        list(pairs(seed=seed, edits=edits))
