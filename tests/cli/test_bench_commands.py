"""Streams, training and the exam at the command line: what they write, what they print, and what they refuse."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from errata.cli.bench.stream import horizons_of
from errata.core.errors import BadInput
from errata.measure.figures import folder_of


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LLaVA that can be put every question of ScopeWorld, and knows nothing."""
    from errata.models.small.build import LlavaSizes, build_llava
    from errata.school.school import texts

    folder: Path = tmp_path_factory.mktemp("models") / "untrained"
    sizes = LlavaSizes(width=32, layers=2, ffn=32, vision_width=32, vision_layers=1, vision_ffn=32)
    build_llava(folder, texts=texts(count=400), sizes=sizes, seed=0)
    return folder


def test_a_bench_of_two_editors_writes_figures_and_a_report_and_its_rates_come_again(inside, untrained, tmp_path):
    options = ("--model", untrained, "--edits", 1, "--horizons", 1, "--seed", 7)
    done = inside("bench", "scopeworld-stream", *options, "--editor", "none", "--editor", "finetune:steps=1", "--out", "run")
    assert done.code == 0, done.err
    assert [part in done.out for part in ("after 1 edit", "reliability", "class: proper", "report: run/report.html")] == [True] * 4
    results = {name: json.loads((tmp_path / "run" / name / "result.json").read_text()) for name in ("none", "finetune-steps-1")}
    for result in results.values():
        assert (result["benchmark"]["seed"], [horizon["edits"] for horizon in result["horizons"]]) == (7, [1])
    rows = list(csv.DictReader((tmp_path / "run" / "result.csv").read_text().splitlines()))
    assert {row["editor"] for row in rows} == {"none", "finetune:steps=1"}
    assert (tmp_path / "run" / "report.html").read_text().startswith("<!")

    again = inside("bench", "scopeworld-stream", *options, "--editor", "finetune:steps=1", "--out", "again")
    assert again.code == 0, again.err
    assert json.loads((tmp_path / "again" / "result.json").read_text())["horizons"] == results["finetune-steps-1"]["horizons"]


def test_editors_that_run_side_by_side_give_what_they_give_one_after_another(inside, untrained, tmp_path):
    options = ("--model", untrained, "--edits", 1, "--horizons", 1, "--seed", 7, "--editor", "none", "--editor", "finetune:steps=1")
    figures = {}
    for jobs in (1, 2):
        done = inside("bench", "scopeworld-stream", *options, "--jobs", jobs, "--out", f"by{jobs}")
        assert done.code == 0, done.err
        figures[jobs] = {path.parent.name: json.loads(path.read_text()) for path in (tmp_path / f"by{jobs}").glob("*/result.json")}
        assert {result["cost"]["at_a_time"] for result in figures[jobs].values()} == {jobs}
        assert ("2 ran at a time" in done.out) == (jobs == 2)
        rows = list(csv.DictReader((tmp_path / f"by{jobs}" / "result.csv").read_text().splitlines()))
        assert list(dict.fromkeys(row["editor"] for row in rows)) == ["none", "finetune:steps=1"], "in the order that was asked for"
    assert set(figures[1]) == set(figures[2]) == {"none", "finetune-steps-1"}
    for name, result in figures[1].items():
        assert {key: result[key] for key in result if key != "cost"} == {
            key: figures[2][name][key] for key in result if key != "cost"
        }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("scopeworld-streem",), "Did you mean 'scopeworld-stream'"),
        (("scopeworld-stream", "--editor", "nope"), "There is no editor named 'nope'"),
        (("scopeworld-stream", "--editor", "none", "--editor", "none"), "named twice"),
        (("scopeworld-stream", "--model", "nope"), "There is no model named 'nope'"),
        (("scopeworld-stream", "--probes", "all"), "Ask for usual or more"),
        (("scopeworld-stream", "--edits", "-5"), "--edits"),
        (("scopeworld-stream", "--edits", "0"), "--edits"),
        (("scopeworld-stream", "--seed", "-1"), "--seed"),
        (("scopeworld-stream", "--edits", "5", "--horizons", "1,9"), "beyond the last edit, 5"),
        (("scopeworld-stream", "--horizons", "1,-2"), "aren't numbers of edits"),
        (("scopeworld-stream", "--device", "abacus"), "abacus"),
    ],
)
def test_a_bench_that_cannot_be_run_gets_a_sentence_and_writes_nothing(inside, tmp_path, words, said):
    done = inside("bench", *words)
    assert (done.code, done.out) == (2, "")
    assert said in " ".join(done.err.split())
    assert list(tmp_path.iterdir()) == []


def test_an_output_folder_that_cannot_be_made_gets_a_sentence(inside, untrained, tmp_path):
    (tmp_path / "taken").write_text("a file")
    done = inside("bench", "scopeworld-stream", "--model", untrained, "--editor", "none", "--edits", 1, "--out", "taken")
    assert (done.code, "taken" in done.err) == (2, True)


@pytest.mark.parametrize(("edits", "horizons"), [(1, (1,)), (10, (1, 10)), (100, (1, 10, 50, 100)), (200, (1, 10, 50, 100, 200))])
def test_horizons_that_are_not_given_grow_up_to_the_last_edit(edits, horizons):
    assert horizons_of(None, edits) == horizons


@pytest.mark.parametrize("text", ["", "1,,2", "x", "0", "1.5", "1;2"])
def test_horizons_that_are_no_numbers_are_refused(text):
    with pytest.raises(BadInput, match="aren't numbers of edits"):
        horizons_of(text, 10)


@pytest.mark.parametrize(
    ("editor", "folder"),
    [
        ("scopeedit", "scopeedit"),
        ("scopeedit:preset=paper,steps=3", "scopeedit-preset-paper-steps-3"),
        ("../my.py:Mine", "my.py-Mine"),
    ],
)
def test_a_folder_is_named_after_its_editor_and_stays_inside(editor, folder):
    assert folder_of(editor) == folder


def test_training_goes_on_where_it_stopped_and_saves_a_checkpoint_folder(inside, tmp_path):
    train = ("model", "train", "llava", "--looks", 1, "--captions", 1, "--questions", 1, "--scenes", 2, "--out", "tiny")
    first = inside(*train)
    assert (first.code, "saved: tiny" in first.out) == (0, True)
    weights = (tmp_path / "tiny" / "model.safetensors").read_bytes()
    again = inside(*train)
    assert (again.code, (tmp_path / "tiny" / "model.safetensors").read_bytes() == weights) == (0, True)


def test_a_clip_is_trained_as_a_folder_that_a_scope_sees_with_and_takes_only_its_own_options(inside, tmp_path):
    trained = inside("model", "train", "clip", "--looks", 1, "--steps", 1, "--scenes", 2, "--out", "clip")
    assert (trained.code, "train a scope that sees with it: --encoders clip" in trained.out) == (0, True)
    assert json.loads((tmp_path / "clip" / "config.json").read_text())["model_type"] == "clip"
    for words, why in (
        (("clip", "--captions", 3), "The option --captions says nothing of a clip. Leave it out."),
        (("clip", "--teacher", "llava-tiny"), "The option --teacher says nothing of a clip. Leave it out."),
        (("llava", "--layers", 2), "The option --layers says nothing of a llava. Leave it out."),
        (("llava", "--teacher", "llava-tiny", "--looks", 1), "The option --looks says nothing of a llava that has a teacher."),
        (("llava", "--teacher", "llava-tiny", "--layers", 6), "llava-tiny has 6 layers, so a smaller one has 1 to 5, not 6."),
        (("llava", "--teacher", "blip2-tiny"), "blip2-tiny is a blip2; only a LLaVA can be cut down."),
        (
            ("blip2", "--teacher", "llava-tiny", "--captions", 1),
            "The option --captions says nothing of a blip2 that has a teacher.",
        ),
        (("llava", "--size", "mini"), "The option --size says nothing of a llava. Leave it out."),
        (("atlas", "--looks", 1), "The option --looks says nothing of the eyes of atlas. Leave it out."),
        (("atlas", "--device", "cuda"), "The eyes of atlas are trained on a CPU, and --device is cuda. Leave it out."),
    ):
        refused = inside("model", "train", *words, "--out", "other")
        assert (refused.code, why in refused.err, (tmp_path / "other").exists()) == (2, True, False)


def test_a_minigpt4_learns_from_the_model_that_is_named(inside, untrained, tmp_path):
    train = ("model", "train", "minigpt4", "--teacher", untrained, "--looks", 1, "--questions", 1, "--scenes", 2, "--out", "tiny")
    trained = inside(*train)
    assert (trained.code, "check it with: errata model check tiny" in trained.out) == (0, True)
    assert json.loads((tmp_path / "tiny" / "config.json").read_text())["text_config"]["model_type"] == "llama"
    refused = inside("model", "train", "blip2", "--teacher", "nobody", "--out", "other")
    assert (refused.code, "nobody" in refused.err, (tmp_path / "other").exists()) == (2, True, False)


def test_a_smaller_llava_is_cut_from_the_one_that_is_named_and_taught_on(inside, untrained, tmp_path):
    train = (
        "model",
        "train",
        "llava",
        "--teacher",
        untrained,
        "--layers",
        1,
        "--statements",
        0.75,
        "--questions",
        1,
        "--scenes",
        2,
    )
    trained = inside(*train, "--out", "smaller")
    assert (trained.code, "check it with: errata model check smaller" in trained.out) == (0, True)
    assert json.loads((tmp_path / "smaller" / "config.json").read_text())["text_config"]["num_hidden_layers"] == 1


def test_a_model_that_does_not_pass_the_exam_exits_with_1(inside, untrained):
    checked = inside("model", "check", untrained, "--each", 1, "--json")
    marks = [json.loads(line) for line in checked.out.splitlines()]
    assert (checked.code, {mark["column"] for mark in marks}) == (1, {"scenes", "wordings", "handwriting", "blind", "context"})
    assert [mark for mark in marks if mark["column"] == "scenes" and mark["passed"]] == []


def test_a_table_holds_its_rows_against_the_first_and_goes_on_where_it_was(inside, untrained, tmp_path):
    words = (
        "table",
        "editors",
        "--editor",
        "none",
        "--editor",
        "finetune:steps=1",
        "--model",
        untrained,
        "--edits",
        1,
        "--out",
        "t",
    )
    done = inside(*words, "--seeds", "7,8")
    assert done.code == 0, done.err
    assert "after 1 edit, seeds 7, 8" in done.out
    figures, upkeep = done.out.split("what it takes to keep")
    rows = {line.split()[0]: line for line in figures.splitlines() if line.strip()}
    assert "100.0 ± 0.0" in rows["none"]  # nothing moves where nothing is edited
    assert "*" not in rows["finetune:steps=1"]  # two seeds are too few for a difference to count
    kept = {line.split()[0]: line.split()[1:] for line in upkeep.splitlines() if line.strip()}
    assert kept["none"] == ["0.0", "-", "-", "100"]  # no correction is in force, and a restart changes no answer
    page = (tmp_path / "t" / "report.html").read_text(encoding="utf-8")
    assert '<th scope="row">none</th><td>0.0</td><td>-</td><td>-</td><td>100</td>' in page
    assert f"report: {Path('t') / 'report.html'}" in done.out
    assert "2 seeds: no difference counts." in page
    seeds = (tmp_path / "t" / "seeds.md").read_text(encoding="utf-8").splitlines()
    assert seeds[0] == "| | none | finetune:steps=1 |"
    assert "| image_locality | 100 (100 to 100), 100 |" in "\n".join(seeds)
    path = tmp_path / "t" / "none" / "7" / "result.json"
    stamp = path.stat().st_mtime_ns
    assert inside(*words, "--seeds", "7,8").out == done.out
    assert path.stat().st_mtime_ns == stamp


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("editors",), "--editor"),
        (("editors", "--editor", "none", "--editor", "none"), "named twice"),
        (("scopeedit-ablation", "--editor", "none"), "No such option: --editor"),
        (("editors", "--editor", "nope"), "There is no editor named 'nope'"),
        (("editors", "--editor", "none", "--seeds", "1,x"), "aren't numbers"),
        (("editors", "--editor", "none", "--seeds", "1,1"), "each once"),
        (("tables",), "tables"),
    ],
)
def test_a_table_that_cannot_be_made_gets_a_sentence(inside, tmp_path, words, said):
    done = inside("table", *words, "--out", "t")
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "t").exists()
