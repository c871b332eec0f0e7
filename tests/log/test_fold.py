"""What follows from entries, where the histories drawn by chance seldom go: two people, erasing, ends, and the sentences."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from errata.core.errors import LogError
from errata.core.records import Provenance
from errata.log import EditLog, MemoryStore
from errata.log.fold import Fold, Standing, step_of
from tests.log.worlds import BY, edit, picture, words

ANN, BO = Provenance("ann"), Provenance("bo")
ONE, OTHER = words(1), words(2)
END = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.fixture
def log() -> EditLog:
    log = EditLog(MemoryStore())
    log.append("begun", None, BY)
    return log


def fold_of(log: EditLog) -> Fold:
    fold = Fold()
    for entry in log.entries():
        fold.add(step_of(entry))
    return fold


def test_an_edit_in_force_is_not_applied_again_and_the_sentence_names_it(log):
    log.append("applied", ONE, BY)
    with pytest.raises(LogError, match=rf"The edit {ONE.id[:12]} is in force already \(entry 2\)"):
        log.append("applied", ONE, BY)


def test_what_is_not_in_force_is_not_taken_out_and_the_sentence_names_it(log):
    with pytest.raises(LogError, match=f"The edit {ONE.id[:12]} isn't in force, so it can't be reverted"):
        log.append("reverted", None, BY, edit_id=ONE.id)
    with pytest.raises(LogError, match=f"The edit {ONE.id[:12]} isn't in force"):
        log.append("applied", OTHER, BY, details={"supersedes": [ONE.id]})


def test_where_two_are_asked_for_an_edit_needs_an_approval_by_another_that_is_spent_by_one_application(log):
    log.append("ruled", None, BY, details={"two_people": True})
    alone = f"nobody has approved the edit {ONE.id[:12]} that another"
    for before in ("nothing", "a proposal"):
        with pytest.raises(LogError, match=alone):
            log.append("applied", ONE, ANN)
        if before == "nothing":
            log.append("proposed", ONE, ANN)
    with pytest.raises(LogError, match=f"ann proposed the edit {ONE.id[:12]}. Somebody else"):
        log.append("approved", None, ANN, edit_id=ONE.id)
    log.append("approved", None, BO, edit_id=ONE.id)
    with pytest.raises(LogError, match="nobody has approved"):
        log.append("applied", OTHER, ANN)
    log.append("applied", ONE, ANN)
    log.append("reverted", None, ANN, edit_id=ONE.id)
    with pytest.raises(LogError, match=alone):
        log.append("applied", ONE, ANN)


def test_who_proposed_it_is_forgotten_once_it_is_turned_down(log):
    log.append("ruled", None, BY, details={"two_people": True})
    log.append("proposed", ONE, ANN)
    log.append("refused", None, BO, edit_id=ONE.id)
    assert fold_of(log).proposers == {}
    log.append("proposed", ONE, BO)
    log.append("approved", None, ANN, edit_id=ONE.id)
    log.append("applied", ONE, BO)
    assert log.ids_in_force() == (ONE.id,)
    assert (fold_of(log).proposers, fold_of(log).seconded, fold_of(log).proposed) == ({}, {}, {})


def test_an_edit_is_over_from_the_very_moment_of_its_end(log):
    log.append("applied", replace(ONE, valid_until="2027-01-01"), BY, details={"until": "2027-01-01T00:00:00+00:00"})
    (ends,) = log.ids_in_force()
    fold = fold_of(log)
    second = timedelta(seconds=1)
    assert fold.fates(END - second) == {ends: Standing("in-force", 2)}
    assert fold.fates(END) == fold.fates(END + second) == {ends: Standing("over", 2)}


def test_what_became_of_each_edit_last_is_told_and_who_took_its_place(log):
    log.append("applied", ONE, BY)
    log.append("applied", OTHER, BY, details={"supersedes": [ONE.id]})
    assert fold_of(log).fates(END) == {ONE.id: Standing("superseded", 2, OTHER.id), OTHER.id: Standing("in-force", 3)}
    log.append("reverted", None, BY, edit_id=OTHER.id)
    log.append("refused", words(3), BY)
    fates = fold_of(log).fates(END)
    assert (fates[OTHER.id], fates[words(3).id]) == (Standing("reverted", 3), Standing("refused", 5))


def test_an_image_is_being_erased_until_an_entry_says_that_it_is_done(log):
    one, other = picture(1).digest, picture(2).digest
    for image, stage in ((one, "begun"), (other, "begun"), (one, "done")):
        log.append("erased", None, BY, details={"images": [image], "stage": stage})
    log.append("erased", None, BY, details={"images": [picture(3).digest]})
    fold = fold_of(log)
    assert fold.erasing == {other: 3}
    assert fold.erased == {one: 4, other: 3, picture(3).digest: 5}


def test_what_was_pinned_is_not_taken_out_by_any_entry(log):
    log.append("applied", edit(1), BY)
    log.append("erased", None, BY, details={"images": [picture(1).digest], "pinned": "0" * 64})
    log.append("applied", ONE, BY)
    for kind in ("reverted", "erased"):
        with pytest.raises(LogError, match=rf"The edit {edit(1).id[:12]} can't be taken out of force: .* \(entry 3\)"):
            log.append(kind, None, BY, edit_id=edit(1).id)
    with pytest.raises(LogError, match="can't be taken out of force"):
        log.append("applied", OTHER, BY, details={"supersedes": [edit(1).id]})
    log.append("erased", None, BY, edit_id=ONE.id)
    assert log.ids_in_force() == (edit(1).id,)


def test_the_latest_time_of_an_entry_is_kept_where_the_clock_was_put_back(log):
    fold, (first,) = Fold(), [step_of(entry) for entry in log.entries()]
    for seq, time in enumerate(("2026-11-02", "2026-11-03", "2026-11-01"), start=1):
        fold.add(first._replace(seq=seq, time=time))
    assert fold.latest == "2026-11-03"


@pytest.mark.parametrize("details", [{"alias": "before-the-fair"}, {"entry": 1}, {"alias": "before-the-fair", "entry": "1"}])
def test_a_name_without_an_entry_and_an_entry_without_a_name_name_nothing(log, details):
    log.append("aliased", None, BY, details=details)
    assert fold_of(log).aliases == {}
    log.append("aliased", None, BY, details={"alias": "before-the-fair", "entry": 1})
    assert fold_of(log).aliases == {"before-the-fair": 1}
