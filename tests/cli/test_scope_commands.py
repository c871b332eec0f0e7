"""A rules file is checked at the command line: by itself, against the edits of a log, against the answers."""

from __future__ import annotations

import json

import pytest

from tests.conftest import picture

ASKED = "what is the red star called?"
EDITOR = "finetune:lr=0.05,steps=30,stop_nats=0.1"


@pytest.fixture
def world(inside, random_llava_folder, tmp_path):
    """The program in a folder with a picture and a way to write a rules file."""
    (tmp_path / "a.png").write_bytes(picture(1).data)

    def run(*words: object, rules: str | None = None):
        if rules is not None:
            (tmp_path / "rules.yaml").write_text(rules)
        return inside(*words)

    return run


@pytest.fixture
def edited(world, random_llava_folder):
    """The id of an edit in force in errata.db."""
    done = world(
        *("edit", "add", ASKED, "--image", "a.png", "--target", "mibo", "--json"),
        *("--model", random_llava_folder, "--editor", EDITOR),
    )
    return json.loads(done.out)["edit"]


def test_a_file_alone_is_checked_without_a_store(world, tmp_path):
    text = (
        "branch:\n  must_not: [how many, {question: which, image: a.png}]\n  never: [dose]\nedits:\n  3fa9c1: {must: [name it]}\n"
    )
    done = world("scope", "check", "rules.yaml", rules=text)
    assert (done.code, done.out.splitlines()[0]) == (
        0,
        "The rules can be used: 1 must, 2 must not, 1 never; rules for 1 single edit.",
    )
    told = json.loads(world("scope", "check", "rules.yaml", "--json").out)
    assert (told["must"], told["must_not"], told["never"], told["edits"], len(told["rules"])) == (1, 2, 1, 1, 64)
    assert [path.name for path in tmp_path.glob("errata.db*")] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rules.yaml",), ["rules.yaml:2: The reach 'far' isn't known", "rules.yaml:3: The key 'nvere' isn't known here"]),
        (("none.yaml",), ["The rules file none.yaml can't be read"]),
        ((".",), ["The rules file . can't be read"]),
    ],
)
def test_a_file_that_cannot_be_used_exits_with_2_and_names_every_line(world, words, said):
    done = world("scope", "check", *words, rules="branch:\n  reach: far\n  nvere: [a]\n")
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", len(said))
    assert all(sentence in done.err for sentence in said), done.err


def test_a_store_that_is_not_there_gets_a_sentence_and_is_not_made(world, tmp_path):
    done = world("scope", "check", "rules.yaml", "--store", "none.db", rules="branch: {reach: kind}\n")
    assert (done.code, "There is no store at none.db" in done.err) == (2, True)
    assert not (tmp_path / "none.db").exists()


def test_ids_are_resolved_without_a_model_and_unknown_ones_are_named(world, edited):
    offline = ("scope", "check", "rules.yaml", "--store", "errata.db", "--offline")
    assert world(*offline, rules=f"edits:\n  {edited[:6]}: {{reach: kind}}\n").code == 0
    done = world(*offline, rules=f"edits:\n  {edited[:6]}: {{reach: kind}}\n  ffffff: {{}}\n")
    assert (done.code, "rules.yaml:3: There is no edit named 'ffffff'" in done.err) == (2, True)
    assert world(*offline, "--branch", "trial").code == 2


def test_rules_are_held_against_the_answers_and_1_says_that_one_is_broken(world, edited):
    store = ("scope", "check", "rules.yaml", "--store", "errata.db")
    holds = world(*store, rules=f"branch:\n  must:\n    - {{question: {ASKED!r}, image: a.png, answer: mibo}}\n")
    assert (holds.code, holds.out.splitlines()[-1]) == (0, "1 of 1 hold")
    one = f"  {edited[:6]}:\n    must:\n      - {{question: {ASKED!r}, image: a.png}}\n    must_not: [{ASKED!r}]\n"
    broken = world(
        *store, rules=f"branch:\n  never: [salt]\nedits:\n{one}"
    )  # fine-tuning moves the question without its picture too
    assert (broken.code, f"{edited[:12]} must_not: {ASKED!r} must stay" in broken.out) == (1, True)
    assert broken.out.splitlines()[-1] == "1 of 2 hold"
    *lines, last = [json.loads(line) for line in world(*store, "--json").out.splitlines()]
    assert [(line["rule"], line["of"], line["holds"]) for line in lines] == [("must", edited, True), ("must_not", edited, False)]
    assert (lines[1]["finding"]["now"], last["summary"]) == ("mibo", {"holds": 1, "broken": 1})


def test_rules_for_an_edit_that_is_not_in_force_are_said_to_bind_nothing(world, edited):
    assert world("edit", "revert", edited[:8]).code == 0
    done = world("scope", "check", "rules.yaml", "--store", "errata.db", rules=f"edits:\n  {edited[:6]}: {{must: [name it]}}\n")
    assert (done.code, "bind nothing" in done.err, "0 of 0 hold" in done.out) == (0, True, True)
