"""The read-back alone: which answers it asks for, which of them it judges, and what it says of the first that is wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from errata.core.editor import Editor
from errata.core.model import Model
from errata.core.records import Edit, Query
from errata.session.guard import Verdict, read_back
from tests.session.clerks import Clerk, Said

EDIT = Edit(
    Query.ask("where does it live?"),
    "the town",
    also=(Query.ask("what is its home?"), Query.ask("tell me where it lives.")),
    keep=(Query.ask("what does it eat?"), Query.ask("who made it?"), Query.ask("how many are there?")),
)
BEFORE = {
    "where does it live?": "the harbor",
    "what does it eat?": "plums",
    "who made it?": "the smith",
    "how many are there?": "two",
}
AFTER = {
    "where does it live?": "the town",
    "what is its home?": "the town ",
    "tell me where it lives.": " the  town",
    "what does it eat?": "plums",
    "who made it?": "the smith",
    "how many are there?": "two",
}


def judged(edit: Edit = EDIT, **answers: str) -> Verdict:
    """What the read-back finds where some answers after the write are others: w0 is the edit's, w1 and w2 its wordings', k1 to k3
    what is to stay."""
    named = dict(zip(("w0", "w1", "w2", "k1", "k2", "k3"), AFTER, strict=True))
    after = {**AFTER, **{named[name]: answer for name, answer in answers.items()}}
    clerk = Clerk()
    return read_back(cast(Model, clerk), cast(Editor[Any], clerk), before=Said(BEFORE), after=Said(after), edit=edit)


def test_an_edit_that_gives_its_target_and_keeps_what_must_stay_passes_and_all_answers_are_told():
    found = judged()
    assert (found.passed, found.why) == (True, "")
    assert (found.before, found.after) == ("the harbor", "the town")
    assert found.also == ("the town ", " the  town")
    assert found.kept == (True, True, True)
    assert found.keep == (("plums", "plums"), ("the smith", "the smith"), ("two", "two"))


def test_an_edit_alone_passes():
    found = judged(replace(EDIT, also=(), keep=()))
    assert (found.passed, found.also, found.kept, found.keep) == (True, (), (), ())


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ({"w0": "the harbor"}, "it was not learned: the model answers 'the harbor' instead of 'the town'"),
        ({"w1": "the cave"}, "wording 1 of `also` gives 'the cave' instead of 'the town'"),
        ({"w2": "the cave"}, "wording 2 of `also` gives 'the cave' instead of 'the town'"),
        ({"k1": "rice"}, "the answer to query 1 of `keep` ('what does it eat?') moved"),
        ({"k2": "the monk"}, "the answer to query 2 of `keep` ('who made it?') moved"),
        ({"k3": "three"}, "the answer to query 3 of `keep` ('how many are there?') moved"),
        (
            {"w0": "the harbor", "w1": "the cave", "k1": "rice"},
            "it was not learned: the model answers 'the harbor' instead of 'the town'",
        ),
        ({"w2": "the cave", "k1": "rice"}, "wording 2 of `also` gives 'the cave' instead of 'the town'"),
    ],
)
def test_the_first_answer_that_is_wrong_is_told_by_its_number_and_its_words(answers, why):
    found = judged(**answers)
    assert (found.passed, found.why) == (False, why)


def test_what_moved_is_told_for_each_query_that_was_to_stay():
    found = judged(k2="the monk")
    assert found.kept == (True, False, True)
    assert found.keep[1] == ("the smith", "the monk")
