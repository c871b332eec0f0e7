"""The same question in another typing is the same question; what says more is another one."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errata.core.matching import asks, worded
from errata.core.records import Message, Query
from tests.log.worlds import picture

HOME = "Where does café number 7 live?"
SAME = {
    "case": "where does CAFÉ number 7 live?",
    "a blank at the end": f"{HOME} ",
    "blanks between": "Where  does café\nnumber\u00a07 live ?",
    "no question mark": HOME[:-1],
    "two question marks": f"{HOME}?",
    "a full stop": f"{HOME[:-1]}.",
    "letters and accents apart": unicodedata.normalize("NFD", HOME),
    "wide letters": "Ｗｈｅｒｅ does café number ７ live？",
    "marks that nobody sees": "\ufeffWhere does ca\u00adfé number\u200b 7 live?",
}
OTHER = {
    "another word": "Where does café number 8 live?",
    "an accent less": "Where does cafe number 7 live?",
    "a word apart": "Where does ca fé number 7 live?",
    "a negation": "Where does café number 7 not live?",
}


@pytest.mark.parametrize("typed", SAME.values(), ids=SAME.keys())
def test_the_same_question_in_another_typing_has_the_same_name(typed: str):
    assert asks(Query.ask(typed, picture(1))) == asks(Query.ask(HOME, picture(1)))


@pytest.mark.parametrize("typed", OTHER.values(), ids=OTHER.keys())
def test_another_question_has_another_name(typed: str):
    assert asks(Query.ask(typed)) != asks(Query.ask(HOME))


@pytest.mark.parametrize(("one", "other"), [("what is 5²?", "what is 52?"), ("what is ½?", "what is 1⁄2?"), ("show ①", "show 1")])
def test_a_raised_divided_or_circled_character_is_not_the_plain_one(one: str, other: str):
    assert asks(Query.ask(one)) != asks(Query.ask(other))


def test_ligatures_round_quotes_and_spanish_marks_are_ways_to_write():
    assert worded("the ﬁrst one’s “name”") == worded('THE FIRST ONE\'S "NAME"')
    assert worded("¿Dónde vive?") == worded("dónde vive")
    assert worded("που ζει\u037e") == worded("που ζει")


def test_a_question_of_marks_alone_is_not_every_question_of_marks():
    assert worded("?") != worded(".") != worded("")


def test_pictures_speakers_and_their_order_are_part_of_a_question():
    names = {
        asks(query)
        for query in (
            Query.ask(HOME),
            Query.ask(HOME, picture(1)),
            Query.ask(HOME, picture(2)),
            Query.ask(HOME, picture(1), picture(2)),
            Query((Message("user", (HOME, picture(1))),)),
            Query((Message("system", ("Be brief.",)), Message("user", (HOME,)))),
            Query((Message("user", (HOME,)), Message("assistant", ("there",)), Message("user", ("and?",)))),
        )
    }
    assert len(names) == 7


def test_the_old_rule_takes_every_byte():
    query = Query.ask(HOME)
    assert asks(query, rule=0) == query.digest != asks(Query.ask(f"{HOME} "), rule=0)


@given(st.text(max_size=40))
def test_any_text_is_the_same_as_its_own_canonical_forms_and_as_what_is_left_of_it(text: str):
    assert worded(unicodedata.normalize("NFD", text)) == worded(text) == worded(unicodedata.normalize("NFC", text))
    assert worded(f"  {text} ") == worded(text)
