"""Rules become questions with the answers that they must get; what a reach enforces is said plainly and tried here."""

from __future__ import annotations

from typing import cast

import pytest

from errata.core.benchmark import UNCHANGED
from errata.core.errors import BadInput
from errata.core.records import Edit, Message, Query, Reach
from errata.core.rules import (
    NO_RULES,
    Breach,
    EditRules,
    Expectation,
    Must,
    Rules,
    RuleSet,
    branch_demands,
    demands,
    expectations,
    forbidden,
)
from tests.conftest import picture

MINE, OTHER, THIRD = picture(1), picture(2), picture(3)
ASKED = "what is the red star called?"
EDIT = Edit(Query.ask(ASKED, MINE), "mibo")
WORDED = Edit(Query.ask("where does mibo live?"), "in the harbor")


def named(edit, **rules):
    return Rules(edits=(EditRules(edit.id[:8], RuleSet(**rules)),))


def reached(edit, rules, standing=()):
    return [one.query for one in demands(edit, rules, standing) if one.rule == "reach"]


def test_an_edit_claims_its_target_its_wordings_and_what_it_keeps():
    edit = Edit(Query.ask(ASKED, MINE), "mibo", also=(Query.ask("and this?", MINE),), keep=(Query.ask("how many?", MINE),))
    assert expectations(edit, NO_RULES) == (
        Expectation("target", edit.query, "mibo", edit.id),
        Expectation("also", edit.also[0], "mibo", edit.id),
        Expectation("keep", edit.keep[0], UNCHANGED, edit.id),
    )


def test_a_must_without_an_answer_takes_the_edits_target():
    follows, differs = Query.ask("name it"), Query.ask("what is its colour?")
    rules = named(EDIT, must=(Must(follows), Must(differs, "red")))
    assert [(one.query, one.expect) for one in demands(EDIT, rules)] == [(follows, "mibo"), (differs, "red")]
    assert list(demands(WORDED, rules)) == []


@pytest.mark.parametrize(
    ("reach", "edit", "expected"),
    [
        ("image", EDIT, [Query.ask(ASKED, OTHER), Query.ask(ASKED, THIRD), Query.ask(ASKED)]),
        ("image", WORDED, [Query.ask("where does mibo live?", OTHER), Query.ask("where does mibo live?", THIRD)]),
        ("text", WORDED, [Query.ask("where does mibo live?", OTHER), Query.ask("where does mibo live?", THIRD)]),
        ("text", EDIT, [Query.ask(ASKED, OTHER), Query.ask(ASKED, THIRD)]),
        ("kind", EDIT, []),
        ("open", EDIT, []),
    ],
)
def test_a_reach_says_where_the_same_question_must_stay(reach, edit, expected):
    rules = named(edit, reach=reach, must_not=(Query.ask("how many?", OTHER), Query.ask("how many?", MINE, OTHER)))
    pictures = [query for query in reached(edit, rules, (Query.ask("what else?", THIRD),)) if MINE not in query.images]
    assert pictures == expected


def test_a_reach_never_speaks_against_the_edits_own_wordings_and_views():
    view = Query.ask(ASKED, OTHER)
    edit = Edit(EDIT.query, "mibo", also=(view,), keep=(Query.ask("how many?", OTHER),), reach="image")
    assert reached(edit, NO_RULES) == [Query.ask(ASKED)]
    assert reached(edit, named(edit, must=(Must(Query.ask(ASKED)),))) == []


def test_a_reach_keeps_the_conversation_and_changes_the_pictures_alone():
    turns = (Message("user", (MINE, "look")), Message("assistant", ("yes",)), Message("user", (ASKED,)))
    edit = Edit(Query(turns), "mibo", reach="image", keep=(Query.ask("how many?", OTHER),))
    bare = (Message("user", ("look",)), Message("assistant", ("yes",)))
    assert reached(edit, NO_RULES) == [
        Query((*bare, Message("user", (OTHER, ASKED)))),
        Query((*bare, Message("user", (ASKED,)))),
    ]


@pytest.mark.parametrize(
    ("own", "said", "branch", "holds"),
    [
        (None, "open", None, "open"),
        (None, "open", "image", "image"),
        (None, "kind", "image", "kind"),
        ("text", "kind", "image", "text"),
        ("open", "kind", "image", "open"),
    ],
)
def test_the_nearest_reach_wins_rule_then_edit_then_branch(own, said, branch, holds):
    edit = Edit(EDIT.query, "mibo", reach=said)
    rules = Rules(RuleSet(reach=branch), named(edit, reach=own).edits)
    assert rules.for_edit(edit).reach == holds


def test_rules_of_the_branch_and_of_the_edit_bind_together():
    mine, branch = Query.ask("a"), Query.ask("b")
    rules = Rules(RuleSet(must_not=(branch,), never=("dose",)), named(EDIT, must_not=(mine,), never=("drug",)).edits)
    binding = rules.for_edit(EDIT)
    assert (binding.must_not, binding.never) == ((mine, branch), ("drug", "dose"))
    assert rules.for_edit(WORDED).must_not == (branch,)
    assert [one.query for one in branch_demands(rules)] == [branch]


@pytest.mark.parametrize(
    ("pattern", "why"),
    [(r"(?i)\bRED star", ASKED), ("mibo lives", ""), ("name", "name it"), ("^what", ASKED)],
)
def test_an_edit_whose_own_question_matches_a_never_is_forbidden(pattern, why):
    edit = Edit(EDIT.query, "mibo", also=(Query.ask("name it", MINE),))
    found = forbidden(edit, Rules(RuleSet(never=(pattern,))))
    assert (why in found and pattern in found.replace("\\\\", "\\")) if why else found == ""


def test_a_never_binds_what_is_asked_and_kept_and_stands():
    edit = Edit(EDIT.query, "mibo", keep=(Query.ask("what dose?"), Query.ask("how many?")))
    rules = Rules(RuleSet(never=("dose",)))
    assert list(demands(edit, rules)) == [Expectation("never", edit.keep[0], UNCHANGED, edit.id, "dose")]
    standing = (Query.ask("dose of salt?"), Query.ask("else?"))
    assert list(branch_demands(rules, standing)) == [Expectation("never", standing[0], UNCHANGED, why="dose")]


def test_the_digest_is_of_what_the_rules_say_not_of_the_order_of_edits():
    one, two = EditRules(EDIT.id[:8], RuleSet(reach="image")), EditRules(WORDED.id[:8], RuleSet(never=("dose",)))
    assert Rules(edits=(one, two)).digest == Rules(edits=(two, one)).digest
    digests = {Rules(edits=(one,)).digest, Rules(edits=(two,)).digest, NO_RULES.digest, Rules(RuleSet(reach="image")).digest}
    assert len(digests) == 4


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: RuleSet(never=("",)), "empty"),
        (lambda: RuleSet(never=("(",)), "isn't a regular expression"),
        (lambda: RuleSet(never=("[[a]",)), "isn't a regular expression"),
        (lambda: RuleSet(never=("a*",)), "every question"),
        (lambda: RuleSet(never=("a" * 201,)), "at most 200"),
        (lambda: RuleSet(reach=cast(Reach, "far")), "reach 'far'"),
        (lambda: EditRules("3fa9", RuleSet()), "can't name an edit"),
        (lambda: EditRules("what is it", RuleSet()), "can't name an edit"),
        (lambda: Rules(RuleSet(must=(Must(Query.ask("q")),))), "doesn't say which answer"),
        (lambda: Rules(edits=(EditRules("3fa9c1", RuleSet()),) * 2), "same digits"),
    ],
)
def test_a_rule_that_cannot_be_used_gets_a_sentence(make, said):
    with pytest.raises(BadInput, match=said):
        make()


def test_a_breach_says_what_was_asked_expected_and_got():
    moved = Breach(Expectation("reach", EDIT.query, UNCHANGED, EDIT.id, "image"), unedited="a ring", got="mibo")
    assert (moved.expected, moved.leaks) == ("a ring", True)
    assert moved.sentence == (
        f"reach (image): 'what is the red star called?' [image {MINE.digest[:12]}] must stay 'a ring' as without edits, "
        "and gives 'mibo'"
    )
    lost = Breach(Expectation("also", WORDED.query, "in the harbor", WORDED.id), unedited="no", got="no")
    assert (lost.leaks, lost.sentence) == (False, "also: 'where does mibo live?' must give 'in the harbor', and gives 'no'")
