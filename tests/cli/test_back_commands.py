"""A correction is tried before it goes live, approved by another person, and taken back in every way there is."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from contextlib import closing

import pytest
from PIL.PngImagePlugin import PngInfo

from errata.core.images import Image
from errata.serve.beside.opening import open_beside
from errata.serve.recent import Recent
from tests.cli.runs import SRC
from tests.cli.test_edit_commands import ASKED, EDITOR
from tests.conftest import picture
from tests.serve.test_beside import completion

OTHER = "where does the blue ring live?"


@pytest.fixture
def world(inside, random_llava_folder, tmp_path):
    """The program in a folder with two pictures, on the small model with an editor that learns what it is told."""
    for number in (1, 2):
        (tmp_path / f"{number}.png").write_bytes(picture(number).data)

    def run(*words: object):
        return inside(*words, "--model", random_llava_folder, "--editor", EDITOR)

    return run


def add(world, question=ASKED, image="1.png", *words, target="mibo"):
    return world("edit", "add", question, "--image", image, "--target", target, "--json", *words)


def read(done):
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def entries(inside):
    return [entry["kind"] for entry in read(inside("log", "show", "--json"))]


def test_a_dry_run_shows_the_receipt_and_what_would_move_and_leaves_no_store(world, inside, tmp_path):
    world("ask", ASKED, "--image", "1.png", "--remember", "asked.jsonl")
    world("ask", OTHER, "--image", "2.png", "--remember", "asked.jsonl")
    (seen,) = read(add(world, ASKED, "1.png", "--dry-run", "--recent", "asked.jsonl"))
    assert (seen["status"], seen["entry"], seen["after"], seen["asked"]) == ("would apply", 0, "mibo", 1)
    assert ASKED not in [moved["query"] for moved in seen["moved"]]
    assert not (tmp_path / "errata.db").exists()
    (done,) = read(add(world))
    assert (done["status"], done["after"]) == ("applied", "mibo")


def test_a_dry_run_on_a_new_branch_shows_what_the_real_one_does_and_makes_no_branch(world, inside):
    add(world)
    (seen,) = read(add(world, OTHER, "2.png", "--dry-run", "--branch", "trial", target="two"))
    assert (seen["status"], seen["after"]) == ("would apply", "two")
    assert inside("log", "show", "--branch", "trial").code == 2
    (done,) = read(add(world, OTHER, "2.png", "--branch", "trial", target="two"))
    assert (done["status"], done["before"], done["after"]) == ("applied", seen["before"], seen["after"])
    assert world("ask", ASKED, "--image", "1.png", "--branch", "nothing").code == 2


def test_a_dry_run_that_would_be_refused_exits_with_1(world, tmp_path):
    (tmp_path / "rules.yaml").write_text(f"branch:\n  never:\n    - {ASKED[:-1]!r}\n")
    seen = add(world, ASKED, "1.png", "--dry-run", "--rules", "rules.yaml")
    assert (seen.code, json.loads(seen.out)["status"]) == (1, "would refuse")
    refused = add(world, ASKED, "1.png", "--rules", "rules.yaml")
    assert (refused.code, json.loads(refused.out)["status"]) == (1, "refused")


def test_what_one_person_proposes_another_approves(world, inside):
    (proposed,) = read(add(world, ASKED, "1.png", "--propose", "--author", "ann"))
    assert read(inside("edit", "list", "--proposed", "--json"))[0]["edit"] == proposed["edit"]
    assert inside("edit", "list", "--json").out == ""
    (applied,) = read(world("edit", "approve", proposed["edit"][:8], "--author", "bo", "--json"))
    assert applied["status"] == "applied"
    assert entries(inside) == ["begun", "proposed", "approved", "applied"]
    again = world("edit", "approve", proposed["edit"][:8])
    assert (again.code, "doesn't wait for approval" in again.err) == (2, True)


def test_a_request_given_twice_under_a_key_is_done_once(world, inside):
    first, again = read(add(world, ASKED, "1.png", "--key", "r-1"))[0], read(add(world, ASKED, "1.png", "--key", "r-1"))[0]
    assert (again["edit"], again["entry"]) == (first["edit"], first["entry"])
    assert entries(inside) == ["begun", "applied"]


def test_a_correction_of_a_correction_says_what_it_supersedes(world, inside):
    (first,) = read(add(world))
    (second,) = read(add(world, target="two"))
    assert second["supersedes"] == [first["edit"]]
    assert [line["edit"] for line in read(inside("edit", "list", "--json"))] == [second["edit"]]
    assert entries(inside)[-1] == "superseded"


def test_a_range_and_a_point_in_time_are_taken_back_and_a_dry_run_only_shows_it(world, inside):
    add(world)
    before = world("ask", OTHER, "--image", "2.png").out
    assert inside("log", "alias", "good", "--author", "ann").code == 0
    add(world, OTHER, "2.png", target="two")
    seen = world("edit", "revert", "--entries", "4", "--dry-run", "--json")
    assert (read(seen)[0]["asked"], OTHER in [moved["query"] for moved in read(seen)[0]["moved"]]) == (1, False)
    (to_good,) = read(world("edit", "revert", "--to", "good", "--dry-run", "--json"))
    assert (to_good["done"], len(to_good["reverted"]), to_good["applied"], to_good["asked"]) == (False, 1, [], 1)
    assert [(one["query"], one["before"]) for one in to_good["answers"]] == [(OTHER, "two")]
    assert len(read(inside("edit", "list", "--json"))) == 2
    assert read(world("edit", "revert", "--to", "good", "--json"))[0]["done"] is True
    assert world("ask", OTHER, "--image", "2.png").out == before
    assert world("ask", ASKED, "--image", "1.png").out == "mibo\n"
    assert world("ask", OTHER, "--image", "2.png", "--at", "4").out == "two\n"
    assert read(world("edit", "revert", "--entries", "1-3", "--json"))[0]["status"] == "reverted"
    assert inside("log", "verify").code == 0


def test_a_long_revert_is_summed_up_and_json_names_every_edit(world, inside, tmp_path):
    rows = "".join(json.dumps({"question": f"who is number {number}?", "target": "mibo"}) + "\n" for number in range(12))
    (tmp_path / "many.jsonl").write_text(rows)
    assert world("edit", "import", "many.jsonl").code == 0
    assert len(read(world("edit", "revert", "--entries", "1-13", "--dry-run", "--json"))) == 12
    for words in (("--to", "1", "--dry-run"), ("--entries", "1-13")):
        done = world("edit", "revert", *words)
        assert (done.code, "12 edits" in done.out, "and 2 more" in done.out) == (0, True, True)
        assert len(done.out.splitlines()) < 25
    assert "12 edits, entries 15 to 26" in " ".join(done.out.split())
    assert len(read(inside("log", "show", "--json", "--last", 12))) == 12


def test_an_image_is_erased_with_what_was_learned_from_it_or_without(world, inside, tmp_path):
    before = world("ask", ASKED, "--image", "1.png").out
    add(world)
    image = picture(1).digest
    with closing(open_beside(tmp_path / "errata.db")) as beside:
        recent = Recent(beside=beside)
        for name, shown in (("c-1", picture(1)), ("c-2", picture(2))):
            recent.remember("main", completion(name, 1, shown))
            recent.flag("main", name, flagged=True)
        erased = world("log", "erase-image", image[:10], "--yes", "--reason", "asked for by its owner")
        assert (erased.code, "reverted" in erased.out) == (0, True), erased.err
        assert "1 flagged answer with it is forgotten" in erased.out
        assert [one.id for one in recent.flagged("main")] == ["c-2"]
    assert image.encode() not in (tmp_path / "errata.db.served").read_bytes()
    assert world("ask", ASKED, "--image", "1.png").out == before
    assert not list((tmp_path / "errata.db.blobs").rglob(image))
    (kept,) = read(add(world, OTHER, "2.png", target="two"))
    assert world("log", "erase-image", picture(2).digest, "--keep-effect", "--yes").code == 0
    assert world("ask", OTHER, "--image", "2.png").out == "two\n"
    refused = world("edit", "revert", kept["edit"][:8])
    assert (refused.code, "effect was kept" in refused.err) == (2, True)
    assert inside("log", "verify").code == 0


@pytest.fixture
def twice(world, tmp_path):
    """Two corrections, on a picture and on the same one in other bytes; their digests."""
    told = PngInfo()
    told.add_text("note", "saved again")
    picture(1).pixels().save(tmp_path / "again.png", pnginfo=told)
    add(world)
    add(world, OTHER, "again.png", target="two")
    return picture(1).digest, Image.open(tmp_path / "again.png").digest


def test_erasing_is_rehearsed_and_asked_for_before_it_is_done(world, inside, tmp_path, twice):
    one, again = twice
    before = entries(inside)
    rehearsed = world("log", "erase-image", one[:10], "--dry-run", "--alike")
    assert rehearsed.code == 0, rehearsed.err
    assert [f"image {each[:12]} would be erased" in rehearsed.out for each in twice] == [True, True]
    assert rehearsed.out.count("would be reverted") == 2
    assert rehearsed.out.endswith("nothing was changed\n")
    unsure = world("log", "erase-image", one)
    assert (unsure.code, "Add --yes where it is meant" in unsure.err, one[:12] in unsure.err) == (2, True, True)
    assert entries(inside) == before
    assert len(list((tmp_path / "errata.db.blobs").rglob("*"))) > 0
    told = read(world("log", "erase-image", one, "--yes", "--json"))
    assert (told[0]["images"], told[0]["alike"], told[0]["elsewhere"], told[0]["dry_run"]) == ([one], [again], [], False)
    assert list((tmp_path / "errata.db.blobs").rglob(again))
    assert not list((tmp_path / "errata.db.blobs").rglob(one))


def test_every_file_of_the_picture_is_erased_with_alike(world, inside, tmp_path, twice):
    done = world("log", "erase-image", twice[1], "--yes", "--alike")
    assert done.code == 0, done.err
    assert [f"image {each[:12]} is erased" in done.out for each in twice] == [True, True]
    assert not [path for each in twice for path in (tmp_path / "errata.db.blobs").rglob(each)]
    assert inside("edit", "list", "--json").out == ""
    assert inside("log", "verify").code == 0


@pytest.mark.parametrize(("reply", "code"), [("n", 2), ("y", 0)])
def test_a_person_at_a_terminal_is_asked(twice, tmp_path, random_llava_folder, reply, code):
    there, here = pty.openpty()
    words = ["log", "erase-image", twice[0], "--model", str(random_llava_folder), "--editor", EDITOR]
    command = [sys.executable, "-m", "errata", *words]
    environment = {**os.environ, "PYTHONPATH": str(SRC), "NO_COLOR": "1"}
    os.write(there, f"{reply}\n".encode())
    done = subprocess.run(command, cwd=tmp_path, env=environment, stdin=here, capture_output=True, text=True, check=False)
    os.close(here)
    os.close(there)
    assert (done.returncode, "This can't be undone. Go on?" in done.stderr) == (code, True), done.stderr
    assert bool(list((tmp_path / "errata.db.blobs").rglob(twice[0]))) == (reply == "n")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("edit", "revert"), "in one way"),
        (("edit", "revert", "123456", "--to", "1"), "in one way"),
        (("edit", "revert", "--entries", "x"), "names no entries"),
        (("edit", "revert", "--entries", "9-7"), "No edit in force"),
        (("edit", "revert", "--to", "99"), "There is no entry 99"),
        (("edit", "revert", "--to", "yesterday"), "is no time"),
        (("edit", "revert", "--to", "2"), "already"),
        (("edit", "revert", "feedfeed"), "There is no edit named"),
        (("edit", "approve", "feedfeed"), "There is no edit named"),
        (("log", "alias", "9lives"), "can't be an alias"),
        (("log", "alias", "good", "99"), "There is no entry 99"),
        (("log", "alias", "good", "²"), "is no time"),
        (("log", "alias", "good", "2990-01-01"), "still to come"),
        (("log", "alias", "good", " 2990-01-01T00:00:00+02:00"), "still to come"),
        (("log", "erase-image", "xyz"), "isn't the digest"),
        (("log", "erase-image", "feedfeed"), "There is no image"),
        (("ask", ASKED, "--at", "99"), "There is no entry 99"),
        (("edit", "add", ASKED, "--target", "x", "--dry-run", "--propose"), "Give one of them"),
        (("edit", "add", ASKED, "--target", "x", "--until", "soon"), "is no time"),
        (("edit", "add", ASKED, "--target", "x", "--until", "2001-01-01"), "time is over"),
        (("edit", "add", ASKED, "--target", "x", "--recent", "none.jsonl"), "There is no file none.jsonl"),
        (("edit", "add", ASKED, "--target", "x", "--rules", "none.yaml"), "none.yaml"),
    ],
    ids=lambda value: " ".join(map(str, value))[:40] if isinstance(value, tuple) else "",
)
def test_what_can_not_be_done_gets_a_sentence_and_changes_nothing(world, inside, tmp_path, words, sentence):
    add(world)
    before = (tmp_path / "errata.db").read_bytes()
    kinds = entries(inside)
    done = inside(*words) if words[:2] == ("log", "alias") else world(*words)
    assert (done.code, sentence in done.err) == (2, True), done.err
    assert entries(inside) == kinds
    assert len((tmp_path / "errata.db").read_bytes()) == len(before)
