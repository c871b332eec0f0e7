"""The recursion's small promises; its equations are proved in tests/oracles."""

import torch

from errata.nn.recursion import after, untouched


def test_untouched_is_the_identity_in_float32():
    assert torch.equal(untouched(3, device=torch.device("cpu")), torch.eye(3, dtype=torch.float32))


def test_no_keys_change_nothing():
    p = untouched(3, device=torch.device("cpu"))
    assert torch.equal(after(p, torch.empty(0, 3), lam=1.0), p)


def test_keys_of_another_dtype_are_taken_in_p_s():
    p = after(untouched(3, device=torch.device("cpu")), torch.ones(1, 3, dtype=torch.bfloat16), lam=1.0)
    assert p.dtype == torch.float32
