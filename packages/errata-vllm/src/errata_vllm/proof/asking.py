"""The side of the proof that runs inside vLLM: the same questions, by version, in batches of many versions, live, and timed."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

VERSIONS = ("base", "half", "after")
MOST = 64


class Asker:
    """vLLM with a model and its corrections, started offline.

    Args:
        folder: as `prepare` wrote it.
        told: what `authoring.make` wrote.
        engine: further arguments of `vllm.LLM`.
    """

    def __init__(self, folder: Path, told: Mapping[str, Any], **engine: Any) -> None:
        from vllm import LLM

        self._told = told
        self.llm = LLM(str(folder), dtype="float32", worker_extension_cls="errata_vllm.Worker", **{"enforce_eager": True, **engine})

    def status(self, *, look: bool = False) -> Mapping[str, Any]:
        """Of the one worker."""
        found: Mapping[str, Any] = self.llm.collective_rpc("errata_follow" if look else "errata_status")[0]
        return found

    def ask(self, pins: Sequence[str | int | None]) -> list[tuple[str, int]]:
        """The answer to each question, and how many tokens were chosen for it; `pins`: the version for each."""
        from vllm import SamplingParams

        chosen = [
            SamplingParams(temperature=0, max_tokens=MOST, extra_args=None if pin is None else {"errata_at": pin}) for pin in pins
        ]
        answers = self.llm.chat(self._told["questions"], chosen, use_tqdm=False)
        return [(answer.outputs[0].text.strip(), len(answer.outputs[0].token_ids)) for answer in answers]

    def apart(self, pins: Sequence[str | int | None], versions: Sequence[str]) -> list[Mapping[str, Any]]:
        """Where answers aren't those of transformers: `versions` names for each question which answers are meant."""
        found = list[Mapping[str, Any]]()
        for number, ((text, tokens), version) in enumerate(zip(self.ask(pins), versions, strict=True)):
            meant = self._told[version][number]
            if (text, tokens) != (meant["text"], meant["tokens"]):
                found.append({"question": number, "version": version, "transformers": meant["text"], "vllm": text})
        return found


def asked(asker: Asker, told: Mapping[str, Any], out: Path) -> dict[str, Any]:
    """Every question under every version, then in one batch of all versions, then after a revert that came while vLLM ran."""
    count = len(told["questions"])
    pins: Mapping[str, str | int | None] = {"base": "base", "half": told["half_seq"], "after": None}
    found: dict[str, Any] = {version: asker.apart([pins[version]] * count, [version] * count) for version in VERSIONS}
    draw = random.Random(1)
    mixed = [draw.choice(VERSIONS) for _ in range(count)]
    found["mixed"] = asker.apart([pins[version] for version in mixed], mixed)
    before = asker.status()
    subprocess.run([sys.executable, "-m", "errata_vllm.proof.authoring", "revert", str(out), told["model"]], check=True)
    started, seen = time.monotonic(), before
    while time.monotonic() - started < 60 and (seen["seq"] < seen["newest"] or seen["edits"]):
        time.sleep(0.2)
        seen = asker.status()
    found["reverted"] = asker.apart([None] * count, ["base"] * count)
    found["pinned_after_revert"] = asker.apart([told["seq"]] * count, ["after"] * count)
    for when, status in (("before", before), ("after", asker.status())):
        found[f"status_{when}"] = {**status, "edits": len(status["edits"])}
    return found
