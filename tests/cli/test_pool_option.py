"""`--pool` at the program: what a new branch begins with, what is said about it, and what is refused with nothing made."""

import json

import pytest

WORDS = ("where does mibo live?", "--target", "town")
QUICK = "scopeedit:steps=2,pool_size=4"


@pytest.fixture
def add(inside, random_llava_folder):
    """`errata edit add` with a small editor; what else is given."""

    def run(*words, editor=QUICK, asked=WORDS):
        named = ("--editor", editor) if editor else ()
        return inside("edit", "add", *asked, "--model", random_llava_folder, *named, *words)

    return run


def receipt(done):
    assert done.code in (0, 1), done.err  # whether it is learned is for other tests
    return json.loads(done.out)


def test_a_new_branch_is_given_a_pool_and_says_how_many(add):
    done = add("--json")
    assert "ordinary questions, made for the model (--pool FILE takes your own)" in done.err
    assert receipt(done)["unprotected"] is False
    assert "ordinary questions" not in add(editor="", asked=("How many?", "--target", "two")).err


def test_a_branch_begun_without_says_so_at_every_edit_and_in_every_form(add, inside):
    done = add("--pool", "none")
    assert "protected" in done.out
    assert "nothing: the branch began without ordinary questions" in done.out
    assert receipt(add("--json", editor="", asked=("How many?", "--target", "two")))["unprotected"] is True
    assert "protected" in add("--dry-run", editor="", asked=("Which one?", "--target", "red")).out


def test_a_pool_of_ones_own_leaves_out_what_is_corrected(add, tmp_path):
    (tmp_path / "q.txt").write_text("how many things are there?\nwhere does mibo live?\nwhat does mibo eat?\n")
    done = add("--pool", "q.txt")
    assert "begins with 2 ordinary questions, as given" in done.err
    assert add("--pool", "q.txt", editor="", asked=("How many?", "--target", "two")).code in (0, 1)


def test_an_import_takes_a_pool_and_says_where_there_is_none(inside, random_llava_folder, tmp_path):
    (tmp_path / "c.jsonl").write_text(json.dumps({"question": "How many?", "target": "two"}) + "\n")
    (tmp_path / "q.txt").write_text("how many things are there?\n")
    named = ("edit", "import", "c.jsonl", "--model", random_llava_folder, "--editor", QUICK)
    bare = inside(*named, "--store", "bare.db", "--pool", "none")
    assert (bare.code, "protected: nothing" in bare.err) == (0, True)
    given = inside(*named, "--store", "given.db", "--pool", "q.txt")
    assert (given.code, "protected: nothing" in given.err) == (0, False)
    assert "begins with 1 ordinary question" in given.err


@pytest.mark.parametrize(("editor", "said"), [("codebook:slots=64,chatter=10", "takes none"), (QUICK, "There is no question in")])
def test_a_pool_that_cannot_be_used_is_refused_and_no_store_is_made(add, tmp_path, editor, said):
    (tmp_path / "q.txt").write_text("" if editor == QUICK else "what does mibo eat?\n")
    done = add("--pool", "q.txt", editor=editor)
    assert (done.code, said in done.err) == (2, True), done.err
    assert not (tmp_path / "errata.db").exists()
