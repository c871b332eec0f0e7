"""Edits made of random slots, versions of them, and positions that wander along their runs."""

from __future__ import annotations

import torch

from errata.core.records import EditId
from errata.editors.codebook import Codebook, Part, State
from errata.nn.codes import Codes

WIDTH, OUT = 12, 6


def rows(count, seed):
    return torch.nn.functional.normalize(torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed)), dim=-1)


def blank(slots=64, reach=0.6, follow=0.1):
    book = Codes(
        torch.eye(WIDTH), torch.zeros(slots, WIDTH), torch.zeros(slots, OUT), torch.zeros(slots, dtype=torch.bool),
        torch.zeros(slots, dtype=torch.bool), reach=reach, follow=follow, used=0,
    )  # fmt: skip
    return State((), book, (), 0, ())


def part(seed, span):
    values = torch.randn(sum(span), OUT, generator=torch.Generator().manual_seed(seed + 1000))
    return Part(rows(sum(span), seed), values, span, (1.0,))


PARTS = {EditId(f"{seed:064x}"): part(seed, span) for seed, span in enumerate([(3,), (1, 2), (5,), (2,), (4, 1)])}


def state_of(*edits):
    state = blank()
    for edit in edits:
        state = Codebook(slots=64, same=0.999).joined(state, edit, PARTS[edit])
    return state


VERSIONS = [state_of(*list(PARTS)[:count]) for count in (1, 3, 5)] + [state_of(*list(PARTS)[1::2])]


def walk(seed, length=40):
    """Positions that wander along the edits' runs, so that slots start, follow, break off and start again."""
    generator = torch.Generator().manual_seed(seed)
    keys = torch.cat([each.keys_KR for each in PARTS.values()])
    found, at = [], 0
    for _ in range(length):
        jump = float(torch.rand((), generator=generator)) < 0.3
        at = int(torch.randint(len(keys), (), generator=generator)) if jump else (at + 1) % len(keys)
        noise = torch.randn(WIDTH, generator=generator) * float(torch.rand((), generator=generator))
        found.append(keys[at] + 0.5 * noise)
    return torch.stack(found)


def expected(state, x_TI, y_TO):
    """The outputs that a reading alone gives: all positions at once."""
    return state.book.reader(y_TO).moved(x_TI, y_TO)
