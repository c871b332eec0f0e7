"""Lessons packed beside one another are learned as if each stood alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from errata.benchmarks.scopeworld.lessons import Lesson, lesson
from errata.benchmarks.scopeworld.scenes import draw, encode, random_scene
from errata.benchmarks.scopeworld.statements import statement_lessons
from errata.core.records import Query
from errata.models import load
from errata.models.small.build import LlavaSizes, build_llava
from errata.models.small.training import open_trainee
from errata.school.curriculum import Row
from errata.school.packing import _ROW, _fitting, pack
from errata.school.school import packed_loss, texts

SMALL = LlavaSizes(width=32, layers=2, ffn=64, vision_width=32, vision_layers=1, vision_ffn=64, vocabulary=400)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("packing") / "llava"
    build_llava(made, texts=texts(), sizes=SMALL, seed=0)
    return made


def both_kinds_of_statements(scene, rng):
    """Three questions behind statements on a picture, and three behind others in words alone."""
    found: dict[bool, list[Lesson]] = {}
    while len(found) < 2:
        made = statement_lessons(scene, rng, 3)
        if len(made) == 3:
            found.setdefault(made[0].visual, made)
    return [*found[True], *found[False]]


def test_statements_are_laid_out_once_for_the_questions_behind_them(folder):
    trainee = open_trainee(folder)
    rng = np.random.default_rng(6)
    scene = random_scene(rng)
    lessons = both_kinds_of_statements(scene, rng)[3:]
    pixels = draw(scene, rng, hand="train")

    def length(items):
        return pack(trainee, [Row(pixels, items)]).ids_RL.shape[1] - len(trainee.prefix)

    said = len(trainee.encode([trainee.wording.told + lessons[0].prompt[: lessons[0].behind]])[0])
    assert said > 8
    assert length(lessons) == sum(length([item]) for item in lessons) - 2 * said
    assert length([lessons[0], replace(lessons[1], visual=True)]) == length(lessons[:1]) + length(
        [replace(lessons[1], visual=True)]
    )
    assert length([lessons[0], lesson("name", scene, rng), lessons[1]]) > length(lessons[:2]) + said


def test_packed_lessons_cost_what_each_costs_alone():
    """With trained weights: to random ones it is all the same where a token stands."""
    trainee, model = open_trainee("llava-tiny"), load("llava-tiny")
    rng = np.random.default_rng(3)
    scene = random_scene(rng)
    pixels = draw(scene, rng, hand="train")
    lessons = [
        lesson("name", scene, rng),
        lesson("fact_by_name", scene, rng),
        *both_kinds_of_statements(scene, rng),
        lesson("fact", scene, rng),
    ]
    trainee.module.eval()
    packed = packed_loss(trainee, pack(trainee, [Row(pixels, lessons)]))
    alone = [packed_loss(trainee, pack(trainee, [Row(pixels, [replace(item, behind=0)])])) for item in lessons]
    assert torch.allclose(packed, torch.stack(alone).mean(), atol=1e-5)
    for item, loss in zip(lessons, alone, strict=True):
        images = (encode(pixels),) if item.visual else ()
        assert float(loss.detach()) == pytest.approx(float(model.loss(Query.ask(item.prompt, *images), item.answer)), abs=2e-3)


def test_a_row_takes_the_lessons_that_fit_and_one_in_any_case(folder):
    trainee = open_trainee(folder)
    pixels = np.zeros((64, 64, 3), np.uint8)
    told = statement_lessons(random_scene(np.random.default_rng(2)), np.random.default_rng(2), 3)
    assert len(told) == 3
    short, half, long = (Lesson("what? " * times, "yes", visual=True) for times in (1, _ROW * 3 // 10, 2 * _ROW))
    for lessons, kept in (
        ([short, short], [short, short]),
        ([short, long, short], [short, short]),
        ([half, half, short], [half, short]),
        ([long, short], [long]),
        (told, told),
        ([*told, long], told),
    ):
        length, row = _fitting(trainee, Row(pixels, lessons))
        assert row.lessons == kept
        assert pack(trainee, [row]).ids_RL.shape == (1, length)


def test_a_reader_is_asked_at_the_last_token_of_its_phrase(folder):
    trainee = open_trainee(folder)
    rng = np.random.default_rng(4)
    rows = []
    for topic in ("name", "fact_by_name", "count", "where", "relation"):
        scene = random_scene(rng)
        rows.append(Row(draw(scene, rng, hand="train"), [lesson(topic, scene, rng), *statement_lessons(scene, rng, 3)]))
    batch = pack(trainee, rows)
    asked = [
        (item, mention)
        for row in rows
        for place, item in enumerate(row.lessons)
        for mention in item.mentions
        if place < 2 or mention.end > item.behind  # what was said is read once
    ]
    assert len(asked) == len(batch.meanings.rows_M)
    for row, column, (item, mention) in zip(batch.meanings.rows_M.tolist(), batch.meanings.columns_M.tolist(), asked, strict=True):
        last = item.prompt[: mention.end].split()[-1]
        assert trainee.encode([last])[0] == batch.ids_RL[row, column - len(trainee.encode([last])[0]) + 1 : column + 1].tolist()
