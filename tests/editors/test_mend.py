"""MEND as an editor: sequences, sides, and checkpoints that are refused where they don't fit."""

from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from errata.core.benchmark import Case
from errata.core.errors import BadInput
from errata.editors import MendPlan, MendTraining, parse
from errata.editors._checkpoints import FILE
from errata.editors.mend import loss as losses
from errata.editors.mend.editor import Mend
from errata.models import load
from tests.editors.samples import PICTURED, SECOND, WORDED, told
from tests.editors.trained import taught_mend

PLAN = MendPlan(layers=2, edit_rate=0.003)


@pytest.fixture(scope="module")
def folder(random_llava, tmp_path_factory):
    return taught_mend(random_llava, tmp_path_factory.mktemp("mend") / "untrained", PLAN, steps=1)


@pytest.fixture(scope="module")
def editor(folder):
    return parse(f"mend:checkpoint={folder}")


def dense(state, path):
    return state.deltas[path].b_OR @ state.deltas[path].a_RI


def test_each_edit_is_written_into_what_the_last_one_left(editor, random_llava):
    once = editor.write(random_llava, editor.begin(random_llava), PICTURED)
    twice = editor.write(random_llava, once, SECOND)
    network = editor.learned.network
    with editor.read(random_llava, once, SECOND.query).on(random_llava), torch.no_grad():
        new = network(losses.raw(random_llava, network.paths, SECOND).factors)
    alone = editor.write(random_llava, editor.begin(random_llava), SECOND)
    for path in twice.deltas:
        assert torch.allclose(dense(twice, path), dense(once, path) + new[path].b_OR @ new[path].a_RI, atol=1e-6)
        assert not torch.allclose(dense(twice, path), dense(once, path) + dense(alone, path), atol=1e-6)


def test_one_edit_is_kept_as_its_factors_and_never_multiplied_out(editor, random_llava):
    once = editor.write(random_llava, editor.begin(random_llava), PICTURED)
    length = random_llava.positions(PICTURED.query, PICTURED.target).length
    assert all(len(delta.a_RI) <= length for delta in once.deltas.values())
    assert min(told(once)["ranks"].values()) == len(random_llava.positions(PICTURED.query, PICTURED.target).predicting)


def test_one_pass_for_each_edit(editor, random_llava):
    passes = []
    begun = editor.begin(random_llava)
    handle = random_llava.net.get_decoder().register_forward_pre_hook(lambda module, args: passes.append(1))
    editor.write(random_llava, begun, PICTURED)
    handle.remove()
    assert len(passes) == 1


def test_writing_doesnt_move_the_statistics(editor, random_llava):
    digest = editor.spec(random_llava).fields["checkpoint"]
    editor.learned.network.train(True)
    try:
        editor.write(random_llava, editor.begin(random_llava), PICTURED)
    finally:
        editor.learned.network.train(False)
    assert editor.spec(random_llava).fields["checkpoint"] == digest


def test_the_vision_side_writes_the_projector_and_a_text_only_edit_gives_it_nothing(random_llava):
    editor = MendTraining(replace(PLAN, where="vision"), random_llava).editor()
    once = editor.write(random_llava, editor.begin(random_llava), PICTURED)
    assert set(once.deltas) == set(random_llava.writable["projector"])
    again = editor.write(random_llava, once, WORDED)
    assert again.deltas == once.deltas
    assert again.edits == (PICTURED.id, WORDED.id)


def test_a_checkpoint_opens_as_what_was_written(random_llava, tmp_path):
    training, generator = MendTraining(PLAN, random_llava), torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in training.trainee().parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
        training.objective([Case(PICTURED, ())])  # in training mode: some statistics too
    training.learnt().write(tmp_path)
    made = training.editor()
    before = made.write(random_llava, made.begin(random_llava), SECOND)
    for opened in (Mend(str(tmp_path)), Mend(str(tmp_path / FILE))):
        assert opened.spec(random_llava) == made.spec(random_llava)
        after = opened.write(random_llava, opened.begin(random_llava), SECOND)
        assert list(after.deltas) == list(before.deltas)
        assert all(torch.equal(dense(after, path), dense(before, path)) for path in before.deltas)


def test_a_checkpoint_says_inside_what_it_is_of(folder, random_llava):
    with safe_open(folder / FILE, "pt") as held:
        assert all(name in held.metadata()["errata"] for name in ("mend", random_llava.digest, '"rank_share":0.15'))


def test_where_a_checkpoint_lies_doesnt_enter_the_spec(editor, folder, random_llava, tmp_path):
    (tmp_path / FILE).write_bytes((folder / FILE).read_bytes())
    assert Mend(str(tmp_path)).spec(random_llava) == editor.spec(random_llava)


def test_another_models_checkpoint_is_refused(folder, random_llava_folder, tmp_path):
    other = load(random_llava_folder)
    with torch.no_grad():
        next(other.net.parameters()).add_(1)
    other.save(tmp_path / "other")
    for verb in (lambda editor, model: editor.spec(model), lambda editor, model: editor.begin(model)):
        with pytest.raises(BadInput, match=r"was trained for .*, not for .*errata train mend --model"):
            verb(Mend(str(folder)), load(tmp_path / "other"))


def test_without_a_checkpoint_it_says_how_to_train_one(tmp_path):
    with pytest.raises(BadInput, match=r"errata train mend --out FOLDER"):
        parse("mend")
    with pytest.raises(BadInput, match=r"There is no checkpoint at .*`errata train mend --out FOLDER`"):
        parse(f"mend:checkpoint={tmp_path}")


def test_a_broken_checkpoint_is_refused_with_a_sentence(folder, tmp_path):
    whole = (folder / FILE).read_bytes()
    flipped = whole[:-5] + bytes([whole[-5] ^ 255]) + whole[-4:]
    for content, why in ((whole[: len(whole) // 2], "can't be read"), (b"", "can't be read"), (flipped, "isn't what was written")):
        (tmp_path / FILE).write_bytes(content)
        with pytest.raises(BadInput, match=why):
            parse(f"mend:checkpoint={tmp_path}")


def test_a_safetensors_file_of_something_else_is_refused_with_a_sentence(folder, random_llava, tmp_path):
    save_file({"x": torch.zeros(2)}, tmp_path / FILE)
    with pytest.raises(BadInput, match=r"can't be read"):
        parse(f"mend:checkpoint={tmp_path}")
    replace(MendTraining(PLAN, random_llava).learnt(), kind="serac").write(tmp_path)
    with pytest.raises(BadInput, match=r"is of serac, not of mend"):
        parse(f"mend:checkpoint={tmp_path}")


def test_a_plan_that_isnt_known_or_doesnt_fit_its_tensors_is_refused(random_llava, tmp_path):
    made = MendTraining(PLAN, random_llava).learnt()
    replace(made, plan={**made.plan, "haste": 3}).write(tmp_path)
    with pytest.raises(BadInput, match=r"this version doesn't know .*haste"):
        parse(f"mend:checkpoint={tmp_path}")
    replace(made, plan={**made.plan, "rank": 3}).write(tmp_path)
    with pytest.raises(BadInput, match=r"doesn't hold what its own plan says"):
        parse(f"mend:checkpoint={tmp_path}")


@pytest.mark.parametrize(
    "fields", [{"layers": 0}, {"rank": 0}, {"rank_share": 0.0}, {"rank_share": 1.5}, {"edit_rate": 0.0}, {"edit_weight": -1.0},
               {"locality_weight": -1.0}, {"seed": -1}, {"where": "both"}],
)  # fmt: skip
def test_a_value_out_of_range_is_refused_with_a_sentence(fields):
    with pytest.raises(BadInput, match=r"MEND's .*\."):
        MendPlan(**fields)
