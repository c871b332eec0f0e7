"""A BLIP-2 or MiniGPT-4 that learns from a LLaVA: what it begins with, what it is held to, and that training can be stopped."""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cosine_similarity
from transformers import Blip2ForConditionalGeneration, LlavaForConditionalGeneration

from errata.benchmarks.scopeworld.lessons import lesson
from errata.benchmarks.scopeworld.scenes import draw, random_scene
from errata.benchmarks.scopeworld.statements import statement_lessons
from errata.core.errors import BadInput
from errata.core.records import Query
from errata.models import load
from errata.models.small.apprentices import build_apprentice
from errata.models.small.build import Blip2Sizes, LlavaSizes, build_llava
from errata.models.small.training import open_trainee
from errata.nn.patches import NoPatch
from errata.school.apprentice import PLANS, Apprenticeship, train_apprentice, unexplained
from errata.school.curriculum import Row
from errata.school.packing import pack
from errata.school.school import texts

SIZES = Blip2Sizes(qformer_width=32, qformer_layers=1, qformer_ffn=64)
SHORT = Apprenticeship(looks=3, questions=4, scenes=3)
FAMILIES = ("blip2", "minigpt4")


def quiet(what, done, total):
    pass


def pictures(count=6):
    rng = np.random.default_rng(7)
    return torch.from_numpy(np.stack([draw(random_scene(rng), rng, hand="train") for _ in range(count)]))


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher") / "llava"
    sizes = LlavaSizes(width=32, layers=2, ffn=64, vision_width=32, vision_layers=2, vision_ffn=64, vocabulary=400)
    build_llava(folder, texts=texts(count=200), sizes=sizes, seed=4)
    return folder


@pytest.fixture(scope="module", params=FAMILIES)
def begun(request, teacher, tmp_path_factory):
    folder = tmp_path_factory.mktemp("begun") / request.param
    build_apprentice(request.param, folder, teacher=teacher, pixels_NHWC=pictures(40), sizes=SIZES)
    return folder


def test_it_begins_with_the_teachers_words_and_its_own_prompt_in_whole_tokens(begun, teacher):
    mine, theirs = open_trainee(begun), open_trainee(teacher)
    said = "what does the thing left of the ring eat?"
    assert mine.encode([said]) == theirs.encode([said])
    net: Any = theirs.module
    speaker: Any = mine.module.language_model
    known = len(net.lm_head.weight)
    assert torch.equal(speaker.get_input_embeddings().weight[:known], net.get_input_embeddings().weight)
    assert torch.equal(speaker.lm_head.weight[:known], net.lm_head.weight)
    words = {"blip2": 2, "minigpt4": 4}[mine.family]
    assert len(speaker.lm_head.weight) == known + words
    assert max(mine.encode([mine.wording.answer])[0]) >= known


def test_a_minigpt4_speaks_as_its_teacher_does(teacher, tmp_path):
    build_apprentice("minigpt4", tmp_path / "made", teacher=teacher, pixels_NHWC=pictures(), sizes=SIZES)
    mine = Blip2ForConditionalGeneration.from_pretrained(tmp_path / "made", dtype=torch.float32).language_model
    theirs = LlavaForConditionalGeneration.from_pretrained(teacher, dtype=torch.float32)
    ids = torch.tensor([[7, 30, 41, 99]])
    found, wanted = mine(input_ids=ids).logits, theirs(input_ids=ids).logits
    assert torch.allclose(found[..., : wanted.shape[-1]], wanted, atol=1e-5)


def test_the_tower_sees_nearly_what_the_teachers_sees(begun, teacher):
    mine, theirs = open_trainee(begun), open_trainee(teacher)
    with torch.no_grad():
        wanted = theirs.look(pictures()).flatten(0, 1)
        found = mine.look(pictures()).flatten(0, 1)  # after one more norm
        found, wanted = (each - each.mean(0) for each in (found, wanted))
    assert float(cosine_similarity(found, wanted, dim=-1).mean()) > 0.9


def test_of_a_trained_tower_nearly_all_is_kept(tmp_path):
    """Its norm's shift and its places count here, which are nothing in random weights."""
    build_apprentice("minigpt4", tmp_path / "made", teacher="llava-tiny", pixels_NHWC=pictures(60))
    made: Any = open_trainee(tmp_path / "made").module
    theirs = open_trainee("llava-tiny")
    shown = ((pictures().float() / 255 - 0.5) / 0.25).permute(0, 3, 1, 2)
    with torch.no_grad():
        found = made.vision_model(shown, output_hidden_states=True).hidden_states[-1][:, 1:]
        assert float(unexplained(found, theirs.look(pictures()))) < 0.043  # 0.048 without places


def test_features_of_one_size_come_out_as_far_as_the_teachers_reach(begun, teacher):
    mine, theirs = open_trainee(begun), open_trainee(teacher)
    with torch.no_grad():
        wanted = theirs.features(pictures(40)).flatten(0, 1)
        turned = torch.randn(4000, 32, generator=torch.Generator().manual_seed(1))
        projection: Any = mine.module.language_projection
        found = projection(turned)
    assert torch.allclose(found.mean(0), wanted.mean(0), atol=0.2 * float(wanted.std()))
    assert torch.allclose(found.T.cov(), wanted.T.cov(), atol=0.15 * float(wanted.T.cov().max()))


def test_what_both_prompts_have_stands_in_one_order(begun, teacher):
    rng = np.random.default_rng(3)
    rows = []
    for _ in range(3):
        scene = random_scene(rng)
        items = [lesson("name", scene, rng), *statement_lessons(scene, rng, 2), lesson("fact_by_name", scene, rng)]
        rows.append(Row(draw(scene, rng, hand="train"), items))
    batches = [(trainee, pack(trainee, rows)) for trainee in (open_trainee(begun), open_trainee(teacher))]
    own = [batch.ids_RL[batch.own_RL].tolist() for _, batch in batches]
    images = [[token == trainee.image for token in found] for (trainee, _), found in zip(batches, own, strict=True)]
    assert images[0] == images[1]
    plain = [[t for t, shown in zip(found, seen, strict=True) if not shown] for found, seen in zip(own, images, strict=True)]
    assert plain[0] == plain[1]
    asked = [item for row in rows for item in row.lessons]
    again = [
        item for before, item in pairwise(asked) if item.behind and item.prompt[: item.behind] == before.prompt[: before.behind]
    ]
    assert len(again) == 3
    told = [text for item in asked for text in (item.prompt, item.answer)]
    count, less = (
        sum(len(ids) for ids in batches[1][0].encode(each)) for each in (told, [item.prompt[: item.behind] for item in again])
    )
    assert len(plain[0]) == count - less + len(asked)  # each answer ends with a token of its own; what was said is said once
    learned = [batch.ids_RL[batch.learn_RL].tolist() for _, batch in batches]
    assert learned[0] == learned[1]


def test_unexplained_is_nothing_for_the_same_and_one_for_the_mean():
    wanted = torch.randn(5, 6, generator=torch.Generator().manual_seed(0))
    assert float(unexplained(wanted, wanted)) == 0
    assert float(unexplained(wanted.mean(0).expand(5, 6), wanted)) == pytest.approx(1)


@pytest.mark.parametrize("family", FAMILIES)
def test_training_comes_nearer_to_the_teacher_and_a_killed_one_ends_where_an_unbroken_one_ends(family, teacher, tmp_path):
    def interrupt(what, done, total):
        if not what.startswith("eyes") and done == 2:
            raise KeyboardInterrupt

    told: list[tuple[str, int]] = []
    plan = replace(SHORT, looks=40)
    with pytest.raises(KeyboardInterrupt):
        train_apprentice(family, tmp_path / "b", teacher=teacher, plan=plan, sizes=SIZES, progress=interrupt)
    for name in ("a", "b"):
        train_apprentice(
            family,
            tmp_path / name,
            teacher=teacher,
            plan=plan,
            sizes=SIZES,
            progress=lambda what, done, total: told.append((what, done)),
        )
    a, b = load(tmp_path / "a"), load(tmp_path / "b")
    assert a.digest == b.digest
    assert a.family.name == family
    assert a.answers([Query.ask("what is it?")], [NoPatch()], max_new_tokens=2)
    eyes = [float(what.split()[-1]) for what, _ in told if what.startswith("eyes")]
    assert eyes[39] < 0.8 * eyes[0]


def test_who_can_not_teach_and_another_family_are_refused_with_a_sentence(teacher, tmp_path):
    made = tmp_path / "made"
    build_apprentice("minigpt4", made, teacher=teacher, pixels_NHWC=pictures(), sizes=SIZES)
    with pytest.raises(BadInput, match=r"can't teach: .* Name a LLaVA\.$"):
        train_apprentice("blip2", tmp_path / "other", teacher=made, plan=SHORT, progress=quiet)
    assert not (tmp_path / "other").exists()
    with pytest.raises(BadInput, match=r"holds a minigpt4, and a blip2 was to be trained\. Name another folder\.$"):
        train_apprentice("blip2", made, teacher=teacher, plan=SHORT, progress=quiet)
    held = shutil.copytree(teacher, tmp_path / "llava")
    with pytest.raises(BadInput, match=r"Name another folder\.$"):
        train_apprentice("blip2", held, teacher=teacher, plan=SHORT, progress=quiet)


def test_each_family_has_a_plan():
    assert set(PLANS) == set(FAMILIES)
