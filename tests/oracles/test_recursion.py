"""The recursion against the dense inverse that it stands for, and the limits and bounds that follow from it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from errata.nn.recursion import after, log_determinant, plasticity, untouched

RANK = 12


def keys(count, *, seed=0, rank=RANK):
    return torch.randn(count, rank, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def dense(keys_KR, lam):
    return torch.linalg.inv(torch.eye(keys_KR.shape[1], dtype=torch.float64) + keys_KR.T @ keys_KR / lam)


def start(rank=RANK):
    return torch.eye(rank, dtype=torch.float64)


@settings(max_examples=25, deadline=None)
@given(count=st.integers(1, 60), lam=st.floats(0.01, 100.0), seed=st.integers(0, 1000))
def test_the_recursion_equals_the_dense_inverse(count, lam, seed):
    found = after(start(), keys(count, seed=seed), lam=lam)
    assert (found - dense(keys(count, seed=seed), lam)).abs().max() < 1e-12


def test_the_recursion_stays_near_the_dense_inverse_in_float32_over_thousands_of_keys():
    many = keys(5000, rank=16)
    found = after(untouched(16, device=torch.device("cpu")), many.float(), lam=1.0)
    wanted = dense(many, 1.0)
    assert (found.double() - wanted).norm() / wanted.norm() < 1e-4
    assert torch.equal(found, found.T)


def test_a_zero_key_leaves_p_as_it_is():
    p = after(start(), keys(3), lam=1.0)
    assert torch.equal(after(p, torch.zeros(1, RANK, dtype=torch.float64), lam=1.0), p)


def test_the_order_of_keys_does_not_matter():
    many = keys(20)
    assert (after(start(), many, lam=0.5) - after(start(), many.flip(0), lam=0.5)).abs().max() < 1e-12


def test_the_old_p_stays_as_it_was():
    p = after(start(), keys(3), lam=1.0)
    before = p.clone()
    after(p, keys(5, seed=1), lam=1.0)
    assert torch.equal(p, before)


def test_a_small_lambda_leaves_only_what_no_key_touches():
    few = keys(5)
    basis, _ = torch.linalg.qr(few.T)
    projector = start() - basis @ basis.T
    assert (after(start(), few, lam=1e-10) - projector).abs().max() < 1e-6


def test_a_large_lambda_leaves_plain_gradient_descent():
    assert (after(start(), keys(5), lam=1e9) - start()).abs().max() < 1e-6


@pytest.mark.parametrize("times", [1, 5, 50])
def test_a_key_seen_n_times_keeps_its_published_share_of_plasticity(times):
    z = keys(1)
    z = z / z.norm()
    p = after(start(), z.repeat(times, 1), lam=1.0)
    assert float(z[0] @ p @ z[0]) == pytest.approx(1 / (1 + times), abs=1e-12)


def test_the_step_minimises_the_proximal_problem_that_it_comes_from():
    past, gradient, eta, lam = keys(7), keys(4, seed=2), 0.3, 0.8
    step = (-eta * gradient @ after(start(), past, lam=lam)).requires_grad_()
    paid = step.square().sum() + (step @ past.T).square().sum() / lam
    ((gradient * step).sum() + paid / (2 * eta)).backward()
    assert step.grad is not None
    assert step.grad.abs().max() < 1e-12


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), times=st.integers(1, 6))
def test_a_new_write_moves_an_old_key_no_further_than_the_bound(seed, times):
    lam, old, new = 1.0, keys(1, seed=seed)[0], keys(1, seed=seed + 1)[0]
    p = after(start(), old.repeat(times, 1), lam=lam)
    a_old, a_new = float(old @ old), float(new @ new)
    assert abs(float(new @ p @ old)) <= (a_new * lam * a_old / (lam + times * a_old)) ** 0.5 + 1e-9


def test_plasticity_falls_from_one_and_an_empty_branch_has_all_of_it():
    assert plasticity(start()) == 1.0
    assert 0 < plasticity(after(start(), keys(30), lam=1.0)) < 0.5
    assert plasticity(torch.empty(0, 0)) == 1.0


@settings(max_examples=25, deadline=None)
@given(count=st.integers(1, 30), lam=st.floats(0.01, 100.0), seed=st.integers(0, 1000))
def test_the_log_determinant_is_what_each_key_told_that_no_earlier_one_had(count, lam, seed):
    p, told = start(), 0.0
    for key in keys(count, seed=seed):
        told += float(torch.log1p(key @ p @ key / lam))
        p = after(p, key[None], lam=lam)
    assert log_determinant(p) == pytest.approx(-told, rel=1e-9)
    assert log_determinant(start()) == 0.0 == log_determinant(torch.empty(0, 0))
