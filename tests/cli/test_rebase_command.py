"""A branch is put to a new base model at the command line: what it says, what it exits with, and what it leaves in the store."""

from __future__ import annotations

import json

import pytest

from tests.conftest import picture
from tests.session.test_rebase import KNOWN, build_knowing

ASKED = "what is the red star called?"
EDITOR = "finetune:lr=0.05,steps=30,stop_nats=0.1"


@pytest.fixture(scope="module")
def newer_folder(tmp_path_factory):
    """The folder of the next version of the model, which knows KNOWN by itself."""
    return build_knowing(tmp_path_factory.mktemp("models") / "newer")


@pytest.fixture
def world(inside, random_llava_folder, tmp_path):
    """The program in a folder with a picture and a store with one correction, made on the older model."""
    (tmp_path / "a.png").write_bytes(picture(1).data)
    (tmp_path / "known.png").write_bytes(KNOWN.images[0].data)
    older = ("--model", random_llava_folder, "--editor", EDITOR)
    assert inside("edit", "add", ASKED, "--image", "a.png", "--target", "a red star", "--author", "ann", *older).code == 0
    return inside


def lines(done):
    return [json.loads(line) for line in done.out.splitlines()]


def test_a_rebase_carries_what_the_new_model_needs_and_drops_what_it_knows(world, newer_folder):
    assert world("edit", "add", KNOWN.query.text, "--image", "known.png", "--target", KNOWN.target).code == 0
    assert world("edit", "revert", lines(world("edit", "list", "--json"))[0]["edit"]).code == 0
    before = world("log", "show", "--json").out
    done = world("rebase", "--model", newer_folder, "--onto", "newer", "--author", "cy", "--json")
    assert done.code == 0
    edit, summary = lines(done)
    assert (edit["fate"], edit["unedited"]) == ("dropped", KNOWN.target)
    assert (summary["summary"], summary["onto"]) == ({"carried": 0, "dropped": 1, "failed": 0, "lost": 0}, "newer")
    assert world("log", "show", "--json").out == before
    assert world("log", "verify", "--branch", "newer").code == 0


def test_a_dry_run_tells_the_same_and_changes_nothing(world, newer_folder):
    store = world("log", "show", "--json").out
    dry = world("rebase", "--model", newer_folder, "--onto", "newer", "--dry-run", "--json")
    assert (dry.code, lines(dry)[-1]["dry_run"]) == (0, True)
    assert (world("log", "show", "--json").out, world("log", "show", "--branch", "newer").code) == (store, 2)
    real = world("rebase", "--model", newer_folder, "--onto", "newer", "--json")
    assert lines(real)[:-1] == lines(dry)[:-1]
    assert lines(real)[0]["fate"] == "carried"
    assert world("ask", ASKED, "--image", "a.png", "--branch", "newer").out == "a red star\n"
    assert lines(world("edit", "list", "--branch", "newer", "--json"))[0]["author"] == "ann"


def test_what_could_not_be_carried_over_is_named_and_the_exit_code_is_1(world, newer_folder, tmp_path):
    (tmp_path / "rules.yaml").write_text("version: 1\nbranch:\n  never: ['red star']\n")
    done = world("rebase", "--model", newer_folder, "--onto", "newer", "--rules", "rules.yaml")
    assert done.code == 1
    assert ("failed" in done.out, "0 carried, 0 dropped, 1 failed" in done.out) == (True, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--onto", "main"), "onto itself"),
        (("--onto", "a b"), "can't name a branch"),
        (("--onto", "new", "--branch", "mian"), "Did you mean 'main'"),
        (("--onto", "new", "--editor", "scopedit"), "Did you mean 'scopeedit'"),
        (("--onto", "new", "--store", "none.db"), "no store at none.db"),
        (("--onto", "new", "--rules", "none.yaml"), "none.yaml"),
        ((), "--onto"),
    ],
)
def test_what_can_not_be_rebased_gets_a_sentence_and_changes_nothing(world, random_llava_folder, tmp_path, words, said):
    before = world("log", "show", "--json").out
    done = world("rebase", "--model", random_llava_folder, *words)
    assert (done.code, done.out) == (2, "")
    assert said in " ".join(done.err.split())
    assert world("log", "show", "--json").out == before
    assert not (tmp_path / "none.db").exists()


def test_a_rebase_that_is_done_is_not_done_again(world, newer_folder):
    assert world("rebase", "--model", newer_folder, "--onto", "newer").code == 0
    done = world("rebase", "--model", newer_folder, "--onto", "newer")
    assert (done.code, "holds a rebase that is done" in done.err) == (2, True)
