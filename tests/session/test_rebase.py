"""The corrections of one model are put to another: what it needs is carried, what it gives by itself dropped, the rest named."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch

from errata.core.errors import BadInput, LogError, WrongStore
from errata.core.records import Edit, Provenance, Query
from errata.core.rules import Rules, RuleSet
from errata.editors import parse
from errata.log import EditLog, Entry, MemoryStore
from errata.models import load
from errata.models.small.build import build_llava
from errata.nn.patches import NoPatch
from errata.session.rebase import check_rebase, rebase, session_onto
from errata.session.session import Session
from errata.session.takeback import erase_image
from tests.by_words import ByWords
from tests.conftest import SIZES, WORDS
from tests.editors.samples import EDITS, POOL, picture

OLD = parse("finetune:steps=1,lr=0.001")  # what the older model learned doesn't matter here
APART = ByWords()  # each edit speaks to its own words
TOGETHER = parse("finetune:lr=0.05,steps=30,stop_nats=0.1")  # each edit speaks to everything
ANN, BO, CY = Provenance("ann", "seen in review", "T-1"), Provenance("bo", "was moved"), Provenance("cy", "new base model")
FIRST, SECOND, THIRD = EDITS
KNOWN = Edit(Query.ask("What is it called?", picture(0, 120, 0)), "mibo")
OTHER = Edit(Query.ask("How many things are there?"), "35")


def build(folder: Path, seed: int) -> Path:
    """A checkpoint folder with random weights of this seed."""
    build_llava(folder, texts=WORDS * 8, sizes=SIZES, seed=seed)
    model, generator = load(folder), torch.Generator().manual_seed(seed)
    for module in model.net.modules():
        if isinstance(module, torch.nn.Linear):
            module.weight.normal_(std=module.in_features**-0.5, generator=generator)
        if isinstance(module, torch.nn.Embedding):
            module.weight.normal_(generator=generator)
    model.save(folder)
    return folder


def build_knowing(folder: Path) -> Path:
    """The same of another seed, and then trained to know KNOWN and OTHER."""
    model, editor = load(build(folder, 11)), parse("finetune:steps=25,lr=0.003")
    state = editor.begin(model)
    for edit in (OTHER, KNOWN) * 3:
        state = editor.write(model, state, edit)
    with torch.no_grad():
        for path, weight in state.weights.items():
            module = model.module(path)
            assert isinstance(module, torch.nn.Linear)
            module.weight.copy_(weight)
    model.save(folder)
    return folder


@pytest.fixture(scope="module")
def newer(tmp_path_factory):
    """The next version of a model: it knows two things by itself."""
    model = load(build_knowing(tmp_path_factory.mktemp("models") / "newer"))
    known = [KNOWN, OTHER]
    assert model.answers([edit.query for edit in known], [NoPatch()] * 2) == [edit.target for edit in known]
    return model


def old_log(model, *edits: Edit) -> EditLog:
    """A branch of the older model with these edits in force."""
    log = EditLog(MemoryStore())
    session = Session.open(model, OLD, log)
    for edit in edits:
        session.edit(edit, ANN, guard=False)
    return log


def onto(model, old: EditLog, branch: str = "newer", *, editor=APART) -> Session:
    return session_onto(model, editor, old=old, new=old.on(branch))


def head_of(log: EditLog) -> Entry:
    head = log.head
    assert head is not None
    return head


def kinds(log: EditLog) -> list[str]:
    return [entry.kind for entry in log.entries()]


def test_what_is_needed_is_carried_what_is_known_dropped_and_what_is_refused_named(random_llava, newer):
    refused = replace(SECOND, keep=(SECOND.query,))
    old = old_log(random_llava, FIRST, KNOWN, refused, THIRD)
    before = list(old.entries())
    session = onto(newer, old)
    done = rebase(session, old, CY)
    assert [moved.fate for moved in done.edits] == ["carried", "dropped", "failed", "carried"]
    assert "`keep`" in done.edits[2].why
    assert session.log.ids_in_force() == (FIRST.id, THIRD.id) == done.those("carried")
    assert kinds(session.log) == ["begun", "applied", "refused", "applied", "rebased"]
    assert list(old.entries()) == before
    head = head_of(session.log)
    assert head.by == CY
    assert (head.details["from"], head.details["head"]) == ("main", before[-1].mark)
    assert (head.details["old_model"], head.details["model"]) == (random_llava.digest, newer.digest)
    assert (head.details["carried"], head.details["dropped"]) == ([FIRST.id, THIRD.id], [KNOWN.id])
    assert head.details["failed"] == {refused.id: done.edits[2].why}


def test_a_rebased_branch_is_the_one_that_the_new_model_would_have_had(random_llava, newer):
    old = old_log(random_llava, FIRST, KNOWN, THIRD)
    session = onto(newer, old)
    rebase(session, old)
    alone = Session.open(newer, APART, EditLog(MemoryStore()))
    for edit in (FIRST, THIRD):
        alone.edit(edit)
    queries = [FIRST.query, THIRD.query, KNOWN.query]
    assert session.said(queries, session.state) == alone.said(queries, alone.state)


def test_an_edit_keeps_its_author_reason_and_ticket(random_llava, newer):
    old = old_log(random_llava, FIRST)
    Session.open(random_llava, OLD, old).edit(SECOND, BO, guard=False)
    session = onto(newer, old)
    rebase(session, old, CY)
    assert [entry.by for entry in session.log.find(kinds=["applied"])] == [ANN, BO]
    assert [entry.details["key"] for entry in session.log.find(kinds=["applied"])] == [
        f"rebase:{head_of(old).hash}:{edit.id}" for edit in (FIRST, SECOND)
    ]


def test_who_approved_or_restored_an_edit_does_not_become_its_author(random_llava, newer):
    old = old_log(random_llava)
    old.append("proposed", FIRST, ANN)
    old.append("approved", None, BO, edit_id=FIRST.id)
    old.append("applied", FIRST, BO)
    old.append("reverted", None, BO, edit_id=FIRST.id)
    old.append("applied", FIRST, CY)
    session = onto(newer, old)
    rebase(session, old, CY)
    assert [entry.by for entry in session.log.find(kinds=["applied"])] == [ANN]


def test_only_what_is_in_force_is_rebased(random_llava, newer):
    old = old_log(random_llava, FIRST, SECOND, THIRD)
    Session.open(random_llava, OLD, old).revert(SECOND.id)
    assert rebase(onto(newer, old), old).those("carried") == (FIRST.id, THIRD.id)


def test_an_edit_of_which_one_wording_is_not_known_is_still_needed(random_llava, newer):
    old = old_log(random_llava, replace(KNOWN, also=(OTHER.query,)))
    assert rebase(onto(newer, old), old).edits[0].fate != "dropped"


def test_an_edit_whose_time_is_over_is_dropped(random_llava, newer):
    ends = replace(FIRST, valid_until="2126-01-01")
    old = old_log(random_llava, ends)
    (moved,) = rebase(onto(newer, old), old, now=datetime(2126, 1, 2, tzinfo=UTC)).edits
    assert (moved.fate, moved.why) == ("dropped", "its time was over on 2126-01-01")


def test_an_edit_that_can_not_be_put_to_the_new_model_is_named_and_the_others_go_on(random_llava, newer, tmp_path):
    build_llava(tmp_path / "short", texts=WORDS * 8, sizes=replace(SIZES, context=120), seed=3)
    long = Edit(Query.ask("what is it? " * 12), "a star")
    old = old_log(random_llava, long, THIRD)
    done = rebase(onto(load(tmp_path / "short"), old, editor=TOGETHER), old)
    assert (done.edits[0].fate, done.edits[0].unedited, done.edits[0].seq) == ("failed", "", 0)
    assert "The prompt takes" in done.edits[0].why
    assert done.edits[1].seq > 0


def test_a_dropped_edit_that_another_one_undoes_is_put_after_all(random_llava, newer):
    near = Edit(Query.ask("What is it called, then?", *KNOWN.images), "a red star")
    old = old_log(random_llava, KNOWN, near)
    apart, together = onto(newer, old, "apart"), onto(newer, old, "together", editor=TOGETHER)
    assert [moved.fate for moved in rebase(apart, old).edits] == ["dropped", "carried"]
    done = rebase(together, old)
    assert [moved.fate for moved in done.edits] == ["carried", "lost"], "what was put last took the other's answer"
    assert (done.those("lost"), head_of(together.log).details["lost"]) == ((near.id,), [near.id])
    assert together.log.ids_in_force() == (near.id, KNOWN.id)
    assert together.said([KNOWN.query], together.state) == [KNOWN.target]


def test_the_rules_of_the_new_branch_hold_for_what_is_carried(random_llava, newer):
    old = old_log(random_llava, FIRST, THIRD)
    done = rebase(onto(newer, old), old, rules=Rules(RuleSet(must_not=(FIRST.query,)), ()))
    assert (done.those("failed"), done.those("carried")) == ((FIRST.id,), (THIRD.id,))


def test_an_interrupted_rebase_goes_on_and_ends_as_if_it_had_not_been(random_llava, newer, tmp_path):
    refused = replace(SECOND, keep=(SECOND.query,))
    old = old_log(random_llava, FIRST, refused, KNOWN, THIRD)
    whole = onto(newer, old, "whole")
    wanted = rebase(whole, old, CY)

    def stop(what: str, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebase(onto(newer, old, "cut"), old, CY, progress=stop)
    assert kinds(old.on("cut")) == ["begun", "applied", "refused"]
    again = onto(newer, old, "cut")
    assert rebase(again, old, CY) == wanted
    assert kinds(again.log) == kinds(whole.log)
    assert again.log.ids_in_force() == whole.log.ids_in_force()


def test_a_branch_with_something_on_it_is_refused_and_left_alone(random_llava, newer):
    old = old_log(random_llava, FIRST)
    other = onto(newer, old, "other")
    other.edit(SECOND, guard=False)
    done = onto(newer, old, "done")
    rebase(done, old)
    for branch, said in (("other", "isn't empty"), ("done", "holds a rebase that is done"), ("main", "onto itself")):
        entries = len(old.on(branch))
        with pytest.raises(BadInput, match=said):
            check_rebase(old, old.on(branch))
        assert len(old.on(branch)) == entries
    with pytest.raises(LogError, match="has no entries"):
        check_rebase(old.on("nothing"), old.on("new"))
    with pytest.raises(WrongStore):
        onto(random_llava, old, "done")  # as somebody does who names the old model


def test_a_rebase_of_another_head_is_not_mixed_with_one_that_was_interrupted(random_llava, newer):
    old = old_log(random_llava, FIRST)
    session = onto(newer, old)
    session.edit(FIRST, ANN, key=f"rebase:{head_of(old).hash}:{FIRST.id}")
    assert check_rebase(old, session.log) == old.head
    Session.open(random_llava, OLD, old).edit(THIRD, guard=False)
    with pytest.raises(BadInput, match="isn't empty"):
        check_rebase(old, session.log)


def test_a_kept_effect_can_not_be_rebased(random_llava, newer):
    old = old_log(random_llava, FIRST, SECOND)
    (image,) = FIRST.query.images
    erase_image(Session.open(random_llava, OLD, old), image.digest, keep_effect=True)
    with pytest.raises(LogError, match="effect kept"):
        check_rebase(old, old.on("newer"))
    assert len(old.on("newer")) == 0


def test_an_erased_image_without_a_kept_effect_is_no_hindrance(random_llava, newer):
    old = old_log(random_llava, FIRST, SECOND)
    (image,) = FIRST.query.images
    erase_image(Session.open(random_llava, OLD, old), image.digest)
    assert rebase(onto(newer, old), old).those("carried") == (SECOND.id,)


def test_the_new_branch_protects_the_pool_that_the_old_one_did(random_llava, newer):
    editor, old = parse("scopeedit"), EditLog(MemoryStore())
    Session.open(random_llava, editor, old, pool=POOL)
    session = onto(newer, old, editor=editor)
    first, second = (next(log.entries(1, 2)) for log in (old, session.log))
    assert first.details["pool"] == second.details["pool"] is not None
