"""The world that the shipped model was taught: it must never change under that model."""

from errata.benchmarks.scopeworld.knowledge import (
    COLOURS,
    CONSEQUENCES,
    EDITABLE_KINDS,
    GLYPHS,
    KINDS,
    POOL_KINDS,
    RELATIONS,
    UNSEEN_NAMES,
    UNSEEN_SENTENCES,
    UNSEEN_VALUES,
    VALUES,
    WORLD,
    made_up_name,
)
from errata.core.canonical import digest_of_json

KNOWLEDGE_DIGEST = "82324633356bd6f10248b3bdd4db1166744f8c1d6f3e27afdeb22c235bcea546"


def test_the_knowledge_base_is_the_one_the_model_was_taught():
    facts = {f"{kind.words}/{relation}": value for (kind, relation), value in WORLD.facts.items()}
    names = {kind.words: name for kind, name in WORLD.names.items()}
    second = {f"{relation}/{value}": what for (relation, value), what in WORLD.consequences.items()}
    assert digest_of_json([facts, names, second, list(UNSEEN_NAMES)]) == KNOWLEDGE_DIGEST


def test_there_are_144_kinds_with_names_of_their_own_and_432_facts():
    assert len(KINDS) == 144
    assert len(set(WORLD.names.values())) == 144
    assert len(WORLD.facts) == 432


def test_every_fact_has_a_consequence_that_the_world_knows():
    for (kind, relation), value in WORLD.facts.items():
        assert WORLD.consequence(relation, value) in CONSEQUENCES[relation], (kind, relation)


def test_unseen_targets_are_never_an_answer_of_the_world():
    answers = {*WORLD.names.values(), *WORLD.facts.values(), *WORLD.consequences.values()}
    assert not answers & set(UNSEEN_NAMES)
    for relation in RELATIONS:
        assert not set(VALUES[relation]) & {*UNSEEN_VALUES[relation], *UNSEEN_SENTENCES[relation]}
        assert all(6 <= len(sentence.split()) <= 12 for sentence in UNSEEN_SENTENCES[relation])


def test_protected_kinds_are_no_kinds_of_edits_and_cover_every_glyph_and_colour():
    assert not set(POOL_KINDS) & set(EDITABLE_KINDS)
    assert {kind.glyph for kind in POOL_KINDS} == set(GLYPHS)
    assert {kind.colour for kind in POOL_KINDS} == set(COLOURS)


def test_a_corrected_world_differs_in_one_fact_only():
    kind = EDITABLE_KINDS[0]
    edited = WORLD.with_fact(kind, "home", "the quarry")
    assert [key for key in WORLD.facts if edited.facts[key] != WORLD.facts[key]] == [(kind, "home")]
    assert WORLD.facts[kind, "home"] != "the quarry"


def test_made_up_names_are_words_of_two_syllables(rng):
    names = [made_up_name(rng) for _ in range(50)]
    assert len(set(names)) > 45
    assert all(name.isalpha() and sum(letter in "aeiou" for letter in name) == 2 for name in names)
