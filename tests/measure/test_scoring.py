"""From outcomes to rates and classes: each rule by a case that would come out otherwise without it."""

from __future__ import annotations

import pytest

from errata.core.benchmark import UNCHANGED, Case, Outcome, Probe
from errata.core.records import Query
from errata.measure.results import Rate
from errata.measure.scoring import ASIDE, classes, forced_target, rates, retention, scored
from tests.editors.samples import EDITS


def outcome(kind, *, good, stays=False):
    query = Query.ask(f"{kind} {good}")
    if stays:
        return Outcome(Probe(kind, query, UNCHANGED), "a", "a" if good else "b")
    return Outcome(Probe(kind, query, "a"), "b", "a" if good else "b")


def labelled(*, reliable=True, text=True, image=True, kept=True, entailed=True, committed=True):
    found = [
        outcome("reliability", good=reliable),
        outcome("text_generality", good=text),
        outcome("image_generality", good=image),
        outcome("near_locality", good=kept, stays=True),
        outcome("cross_modal", good=entailed),
        outcome("cross_edit", good=False),
    ]
    return scored(Case(EDITS[0], tuple(o.probe for o in found)), found, committed=committed)


@pytest.mark.parametrize(
    ("given", "label", "strict"),
    [
        ({}, "proper", True),
        ({"entailed": False}, "proper", False),
        ({"text": False}, "under", False),
        ({"image": False}, "under", False),
        ({"kept": False}, "over", False),
        ({"text": False, "kept": False}, "entangled", False),
        ({"reliable": False}, "unreliable", False),
        ({"committed": False}, "unreliable", False),
    ],
)
def test_the_five_classes_and_strict(given, label, strict):
    case = labelled(**given)
    assert (case.label, case.strict) == (label, strict)


@pytest.mark.parametrize("moved", [0, 1, 2])
def test_one_answer_of_several_that_moved_is_a_leak(moved):
    found = [
        outcome("reliability", good=True),
        outcome("text_generality", good=True),
        *(
            outcome(kind, good=number != moved, stays=True)
            for number, kind in enumerate(("near_locality",) * 2 + ("text_locality",))
        ),
    ]
    assert scored(Case(EDITS[0], tuple(o.probe for o in found)), found, committed=True).label == "over"


@pytest.mark.parametrize("missed", [0, 1, 2])
def test_one_wording_of_several_that_is_not_given_is_not_learned(missed):
    found = [
        outcome("reliability", good=True),
        *(outcome("text_generality", good=number != missed) for number in range(3)),
        outcome("near_locality", good=True, stays=True),
    ]
    assert scored(Case(EDITS[0], tuple(o.probe for o in found)), found, committed=True).label == "under"


@pytest.mark.parametrize("missed", [0, 1])
def test_one_entailed_answer_of_several_that_is_not_given_is_not_strict(missed):
    found = [
        outcome("reliability", good=True),
        outcome("text_generality", good=True),
        *(outcome("portability", good=number != missed) for number in range(2)),
    ]
    case = scored(Case(EDITS[0], tuple(o.probe for o in found)), found, committed=True)
    assert (case.label, case.strict) == ("proper", False)


@pytest.mark.parametrize("kind", ASIDE)
def test_no_class_asks_for_what_is_asked_beside(kind):
    found = [outcome("reliability", good=True), outcome("text_generality", good=True), outcome(kind, good=False, stays=True)]
    case = scored(Case(EDITS[0], tuple(o.probe for o in found)), found, committed=True)
    assert (case.label, case.strict) == ("proper", True)
    assert rates([case], [kind])[kind] == Rate(0, 1)


def test_an_edit_that_nothing_was_asked_of_is_never_proper():
    found = [outcome("near_locality", good=True, stays=True)]
    assert scored(Case(EDITS[0], (found[0].probe,)), found, committed=True).label == "unreliable"


def test_classes_share_out_every_scored_edit_and_leave_out_the_overruled():
    overruled = scored(Case(EDITS[1], ()), (), committed=True)
    found = classes([labelled(), labelled(text=False), overruled])
    assert overruled.label is None
    assert sum(found[name].hits for name in ("unreliable", "proper", "under", "over", "entangled")) == 2
    assert found["proper"] == Rate(1, 2)


def test_specificity_is_the_mean_of_its_halves():
    found = [
        outcome("specificity_in", good=True),
        outcome("specificity_out", good=False, stays=True),
        outcome("specificity_out", good=True, stays=True),
    ]
    case = scored(Case(EDITS[0], tuple(o.probe for o in found)), found, committed=True)
    assert rates([case], ["specificity_in", "specificity_out"])["specificity"].rate == pytest.approx(0.75)


def test_a_mean_of_two_halves_is_not_made_of_one():
    found = [outcome("specificity_out", good=True, stays=True)]
    case = scored(Case(EDITS[0], (found[0].probe,)), found, committed=True)
    assert "specificity" not in rates([case], ["specificity_in", "specificity_out"])


def test_teacher_forcing_shows_what_is_expected_or_what_was_said_before_and_nothing_where_that_is_empty():
    asked = Query.ask("what is it?")
    assert forced_target(Outcome(Probe("reliability", asked, "a"), "b", "c")) == "a"
    assert forced_target(Outcome(Probe("near_locality", asked, UNCHANGED), "b", "c")) == "b"
    assert forced_target(Outcome(Probe("near_locality", asked, UNCHANGED), " ", "c")) is None


def test_a_refused_edit_is_never_reliable_by_chance():
    found = [outcome("reliability", good=True)]
    assert scored(Case(EDITS[0], (found[0].probe,)), found, committed=False).met == (False,)


@pytest.mark.parametrize("each", [1, 2])
def test_retention_is_by_decile_of_age(each):
    cases = [labelled(reliable=index >= 5 * each) for index in range(10 * each)]
    assert retention(cases) == {str(decile): Rate(0 if decile < 5 else each, each) for decile in range(10)}
    assert retention(cases[:9]) == {}
