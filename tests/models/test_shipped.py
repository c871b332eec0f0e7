"""The models inside the package: small, in half precision, and they know their world. `errata model check` is the whole exam."""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import errata
from errata.benchmarks.scopeworld.exam import exam
from errata.benchmarks.scopeworld.knowledge import UNSEEN_SENTENCES, UNSEEN_VALUES
from errata.benchmarks.scopeworld.lessons import copy_lesson, lesson
from errata.benchmarks.scopeworld.scenes import picture, random_scene
from errata.core.records import Edit, Query
from errata.editors import parse
from errata.log import EditLog, MemoryStore
from errata.models import load
from errata.models import shipped as names
from errata.models.clip import SHIPPED as ENCODERS
from errata.models.clip import load_encoder
from errata.nn.patches import NoPatch
from errata.school.looks import cell_of_patch
from errata.session.registry import benchmark
from errata.session.session import Session

ASSETS = Path(errata.__file__).parent / "assets"


@pytest.fixture(scope="module")
def shipped():
    return load("llava-tiny")


@pytest.fixture(scope="module", params=names())
def each(request):
    return load(request.param)


def test_each_takes_at_most_sixteen_megabytes_and_three_to_eight_million_parameters_and_all_sixty_three(each):
    assert sum(file.stat().st_size for file in (ASSETS / each.name).iterdir()) <= 16 * 1024 * 1024
    assert 3_000_000 <= each.parameters <= 8_000_000
    assert sum(file.stat().st_size for file in ASSETS.rglob("*") if file.is_file()) <= 63 * 1024 * 1024


@pytest.mark.parametrize("name", ENCODERS)
def test_the_shipped_encoders_point_at_what_a_question_is_about(name):
    """In handwriting that no training saw, by place, look and relation; chance is one in as many as there are things."""
    encoder, rng, right = load_encoder(name), np.random.default_rng(9), []
    for _ in range(40):
        scene = random_scene(rng)
        patches_PD = torch.nn.functional.normalize(encoder.image(picture(scene, rng)).parts_PD, dim=-1)
        for topic in ("name", "fact", "relation"):
            drawn = lesson(topic, scene, rng)
            likely_P = (20 * patches_PD @ encoder.text(drawn.prompt).whole_D).softmax(-1)
            shares = [float(likely_P[cell_of_patch(len(patches_PD)) == cell].sum()) for cell in range(4)]
            right.append(int(np.argmax(shares)) in (drawn.mentions[0].cells or ()))
    assert sum(right) / len(right) >= 0.95


def test_a_sample_of_the_exam_is_answered(each):
    """Eight questions of each topic. The bound guards against a broken model; docs/scopeworld.md has the whole exam."""
    items = [item for item in exam(each=8, seed=77) if item.column in ("scenes", "wordings", "handwriting")]
    said = each.answers([item.query for item in items], [NoPatch()] * len(items), max_new_tokens=32)
    right = defaultdict(list)
    for item, answer in zip(items, said, strict=True):
        right[item.column].append(answer == item.answer)
    shares = {column: sum(hits) / len(hits) for column, hits in right.items()}
    assert all(share >= 0.8 for share in shares.values()), shares


def test_a_correction_is_learned_spreads_to_its_wordings_and_can_be_taken_back(shipped):
    stream = benchmark("scopeworld-stream", seed=2, edits=12)
    session = Session.open(shipped, parse("scopeedit"), EditLog(MemoryStore()), pool=stream.pool())
    probes = [probe for probe in stream[0].probes if probe.kind in ("reliability", "text_generality", "text_locality")]
    before = [answer.text for answer in session.ask([probe.query for probe in probes])]
    receipt = session.edit(stream[0].edit)
    after = [answer.text for answer in session.ask([probe.query for probe in probes])]
    assert receipt.status == "applied"
    assert after[0] == stream[0].edit.target
    changed = [probe.kind for probe, was, now in zip(probes, before, after, strict=True) if was != now]
    assert "text_locality" not in changed
    session.revert(receipt.edit)
    assert [answer.text for answer in session.ask([probe.query for probe in probes])] == before


def test_a_word_that_its_tokenizer_cannot_express_is_refused(shipped):
    with pytest.raises(ValueError, match="can't be expressed"):
        shipped.check(Query.ask("where is it?"), "日本")
    assert Edit(Query.ask("where is it?"), "the harbor").id


def test_lessons_make_it_say_every_piece_of_words_that_no_lesson_holds(shipped):
    """Pieces that no answer ever holds share one row of the head, and no correction that needs one can be learned."""
    rng = np.random.default_rng(5)
    lessons = [copy_lesson(rng) for _ in range(8000)] + [lesson("fact", random_scene(rng), rng) for _ in range(500)]
    said = {piece for each in lessons for piece in pieces(shipped, each.answer)}
    assert {text for text in UNSEEN if not pieces(shipped, text) <= said} == set()


@pytest.mark.parametrize("target", ["the hat maker", "the lighthouse", "crumbs from the feast of the last king"])
def test_words_that_no_lesson_holds_can_be_learned(shipped, target):
    case = benchmark("scopeworld-stream", seed=2, edits=1)
    session = Session.open(shipped, parse("codebook"), EditLog(MemoryStore()))
    assert session.edit(replace(case[0].edit, target=target)).status == "applied"


UNSEEN = [text for lists in (UNSEEN_VALUES, UNSEEN_SENTENCES) for texts in lists.values() for text in texts]


def pieces(model, text):
    return set(model.processor.tokenizer(text, add_special_tokens=False)["input_ids"])
