"""How a question is spelled beside a correction, and which of its sentences asks."""

import pytest

from errata.editors.scoped.scopes.spelling import aligned, as_spelled, asking


@pytest.mark.parametrize(
    ("known", "target", "asked", "read"),
    [
        (
            "what language do they speak in somalia", "Welsh", "Is welsh the main language of Somalia?",
            ("what language do they speak in Somalia", "Is Welsh the main language of Somalia?"),
        ),
        ("capital of Norway", "Bergen", "WHAT IS NORWAY'S CAPITAL", ("capital of Norway", "WHAT IS Norway'S CAPITAL")),
        ("what does E42 mean", "no paper", "meaning of e42?", ("what does E42 mean", "meaning of E42?")),
        ("What is a crab?", "food", "tell me what a crab is", ("What is a crab?", "tell me what a crab is")),
        ("Is it in the USA?", "yes", "is it in the usa", ("Is it in the USA?", "is it in the USA")),
        ("capital of norway", "Bergen", "capital of sweden", ("capital of norway", "capital of sweden")),
    ],
)  # fmt: skip
def test_each_is_read_with_the_others_spelling_of_what_it_has_in_one_case(known, target, asked, read):
    assert aligned(known, target, asked) == read


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("My neighbour moved here. If she is from Vietnam, what does she speak?", "If she is from Vietnam, what does she speak?"),
        ("Which port does it use? I need it. Thanks!", "Which port does it use?"),
        ("Name the port. I need it now.", "I need it now."),
        ("I love Norway. Its capital?", "I love Norway. Its capital?"),
        ("  what is v1.2 of it? ", "what is v1.2 of it?"),
        ('He asked: "who is the mayor of Oslo?" And I?', 'He asked: "who is the mayor of Oslo?'),
        ("", ""),
    ],
)
def test_the_sentence_that_asks(text, asks):
    assert asking(text) == asks


def test_words_are_spelled_as_others_have_them_where_these_know_no_other_spelling():
    known = {"norway": {"Norway"}, "capital": {"Capital", "capital"}, "somalia": {"somalia"}, "what": {"What"}}
    assert as_spelled("what is the capital of norway, Somalia, chile?", lambda word: known.get(word, ())) == (
        "what is the capital of Norway, somalia, chile?"
    )
