"""Ranges, points in time and images are taken back by new entries, and the state is the one that the log then says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from errata.core.errors import BadImage, BadInput, ErrataError, LogError, Tampered, Unknown
from errata.core.records import Edit, Provenance, Query
from errata.editors import parse
from errata.log import EditLog, MemoryStore, Snapshots
from errata.session.session import Session
from errata.session.takeback import erase_image, finish_erasing, to_point
from tests.editors.samples import EDITS, POOL, picture
from tests.session.eventful import Eventful
from tests.session.test_lifecycle import LEARNS, Clock, answers, kinds, opened, written

BY = Provenance("ann", "asked for by its owner")
FIRST, SECOND, THIRD = EDITS


def test_going_back_brings_the_very_state_of_then(random_llava):
    session = written(random_llava, FIRST, SECOND)
    then, point = answers(session), len(session.log)
    session.revert(FIRST.id)
    session.edit(THIRD, guard=False)
    seen = to_point(session, point, dry_run=True)
    assert (seen.out, seen.back) == ((THIRD.id, SECOND.id), (FIRST.id, SECOND.id))
    assert len(session.log) == 5
    done = to_point(session, point, BY)
    assert (done.out, done.back, done.moved) == (seen.out, seen.back, seen.moved)
    assert session.log.ids_in_force() == (FIRST.id, SECOND.id)
    assert answers(session) == then == answers(opened(random_llava, session.log))
    assert kinds(session)[-4:] == ["reverted", "reverted", "applied", "applied"]
    with pytest.raises(BadInput, match="already"):
        to_point(session, len(session.log))


def test_a_point_is_a_number_a_name_or_a_time(random_llava):
    session = written(random_llava, FIRST, SECOND)
    log = session.log
    log.append("aliased", None, BY, details={"alias": "release-1", "entry": 2})
    assert log.point("2") == log.point("release-1") == 2
    assert log.point(log.head.time) == 4
    assert log.point("2000-01-01") == 0
    for bad, error in (("nineteen", BadInput), ("99", LogError)):
        with pytest.raises(error):
            log.point(bad)


def test_a_range_names_the_edits_that_its_entries_applied(random_llava):
    session = written(random_llava, *EDITS)
    assert session.log.applied_between(3, 4) == (SECOND.id, THIRD.id)
    with pytest.raises(BadInput, match="No edit in force"):
        session.log.applied_between(5, 9)


def test_erasing_an_image_reverts_what_needs_it_and_the_chain_still_verifies(random_llava):
    session = written(random_llava, *EDITS)
    (image,) = FIRST.query.images
    erased = erase_image(session, image.digest[:12], BY)
    assert [receipt.edit for receipt in erased.reverted] == [FIRST.id]
    assert answers(session) == answers(written(random_llava, SECOND, THIRD)) == answers(opened(random_llava, session.log))
    assert session.log.store.blobs.get(image.digest) is None
    assert session.log.verify() == len(session.log)
    with pytest.raises(BadImage, match="erased"):
        session.log.edit(FIRST.id)
    with pytest.raises(Unknown):
        erase_image(session, "feedfeed")
    with pytest.raises(LogError, match="erased already"):
        erase_image(session, image.digest)


def test_an_effect_that_is_kept_is_where_every_later_fold_starts(random_llava):
    session = written(random_llava, FIRST, SECOND)
    (image,) = FIRST.query.images
    held = answers(session)
    erased = erase_image(session, image.digest, BY, keep_effect=True)
    assert (erased.kept, erased.reverted) == ((FIRST.id,), ())
    assert session.log.store.blobs.get(image.digest) is None
    assert answers(session) == held == answers(opened(random_llava, session.log))
    session.edit(THIRD, guard=False)
    later = answers(session)
    assert later == answers(opened(random_llava, session.log))
    session.revert(THIRD.id)
    assert answers(session) == held == answers(opened(random_llava, session.log))
    for refused in (
        lambda: session.revert(FIRST.id),
        lambda: session.revert(SECOND.id),
        lambda: to_point(session, 2),
    ):
        with pytest.raises(ErrataError, match="effect"):
            refused()
    assert session.log.ids_in_force() == (FIRST.id, SECOND.id)
    session.log.verify()
    session.log.store.blobs.erase(session.log.pin.digest)
    with pytest.raises(Tampered, match="state"):
        session.log.verify()
    with pytest.raises(LogError, match="is gone"):
        opened(random_llava, session.log)


def test_a_correction_of_a_kept_effect_is_written_over_it(random_llava):
    session = written(random_llava, FIRST, THIRD)
    erase_image(session, FIRST.query.images[0].digest, BY, keep_effect=True)
    better = replace(THIRD, target="the ring")
    assert session.edit(better, guard=False).supersedes == ()
    assert session.log.ids_in_force() == (FIRST.id, THIRD.id, better.id)
    assert session.log.asking(THIRD.query) == better.id
    assert answers(session) == answers(opened(random_llava, session.log))


def test_an_image_that_was_erased_is_not_taken_in_again(random_llava):
    session = written(random_llava, FIRST)
    erase_image(session, FIRST.query.images[0].digest, BY)
    with pytest.raises(BadInput, match="was erased on this branch"):
        session.edit(replace(FIRST, target="the ring"))
    assert session.log.store.blobs.get(FIRST.query.images[0].digest) is None


def test_an_image_of_the_pool_is_not_erased(random_llava):
    session = Session.open(random_llava, parse("scopeedit:steps=2,pool_size=4"), EditLog(MemoryStore()), pool=POOL)
    (image,) = next(query for query in POOL if query.images).images
    session.edit(Edit(Query.ask("what is it?", image), "a red star"), guard=False)
    with pytest.raises(LogError, match="pool of protected queries"):
        erase_image(session, image.digest)


def test_erasing_leaves_no_snapshot_on_any_branch(random_llava):
    session = written(random_llava, FIRST)
    other = Session.open(random_llava, parse(LEARNS), EditLog(session.log.store, "trial"), snapshot_every=1)
    other.edit(FIRST, guard=False)
    other.revert(FIRST.id)
    assert Snapshots(other.log).sizes()
    erase_image(session, FIRST.query.images[0].digest)
    assert not Snapshots(other.log).sizes()


def test_the_past_verifies_though_an_image_of_it_was_erased_later(random_llava):
    session = written(random_llava, FIRST, SECOND)
    point = len(session.log)
    erase_image(session, FIRST.query.images[0].digest)
    assert session.log.at(point).verify() == point


def test_an_image_that_another_branch_needs_is_not_erased_behind_its_back(random_llava):
    session = written(random_llava, FIRST)
    other = opened(random_llava, EditLog(session.log.store, "trial"))
    other.edit(FIRST, guard=False)
    (image,) = FIRST.query.images
    with pytest.raises(LogError, match="branch 'trial'"):
        erase_image(session, image.digest)
    assert session.log.ids_in_force() == (FIRST.id,)
    other.revert(FIRST.id)
    assert erase_image(session, image.digest).branches == ("trial",)
    assert other.log.verify() == 4
    assert session.log.verify() == len(session.log)


class Dies(BaseException):
    """As a process does: nothing may catch it."""


def dying(store, after):
    """Let the process die instead of appending the row after so many more."""
    left = [after]

    def count(row):
        if not left[0]:
            store.appending = lambda row: None
            raise Dies
        left[0] -= 1

    store.appending = count


def eventful(model, *edits):
    store = Eventful(MemoryStore())
    session = opened(model, EditLog(store))
    for edit in edits:
        session.edit(edit, guard=False)
    return store, session


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_a_crash_in_the_middle_of_an_erasing_is_made_good_by_the_next_writer(random_llava, after):
    store, session = eventful(random_llava, FIRST)
    other = opened(random_llava, EditLog(store, "trial"))
    other.edit(FIRST, guard=False)
    other.revert(FIRST.id)
    (image,) = FIRST.query.images
    dying(store, after)
    with pytest.raises(Dies):
        erase_image(session, image.digest, BY)
    session.log.append("aliased", None, BY, details={"alias": "since", "entry": 1})  # a writer without a session comes first
    again = opened(random_llava, session.log)
    finish_erasing(again)
    if after < 3:  # it never came to the entry that settles it
        assert again.log.store.blobs.get(image.digest) is not None
        erase_image(again, image.digest, BY)
    assert again.log.store.blobs.get(image.digest) is None
    assert again.log.erasing() == {}
    assert again.log.verify() == len(again.log)
    assert other.log.verify() == len(other.log)
    assert answers(again) == answers(opened(random_llava))


def test_what_another_branch_took_in_meanwhile_is_not_erased_late(random_llava):
    store, session = eventful(random_llava, FIRST)
    (image,) = FIRST.query.images
    dying(store, 2)
    with pytest.raises(Dies):
        erase_image(session, image.digest, BY)
    other = opened(random_llava, EditLog(session.log.store, "trial"))
    other.edit(FIRST, guard=False)
    again = opened(random_llava, session.log)
    finish_erasing(again)
    assert other.log.verify() == len(other.log)
    assert answers(other) == answers(opened(random_llava, other.log))
    assert again.log.erasing() == {}


def test_what_ended_is_not_brought_back_by_going_back(random_llava):
    clock = Clock()
    session = opened(random_llava, clock=clock)
    session.edit(replace(FIRST, valid_until="2030-06-01"), guard=False)
    session.edit(SECOND, guard=False)
    point = len(session.log)
    session.revert(SECOND.id)
    clock.now = datetime(2030, 7, 1, tzinfo=UTC)
    entries = len(session.log)
    seen = to_point(session, point, dry_run=True)
    assert (len(session.log), seen.out, seen.back) == (entries, (), (SECOND.id,))
    to_point(session, point, BY)
    assert session.log.ids_in_force() == (SECOND.id,)
    assert answers(session) == answers(written(random_llava, SECOND)) == answers(opened(random_llava, session.log, clock=clock))


def test_what_is_brought_back_keeps_what_was_known_of_it(random_llava):
    session = written(random_llava, FIRST)
    point, known = len(session.log), session.head.details
    session.revert(FIRST.id)
    to_point(session, point, BY)
    told = session.head.details
    assert {key: told[key] for key in ("telemetry", "kept", "model", "editor", "asks")} == {
        key: known[key] for key in ("telemetry", "kept", "model", "editor", "asks")
    }
    assert told["to"] == point


def test_digits_that_fit_several_images_are_asked_back(random_llava):
    session = written(random_llava, FIRST, SECOND)
    with pytest.raises((BadInput, Unknown)):
        erase_image(session, "")
    view = Edit(Query.ask("what is it?", picture(1, 2, 3)), "a thing")
    session.edit(view, guard=False)
    assert len(session.log.ids_in_force()) == 3
