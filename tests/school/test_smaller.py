"""A smaller LLaVA: which layers stay, that it computes what the teacher does without the others, and that training goes on."""

from __future__ import annotations

import itertools
import shutil

import numpy as np
import pytest
import torch

from errata.benchmarks.scopeworld.lessons import lesson
from errata.benchmarks.scopeworld.scenes import draw, random_scene
from errata.benchmarks.scopeworld.statements import statement_lesson
from errata.core.errors import BadInput
from errata.core.records import Query
from errata.models import load
from errata.models.small.apprentices import cut_llava
from errata.models.small.build import LlavaSizes, build_llava
from errata.models.small.training import open_trainee
from errata.nn.patches import NoPatch
from errata.school.curriculum import Curriculum, Row, lessons_of
from errata.school.packing import pack, packed_parts
from errata.school.school import packed_loss, states_of, texts
from errata.school.smaller import missed_most, train_smaller

SHORT = Curriculum(looks=0, captions=0, questions=2, scenes=2, statements=0.75)


def quiet(what, done, total):
    pass


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher") / "llava"
    sizes = LlavaSizes(width=32, layers=4, ffn=64, vision_width=32, vision_layers=1, vision_ffn=64, vocabulary=400)
    build_llava(folder, texts=texts(count=200), sizes=sizes, seed=4)
    return folder


def a_batch(trainee):
    rng = np.random.default_rng(3)
    rows = []
    for _ in range(2):
        scene = random_scene(rng)
        rows.append(Row(draw(scene, rng, hand="train"), [lesson("name", scene, rng), statement_lesson(scene, rng)]))
    return pack(trainee, rows)


def test_it_computes_what_the_teacher_computes_without_the_layers_that_were_left_out(teacher, tmp_path):
    cut_llava(tmp_path / "cut", teacher=teacher, layers=(0, 3))
    mine, theirs = open_trainee(tmp_path / "cut"), open_trainee(teacher)
    kept = [theirs.layers[0], theirs.layers[3]]
    del theirs.layers[:]
    theirs.layers.extend(kept)
    with torch.no_grad():
        *_, own = states_of(mine, a_batch(mine))
        *_, of = states_of(theirs, a_batch(theirs))
    torch.testing.assert_close(own, of)
    model = load(str(tmp_path / "cut"))
    assert model.parameters == sum(weight.numel() for weight in mine.module.parameters())
    assert model.answers([Query.ask("what is it?")], [NoPatch()], max_new_tokens=2)


def test_layers_are_left_out_one_after_another_by_what_lessons_lose(teacher):
    trainee = open_trainee(teacher)
    before = list(trainee.layers)
    rows = lessons_of(0, Curriculum(looks=0, captions=0, scenes=48, seed=5))
    batches = packed_parts(trainee, rows)

    def loss(places):
        del trainee.layers[:]
        trainee.layers.extend(before[place] for place in places)
        with torch.no_grad():
            return sum(float(packed_loss(trainee, batch)) * batch.lessons for batch in batches)

    stay: tuple[int, ...] = (0, 1, 2, 3)
    for count in (3, 2):
        stay = min(itertools.combinations(stay, count), key=loss)
        loss((0, 1, 2, 3))  # all are put back
        assert missed_most(trainee, count, seed=5) == stay
        assert list(trainee.layers) == before


def test_training_goes_on_where_it_was_and_takes_no_other_number_of_layers(teacher, tmp_path):
    class Stopped(Exception):
        pass

    def stopping(what, done, total):
        if done == 1:
            raise Stopped

    def train(name, progress=quiet, teacher=teacher, layers=2):
        train_smaller(tmp_path / name, teacher=teacher, layers=layers, curriculum=SHORT, progress=progress)
        return (tmp_path / name / "model.safetensors").read_bytes()

    weights = train("cut")
    assert train("cut") == weights
    with pytest.raises(Stopped):
        train("stopped", stopping)
    assert train("stopped") == weights
    for other in ({"layers": 3}, {"teacher": "llava-tiny"}):
        with pytest.raises(BadInput, match="holds something else than"):
            train("cut", **other)
    whole = shutil.copytree(teacher, tmp_path / "whole")
    with pytest.raises(BadInput, match="holds something else than"):
        train("whole")
    assert (whole / "model.safetensors").read_bytes() == (teacher / "model.safetensors").read_bytes()
    for layers in (0, 4):
        with pytest.raises(BadInput, match=f"has 4 layers, so a smaller one has 1 to 3, not {layers}"):
            train_smaller(tmp_path / "other", teacher=teacher, layers=layers, curriculum=SHORT, progress=quiet)
    assert not (tmp_path / "other").exists()


def test_most_lessons_stand_behind_statements_where_that_is_asked():
    shares = []
    for statements in (0.35, 0.9):
        rows = [row for step in range(6) for row in lessons_of(step, Curriculum(looks=0, captions=0, statements=statements))]
        said = sum(len({item.prompt[: item.behind] for item in row.lessons if item.behind}) for row in rows)
        shares.append(said / (len(rows) * Curriculum.lessons))
    assert 0.3 < shares[0] < 0.4
    assert 0.85 < shares[1] < 0.95
