"""The output-side factor against dense algebra in double precision."""

import pytest
import torch

from errata.nn.outward import DIRECTIONS, Outward, Sketch

CPU = torch.device("cpu")


def gradients(width, count, *, rank=7, common=3):
    """Gradients that share a few directions, as those of ordinary answers do."""
    generator = torch.Generator().manual_seed(width)
    shared = torch.randn(width, common, generator=generator)
    mixed = [shared @ torch.randn(common, rank, generator=generator) for _ in range(count)]
    return [
        10 ** float(torch.randn((), generator=generator)) * (g + 0.01 * torch.randn(width, rank, generator=generator))
        for g in mixed
    ]


def dense(found, weight):
    c = torch.stack([g.double() @ g.double().T / g.double().square().sum() for g in found]).mean(0)
    assert torch.isclose(c.trace(), torch.tensor(1.0, dtype=torch.float64))
    return torch.linalg.inv(torch.eye(len(c), dtype=torch.float64) + weight * c)


def sketched(found, weight):
    sketch = Sketch(len(found[0]), seed=1, name="a module", device=CPU)
    for gradient in found:
        sketch.add(gradient)
    factor = sketch.factor(weight)
    assert isinstance(factor, Outward)
    return factor


@pytest.mark.parametrize("weight", [0.5, 10.0, 1000.0])
def test_in_a_narrow_module_it_is_the_dense_inverse(weight):
    found = gradients(DIRECTIONS // 2, 40)
    step = torch.randn(DIRECTIONS // 2, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        sketched(found, weight).of(step), (dense(found, weight) @ step.double()).float(), rtol=1e-3, atol=1e-4
    )


def test_in_a_wide_module_it_knows_the_directions_that_matter_and_costs_a_few_columns():
    width = 6 * DIRECTIONS
    found = gradients(width, 40)
    factor = sketched(found, 10.0)
    assert factor.u_OK.shape == (width, DIRECTIONS)
    torch.testing.assert_close(factor.u_OK.T @ factor.u_OK, torch.eye(DIRECTIONS), rtol=0, atol=1e-4)
    step = torch.randn(width, 5, generator=torch.Generator().manual_seed(0))
    wrong = (factor.of(step).double() - dense(found, 10.0) @ step.double()).norm()
    assert wrong < 0.01 * step.norm()


def test_the_size_of_a_gradient_says_nothing_and_one_of_zeros_is_left_out():
    found = gradients(DIRECTIONS // 2, 20)
    one = sketched(found, 10.0)
    other = sketched([7 * g for g in found] + [torch.zeros_like(found[0])], 10.0)
    step = torch.eye(DIRECTIONS // 2)
    torch.testing.assert_close(one.of(step), other.of(step), rtol=1e-4, atol=1e-5)
    assert Sketch(8, seed=0, name="nothing", device=CPU).factor(10.0) is None
