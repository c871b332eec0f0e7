"""The saved proof is of this code, and found no difference; where vLLM is installed a small one is run for real."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from errata_vllm.proof.digest import digest

RESULTS = sorted((Path(__file__).parents[1] / "results").glob("*.json"))
ASKED = ("base", "half", "after", "mixed", "reverted", "pinned_after_revert")
SERVED = ("dropped", "of_a_wrong_version", "answers_after_kill_moved", "base_answers_moved")

FRONTED = ("refused", "passed_that_differ_from_vllm", "moved_after_kill", "moved_after_revert")


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_the_saved_proof_is_of_this_code_and_found_no_difference(path):
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["asked"]["code"] == digest(), "what decides answers was changed since: run python -m errata_vllm.proof again"
    assert [found["asked"]["differences"][part] for part in ASKED] == [[]] * len(ASKED)
    assert found["asked"]["edits"] >= 30
    if "served" in found:
        assert [found["served"][name] for name in SERVED] == [0] * len(SERVED)
        assert found["served"]["folded_after_kill"] == found["served"]["acknowledged"]
    if "fronted" in found:
        assert [found["fronted"][name] for name in FRONTED] == [0] * len(FRONTED)
        assert found["fronted"]["ways_after_revert"] == {"passed": found["fronted"]["questions"]}
        kept = [told for kind, told in found["fronted"]["kinds"].items() if kind.endswith(", kept")]
        assert [told["met"] for told in kept] == [told["of"] for told in kept]


def test_there_is_a_saved_proof():
    assert RESULTS


@pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM isn't installed here; see docs/how-to/vllm.md")
def test_answers_inside_vllm_are_those_of_transformers(tmp_path):
    from errata_vllm.proof.__main__ import main

    assert main(["--out", str(tmp_path), "--edits", "6", "--questions", "12", "--parts", "asked"]) == 0
