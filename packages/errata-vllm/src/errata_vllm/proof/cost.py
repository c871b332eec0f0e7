"""What corrections cost: tokens a second with a memory of 0, 1, 100 and 10,000 edits, in one process, turn by turn.

The edits of the memory are made of random keys, three slots each, of which none is near a question: the looking is measured.
With no edits the seam still works out and keeps each row's code, which prefix caching needs; `off` is vLLM without the seam.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import torch
from torch.nn.functional import normalize

from errata.core.records import EditId
from errata.editors.codebook import State
from errata_vllm.book import BASE

SIZES: Final = (0, 1, 100, 10_000)
_SLOTS: Final = 3
_AT_LEAST_S: Final = 1.0
"""Of one measurement."""


def memory(worker: Any, edits: int | None) -> int:
    """Runs in the worker: in the place of what the log says a memory of so many edits stands; None takes the seam out."""
    seam = worker.model_runner.errata
    seam.stop()
    if edits is None:
        worker.model_runner._model_forward = seam._forward
        return 0
    worker.model_runner._model_forward = seam._forwarded
    if not edits:
        seam._head = (BASE, seam._head[1])
        return 0
    blank = seam._followed.lens()
    count, generator = edits * _SLOTS, torch.Generator().manual_seed(edits)
    keys_MR = normalize(torch.randn(count, len(blank.lens_RI), generator=generator), dim=-1)
    values_MO = torch.randn(count, blank.values_MO.shape[1], generator=generator)
    first_M = torch.arange(count) % _SLOTS == 0
    book = replace(
        blank, keys_MR=keys_MR, values_MO=values_MO, first_M=first_M, shut_M=torch.zeros(count, dtype=torch.bool), used=count
    )
    names = tuple(EditId(f"{edits:08d}{number:056d}") for number in range(edits))
    state = State(names, book, ((_SLOTS,),) * edits, 0, ((0.0,),) * edits)
    seam._head = (seam._book.put(state, keep=[]), seam._head[1])
    return count


def timed(llm: Any, prompts: Sequence[Any], *, tokens: int, rounds: int) -> dict[str, Any]:
    """Tokens a second for each size; sizes change places from round to round.

    Args:
        llm: `vllm.LLM`.
        prompts: token ids; each is answered with `tokens` tokens.
        tokens: of an answer.
        rounds: how often each size is measured.

    Returns:
        By size: the median of tokens a second over rounds, how much slower that is in percent than the seam without edits
        (`slower_than_0`) and than vLLM without the seam (`slower_than_off`), as quartiles over rounds, and every rate.
    """
    from vllm import SamplingParams

    chosen = SamplingParams(temperature=0, max_tokens=tokens, ignore_eos=True)
    draw, found = random.Random(0), dict[str, list[float]]()
    sizes: list[int | None] = [None, *SIZES]
    for round_ in range(rounds + 1):
        draw.shuffle(sizes)
        for size in sizes:
            llm.collective_rpc(partial(memory, edits=size))
            rate = _rate(llm, prompts, chosen)
            if round_:  # the first warms up
                found.setdefault("off" if size is None else str(size), []).append(rate)
    return {
        name: {"median": round(statistics.median(rates), 1), **_slower(rates, found), "all": [round(rate, 1) for rate in rates]}
        for name, rates in sorted(found.items())
    }


def _rate(llm: Any, prompts: Sequence[Any], chosen: Any) -> float:
    """Tokens a second, all prompts at once, again and again for a second."""
    done, took = 0, 0.0
    while took < _AT_LEAST_S:
        llm.reset_prefix_cache()
        started = time.perf_counter()
        llm.generate([{"prompt_token_ids": prompt} for prompt in prompts], chosen, use_tqdm=False)
        took += time.perf_counter() - started
        done += len(prompts) * chosen.max_tokens
    return done / took


def _slower(rates: Sequence[float], found: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    """Of each round how much slower it was than others in the same round, in percent: first quartile, median, third."""
    return {
        f"slower_than_{other}": [
            round(value, 1)
            for value in statistics.quantiles(
                [100 * (1 - rate / base) for rate, base in zip(rates, found[other], strict=True)], n=4
            )
        ]
        for other in ("0", "off")
    }
