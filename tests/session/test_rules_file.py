"""A rules file that can be used becomes rules; one that can't is told all its mistakes, each with its line."""

from __future__ import annotations

import pytest

from errata.core.errors import BadInput, Unknown
from errata.core.records import Query
from errata.core.rules import EditRules, Must, Rules, RuleSet
from errata.session.rules_file import read_rules
from tests.conftest import picture

RING = picture(1)

GOOD = r"""
version: 1
branch:
  reach: image
  must:
    - {question: how many things are there, answer: "2"}
  must_not:
    - where does mibo live?
    - question: what is the blue ring called?
      image: pictures/ring.png
  never:
    - '\bdose\b'
edits:
  3fa9c1d2:
    reach: kind
    must:
      - name it
      - question: which?
        image: [pictures/ring.png, pictures/ring.png]
        answer: the ring
  123456:
    never: [salt]
  12e456: {}
"""


@pytest.fixture
def rules_at(tmp_path):
    """Write a rules file beside a folder with a picture, and read it."""
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "ring.png").write_bytes(RING.data)
    (tmp_path / "text.png").write_text("no picture")

    def read(text: str | bytes):
        path = tmp_path / "rules.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        return read_rules(path)

    return read


def faults(rules_at, text):
    """Line -> what is wrong with it."""
    with pytest.raises(BadInput) as raised:
        rules_at(text)
    told = [line.split(": ", 1) for line in str(raised.value).splitlines()]
    assert all(place.rpartition(":")[0].endswith("rules.yaml") for place, _ in told), told
    return [(int(place.rpartition(":")[2]), what) for place, what in told]


def test_a_good_file_says_what_it_says(rules_at):
    read = rules_at(GOOD)
    assert read.rules == Rules(
        RuleSet(
            "image",
            (Must(Query.ask("how many things are there"), "2"),),
            (Query.ask("where does mibo live?"), Query.ask("what is the blue ring called?", RING)),
            (r"\bdose\b",),
        ),
        (
            EditRules("3fa9c1d2", RuleSet("kind", (Must(Query.ask("name it")), Must(Query.ask("which?", RING, RING), "the ring")))),
            EditRules("123456", RuleSet(never=("salt",))),
            EditRules("12e456", RuleSet()),
        ),
    )
    assert read.lines == {"3fa9c1d2": 14, "123456": 21, "12e456": 23}


@pytest.mark.parametrize(
    "text", ["\ufeffbranch: {reach: image}", "# rules\nbranch:\n  reach: image\n", '{"branch": {"reach": "image"}}']
)
def test_comments_json_and_a_mark_at_the_beginning_are_no_mistakes(rules_at, text):
    assert rules_at(text).rules == Rules(RuleSet("image"))


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "holds no rules"),
        ("# nothing\n", 1, "holds no rules"),
        ("version: 1\n", 1, "no rules here"),
        ("- a\n", 1, "The file is a list"),
        ("branch:\n  reach: image\n  raech: kind\n", 3, "'raech' isn't known here. Known: reach, must, must_not, never"),
        ("version: 2\nbranch: {}\n", 1, "version 1"),
        ("branch:\n", 1, "'branch' is empty"),
        ("branch: {}\n\nbranch: {}\n", 3, "'branch' is here twice, first on line 1"),
        ("branch:\n  reach: far\n", 2, "The reach 'far' isn't known. Use one of: image, kind, text, open"),
        ("branch:\n  reach: [image]\n", 2, "'reach' is a list"),
        ("branch:\n  reach: no\n", 2, "isn't text, but 'no' without quotes"),
        ("branch:\n  must_not: what?\n", 2, "'must_not' is a single value. Write a list"),
        ("branch:\n  must_not:\n    - 35\n", 3, "A question isn't text, but '35' without quotes"),
        ("branch:\n  must_not:\n    - ''\n", 3, "A question is empty"),
        ("branch:\n  must_not:\n    - [a]\n", 3, "A question is a list"),
        ("branch:\n  must_not:\n    - {image: pictures/ring.png}\n", 3, "no 'question'"),
        ("branch:\n  must_not:\n    - {question: q, answer: a}\n", 3, "'answer' isn't known here. Known: question, image"),
        ("branch:\n  must_not:\n    - question: q\n      image: none.png\n", 4, "There is no image at"),
        ("branch:\n  must_not:\n    - question: q\n      image: [pictures/ring.png, text.png]\n", 4, "isn't a picture"),
        ("branch:\n  must_not:\n    - question: q\n      image: 7\n", 4, "The path of an image isn't text"),
        ('branch:\n  must_not:\n    - question: q\n      image: "a\\0"\n', 4, "zero character"),
        ('branch:\n  must_not:\n    - "\\ud800"\n', 3, "surrogate"),
        ("branch:\n  must:\n    - where?\n", 3, "needs its 'answer'"),
        ("branch:\n  must:\n    - question: q\n      answer: yes\n", 4, "'answer' isn't text, but 'yes'"),
        ("branch:\n  must:\n    - {question: q, answer: a}\n  must_not:\n    - q\n", 5, "under 'must' (line 3) as well"),
        ("branch:\n  never: [salt]\n  must:\n    - {question: salt, answer: a}\n", 4, "matches 'salt' of 'never'"),
        ("branch:\n  never:\n    - a\n    - '('\n", 4, "isn't a regular expression"),
        ("branch:\n  never:\n    - .*\n", 3, "every question"),
        ("edits:\n  3fa9: {}\n", 2, "'3fa9' can't name an edit"),
        ("edits:\n  mibo: {}\n", 2, "'mibo' can't name an edit"),
        ("edits:\n  [a]: {}\n", 2, "can't name an edit"),
        ("edits:\n  3fa9c1: {}\n  3FA9C1: {}\n", 3, "names the same edit as line 2"),
        ("edits:\n  3fa9c1: {}\n  3fa9c1d2: {}\n", 3, "names the same edit as line 2"),
        ("edits:\n  3fa9c1d2: {}\n  3fa9c1: {}\n", 3, "names the same edit as line 2"),
        ("edits: [3fa9c1]\n", 1, "'edits' is a list"),
        ("edits:\n  3fa9c1: image\n", 2, "The edit '3fa9c1' is a single value"),
        ("branch: &a {reach: image}\nedits:\n  3fa9c1:\n    <<: *a\n", 4, "'<<' isn't known"),
        ("branch: !!python/object:os.system {}\nedits: {3fa9c1: *x}\n", 2, "This isn't YAML"),
        ("branch:\n  never: ['a\n", 3, "This isn't YAML"),
        ("branch: {}\n---\nbranch: {}\n", 2, "This isn't YAML"),
        ("branch:\n\treach: image\n", 2, "This isn't YAML"),
        ("branch: {}\n# \x00\n", 2, "can't stand in YAML"),
        (b"branch:\n  never: [\xff]\n", 2, "isn't UTF-8"),
        ("[" * 5000, 1, "can't be read as YAML"),
    ],
)
def test_a_mistake_is_told_with_its_line(rules_at, text, line, said):
    told = faults(rules_at, text)
    assert [where for where, _ in told] == [line]
    assert said in told[0][1]


def test_all_mistakes_are_told_at_once_in_the_order_of_lines(rules_at):
    text = (
        "branch:\n  reach: far\n  must: [where]\n  never: ['(']\nedits:\n  mibo: {must: 3}\n  3fa9c1: {must_not: ['']}\nmore: 1\n"
    )
    assert [line for line, _ in faults(rules_at, text)] == [2, 3, 4, 6, 6, 7, 8]


@pytest.mark.parametrize("name", ["none.yaml", "."])
def test_a_file_that_cannot_be_read_gets_a_sentence(tmp_path, name):
    with pytest.raises(BadInput, match="can't be read"):
        read_rules(tmp_path / name)


def test_first_digits_become_whole_ids_or_are_told_with_their_lines(rules_at):
    read = rules_at("edits:\n  3fa9c1: {reach: image}\n  123456: {}\n  abcdef: {}\n")

    def resolve(prefix):
        if prefix != "3fa9c1":
            raise Unknown("edit", prefix, ["3fa9c1"])
        return prefix.ljust(64, "0")

    with pytest.raises(BadInput) as raised:
        read.resolved(resolve)
    first, second = str(raised.value).splitlines()
    assert ("rules.yaml:3: There is no edit named '123456'" in first, "rules.yaml:4: There" in second) == (True, True)
    whole = rules_at("edits:\n  3fa9c1: {reach: image}\n").resolved(resolve)
    assert whole == Rules(edits=(EditRules("3fa9c1".ljust(64, "0"), RuleSet("image")),))
