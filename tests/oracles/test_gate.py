"""The evidence gate against the values worked out by hand from its equations, at tau = 0.2 and beta = 10."""

import math

import pytest
import torch

from errata.editors.scopeedit.gate import SHUT, judge, shared_key


def evidence(cosine, text, image, *, width=6):
    """Two vectors with this cosine and these norms."""
    u, v = torch.zeros(width), torch.zeros(width)
    u[0] = text
    v[0], v[1] = image * cosine, image * math.sqrt(1 - cosine**2)
    return u, v


@pytest.mark.parametrize(
    ("cosine", "text", "image", "gamma", "own"),
    [
        (1.0, 1, 1, 0.9997, 0.4998),
        (0.5, 1, 1, 0.953, 0.476),
        (0.2, 1, 1, 0.500, 0.250),
        (0.0, 1, 1, 0.119, 0.060),
        (-0.2, 1, 1, 0.018, 0.009),
        (0.5, 1, 4, 0.238, 0.190),
        (0.5, 4, 1, 0.238, 0.048),
    ],
)
def test_the_gate_has_the_published_values(cosine, text, image, gamma, own):
    gate = judge(*evidence(cosine, text, image), tau=0.2, beta=10.0, floor=0.0)
    assert gate.gamma == pytest.approx(gamma, abs=6e-4)
    assert gate.own == pytest.approx(own, abs=6e-4)
    assert gate.cosine == pytest.approx(cosine, abs=1e-5)
    assert gate.support == pytest.approx(min(text, image) / max(text, image), abs=1e-5)
    assert gate.own + gate.other == pytest.approx(gate.gamma, abs=1e-5)


def test_no_evidence_on_one_side_shuts_the_gate():
    nothing, something = torch.zeros(4), torch.ones(4)
    assert judge(nothing, something, tau=0.2, beta=10.0, floor=0.0) == SHUT
    assert judge(something, nothing, tau=0.2, beta=10.0, floor=0.0) == SHUT
    assert shared_key(SHUT, nothing, something) is None


def test_below_the_floor_the_gate_is_shut_and_there_is_no_shared_key():
    u, v = evidence(-0.2, 1, 1)
    gate = judge(u, v, tau=0.2, beta=10.0, floor=0.02)
    assert (gate.gamma, gate.own) == (0.0, 0.0)
    assert shared_key(gate, u, v) is None
    assert shared_key(judge(u, v, tau=0.2, beta=10.0, floor=0.01), u, v) is not None


def test_the_shared_key_is_the_unit_vector_along_the_norm_weighted_sum():
    u, v = evidence(0.5, 3, 2)
    q = shared_key(judge(u, v, tau=0.2, beta=10.0, floor=0.0), u, v)
    wanted = u.norm() * u + v.norm() * v
    assert q is not None
    assert torch.allclose(q, wanted / wanted.norm(), atol=1e-6)


def test_a_nearly_shut_gate_still_has_a_whole_key_as_published():
    u, v = evidence(-0.9, 1, 1)
    q = shared_key(judge(u, v, tau=0.2, beta=10.0, floor=0.0), u, v)
    assert q is not None
    assert float(q.norm()) == pytest.approx(1.0, abs=1e-5)
