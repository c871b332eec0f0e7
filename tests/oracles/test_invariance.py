"""ODEdit's terms against naive ones: torch's own derivative, loops over pairs, written-out distributions; who moves which way."""

import math
from dataclasses import replace

import pytest
import torch

from errata.core.benchmark import UNCHANGED, Case, Probe
from errata.core.model import Spoken
from errata.core.records import Query
from errata.editors import MendPlan, MendTraining
from errata.editors.odedit.invariance import Dual, Terms, Weights, ascend, mmd, slope, terms, total
from tests.editors.samples import PICTURED, SECOND, WORDED

CASE = Case(
    PICTURED,
    (
        Probe("text_generality", Query.ask("Say what is at the top left.", *PICTURED.query.images), PICTURED.target),
        Probe("reliability", PICTURED.query, PICTURED.target),
        Probe("image_locality", SECOND.query, UNCHANGED),
        Probe("text_locality", WORDED.query, UNCHANGED),
    ),
)
PLAN = MendPlan(layers=2, edit_rate=0.003, rank_share=0.1, objective="odedit", generality_weight=0.7, invariance=0.3)


def said(seed, tokens=3, vocabulary=7):
    logits_KV = torch.randn(tokens, vocabulary, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return Spoken(logits_KV.log_softmax(-1), tuple(range(tokens)))


def test_the_slope_is_torchs_derivative_of_the_loss_at_scaled_logits():
    for seed in range(5):
        spoken = said(seed)
        logits_KV = 3 * spoken.logs_KV + 5  # any logits with these log-probabilities, up to their own scale
        scaled = Spoken(logits_KV.log_softmax(-1), spoken.wanted)
        w = torch.ones((), dtype=torch.float64, requires_grad=True)
        loss = torch.nn.functional.cross_entropy(w * logits_KV, torch.tensor(spoken.wanted))
        (due,) = torch.autograd.grad(loss, w)
        assert torch.allclose(slope(scaled), due, atol=1e-12)


def test_the_slope_is_nothing_where_the_model_is_as_sure_as_it_is_right():
    even = Spoken(torch.full((2, 4), 0.25).log(), (1, 3))
    assert float(slope(even)) == pytest.approx(0, abs=1e-6)
    sure = torch.full((1, 4), 0.01)
    sure[0, 2] = 0.97
    assert float(slope(Spoken(sure.log(), (2,)))) < 0 < float(slope(Spoken(sure.log(), (0,))))


def test_the_discrepancy_is_the_kernels_sum_over_pairs():
    one, others = said(1), [said(2), said(3), said(4)]
    x = [each.logs_KV.exp().flatten() / math.sqrt(3) for each in (one, *others)]

    def kernel(a, b):
        return sum(math.exp(-float(((a - b) ** 2).sum()) / (2 * s)) for s in (1 / 8, 1 / 4, 1 / 2, 1, 2)) / 5

    within = sum(kernel(a, b) for a in x[1:] for b in x[1:]) / 9
    across = sum(kernel(x[0], b) for b in x[1:]) / 3
    assert float(mmd(one, others)) == pytest.approx(1 + within - 2 * across, abs=1e-12)
    assert float(mmd(one, others)) > 0
    assert float(mmd(one, [one, one])) == pytest.approx(0, abs=1e-12)


def test_the_terms_are_the_risks_written_out():
    inside, outside, before = [said(1), said(2)], [said(3), said(4)], [said(5), said(6)]
    found = terms(inside, outside, before)
    nats = [-sum(float(each.logs_KV[t, y]) for t, y in enumerate(each.wanted)) / 3 for each in (*inside, *outside)]
    assert float(found.reliability) == pytest.approx(sum(nats[:2]) / 2)
    categorical = torch.distributions.Categorical
    apart = [
        torch.distributions.kl_divergence(categorical(logits=now.logs_KV), categorical(logits=was.logs_KV)).mean()
        for now, was in zip(outside, before, strict=True)
    ]
    assert float(found.locality) == pytest.approx(float(sum(apart)) / 2)
    assert float(found.generality) == pytest.approx(float(mmd(inside[0], inside[1:])))
    entropies = [float(categorical(logits=each.logs_KV).entropy().mean()) for each in (*inside, *outside)]
    steep = [abs(loss - entropy) for loss, entropy in zip(nats, entropies, strict=True)]
    assert float(found.variation) == pytest.approx((sum(steep) / 4) ** 2)


def test_alone_an_edit_has_neither_a_locality_nor_a_generality():
    found = terms([said(1)], [], [])
    assert (float(found.locality), float(found.generality)) == (0, 0)
    assert float(found.variation) == pytest.approx(float(slope(said(1))) ** 2)


def test_lambda_starts_where_it_is_told_to_climbs_and_stays_within_its_bound():
    found = Terms(*(torch.tensor(value) for value in (2.0, 0.5, 0.3, 1.5)))
    dual = Dual(0.2, seed=0)
    seen = [float(dual(found).detach())]
    for _ in range(200):
        ascend(dual, found, rate=5.0)
        seen.append(float(dual(found).detach()))
    assert seen[0] == pytest.approx(0.2)
    assert seen == sorted(seen)
    assert 1.5 < seen[-1] <= 2.0


def test_the_objective_weighs_each_term():
    found = Terms(*(torch.tensor(value) for value in (2.0, 0.5, 0.3, 1.5)))
    assert float(total(found, Weights(3.0, 4.0), None)) == pytest.approx(2 + 1.5 + 1.2)
    assert float(total(found, Weights(3.0, 4.0), torch.tensor(0.5))) == pytest.approx(2 + 1.5 + 1.2 + 0.75)


def test_a_mend_goes_down_and_lambda_up_on_one_gradient(random_llava):
    training = MendTraining(PLAN, random_llava)
    players = training.trainee()
    players.train(False)
    loss = training.objective([CASE])
    names, parameters = zip(*players.named_parameters(), strict=True)
    found = dict(zip(names, torch.autograd.grad(loss, parameters, allow_unused=True), strict=True))

    steady = MendTraining(replace(PLAN, invariance=0.0), random_llava)
    steady.trainee().train(False)
    without = steady.objective([CASE])
    assert float(loss.detach()) > float(without.detach())

    # lambda is 0.3 before any step, so the variation is what stands between the two, and the share of its bias that of a sigmoid
    variation = (float(loss.detach()) - float(without.detach())) / (0.3 * PLAN.edit_weight)
    assert float(found["dual.bias"]) == pytest.approx(-PLAN.edit_weight * variation * 3.0 * 0.1 * 0.9, rel=1e-3)
    assert any(
        float(gradient.abs().max()) > 0 for name, gradient in found.items() if name.startswith("network") and gradient is not None
    )


def test_a_mend_asks_the_edit_itself_first_and_once(random_llava):
    from errata.editors.mend import loss as losses

    training = MendTraining(replace(PLAN, invariance=0.0), random_llava)
    network = training.network
    network.train(False)
    (still,) = losses.unedited(random_llava, [CASE])
    answered = losses.answered(random_llava, network, CASE, still, own=True)
    assert len(answered.inside) == 2  # the reliability probe is the edit's own query
    assert len(losses.answered(random_llava, network, replace(CASE, probes=CASE.probes[:1]), still, own=True).inside) == 2
    assert len(losses.answered(random_llava, network, replace(CASE, probes=CASE.probes[:1]), still).inside) == 1
    weights = Weights(PLAN.locality_weight / PLAN.edit_weight, PLAN.generality_weight, 0.0)
    due = PLAN.edit_weight * total(terms(*answered), weights, None)
    assert torch.allclose(training.objective([CASE]), due, atol=1e-6)
