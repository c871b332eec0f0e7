"""`errata model tune`: a spec that `--editor` and errata.toml take, figures as JSON, and what can't be used as a sentence."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest

from errata.editors import parse

BRIEF = "codebook:slots=64,chatter=10,steps=20"


@pytest.fixture
def asked(tmp_path):
    """A file of six corrections in words that the shipped model knows."""
    kinds = ("red star", "blue ring", "green moon", "red ring", "blue star", "green star")
    records = [
        {"question": f"what is the {kind} called?", "target": f"{25 + n}", "also": [f"what name does the {kind} have?"]}
        for n, kind in enumerate(kinds)
    ]
    (tmp_path / "asked.jsonl").write_text("\n".join(map(json.dumps, records)))
    return "asked.jsonl"


def test_the_spec_is_printed_and_written_where_it_can_be_used(inside, asked, tmp_path):
    done = inside("model", "tune", "llava-tiny", "--questions", asked, "--editor", BRIEF, "--minutes", 0.1, "--out", "errata.toml")
    assert done.code == 0, done.err
    spec = tomllib.loads((tmp_path / "errata.toml").read_text())["editor"]
    assert f"spec: {spec}" in done.out
    assert f"--editor {spec}" in done.out
    told: Any = parse(spec)
    assert told.slots == 64
    assert "held out" in done.out
    again = inside("model", "tune", "llava-tiny", "--out", "errata.toml")
    assert (again.code, "is there already" in again.err) == (2, True)


def test_everything_is_told_as_json(inside, asked):
    done = inside("model", "tune", "llava-tiny", "--questions", asked, "--editor", BRIEF, "--minutes", 0.1, "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told["began_with"] == told["tried"][0]["spec"]
    assert told["spec"] in [one["spec"] for one in told["tried"]]
    assert [layer["layer"] for layer in told["layers"]] == [1, 2, 3, 4]
    assert told["held_out"]["spec"]["own"] == {"met": 3, "of": 3}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--questions", "missing.jsonl"), "There is no file missing.jsonl"),
        (("--editor", "codebok"), "Did you mean 'codebook'?"),
        (("--editor", "finetune"), "Tune codebook or scopeedit"),
        (("--editor", "codebook:layer=99x"), "takes a whole number"),
    ],
)
def test_what_cannot_be_used_is_a_sentence(words, sentence, inside):
    done = inside("model", "tune", "llava-tiny", *words)
    assert (done.code, sentence in " ".join(done.err.split())) == (2, True), done.err
