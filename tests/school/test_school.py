"""What a small model learns at each step is settled beforehand; a run that was killed ends where an unbroken one ends."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from errata.benchmarks.scopeworld.knowledge import COLOURS, GLYPHS, KINDS, WORLD
from errata.benchmarks.scopeworld.lessons import Lesson, Mention, lesson
from errata.benchmarks.scopeworld.scenes import draw, random_scene
from errata.core.errors import BadInput
from errata.core.records import Query
from errata.models import load
from errata.models.small.build import LlavaSizes
from errata.models.small.training import open_trainee
from errata.school.curriculum import Curriculum, Row, lessons_of
from errata.school.fit import Schedule, fit
from errata.school.looks import Looks
from errata.school.packing import pack
from errata.school.readers import Readers, meanings
from errata.school.school import inner, packed_loss, texts, train_model

SMALL = LlavaSizes(width=32, layers=2, ffn=64, vision_width=32, vision_layers=1, vision_ffn=64, vocabulary=400)
SHORT = Curriculum(looks=2, captions=2, questions=3, scenes=4, lessons=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("school") / "llava"
    train_model("llava", made, curriculum=SHORT, sizes=SMALL, progress=lambda what, done, total: None)
    return made


def test_trained_weights_are_gone_on_with_without_a_warm_up_or_readers_and_in_a_precision_of_this_run(folder, tmp_path):
    more = tmp_path / "more"
    shutil.copytree(folder, more, ignore=shutil.ignore_patterns("*.pt", "*.tsv"))
    (more / "precision.txt").write_text("bfloat16")  # of the run before, which may have been on a GPU
    before = load(folder).digest
    leg = Curriculum(looks=0, captions=0, questions=1, scenes=2, lessons=1, bfloat16=False)
    train_model("llava", more, curriculum=leg, progress=_quiet)
    assert not (more / "tower.pt").exists()
    assert (more / "precision.txt").read_text() == "float32"
    assert len((more / "training.tsv").read_text().splitlines()) == 1
    saved = torch.load(more / "training.pt", weights_only=True)
    fresh = torch.load(folder / "training.pt", weights_only=True)
    adam, whole = (len(each["optimizers"][0]["state"]) for each in (saved, fresh))
    seen = {name: weights for name, weights in towers(folder)[1].items() if "post_layernorm" not in name}  # patches go past it
    eyes = [name for name, weights in seen.items() if weights.ndim != 2 or not inner(name)]
    assert whole + len(eyes) - adam == len(list(Readers(SMALL.width).parameters()))  # what is never read isn't moved
    assert load(more).digest != before
    with pytest.raises(BadInput, match="no trained weights to go on from"):
        train_model("llava", tmp_path / "none", curriculum=leg, progress=_quiet)
    assert not (tmp_path / "none").exists()


def towers(folder):
    """The tower's weights in each checkpoint of a run."""
    found = []
    for name, before in (("tower.pt", "tower."), ("training.pt", "model.model.vision_tower.")):
        module = torch.load(folder / name, weights_only=True)["module"] if (folder / name).exists() else {}
        found.append({key.removeprefix(before): value for key, value in module.items() if key.startswith(before)})
    return found


def test_a_tower_that_was_warmed_up_stays_as_it_is_and_a_trained_models_goes_on_learning(folder, tmp_path):
    warm, after = towers(folder)
    assert warm.keys() == after.keys()
    assert all(torch.equal(warm[name], after[name]) for name in warm)
    more = tmp_path / "more"
    shutil.copytree(folder, more, ignore=shutil.ignore_patterns("*.pt", "*.tsv"))
    train_model("llava", more, curriculum=replace(SHORT, looks=0, captions=0), progress=_quiet)
    _, later = towers(more)
    assert np.mean([torch.equal(later[name], after[name].half().float()) for name in after]) < 0.5  # some are never read


def test_a_trained_folder_opens_like_any_checkpoint_and_is_stored_in_half_precision(folder):
    model = load(folder)
    assert model.answers([Query.ask("what is 1 plus 1?")], [_nothing()], max_new_tokens=2)
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", "pt") as held:
        assert all(held.get_tensor(name).dtype == torch.float16 for name in held.keys())  # noqa: SIM118  not a mapping


def test_the_tower_is_asked_what_stands_in_beside_and_above_or_below_each_cell():
    looks = Looks(4)
    glyphs = torch.tensor([[3, 0, 7, 1]])
    around = {0: (3, 0, 7), 1: (0, 3, 1), 2: (7, 1, 3), 3: (1, 7, 0)}  # itself, beside, above or below

    def loss(*, order=(0, 1, 2), places=(0, 1, 2, 3)):
        """Readers that say just this of each cell, and know it by its own feature."""
        with torch.no_grad():
            for reader in (looks.glyph, looks.colour, looks.cell):
                reader.weight.zero_()
                reader.bias.zero_()
            for cell, kinds in around.items():
                looks.cell.weight[places[cell], cell] = 50
                for reader in (looks.glyph, looks.colour):
                    for at, kind in zip(order, kinds, strict=True):
                        reader.weight[at * (reader.out_features // 3) + kind, cell] = 50
        return float(looks.loss(torch.eye(4)[None], glyphs, glyphs).detach())

    assert loss() < 1e-6
    assert loss(order=(0, 2, 1)) > 50
    assert loss(places=(1, 0, 2, 3)) == pytest.approx(25, rel=0.01)  # two of four cells are sure and wrong


def test_what_is_misread_in_the_middle_counts_and_moves_the_lower_half_alone(folder):
    trainee = open_trainee(folder)
    rng = np.random.default_rng(5)
    scene = random_scene(rng)
    batch = pack(trainee, [Row(draw(scene, rng, hand="train"), [lesson("name", scene, rng)])])
    torch.manual_seed(0)
    readers = Readers(trainee.width)
    both, alone = packed_loss(trainee, batch, readers), packed_loss(trainee, batch)
    assert float((both - alone).detach()) > 0.3
    moved: tuple[torch.Tensor | None, ...] = torch.autograd.grad(both - alone, list(trainee.module.parameters()), allow_unused=True)
    names = [
        name
        for (name, _), g in zip(trainee.module.named_parameters(), moved, strict=True)
        if g is not None and g.abs().max() > 1e-6
    ]
    assert any("language_model.layers.0." in name for name in names)
    assert any("vision_tower" in name for name in names)
    assert not any("language_model.layers.1." in name or "lm_head" in name for name in names)


def test_readers_that_are_right_and_sure_cost_nothing_and_what_isnt_spoken_of_is_left_out():
    star, mention = KINDS[3], Mention(4, KINDS[3], (1, 2))
    readers = Readers(8).requires_grad_(False)
    for layer in (readers.glyph, readers.colour, readers.cells):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.constant_(layer.bias, -40.0)
    with torch.no_grad():
        readers.glyph.bias[GLYPHS.index(star.glyph)] = readers.colour.bias[COLOURS.index(star.colour)] = 40.0
        readers.cells.bias[1:3] = 40.0
    middle = torch.randn(2, 5, 8)
    assert float(readers.loss(middle, meanings([(0, 1, mention)]))) == pytest.approx(0, abs=1e-6)
    assert float(readers.loss(middle, meanings([(1, 4, Mention(4, None, None))]))) == 0
    wrong = float(readers.loss(middle, meanings([(0, 1, Mention(4, star, (0,)))])))
    assert wrong == pytest.approx(120, abs=1)  # three cells of four


def test_the_readers_are_thrown_away(folder):
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", "pt") as held:
        assert not any("readers" in name for name in held.keys())  # noqa: SIM118  not a mapping


def test_what_a_step_learns_is_settled_by_its_number_and_the_seed():
    first, again, later = lessons_of(5, SHORT), lessons_of(5, SHORT), lessons_of(6, SHORT)
    assert [row.lessons for row in first] == [row.lessons for row in again]
    assert all((a.pixels_HWC == b.pixels_HWC).all() for a, b in zip(first, again, strict=True))
    assert [row.lessons for row in first] != [row.lessons for row in later]


def test_captions_come_first():
    assert all("picture" in item.prompt or not item.visual for row in lessons_of(0, SHORT) for item in row.lessons)
    assert not all("picture" in item.prompt or not item.visual for row in lessons_of(4, SHORT) for item in row.lessons)


def test_names_are_spelled_in_pieces_and_values_in_whole_words(folder):
    trainee = open_trainee(folder)
    pieces = [len(ids) for ids in trainee.encode(list(WORLD.kinds_by_name))]
    assert max(pieces) <= 6
    assert np.mean([count >= 2 for count in pieces]) > 0.9
    assert not any(name in text for text in list(texts(count=50)) for name in WORLD.kinds_by_name)


def test_a_killed_run_ends_where_an_unbroken_one_ends(tmp_path):
    def run(checkpoint, *, stop_after=None):
        torch.manual_seed(0)
        module = torch.nn.Linear(3, 1)

        def objective(step):
            if stop_after is not None and step == stop_after:
                raise KeyboardInterrupt
            x = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
            return [lambda: (module(x) - x.sum(1, keepdim=True)).square().mean()]

        fit(
            module, objective=objective, schedule=Schedule(12, warmup=2, checkpoint_every=4), checkpoint=checkpoint, progress=_quiet
        )
        return module.weight.detach()

    unbroken = run(tmp_path / "a.pt")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "b.pt", stop_after=7)
    assert torch.equal(run(tmp_path / "b.pt"), unbroken)


def test_a_checkpoint_of_another_run_is_refused_with_a_sentence(tmp_path):
    path = tmp_path / "training.pt"
    path.write_bytes(b"not a checkpoint")
    module = torch.nn.Linear(2, 1)
    with pytest.raises(BadInput, match="can't be resumed"):
        fit(module, objective=lambda step: [module.weight.sum], schedule=Schedule(2), checkpoint=path, progress=_quiet)


def test_a_run_with_another_number_of_steps_is_refused(folder):
    other = Curriculum(looks=2, captions=2, questions=4, scenes=4, lessons=2)
    with pytest.raises(BadInput, match="of a run of 5 steps"):
        train_model("llava", folder, curriculum=other, sizes=SMALL, progress=_quiet)


def test_a_lesson_is_a_prompt_and_an_answer():
    assert Lesson("what?", "that", visual=False).answer == "that"


def _quiet(what, done, total):
    return None


def _nothing():
    from errata.nn.patches import NoPatch

    return NoPatch()
