"""Bases: orthonormal, split without overlap, the same for the same seed and name."""

import pytest
import torch

from errata.nn.lowrank import orthonormal_rows


@pytest.mark.parametrize(("dtype", "allowed"), [(torch.float32, 2e-6), (torch.float16, 3e-3), (torch.bfloat16, 3e-2)])
def test_the_two_branches_share_no_direction_in_any_dtype(dtype, allowed):
    rows = orthonormal_rows(96, 192, seed=1, name="m").to(dtype).float()
    shared, local = rows[:12], rows[12:]
    assert torch.linalg.matrix_norm(shared @ local.T, ord=2) < allowed
    assert torch.linalg.matrix_norm(local @ local.T - torch.eye(84), ord=2) < allowed


def test_the_branches_changes_are_orthogonal_matrices_whatever_b_holds():
    rows = orthonormal_rows(24, 64, seed=1, name="m").double()
    b = torch.randn(32, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    shared, local = b[:, :4] @ rows[:4], b[:, 4:] @ rows[4:]
    assert abs(float((shared * local).sum())) < 1e-5 * float(shared.norm() * local.norm())
    assert float((shared + local).norm()) == pytest.approx(float(b.norm()), rel=1e-5)


def test_a_basis_is_settled_by_its_seed_and_name():
    rows = orthonormal_rows(8, 32, seed=1, name="m")
    torch.manual_seed(5)
    assert torch.equal(rows, orthonormal_rows(8, 32, seed=1, name="m"))
    assert not torch.equal(rows, orthonormal_rows(8, 32, seed=2, name="m"))
    assert not torch.equal(rows, orthonormal_rows(8, 32, seed=1, name="n"))


def test_drawing_a_basis_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    wanted = torch.rand(1)
    torch.manual_seed(5)
    orthonormal_rows(8, 32, seed=1, name="m")
    assert torch.equal(torch.rand(1), wanted)


def test_a_rank_above_the_width_is_refused():
    with pytest.raises(ValueError, match="33 orthonormal rows don't fit in 32"):
        orthonormal_rows(33, 32, seed=1, name="m")
