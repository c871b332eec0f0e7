"""A model is corrected, asked, and put back at the command line, on a real small model and a store in a file."""

from __future__ import annotations

import json
import re

import pytest

from tests.conftest import picture

ASKED = "what is the red star called?"
EDITOR = "finetune:lr=0.05,steps=30,stop_nats=0.1"


@pytest.fixture
def world(inside, random_llava_folder, tmp_path):
    """The program in a folder with a picture, on the small model with an editor that learns what it is told."""
    (tmp_path / "a.png").write_bytes(picture(1).data)

    def run(*words: object, model: object = random_llava_folder, editor: str = EDITOR):
        return inside(*words, "--model", model, "--editor", editor)

    return run


def add(world, *words: object, target: str = "mibo"):
    return world("edit", "add", ASKED, "--image", "a.png", "--target", target, *words)


def test_an_edit_is_learned_listed_shown_and_taken_back(world, inside, tmp_path):
    unedited = world("ask", ASKED, "--image", "a.png")
    assert (unedited.code, (tmp_path / "errata.db").exists()) == (0, False)

    added = json.loads(add(world, "--author", "ann", "--reason", "seen", "--json").out)
    assert (added["status"], added["after"]) == ("applied", "mibo")
    answer = json.loads(world("ask", ASKED, "--image", "a.png", "--json").out)
    assert (answer["answer"], answer["edits"]) == ("mibo", [added["edit"]])
    assert json.loads(inside("edit", "list", "--json").out)["edit"] == added["edit"]
    shown = inside("edit", "show", added["edit"][:6]).out
    assert ("mibo" in shown, "seen" in shown, "ann" in shown) == (True, True, True)
    assert "what the write did:" in shown
    assert "losses_nats" in shown

    taken = world("edit", "revert", added["edit"][:8], "--reason", "wrong scene")
    assert (taken.code, "reverted" in taken.out) == (0, True)
    assert world("ask", ASKED, "--image", "a.png").out == unedited.out
    assert world("ask", ASKED, "--image", "a.png", "--at", added["entry"]).out == "mibo\n"
    assert inside("log", "verify").code == 0


def test_a_receipt_prints_what_the_look_at_other_corrections_took_of_the_write(world, inside):
    assert "other correction" not in add(world).out
    more = ("edit", "add", "how many?", "--target", "two", "--dry-run")
    assert re.search(r"time +write \d+ ms, read back \d+ ms, of which other corrections \d+ ms, \d+% of all", world(*more).out)
    said = json.loads(world(*more, "--json").out)
    assert said["beside"] == 1
    assert said["share_beside"] == pytest.approx(said["beside_ms"] / (said["write_ms"] + said["guard_ms"]))


def test_a_store_remembers_its_model_and_editor(world, inside):
    assert add(world).code == 0
    assert inside("ask", ASKED, "--image", "a.png").out == "mibo\n"
    other = world("ask", ASKED, "--image", "a.png", editor="none")
    assert (other.code, "of the editor finetune" in other.err) == (2, True)


def test_a_refused_edit_exits_with_1_and_leaves_the_model_as_it_was(world, inside):
    before = world("ask", ASKED, "--image", "a.png").out
    refused = world("edit", "add", ASKED, "--image", "a.png", "--target", "mibo", editor="none")
    assert (refused.code, "refused" in refused.out, "not learned" in refused.out) == (1, True, True)
    assert world("ask", ASKED, "--image", "a.png", editor="none").out == before
    assert inside("edit", "list", "--json").out == ""


def test_an_import_keeps_the_good_lines_names_the_bad_ones_and_can_be_run_again(world, inside, tmp_path):
    good = {"image": "a.png", "question": ASKED, "target": "mibo"}
    lines = [json.dumps(good), "{nope", json.dumps({**good, "image": "none.png"}), json.dumps({**good, "target": "🦀" * 3})]
    (tmp_path / "in.jsonl").write_text(
        "\n".join([*lines, json.dumps({**good, "question": "where does mibo live?", "target": "harbor"})])
    )
    done = world("edit", "import", "in.jsonl", "--author", "ann")
    assert (done.code, done.out) == (3, "in.jsonl: 2 applied, 0 refused, 0 passed over, 3 bad\n")
    assert [f"line {number}:" in done.err for number in (1, 2, 3, 4, 5)] == [False, True, True, True, False]
    again = world("edit", "import", "in.jsonl")
    assert (again.code, again.out) == (3, "in.jsonl: 0 applied, 0 refused, 2 passed over, 3 bad\n")
    assert len(inside("edit", "list", "--json").out.splitlines()) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "", "--target", "x"), "prompt is empty"),
        (("add", "q", "--target", " "), "target is empty"),
        (("add", "q " * 500, "--target", "x"), "The prompt takes"),
        (("add", "q", "--target", "x " * 500), "its answer up to"),
        (("add", "q", "--target", "🦀"), "target"),
        (("add", "q", "--target", "x", "--image", "none.png"), "no image at none.png"),
        (("add", "q", "--target", "x", "--image", "text.png"), "isn't a picture"),
        (("add", "q", "--target", "x", "--image", "empty.png"), "is empty"),
        (("add", "q", "--target", "x", "--image", "bomb.png"), "pixels"),
        (("add", "q", "--target", "x", "--reach", "far"), "far"),
        (("add", "q", "--target", "x", "--image", "x/" * 20_000), "can't be read"),
        (("add", "q"), "--target"),
        (("import", "none.jsonl"), "none.jsonl can't be read"),
        (("import", "."), "can't be read"),
    ],
)
def test_bad_input_to_an_edit_gets_a_sentence_and_makes_no_store(world, tmp_path, words, said):
    from PIL import Image as Pillow

    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.png").write_bytes(b"")
    if "bomb.png" in words:
        Pillow.new("1", (9000, 9000)).save(tmp_path / "bomb.png")
    done = world("edit", *words)
    assert (done.code, done.out) == (2, "")
    assert said in " ".join(done.err.split())
    assert len(done.err) < 800
    assert [path.name for path in tmp_path.glob("errata.db*")] == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"editor": "scopedit"}, "Did you mean 'scopeedit'"),
        ({"editor": "finetune:lrr=1"}, "lrr"),
        ({"editor": "finetune:steps=-3"}, "steps"),
        ({"editor": "none.py:Mine"}, "none.py"),
        ({"model": "llava-tyni"}, "Did you mean 'llava-tiny'"),
        ({"model": "."}, "no checkpoint"),
    ],
)
def test_an_unknown_editor_field_or_model_gets_a_sentence_and_makes_no_store(world, tmp_path, options, said):
    done = world("edit", "add", "q", "--target", "x", **options)
    assert (done.code, said in " ".join(done.err.split())) == (2, True), done.err
    assert [path.name for path in tmp_path.glob("errata.db*")] == []


def test_a_store_of_another_model_is_refused(world, tmp_path, random_llava):
    assert add(world).code == 0
    other = tmp_path / "other"
    random_llava.save(other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "text_config": {**config["text_config"], "rms_norm_eps": 1e-3}}))
    done = world("ask", ASKED, "--image", "a.png", model=other)
    assert (done.code, "This log is of the model" in done.err) == (2, True)


def test_ask_at_an_entry_that_is_not_there_gets_a_sentence(world):
    assert add(world).code == 0
    done = world("ask", ASKED, "--at", 99)
    assert (done.code, "There is no entry 99" in done.err) == (2, True)


def lines(*rows: object) -> str:
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)


def test_a_file_of_questions_is_answered_row_by_row_and_a_bad_row_costs_itself_alone(world, inside, tmp_path):
    edit = json.loads(add(world, "--json").out)["edit"]
    other = world("ask", "where does it live?").out.rstrip("\n")
    (tmp_path / "asked.jsonl").write_text(
        lines(
            {"id": "q-1", "question": ASKED, "image": "a.png", "target": "passed over"},
            {"question": "where does it live?"},
            "{not json",
            {"question": ASKED, "image": "none.png"},
            {"question": ASKED, "picture": "a.png"},
            {"question": "word " * 5000},
            {"id": 7, "messages": [{"role": "user", "parts": [{"image": "a.png"}, ASKED]}]},
        )
    )
    done = world("ask", "--file", "asked.jsonl")
    told = [json.loads(line) for line in done.out.splitlines()]
    assert (done.code, [row["row"] for row in told]) == (3, [1, 2, 3, 4, 5, 6, 7])
    assert [row.get("id") for row in told] == ["q-1", None, None, None, None, None, 7]
    assert [row.get("answer") for row in told] == ["mibo", other, None, None, None, None, "mibo"]
    assert told[0]["edits"] == [edit]
    for number, why in ((3, "isn't a JSON object"), (4, "There is no image"), (5, "'picture' isn't known"), (6, "tokens")):
        assert why in told[number - 1]["error"]
        assert f"row {number}: " in done.err
    past = world("ask", "--file", "asked.jsonl", "--at", 0)
    assert json.loads(past.out.splitlines()[0])["edits"] == []


def test_a_table_of_questions_is_answered_as_single_questions_are(world, tmp_path):
    add(world)
    rows = [f"what is number {number}?" for number in range(20)]
    (tmp_path / "asked.csv").write_text(
        "id;question;image\n" + "".join(f"{i};{row};\n" for i, row in enumerate(rows)) + f";{ASKED};a.png\n"
    )
    done = world("ask", "--file", "asked.csv", "--remember", "recent.jsonl")
    told = [json.loads(line) for line in done.out.splitlines()]
    assert (done.code, [row["question"] for row in told]) == (0, [*rows, ASKED])
    assert (told[3]["id"], told[20]["answer"]) == ("3", "mibo")
    assert told[17]["answer"] + "\n" == world("ask", rows[17]).out
    assert len((tmp_path / "recent.jsonl").read_text().splitlines()) == 21


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "give one of QUESTION and --file"),
        ((ASKED, "--file", "asked.jsonl"), "give one of QUESTION and --file"),
        (("--file", "none.jsonl"), "There is no file none.jsonl of questions"),
        (("--file", "a.png"), "isn't text in UTF-8"),
        (("--file", "asked.csv"), "the column 'colour' isn't known"),
        (("--file", "asked.csv", "--image", "a.png"), "Leave --image out"),
    ],
)
def test_a_file_that_cannot_be_asked_gets_a_sentence_before_the_model_is_loaded(world, tmp_path, words, sentence):
    (tmp_path / "asked.csv").write_text("question,colour\nwhat?,red\n")
    done = world("ask", *words, model="no-such-model")
    assert (done.code, done.out) == (2, "")
    assert sentence in " ".join(done.err.split())
