"""What the codebook promises beyond the contract of every editor: no order, exact forgetting, one size, silence out of reach."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
import torch

from errata.core.errors import BadInput, WrongStore
from errata.core.records import Edit, EditId, Provenance, Query
from errata.editors import parse, state_bytes
from errata.editors.codebook import Codebook, _leaving, _making_room
from errata.log import EditLog, MemoryStore
from errata.models import load
from errata.session.beginnings import check_same
from tests.editors.samples import EDITS, PICTURED, SECOND, WORDED, picture

BOOK = Codebook(slots=48, steps=20, chatter=20)


def written(model, editor, *edits):
    state = editor.begin(model)
    for edit in edits:
        state = editor.write(model, state, edit)
    return state


def rows(state, edit):
    """An edit's keys and values."""
    place = state.edits.index(edit.id)
    start = sum(sum(span) for span in state.spans[:place])
    stop = start + sum(state.spans[place])
    return state.book.keys_MR[start:stop], state.book.values_MO[start:stop]


def asked(model, editor, state, *queries):
    return model.answers(list(queries), [editor.read(model, state, query) for query in queries], max_new_tokens=8)


def test_an_edits_slots_are_the_same_to_the_bit_whatever_came_before(random_llava):
    alone = {edit.id: rows(written(random_llava, BOOK, edit), edit) for edit in EDITS}
    for order in permutations(EDITS):
        state = written(random_llava, BOOK, *order)
        for edit in EDITS:
            assert all(torch.equal(one, other) for one, other in zip(rows(state, edit), alone[edit.id], strict=True))


def test_every_edit_of_a_stream_is_given_after_the_last_one(random_llava):
    state = written(random_llava, BOOK, *EDITS)
    assert asked(random_llava, BOOK, state, *(edit.query for edit in EDITS)) == [edit.target for edit in EDITS]


def test_the_state_has_one_size_from_before_the_first_edit(random_llava):
    assert len({state_bytes(written(random_llava, BOOK, *EDITS[:count])) for count in range(4)}) == 1


def test_a_slot_for_each_token_and_the_end_of_every_wording(random_llava):
    wide = replace(PICTURED, also=(Query.ask("Say what is at the top left.", *PICTURED.query.images),))
    state, bare = (written(random_llava, editor, wide) for editor in (BOOK, replace(BOOK, environments="query")))
    tokens = len(random_llava.predict(PICTURED.query, PICTURED.target).targets)
    assert state.spans == ((tokens + 1, tokens + 1),)
    assert bare.spans == ((tokens + 1,),)
    assert asked(random_llava, BOOK, state, *wide.also) == [PICTURED.target]


def test_of_two_edits_of_one_question_the_later_one_speaks_and_forgetting_it_brings_the_earlier_back(random_llava):
    later = replace(PICTURED, target="a blue ring")
    state = written(random_llava, BOOK, PICTURED, SECOND, later)
    assert asked(random_llava, BOOK, state, PICTURED.query) == ["a blue ring"]
    assert BOOK.telemetry(state)["overruled"] == [PICTURED.id]
    assert BOOK.telemetry(state)["free"] == 1 - state.book.used / BOOK.slots
    back = BOOK.forget(state, later.id)
    assert back is not None
    assert asked(random_llava, BOOK, back, PICTURED.query) == [PICTURED.target]


def test_who_is_silenced_twice_stays_silent_when_one_of_the_two_goes(random_llava):
    second, third = (replace(PICTURED, target=target) for target in ("a blue ring", "a green cross"))
    state = written(random_llava, BOOK, PICTURED, second, third)
    left = BOOK.forget(state, third.id)
    assert left is not None
    assert asked(random_llava, BOOK, left, PICTURED.query) == ["a blue ring"]
    only = BOOK.forget(left, second.id)
    assert only is not None
    assert asked(random_llava, BOOK, only, PICTURED.query) == [PICTURED.target]
    assert torch.equal(only.book.shut_M, written(random_llava, BOOK, PICTURED).book.shut_M)


def test_what_is_out_of_reach_gives_the_models_own_logits_to_the_bit(random_llava):
    far = replace(BOOK, reach=0.999)
    state, elsewhere = written(random_llava, far, *EDITS), Query.ask("How many are there?", picture(9, 99, 200))
    bare = random_llava.predict(elsewhere, "two")
    with far.read(random_llava, state, elsewhere).on(random_llava):
        assert random_llava.predict(elsewhere, "two").losses_nats == bare.losses_nats
    wide = replace(BOOK, reach=-0.999)
    with wide.read(random_llava, written(random_llava, wide, *EDITS), elsewhere).on(random_llava):
        assert random_llava.predict(elsewhere, "two").losses_nats != bare.losses_nats


def test_silent_edits_leave_first_and_then_the_older_of_the_two_that_are_nearest():
    firsts = torch.nn.functional.normalize(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.1], [0.3, 1.0], [-1.0, 0.0]]), dim=1)
    assert list(_leaving(firsts, [False, False, False, False, False])) == [0, 1, 2, 3, 4]
    assert list(_leaving(firsts, [False, False, True, False, True])) == [2, 4, 1, 0, 3]
    assert list(_leaving(firsts.flip(0), [False] * 5))[:2] == [2, 1]


def test_when_no_slot_is_free_a_part_of_them_is_freed_at_once(random_llava):
    state = written(random_llava, replace(BOOK, slots=640), PICTURED)
    many = replace(state, edits=tuple(EditId(str(index)) for index in range(100)), spans=((6,),) * 100)
    assert len(_making_room(many, 1)) == 2  # ten slots
    assert len(_making_room(many, 13)) == 3
    assert _making_room(many, 0) == []


def test_the_older_edit_makes_room_and_then_only_a_fold_can_tell(random_llava):
    need = written(random_llava, BOOK, PICTURED).book.used
    small = replace(BOOK, slots=written(random_llava, BOOK, SECOND, WORDED).book.used)
    assert small.slots < need + written(random_llava, BOOK, SECOND, WORDED).book.used
    state, fresh = written(random_llava, small, *EDITS), written(random_llava, small, SECOND, WORDED)
    assert (state.edits, state.dropped) == ((SECOND.id, WORDED.id), 1)
    for name in ("keys_MR", "values_MO", "shut_M"):
        assert torch.equal(getattr(state.book, name), getattr(fresh.book, name))
    assert small.forget(state, WORDED.id) is None
    assert small.read(random_llava, state, PICTURED.query).edits == (SECOND.id, WORDED.id)


def test_silent_edits_make_room_before_older_ones_that_speak(random_llava):
    later = replace(SECOND, target="the town")
    sizes = {edit.id: written(random_llava, BOOK, edit).book.used for edit in (PICTURED, SECOND, later, WORDED)}
    small = replace(BOOK, slots=sum(sizes.values()) - 1)
    state = written(random_llava, small, PICTURED, SECOND, later, WORDED)
    assert (state.edits, state.dropped) == ((PICTURED.id, later.id, WORDED.id), 1)
    assert asked(random_llava, small, state, SECOND.query) == ["the town"]


def test_an_edit_that_no_codebook_of_this_size_can_hold_is_refused_with_a_sentence(random_llava):
    tiny = replace(BOOK, slots=2)
    begun = tiny.begin(random_llava)
    with pytest.raises(BadInput, match=r"needs \d+ slots for 1 wordings and views, and the codebook has 2\. Give it more"):
        tiny.write(random_llava, begun, PICTURED)
    assert begun.book.used == 0


def test_layers_under_the_slots_run_once_for_an_edit(random_llava):
    layers = random_llava.net.get_decoder().layers
    runs = []
    handles = [layer.mlp.register_forward_pre_hook(lambda module, args, at=at: runs.append(at)) for at, layer in enumerate(layers)]
    editor = replace(BOOK, layer=1, steps=3, stop_nats=1e-9)
    begun = editor.begin(random_llava)
    runs.clear()
    editor.write(random_llava, begun, PICTURED)
    for handle in handles:
        handle.remove()
    assert [runs.count(at) for at in range(len(layers))] == [1] * (len(layers) - 1) + [5]


def test_the_values_with_the_lowest_loss_stay(random_llava):
    wild = replace(BOOK, relaxation=40.0, steps=6)
    state = written(random_llava, wild, PICTURED)
    (losses,) = state.losses_nats
    with wild.read(random_llava, state, PICTURED.query).on(random_llava):
        loss = float(random_llava.loss(PICTURED.query, PICTURED.target).detach())
    assert len(losses) == 7
    assert loss == pytest.approx(min(losses), rel=1e-4)


def test_an_edit_that_the_model_knows_already_takes_slots_and_moves_nothing(random_llava):
    easy = replace(BOOK, stop_nats=1e6)
    state = written(random_llava, easy, PICTURED)
    assert state.book.used > 0
    assert not state.book.values_MO.any()


def test_the_metric_is_made_from_prompts_without_sense_or_is_the_inputs_own(random_llava):
    known, again = BOOK.begin(random_llava).book.lens_RI, BOOK.begin(random_llava).book.lens_RI
    assert torch.equal(known, again)
    assert not torch.equal(known, replace(BOOK, seed=1).begin(random_llava).book.lens_RI)
    for bare in (replace(BOOK, weight=0.0), replace(BOOK, chatter=0)):
        lens_RI = bare.begin(random_llava).book.lens_RI
        torch.testing.assert_close(lens_RI @ lens_RI.T, torch.eye(len(lens_RI)))
        assert not torch.equal(lens_RI, known)


class Picky:
    """A model that leaves some prompts without sense out, as it does those that don't come back from their tokens."""

    def __init__(self, model, refuses):
        self.model, self.refuses = model, refuses

    def __getattr__(self, name):
        return getattr(self.model, name)

    def beginnings(self, queries, paths):
        return self.model.beginnings([query for query in queries if query.text not in self.refuses], paths)


def test_prompts_without_sense_that_a_model_does_not_take_are_left_out(random_llava):
    prompts = [query.text for query in random_llava.chatter(BOOK.chatter, seed=BOOK.seed)]
    some, none = (BOOK.begin(Picky(random_llava, refuses)).book.lens_RI for refuses in (prompts[::2], prompts))
    assert not torch.equal(some, BOOK.begin(random_llava).book.lens_RI)
    torch.testing.assert_close(none @ none.T, torch.eye(len(none)))


@pytest.mark.parametrize(
    "given",
    [
        "layer=0",
        "slots=0",
        "width=0",
        "steps=0",
        "weight=-1",
        "chatter=-1",
        "stop_nats=0",
        "relaxation=0",
        "reach=1.5",
        "same=-1",
        "gain=0.5",
        "gain=inf",
    ],
)
def test_a_value_out_of_range_is_refused_with_a_sentence(given):
    with pytest.raises(BadInput, match=r"Codebook's .*\."):
        parse(f"codebook:{given}")


def test_an_unknown_way_of_giving_environments_is_refused():
    with pytest.raises(BadInput):
        parse("codebook:environments=all")


def test_the_spec_says_where_the_slots_are(random_llava):
    spec = BOOK.spec(random_llava).fields
    assert str(spec["module"]).endswith("down_proj")
    assert spec["width"] == min(256, random_llava.module(str(spec["module"])).in_features)


def test_a_gain_multiplies_what_was_found_and_nothing_else_and_the_spec_names_it(random_llava):
    plain, loud = (written(random_llava, editor, *EDITS) for editor in (BOOK, replace(BOOK, gain=2.0)))
    assert torch.equal(loud.book.values_MO, 2 * plain.book.values_MO)
    assert torch.equal(loud.book.keys_MR, plain.book.keys_MR)
    assert loud.losses_nats == plain.losses_nats
    assert replace(BOOK, gain=2.0).spec(random_llava).fields == {**BOOK.spec(random_llava).fields, "gain": 2.0}


def test_a_long_answer_holds_in_other_words_with_a_gain():
    """Each of its words must win over what the model would say there, which in other words is something else."""
    model = load("llava-tiny")
    edit = Edit(Query.ask("who made a vokix?"), "the night watch during one very long winter")
    others = [Query.ask(f"look at this. {text}") for text in ("who made a vokix?", "tell me who made a vokix.")]
    plain, loud = parse("codebook"), parse("codebook:gain=2")
    begun = plain.begin(model)
    for editor, given in ((plain, False), (loud, True)):
        state = editor.write(model, begun, edit)
        answers = model.answers(others, [editor.read(model, state, query) for query in others])
        assert all(answer.startswith("the night") for answer in answers)
        assert all((answer == edit.target) == given for answer in answers)


def test_the_edit_is_put_to_the_model_with_its_picture_or_not_at_all(random_llava):
    with pytest.raises(BadInput):
        BOOK.write(random_llava, BOOK.begin(random_llava), Edit(Query.ask("<image> What is it?"), "a ring"))


def test_a_store_begun_before_there_was_a_gain_goes_on_without_one_and_with_another_is_refused(random_llava):
    log = EditLog(MemoryStore())
    was = BOOK.spec(random_llava)
    assert was.fields["gain"] == 1.0
    model = {"name": random_llava.name, "digest": random_llava.digest, "parameters": random_llava.parameters}
    old = {**was.to_json(), "fields": {name: value for name, value in was.fields.items() if name != "gain"}}
    log.append("begun", None, Provenance(), details={"model": model, "editor": old, "asked": "codebook"})
    check_same(next(log.entries()), random_llava, BOOK)
    with pytest.raises(WrongStore, match="gain"):
        check_same(next(log.entries()), random_llava, replace(BOOK, gain=2.0))
