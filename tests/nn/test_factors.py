"""Factors of a gradient: which modules have some, what two writes make together, and no hook left behind."""

import pytest
import torch

from errata.nn.factors import added, factors_of, norm
from errata.nn.patches import Delta
from tests.editors.samples import PICTURED, WORDED


def hooks(model):
    return sum(len(module._forward_pre_hooks) + len(module._forward_hooks) for module in model.net.modules())


def delta(rank, width, out, *, seed):
    generator = torch.Generator().manual_seed(seed)
    return Delta(torch.randn(rank, width, generator=generator), torch.randn(out, rank, generator=generator))


def test_a_module_that_no_picture_reached_has_no_factors(random_llava):
    paths = [*random_llava.writable["projector"], random_llava.writable["text"][-1]]
    found = factors_of(random_llava, paths, lambda: random_llava.loss(WORDED.query, WORDED.target))
    assert set(found.factors) == {random_llava.writable["text"][-1]}
    nothing = factors_of(random_llava, paths[:1], lambda: random_llava.loss(WORDED.query, WORDED.target))
    assert nothing.factors == {}


def test_no_hook_and_no_gradient_is_left_also_after_an_error(random_llava):
    before = hooks(random_llava)

    def broken():
        random_llava.loss(PICTURED.query, PICTURED.target)
        raise AssertionError("on purpose")

    factors_of(random_llava, random_llava.writable["text"], lambda: random_llava.loss(PICTURED.query, PICTURED.target))
    with pytest.raises(AssertionError, match="on purpose"):
        factors_of(random_llava, random_llava.writable["text"], broken)
    assert hooks(random_llava) == before
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in random_llava.net.parameters())


@pytest.mark.parametrize(("width", "out"), [(7, 4), (4, 7), (5, 5)])
def test_two_writes_together_are_their_sum_in_no_more_room_than_the_narrower_side(width, out):
    one, other = delta(3, width, out, seed=1), delta(9, width, out, seed=2)
    both = added(one, other)
    assert torch.allclose(both.b_OR @ both.a_RI, one.b_OR @ one.a_RI + other.b_OR @ other.a_RI, atol=1e-5)
    assert both.a_RI.shape[0] == min(width, out)


def test_the_norm_of_a_write_is_that_of_the_matrix_it_stands_for():
    write = delta(3, 7, 4, seed=1)
    assert norm(write) == pytest.approx(float(torch.linalg.matrix_norm(write.b_OR @ write.a_RI)), rel=1e-5)
