"""Corrections come in files and go out in files, at the command line, on a real small model and a store in a file."""

from __future__ import annotations

import io
import json
import shutil

import pytest

from errata.log import EditLog, SqliteStore
from tests.conftest import picture

ASKED = "what is the red star called?"
EDITOR = "finetune:lr=0.05,steps=30,stop_nats=0.1"
GOOD = {"image": "a.png", "question": ASKED, "target": "mibo"}
LIVES = {"question": "where does mibo live?", "target": "harbor"}
EATS = {"question": "what does mibo eat?", "target": "salt"}
BAD = {**GOOD, "image": "none.png"}


@pytest.fixture
def world(inside, random_llava_folder, tmp_path):
    """The program in a folder with a picture, on the small model with an editor that learns what it is told."""
    (tmp_path / "a.png").write_bytes(picture(1).data)

    def run(*words: object, editor: str = EDITOR):
        return inside("edit", *words, "--model", random_llava_folder, "--editor", editor)

    return run


def written(folder, *records: object, name: str = "in.jsonl") -> None:
    (folder / name).write_text("\n".join(json.dumps(record) for record in records) + "\n")


def entries(folder, *kinds: str, store: str = "errata.db"):
    with SqliteStore(folder / store, create=False) as opened:
        return [entry for entry in EditLog(opened).entries() if entry.kind in kinds]


def in_force(inside, *words: object) -> list[str]:
    return [json.loads(line)["edit"] for line in inside("edit", "list", "--json", *words).out.splitlines()]


def test_good_records_are_kept_bad_ones_named_and_what_was_done_is_noted_in_the_log(world, inside, tmp_path):
    written(tmp_path, GOOD, BAD, {**GOOD, "target": "🦀" * 3}, LIVES)
    done = world("import", "in.jsonl", "--author", "night shift")
    assert (done.code, done.out) == (3, "in.jsonl: 2 applied, 0 refused, 0 passed over, 2 bad\n")
    assert [f"line {number}:" in done.err for number in (1, 2, 3, 4)] == [False, True, True, False]
    assert len(in_force(inside)) == 2
    (noted,) = entries(tmp_path, "imported")
    assert noted.by.author == "night shift"
    counts = {"applied": 2, "refused": 0, "passed_over": 0, "bad": 2}
    assert {name: noted.details[name] for name in ("file", "format", *counts)} == {"file": "in.jsonl", "format": "jsonl", **counts}


def test_an_import_that_stopped_goes_on_and_asks_nothing_twice(world, inside, tmp_path):
    written(tmp_path, GOOD, LIVES, EATS)
    first = world("import", "in.jsonl", "--limit", "1")
    assert (first.code, first.out) == (0, "in.jsonl: 1 applied, 0 refused, 0 passed over, 0 bad\n")
    assert "--limit" in first.err
    assert world("import", "in.jsonl").out == "in.jsonl: 2 applied, 0 refused, 1 passed over, 0 bad\n"
    before = len(entries(tmp_path, "applied", "refused", "imported"))
    assert world("import", "in.jsonl").out == "in.jsonl: 0 applied, 0 refused, 3 passed over, 0 bad\n"
    assert len(entries(tmp_path, "applied", "refused", "imported")) == before


def test_an_edit_that_was_taken_back_does_not_come_back_with_the_same_file(world, inside, tmp_path):
    written(tmp_path, LIVES)
    assert world("import", "in.jsonl").code == 0
    assert world("revert", *in_force(inside)).code == 0
    assert world("import", "in.jsonl").out == "in.jsonl: 0 applied, 0 refused, 1 passed over, 0 bad\n"
    written(tmp_path, LIVES, name="other.jsonl")
    assert "1 passed over" in world("import", "other.jsonl").out  # the same bytes under another name
    written(tmp_path, LIVES, EATS, name="other.jsonl")
    assert world("import", "other.jsonl").out == "other.jsonl: 2 applied, 0 refused, 0 passed over, 0 bad\n"


def test_a_refused_record_is_passed_over_until_it_is_retried(world, tmp_path):
    written(tmp_path, LIVES, {**EATS, "also": ["and what does it drink?"]})
    assert world("import", "in.jsonl", editor="none").out == "in.jsonl: 0 applied, 2 refused, 0 passed over, 0 bad\n"
    assert world("import", "in.jsonl", editor="none").out == "in.jsonl: 0 applied, 0 refused, 2 passed over, 0 bad\n"
    assert len(entries(tmp_path, "refused")) == 2
    assert world("import", "in.jsonl", "--retry", editor="none").out == "in.jsonl: 0 applied, 2 refused, 0 passed over, 0 bad\n"
    assert len(entries(tmp_path, "refused")) == 4


def test_an_import_goes_on_after_a_record_that_needs_an_erased_picture_and_writes_over_a_kept_effect(world, inside, tmp_path):
    written(tmp_path, LIVES, GOOD)
    assert world("import", "in.jsonl").code == 0
    erased = inside("log", "erase-image", picture(1).digest, "--keep-effect", "--yes")
    assert erased.code == 0, erased.err
    written(tmp_path, {**GOOD, "target": "a star"}, {**LIVES, "target": "salt"}, EATS, name="more.jsonl")
    done = world("import", "more.jsonl")
    assert (done.code, done.out) == (3, "more.jsonl: 2 applied, 0 refused, 0 passed over, 1 bad\n")
    assert "line 1: The image" in done.err


def test_a_picture_whose_decoder_raises_what_it_likes_is_one_bad_record(world, tmp_path):
    drawn = io.BytesIO()
    picture(1).pixels().save(drawn, "AVIF")
    data = drawn.getvalue()
    begin = data.index(b"mdat") + 4
    (tmp_path / "a.avif").write_bytes(data[:begin] + bytes(len(data) - begin))
    picture(1).pixels().save(tmp_path / "a.eps")
    written(tmp_path, {**GOOD, "image": "a.avif"}, {**GOOD, "image": "a.eps"}, GOOD)
    done = world("import", "in.jsonl")
    assert (done.code, done.out) == (3, "in.jsonl: 1 applied, 0 refused, 0 passed over, 2 bad\n")
    assert "line 1: The image" in done.err
    assert "is broken" in done.err
    assert "a.eps isn't a picture that can be read" in done.err


def test_a_dry_run_counts_and_touches_nothing(inside, tmp_path):
    (tmp_path / "a.png").write_bytes(picture(1).data)
    written(tmp_path, GOOD, BAD, LIVES)
    done = inside("edit", "import", "in.jsonl", "--dry-run", "--model", "none-such")
    assert (done.code, done.out) == (3, "in.jsonl: 2 good, 1 bad (jsonl); nothing was changed\n")
    assert inside("edit", "import", "in.jsonl", "--dry-run", "--limit", 1).out.startswith("in.jsonl: 1 good, 0 bad")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "in.jsonl"]


@pytest.mark.parametrize(
    ("name", "text", "options", "good"),
    [
        ("in.csv", "question;target;image\nwhat?;mibo;a.png\n", (), "1 good, 0 bad (csv)"),
        (
            "in.json",
            json.dumps([{"src": "what?", "alt": "mibo", "image": "a.png", "m_loc": "none.png", "m_loc_q": "x"}]),
            (),
            "(easyedit)",
        ),
        ("in.json", json.dumps([{"src": "what?", "alt": "mibo", "loc": "x"}]), ("--with-locality",), "1 good, 0 bad (easyedit)"),
        ("in.jsonl", json.dumps({"dataType": "CORRECTION", "value": "mibo", "input": "what?"}), (), "1 good, 0 bad (langfuse)"),
        ("in.jsonl", json.dumps([GOOD, {**LIVES, "image": None}], indent=2), (), "2 good, 0 bad (jsonl)"),
        ("in.jsonl", json.dumps({**LIVES, "colour": "red"}), ("--ignore", "colour"), "1 good, 0 bad (jsonl)"),
        ("in.jsonl", json.dumps({**LIVES, "valid_until": "2020-01-01"}), (), "0 good, 1 bad (jsonl)"),
        ("in.jsonl", json.dumps({"dataType": "NUMERIC", "value": 1}), (), "no corrections (langfuse)"),
        ("deep.jsonl", json.dumps({**GOOD, "image": "deep/b.png"}), ("--images", "pictures"), "1 good, 0 bad (jsonl)"),
    ],
)
def test_every_format_is_told_and_read(inside, tmp_path, name, text, options, good):
    (tmp_path / "a.png").write_bytes(picture(1).data)
    (tmp_path / "pictures" / "deep").mkdir(parents=True)
    (tmp_path / "pictures" / "deep" / "b.png").write_bytes(picture(2).data)
    (tmp_path / name).write_text(text)
    assert good in inside("edit", "import", name, "--dry-run", *options).out


@pytest.mark.parametrize("format", ["csv", "easyedit", "labelstudio"])
def test_one_wrong_format_is_one_message(inside, tmp_path, format):
    written(tmp_path, *[{"dataType": "CORRECTION", "value": "mibo", "input": "what?"}] * 100)
    done = inside("edit", "import", "in.jsonl", "--dry-run", "--format", format)
    said = f"in.jsonl isn't in the format {format}, but in langfuse. Say --format langfuse, or leave it out.\n"
    assert (done.code, done.out, done.err) == (2, "", said)


def test_records_that_no_format_has_are_one_message(inside, tmp_path):
    written(tmp_path, *[{"utterance": "what?", "reply": "mibo"}] * 100)
    for options in ((), ("--format", "jsonl")):
        done = inside("edit", "import", "in.jsonl", "--dry-run", *options)
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert "'utterance', 'reply'" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("import", "none.jsonl"), "can't be read"),
        (("import", "."), "can't be read"),
        (("import", "in.parquet"), "--format"),
        (("import", "in.csv"), "the column 'a' isn't known"),
        (("import", "in.jsonl", "--format", "xml"), "xml"),
        (("import", "in.jsonl", "--limit", "0"), "--limit"),
        (("import", "in.jsonl", "--rules", "none.yaml"), "none.yaml"),
    ],
)
def test_a_file_that_cannot_be_used_gets_a_sentence_and_makes_no_store(world, tmp_path, words, said):
    (tmp_path / "in.parquet").write_bytes(b"PAR1")
    (tmp_path / "in.csv").write_text("a,b\n1,2\n")
    written(tmp_path, LIVES)
    done = world(*words)
    assert (done.code, done.out) == (2, "")
    assert said in " ".join(done.err.split())
    assert [path.name for path in tmp_path.glob("errata.db*")] == []


def test_an_export_imported_into_an_empty_store_is_the_same_edits(world, inside, tmp_path):
    written(tmp_path, {**GOOD, "author": "bob", "reason": "seen"}, LIVES, EATS)
    assert world("import", "in.jsonl").code == 0
    ids = in_force(inside)
    assert inside("edit", "export", "out.jsonl").out == "out.jsonl: 3 edits, 1 picture\n"
    again = inside("edit", "export", "out.jsonl")
    assert (again.code, "--force" in again.err) == (2, True)
    (tmp_path / "elsewhere").mkdir()
    for name in ("out.jsonl", "out-images"):
        shutil.move(tmp_path / name, tmp_path / "elsewhere" / name)
    assert world("import", "elsewhere/out.jsonl", "--store", "new.db").code == 0
    assert in_force(inside, "--store", "new.db") == ids
    (first, *_) = entries(tmp_path, "applied", store="new.db")
    assert (first.by.author, first.by.reason) == ("bob", "seen")


@pytest.mark.parametrize("name", ["out.xlsx", "out.json", "out"])
def test_an_ending_that_says_no_format_is_an_error_and_one_that_does_is_followed(world, inside, tmp_path, name):
    written(tmp_path, LIVES)
    assert world("import", "in.jsonl").code == 0
    done = inside("edit", "export", name)
    assert (done.code, done.out, (tmp_path / name).exists()) == (2, "", False)
    assert "doesn't say what to write" in done.err
    assert inside("edit", "export", "out.csv").code == 0
    assert (tmp_path / "out.csv").read_text().startswith("question,")
    assert inside("edit", "export", name, "--format", "jsonl").code == 0


def test_an_export_says_who_gave_an_edit_and_not_who_approved_or_restored_it(world, inside, random_llava_folder, tmp_path):
    given = ("--target", "harbor", "--author", "ann", "--reason", "seen", "--propose")
    said = inside("ask", LIVES["question"], "--model", random_llava_folder).out.strip()
    assert world("add", LIVES["question"], *given).code == 0
    (edit,) = (json.loads(line)["edit"] for line in inside("edit", "list", "--proposed", "--json").out.splitlines())
    assert world("approve", edit, "--author", "bo").code == 0
    point = len(entries(tmp_path, "begun", "proposed", "approved", "applied"))
    assert world("revert", edit).code == 0
    assert world("revert", "--to", point, "--author", "cy").code == 0
    assert inside("edit", "export", "out.jsonl").code == 0
    record = json.loads((tmp_path / "out.jsonl").read_text())
    assert (record["author"], record["reason"]) == ("ann", "seen")
    assert inside("edit", "export", "out.json", "--format", "easyedit").code == 0
    assert [one["pred"] for one in json.loads((tmp_path / "out.json").read_text())] == [said]


def test_what_is_out_of_force_is_exported_only_when_everything_is(world, inside, tmp_path):
    written(tmp_path, LIVES, EATS)
    assert world("import", "in.jsonl").code == 0
    first, _ = in_force(inside)
    assert world("revert", first).code == 0
    assert inside("edit", "export", "some.csv", "--format", "csv").out == "some.csv: 1 edit, 0 pictures\n"
    assert inside("edit", "export", "all.csv", "--format", "csv", "--all").out == "all.csv: 2 edits, 0 pictures\n"
    assert LIVES["question"] not in (tmp_path / "some.csv").read_text()
    assert LIVES["question"] in (tmp_path / "all.csv").read_text()


def test_an_edit_whose_picture_is_gone_is_named_and_the_others_exported(world, inside, tmp_path):
    written(tmp_path, GOOD, LIVES)
    assert world("import", "in.jsonl").code == 0
    with SqliteStore(tmp_path / "errata.db", create=False) as store:
        assert store.blobs.erase(picture(1).digest)
    done = inside("edit", "export", "out.json", "--format", "easyedit")
    assert (done.code, done.out) == (3, "out.json: 1 edit, 0 pictures\n")
    assert "is left out: The image" in done.err
    assert [record["alt"] for record in json.loads((tmp_path / "out.json").read_text())] == ["harbor"]


def test_an_export_of_a_store_that_is_not_there_gets_a_sentence(inside, tmp_path):
    done = inside("edit", "export", "out.jsonl")
    assert (done.code, done.out, list(tmp_path.iterdir())) == (2, "", [])
