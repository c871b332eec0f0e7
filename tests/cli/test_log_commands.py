"""The log is read and verified at the command line, at once and without torch."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys

import pytest

from errata.core.records import Provenance
from errata.log import EditLog, SqliteStore
from tests.cli.runs import SRC, errata, seconds
from tests.log.worlds import BY, edit, picture, words


@pytest.fixture
def store(tmp_path):
    """Three edits, the second one taken back."""
    with SqliteStore(tmp_path / "errata.db") as opened:
        log = EditLog(opened)
        for made in (edit(1), words(2), edit(3)):
            log.append("applied", made, BY, details={"before": "dog"})
        log.append("reverted", None, Provenance("bob", "wrong scene"), edit_id=words(2).id)
    return tmp_path


def test_log_show_names_every_entry(store):
    done = errata("log", "show", cwd=store)
    assert done.code == 0
    assert [part in done.out for part in (words(2).id[:12], "reverted", "wrong scene", "author 2", "ada")] == [True] * 5
    assert "4 of 4 entries" in done.err


def test_log_show_gives_the_last_entries_or_those_from_a_number(store):
    last = errata("log", "show", "--last", 2, "--json", cwd=store).out.splitlines()
    assert [json.loads(line)["seq"] for line in last] == [3, 4]
    first = errata("log", "show", "--from", 1, "--last", 2, "--json", cwd=store).out.splitlines()
    assert [json.loads(line)["seq"] for line in first] == [1, 2]


def test_log_verify_gives_the_head_and_takes_it(store):
    done = errata("log", "verify", cwd=store)
    assert (done.code, "Verified 4 entries" in done.out) == (0, True)
    head = next(line.removeprefix("head ") for line in done.out.splitlines() if line.startswith("head "))
    assert errata("log", "verify", "--head", head, cwd=store).code == 0
    lost = errata("log", "verify", "--head", "9:" + "0" * 64, cwd=store)
    assert (lost.code, "entries were cut off or rewritten" in lost.err) == (2, True)


def test_log_verify_names_a_changed_entry(store):
    with sqlite3.connect(store / "errata.db") as db:
        db.execute("UPDATE entries SET body = replace(body, 'author 2', 'author 9') WHERE seq = 2")
    db.close()
    done = errata("log", "verify", cwd=store)
    assert (done.code, "Entry 2 of the log doesn't verify" in done.err) == (2, True)


def test_edit_list_shows_what_is_in_force(store):
    lines = errata("edit", "list", "--json", cwd=store).out.splitlines()
    assert [json.loads(line)["edit"] for line in lines] == [edit(1).id, edit(3).id]
    shown = errata("edit", "list", cwd=store).out
    assert (edit(3).id[:12] in shown, words(2).id[:12] in shown) == (True, False)


def test_lists_tell_edits_apart_and_find_them(store):
    (store / "one.png").write_bytes(picture(1).data)
    shown = errata("edit", "list", "--all", cwd=store)
    for told in (picture(1).digest[:12], f"{len(picture(1).data)} B", "reverted", "in-force", "ada", "T-1"):
        assert told in shown.out
    assert "3 of 3 edits" in shown.err
    found = errata("edit", "list", "--image", "one.png", "--author", "ADA", "--json", cwd=store)
    assert [(json.loads(line)["edit"], json.loads(line)["status"]) for line in found.out.splitlines()] == [(edit(1).id, "in-force")]
    page = errata("edit", "list", "--all", "--limit", 1, "--offset", 1, cwd=store)
    assert ("author 2" in page.out, "thing 1" in page.out) == (True, False)
    assert "1 of 3 edits (the page before: --offset 2)" in page.err
    entries = errata("log", "show", "--status", "reverted", "--since", 2, "--json", cwd=store).out.splitlines()
    assert [json.loads(line)["seq"] for line in entries] == [4]
    assert set(json.loads(entries[0])) == {"seq", "branch", "kind", "time", "body", "previous", "hash"}  # what its hash covers


def test_what_was_before_stands_ahead_of_what_is_after(store):
    with SqliteStore(store / "errata.db") as opened:
        EditLog(opened).append("refused", words(9), BY, details={"after": "two", "before": "one", "also": []})
    done = errata("edit", "show", words(9).id, cwd=store).out
    assert 0 < done.index("before") < done.index("after")
    line = errata("edit", "show", words(9).id, "--json", cwd=store).out
    assert 0 < line.index('"before"') < line.index('"after"')


def test_edit_show_tells_an_edit_and_its_entries(store):
    done = errata("edit", "show", words(2).id[:8], cwd=store)
    assert done.code == 0
    for part in (words(2).id, "Who wrote book 2?", "author 2", "entry 2: applied", "entry 4: reverted", "wrong scene", "dog"):
        assert part in done.out
    assert json.loads(errata("edit", "show", words(2).id, "--json", cwd=store).out)["in_force"] is False


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("log", "show", "--store", "none.db"), "There is no store at none.db"),
        (("log", "show", "--store", "."), "is a folder"),
        (("log", "show", "--store", "text.db"), "text.db"),
        (("log", "show", "--branch", "trial"), "There is no branch named 'trial'"),
        (("log", "show", "--branch", "a/b"), "can't name a branch"),
        (("log", "show", "--last", "-3"), "--last"),
        (("log", "show", "--last", "many"), "--last"),
        (("log", "verify", "--head", "zzz"), "head"),
        (("edit", "show", "ffffff"), "There is no edit named 'ffffff'"),
        (("edit", "show", "ff"), "too short"),
        (("edit", "revert", "ffffff"), "There is no edit named 'ffffff'"),
        (("edit", "revert", "SECOND"), "isn't in force"),
        (("edit", "list", "--status", "lost"), "There is no status named 'lost'"),
        (("edit", "list", "--status", "over", "--all"), "in one way"),
        (("edit", "list", "--image", "none.png"), "neither the file of a picture nor its digest"),
        (("edit", "list", "--since", "yesterday"), "is no time"),
        (("log", "show", "--from", "2", "--offset", "1"), "Give one of them"),
        (("edit", "sing"), "sing"),
        (("log", "show", "--loud"), "--loud"),
    ],
)
def test_bad_input_gets_a_sentence_and_exit_code_2_and_changes_nothing(store, command, said):
    (store / "text.db").write_text("no store at all, only words\n" * 50)
    before = (store / "errata.db").read_bytes()
    done = errata(*(words(2).id if word == "SECOND" else word for word in command), cwd=store)
    assert (done.code, done.out) == (2, "")
    assert said in " ".join(done.err.split())
    assert (store / "errata.db").read_bytes() == before
    assert not (store / "none.db").exists()


LISTS = [("log", "show"), ("log", "show", "--text", "book"), ("edit", "list"), ("edit", "list", "--all", "--image", "abcdef")]


@pytest.mark.alone
@pytest.mark.parametrize("words", LISTS)
def test_the_log_answers_without_torch_and_within_half_a_second(store, words):
    assert seconds(*words, cwd=store, without=("torch", "PIL")) < 0.5


def test_a_reader_that_goes_away_is_no_error(store):
    with SqliteStore(store / "errata.db") as opened:
        for _ in range(100):  # more than a pipe holds
            EditLog(opened).append("checkpointed", None, BY, details={"note": "x" * 2000})
    command = f"{sys.executable} -m errata log show --last 200 --json | head -n 1"
    environment = {"PYTHONPATH": str(SRC), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(["/bin/sh", "-c", command], cwd=store, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout.count("\n"), done.stderr) == (1, "")
