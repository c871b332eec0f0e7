"""The exam of Atlas: what counts as seen and known, and what is asked for."""

import pytest

from tests.pictures_there import needed

pytestmark = needed


@pytest.fixture(scope="module")
def items():
    from errata.benchmarks.atlas.exam import exam

    return exam(each=3)


def marked(items, answers):
    from errata.benchmarks.atlas.exam import grade

    before = [answer if item.column == "words" else None for item, answer in zip(items, answers, strict=True)]
    return grade(items, answers, before)


def test_who_says_everything_right_passes(items):
    marks = marked(items, [f"It is {item.answer}." if item.column != "blind" else "I see nothing." for item in items])
    assert all(mark.passed for mark in marks)
    assert all(mark.share == 1.0 for mark in marks if mark.column != "blind")


def test_who_says_nothing_right_fails_where_something_is_asked_for(items):
    marks = marked(items, ["I don't know."] * len(items))
    assert {(mark.column, mark.topic) for mark in marks if not mark.passed} == {
        (column, topic) for column in ("taught views", "aslant") for topic in ("flat flags", "waving flags", "things")
    }


def test_who_knows_the_blind_answers_has_read_them_somewhere(items):
    marks = marked(items, [item.answer for item in items])
    assert [mark.topic for mark in marks if not mark.passed] == ["flags", "things"]


def test_fewer_words_than_before_are_a_failure(items):
    from errata.benchmarks.atlas.exam import grade

    words = [item for item in items if item.column == "words" and item.topic == "capital"]
    (mark,) = grade(words, [words[0].answer, "no idea", "no idea"], [item.answer for item in words])
    assert (mark.right, mark.n, mark.beside, mark.passed) == (1, 3, 1.0, False)


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        ("The picture shows a banana.", True),
        ("This is a banana. It is a fruit, not a lemon.", True),
        ("A lemon or a banana.", False),
        ("Not a banana.", False),
        ("Maybe a banana.", False),
        ("A yellow thing.", False),
    ],
)
def test_a_thing_counts_as_seen_when_its_name_is_said_and_no_other_before_it(said, counts):
    from errata.benchmarks.atlas.exam import Item, grade
    from errata.benchmarks.atlas.questions import Sought
    from errata.core.records import Query

    item = Item("aslant", "things", Query.ask("What is in this picture?"), "a banana", Sought("picture"))
    assert (grade([item], [said], [None])[0].right == 1) is counts


def test_pictures_that_cannot_be_told_apart_are_not_asked_for(items):
    assert not {item.answer for item in items if item.topic.endswith("flags")} & {"Indonesia", "Monaco", "Romania", "Chad"}


def test_the_exam_is_the_same_every_time(items):
    from errata.benchmarks.atlas.exam import exam

    assert [item.query.digest for item in exam(each=3)] == [item.query.digest for item in items]
