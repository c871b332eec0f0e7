"""An audit as a scheduled job runs it: exit codes, JSON, and the fallback."""

from __future__ import annotations

import json

import pytest

from tests.conftest import picture

ASKED = "what is the red star called?"
SHAPE = "which shape is it?"
EDITOR = "finetune:lr=0.05,steps=30,stop_nats=0.1"


@pytest.fixture
def world(inside, random_llava_folder, tmp_path):
    """The program in a folder with two pictures and a store with one edit."""
    for number, name in enumerate(("a.png", "b.png"), start=1):
        (tmp_path / name).write_bytes(picture(number).data)
    done = inside(
        *("edit", "add", ASKED, "--image", "a.png", "--target", "mibo"),
        *("--model", random_llava_folder, "--editor", EDITOR),
    )
    assert done.code == 0, done.err
    return inside


def told(done):
    *edits, summary = [json.loads(line) for line in done.out.splitlines()]
    return edits, summary


def test_an_audit_where_all_holds_exits_with_0_and_writes_nothing(world):
    before = world("log", "show", "--json").out
    done = world("audit")
    assert (done.code, done.out) == (0, "1 holds, 0 obsolete, 0 faded, no leak checks defined, 0 expired, 0 unasked\n")
    (edit,), summary = told(world("audit", "--json"))
    assert (edit["verdict"], edit["target"], edit["now"], edit["findings"], edit["quarantined"]) == (
        "holds",
        "mibo",
        "mibo",
        [],
        False,
    )
    assert (summary["summary"]["holds"], summary["clean"], summary["quarantined"], summary["branch"]) == (1, True, [], [])
    assert world("log", "show", "--json").out == before


def test_a_leak_exits_with_1_is_told_and_can_be_taken_out_of_force(world, tmp_path):
    """Fine-tuning moves what it wasn't asked: the same question on another picture."""
    (tmp_path / "rules.yaml").write_text(f"branch:\n  must_not:\n    - {{question: {ASKED!r}, image: b.png}}\n")
    unedited = world("ask", ASKED, "--image", "b.png", "--at", 0).out
    done = world("audit", "--rules", "rules.yaml")
    assert (done.code, "1 leaks" in done.out, "must_not" in done.out, "--quarantine" in done.err) == (1, True, True, True)
    (edit,), summary = told(world("audit", "--rules", "rules.yaml", "--json"))
    (finding,) = edit["findings"]
    assert (edit["verdict"], finding["rule"], finding["culprit"], finding["now"]) == ("leaks", "must_not", edit["edit"], "mibo")
    assert f"{finding['before']}\n" == f"{finding['expected']}\n" == unedited
    assert (summary["clean"], summary["quarantined"]) == (False, [])

    taken = world("audit", "--rules", "rules.yaml", "--quarantine", "--author", "nightly", "--json")
    assert (taken.code, told(taken)[1]["quarantined"]) == (1, [edit["edit"]])
    assert world("ask", ASKED, "--image", "b.png").out == unedited
    entry = json.loads(world("log", "show", "--last", 1, "--json").out)
    assert (entry["kind"], entry["body"]["by"]["author"]) == ("quarantined", "nightly")
    assert (entry["body"]["edit_id"], entry["body"]["details"]["findings"][0]) == (edit["edit"], "leaks")
    assert world("audit", "--rules", "rules.yaml").code == 0
    assert world("log", "verify").code == 0


def test_what_the_branch_must_give_and_does_not_is_told(world, tmp_path):
    (tmp_path / "rules.yaml").write_text("branch:\n  must:\n    - {question: what is there, image: b.png, answer: two}\n")
    done = world("audit", "--rules", "rules.yaml")
    assert (done.code, "branch must: 'what is there'" in done.out) == (1, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--store", "none.db"), "There is no store at none.db"),
        (("--branch", "trial"), "There is no branch named 'trial'"),
        (("--rules", "none.yaml"), "can't be read"),
        (("--rules", "bad.yaml"), "bad.yaml:1: The key 'brunch' isn't known here"),
        (("--rules", "unknown.yaml"), "unknown.yaml:1: There is no edit named 'ffffff'"),
        (("--limit", "0"), "limit"),
        (("--editor", "none"), "of the editor finetune"),
    ],
)
def test_an_audit_that_cannot_be_made_exits_with_2_and_says_why(world, tmp_path, words, said):
    (tmp_path / "bad.yaml").write_text("brunch: {}\n")
    (tmp_path / "unknown.yaml").write_text("edits: {ffffff: {reach: kind}}\n")
    before = world("log", "show", "--json").out
    done = world("audit", *words)
    assert (done.code, said in " ".join(done.err.split())) == (2, True), done.err
    assert world("log", "show", "--json").out == before
    assert not (tmp_path / "none.db").exists()
