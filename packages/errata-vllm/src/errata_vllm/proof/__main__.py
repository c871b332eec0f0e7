"""`python -m errata_vllm.proof --out FOLDER`: vLLM is started for real, and its answers compared with those of transformers."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from errata_vllm.folder import NOTE, prepare
from errata_vllm.proof.digest import digest

_PARTS: Final = ("asked", "served", "fronted", "cost")
_NONE: Final = {
    "served": ("dropped", "of_a_wrong_version", "answers_after_kill_moved", "base_answers_moved"),
    "fronted": ("passed_that_differ_from_vllm", "moved_after_kill", "moved_after_revert"),
}
"""What there must be none of."""
_LONG: Final = 160
_SHORT: Final = 8
_PROMPTS: Final = 8


def main(given: list[str] | None = None) -> int:
    """Run the proof and write `result.json`.

    Returns:
        The exit status: 1 where an answer differs.
    """
    parser = argparse.ArgumentParser(prog="python -m errata_vllm.proof", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="a folder that isn't there yet")
    parser.add_argument("--model", default="llava-tiny")
    parser.add_argument("--edits", type=int, default=200)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--compiled", action="store_true", help="vLLM traces the model and compiles it, instead of --enforce-eager")
    parser.add_argument("--rounds", type=int, default=9, help="how often each size of memory is timed")
    parser.add_argument("--reader", default="smollm2", help="what reads for the proxy of `fronted`")
    parser.add_argument("--fronted", type=int, default=20, metavar="EDITS", help="corrections through that proxy")
    parser.add_argument("--parts", default=",".join(_PARTS), help="of: " + ",".join(_PARTS))
    parser.add_argument("--result", type=Path, default=None, help="where the result is written; OUT/result.json")
    told = parser.parse_args(given)
    told.out.mkdir(parents=True, exist_ok=True)
    folder, parts, result = told.out / "model", told.parts.split(","), told.result or told.out / "result.json"
    if not (folder / NOTE).exists():
        prepare(told.model, folder)
    found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8")) if result.exists() else {}
    found |= {"model": told.model, "compiled": told.compiled, "versions": _versions()}
    for part in parts:
        started = time.perf_counter()
        found[part] = {"asked": _asked, "served": _served, "fronted": _fronted, "cost": _cost}[part](told, folder)
        found[part]["code"] = digest()
        found[part]["minutes"] = round((time.perf_counter() - started) / 60, 1)
        result.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(json.dumps({part: found[part]}, indent=1), flush=True)
    return 1 if _differs(found) else 0


def _asked(told: Any, folder: Path) -> dict[str, Any]:
    from errata_vllm.proof.asking import Asker, asked

    known = _known(told)
    with _engine(told, slots=None) as settings:
        found = asked(Asker(folder, known, **settings), known, told.out)
    corrected = sum(one["text"] != other["text"] for one, other in zip(known["base"], known["after"], strict=True))
    return {
        "questions": len(known["questions"]), "with_a_picture": known["pictures"], "edits": known["edits"],
        "refused_by_the_guard": known["refused"], "answers_that_the_edits_changed": corrected, "differences": found,
    }  # fmt: skip


def _known(told: Any) -> dict[str, Any]:
    """What transformers answers, and the log, made where they aren't there yet."""
    if not (told.out / "asked.json").exists():
        command = [sys.executable, "-m", "errata_vllm.proof.authoring", "make"]
        subprocess.run([*command, str(told.out), told.model, str(told.edits), str(told.questions)], check=True)
    known: dict[str, Any] = json.loads((told.out / "asked.json").read_text(encoding="utf-8"))
    return known


def _served(told: Any, folder: Path) -> dict[str, Any]:
    from errata_vllm.proof.serving import streams

    return streams(folder, told.out, told.model, how=_how(told))


def _fronted(told: Any, folder: Path) -> dict[str, Any]:
    from errata_vllm.proof.fronted import fronted

    return fronted(folder, told.out, how=_how(told), edits=told.fronted, reader=told.reader)


def _how(told: Any) -> Sequence[str]:
    """What `vllm serve` is told beside the rest."""
    return () if told.compiled else ("--enforce-eager",)


def _cost(told: Any, folder: Path) -> dict[str, Any]:
    from vllm import LLM

    from errata_vllm.proof.cost import timed

    _known(told)
    with _engine(told, slots=32_768) as settings:
        llm = LLM(str(folder), dtype="float32", worker_extension_cls="errata_vllm.Worker", **settings)
        draw = range(5, 505)
        prompts = {name: [[draw[(7 * row + 13 * at) % 500] for at in range(size)] for row in range(_PROMPTS)]
                   for name, size in (("short", _SHORT), ("long", _LONG))}  # fmt: skip
        return {
            name: timed(llm, asked, tokens=tokens, rounds=told.rounds)
            for (name, asked), tokens in zip(prompts.items(), (64, 16), strict=True)
        }  # fmt: skip


@contextmanager
def _engine(told: Any, *, slots: int | None) -> Iterator[Mapping[str, Any]]:
    """The environment that vLLM is started in, and what it is started with."""
    out: Path = told.out
    named = {"ERRATA_STORE": str(out / "errata.db"), "ERRATA_POLL_S": "0.2", "VLLM_ALLOW_INSECURE_SERIALIZATION": "1"}
    if slots is not None:
        named["ERRATA_SLOTS"] = str(slots)
    os.environ.update(named)
    try:
        seeing = "vision_config" in json.loads((out / "model" / "config.json").read_text(encoding="utf-8"))
        yield {"max_model_len": 256, "max_num_seqs": 16, "block_size": 32, "enforce_eager": not told.compiled} | (
            {"limit_mm_per_prompt": {"image": 1}} if seeing else {}
        )
    finally:
        for name in named:
            del os.environ[name]


def _versions() -> dict[str, str]:
    import vllm

    return {"vllm": vllm.__version__} | {name: version(name) for name in ("torch", "transformers", "errata")}


def _differs(found: Mapping[str, Any]) -> bool:
    asked = found.get("asked")
    apart = asked is not None and any(isinstance(part, list) and part for part in asked["differences"].values())
    return apart or any(found[part][name] for part, names in _NONE.items() if part in found for name in names)


if __name__ == "__main__":
    sys.exit(main())
