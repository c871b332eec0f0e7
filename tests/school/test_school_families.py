"""BLIP-2 and MiniGPT-4 go to the LLaVA's school: the Q-Former's queries stand where its patches stand, in each one's own words."""

from __future__ import annotations

import json
import shutil
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from errata.benchmarks.scopeworld.lessons import lesson
from errata.benchmarks.scopeworld.scenes import draw, encode, random_scene
from errata.core.errors import BadInput
from errata.core.records import Query
from errata.models import load
from errata.models.small.build import Blip2Sizes, build_blip2, build_minigpt4
from errata.models.small.training import open_trainee
from errata.school.curriculum import Curriculum, Row
from errata.school.packing import pack
from errata.school.school import packed_loss, texts, train_model

SMALL = Blip2Sizes(
    width=32,
    layers=2,
    ffn=64,
    queries=4,
    qformer_width=32,
    qformer_layers=1,
    qformer_ffn=64,
    vision_width=32,
    vision_layers=1,
    vision_ffn=64,
    vocabulary=400,
)
SHORT = Curriculum(looks=2, captions=2, questions=2, scenes=4, lessons=2, bfloat16=False)
BUILDS = {"blip2": build_blip2, "minigpt4": build_minigpt4}
SCHOOLS = {"blip2": partial(train_model, "blip2"), "minigpt4": partial(train_model, "minigpt4")}


@pytest.fixture(scope="module", params=sorted(SCHOOLS))
def family(request):
    return request.param


@pytest.fixture(scope="module")
def begun(family, tmp_path_factory):
    """A folder as a run finds it that was stopped before its first step, its tokenizer trained on fewer texts."""
    made = tmp_path_factory.mktemp("begun") / family
    BUILDS[family](made, texts=texts(count=200), sizes=SMALL)
    (made / "precision.txt").write_text("float32")  # settled, so that no run measures it
    return made


@pytest.fixture(scope="module")
def folder(family, begun, tmp_path_factory):
    made = shutil.copytree(begun, tmp_path_factory.mktemp("school") / family)
    SCHOOLS[family](made, curriculum=SHORT, progress=_quiet)
    return made


def test_a_trained_folder_opens_as_its_family_with_every_part_moved(family, folder, begun):
    assert load(folder).family.name == family
    after, before = load_file(folder / "model.safetensors"), load_file(begun / "model.safetensors")
    assert after.keys() == before.keys()
    assert {after[name].dtype for name in after if not name.startswith(("qformer", "query"))} == {torch.float16}
    parts = ("vision_model.", "qformer.", "query_tokens", "language_projection.", "language_model.")
    for part in parts:
        assert any(not torch.equal(after[name], before[name].to(after[name].dtype)) for name in after if name.startswith(part)), (
            part
        )
    assert len((folder / "training.tsv").read_text().splitlines()) == SHORT.steps


def test_packed_lessons_cost_what_each_costs_alone_and_what_the_model_says(folder):
    trainee, model = open_trainee(folder), load(folder)
    rng = np.random.default_rng(3)
    scene = random_scene(rng)
    pixels = draw(scene, rng, hand="train")
    lessons = [lesson("name", scene, rng), lesson("fact_by_name", scene, rng), lesson("fact", scene, rng)]
    assert {item.visual for item in lessons} == {True, False}
    trainee.module.eval()
    packed = packed_loss(trainee, pack(trainee, [Row(pixels, lessons)]))
    alone = [packed_loss(trainee, pack(trainee, [Row(pixels, [item])])) for item in lessons]
    assert torch.allclose(packed, torch.stack(alone).mean(), atol=1e-5)
    for item, loss in zip(lessons, alone, strict=True):
        images = (encode(pixels),) if item.visual else ()
        assert float(loss.detach()) == pytest.approx(float(model.loss(Query.ask(item.prompt, *images), item.answer)), abs=2e-3)


def test_a_run_that_was_stopped_ends_where_an_unbroken_one_ends(family, folder, begun, tmp_path):
    def stop(what, done, total):
        if what.startswith("loss") and total == SHORT.steps and done == 2:
            raise KeyboardInterrupt

    again = shutil.copytree(begun, tmp_path / family)
    with pytest.raises(KeyboardInterrupt):
        SCHOOLS[family](again, curriculum=SHORT, progress=stop)
    assert (again / "tower.pt").exists()
    assert not (again / "training.pt").exists()
    SCHOOLS[family](again, curriculum=SHORT, progress=_quiet)
    one, other = (load_file(each / "model.safetensors") for each in (folder, again))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_folder_of_another_family_is_refused_and_left_as_it_was(family, begun, tmp_path):
    other = {"blip2": "minigpt4", "minigpt4": "blip2"}[family]
    held = shutil.copytree(begun, tmp_path / family)
    with pytest.raises(BadInput, match=f"holds a {family}, and a {other} was to be trained"):
        SCHOOLS[other](held, curriculum=SHORT, progress=_quiet)
    assert sorted(file.name for file in held.iterdir()) == sorted(file.name for file in begun.iterdir())


def test_the_command_line_teaches_each_family(family, begun, tmp_path):
    from typer.testing import CliRunner

    from errata.cli.app import program

    (tmp_path / "m").mkdir()
    shutil.copy(begun / "precision.txt", tmp_path / "m")
    steps = ["--looks", "1", "--captions", "0", "--questions", "1", "--scenes", "1"]
    said = CliRunner().invoke(program(), ["model", "train", family, "--out", str(tmp_path / "m"), *steps])
    assert said.exit_code == 0, said.output
    assert f"saved: {tmp_path / 'm'}" in said.output.replace("\n", "")
    assert load(tmp_path / "m").family.name == family
    assert json.loads((tmp_path / "m" / "config.json").read_text())["model_type"] == "blip-2"


def _quiet(what, done, total):
    return None
