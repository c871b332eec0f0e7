"""The construction of a fine-grained benchmark: what is kept, what counts as hard, and that nothing is asked twice."""

from __future__ import annotations

import io
import json
import threading
import time
from pathlib import Path

import pytest
from PIL import Image as Pillow

from errata.benchmarks.fgv_build import (
    Asked,
    Kept,
    Pictured,
    build,
    entailment_prompt,
    read_locality,
    read_questions,
    rewording_prompt,
    verdict,
)
from errata.benchmarks.fgvedit import FGVEdit
from errata.core.canonical import digest_of_json
from errata.core.errors import BadImage, BadInput, JudgeFailed
from errata.core.images import Image
from tests.conftest import picture

WORDS = [Asked("what is two plus two?", "four"), Asked("where is the harbor?", "north")]


@pytest.fixture
def pictured(tmp_path):
    """A picture whose other questions say themselves what the judge is to answer: "yes/no" is yes when seen, no when blind."""

    def drawn(number, *others):
        path = tmp_path / f"{number}.png"
        path.write_bytes(picture(number).data)
        return Pictured(f"p/{number}.png", path, (Asked("what is it?", "a star"), *(Asked(each, "so") for each in others)))

    return drawn


class Scripted:
    """Answers each question as it says, and notes what it was asked."""

    def __init__(self, rewording: str = "say what it is.") -> None:
        self.rewording = rewording
        self.asked: list[tuple[str, bool]] = []
        self._lock = threading.Lock()

    def __call__(self, prompt, image):
        with self._lock:
            self.asked.append((prompt, image is not None))
        if "Question 2" not in prompt:
            return self.rewording
        seen, blind = prompt.split("Question 2: ")[1].split("\n")[0].split("#")[0].split("/")
        return seen if image is not None else blind


def built(pictures, out, *, judge=None, seed=3, parallel=1, locality=WORDS):
    return build(pictures, locality, judge or Scripted(), out, seed=seed, parallel=parallel, progress=lambda *told: None)


def records(out):
    return [*json.loads((out / "train_data.json").read_text()), *json.loads((out / "test_data.json").read_text())]


def test_the_first_question_is_the_edit_and_hard_ones_are_preferred(pictured, tmp_path):
    judge = Scripted()
    found = built(
        [pictured(1, "Yes/Yes", "Yes/No#hard", "no/No", "No/Maybe#hard", "maybe/no", "No/Yes#second")], tmp_path, judge=judge
    )
    (made,) = records(tmp_path)
    assert made == {
        "src": "what is it?", "alt": "a star", "rephrase": "say what it is.", "image": "p/1.png",
        "fg_gen_q": "Yes/No#hard", "fg_gen_a": "so", "fg_gen_hard": True,
        "fg_loc_q": "No/Maybe#hard", "fg_loc_a": "so", "fg_loc_hard": True,
        "loc": made["loc"], "loc_ans": dict((each.question, each.answer) for each in WORDS)[made["loc"]],
    }  # fmt: skip
    assert (found.train + found.test, found.unclear) == (1, 1)
    stages = [image for prompt, image in judge.asked if "maybe/no" in prompt]
    assert stages == [True]  # what is unclear with the picture isn't asked without it


def test_an_easy_question_stands_in_for_one_side_and_never_for_both(pictured, tmp_path):
    found = built(
        [
            pictured(1, "Yes/Yes", "No/Yes"),
            pictured(2, "Yes/No", "No/No"),
            pictured(3, "Yes/Yes", "No/No"),
            pictured(4, "Yes/No", "Yes/Yes"),
            pictured(5, "No/No", "Maybe/No"),
            pictured(6),
        ],
        tmp_path,
    )
    hard = {made["image"]: (made["fg_gen_hard"], made["fg_loc_hard"]) for made in records(tmp_path)}
    assert hard == {"p/1.png": (False, True), "p/2.png": (True, False)}
    assert found.left_out == {
        "one question alone": 1, "nothing in scope or nothing out of it": 2, "nothing hard": 1, "not reworded": 0,
    }  # fmt: skip
    assert found.unclear == 1


@pytest.mark.parametrize("rewording", ["", "  ", "What is it? "])
def test_a_criterion_that_comes_back_as_it_was_is_left_out(pictured, tmp_path, rewording):
    with pytest.raises(BadInput, match="No picture was kept"):
        built([pictured(1, "Yes/No", "No/No")], tmp_path, judge=Scripted(rewording))
    assert not (tmp_path / "test_data.json").exists()


def test_pictures_are_split_three_to_one_by_seed_and_the_files_load(pictured, tmp_path):
    many = [pictured(number, "Yes/No", "No/No") for number in range(12)]
    found = built(many, tmp_path / "a", parallel=3)
    assert (found.train, found.test) == (9, 3)
    test, train = FGVEdit(tmp_path / "a"), FGVEdit(tmp_path / "a", split="train")
    assert (len(test), len(train)) == (3, 9)
    assert [pair.hard for pair in test.pairs(0)] == [False, False, True, False, False]
    images = [{case.edit.query.images[0].digest for case in split.truth(len(split))} for split in (test, train)]
    assert not images[0] & images[1]
    built(many, tmp_path / "b")
    built(many, tmp_path / "c", seed=4)
    texts = [(tmp_path / name / "test_data.json").read_text() for name in "abc"]
    assert texts[0] == texts[1] != texts[2]


def test_the_two_stages_differ_in_the_picture_and_say_so():
    one, two = Asked("a?", "b"), Asked("c?", "d")
    seen, blind = (entailment_prompt(one, two, pictured=each) for each in (True, False))
    assert seen != blind
    for part in ("a?", "Answer 1: b", "c?", "Answer 2: d", "Yes, No or Maybe"):
        assert part in seen
        assert part in blind
    assert "a?" in rewording_prompt(one)
    assert "Answer 1: b" not in rewording_prompt(one)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("Yes", "yes"),
        (" yes. ", "yes"),
        ('"No"', "no"),
        ("**NO**", "no"),
        ("Maybe", "unclear"),
        ("Yes, because", "unclear"),
        ("", "unclear"),
    ],
)
def test_a_reply_that_is_not_plainly_yes_or_no_is_unclear(said, found):
    assert verdict(said) == found


def test_a_second_run_asks_nothing_and_another_judge_asks_everything(pictured, tmp_path):
    many = [pictured(number, "Yes/No", "No/No") for number in range(6)]
    path = tmp_path / "judge.jsonl"
    first, second, other = Scripted(), Scripted(), Scripted()
    built(many, tmp_path / "a", judge=Kept(path, first, model="m"), parallel=4)
    built(many, tmp_path / "b", judge=Kept(path, second, model="m"), parallel=4)
    assert second.asked == []
    assert (tmp_path / "a" / "train_data.json").read_bytes() == (tmp_path / "b" / "train_data.json").read_bytes()
    # The same words without a picture are asked once for all six pictures.
    assert len(first.asked) == len(set(first.asked)) + 2 * 5
    assert len([prompt for prompt, image in first.asked if not image]) == 3
    built(many, tmp_path / "c", judge=Kept(path, other, model="n"), parallel=4)
    assert len(other.asked) == len(first.asked)


def test_what_was_judged_of_other_pixels_is_judged_anew(tmp_path):
    """An earlier version sent the file as it is, and kept what was said under the file's digest."""
    upright, notes, data = picture(1), Pillow.Exif(), io.BytesIO()
    notes[274] = 3
    upright.pixels().save(data, "PNG", exif=notes)
    phone = Image.of(data.getvalue())
    path = tmp_path / "judge.jsonl"
    lines = ({"key": digest_of_json(["m", "is it?", image.digest]), "said": "then"} for image in (upright, phone))
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    kept = Kept(path, lambda prompt, image: "now", model="m")
    assert [kept("is it?", image) for image in (upright, phone)] == ["then", "now"]
    assert Kept(path, lambda prompt, image: "later", model="m")("is it?", phone) == "now"


def test_a_failure_keeps_what_was_said_and_the_next_run_goes_on(pictured, tmp_path):
    many = [pictured(number, f"Yes/No#{number}", f"No/No#{number}") for number in range(5)]
    path = tmp_path / "judge.jsonl"
    judge = Scripted()

    def failing(prompt, image):
        if len(judge.asked) == 9:
            raise JudgeFailed("gone")
        return judge(prompt, image)

    with pytest.raises(JudgeFailed, match="gone"):
        built(many, tmp_path / "a", judge=Kept(path, failing, model="m"))
    assert not (tmp_path / "a").exists()
    again = Scripted()
    built(many, tmp_path / "a", judge=Kept(path, again, model="m"))
    assert len(path.read_text().splitlines()) == 9 + len(again.asked) == 4 * 5 + 1
    assert not set(judge.asked) & set(again.asked)


def test_after_a_failure_the_pictures_under_way_are_left_where_they_are(pictured, tmp_path):
    """Two pictures are judged at once; the first one's judge fails while the second one's first question is being answered."""
    asked: list[str] = []
    second = threading.Event()

    def failing(prompt, image):
        asked.append(prompt)
        if "#1" in prompt:
            assert second.wait(timeout=30)
            raise JudgeFailed("gone")
        second.set()
        time.sleep(0.3)
        return "Yes"

    many = [pictured(number, *(f"q{place}#{number}" for place in range(20))) for number in (1, 2, 3)]
    with pytest.raises(JudgeFailed, match="gone"):
        built(many, tmp_path / "a", judge=failing, parallel=2)
    assert len(asked) <= 4


def test_a_broken_picture_is_named_before_anything_is_asked_of_it(pictured, tmp_path):
    one, judge = pictured(1, "Yes/No", "No/No"), Scripted()
    one.path.write_bytes(b"no picture")
    with pytest.raises(BadImage, match=r"1\.png isn't a picture"):
        built([one], tmp_path / "a", judge=judge)
    assert judge.asked == []


def test_a_line_cut_by_a_kill_is_asked_again_and_a_strange_file_is_refused(tmp_path):
    path = tmp_path / "judge.jsonl"
    Kept(path, lambda prompt, image: "Yes", model="m")("one", None)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"key": "0123", "sa')
    kept = Kept(path, lambda prompt, image: "No", model="m")
    assert (kept("one", None), kept("two", picture(1)), kept.new) == ("Yes", "No", 1)
    assert path.read_bytes().startswith(whole)
    assert [json.loads(line)["said"] for line in path.read_text().splitlines()] == ["Yes", "No"]
    path.write_text("a shopping list\n")
    with pytest.raises(BadInput, match=r"judge\.jsonl, line 1 isn't an answer of a judge"):
        Kept(path, lambda prompt, image: "", model="m")


def test_only_the_end_of_a_line_ends_a_record(tmp_path):
    """JSON may hold signs that Python splits lines at, as they are."""
    path = tmp_path / "words.jsonl"
    said = ["one\u2028two", "one\x85two"]
    path.write_text(
        "".join(json.dumps({"question": text, "answer": "a"}, ensure_ascii=False) + "\r\n" for text in said), newline=""
    )
    assert [asked.question for asked in read_locality(path)] == said


def write_questions(folder: Path, values, *, lines=False):
    folder.mkdir(parents=True, exist_ok=True)
    for number in (1, 2):
        (folder / f"{number}.png").write_bytes(picture(number).data)
    path = folder / "vqa.json"
    path.write_text("\n".join(json.dumps(value) for value in values) if lines else json.dumps(values))
    return path


@pytest.mark.parametrize("lines", [False, True])
def test_questions_are_gathered_by_picture_in_the_order_of_the_file(tmp_path, lines):
    values = [{"image": f"{i}.png", "question": f"q{i}{j}", "answer": "a", "more": 3} for j in range(2) for i in (2, 1)]
    found = read_questions(write_questions(tmp_path, values, lines=lines), tmp_path)
    assert [(each.name, [asked.question for asked in each.asked]) for each in found] == [
        ("2.png", ["q20", "q21"]), ("1.png", ["q10", "q11"]),
    ]  # fmt: skip
    assert found[0].path.read_bytes() == picture(2).data


GOOD = {"image": "1.png", "question": "q", "answer": "a"}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([GOOD, {**GOOD, "answer": ""}], r"vqa\.json, record 2: the field 'answer'"),
        ([{"image": "1.png", "question": "q"}], r"record 1: the field 'answer' is missing. Known here: image, question"),
        ([], "holds no record"),
        ([GOOD, 3], "record 2 isn't an object"),
        ([{**GOOD, "image": "9.png"}], r"record 1: there is no picture at .*9\.png"),
        ([{**GOOD, "image": "1\0.png"}], "isn't a path under"),
        ([{**GOOD, "image": "../1.png"}], "isn't a path under"),
        ([{**GOOD, "image": "/etc/hosts"}], "isn't a path under"),
    ],
)
def test_questions_that_cannot_be_used_are_named(tmp_path, values, said):
    with pytest.raises(BadInput, match=said):
        read_questions(write_questions(tmp_path, values), tmp_path)


def test_files_that_are_no_questions_are_refused(pictured, tmp_path):
    with pytest.raises(BadInput, match="There is no"):
        read_locality(tmp_path / "none.json")
    path = tmp_path / "words.json"
    for text, said in (
        ("[1,\n", "isn't JSON: .*line 2"),
        ("{}\n{", r"words\.json, line 2 isn't JSON"),
        ("{}", "line 1: the field 'question' is missing. Known here: none"),
        ("[" * 100_000, "nested too deep|isn't JSON"),
        (f"[{'1' * 9000}]", "too long a number"),
    ):
        path.write_text(text)
        with pytest.raises(BadInput, match=said):
            read_locality(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput, match="isn't UTF-8"):
        read_locality(path)
    with pytest.raises(BadInput, match="At least one of each"):
        built([pictured(1, "Yes/No")], tmp_path / "out", locality=[])
