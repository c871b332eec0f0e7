"""Rows under patches that remember, entering and leaving: a module gives each what it would give it alone; who spoke."""

from __future__ import annotations

from random import Random

import pytest
import torch

from errata.core.records import EditId
from errata.nn.codes import Codes
from errata.nn.patches import Delta, LowRank, NoPatch, in_rows
from errata.nn.running import Carried, Running

LAST = "model.language_model.layers.3.mlp.down_proj"
LOWER = "model.language_model.layers.0.mlp.down_proj"
EDITS = tuple(EditId(name) for name in ("one", "two", "three"))


def codes(model, path, generator):
    """Six slots in runs of two; what follows is found from almost anywhere, what starts is not."""
    module = model.module(path)
    keys_MI = torch.nn.functional.normalize(torch.randn(6, module.in_features, generator=generator), dim=-1)
    first_M = torch.tensor([True, False] * 3)
    values_MO = torch.randn(6, module.out_features, generator=generator)
    return Codes(torch.eye(module.in_features), keys_MI, values_MO, first_M, ~first_M, reach=0.6, follow=-0.9, used=6)


def sequence(held, generator, dice):
    """Inputs at some positions, near a key here and there."""
    found = []
    for _ in range(dice.randint(4, 9)):
        x_I = torch.randn(held.keys_MR.shape[1], generator=generator)
        near = dice.choice([None, None, 0, 2, 4])
        found.append(x_I / 8 if near is None else held.keys_MR[near] * 4 + x_I / 8)
    return torch.stack(found)


def alone(model, path, patch, x_TI, prompt):
    with in_rows(model, [patch], role="text") as heard:
        outputs = [model.module(path)(x_TI[None, :prompt])[0]]
        outputs += [model.module(path)(x_I[None, None])[0] for x_I in x_TI[prompt:]]
    return torch.cat(outputs), heard.spoke(0, prompt=prompt, tokens=len(x_TI) - prompt + 1)


@pytest.mark.parametrize("path", [LAST, LOWER])
def test_whatever_enters_and_leaves_a_row_goes_on_where_it_was(random_llava, path):
    spoke = set()
    for seed in range(20):
        generator, dice = torch.Generator().manual_seed(seed), Random(seed)
        module = random_llava.module(path)
        books = [codes(random_llava, path, generator) for _ in range(2)]
        change = Delta(
            torch.randn(1, module.in_features, generator=generator), torch.randn(module.out_features, 1, generator=generator)
        )
        patches: list[NoPatch | LowRank] = [
            *(LowRank({path: book}, EDITS, bounds=(0, 2, 4, 6)) for book in books),
            LowRank({path: change}),
            NoPatch(),
        ]
        rows = [(dice.choice(patches), sequence(dice.choice(books), generator, dice), 3) for _ in range(8)]
        carried = [Carried(patch, prompt) for patch, _, prompt in rows]
        outputs: list[list[torch.Tensor]] = [[] for _ in rows]
        coming, live = list(range(len(rows))), list[int]()
        running: Running | None = None
        while coming or live:
            if coming and (not live or dice.random() < 0.5):
                new, coming = coming[:2], coming[2:]
                with Running(random_llava, [carried[row] for row in new]).on():
                    for row, y_TO in zip(new, module(torch.stack([rows[row][1][:3] for row in new])), strict=True):
                        outputs[row].append(y_TO)
                live, running = [*live, *new], None
            running = running or Running(random_llava, [carried[row] for row in live])
            at = [sum(map(len, outputs[row])) for row in live]
            with running.on():
                said = module(torch.stack([rows[row][1][place : place + 1] for row, place in zip(live, at, strict=True)]))
            for row, y_1O in zip(live, said, strict=True):
                outputs[row].append(y_1O)
            stay = [row for row, place in zip(live, at, strict=True) if place + 1 < len(rows[row][1])]
            live, running = stay, running if len(stay) == len(live) else None
        for (patch, x_TI, prompt), found, own in zip(rows, outputs, carried, strict=True):
            wanted, told = alone(random_llava, path, patch, x_TI, prompt)
            torch.testing.assert_close(torch.cat(found), wanted, atol=1e-4, rtol=1e-4)
            assert own.spoke == told
            spoke.add(told)
    assert len(spoke) > 4
