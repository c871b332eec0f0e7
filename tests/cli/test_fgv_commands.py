"""The fine-grained benchmarks at the command line: what they write, what they print, and what they refuse."""

from __future__ import annotations

import csv
import json

import pytest

from tests.benchmarks.fgv_files import record, write_fgvedit


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
    assert json.loads((tmp_path / "run" / "result.json").read_text())["benchmark"]["edits"] == 1, train.err


@pytest.mark.parametrize(
    ("words", "said"),
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
def test_fgvedit_files_that_cannot_be_used_get_a_sentence_and_nothing_is_run(inside, tmp_path, words, said):
    write_fgvedit(tmp_path / "fine")
    folder = write_fgvedit(tmp_path / "data", test=[record(1), {k: v for k, v in record(2).items() if k != "alt"}])
    (folder / "images" / "train2014" / "4.png").unlink()
    done = inside("bench", "fgvedit", *words, "--out", "run")
    assert (done.code, done.out) == (2, "")
    assert said in " ".join(done.err.split())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--memory", "3", "--edits", "2"), "3 edits in memory are more than the 2"),
        (("--editor", "none", "--editor", "none"), "named twice"),
        (("--edits", "0"), "--edits"),
        (("--memory", "0"), "--memory"),
        (("--model", "nope"), "There is no model named 'nope'"),
    ],
)
def test_a_scopeworld_fgv_that_cannot_be_run_gets_a_sentence(inside, tmp_path, words, said):
    done = inside("bench", "scopeworld-fgv", *words)
    assert (done.code, done.out) == (2, "")
    assert said in " ".join(done.err.split())
    assert list(tmp_path.iterdir()) == []
