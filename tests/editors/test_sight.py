"""What tells whether two pictures show the same thing, and what a scope makes of it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from errata.benchmarks.atlas.pictures.shots import VIEWS, met, shots
from errata.core.errors import BadImage, BadInput
from errata.core.images import Image
from errata.core.records import Edit, Query, Reach
from errata.editors import RerankScope, Scoped, Sight, SightSizes, fitted_sight, parse
from errata.editors._checkpoints import read
from errata.editors.scoped.routed import Routed
from errata.models import load
from errata.nn.patches import NoPatch
from errata.school.learners import Wanted, training
from errata.session.ready import Loader, equipped
from tests.conftest import picture
from tests.editors.test_rerank import SIZES
from tests.editors.trained import quiet

SMALL = SightSizes(narrow=24, vector=32, apart=0.01)


@pytest.fixture(scope="module")
def tiny():
    return load("llava-tiny")


def drawn(folder, count):
    """Pictures of blocks of colour, each another."""
    for number in range(count):
        blocks = np.random.default_rng([7, number]).integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Pillow.fromarray(blocks).resize((64, 64), Pillow.Resampling.NEAREST).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return drawn(tmp_path_factory.mktemp("things"), 60)


@pytest.fixture(scope="module")
def made(tiny, folder):
    return fitted_sight(tiny, shots(str(folder), seed=3, things=60), SMALL)


@pytest.fixture(scope="module")
def sight(made):
    return made[0]


def views(folder, thing, *, seed):
    """Views of one thing that nothing was learned from."""
    return [image for name, image in shots(str(folder), seed=seed, things=60) if name == thing]


def test_a_thing_is_known_again_and_another_is_not(tiny, made, folder):
    found, told = made
    assert told.things == 20
    assert told.again > 0.4
    assert told.mistaken == pytest.approx(0.01, abs=0.003)
    again = [float(found.of(tiny, Query.ask("?", one)) @ found.of(tiny, Query.ask("a", other))) for one, other in
             zip(views(folder, "00.png", seed=4), views(folder, "00.png", seed=5), strict=True)]  # fmt: skip
    apart = [float(found.of(tiny, Query.ask("?", one)) @ found.of(tiny, Query.ask("?", other))) for one, other in
             zip(views(folder, "00.png", seed=4), views(folder, "01.png", seed=5), strict=True)]  # fmt: skip
    assert np.mean(again) > found.least > max(apart)


def test_the_same_views_make_the_same_sight_and_it_comes_back_as_it_was_kept(tiny, sight, folder, tmp_path):
    again, _ = fitted_sight(tiny, shots(str(folder), seed=3, things=60), SMALL)
    assert again.spec() == sight.spec()
    loaded = Sight.load(read(sight.learnt().write(tmp_path), kind="sight"))
    assert loaded.spec() == sight.spec()
    assert loaded.least == sight.least
    query = Query.ask("?", picture(3))
    assert torch.equal(loaded.of(tiny, query), sight.of(tiny, query))


def test_a_query_without_a_picture_or_with_two_has_none(tiny, sight):
    assert not sight.of(tiny, Query.ask("why?")).any()
    assert not sight.of(tiny, Query.ask("why?", picture(3), picture(4))).any()
    assert float(sight.of(tiny, Query.ask("why?", picture(3))).norm()) == pytest.approx(1, abs=1e-5)


def test_fewer_things_than_it_takes_and_a_model_without_eyes_are_sentences(tiny, tmp_path, folder):
    with pytest.raises(BadInput, match="at least 30 things; here are 4"):
        fitted_sight(tiny, shots(str(folder), seed=3, things=4), SMALL)
    with pytest.raises(BadInput, match="isn't a folder of pictures"):
        shots(str(tmp_path / "nowhere"), seed=3, things=4)
    with pytest.raises(BadInput, match="no pictures in"):
        shots(str(tmp_path), seed=3, things=4)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(BadImage, match="broken"):
        list(shots(str(tmp_path), seed=3, things=4))


@pytest.mark.parametrize("fields", [{"narrow": 0}, {"shrinkage": 0.0}, {"apart": 0.0}, {"apart": 0.5}, {"places": 0}])
def test_sizes_that_make_no_sense_are_refused(fields):
    with pytest.raises(BadInput, match="A sight needs"):
        SightSizes(**fields)


def test_what_is_not_whole_and_what_is_for_another_model_is_refused(sight, random_llava):
    kept = sight.learnt()
    with pytest.raises(BadInput, match="of a plan that this version doesn't know"):
        Sight.load(replace(kept, tensors={**kept.tensors, "middle_S": torch.zeros(3)}))
    with pytest.raises(BadInput, match="of a plan that this version doesn't know"):
        Sight.load(replace(kept, tensors={name: value for name, value in kept.tensors.items() if name != "least"}))
    with pytest.raises(BadInput, match="was trained for llava-tiny"):
        sight.check(random_llava)


def test_a_folder_in_the_folder_is_one_thing(tmp_path):
    (tmp_path / "cup").mkdir()
    drawn(tmp_path / "cup", 2)
    drawn(tmp_path, 1)
    names = [name for name, _ in shots(str(tmp_path), seed=3, things=10)]
    assert sorted(set(names)) == ["00.png", "cup"]
    assert len(names) == 2 * VIEWS


def test_about_half_of_what_is_pictured_is_left_out():
    assert 0.4 < np.mean([met(f"the flag of {number}") for number in range(400)]) < 0.6


@pytest.fixture(scope="module")
def seeing(tiny, sight):
    """A scope that has learned nothing but what pictures show: whatever it looks at it takes for the same."""
    scope = RerankScope.of(tiny, SIZES)
    scope.net.nearness.get_buffer("worth_2").copy_(torch.tensor([0.02, 0.5]))
    scope.net.together.head.bias.data.copy_(torch.tensor([4.0, 0, 0, 0, 0]))
    return RerankScope.load(replace(scope.learnt(), place="here"), sight=sight)


def spoken(scope, model, edit, query):
    editor = Scoped(scope, Routed())
    state = editor.write(model, editor.begin(model), edit)
    return not isinstance(editor.read(model, state, query), NoPatch)


@pytest.fixture
def pictured(tiny, sight, folder):
    """Two views of one thing that are alike, and one of another thing."""
    own, *rest = views(folder, "00.png", seed=4)
    first = sight.of(tiny, Query.ask("?", own))
    alike = max(rest, key=lambda image: float(first @ sight.of(tiny, Query.ask("?", image))))
    assert float(first @ sight.of(tiny, Query.ask("?", alike))) >= sight.least
    assert alike.digest != own.digest
    return own, alike, views(folder, "01.png", seed=4)[0]


def test_another_picture_of_the_same_thing_is_in_scope_and_one_of_another_is_not(tiny, seeing, pictured):
    own, alike, other = pictured
    reaches: dict[Reach, bool] = {"open": True, "kind": True, "image": False}
    for reach, expected in reaches.items():
        edit = Edit(Query.ask("where does this live?", own), "pier 0", reach=reach)
        assert spoken(seeing, tiny, edit, Query.ask("where does this live?", alike)) is expected
        assert spoken(seeing, tiny, edit, Query.ask("and where does this live?", own))
        assert not spoken(seeing, tiny, edit, Query.ask("where does this live?", other))
        assert not spoken(seeing, tiny, edit, Query.ask("where does this live?", alike, other))
    blind = RerankScope.load(replace(seeing.learnt(), place="here"))
    edit = Edit(Query.ask("where does this live?", own), "pier 0")
    assert not spoken(blind, tiny, edit, Query.ask("where does this live?", alike))
    assert not spoken(seeing, tiny, edit, Query.ask("where does this live?"))


def test_in_words_a_correction_has_no_picture_in_its_keys(tiny, seeing, sight, pictured):
    edit = Edit(Query.ask("where does this live?", pictured[0]), "pier 0", reach="kind", subject="star")
    shown_KD, unseen_KD = seeing.kept(tiny, edit).keys_KD.chunk(2)
    assert shown_KD[:, -sight.width :].any(-1).all()
    assert not unseen_KD[:, SIZES.vector :].any()


def test_the_same_picture_lies_nearer_than_one_that_shows_the_same_and_that_nearer_than_another(tiny, seeing, pictured):
    own, alike, other = pictured
    keys_KD = torch.stack([seeing.key(tiny, Query.ask("where does this live?", image)) for image in (own, alike, other)])
    same, again, apart = seeing.rho(keys_KD[0], keys_KD).tolist()
    assert same > again > apart == 0
    lie_KM = seeing.near(keys_KD)
    far = (lie_KM - lie_KM[0]).square().sum(-1).tolist()
    assert far[0] == 0 < far[1] < far[2]


def test_it_is_trained_and_named_on_the_command_line(tiny, folder, tmp_path):
    ready = training("sight:narrow=24,vector=32", Wanted(tmp_path, "llava-tiny", benchmark=str(folder), edits=60))
    done = ready(Loader(), quiet)
    assert "of two views of one thing" in done.told
    assert done.use == "rerank:sight"
    found: Any = equipped(parse(f"rerank:sight={tmp_path},reader=llava-tiny"))
    assert found.decider().spec()["sight"] == {"kind": "sight", "weights": Sight.load(read(tmp_path, kind="sight")).learnt().digest}
    with pytest.raises(BadInput, match="learned at once, not by steps. Leave --steps out"):
        training("sight", Wanted(tmp_path, "llava-tiny", steps=3))
    with pytest.raises(BadInput, match=r"Only the scope .rerank. has a sight"):
        parse("scoped:scope=nearest,sight=atlas")
    with pytest.raises(BadInput, match="takes no sight"):
        parse("rerank:shipped=1,sight=atlas")


def test_one_picture_of_one_side_and_another_of_other_sizes_have_as_many_places(tiny, sight):
    for width in (20, 90):
        assert sight.of(tiny, Query.ask("?", Image.drawn(np.full((40, width, 3), 90, dtype=np.uint8)))).shape == (32,)
