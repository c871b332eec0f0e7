"""Muon moves a matrix along the orthogonal part of its momentum, at AdamW's scale, and goes on from a saved state."""

from __future__ import annotations

import math

import pytest
import torch

from errata.nn.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(24, 24), (16, 48), (48, 16)])
def test_newton_schulz_keeps_the_directions_and_brings_every_singular_value_near_one(shape):
    matrix = torch.randn(3, *shape, generator=torch.Generator().manual_seed(1))
    for one, found in zip(matrix, orthogonal(matrix), strict=True):
        left, sizes, right = torch.linalg.svd(one, full_matrices=False)
        kept = sizes > 0.1 * sizes.max()
        turned = left.T @ found @ right.T
        assert torch.allclose(turned, torch.diag(torch.diagonal(turned)), atol=1e-3)
        assert ((torch.diagonal(turned)[kept] > 0.6) & (torch.diagonal(turned)[kept] < 1.3)).all()


def test_a_step_has_the_size_that_the_equation_says():
    weight = torch.nn.Parameter(torch.zeros(32, 64))
    weight.grad = torch.randn(32, 64, generator=torch.Generator().manual_seed(2))
    Muon([weight], learning_rate=0.01, weight_decay=0.0).step()
    expected = -0.2 * 0.01 * math.sqrt(64) * orthogonal((weight.grad * (0.05 * 0.95 + 0.05))[None])[0]
    assert torch.allclose(weight.detach(), expected, atol=1e-6)


def test_in_bfloat16_a_step_is_the_same_up_to_rounding_and_the_weights_stay_in_their_precision():
    moved = []
    for half in (False, True):
        weight = torch.nn.Parameter(torch.zeros(32, 64))
        weight.grad = torch.randn(32, 64, generator=torch.Generator().manual_seed(2))
        Muon([weight], learning_rate=0.01, weight_decay=0.0, bfloat16=half).step()
        assert weight.dtype == torch.float32
        moved.append(weight.detach())
    exact, rounded = moved
    assert not torch.equal(exact, rounded)
    assert (exact - rounded).norm() < 0.03 * exact.norm()


def test_momentum_and_decay_follow_a_naive_loop():
    generator = torch.Generator().manual_seed(3)
    weight = torch.nn.Parameter(torch.randn(8, 12, generator=generator))
    naive, momentum = weight.detach().clone(), torch.zeros(8, 12)
    optimizer = Muon([weight], learning_rate=0.02, weight_decay=0.1, momentum=0.9)
    for _ in range(4):
        gradient = torch.randn(8, 12, generator=generator)
        weight.grad = gradient
        optimizer.step()
        momentum = 0.9 * momentum + 0.1 * gradient
        naive = naive * (1 - 0.02 * 0.1) - 0.2 * 0.02 * math.sqrt(12) * orthogonal((0.1 * gradient + 0.9 * momentum)[None])[0]
    assert torch.allclose(weight.detach(), naive, atol=1e-5)


def test_a_saved_optimizer_goes_on_where_it_was():
    def steps(optimizer, weight, seeds):
        for seed in seeds:
            weight.grad = torch.randn(6, 6, generator=torch.Generator().manual_seed(seed))
            optimizer.step()

    whole, half = torch.nn.Parameter(torch.eye(6)), torch.nn.Parameter(torch.eye(6))
    steps(Muon([whole]), whole, range(6))
    first = Muon([half])
    steps(first, half, range(3))
    again = Muon([half])
    again.load_state_dict(first.state_dict())
    steps(again, half, range(3, 6))
    assert torch.equal(whole, half)
