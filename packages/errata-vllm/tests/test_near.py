"""No key that is near is missed, whatever was rounded away, and where none is, none is worked out in full."""

from __future__ import annotations

import pytest
import torch

from errata_vllm.near import Near


def unit(count, width, seed, spikes=0.0):
    drawn = torch.randn(count, width, generator=torch.Generator().manual_seed(seed))
    drawn[:, 0] += spikes * drawn.norm(dim=-1)
    return torch.nn.functional.normalize(drawn, dim=-1)


def held(keys_MR, *, room=None):
    buffer = torch.zeros(room or len(keys_MR), keys_MR.shape[1])
    near = Near(buffer)
    buffer[: len(keys_MR)] = keys_MR
    near.changed(torch.arange(len(keys_MR)), len(keys_MR))
    return near, buffer


def pairs(near, codes_NR, reach):
    """As lists of rows and of slots."""
    found = near.pairs(codes_NR, reach)
    return ([], []) if found is None else tuple(each.tolist() for each in found)


@pytest.mark.parametrize("count", [300, 1500])
@pytest.mark.parametrize("spikes", [0.0, 0.5, 5.0])
@pytest.mark.parametrize("width", [1, 12, 64, 256])
@pytest.mark.parametrize("reach", [0.05, 0.6, 0.88, 0.999, 1.0])
def test_every_pair_within_reach_is_found(width, spikes, reach, count):
    keys = unit(count, width, 1, spikes)
    near, _ = held(keys)
    away = torch.rand(40, 1, generator=torch.Generator().manual_seed(2))
    codes = torch.nn.functional.normalize(keys[:40] + away * unit(40, width, 3), dim=-1)
    codes[0] = keys[0]
    rows, slots = pairs(near, codes, reach)
    found = set(zip(rows, slots, strict=True))
    within = ((codes.double() @ keys.double().T) >= reach).nonzero().tolist()
    assert set(map(tuple, within)) <= found
    assert (0, 0) in found
    assert len(found) == len(rows)


def test_few_others_are_let_through():
    keys, codes = unit(20_000, 256, 1), unit(8, 256, 2)
    near, _ = held(keys)
    assert near.pairs(codes, 0.88) is None
    assert len(pairs(near, torch.cat([codes, keys[:3]]), 0.88)[0]) == 3
    looser = (codes @ keys.T >= 0.15 - 0.09).sum()
    assert (codes @ keys.T >= 0.15).sum() <= len(pairs(near, codes, 0.15)[0]) <= looser


def test_keys_that_come_later_may_be_larger_and_those_before_are_found_all_the_same():
    near, buffer = held(unit(2000, 64, 1), room=2010)
    buffer[2000] = torch.eye(64)[3]
    near.changed(torch.tensor([2000]), 2001)
    for slot in (0, 1999, 2000):
        assert pairs(near, buffer[slot][None], 0.99) == ([0], [slot])
    buffer[7] = -buffer[7]
    near.changed(torch.tensor([7]), 2001)
    assert pairs(near, buffer[7][None], 0.99) == ([0], [7])
    assert near.pairs(-buffer[7][None], 0.99) is None


def test_without_keys_nothing_is_near():
    near, _ = held(unit(0, 16, 1), room=4)
    assert near.pairs(unit(3, 16, 2), -1.0) is None
