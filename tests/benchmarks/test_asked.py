"""Pairs that teach a scope which question a correction is about."""

import re
from collections import Counter

import pytest

from errata.benchmarks.asked.pairs import facts, pairs
from errata.benchmarks.asked.relations import RELATIONS
from errata.benchmarks.asked.words import SUBJECTS, VALUES
from errata.benchmarks.atlas.questions import OF_SPLIT, wordings
from errata.core.errors import BadInput


def test_every_relation_has_subjects_values_and_wordings_that_name_the_subject():
    for name, one in RELATIONS.items():
        assert one.subjects in SUBJECTS, name
        assert one.values in VALUES, name
        assert len(set(one.wordings)) >= 5, name
        assert all(re.search(r"\{[sSp]\}", wording) for wording in one.wordings), name
        assert all("{s}" in stated and "{v}" in stated for stated in one.stated), name
        assert all("{v}" in form and "{s}" not in form for form in one.reverse), name


def test_no_wording_is_one_that_atlas_reports_or_judges_on():
    bare = {re.sub(r"\{\w+\}", "", wording).lower() for one in RELATIONS.values() for wording in one.wordings}
    kept = [
        wording.template for split in ("report", "judge") for relation in OF_SPLIT[split] for wording in wordings(relation)[split]
    ]
    assert not bare & {re.sub(r"\{\w+\}", "", template).lower() for template in kept}


def test_what_is_apart_is_never_about_the_corrected_fact():
    drawn = facts(seed=3, edits=200)
    about = {fact.edit.id: fact for fact in drawn}
    own = {query.digest: (fact.relation, fact.subject) for fact in drawn for query in fact.asked}
    count = Counter[str | None]()
    for pair in pairs(seed=3, edits=200):
        fact = about[pair.edit.id]
        named = own.get(pair.query.digest)
        count[pair.sort] += 1
        assert pair.in_scope == (pair.sort != "apart")
        if pair.sort == "apart":
            assert named != (fact.relation, fact.subject)
        else:
            assert pair.query in fact.asked
    assert min(count.values()) > 100
    assert set(count) == {"same", "yes", "no", "follows", "apart"}


def test_another_subject_in_the_very_same_words_is_among_them():
    drawn = {fact.edit.id: fact for fact in facts(seed=3, edits=400)}
    same = 0
    for pair in pairs(seed=3, edits=400):
        fact = drawn[pair.edit.id]
        template = pair.edit.query.text.replace(fact.subject, "{}")
        others = {template.format(subject) for subject in SUBJECTS[RELATIONS[fact.relation].subjects]} - {pair.edit.query.text}
        same += pair.sort == "apart" and pair.query.text in others
    assert same > 100


def test_yes_is_asked_of_the_new_value_or_of_another_one_denied():
    for fact in facts(seed=5, edits=150):
        for query in fact.yes:
            denied = bool(re.search(r"false|wrong|incorrect", query.text)) and "or false" not in query.text
            assert (fact.edit.target in query.text) != denied


def test_the_same_seed_gives_the_same_pairs_and_another_others():
    first = [(pair.edit.id, pair.query.digest, pair.sort) for pair in pairs(seed=1, edits=60)]
    assert first == [(pair.edit.id, pair.query.digest, pair.sort) for pair in pairs(seed=1, edits=60)]
    assert first != [(pair.edit.id, pair.query.digest, pair.sort) for pair in pairs(seed=2, edits=60)]


def test_fewer_than_one_correction_is_refused():
    with pytest.raises(BadInput):
        facts(seed=0, edits=0)
