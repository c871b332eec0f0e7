"""The door: one import gives a model that is opened, corrected, asked, audited, brought back; and what it refuses, in words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import errata
from errata.models import load

SCENE = Path(__file__).parent.parent / "examples" / "scene.png"
HOME = "where does the thing at the top left live?"
OTHER = "tell me the home of the thing at the top left."


@pytest.fixture(scope="module")
def model():
    return load("llava-tiny")


@pytest.fixture
def store(tmp_path) -> Path:
    return tmp_path / "errata.db"


def test_a_correction_is_made_asked_and_taken_back(model):
    session = errata.open(model)
    before = session.ask(HOME, image=SCENE).text
    receipt = session.edit(HOME, "the old pier", image=SCENE, keep=["what is 2 plus 2?"], author="ann", reason="it moved")
    assert (receipt.status, receipt.before, receipt.after) == ("applied", before, "the old pier")
    assert session.ask(OTHER, image=SCENE).text == "the old pier"
    assert session.in_force() == (receipt.edit,)
    assert session.revert(receipt.edit[:8]).after == before
    assert session.in_force() == ()
    assert [entry.kind for entry in session.history()] == ["begun", "applied", "reverted"]
    assert [entry.by.author for entry in session.history(receipt.edit)][0] == "ann"


def test_a_dry_run_changes_nothing(model):
    session = errata.open(model)
    receipt = session.preview(HOME, "the cave", image=SCENE, recent=["what is 2 plus 2?"])
    assert (receipt.status, receipt.asked) == ("would apply", 1)
    assert [entry.kind for entry in session.history()] == ["begun"]


def test_a_proposal_waits_for_whoever_approves_it(model):
    session = errata.open(model)
    first = session.propose(HOME, "the cave", image=SCENE, author="ann")
    assert session.ask(HOME, image=SCENE).text != "the cave"
    assert session.approve(first.edit, author="bo").status == "applied"
    second = session.propose("what is 3 plus 3?", "nine")
    assert session.reject(second.edit, reason="it is six").status == "refused"


def test_what_was_superseded_comes_back(model):
    session = errata.open(model)
    old = session.edit("what is 3 plus 3?", "nine")
    new = session.edit("what is 3 plus 3?", "seven")
    assert new.supersedes == (old.edit,)
    why = session.revert(new.edit).why
    assert f"errata edit restore {old.edit[:12]}" in why
    assert session.ask("what is 3 plus 3?").text not in ("nine", "seven")
    assert session.restore(old.edit).status == "applied"
    assert session.ask("what is 3 plus 3?").text == "nine"
    with pytest.raises(errata.BadInput, match="in force, so there is nothing to restore"):
        session.restore(old.edit)


def test_an_edit_that_was_never_applied_is_not_restored(model):
    session = errata.open(model)
    waits = session.propose("what is 3 plus 3?", "nine")
    with pytest.raises(errata.BadInput, match="was never applied"):
        session.restore(waits.edit)


def test_the_past_is_asked_by_entry_and_the_present_goes_back_to_it(model):
    session = errata.open(model)
    session.edit("what is 3 plus 3?", "nine")
    session.edit("what is 2 plus 2?", "five")
    assert [session.at(point).ask("what is 2 plus 2?").text for point in (0, 2, "3")] == ["4", "4", "five"]
    assert len(session.revert_to(2, dry_run=True).out) == len(session.revert_to(2).out) == 1
    assert [session.ask(text).text for text in ("what is 3 plus 3?", "what is 2 plus 2?")] == ["nine", "4"]
    with pytest.raises(errata.LogError):
        session.at(0).edit("what is 3 plus 3?", "eight")


def test_a_store_keeps_everything_and_a_second_writer_waits(model, store):
    with errata.open(model, store=store) as session:
        edit = session.edit("what is 3 plus 3?", "nine").edit
        with pytest.raises(errata.Held):
            errata.open(model, store=store)
        with errata.open(model, store=store, read_only=True) as reader:
            assert reader.ask("what is 3 plus 3?").text == "nine"
    with errata.open(model, store=store) as again:
        assert again.in_force() == (edit,)


def test_a_model_that_cannot_be_opened_leaves_no_store(store):
    with pytest.raises(errata.Unknown):
        errata.open("llava-tny", store=store)
    with pytest.raises(errata.Unknown, match="editor"):
        errata.open("llava-tiny", editor="scopdit", store=store)
    with pytest.raises(errata.BadInput, match="nothing to read"):
        errata.open("llava-tiny", store=store, read_only=True)
    assert not store.exists()


def test_corrections_come_from_a_file_and_go_to_one(model, tmp_path):
    given = tmp_path / "given.csv"
    given.write_text("question,target\nwhat is 3 plus 3?,nine\nwhat is 2 plus 2?,\n", encoding="utf-8")
    session = errata.open(model)
    first = session.import_file(given, author="night shift")
    assert (first.applied, first.refused, first.bad) == (1, 0, 1)
    assert "given.csv" in first.told[0] or "line 3" in first.told[0]
    again = session.import_file(given)
    assert (again.applied, again.passed_over) == (0, 1)
    done = session.export(tmp_path / "out.jsonl")
    assert (done.written.edits, done.missing) == (1, ())
    other = errata.open(model)
    assert other.import_file(tmp_path / "out.jsonl").applied == 1
    assert other.in_force() == session.in_force()


def test_an_audit_finds_what_a_rule_forbids(model, tmp_path):
    session = errata.open(model)
    edit = session.edit("what is 3 plus 3?", "nine").edit
    assert session.audit().clean
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        f"edits:\n  {edit[:12]}:\n    must:\n      - question: what is 3 plus 3?\n        answer: eight\n", encoding="utf-8"
    )
    found = session.audit(rules=rules)
    assert [one.verdict for one in found.edits] == ["faded"]
    assert session.quarantine(found) == (edit,)


def test_questions_are_asked_together_as_they_are_alone(model):
    session = errata.open(model)
    session.edit("what is 3 plus 3?", "nine")
    questions: list[str | errata.Query] = [
        "what is 3 plus 3?",
        errata.Query.ask(HOME, errata.Image.open(SCENE)),
        "what is 2 plus 2?",
    ]
    assert [one.text for one in session.ask_all(questions)] == [session.ask(question).text for question in questions]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda s: s.edit("what is 3 plus 3?"), "target is missing"),
        (lambda s: s.edit("what is 3 plus 3?", " "), "target is empty"),
        (lambda s: s.edit(" ", "nine"), "prompt is empty"),
        (lambda s: s.edit("what is 3 plus 3?", "nine", also="what is 3 and 3?"), "come as a list"),
        (lambda s: s.edit(errata.Edit(errata.Query.ask("a?"), "b"), "c"), "Give the edit alone"),
        (lambda s: s.ask(errata.Query.ask("a?"), image=SCENE), "pictures in it"),
        (lambda s: s.ask("a?", image="no.png"), "no.png"),
        (lambda s: s.edit("what is 3 plus 3?", "nine", rules="no.yaml"), "no.yaml"),
    ],
)
def test_what_cannot_be_used_is_told_in_a_sentence_and_changes_nothing(model, call, said):
    session = errata.open(model)
    with pytest.raises(errata.BadInput, match=said):
        call(session)
    assert [entry.kind for entry in session.history()] == ["begun"]


def test_a_benchmark_runs_through_the_door(model, tmp_path):
    run = errata.bench(model, "codebook", edits=2, seed=3, out=tmp_path / "run")
    assert run.horizons[-1].edits == 2
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"result.json", "result.csv", "report.html"}


def test_importing_errata_loads_nothing_and_takes_no_time():
    program = (
        "import resource, sys; import errata; used = resource.getrusage(resource.RUSAGE_SELF);"
        "heavy = {'torch', 'numpy', 'PIL', 'transformers'} & set(sys.modules); print(sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr
