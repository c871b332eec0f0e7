"""What is asked beside a write, alone: which edits, by which of their questions, and what counts as lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from errata.core.editor import Editor
from errata.core.model import Model
from errata.core.records import Edit, EditId, Query
from errata.log import EditLog, MemoryStore
from errata.session.neighbours import Beside, Lost, beside
from tests.log.worlds import BY, words
from tests.session.clerks import Clerk, Said, Telling

NEW = Edit(Query.ask("who wrote this?"), "the monk")
EDITS = tuple(words(number) for number in range(20))
WIDE = replace(words(30), also=(Query.ask("say who wrote book 30."), Query.ask("the author of book 30?")))


def log_of(*edits: Edit) -> EditLog:
    log = EditLog(MemoryStore())
    log.append("begun", None, BY)
    for edit in edits:
        log.append("applied", edit, BY)
    return log


def given(*edits: Edit) -> Said:
    """A state in which these are given, in every wording of theirs."""
    return Said({query.text: edit.target for edit in edits for query in (edit.query, *edit.also)})


def moved(state: Said, *queries: Query) -> Said:
    return Said({**state.answers, **{query.text: "nobody" for query in queries}})


def looked(
    *edits: Edit,
    before: Said | None = None,
    after: Said,
    near: Sequence[Edit] | None = None,
    but: Sequence[Edit] = (),
    gone: Sequence[Edit] = (),
) -> Beside:
    clerk = Clerk() if near is None else Telling(near=ids(*near), gone=ids(*gone))
    return beside(
        cast(Model, clerk),
        cast(Editor[Any], clerk),
        log_of(*edits, NEW),
        before=before or given(*edits),
        after=after,
        edit=NEW,
        but=[edit.id for edit in but],
    )


def ids(*edits: Edit) -> tuple[EditId, ...]:
    return tuple(edit.id for edit in edits)


def test_those_that_an_editor_names_are_asked_in_its_order_and_nothing_is_lost_where_all_are_given():
    found = looked(*EDITS[:4], after=given(*EDITS[:4]), near=(EDITS[2], EDITS[0]))
    assert found == Beside(ids(EDITS[2], EDITS[0]), (), True)
    assert found.why == ""


def test_one_that_was_given_before_and_is_not_after_is_lost_and_the_write_is_refused():
    one, other = EDITS[:2]
    found = looked(one, other, after=moved(given(one, other), one.query), near=(one, other))
    assert found.lost == (Lost(one.id, one.query.text, one.target, "nobody"),)
    assert f": edit {one.id[:12]} ('" in found.why
    assert one.query.text in found.why
    assert "nobody" in found.why
    assert found.why.endswith(f"--supersede {one.id[:12]}")
    assert found.lost[0].to_json() == {"edit": one.id, "question": one.query.text, "target": one.target, "now": "nobody"}


def test_one_that_was_not_given_before_either_is_not_lost():
    one, other = EDITS[:2]
    state = moved(given(one, other), one.query)
    found = looked(one, other, before=state, after=moved(state, other.query), near=(one, other))
    assert [lost.edit for lost in found.lost] == [other.id]


@pytest.mark.parametrize("place", [0, 1])
def test_a_wording_that_is_not_given_any_more_loses_the_edit_once_and_names_the_wording(place):
    found = looked(WIDE, after=moved(given(WIDE), WIDE.also[place]), near=(WIDE,))
    assert found.lost == (Lost(WIDE.id, WIDE.also[place].text, WIDE.target, "nobody"),)
    all_moved = looked(WIDE, after=moved(given(WIDE), WIDE.query, *WIDE.also), near=(WIDE,))
    assert all_moved.lost == (Lost(WIDE.id, WIDE.query.text, WIDE.target, "nobody"),)


def test_white_space_is_no_loss():
    one = EDITS[0]
    assert not looked(one, after=Said({one.query.text: f" {one.target}  "}), near=(one,)).lost


def test_what_leaves_with_the_write_and_the_edit_itself_and_strangers_are_not_asked():
    one, other, gone = EDITS[:3]
    found = looked(one, other, after=given(other), near=(one, NEW, gone, other), but=(one,))
    assert found == Beside(ids(other), (), True)
    assert looked(one, after=given(), near=(NEW, one), but=(one,)) == Beside()


def test_those_that_made_room_are_asked_first_each_once_and_a_loss_of_one_says_how_there_is_more_room():
    one, other, third = EDITS[:3]
    found = looked(one, other, third, after=moved(given(other, third), one.query), near=(other, third), gone=(third, one))
    assert found.asked == ids(third, one, other)
    assert (found.crowded, [lost.edit for lost in found.lost]) == (True, [one.id])
    assert "slots=8192" in found.why
    assert found.why.startswith("it would take another correction away: ")
    apart = looked(one, other, after=moved(given(one, other), one.query), near=(one,), gone=(other,))
    assert (apart.crowded, len(apart.lost), "slots" in apart.why) == (False, 1, False)


def test_at_most_eight_are_asked_where_the_editor_bounds_them():
    assert looked(*EDITS, after=given(*EDITS), near=EDITS).asked == ids(*EDITS[:8])


def test_of_shared_weights_the_newest_four_and_four_others_are_asked_and_a_loss_is_named_and_not_refused():
    found = looked(*EDITS, after=moved(given(*EDITS), EDITS[-1].query))
    assert found.asked[:4] == ids(*EDITS[-4:])
    assert len(found.asked) == len(set(found.asked)) == 8
    assert set(found.asked[4:]) <= set(ids(*EDITS[:-4]))
    assert found == looked(*EDITS, after=moved(given(*EDITS), EDITS[-1].query))
    assert ([lost.edit for lost in found.lost], found.surely, found.why) == ([EDITS[-1].id], False, "")


def test_which_others_are_asked_depends_on_the_edit_so_that_all_have_their_turn():
    clerk, log = Clerk(), log_of(*EDITS)
    asked = set[EditId]()
    for number in range(40, 60):
        found = beside(
            cast(Model, clerk),
            cast(Editor[Any], clerk),
            log,
            before=given(*EDITS),
            after=given(*EDITS),
            edit=words(number),
            but=(),
        )
        asked |= set(found.asked)
    assert asked == set(ids(*EDITS))


def test_the_others_are_asked_in_one_batch_and_in_another_where_something_is_lost():
    asked: list[int] = []

    class Counting(Telling):
        def generated(self, queries, patches, *, max_new_tokens):
            asked.append(len(queries))
            return super().generated(queries, patches, max_new_tokens=max_new_tokens)

    clerk, (one, other) = Counting(near=ids(*EDITS[:2])), EDITS[:2]
    log, whole = log_of(one, other, NEW), given(one, other)
    for after, batches in ((whole, [2]), (moved(whole, one.query), [2, 1])):
        asked.clear()
        beside(cast(Model, clerk), cast(Editor[Any], clerk), log, before=whole, after=after, edit=NEW, but=())
        assert [rows for rows in asked if rows] == batches


def test_several_losses_are_all_named():
    found = looked(*EDITS[:2], after=Said({edit.query.text: "nobody" for edit in EDITS[:2]}), near=EDITS[:2])
    assert found.why.startswith("it would take another correction away: ")
    assert found.why.endswith(f"--supersede {EDITS[0].id[:12]} --supersede {EDITS[1].id[:12]}")
    assert "; " in found.why
