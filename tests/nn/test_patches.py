"""Patches change a model for the length of a block, each in its own way, and leave nothing behind."""

from __future__ import annotations

import pytest
import torch

from errata.core.errors import Unknown
from errata.core.model import Decision
from errata.core.records import EditId, Query
from errata.nn.codes import Codes
from errata.nn.patches import Delta, Handed, LowRank, NoPatch, Replaced, Rewrite, Through, decided, in_rows, merged
from tests.conftest import picture

TEXT = "model.language_model.layers.1.mlp.up_proj"
PROJECTOR = "model.multi_modal_projector.linear_1"


def delta(model, path, *, rank=3, seed=0, grad=False):
    generator = torch.Generator().manual_seed(seed)
    out_features, in_features = model.module(path).weight.shape
    a = torch.randn(rank, in_features, generator=generator) / in_features**0.5
    b = torch.randn(out_features, rank, generator=generator)
    return Delta(a.requires_grad_(grad), b.requires_grad_(grad))


def test_a_low_rank_patch_computes_what_the_merged_weight_computes(random_llava):
    module, change, x = random_llava.module(TEXT), delta(random_llava, TEXT), torch.randn(2, 5, 64)
    with LowRank({TEXT: change}).on(random_llava):
        patched = module(x)
    by_hand = torch.nn.functional.linear(x, module.weight + change.b_OR @ change.a_RI)
    torch.testing.assert_close(patched, by_hand)


def test_merging_adds_up_in_single_precision_and_keeps_the_weights_own(random_llava):
    path = random_llava.writable["text"][-1]
    own = random_llava.module(path).weight
    small = Delta(torch.full((1, own.shape[1]), 1e-3), torch.full((own.shape[0], 1), 1e-2))
    weight = merged(random_llava, LowRank({path: small}, (EditId("an edit"),))).weights[path]
    assert weight.dtype == own.dtype
    torch.testing.assert_close(weight - own, torch.full_like(own, 1e-5), rtol=0, atol=1e-7)


def test_what_depends_on_the_question_is_not_merged(random_llava):
    slots = torch.zeros(4, dtype=torch.bool)
    book = Codes(torch.eye(2, 3), torch.zeros(4, 2), torch.zeros(4, 5), slots, slots, reach=0.9, follow=0.4, used=0)
    with pytest.raises(AssertionError, match="depends on the question"):
        merged(random_llava, LowRank({TEXT: book}))


def test_gradients_reach_both_factors_of_a_low_rank_patch(random_llava):
    module, change, x = random_llava.module(TEXT), delta(random_llava, TEXT, grad=True), torch.randn(7, 64)
    with LowRank({TEXT: change}).on(random_llava):
        module(x).sum().backward()
    torch.testing.assert_close(change.b_OR.grad, (x @ change.a_RI.detach().T).sum(0).expand(128, 3))
    torch.testing.assert_close(change.a_RI.grad, change.b_OR.detach().sum(0)[:, None] * x.sum(0)[None])


def test_gradients_reach_replaced_weights_and_not_the_models_own(random_llava):
    module, x = random_llava.module(TEXT), torch.randn(7, 64)
    weight = module.weight.detach().clone().requires_grad_()
    with Replaced({TEXT: weight}).on(random_llava):
        module(x).sum().backward()
    torch.testing.assert_close(weight.grad, x.sum(0).expand(128, 64))
    assert module.weight.grad is None
    assert module.weight is not weight


def test_patches_add_up_when_they_are_nested(random_llava):
    module, x = random_llava.module(TEXT), torch.randn(3, 64)
    weight, change = torch.randn(128, 64), delta(random_llava, TEXT)
    with Replaced({TEXT: weight}).on(random_llava), LowRank({TEXT: change}).on(random_llava):
        patched = module(x)
    torch.testing.assert_close(patched, torch.nn.functional.linear(x, weight + change.b_OR @ change.a_RI))


@pytest.mark.parametrize("flat", [False, True], ids=["BTI", "(BT)I"])
@pytest.mark.parametrize(
    "rows",
    ["aa", "ab", "a-", "--", "aab", "aabb", "abc", "a-ab-c", "a"],
)
def test_each_row_of_a_batch_gets_its_own_delta(random_llava, rows, flat):
    # Ranks differ, so that stacking has to pad; "-" is a row without a patch.
    module = random_llava.module(TEXT)
    known = {
        name: LowRank({TEXT: delta(random_llava, TEXT, rank=rank, seed=rank)}) for name, rank in zip("abc", (2, 5, 3), strict=True)
    }
    patches = [known[name] if name in known else NoPatch() for name in rows]
    x_BTI = torch.randn(len(rows), 4, 64)
    expected = []
    for x_TI, patch in zip(x_BTI, patches, strict=True):
        with patch.on(random_llava):
            expected.append(module(x_TI))
    with in_rows(random_llava, patches, role="text"):
        found = module(x_BTI.reshape(-1, 64)).reshape(len(rows), 4, -1) if flat else module(x_BTI)
    torch.testing.assert_close(found, torch.stack(expected))


def test_gradients_reach_every_row_of_a_batch(random_llava):
    changes = [delta(random_llava, TEXT, rank=rank, seed=rank, grad=True) for rank in (2, 3)]
    with in_rows(random_llava, [LowRank({TEXT: change}) for change in changes], role="text"):
        random_llava.module(TEXT)(torch.randn(2, 4, 64)).sum().backward()
    assert all(change.b_OR.grad is not None and change.b_OR.grad.abs().sum() > 0 for change in changes)


def test_rows_of_one_role_leave_the_modules_of_another_alone(random_llava):
    x = torch.randn(5, 4, 64)
    before = random_llava.module(PROJECTOR)(x)
    patches = [LowRank({PROJECTOR: delta(random_llava, PROJECTOR, seed=seed)}) for seed in range(2)]
    with in_rows(random_llava, patches, role="text"):
        assert torch.equal(random_llava.module(PROJECTOR)(x), before)


def test_a_call_that_is_no_batch_of_these_rows_is_noticed(random_llava):
    patches = (LowRank({TEXT: delta(random_llava, TEXT)}), NoPatch())
    with in_rows(random_llava, patches, role="text"), pytest.raises(AssertionError, match="isn't a batch of 2 rows"):
        random_llava.module(TEXT)(torch.randn(3, 4, 64))
    with in_rows(random_llava, patches, role="text"), pytest.raises(AssertionError, match="isn't a batch of 2 rows"):
        random_llava.module(TEXT)(torch.randn(4, 4, 64))
    with in_rows(random_llava, patches, role="text"), pytest.raises(AssertionError, match="isn't a batch of 2 rows"):
        random_llava.module(TEXT)(torch.randn(7, 64))


@pytest.mark.parametrize("path", ["model.language_model.layers.9.mlp.up_proj", "lm_head"])
def test_a_path_that_may_not_be_written_is_refused(random_llava, path):
    change = delta(random_llava, TEXT)
    with pytest.raises(Unknown, match="writable module"), LowRank({TEXT: change, path: change}).on(random_llava):
        pass
    with pytest.raises(Unknown, match="writable module"), Replaced({path: torch.zeros(1)}).on(random_llava):
        pass
    with pytest.raises(Unknown, match="writable module"), in_rows(random_llava, [LowRank({path: change})], role="text"):
        pass
    assert not random_llava.module(TEXT)._forward_hooks


def test_shapes_that_do_not_fit_are_said(random_llava):
    with pytest.raises(AssertionError, match="needs a"):
        Delta(torch.zeros(3, 64), torch.zeros(128, 2))
    with (
        pytest.raises(AssertionError, match="maps 64 to 128"),
        LowRank({TEXT: Delta(torch.zeros(2, 9), torch.zeros(9, 2))}).on(random_llava),
    ):
        pass
    with pytest.raises(AssertionError, match="has a weight"), Replaced({TEXT: torch.zeros(64, 128)}).on(random_llava):
        pass


def test_a_rewritten_model_reads_the_other_query_and_is_otherwise_the_same(random_llava):
    asked, instead = Query.ask("what is the red star called?"), Query.ask("where does the blue ring live?")
    with Rewrite(instead).on(random_llava) as model:
        assert model.answers([asked, asked], [NoPatch()] * 2, max_new_tokens=5) == random_llava.answers(
            [instead, instead], [NoPatch()] * 2, max_new_tokens=5
        )
        assert torch.equal(model.loss(asked, "mibo"), random_llava.loss(instead, "mibo"))
        assert model.predict(asked, "mibo") == random_llava.predict(instead, "mibo")
        assert model.predict_many([asked], ["mibo"], [NoPatch()]) == [random_llava.predict(instead, "mibo")]
        together = model.speaking_together([asked, asked], ["mibo", "the blue ring"], changing=())()
        wanted = random_llava.speaking_together([instead, instead], ["mibo", "the blue ring"], changing=())()
        assert [float(one.loss) for one in together] == [float(one.loss) for one in wanted]
        assert model.positions(asked, "mibo") == random_llava.positions(instead, "mibo")
        assert (model.name, model.digest, model.parameters) == (random_llava.name, random_llava.digest, random_llava.parameters)
        assert (model.writable, model.groups) == (random_llava.writable, random_llava.groups)
        assert model.module(TEXT) is random_llava.module(TEXT)
        model.check(asked, "mibo")
    assert random_llava.loss(asked, "mibo") != random_llava.loss(instead, "mibo")


def test_a_rewritten_model_looks_at_the_other_querys_picture_unless_it_is_told_not_to(random_llava):
    asked, instead = Query.ask("what is it?"), Query.ask("what is it?", picture(1))
    with Rewrite(instead).on(random_llava) as model:
        seen = model.features(asked).image_D
        assert seen is not None
        assert torch.equal(seen, random_llava.features(instead).image_D)
        assert model.features(asked, look=False).image_D is None


def test_patches_that_hold_tensors_or_models_are_the_same_only_when_they_are_one(random_llava):
    change, weight = delta(random_llava, TEXT), torch.zeros(1)
    for make in (
        lambda: Delta(change.a_RI, change.b_OR),
        lambda: LowRank({TEXT: change}),
        lambda: Replaced({TEXT: weight}),
        lambda: Handed(random_llava, Query.ask("who?")),
        lambda: Through(random_llava),
    ):
        assert make() != make()
        assert len({make(), make()}) == 2


def test_what_a_scope_said_stands_on_every_patch_that_it_decides_on_and_on_nothing_else(random_llava):
    said = Decision(EditId("an edit"), 0.25, inside=False)
    for patch in (NoPatch(), LowRank({}), Replaced({}), Rewrite(Query.ask("who?")), Handed(random_llava, Query.ask("who?"))):
        found = decided(patch, said)
        assert (type(found), found.decision, patch.decision) == (type(patch), said, None)
    with pytest.raises(AssertionError, match="Through is none of the patches"):
        decided(Through(random_llava), said)
