"""MEND's parts against naive ones: dense gradients, loops over rows and tokens, finite differences, counted parameters."""

import math
from dataclasses import replace

import pytest
import torch

from errata.core.benchmark import UNCHANGED, Case, Probe
from errata.core.records import Query
from errata.editors import MendPlan, MendTraining
from errata.editors.mend import loss as losses
from errata.nn.factors import Factors, factors_of
from errata.nn.hypernetwork import Hypernetwork, Statistics, Transform
from errata.nn.patches import LowRank, NoPatch, Replaced
from tests.editors.samples import PICTURED, SECOND, WORDED

PLAN = MendPlan(layers=2, edit_rate=0.003, rank_share=0.1, edit_weight=0.3, locality_weight=0.7)
OTHER = Query.ask("Say what is at the top left.", *PICTURED.query.images)
CASE = Case(
    PICTURED,
    (
        Probe("text_generality", OTHER, PICTURED.target),
        Probe("reliability", PICTURED.query, PICTURED.target),
        Probe("portability", SECOND.query, SECOND.target),
        Probe("image_locality", SECOND.query, UNCHANGED),
        Probe("text_locality", WORDED.query, UNCHANGED),
    ),
)


def rows(count, width, *, seed=0):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def shaken(network, *, seed=1):
    """A network that isn't the identity any more."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator) / math.sqrt(parameter.shape[-1]))
    return network


def dense_gradients(model, paths, edit):
    leaves = {path: model.module(path).weight.detach().clone().requires_grad_() for path in paths}
    with Replaced(leaves).on(model):
        loss = model.loss(edit.query, edit.target)
    return dict(zip(paths, torch.autograd.grad(loss, list(leaves.values())), strict=True))


def by_hand(layer, module, z):
    """One layer on one row, its low-rank matrix made whole."""
    whole = layer.u_DR @ layer.v_RD
    inside = layer.scale_MD[module] * (whole @ z + layer.bias_D) + layer.shift_MD[module]
    return z + torch.where(inside > 0, inside, torch.zeros_like(inside))


def test_the_factors_are_those_of_autograds_dense_gradient_at_every_module(random_llava):
    paths = [*random_llava.writable["text"], *random_llava.writable["projector"]]
    found = factors_of(random_llava, paths, lambda: random_llava.loss(PICTURED.query, PICTURED.target))
    wanted = dense_gradients(random_llava, paths, PICTURED)
    assert found.factors.keys() == wanted.keys()
    for path, factors in found.factors.items():
        assert torch.allclose(factors.delta_TO.T @ factors.u_TI, wanted[path], atol=1e-6, rtol=1e-4), path
    assert found.loss_nats == pytest.approx(float(random_llava.loss(PICTURED.query, PICTURED.target)), abs=1e-6)


def test_the_last_layers_have_factors_only_where_the_answer_is_predicted(random_llava):
    last = [path for path, layer in random_llava.groups.items() if layer == max(random_llava.groups.values())]
    found = factors_of(random_llava, last, lambda: random_llava.loss(PICTURED.query, PICTURED.target))
    predicting = random_llava.positions(PICTURED.query, PICTURED.target).predicting
    assert {len(factors.u_TI) for factors in found.factors.values()} == {len(predicting)}


def test_the_running_statistics_are_those_of_all_rows_at_once():
    statistics, x = Statistics(5), 3 + 2 * rows(40, 5)
    for start, stop in ((0, 1), (1, 7), (7, 40)):
        statistics.take(x[start:stop])
    assert torch.allclose(statistics(x), (x - x.mean(0)) / (x.std(0) + 1e-7), atol=1e-5)


def test_the_transform_is_the_naive_dense_one_row_by_row():
    transform = shaken(Transform((6, 4), rank=3, modules=2, generator=torch.Generator().manual_seed(0)))
    raw = Factors(rows(20, 6), 0.01 * rows(20, 4, seed=1))
    transform.seen_u.take(raw.u_TI)
    transform.seen_delta.take(raw.delta_TO)
    transform.train(False)
    for module in (0, 1):
        found = transform(raw, module)
        naive = torch.zeros(4, 6)
        for u, delta in zip(raw.u_TI, raw.delta_TO, strict=True):
            u = (u - raw.u_TI.mean(0)) / (raw.u_TI.std(0) + 1e-7)
            delta = (delta - raw.delta_TO.mean(0)) / (raw.delta_TO.std(0) + 1e-7)
            z = by_hand(transform.second, module, by_hand(transform.first, module, torch.cat([u, delta])))
            naive += torch.outer(z[6:], z[:6])
        assert torch.allclose(found.delta_TO.T @ found.u_TI, naive, atol=1e-4)


def test_the_write_is_a_step_of_each_modules_own_rate_and_of_the_rank_of_its_factors():
    network = shaken(Hypernetwork({"a": (6, 4), "b": (6, 4)}, rank=3, edit_rate=0.1, seed=0)).train(False)
    raw = {path: Factors(rows(2, 6), rows(2, 4)) for path in ("a", "b")}
    for path, delta in network(raw).items():
        new = network.transformed(path, raw[path])
        assert torch.allclose(delta.b_OR @ delta.a_RI, -network.rate(path) * new.delta_TO.T @ new.u_TI, atol=1e-6)
        assert delta.a_RI.shape == (2, 6)
    assert not torch.allclose(network.rate("a"), network.rate("b"))


def test_an_untrained_network_only_normalises_and_has_something_to_learn_from():
    network = Hypernetwork({"a": (6, 4)}, rank=3, edit_rate=0.25, seed=0)
    raw = Factors(rows(9, 6), rows(9, 4))
    new = network.transformed("a", raw)  # in training mode: the rows enter the statistics first
    assert torch.allclose(new.u_TI, (raw.u_TI - raw.u_TI.mean(0)) / (raw.u_TI.std(0) + 1e-7), atol=1e-5)
    assert float(network.rate("a").detach()) == pytest.approx(0.25)
    (new.u_TI.square().sum() + new.delta_TO.sum()).backward()
    u_DR = next(parameter for name, parameter in network.named_parameters() if name.endswith("first.u_DR"))
    assert u_DR.grad is not None
    assert u_DR.grad.abs().max() > 0


@pytest.mark.parametrize(("where", "layers"), [("text", 1), ("text", 3), ("vision", 1)])
def test_the_network_has_as_many_parameters_as_the_formula_says(random_llava, where, layers):
    plan = MendPlan(where=where, layers=layers, rank_share=0.2)
    shapes = plan.shapes(random_llava)
    rank = int(0.2 * min(sum(shape) for shape in shapes.values()))
    expected = len(shapes)
    for shape in set(shapes.values()):
        wide, modules = sum(shape), sum(other == shape for other in shapes.values())
        expected += 2 * (2 * wide * rank + wide + 2 * modules * wide)
    assert sum(parameter.numel() for parameter in plan.network(shapes).parameters()) == expected


def test_whole_distributions_in_a_batch_are_those_of_each_row_alone_and_their_loss_the_models_own(random_llava):
    queries, targets = [PICTURED.query, WORDED.query, OTHER], [PICTURED.target, WORDED.target, SECOND.target]
    for query, target, spoken in zip(queries, targets, random_llava.spoken(queries, targets), strict=True):
        (alone,) = random_llava.spoken([query], [target])
        assert torch.allclose(spoken.logs_KV, alone.logs_KV, atol=1e-4)
        assert len(spoken.wanted) == len(random_llava.positions(query, target).predicting)
        assert float(spoken.loss) == pytest.approx(float(random_llava.loss(query, target)), abs=1e-5)
        assert torch.allclose(spoken.logs_KV.exp().sum(-1), torch.ones(len(spoken.wanted)), atol=1e-5)
        (scores,) = random_llava.predict_many([query], [target], [NoPatch()])
        assert spoken.wanted[:-1] == scores.targets


def written(model, training, edit=PICTURED):
    network = training.trainee()
    return LowRank(network(losses.raw(model, network.paths, edit).factors))


def risk_of(model, training, case):
    (still,) = losses.unedited(model, [case])
    return losses.risk(losses.answered(model, training.network, case, still))


def test_the_training_loss_is_the_edited_models_own_loss_and_its_divergence_token_by_token(random_llava):
    training = MendTraining(PLAN, random_llava)
    shaken(training.trainee()).train(False)
    risk = risk_of(random_llava, training, CASE)
    with written(random_llava, training).on(random_llava):
        learned = [float(random_llava.loss(query, PICTURED.target).detach()) for query in (OTHER, PICTURED.query)]
    assert float(risk.edit_nats.detach()) == pytest.approx(sum(learned) / 2, abs=1e-5)

    apart = []
    for query in (SECOND.query, WORDED.query):
        (answer,) = random_llava.answers([query], [NoPatch()], max_new_tokens=16)
        (was,) = random_llava.spoken([query], [answer])
        with written(random_llava, training).on(random_llava):
            (now,) = random_llava.spoken([query], [answer])
        tokens = zip(was.logs_KV.tolist(), now.logs_KV.tolist(), strict=True)
        each = [sum(math.exp(p) * (p - q) for p, q in zip(a, b, strict=True)) for a, b in tokens]
        apart.append(sum(each) / len(each))
    assert float(risk.locality_nats.detach()) == pytest.approx(sum(apart) / 2, rel=1e-3)
    assert float(risk.locality_nats.detach()) > 1e-3
    whole = PLAN.edit_weight * risk.edit_nats + PLAN.locality_weight * risk.locality_nats
    assert float(training.objective([CASE]).detach()) == pytest.approx(float(whole.detach()), abs=1e-6)


def test_without_an_equivalent_probe_the_edits_own_query_is_learned(random_llava):
    training = MendTraining(PLAN, random_llava)
    training.trainee().train(False)
    risk = risk_of(random_llava, training, Case(PICTURED, ()))
    with written(random_llava, training).on(random_llava):
        own = float(random_llava.loss(PICTURED.query, PICTURED.target).detach())
    assert float(risk.edit_nats.detach()) == pytest.approx(own, abs=1e-5)
    assert float(risk.locality_nats) == 0


def test_cases_that_are_asked_together_count_as_each_alone(random_llava):
    training = MendTraining(PLAN, random_llava)
    shaken(training.trainee()).train(False)
    other = Case(SECOND, (Probe("reliability", SECOND.query, SECOND.target), Probe("text_locality", PICTURED.query, UNCHANGED)))
    alone = [float(training.objective([case]).detach()) for case in (CASE, other)]
    assert alone[0] != pytest.approx(alone[1], rel=0.01)
    assert float(training.objective([CASE, other]).detach()) == pytest.approx(sum(alone) / 2, rel=1e-4)


def test_the_training_losss_gradient_is_that_of_finite_differences(random_llava):
    training = MendTraining(PLAN, random_llava)
    network = shaken(training.trainee())
    training.objective([CASE])  # in training mode: the statistics are those of this edit
    network.train(False)
    training.objective([CASE]).backward()
    for seed, (name, parameter) in enumerate(network.named_parameters()):
        assert parameter.grad is not None, name
        along = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed))
        along = parameter.grad / parameter.grad.norm() + 0.3 * along / along.norm()
        slope, losses = float((parameter.grad * along).sum()), []
        for share in (1, -1):
            with torch.no_grad():
                parameter.add_(share * 1e-2 * along)
                losses.append(float(training.objective([CASE])))
                parameter.sub_(share * 1e-2 * along)
        assert (losses[0] - losses[1]) / 2e-2 == pytest.approx(slope, rel=0.05, abs=2e-4), name


def test_a_write_with_other_wordings_follows_the_mean_gradient(random_llava):
    paths = tuple(PLAN.shapes(random_llava))
    raw = losses.raw(random_llava, paths, replace(PICTURED, also=(OTHER,)))
    one = dense_gradients(random_llava, paths, PICTURED)
    other = dense_gradients(random_llava, paths, replace(PICTURED, query=OTHER))
    for path, factors in raw.factors.items():
        assert torch.allclose(factors.delta_TO.T @ factors.u_TI, (one[path] + other[path]) / 2, atol=1e-6, rtol=1e-4)
