"""How a small CLIP learns: words point at the patches of what they are about, and training builds upon a LLaVA's vision tower."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import CLIPModel, LlavaForConditionalGeneration

from errata.benchmarks.scopeworld.questions import matching, references
from errata.benchmarks.scopeworld.scenes import random_scene
from errata.core.errors import BadInput
from errata.models.clip import ClipSizes, build_clip, load_encoder, open_clip_trainee
from errata.models.small.build import LlavaSizes, build_llava
from errata.school.clip_school import ClipPlan, ask, point, tell_apart, train_clip
from errata.school.curriculum import Curriculum
from errata.school.school import texts, train_model

TINY = ClipSizes(width=32, layers=2, ffn=64, text_width=32, text_layers=1, text_ffn=64, vocabulary=400)
SHORT = ClipPlan(looks=2, steps=4, pictures=4, questions=2, tower=None, learning_rate=3e-3)


def quiet(what, done, total):
    pass


@pytest.fixture(scope="module")
def llava(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tower") / "llava"
    sizes = LlavaSizes(width=32, layers=1, ffn=64, vision_width=32, vision_layers=1, vision_ffn=64, vocabulary=400)
    build_llava(folder, texts=texts(count=100), sizes=sizes)
    return folder


def test_attention_is_a_softmax_over_the_patches_of_a_texts_own_picture():
    generator = torch.Generator().manual_seed(1)
    patches_NPD, texts_QD = torch.randn(2, 4, 3, generator=generator), torch.randn(3, 3, generator=generator)
    sure_NPD = 7 * patches_NPD  # how long a patch is doesn't count
    patches_NPD = patches_NPD / patches_NPD.norm(dim=-1, keepdim=True)
    found = point(sure_NPD, texts_QD, torch.tensor([1, 0, 1]), torch.tensor(2.5))
    for question, picture in enumerate((1, 0, 1)):
        powers = [2.718281828459045 ** (2.5 * float(patch @ texts_QD[question])) for patch in patches_NPD[picture]]
        assert found[question].exp().tolist() == pytest.approx([power / sum(powers) for power in powers], rel=1e-4)


@pytest.mark.parametrize("patches", [16, 64])
def test_a_question_is_about_the_patches_of_the_cells_that_it_means(patches):
    rng = np.random.default_rng(5)
    by_reference = counted = 0
    for _ in range(60):
        asked = ask(random_scene(rng), rng, questions=3, patches=patches)
        scene = asked.scene
        for text, shares_P in zip(asked.questions, asked.shares_QP, strict=True):
            half = shares_P.reshape(2, int(patches**0.5) // 2, 2, -1).permute(0, 2, 1, 3).reshape(4, -1)
            cells = tuple(cell for cell in range(4) if float(half[cell].sum()) > 0)
            assert all(len(half[cell].unique()) == 1 for cell in cells), "equal shares within a cell"
            assert float(shares_P.sum()) == pytest.approx(1)
            longest = max(
                (ref.words for cell in scene.filled for ref in references(scene, cell) if f" {ref.words}" in text),
                key=len,
                default="",
            )
            if "how many" in text or "number of" in text or text.startswith("count"):
                nouns = [noun for noun in ("thing", *(scene.at(c).glyph for c in scene.filled)) if f" {noun}" in text]
                counted += 1
                assert all(cells == matching(scene, noun) for noun in nouns if noun != "thing")
            elif longest and "is it true" not in text:
                fits = [cell for cell in scene.filled if longest in {ref.words for ref in references(scene, cell)}]
                by_reference += cells == (fits[0],)
    assert counted > 3
    assert by_reference > 100


def test_training_begins_with_the_llavas_tower(llava, tmp_path):
    build_clip(tmp_path / "begun", texts=texts(count=100), sizes=TINY, tower=llava)
    tower = LlavaForConditionalGeneration.from_pretrained(llava).model.vision_tower.state_dict()
    begun = CLIPModel.from_pretrained(tmp_path / "begun", dtype=torch.float32).vision_model.state_dict()
    for name, tensor in tower.items():
        assert torch.equal(tensor, begun[name]), name
    plan = ClipPlan(looks=2, steps=2, pictures=3, questions=2, tower=str(llava), learning_rate=3e-3)
    train_clip(tmp_path / "begun", sizes=TINY, plan=plan, progress=quiet)
    found = CLIPModel.from_pretrained(tmp_path / "begun", dtype=torch.float32).state_dict()
    for part in ("vision_model.encoder.layers.0", "vision_model.encoder.layers.1", "text_model.encoder", "visual_projection"):
        assert any(name.startswith(part) for name in found)
    assert not torch.equal(found["vision_model.encoder.layers.0.mlp.fc1.weight"], begun["encoder.layers.0.mlp.fc1.weight"])


def test_the_first_steps_move_what_sees_and_not_what_reads(tmp_path):
    def stop(what, done, total):
        if done == 2:
            raise KeyboardInterrupt

    build_clip(tmp_path, texts=texts(count=100), sizes=TINY)
    before = CLIPModel.from_pretrained(tmp_path).state_dict()
    plan = replace(SHORT, looks=2, steps=2)
    with pytest.raises(KeyboardInterrupt):
        train_clip(tmp_path, sizes=TINY, plan=plan, progress=stop)
    train_clip(tmp_path, sizes=TINY, plan=replace(SHORT, looks=4, steps=0), progress=quiet)
    after = CLIPModel.from_pretrained(tmp_path, dtype=torch.float32).state_dict()
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name].half().float(), after[name])}
    assert "vision_model" in moved
    assert "visual_projection" in moved
    assert not {"text_model", "text_projection", "logit_scale"} & moved


def test_a_cell_is_found_again_among_the_same_things_drawn_anew():
    cells = torch.eye(3)
    alike, anew = tell_apart(cells, cells, -cells), tell_apart(cells, -cells, cells)
    assert float(alike) < 0.01
    assert float(anew) > 5
    assert float(tell_apart(cells, cells, cells)) == pytest.approx(float(alike) + 0.69, abs=0.02)


def test_a_tower_that_does_not_fit_is_refused_with_a_sentence(llava, tmp_path):
    wider = ClipSizes(width=64, layers=2, ffn=64, text_width=32, text_layers=1, text_ffn=64, vocabulary=400)
    with pytest.raises(BadInput, match=r"doesn't fit a CLIP of these sizes: .* Give another\.$"):
        build_clip(tmp_path / "wider", texts=texts(count=50), sizes=wider, tower=llava)
    none = ClipSizes(width=32, layers=0, ffn=64, text_width=32, text_layers=1, text_ffn=64, vocabulary=400)
    with pytest.raises(BadInput, match=r"has more layers than a CLIP of these sizes.*Give another\.$"):
        build_clip(tmp_path / "lower", texts=texts(count=50), sizes=none, tower=llava)


def test_a_folder_of_another_type_is_refused_and_left_as_it_was(llava, tmp_path):
    build_clip(tmp_path / "clip", texts=texts(count=50), sizes=TINY)
    held = shutil.copytree(llava, tmp_path / "llava")
    (held / "preprocessor_config.json").write_text("{}")  # as older versions of transformers leave it
    schools = {
        "clip": lambda: train_clip(held, sizes=TINY, plan=SHORT, progress=quiet),
        "llava": lambda: train_model(
            "llava", tmp_path / "clip", curriculum=Curriculum(looks=1, captions=0, questions=1), progress=quiet
        ),
    }
    for wanted, school in schools.items():
        before = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
        with pytest.raises(BadInput, match=rf"one of the type '{wanted}' was to be written there\. Name another folder\.$"):
            school()
        assert {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()} == before
    with pytest.raises(BadInput, match="holds a checkpoint of the type 'llava'"):
        build_clip(held, texts=texts(count=50), sizes=TINY)


def test_a_killed_training_ends_where_an_unbroken_one_ends(tmp_path):
    def interrupt(what, done, total):
        if done == 4:
            raise KeyboardInterrupt

    train_clip(tmp_path / "a", sizes=TINY, plan=SHORT, progress=quiet)
    with pytest.raises(KeyboardInterrupt):
        train_clip(tmp_path / "b", sizes=TINY, plan=SHORT, progress=interrupt)
    train_clip(tmp_path / "b", sizes=TINY, plan=SHORT, progress=quiet)
    assert load_encoder(tmp_path / "a").digest == load_encoder(tmp_path / "b").digest


def test_texts_read_together_are_read_as_each_alone(tmp_path):
    build_clip(tmp_path, texts=texts(count=100), sizes=TINY)
    trainee, encoder = open_clip_trainee(tmp_path), load_encoder(tmp_path)
    trainee.module.train(False)
    some = [f"{'tell me ' * (place % 5)}what is the {word} called?" for place, word in enumerate(["star", "ring", "moon"] * 15)]
    with torch.no_grad():
        read = trainee.read(some)
    for text, vector in zip(some, read, strict=True):
        alone = encoder.text(text).whole_D
        assert torch.allclose(vector, alone / alone.norm(), atol=1e-5)
