"""What ScopeEdit promises beyond its equations: what an edit may touch, when it stops, and each mend by its field."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from errata.core.errors import BadInput, Unknown
from errata.core.records import Edit, Query
from errata.editors import parse
from errata.editors._sites import plan, ranks
from errata.editors.scopeedit.editor import PRESETS, ScopeEdit
from tests.editors.samples import PICTURED, POOL, SECOND, WORDED, told

QUICK = ScopeEdit(steps=2, pool=POOL)
PAPER = replace(PRESETS["paper"], steps=2, pool=POOL)


def shared(module):
    return module.delta.b_OR[:, : module.rank_shared]


def local(module):
    return module.delta.b_OR[:, module.rank_shared :]


@pytest.mark.parametrize("editor", [QUICK, PAPER], ids=["default", "paper"])
def test_a_text_only_edit_leaves_the_shared_branch_bit_equal(random_llava, editor):
    before = editor.write(random_llava, editor.begin(random_llava), PICTURED)
    after = editor.write(random_llava, before, WORDED)
    assert any(bool(shared(module).any()) for module in before.modules.values())
    for path, module in after.modules.items():
        assert torch.equal(shared(module), shared(before.modules[path]))
        assert module.p_shared_SS is before.modules[path].p_shared_SS
    assert any(not torch.equal(local(after.modules[path]), local(before.modules[path])) for path in after.modules)


def test_a_gate_below_the_floor_leaves_the_shared_branch_and_its_room(random_llava):
    editor = replace(QUICK, gate_floor=0.999)
    begun = editor.begin(random_llava)
    state = editor.write(random_llava, begun, PICTURED)
    for path, module in state.modules.items():
        assert not shared(module).any()
        assert torch.equal(module.p_shared_SS, begun.modules[path].p_shared_SS)
    assert any(bool(local(module).any()) for module in state.modules.values())


def test_a_nearly_shut_gate_takes_a_whole_key_as_published_and_hardly_any_room_when_mended(random_llava):
    def room(editor):
        state = editor.write(random_llava, editor.begin(random_llava), PICTURED)
        return min(site["plasticity_shared"] for site in told(state)["sites"].values())

    shut = replace(PAPER, tau=0.9, steps=1, top_k=3)
    assert room(shut) < 1 - 0.4 / 48  # one whole unit key halves one of at most 48 directions
    assert room(replace(shut, shared_key="root_gate")) > room(shut)


def test_the_room_that_is_left_is_told_and_falls_with_each_edit(random_llava):
    first = QUICK.write(random_llava, QUICK.begin(random_llava), PICTURED)
    second = QUICK.write(random_llava, first, SECOND)
    telling: list[Any] = [QUICK.telemetry(state) for state in (first, second)]
    rooms = [said["free"] for said in telling]
    assert 0 < rooms[1] < rooms[0] < 1
    (path,) = first.modules
    for state, said in zip((first, second), telling, strict=True):
        site, module = said["sites"][path], state.modules[path]
        assert site["log_det_local"] == pytest.approx(float(torch.logdet(module.p_local_LL.double())), rel=1e-6)
        assert site["log_det_shared"] == pytest.approx(float(torch.logdet(module.p_shared_SS.double())), rel=1e-6, abs=1e-9)
        assert said["free"] == pytest.approx(site["plasticity_local"])
    assert QUICK.telemetry(QUICK.begin(random_llava)) == {}


def test_the_vision_side_never_writes_its_shared_branch(random_llava):
    editor = replace(PAPER, top_k=4)
    state = editor.write(random_llava, editor.begin(random_llava), PICTURED)
    for path in random_llava.writable["projector"]:
        assert local(state.modules[path]).any()
        assert not shared(state.modules[path]).any()


def test_what_an_edit_does_not_write_is_the_very_same_tensor(random_llava):
    editor = replace(QUICK, layers=2, top_k=1)
    before = editor.begin(random_llava)
    after = editor.write(random_llava, before, PICTURED)
    untouched = [path for path in after.modules if not after.modules[path].edits]
    assert untouched
    for path in after.modules:
        assert after.modules[path].delta.a_RI is before.modules[path].delta.a_RI
    for path in untouched:
        assert after.modules[path].delta.b_OR is before.modules[path].delta.b_OR


def test_only_the_best_groups_are_written(random_llava):
    editor = replace(QUICK, top_k=1, steps=1)
    state = editor.write(random_llava, editor.begin(random_llava), PICTURED)
    (groups,) = told(state)["groups"]
    assert len(groups) == 1
    for path, module in state.modules.items():
        group = f"layer.{random_llava.groups[path]}" if path in random_llava.groups else "projector"
        assert bool(module.edits) == (group in groups)


def test_writing_stops_when_the_target_is_learned(random_llava):
    begun = QUICK.begin(random_llava)
    first = told(QUICK.write(random_llava, begun, PICTURED))["losses_nats"][0]
    eager = replace(QUICK, steps=30, stop_nats=first - 0.5)
    last = told(eager.write(random_llava, begun, PICTURED))
    assert 0 < last["steps"] < 30
    assert last["losses_nats"][-1] < first - 0.5 <= last["losses_nats"][-2]


def test_an_edit_that_the_model_knows_already_writes_nothing_and_still_speaks(random_llava):
    editor = replace(QUICK, stop_nats=1e6)
    begun = editor.begin(random_llava)
    state = editor.write(random_llava, begun, PICTURED)
    assert state.edits == (PICTURED.id,)
    assert state.modules == begun.modules
    assert editor.read(random_llava, state, PICTURED.query).deltas == {}


def test_one_forward_and_one_backward_for_each_inner_step(random_llava):
    passes = []
    handle = random_llava.net.get_decoder().register_forward_pre_hook(lambda module, args: passes.append(1))
    editor = replace(QUICK, steps=3, protect=0, stop_nats=None)
    begun = editor.begin(random_llava)
    passes.clear()
    editor.write(random_llava, begun, PICTURED)
    handle.remove()
    assert len(passes) == 3


def test_protection_leaves_weights_alone_and_takes_local_room(random_llava):
    begun = QUICK.begin(random_llava)
    bare = replace(QUICK, protect=0).write(random_llava, begun, PICTURED)
    kept = QUICK.write(random_llava, begun, PICTURED)
    for path, module in kept.modules.items():
        assert torch.equal(module.delta.b_OR, bare.modules[path].delta.b_OR)
        assert torch.equal(module.p_shared_SS, bare.modules[path].p_shared_SS)
        if module.edits:
            assert module.p_local_LL.trace() < bare.modules[path].p_local_LL.trace()


def test_later_writes_step_around_what_is_remembered(random_llava):
    def moved(lam):
        editor = replace(
            QUICK,
            lambda_local=lam,
            projector=False,
            steps=1,
            step_length="fixed",
            eta_local=0.05,
            eta_shared=0.0,
            top_k=3,
            keys_each=True,
        )
        once = editor.write(random_llava, editor.begin(random_llava), PICTURED)
        again = editor.write(random_llava, once, PICTURED)
        return sum(float((local(again.modules[p]) - local(once.modules[p])).norm()) for p in again.modules)

    assert moved(1e-4) < 0.3 * moved(1e4)


@pytest.mark.parametrize(
    "mend",
    [
        {"key_positions": "own"},
        {"keys_each": False},
        {"downdate": "step"},
        {"normalise_keys": False},
        {"normalise_step": False},
        {"step_length": "fixed"},
        {"relaxation": 1.0},
        {"traffic": 0.0},
        {"centre": False},
        {"evidence": "shared"},
        {"shared_key": "unit"},
        {"protect_positions": "all"},
    ],
    ids=lambda mend: next(iter(mend)),
)
def test_every_mend_is_one_field_that_changes_what_is_computed(random_llava, mend):
    def tensors(editor):
        modules = editor.write(random_llava, editor.begin(random_llava), PICTURED).modules.values()
        return [tensor for module in modules for tensor in (module.delta.b_OR, module.p_shared_SS, module.p_local_LL)]

    plain = replace(QUICK, beta=2.0, tau=0.0, gate_floor=0.0, longest=None)
    mended = tensors(replace(plain, **mend))
    assert any(not torch.equal(one, other) for one, other in zip(tensors(plain), mended, strict=True))


def test_units_make_the_mean_pool_code_of_length_one(random_llava):
    state = QUICK.begin(random_llava)
    for module in state.modules.values():
        assert module.unit_local is not None
        assert module.unit_local > 0
    editor = replace(QUICK, pool=())
    blank = editor.begin(random_llava)
    assert all(module.unit_local is None for module in blank.modules.values())
    worded = editor.write(random_llava, blank, WORDED)
    projector = random_llava.writable["projector"]
    assert all((module.unit_local is None) == (path in projector) for path, module in worded.modules.items())
    pictured = editor.write(random_llava, worded, PICTURED)
    for path, module in pictured.modules.items():
        assert module.unit_local is not None
        assert path in projector or module.unit_local == worded.modules[path].unit_local


def test_ranks_follow_the_published_shares():
    assert ranks(4096, local=448, shared=64, share=0.5) == (448, 64)
    assert ranks(11008, local=448, shared=64, share=0.5) == (448, 64)
    assert ranks(1024, local=448, shared=64, share=0.5) == (448, 64)
    assert ranks(192, local=448, shared=64, share=0.5) == (84, 12)
    assert ranks(1, local=448, shared=64, share=0.5) == (1, 0)
    assert ranks(64, local=512, shared=0, share=1.0) == (64, 0)


def test_a_small_model_gets_its_share_of_layers_and_groups_and_the_spec_says_so(random_llava):
    found = plan(
        random_llava,
        layers=None,
        projector=True,
        modules="all",
        rank_local=448,
        rank_shared=64,
        rank_share=0.5,
        top_k=None,
        shared_groups=None,
    )
    depth = len(set(random_llava.groups.values()))
    assert found.layers == -(-depth * 12 // 32)
    assert found.groups[-1] == "projector"
    spec = PAPER.spec(random_llava).fields
    assert (spec["layers"], spec["top_k"], spec["shared_groups"]) == (found.layers, found.top_k, found.shared_groups)
    assert [*dict(spec["sites"])] == [site.path for site in found.sites]  # type: ignore[arg-type]
    assert spec["pool"] is not None
    assert spec["pool"] != replace(QUICK, pool=POOL[1:]).spec(random_llava).fields["pool"]


def test_without_a_shared_branch_everything_is_local(random_llava):
    editor = replace(QUICK, rank_shared=0)
    state = editor.write(random_llava, editor.begin(random_llava), SECOND)
    assert all(module.rank_shared == 0 for module in state.modules.values())
    assert told(state)["losses_nats"][1] < told(state)["losses_nats"][0]


def test_a_pool_query_whose_answer_cannot_be_a_target_is_passed_over(random_llava):
    state = QUICK.begin(random_llava)
    silent = replace(state, answers=(None,) * len(state.answers))
    assert QUICK._drawn(silent) == ()
    assert QUICK.write(random_llava, silent, PICTURED).edits == (PICTURED.id,)


def test_an_edit_is_written_with_its_picture_or_not_at_all(random_llava):
    with pytest.raises(BadInput):
        QUICK.write(random_llava, QUICK.begin(random_llava), Edit(Query.ask("<image> What is it?"), "a ring"))


@pytest.mark.parametrize(
    "fields",
    ["steps=0", "rank_local=0", "rank_shared=-1", "top_k=0", "layers=0", "eta_local=0", "lambda_local=0", "gate_floor=1", "tau=2"],
)
def test_a_value_out_of_range_is_refused_with_a_sentence(fields):
    with pytest.raises(BadInput, match=r"ScopeEdit's .*\."):
        parse(f"scopeedit:{fields}")


def test_an_unknown_preset_lists_those_there_are():
    with pytest.raises(Unknown, match="default, more, paper"):
        ScopeEdit.preset("papper")


def test_rows_that_are_not_orthogonal_share_nothing():
    with pytest.raises(BadInput, match="no rows to share: set rank_shared=0"):
        ScopeEdit(basis="xavier")


OTHERWISE = replace(
    PICTURED,
    also=(Query.ask("Say what is at the top left.", *PICTURED.query.images), Query.ask("What do you see?", *SECOND.query.images)),
)
"""PICTURED, with another wording and another view."""


def test_a_write_learns_every_wording_and_view_that_the_user_gave(random_llava):
    def losses(editor):
        state = editor.write(random_llava, editor.begin(random_llava), OTHERWISE)
        with editor.read(random_llava, state, OTHERWISE.query).on(random_llava):
            return [float(random_llava.loss(query, OTHERWISE.target).detach()) for query in (OTHERWISE.query, *OTHERWISE.also)]

    editor = ScopeEdit(pool=POOL, steps=8)
    over_all, over_one = losses(editor), losses(replace(editor, environments="query"))
    assert max(over_all) < max(over_one)
    assert max(over_all[1:]) < 0.9 * max(over_one[1:])


def test_the_query_alone_is_written_as_if_nothing_else_had_been_given(random_llava):
    editor = replace(QUICK, environments="query")
    start = editor.begin(random_llava)
    given, bare = (editor.write(random_llava, start, edit) for edit in (OTHERWISE, PICTURED))
    for path, module in given.modules.items():
        assert torch.equal(module.delta.b_OR, bare.modules[path].delta.b_OR)
        assert torch.equal(module.p_local_LL, bare.modules[path].p_local_LL)


def test_one_step_over_views_is_the_mean_of_their_gradients_and_all_their_keys_are_remembered(random_llava):
    editor = replace(QUICK, steps=1, step_length="fixed", traffic=0.0, top_k=4, stop_nats=None, protect=0)
    start = editor.begin(random_llava)
    views = [replace(PICTURED, query=query) for query in (OTHERWISE.query, *OTHERWISE.also)]
    alone = [editor.write(random_llava, start, view) for view in views]
    together = editor.write(random_llava, start, OTHERWISE)
    for path, module in together.modules.items():
        moved = torch.stack([local(state.modules[path]) for state in alone]).mean(0)
        torch.testing.assert_close(local(module), moved, rtol=1e-4, atol=1e-6)
        keys = [torch.linalg.inv(state.modules[path].p_local_LL.double()) - torch.eye(len(module.p_local_LL)) for state in alone]
        room = torch.linalg.inv(module.p_local_LL.double()) - torch.eye(len(module.p_local_LL))
        torch.testing.assert_close(room, sum(keys), rtol=1e-2, atol=1e-3)


def test_the_output_side_factor_turns_every_step_away_from_what_ordinary_answers_feel(random_llava):
    plain = replace(QUICK, steps=1, step_length="fixed", outward=0.0, protect=0)
    begun = plain.begin(random_llava)
    assert all(module.outward is None for module in begun.modules.values())
    turned = replace(plain, outward=10.0)
    with_factor = turned.begin(random_llava)
    bare = plain.write(random_llava, begun, PICTURED)
    for path, module in turned.write(random_llava, with_factor, PICTURED).modules.items():
        factor = with_factor.modules[path].outward
        assert factor is not None
        torch.testing.assert_close(module.delta.b_OR, factor.of(bare.modules[path].delta.b_OR))
        assert not torch.allclose(module.delta.b_OR, bare.modules[path].delta.b_OR, rtol=1e-2)


def test_no_step_moves_a_weight_by_more_than_the_share_that_is_allowed(random_llava):
    def moved(longest):
        editor = replace(QUICK, steps=1, longest=longest)
        state = editor.write(random_llava, editor.begin(random_llava), PICTURED)
        return {path: float((m.delta.b_OR @ m.delta.a_RI).norm()) for path, m in state.modules.items() if m.edits}

    free = moved(None)
    assert len(free) == 1  # the last module of the last layer
    for path, far in free.items():
        weight = float(random_llava.module(path).weight.norm())
        assert abs(moved(far / weight / 4)[path] - far / 4) < 1e-3 * far
        assert moved(2 * far / weight) == free


def test_what_a_lone_module_is_protected_by_is_measured_once_and_is_what_asking_after_each_edit_finds(random_llava):
    editor = replace(QUICK, protect=2)
    once = asked = editor.begin(random_llava)
    (table,) = once.protecting.values()
    assert table.shape == (len(POOL), once.modules[next(iter(once.protecting))].p_local_LL.shape[0])
    asked = replace(asked, protecting={})  # as in a state that was pinned before there was such a table
    for edit in (PICTURED, SECOND, WORDED):
        once, asked = editor.write(random_llava, once, edit), editor.write(random_llava, asked, edit)
        for path, module in once.modules.items():
            assert torch.equal(module.p_local_LL, asked.modules[path].p_local_LL)
            assert torch.equal(module.delta.b_OR, asked.modules[path].delta.b_OR)


@pytest.mark.parametrize("editor", [replace(QUICK, protect=0), replace(QUICK, modules="all"), replace(QUICK, layers=2), PAPER])
def test_where_an_edit_can_change_what_is_protected_nothing_is_measured_beforehand(random_llava, editor):
    assert editor.begin(random_llava).protecting == {}
