"""The fine-grained benchmarks at the command line: what they write, what they print, and what they refuse."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys

import pytest

from errata.benchmarks.fgvedit import FGVEdit
from errata.editors import MendPlan
from errata.models.clip import ClipSizes, build_clip
from errata.school.school import texts
from tests.benchmarks.fgv_files import record, write_fgvedit
from tests.cli.runs import SRC
from tests.conftest import picture
from tests.editors.trained import filled_in, taught_mend
from tests.measure.judges import Reply, said, serving


def test_scopeworld_fgv_writes_figures_and_a_report_and_its_rates_come_again(inside, random_llava_folder, tmp_path):
    words = ("bench", "scopeworld-fgv", "--model", random_llava_folder, "--edits", 2, "--seed", 7)
    done = inside(*words, "--editor", "none", "--editor", "finetune:steps=1", "--memory", 2, "--out", "run")
    assert done.code == 0, done.err
    assert "2 edits in memory at a time" in done.out
    assert {line.split()[0] for line in done.out.splitlines() if line.strip()} >= {"reliability", "locality", "specificity"}
    result = json.loads((tmp_path / "run" / "none" / "result.json").read_text())
    assert (result["benchmark"]["name"], result["benchmark"]["seed"], result["protocol"]["memory"]) == ("scopeworld-fgv", 7, 2)
    assert result["horizons"][0]["rates"]["locality"] == {"rate": 1.0, "n": 12}
    rows = list(csv.DictReader((tmp_path / "run" / "result.csv").read_text().splitlines()))
    assert {row["editor"] for row in rows} == {"none", "finetune:steps=1"}
    assert {row["protocol"] for row in rows} == {"generated", "teacher_forced"}
    assert all(int(row["n"]) > 0 for row in rows if row["rate"])
    assert (tmp_path / "run" / "report.html").read_text().startswith("<!")

    again = inside(*words, "--editor", "finetune:steps=1", "--memory", 2, "--out", "again")
    assert again.code == 0, again.err
    first = json.loads((tmp_path / "run" / "finetune-steps-1" / "result.json").read_text())
    assert json.loads((tmp_path / "again" / "result.json").read_text())["horizons"] == first["horizons"]


def test_fgvedit_runs_from_the_authors_layout(inside, random_llava_folder, tmp_path):
    write_fgvedit(tmp_path / "data")
    words = ("bench", "fgvedit", "--data", "data", "--model", random_llava_folder, "--editor", "none", "--out", "run")
    done = inside(*words)
    assert done.code == 0, done.err
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["benchmark"]["edits"] == 3
    assert result["horizons"][0]["rates"]["locality"] == {"rate": 1.0, "n": 3}
    train = inside(*words, "--split", "train", "--template", "Question: {} Short answer:")
    assert train.code == 0, train.err
    told = json.loads((tmp_path / "run" / "result.json").read_text())["benchmark"]
    expected = FGVEdit(tmp_path / "data", split="train", template="Question: {} Short answer:")
    assert (told["edits"], told["digest"]) == (1, expected.digest)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--data", "nowhere"), "There is no nowhere/test_data.json"),
        (("--data", "data"), "test_data.json, record 2: the field 'alt' is missing"),
        (("--data", "data", "--split", "train"), "train_data.json, record 1, field 'image': there is no picture at"),
        (("--data", "fine", "--memory", "4"), "4 edits in memory are more than the 3"),
        (("--data", "fine", "--edits", "4"), "has 3 records"),
        (("--data", "fine", "--template", "short:"), "needs one {}"),
        (("--data", "fine", "--editor", "nope"), "There is no editor named 'nope'"),
        ((), "--data"),
    ],
)
def test_fgvedit_files_that_cannot_be_used_get_a_sentence_and_nothing_is_run(inside, tmp_path, words, told):
    write_fgvedit(tmp_path / "fine")
    folder = write_fgvedit(tmp_path / "data", test=[record(1), {k: v for k, v in record(2).items() if k != "alt"}])
    (folder / "images" / "train2014" / "4.png").unlink()
    done = inside("bench", "fgvedit", *words, "--out", "run")
    assert (done.code, done.out) == (2, "")
    assert told in " ".join(done.err.split())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--memory", "3", "--edits", "2"), "3 edits in memory are more than the 2"),
        (("--editor", "none", "--editor", "none"), "named twice"),
        (("--edits", "0"), "--edits"),
        (("--memory", "0"), "--memory"),
        (("--model", "nope"), "There is no model named 'nope'"),
    ],
)
def test_a_scopeworld_fgv_that_cannot_be_run_gets_a_sentence(inside, tmp_path, words, told):
    done = inside("bench", "scopeworld-fgv", *words)
    assert (done.code, done.out) == (2, "")
    assert told in " ".join(done.err.split())
    assert list(tmp_path.iterdir()) == []


def test_a_table_of_systems_by_models_is_written_and_goes_on_where_it_was(inside, random_llava_folder, tmp_path):
    words = ("table", "fgvedit-1", "--editor", "none", "--editor", "finetune:steps=1", "--model", random_llava_folder)
    done = inside(*words, "--edits", 1, "--seeds", "7,8", "--out", "t")
    assert done.code == 0, done.err
    assert "scopeworld-fgv, 1 edit of each seed, 1 edit in memory at a time, seeds 7, 8" in done.out
    rows = {tuple(line.split()[:2]): line for line in done.out.splitlines() if " ± " in line}
    assert "100.0 ± 0.0" in next(line for line in done.out.splitlines() if " none " in line), rows
    assert {path.suffix for path in (tmp_path / "t").iterdir() if path.is_file()} == {".csv", ".md", ".svg"}
    lines = list(csv.DictReader((tmp_path / "t" / "fgvedit-1.csv").read_text().splitlines()))
    assert {(line["system"], line["protocol"]) for line in lines} == {
        (system, way) for system in ("none", "finetune:steps=1") for way in ("generated", "teacher_forced")
    }
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "t").rglob("result.json")}
    assert len(stamps) == 4
    again = inside(*words, "--edits", 1, "--seeds", "7,8", "--out", "t")
    assert (again.code, again.out) == (0, done.out)
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


def test_a_table_runs_from_the_authors_layout_with_many_edits_in_memory(inside, random_llava_folder, tmp_path):
    write_fgvedit(tmp_path / "data")
    words = ("--data", "data", "--template", "Question: {} Short answer:", "--edits", 2, "--memory", 2, "--seeds", "1,2")
    done = inside("table", "fgvedit-1", "--editor", "none", "--model", random_llava_folder, *words, "--out", "t")
    assert done.code == 0, done.err
    text = (tmp_path / "t" / "fgvedit-1-memory-2.md").read_text()
    for seed in (1, 2):
        drawn = FGVEdit(tmp_path / "data", edits=2, seed=seed, template="Question: {} Short answer:")
        assert f"- benchmark fgvedit, seed {seed}: `{drawn.digest}`" in text


def test_a_table_hands_its_systems_what_they_name(inside, random_llava_folder, tmp_path):
    words = ("table", "fgvedit-1", "--model", random_llava_folder, "--editor", filled_in("mscke:checkpoint={multimodal}"))
    done = inside(*words, "--edits", 1, "--seeds", "7", "--out", "t")
    assert done.code == 0, done.err
    (path,) = (tmp_path / "t").rglob("result.json")
    assert json.loads(path.read_text())["editor"]["fields"]["made"]["fields"]["scope"]["kind"] == "multimodal"


def test_a_later_model_that_a_system_was_not_trained_for_is_told_before_anything_is_run(
    inside, random_llava, random_llava_folder, tmp_path
):
    taught_mend(random_llava, tmp_path / "mend", MendPlan(), steps=0)
    words = ("--editor", "none", "--editor", "mend:checkpoint=mend", "--model", random_llava_folder, "--model", "llava-tiny")
    done = inside("table", "fgvedit-1", *words, "--edits", 1, "--seeds", "7", "--out", "t")
    assert (done.code, done.out) == (2, "")
    assert "was trained for" in done.err
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "--editor"),
        (("--editor", "nope"), "There is no editor named 'nope'"),
        (("--editor", "none", "--editor", "none"), "An editor is named twice"),
        (("--editor", "none", "--model", "a", "--model", "a"), "A model is named twice"),
        (
            ("--editor", "none", "--edits", "1", "--seeds", "1", "--model", "llava-tiny", "--model", "nope"),
            "There is no model named 'nope'",
        ),
        (("--editor", "none", "--seeds", "1,x"), "aren't numbers"),
        (("--editor", "none", "--seeds", "1,1", "--edits", "1"), "each once"),
        (("--editor", "none", "--memory", "3", "--edits", "2"), "3 edits in memory are more than the 2"),
        (("--editor", "none", "--edits", "1", "--seeds", "1", "--template", "Q: {}"), "--template is for the questions of --data"),
        (("--editor", "none", "--data", "nowhere"), "There is no nowhere/test_data.json"),
        (("--editor", "none", "--data", "data"), "has 3 records; 250 edits were asked for"),
        (("--editor", "none", "--data", "data", "--edits", "3"), "draw the same 3 edits"),
    ],
)
def test_a_fine_grained_table_that_cannot_be_made_gets_a_sentence(inside, tmp_path, words, told):
    write_fgvedit(tmp_path / "data")
    done = inside("table", "fgvedit-1", *words, "--out", "t")
    assert (done.code, done.out) == (2, "")
    assert told in " ".join(done.err.split())
    assert not (tmp_path / "t").exists()


def write_vqa(folder, *, pictures=8):
    folder.mkdir()
    asked = []
    for number in range(pictures):
        (folder / f"{number}.png").write_bytes(picture(number).data)
        for question in ("what is it?", "is it in scope?", "is it elsewhere?"):
            asked.append({"image": f"{number}.png", "question": question, "answer": f"a{number}"})
    (folder / "vqa.json").write_text(json.dumps(asked))
    (folder / "words.json").write_text(json.dumps([{"question": "what is two plus two?", "answer": "four"}]))


def judged(body):
    content = body["messages"][0]["content"]
    prompt = content[0]["text"]
    if "Question 2" not in prompt:
        return said("name it.")
    return said("Yes" if "in scope" in prompt and len(content) == 2 else "No")


def shown(done):
    """What a build printed, as pairs."""
    return {tuple(line.rsplit(maxsplit=1)) for line in done.out.splitlines()}


@pytest.fixture
def _straight(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("MY_KEY", "sk-not-a-real-key")


BUILD = (
    "bench",
    "build-fgv",
    "data/vqa.json",
    "--locality",
    "data/words.json",
    "--judge",
    "m",
    "--key-env",
    "MY_KEY",
    "--out",
    "built",
)


@pytest.mark.usefixtures("_straight")
def test_a_built_benchmark_runs_and_a_second_build_asks_nothing(inside, random_llava_folder, tmp_path):
    write_vqa(tmp_path / "data")
    with serving(judged) as endpoint:
        done = inside(*BUILD, "--base-url", endpoint.url)
        assert done.code == 0, done.err
        assert shown(done) >= {("to train on", "6"), ("to test on", "2")}
        asked = len(endpoint.asked)
        assert {head["Authorization"] for head in endpoint.headers} == {"Bearer sk-not-a-real-key"}
        files = {path: path.read_bytes() for path in (tmp_path / "built").rglob("*") if path.is_file()}
        assert not any(b"sk-not" in data for data in files.values())
        again = inside(*BUILD, "--base-url", endpoint.url)
        assert (again.code, len(endpoint.asked)) == (0, asked)
        assert files == {path: path.read_bytes() for path in (tmp_path / "built").rglob("*") if path.is_file()}
    run = inside("bench", "fgvedit", "--data", "built", "--model", random_llava_folder, "--editor", "none", "--out", "run")
    assert run.code == 0, run.err
    assert json.loads((tmp_path / "run" / "result.json").read_text())["benchmark"]["edits"] == 2


@pytest.mark.usefixtures("_straight")
def test_a_build_that_was_killed_goes_on_where_it_was(inside, tmp_path):
    """The process dies without a word while the judge is being asked; the next one asks what wasn't answered, and only that."""
    write_vqa(tmp_path / "data", pictures=12)
    killed: list[int] = []

    def slow(body):
        if len(endpoint.asked) == 15 and not killed:
            killed.append(process.pid)
            process.send_signal(signal.SIGKILL)
        return judged(body)

    with serving(slow) as endpoint:
        words = [*map(str, BUILD), "--base-url", endpoint.url, "--parallel", "1"]
        environment = {**os.environ, "PYTHONPATH": str(SRC)}
        process = subprocess.Popen(
            [sys.executable, "-m", "errata", *words], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL
        )
        assert process.wait(timeout=120) == -signal.SIGKILL
        kept = (tmp_path / "built" / "judge.jsonl").read_text().splitlines()
        assert 0 < len(kept) < 15
        before = endpoint.prompts.copy()
        done = inside(*BUILD, "--base-url", endpoint.url, "--parallel", 1)
        assert done.code == 0, done.err
    lines = (tmp_path / "built" / "judge.jsonl").read_text().splitlines()
    assert lines[: len(kept)] == kept
    assert len({json.loads(line)["key"] for line in lines}) == len(lines)
    assert len(endpoint.prompts) - len(before) == len(lines) - len(kept)


@pytest.mark.usefixtures("_straight")
@pytest.mark.parametrize(
    ("words", "reply", "told"),
    [
        ((), Reply(401), "status 401"),
        (("--timeout", "0.2"), Reply(wait_s=0.5), "didn't answer within 0.2 seconds"),
        ((), said("I can't say"), "No picture was kept"),
        (("--base-url", "host/v1"), said("No"), "isn't the base of an endpoint"),
        (("--images", "nowhere"), said("No"), "vqa.json, record 1: there is no picture at nowhere/0.png"),
        (("--locality", "nowhere.json"), said("No"), "There is no nowhere.json"),
        (("--parallel", "0"), said("No"), "--parallel"),
    ],
)
def test_a_build_that_cannot_be_done_gets_a_sentence(inside, tmp_path, words, reply, told):
    write_vqa(tmp_path / "data", pictures=1)
    with serving(lambda body: reply) as endpoint:
        done = inside(*BUILD, "--base-url", endpoint.url, *words)
    assert (done.code, done.out) == (2, "")
    assert told in " ".join(done.err.split())
    assert "sk-not" not in done.err
    assert not list(tmp_path.glob("built/*.json"))


@pytest.mark.usefixtures("_straight")
@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("vqa.json", '[{"image": "0.png", "question": "what is it?"}]', "vqa.json, record 1: the field 'answer' is missing"),
        ("vqa.json", '{"image": "0.png", "question": "q", "answer": "a"}\n{"image"', "vqa.json, line 2 isn't JSON"),
        ("vqa.json", "[]", "vqa.json holds no record"),
        ("vqa.json", '[{"image": "../0.png", "question": "q", "answer": "a"}]', "isn't a path under data"),
        ("words.json", '["what is two plus two?"]', "words.json, record 1 isn't an object"),
        ("0.png", "no picture", "data/0.png isn't a picture"),
    ],
)
def test_a_users_file_that_cannot_be_used_is_named_and_the_judge_is_asked_nothing(inside, tmp_path, name, text, told):
    write_vqa(tmp_path / "data", pictures=1)
    (tmp_path / "data" / name).write_text(text)
    with serving(judged) as endpoint:
        done = inside(*BUILD, "--base-url", endpoint.url)
    assert (done.code, done.out) == (2, "")
    assert told in " ".join(done.err.split())
    assert endpoint.asked == []


@pytest.mark.usefixtures("_straight")
def test_an_endpoint_that_fails_midway_leaves_a_build_that_goes_on(inside, tmp_path):
    write_vqa(tmp_path / "data", pictures=4)
    broken = Reply(400, body=b'{"error": {"message": "no credit is left."}}')
    with serving(lambda body: judged(body) if len(endpoint.asked) <= 6 else broken) as endpoint:
        done = inside(*BUILD, "--base-url", endpoint.url, "--parallel", 1)
    assert (done.code, done.out) == (2, "")
    assert "status 400 (no credit is left). What was judged so far is kept." in " ".join(done.err.split())
    kept = (tmp_path / "built" / "judge.jsonl").read_text().splitlines()
    assert len(kept) == 6
    with serving(judged) as endpoint:
        done = inside(*BUILD, "--base-url", endpoint.url, "--parallel", 1)
    assert done.code == 0, done.err
    lines = (tmp_path / "built" / "judge.jsonl").read_text().splitlines()
    assert lines[:6] == kept
    assert len({json.loads(line)["key"] for line in lines}) == len(lines) == 6 + len(endpoint.asked)
    assert ("asked of the judge now", str(len(endpoint.asked))) in shown(done)


def test_scopes_are_held_against_each_other_by_kind_of_question(inside, random_llava_folder, tmp_path):
    words = ("table", "fgvedit-figure-4", "--model", random_llava_folder, "--edits", 2, "--seeds", "1,2,3", "--out", "figure")
    done = inside(*words, "--editor", "told", "--editor", "ike")
    assert done.code == 0, done.err
    assert "scopeworld-fgv, 2 edits of each seed" in done.out
    lines = list(csv.DictReader((tmp_path / "figure" / "fgvedit-figure-4.csv").read_text().splitlines()))
    assert {line["scope"] for line in lines} == {"told", "ike"}
    assert sum(int(line["n"]) for line in lines if line["scope"] == "told" and line["kind"].startswith("hard")) == 2 * 3 * 2 * 6
    refused = inside(*words, "--editor", "finetune")
    assert (refused.code, "finetune has no scope that decides" in refused.err) == (2, True)


def test_a_scope_for_each_fusion_is_trained_once_and_put_to_the_benchmark(inside, random_llava_folder, tmp_path):
    sizes = ClipSizes(width=32, layers=1, ffn=64, text_width=32, text_layers=1, text_ffn=64, vocabulary=400)
    build_clip(tmp_path / "clip", texts=texts(count=100), sizes=sizes)
    words = ("table", "fgvedit-2", "--encoders", "clip", "--model", random_llava_folder, "--paired", 12, "--steps", 2, "--edits", 1)
    done = inside(*words, "--fusion", "dot", "--fusion", "concat", "--seeds", "1,2", "--out", "fusions")
    assert done.code == 0, done.err
    trained = {path.parent.name: path.read_bytes() for path in (tmp_path / "fusions" / "scopes").glob("*/learned.safetensors")}
    assert set(trained) == {"clip-dot", "clip-concat"}
    lines = list(csv.DictReader((tmp_path / "fusions" / "fgvedit-2.csv").read_text().splitlines()))
    assert {line["system"] for line in lines} == {"clip, dot", "clip, concat"}
    again = inside(*words, "--fusion", "dot", "--fusion", "concat", "--seeds", "1,2", "--out", "fusions")
    assert (again.code, "steps, best after" in again.out) == (0, False)
    for more, why in ((("--encoders", "clip"), "Encoders are named twice"), (("--fusion", "soup"), "fusion takes 'concat'")):
        refused = inside(*words, *more, "--out", "none")
        assert (refused.code, why in refused.err) == (2, True), refused.err


def test_one_trained_scope_stands_beside_one_that_was_trained_anew_for_each_inner_editor(inside, random_llava_folder, tmp_path):
    for seed in (0, 1):
        assert inside("train", "serac", "--edits", 30, "--steps", 2, "--seed", seed, "--out", f"serac-{seed}").code == 0
    words = (
        "table",
        "fgvedit-3",
        "--scope",
        "serac",
        "--model",
        random_llava_folder,
        "--edits",
        1,
        "--seeds",
        "1,2",
        "--out",
        "three",
    )
    inner = ("--editor", "counterfactual", "--editor", "finetune:steps=2")
    done = inside(*words, *inner, "--transferred", "serac-0", "--retrained", "serac-1", "--out", "three")
    assert done.code == 0, done.err
    lines = list(csv.DictReader((tmp_path / "three" / "fgvedit-3.csv").read_text().splitlines()))
    systems = [f"{each}, {kind}" for each in ("counterfactual", "finetune:steps=2") for kind in ("retrained", "transferred")]
    assert list(dict.fromkeys(line["system"] for line in lines)) == systems
    assert "counterfactual, retrained (counterfactual, transferred)" in (tmp_path / "three" / "fgvedit-3.md").read_text()
    for given, why in (
        (("--transferred", "serac-0", "--retrained", "./serac-0"), "Name two folders"),
        (("--transferred", "serac-0", "--retrained", "serac-1", "--scope", "told"), "no scope 'told' that is trained"),
        (("--transferred", "serac-0", "--retrained", "serac-1", "--editor", "none", "--editor", "none"), "named twice"),
        (("--transferred", "serac-0", "--retrained", "away"), "away"),
    ):
        refused = inside(*words, *given)
        assert (refused.code, why in refused.err) == (2, True), refused.err


def test_what_scope_and_counterfactual_cost_is_told_in_bytes_and_time(inside, random_llava_folder, tmp_path):
    words = ("table", "fgvedit-4", "--model", random_llava_folder, "--edits", 3, "--out", "four")
    done = inside(*words, "--editor", "told:threshold=0.01", "--editor", f"scoped:threshold=0.01,speaker={random_llava_folder}")
    assert done.code == 0, done.err
    lines = list(csv.DictReader((tmp_path / "four" / "fgvedit-4.csv").read_text().splitlines()))
    assert [line["part"] for line in lines] == ["base", "scope", "counterfactual"] * 2
    size = lines[0]["bytes"]
    assert [line["bytes"] for line in lines] == [size, "0", "0", size, "0", size]
    assert all(float(line["milliseconds"]) > 0 for line in lines)
    for some in (lines[:3], lines[3:]):
        assert abs(sum(float(line["share_of_time"]) for line in some) - 1) < 1e-9
    assert {path.suffix for path in (tmp_path / "four").iterdir()} == {".csv", ".md", ".svg"}
    for editor, why in (("finetune", "no scope that decides"), ("told:threshold=0.999999", "takes none of 3 questions")):
        refused = inside(*words, "--editor", editor)
        assert (refused.code, why in refused.err) == (2, True), refused.err
