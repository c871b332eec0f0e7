"""ODEdit around an editor: its environments, that without its own terms it is that editor, and that its terms do what they say."""

from dataclasses import replace
from functools import reduce

import numpy as np
import pytest
import torch

from errata.core.editor import protected
from errata.core.errors import BadInput
from errata.core.images import NEWEST
from errata.core.records import Query
from errata.editors import parse, to_tensors
from errata.editors.odedit.editor import Odedit
from errata.editors.odedit.invariance import terms
from errata.editors.odedit.views import view
from tests.editors.samples import EDITS, PICTURED, POOL, SECOND, WORDED

OTHER = Query.ask("Say what is at the top left.", *PICTURED.query.images)
ALSO = replace(PICTURED, also=(OTHER,))
NOTHING = "locality=0,generality=0,invariance=0,views=0,outside=0"


def fold(model, text, edits, pool=()):
    editor = protected(parse(text), pool)
    return reduce(lambda state, edit: editor.write(model, state, edit), edits, editor.begin(model))


def bits(state):
    return to_tensors(state).tensors


@pytest.mark.parametrize("inner", ["finetune:steps=5;lr=0.003", "scopeedit:steps=5;stop_nats=none"])
def test_without_its_terms_it_is_the_editor_inside(random_llava, inner):
    plain = bits(fold(random_llava, inner.replace(";", ","), [ALSO, SECOND]))
    inside = bits(fold(random_llava, f"odedit:editor={inner},{NOTHING}", [ALSO, SECOND]).inner)
    assert plain.keys() == inside.keys()
    for name, tensor in plain.items():
        assert torch.allclose(tensor, inside[name], atol=1e-6), name


@pytest.mark.parametrize("term", ["locality=3", "generality=3", "invariance=3"])
@pytest.mark.parametrize("inner", ["finetune:steps=5;lr=0.003", "scopeedit:steps=5;stop_nats=none"])
def test_each_term_changes_what_is_written(random_llava, inner, term):
    off = "locality=0,generality=0,invariance=0,views=1,outside=2"
    without = bits(fold(random_llava, f"odedit:editor={inner},{off}", [ALSO], POOL).inner)
    alone = ",".join(part for part in off.split(",") if part.split("=")[0] != term.split("=")[0])
    found = bits(fold(random_llava, f"odedit:editor={inner},{alone},{term}", [ALSO], POOL).inner)
    assert any(not torch.allclose(tensor, without[name], atol=1e-6) for name, tensor in found.items())


def test_what_a_term_counts_more_is_lower_after_the_write(random_llava):
    """Each against the same write without it, on the environments that it was taken over."""
    inner = "finetune:steps=15;lr=0.003"
    edit = replace(ALSO, keep=(SECOND.query, WORDED.query))
    editor = Odedit(editor=inner, views=0, outside=0)

    def after(text):
        state = fold(random_llava, f"odedit:editor={inner},views=0,outside=0,{text}", [edit])
        kept = editor._out(random_llava, state, edit)
        queries, answers = [query for query, _ in kept], [answer for _, answer in kept]
        assert queries == list(edit.keep)
        with torch.no_grad():
            before = random_llava.spoken(queries, answers)
            with editor.read(random_llava, state, edit.query).on(random_llava):
                inside = random_llava.spoken([edit.query, OTHER], [edit.target] * 2)
                return terms(inside, random_llava.spoken(queries, answers), before)

    off = after("locality=0,generality=0,invariance=0")
    assert float(after("locality=10,generality=0,invariance=0").locality) < 0.7 * float(off.locality)
    assert float(after("locality=0,generality=30,invariance=0").generality) < float(off.generality)
    assert float(after("locality=0,generality=0,invariance=1").variation) < 0.7 * float(off.variation)


def test_its_environments_are_the_users_and_views_made_of_their_pictures(random_llava):
    editor = protected(Odedit(views=2, outside=3, pool_size=4), POOL)
    objective = _environments(editor, random_llava, replace(ALSO, keep=(WORDED.query,)))
    views = objective.views(ALSO)
    assert views[:2] == (ALSO.query, OTHER)
    assert len(views) == 2 + 2 * 2
    assert len({query.digest for query in views}) == len(views)
    assert {query.text for query in views} == {ALSO.query.text, OTHER.text}
    assert objective.views(WORDED) == (WORDED.query,)
    assert [query for query, _ in objective.out][0] == WORDED.query
    assert len(objective.out) == 1 + 3
    assert all(query in POOL for query, _ in objective.out[1:])
    again = _environments(editor, random_llava, replace(ALSO, keep=(WORDED.query,)))
    assert again.out == objective.out
    drawn = {tuple(query.digest for query, _ in _environments(editor, random_llava, edit).out) for edit in EDITS}
    assert len(drawn) > 1


def _environments(editor, model, edit):
    from errata.editors.odedit.editor import _Environments

    return _Environments(editor, editor._out(model, editor.begin(model), edit), model.decoder)


def test_a_view_is_the_same_picture_and_not_the_same_pixels():
    seen = [view(PICTURED.query, seed=seed, decoder=NEWEST) for seed in (1, 1, 2)]
    before, *after = [np.asarray(query.images[0].pixels(), dtype=float) for query in (PICTURED.query, *seen)]
    assert np.array_equal(after[0], after[1])
    assert not np.array_equal(after[0], after[2])
    assert all(each.shape == before.shape for each in after)
    assert all(0 < np.abs(each - before).mean() < 60 for each in after)
    assert view(WORDED.query, seed=1, decoder=NEWEST) == WORDED.query


@pytest.mark.parametrize("inner", ["codebook", "none", "ike", "told"])
def test_an_editor_that_lowers_no_loss_is_refused_with_a_sentence(inner):
    with pytest.raises(BadInput, match=f"{inner}.* doesn't write in steps on a loss.*errata train mend:objective=odedit"):
        parse(f"odedit:editor={inner}")


@pytest.mark.parametrize("fields", ["locality=-1", "generality=-1", "invariance=-1", "dual_rate=-1", "views=-1", "outside=-1"])
def test_a_value_out_of_range_is_refused_with_a_sentence(fields):
    with pytest.raises(BadInput, match=r"ODEdit's .* at least 0, not -1"):
        parse(f"odedit:{fields}")


@pytest.mark.parametrize("fields", ["objective=irm", "generality_weight=-1", "invariance=-1"])
def test_a_mends_plan_refuses_what_odedit_cant_take(fields):
    from errata.editors import MendPlan, made

    with pytest.raises(BadInput, match="(?i)mend's"):
        made(MendPlan, "mend", fields)
