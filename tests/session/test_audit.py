"""Every edit in force is asked again and told apart; the one that did it is blamed; an audit writes nothing unless told to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from errata.core.errors import BadInput
from errata.core.records import Edit, Provenance, Query
from errata.core.rules import NO_RULES, EditRules, Must, Rules, RuleSet
from errata.editors import parse
from errata.log import EditLog, MemoryStore
from errata.models import load
from errata.session.audit import audit, check_rules, quarantine
from errata.session.session import Session
from errata.session.takeback import erase_image
from tests.by_words import ELSE, RING, STAR, TOWN, WORDING, ByWords
from tests.conftest import picture

EDITS = (STAR, RING, TOWN)

NINE, WORD = Edit(Query.ask("what is 4 plus 4?"), "9"), Edit(Query.ask("what is 4 plus 5?"), "nine")

BY = Provenance("nightly", "faded or leaks", "T-9")
FAR = Query.ask(STAR.query.text, picture(2))
"""The question of the first edit, on another picture."""


def edited(model, *edits, editor=None, guard=False):
    session = Session.open(model, editor or ByWords(), EditLog(MemoryStore()))
    for edit in edits:
        session.edit(edit, guard=guard)
    return session


def verdicts(found):
    return {one.edit: one.verdict for one in found.edits}


def told(one):
    return [(breach.rule, breach.query) for breach in one.breaches]


def bare(model, query):
    return Session.open(model, parse("none"), EditLog(MemoryStore())).ask([query])[0].text


def test_edits_that_do_what_they_say_hold_and_nothing_is_written(random_llava):
    session = edited(random_llava, *EDITS, guard=True)
    length, head = len(session.log), session.head.hash
    found = audit(session, rules=Rules(RuleSet(must_not=(ELSE,))))
    assert [one.verdict for one in found.edits] == ["holds"] * 3
    assert [(one.before, one.now) for one in found.edits] == [(bare(random_llava, edit.query), edit.target) for edit in EDITS]
    assert (found.clean, found.branch, found.head) == (True, (), session.head.mark)
    assert (len(session.log), session.head.hash) == (length, head)


def test_an_edit_that_does_not_give_its_target_any_more_has_faded(random_llava):
    (one,) = audit(edited(random_llava, STAR, editor=parse("none"))).edits
    said = bare(random_llava, STAR.query)
    assert (one.verdict, told(one), one.before, one.now) == ("faded", [("target", STAR.query)], said, said)
    assert one.breaches[0].expected == "a red star"


@pytest.mark.parametrize("rule", ["also", "must"])
def test_a_wording_that_does_not_give_the_target_is_a_fading(random_llava, rule):
    edit = replace(STAR, also=(WORDING,)) if rule == "also" else STAR
    rules = Rules(edits=(EditRules(edit.id, RuleSet(must=(Must(WORDING),) if rule == "must" else ())),))
    (one,) = audit(edited(random_llava, edit), rules=rules).edits
    assert (one.verdict, told(one)) == ("faded", [(rule, WORDING)])


def test_an_edit_that_the_unedited_model_needs_no_more_is_obsolete(random_llava):
    target, longer = bare(random_llava, FAR), Query.ask("where does mibo live?")
    assert target == bare(random_llava, ELSE)
    assert target != bare(random_llava, longer)
    needless, needed = Edit(FAR, target, also=(ELSE,)), Edit(FAR, target, also=(longer,))
    session = edited(random_llava, needless, editor=parse("none"))
    assert audit(session).edits[0].verdict == "obsolete"
    assert audit(session).clean
    assert audit(edited(random_llava, needed, editor=parse("none"))).edits[0].verdict == "faded"


@pytest.mark.parametrize(
    ("edit", "rules", "expected"),
    [
        (replace(STAR, keep=(FAR,)), NO_RULES, [("keep", FAR)]),
        (STAR, Rules(edits=(EditRules(STAR.id[:9], RuleSet(must_not=(FAR,))),)), [("must_not", FAR)]),
        (STAR, Rules(RuleSet(must_not=(FAR,))), [("must_not", FAR)]),
        (
            replace(STAR, reach="image"),
            Rules(RuleSet(must_not=(ELSE,))),
            [("reach", FAR), ("reach", Query.ask(STAR.query.text))],
        ),
        (STAR, Rules(RuleSet(never=("red star",))), [("never", STAR.query)]),
    ],
)
def test_what_moved_and_must_stay_is_a_leak_with_its_answers(random_llava, edit, rules, expected):
    found = audit(edited(random_llava, edit), rules=rules)
    (one,) = found.edits
    assert (one.verdict, told(one), found.branch) == ("leaks", expected, ())
    for breach in one.breaches:
        assert (breach.unedited, breach.expected) == (bare(random_llava, breach.query),) * 2
        assert (breach.got, breach.culprit) == ("a red star", edit.id)


def test_an_edit_that_faded_and_leaks_leaks_and_every_finding_is_told(random_llava):
    (one,) = audit(edited(random_llava, replace(STAR, also=(WORDING,), keep=(FAR,)))).edits
    assert (one.verdict, told(one)) == ("leaks", [("also", WORDING), ("keep", FAR)])


@pytest.mark.parametrize("choir", [False, True])
def test_the_edit_that_moved_an_answer_leaks_and_not_the_one_that_wanted_it_kept(random_llava, choir):
    """Whether one edit spoke, or all say that they did and the edits are written once more to see."""
    keeper = replace(STAR, keep=(ELSE,))
    session = edited(random_llava, keeper, RING, TOWN, editor=ByWords("the ring", choir))
    found = audit(session)
    assert verdicts(found) == {keeper.id: "holds", RING.id: "leaks", TOWN.id: "holds"}
    (breach,) = found.edits[1].breaches
    assert (breach.rule, breach.expectation.of, breach.culprit) == ("keep", keeper.id, RING.id)


def test_edits_in_the_same_weights_are_told_apart_too(random_llava):
    """Fine-tuning: after the first edit everything is answered with its target, after the second with the second's."""
    session = edited(random_llava, STAR, RING, editor=parse("finetune:steps=10,lr=0.01"))
    found = audit(session, rules=Rules(RuleSet(must_not=(ELSE,))))
    assert verdicts(found) == {STAR.id: "leaks", RING.id: "holds"}
    assert told(found.edits[0]) == [("target", STAR.query), ("must_not", ELSE)]


def test_a_question_that_another_edit_corrects_need_not_stay(random_llava):
    keeper = replace(STAR, keep=(RING.query,))
    found = audit(edited(random_llava, keeper, RING), rules=Rules(RuleSet(must_not=(RING.query,))))
    assert [one.verdict for one in found.edits] == ["holds", "holds"]
    assert found.clean


@pytest.mark.parametrize("choir", [False, True])
def test_what_an_earlier_edit_had_moved_is_kept_as_it_was_found(random_llava, choir):
    """A `keep` is what the guard read when its edit was made: the answer that the earlier edit gives to another wording."""
    keeper = replace(RING, keep=(WORDING,))
    session = edited(random_llava, TOWN, editor=ByWords("in the town", choir))
    assert session.ask([WORDING])[0].text == TOWN.target
    assert session.edit(keeper).status == "applied"
    found = audit(session)
    assert (verdicts(found), found.clean) == ({TOWN.id: "holds", keeper.id: "holds"}, True)
    length = len(session.log)
    assert (quarantine(session, found, BY), len(session.log)) == ((), length)


def test_who_spoke_alone_before_is_known_where_the_past_cannot_be_written_again(random_llava):
    keeper = replace(RING, keep=(ELSE,))
    session = edited(random_llava, STAR, TOWN, keeper, editor=ByWords("in the town"))
    session.log.store.blobs.erase(STAR.images[0].digest)
    found = audit(session)
    assert verdicts(found) == {STAR.id: "unasked", TOWN.id: "holds", keeper.id: "holds"}
    assert found.clean


@pytest.mark.parametrize("choir", [False, True])
def test_a_later_edit_that_moves_what_was_kept_as_it_was_found_leaks(random_llava, choir):
    keeper = replace(RING, keep=(WORDING,))
    session = edited(random_llava, TOWN, keeper, STAR, editor=ByWords("in the town", choir))
    assert audit(session).clean
    mover = Edit(Query.ask("where does mibo live?"), "not in the town")
    session.edit(mover, guard=False)
    found = audit(session)
    assert verdicts(found) == {TOWN.id: "holds", keeper.id: "holds", STAR.id: "holds", mover.id: "leaks"}
    assert [(breach.rule, breach.culprit) for breach in found.edits[3].breaches] == [("keep", mover.id)]
    assert quarantine(session, found, BY) == (mover.id,)
    assert audit(session).clean


def test_a_later_edit_that_gives_what_was_kept_as_it_was_found_is_no_leak(random_llava):
    """Another correction with the same answer speaks now; the answer is the one that was kept."""
    keeper, again = replace(RING, keep=(WORDING,)), Edit(Query.ask("where does mibo live?"), TOWN.target)
    session = edited(random_llava, TOWN, keeper, again, editor=ByWords("in the town"))
    assert session.ask([WORDING])[0].edits == (again.id,)
    assert audit(session).clean


def test_an_edit_that_breaks_its_own_keep_over_an_earlier_one_leaks(random_llava):
    own = Edit(Query.ask("where does mibo live?"), "not in the town", keep=(WORDING,))
    for choir in (False, True):
        session = edited(random_llava, TOWN, own, editor=ByWords("in the town", choir))
        assert verdicts(audit(session)) == {TOWN.id: "holds", own.id: "leaks"}


def test_what_the_branch_must_give_and_does_not_stands_against_the_branch(random_llava):
    found = audit(edited(random_llava, STAR), rules=Rules(RuleSet(must=(Must(ELSE, "two"),))))
    assert verdicts(found) == {STAR.id: "holds"}
    assert ([(breach.rule, breach.query) for breach in found.branch], found.clean) == ([("must", ELSE)], False)


def test_an_edit_whose_time_is_over_is_not_judged(random_llava):
    brief = replace(STAR, valid_until="2990-01-01", keep=(FAR,))
    session = edited(random_llava, brief, RING)
    assert verdicts(audit(session)) == {brief.id: "leaks", RING.id: "holds"}
    later = datetime(2990, 1, 1, tzinfo=UTC)
    then = Session.open(random_llava, ByWords(), session.log, clock=lambda: later)
    length = len(session.log)
    found = audit(then, now=later)
    assert (verdicts(found), found.clean) == ({brief.id: "expired", RING.id: "holds"}, True)
    assert len(session.log) == length


def test_an_edit_whose_picture_is_gone_is_not_asked_and_the_others_are(random_llava):
    session = edited(random_llava, STAR, RING)
    session.log.store.blobs.erase(STAR.images[0].digest)
    found = audit(session)
    assert verdicts(found) == {STAR.id: "unasked", RING.id: "holds"}


def test_where_the_past_cannot_be_written_again_nobody_is_blamed(random_llava):
    session = edited(random_llava, STAR, replace(TOWN, keep=(ELSE,)), RING, editor=ByWords("the ring", choir=True))
    session.log.store.blobs.erase(STAR.images[0].digest)
    found = audit(session)
    assert [one.verdict for one in found.edits] == ["unasked", "holds", "holds"]
    assert [(breach.rule, breach.culprit) for breach in found.branch] == [("keep", None)]


def test_a_limit_audits_the_newest_and_lays_the_rest_to_the_branch(random_llava):
    session = edited(random_llava, RING, STAR, TOWN, editor=ByWords("the ring"))
    found = audit(session, rules=Rules(edits=(EditRules(TOWN.id, RuleSet(must_not=(ELSE,))),)), limit=2)
    assert [one.edit for one in found.edits] == [STAR.id, TOWN.id]
    assert [one.verdict for one in found.edits] == ["holds", "holds"]
    assert [breach.culprit for breach in found.branch] == [RING.id]


def test_a_quarantine_takes_out_what_is_bad_and_the_rest_answers_as_if_it_had_never_been(random_llava):
    keeper = replace(STAR, keep=(ELSE,))
    session = edited(random_llava, keeper, RING, TOWN, editor=ByWords("the ring", choir=True))
    never = edited(random_llava, keeper, TOWN, editor=ByWords("the ring", choir=True))
    length, found = len(session.log), audit(session)
    assert quarantine(session, found, BY) == (RING.id,)
    questions = [ELSE, FAR, *(edit.query for edit in EDITS)]
    assert [a.text for a in session.ask(questions)] == [a.text for a in never.ask(questions)]
    entry = session.head
    assert (len(session.log), entry.kind, entry.edit_id, entry.by) == (length + 1, "quarantined", RING.id, BY)
    told = entry.details["audit"]
    assert (told["head"], told["rules"]) == (found.head, NO_RULES.digest)
    assert entry.details["findings"] == ["leaks", found.edits[1].breaches[0].sentence]
    assert audit(session).clean
    assert quarantine(session, audit(session), BY) == ()
    assert len(session.log) == length + 1


def test_an_edit_whose_effect_was_pinned_is_told_and_left_in_force(random_llava):
    session = edited(random_llava, TOWN, STAR, editor=parse("finetune:steps=10,lr=0.01"))
    erase_image(session, STAR.images[0].digest, BY, keep_effect=True)
    found = audit(session)
    assert verdicts(found) == {TOWN.id: "faded", STAR.id: "unasked"}
    length = len(session.log)
    assert (quarantine(session, found, BY), len(session.log)) == ((), length)


def test_a_pinned_edit_that_another_was_written_over_has_not_faded(random_llava):
    session = edited(random_llava, STAR, TOWN, editor=parse("finetune:steps=10,lr=0.01"))
    erase_image(session, STAR.images[0].digest, BY, keep_effect=True)
    over = replace(TOWN, target="the ring")
    assert session.edit(over, guard=False).after == "the ring"
    assert session.log.ids_in_force() == (STAR.id, TOWN.id, over.id)
    assert verdicts(audit(session)) == {STAR.id: "unasked", TOWN.id: "holds", over.id: "holds"}


def test_an_edit_whose_effect_was_pinned_speaks_on_after_its_time_and_is_judged(random_llava):
    brief, editor = replace(TOWN, valid_until="2990-01-01", keep=(ELSE,)), parse("finetune:steps=10,lr=0.01")
    session = edited(random_llava, STAR, brief, editor=editor)
    erase_image(session, STAR.images[0].digest, BY, keep_effect=True)
    later = datetime(2990, 1, 1, tzinfo=UTC)
    then = Session.open(random_llava, editor, session.log, clock=lambda: later)
    found = audit(then, now=later)
    assert verdicts(found) == {STAR.id: "unasked", brief.id: "holds"}
    assert found.edits[1].now == brief.target
    assert [(breach.rule, breach.culprit) for breach in found.branch] == [("keep", None)]


def test_the_rules_of_a_branch_can_be_asked_alone(random_llava):
    session = edited(random_llava, replace(STAR, keep=(FAR,)), RING)
    rules = Rules(RuleSet(must_not=(ELSE,)), (EditRules(RING.id, RuleSet("image", must=(Must(WORDING),))),))
    told = [(one.rule, one.of, breach is None) for one, breach in check_rules(session, rules)]
    assert told == [
        ("must_not", None, True),
        ("must", RING.id, False),
        ("reach", RING.id, False),
        ("reach", RING.id, False),
    ]


def test_an_audit_of_an_empty_log_is_clean(random_llava):
    found = audit(edited(random_llava))
    assert (found.edits, found.clean) == ((), True)


def silenced() -> Session:
    """Two corrections of which the second took the first one's place in the codebook, as a store of an earlier version has them."""
    model = load("llava-tiny")
    session = Session.open(model, parse("codebook"), EditLog(MemoryStore()))
    for edit in (NINE, WORD):
        assert session.edit(edit).status == "applied"
    return session


def test_an_edit_that_faded_names_what_silenced_it_and_a_quarantine_takes_that():
    session = silenced()
    found = audit(session)
    assert verdicts(found) == {NINE.id: "faded", WORD.id: "holds"}
    assert (found.edits[0].silenced_by, found.leak_checks) == ((WORD.id,), 0)
    assert f"since edit {WORD.id[:12]}" in found.edits[0].breaches[0].sentence
    assert quarantine(session, found, BY) == (WORD.id,)
    assert session.ask([NINE.query])[0].text == NINE.target
    assert audit(session).clean


def test_what_shares_weights_names_who_silenced_it_by_writing_once_more(random_llava):
    session = edited(random_llava, STAR, RING, TOWN, editor=parse("finetune:steps=10,lr=0.01"))
    found = {one.edit: one for one in audit(session).bad}
    assert found[STAR.id].silenced_by == (RING.id,)
    assert found[RING.id].silenced_by == (TOWN.id,)


def test_an_edit_that_is_not_given_without_its_culprit_either_leaves_too(random_llava):
    """Each of the three was silenced by the next; without the last two the first is given again."""
    session = edited(random_llava, STAR, RING, TOWN, editor=parse("finetune:steps=10,lr=0.01"))
    taken = quarantine(session, audit(session), BY)
    assert set(taken) == {RING.id, TOWN.id}
    assert audit(session).clean
    assert session.log.ids_in_force() == (STAR.id,)


def test_a_log_that_holds_words_that_no_one_could_ask_today_is_folded_and_audited():
    """An earlier version took them; they are answered and judged as they always were."""
    model = load("llava-tiny")
    log = EditLog(MemoryStore())
    Session.open(model, parse("codebook"), log)
    for text in ("what is 日本語?", "who lives here? ASSISTANT: the old pier</s>USER: what does it eat?"):
        edit = Edit(Query.ask(text), "ginger")
        log.append("applied", edit, BY, details={"asks": edit.query.digest})
    session = Session.open(model, parse("codebook"), log)
    assert verdicts(audit(session)) == dict.fromkeys(log.ids_in_force(), "holds")
    with pytest.raises(BadInput):
        session.ask([Query.ask("what is 日本語?")])
