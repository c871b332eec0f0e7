"""Ranges, points in time and images are taken back by new entries, and the state is the one that the log then says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from errata.core.errors import BadImage, BadInput, LogError, Tampered, Unknown
from errata.core.records import Edit, Provenance, Query
from errata.engine.frozen import frozen
from errata.engine.takeback import erase_image, finish_erasing, to_point
from errata.log import EditLog, Snapshots
from tests.editors.samples import EDITS, picture
from tests.engine.test_lifecycle import answers, kinds, opened, written

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
        with pytest.raises(LogError, match="effect"):
            refused()
    assert session.log.ids_in_force() == (FIRST.id, SECOND.id)
    session.log.verify()
    session.log.store.blobs.erase(session.log.pin.digest)
    with pytest.raises(Tampered, match="state"):
        session.log.verify()
    with pytest.raises(LogError, match="is gone"):
        opened(random_llava, session.log)


def test_a_proposal_that_would_supersede_a_kept_effect_is_not_even_approved(random_llava):
    session = written(random_llava, FIRST)
    better = replace(FIRST, target="the ring")
    session.propose(better, BY)
    session.record("erased", None, BY, details={"images": [], "pinned": session.log.store.blobs.put(frozen(session.state))})
    with pytest.raises(LogError, match="effect was kept"):
        session.approve(better.id)
    assert kinds(session)[-1] == "erased"


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


def test_a_crash_between_the_entry_and_the_erasing_is_made_good(random_llava):
    session = written(random_llava, FIRST)
    (image,) = FIRST.query.images
    session.revert(FIRST.id)
    session.record("erased", None, BY, details={"images": [image.digest]})
    assert session.log.store.blobs.get(image.digest) is not None
    finish_erasing(session)
    assert session.log.store.blobs.get(image.digest) is None
    assert Snapshots(session.log).sizes() == {}


def test_digits_that_fit_several_images_are_asked_back(random_llava):
    session = written(random_llava, FIRST, SECOND)
    with pytest.raises((BadInput, Unknown)):
        erase_image(session, "")
    view = Edit(Query.ask("what is it?", picture(1, 2, 3)), "a thing")
    session.edit(view, guard=False)
    assert len(session.log.ids_in_force()) == 3
