"""A corrected model leaves its store as an ordinary checkpoint, which is opened again as any other."""

from __future__ import annotations

import json

import pytest

from tests.conftest import picture

ASKED = "what is the red star called?"
EDITOR = "finetune:lr=0.05,steps=30,stop_nats=0.1"


@pytest.fixture
def corrected(inside, random_llava_folder, tmp_path):
    """The program in a folder with a store that has one edit."""
    (tmp_path / "a.png").write_bytes(picture(1).data)

    def add(editor: str = EDITOR):
        return inside(
            *("edit", "add", ASKED, "--image", "a.png", "--target", "mibo"), "--model", random_llava_folder, "--editor", editor
        )

    assert add().code == 0
    return inside


def test_a_merged_checkpoint_gives_the_corrected_answer_without_the_store(corrected, tmp_path):
    made = corrected("model", "merge", "--out", "new", "--json")
    told = json.loads(made.out)
    assert (made.code, told["edits"], told["agree"]) == (0, 1, 1)
    alone = corrected("ask", ASKED, "--image", "a.png", "--model", "new", "--store", ":memory:")
    assert (alone.out, "without edits" in alone.err) == ("mibo\n", True)
    slip = json.loads((tmp_path / "new" / "errata.json").read_text(encoding="utf-8"))
    assert (slip["merged"], slip["edits"], slip["branch"], slip["entry"]) == (told["digest"], 1, "main", 2)
    assert slip["base"]["digest"] != slip["merged"]
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_merging_leaves_the_store_and_what_it_answers_as_they_were(corrected, tmp_path):
    before = (tmp_path / "errata.db").read_bytes()
    corrected("model", "merge", "--out", "new")
    assert (tmp_path / "errata.db").read_bytes() == before
    assert corrected("ask", ASKED, "--image", "a.png").out == "mibo\n"


def test_a_folder_that_is_not_empty_is_left_alone(corrected, tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine.txt").write_text("mine", encoding="utf-8")
    refused = corrected("model", "merge", "--out", "new")
    assert (refused.code, "isn't empty" in refused.err) == (2, True)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["mine.txt"]


def test_an_editor_whose_reads_depend_on_the_question_says_that_it_cannot_be_merged(inside, random_llava_folder, tmp_path):
    added = inside(
        *("edit", "add", "what is it called?", "--target", "mibo", "--store", "book.db"),
        *("--model", random_llava_folder, "--editor", "codebook:steps=40"),
    )
    assert added.code == 0
    refused = inside("model", "merge", "--store", "book.db", "--out", "new")
    assert (refused.code, "codebook can't be merged" in refused.err) == (2, True)
    assert not (tmp_path / "new").exists()


def test_a_store_without_an_edit_in_force_has_nothing_to_merge(corrected, tmp_path):
    edit = json.loads(corrected("edit", "list", "--json").out)["edit"]
    assert corrected("edit", "revert", edit).code == 0
    refused = corrected("model", "merge", "--out", "new")
    assert (refused.code, "No edit is in force" in refused.err) == (2, True)
    assert not (tmp_path / "new").exists()


def test_an_edit_that_ends_by_itself_does_not_end_in_a_checkpoint_and_that_is_said(inside, random_llava_folder):
    added = inside(
        *("edit", "add", ASKED, "--target", "mibo", "--until", "2099-01-01T00:00:00Z"),
        *("--model", random_llava_folder, "--editor", EDITOR),
    )
    assert added.code == 0
    made = inside("model", "merge", "--out", "new")
    assert (made.code, "1 of them end by themselves in the store" in made.err) == (0, True)


def test_a_place_where_no_folder_can_be_is_a_sentence(corrected, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    refused = corrected("model", "merge", "--out", "file/new")
    assert (refused.code, "can't be written" in refused.err) == (2, True)
