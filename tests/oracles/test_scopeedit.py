"""ScopeEdit's published configuration against a naive version: dense gradients and inverses, in float64; and what the default adds.

What is published stands in `test_published`; here what no preset has any more (a P that knows the current key) is held too.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from errata.editors.scopeedit.editor import PRESETS, ScopeEdit
from errata.nn.patches import Delta, LowRank, Replaced
from tests.editors.samples import PICTURED, POOL, SECOND, WORDED, told

S, TAU, BETA = 2.0, 0.2, 10.0


class Naive:
    """Weights changed in full, every key kept, every inverse taken afresh. Bases are given."""

    def __init__(self, model, bases, groups, *, rank_shared, top_k, shared_groups, lam=1.0, current=False):
        self.model, self.bases, self.groups, self.lam, self.current = model, bases, groups, lam, current
        self.rank_shared, self.top_k, self.shared_groups = rank_shared, top_k, shared_groups
        self.change = {path: np.zeros((model.module(path).out_features, a.shape[1])) for path, a in bases.items()}
        self.keys: dict[str, tuple[list, list]] = {path: ([], []) for path in bases}

    def weights(self):
        own = {path: self.model.module(path).weight.detach() for path in self.bases}
        return {path: (own[path].double() + torch.from_numpy(self.change[path])).float().requires_grad_() for path in self.bases}

    def look(self, query, target, *, learn):
        """Dense gradients, and every module's input, by hooks of its own."""
        weights, inputs = self.weights(), {}

        def recorder(path):
            return lambda module, args: inputs.update({path: args[0].detach().double().reshape(-1, args[0].shape[-1]).numpy()})

        handles = [self.model.module(path).register_forward_pre_hook(recorder(path)) for path in self.bases]
        with Replaced(weights).on(self.model):
            loss = self.model.speaking(query, target, changing=tuple(self.bases))().unended.loss
        for handle in handles:
            handle.remove()
        if not learn:
            return {}, inputs
        found: tuple[torch.Tensor | None, ...] = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
        return {path: g.double().numpy() for path, g in zip(weights, found, strict=True) if g is not None}, inputs

    def inverse(self, path, branch):
        rank = self.rank_shared[path] if branch == 0 else self.bases[path].shape[0] - self.rank_shared[path]
        seen = sum((np.outer(z, z) for z in self.keys[path][branch]), np.zeros((rank, rank)))
        return np.linalg.inv(np.eye(rank) + seen / self.lam)

    def step(self, edit):
        gradients, inputs = self.look(edit.query, edit.target, learn=True)
        positions = self.model.positions(edit.query, edit.target)
        score = dict.fromkeys(self.groups.values(), 0.0)
        for path, g in gradients.items():
            score[self.groups[path]] += float(np.linalg.norm(S * g @ self.bases[path][self.rank_shared[path] :].T))
        active = sorted(score, key=lambda group: -score[group])[: self.top_k]
        sharing = [group for group in active if group != "projector"][: self.shared_groups]
        for path, g in gradients.items():
            if self.groups[path] not in active:
                continue
            x, (a_s, a_l) = inputs[path], np.split(self.bases[path], [self.rank_shared[path]])
            text = self.groups[path] != "projector"
            z = a_l @ (x[list(positions.target)] if text else x).mean(0)
            if self.current:
                self.keys[path][1].append(z)
            delta_l = -(0.1 if text else 0.001) * (S * g @ a_l.T) @ self.inverse(path, 1)
            self.change[path] += S * delta_l @ a_l
            if self.rank_shared[path] and self.groups[path] in sharing and positions.image:
                u, v = a_s @ x[list(positions.target)].mean(0), a_s @ x[list(positions.image)].mean(0)
                nu, nv = np.linalg.norm(u), np.linalg.norm(v)
                gamma = min(nu, nv) / max(nu, nv) / (1 + np.exp(-BETA * (u @ v / (nu * nv) - TAU)))
                delta_s = -1.0 * gamma * nv / (nu + nv) * (S * g @ a_s.T) @ self.inverse(path, 0)
                self.change[path] += S * delta_s @ a_s
                q = nu * u + nv * v
                self.keys[path][0].append(q / np.linalg.norm(q))
            if not self.current:
                self.keys[path][1].append(z)
        return active

    def protect(self, query, answer, groups):
        _, inputs = self.look(query, answer, learn=False)
        for path, x in inputs.items():
            if self.groups[path] in groups:
                self.keys[path][1].append(self.bases[path][self.rank_shared[path] :] @ x.mean(0))


def paper(**fields):
    return replace(PRESETS["paper"], steps=2, pool=POOL, **fields)


def change(module):
    return (module.delta.b_OR.double() @ module.delta.a_RI.double()).numpy()


def naive_for(model, editor, state, **kind):
    spec = editor.spec(model).fields
    groups = {path: f"layer {model.groups[path]}" if path in model.groups else "projector" for path in state.modules}
    return Naive(
        model,
        {path: module.delta.a_RI.double().numpy() for path, module in state.modules.items()},
        groups,
        rank_shared={path: module.rank_shared for path, module in state.modules.items()},
        top_k=spec["top_k"],
        shared_groups=spec["shared_groups"],
        **kind,
    )


@pytest.mark.parametrize(
    "fields", [{}, {"top_k": 1}, {"top_k": 4, "shared_groups": 1}], ids=["published shares", "one group", "all groups"]
)
def test_the_paper_preset_computes_what_its_equations_say(random_llava, fields):
    editor = paper(**fields)
    state = editor.begin(random_llava)
    follow(random_llava, editor, state, naive_for(random_llava, editor, state))


def test_a_preconditioner_of_the_current_key_computes_what_its_equations_say(random_llava):
    editor = replace(paper(), rank_local=512, rank_shared=0, lambda_local=0.5, preconditioner="current", basis="xavier")
    state = editor.begin(random_llava)
    assert not any(module.rank_shared for module in state.modules.values())
    follow(random_llava, editor, state, naive_for(random_llava, editor, state, lam=0.5, current=True))


def follow(random_llava, editor, state, naive):
    """Three edits and their protection on both sides: what was written, what was chosen and what is remembered agree."""
    for edit in (PICTURED, WORDED, SECOND):
        drawn = editor._drawn(state)
        state = editor.write(random_llava, state, edit)
        active = [naive.step(edit) for _ in range(2)]
        assert [[g.replace("layer.", "layer ") for g in groups] for groups in state.last["groups"]] == active
        for _, query, answer in drawn:
            naive.protect(query, answer, {group for groups in active for group in groups})
    for path, module in state.modules.items():
        wanted = naive.change[path]
        assert np.linalg.norm(change(module) - wanted) <= 1e-3 * np.linalg.norm(wanted) + 1e-12, path
        assert np.abs(module.p_local_LL.numpy() - naive.inverse(path, 1)).max() < 1e-4, path
        assert np.allclose(module.p_shared_SS.numpy(), naive.inverse(path, 0), rtol=0, atol=1e-4), path
    assert any(np.linalg.norm(wanted) > 1e-3 for wanted in naive.change.values())


def test_protection_draws_a_text_and_a_picture_from_the_pool_and_changes_with_the_place(random_llava):
    editor = paper()
    state = editor.begin(random_llava)
    drawn = editor._drawn(state)
    assert [bool(query.images) for _, query, _ in drawn] == [False, True]
    places = {tuple(q.digest for _, q, _ in editor._drawn(replace(state, edits=("e",) * n))) for n in range(12)}
    assert len(places) > 1


def test_polyaks_step_goes_as_far_as_the_tangent_needs_to_reach_zero(random_llava):
    fixed = ScopeEdit(steps=1, step_length="fixed", stop_nats=None, pool=POOL)
    begun = fixed.begin(random_llava)
    direction = moved(fixed.write(random_llava, begun, PICTURED))
    stepped = replace(fixed, step_length="polyak", relaxation=0.7, longest=None).write(random_llava, begun, PICTURED)
    found = moved(stepped)

    def loss(share):
        deltas = {path: module.delta.a_RI for path, module in begun.modules.items()}
        patch = LowRank({path: Delta(a_RI, share * direction[path]) for path, a_RI in deltas.items()})
        with torch.no_grad(), patch.on(random_llava):
            return float(random_llava.loss(PICTURED.query, PICTURED.target))

    tiny = 0.02 / max(float(d.abs().max()) for d in direction.values()) / 100
    slope = (loss(-tiny) - loss(tiny)) / (2 * tiny)
    assert slope > 0
    lengths = told(stepped)["lengths"]
    assert len(lengths) == 1
    assert lengths[0] == pytest.approx(0.7 * loss(0) / slope, rel=0.02)
    for path, d_OR in direction.items():
        assert torch.allclose(found[path], lengths[0] * d_OR, rtol=1e-4, atol=1e-6), path


def moved(state):
    return {path: module.delta.b_OR for path, module in state.modules.items()}


def test_the_first_preconditioner_knows_every_key_of_the_pool(random_llava):
    editor = ScopeEdit(pool=POOL, traffic=50.0, projector=True)
    state, blank = editor.begin(random_llava), replace(editor, traffic=0.0).begin(random_llava)
    naive = naive_for(random_llava, editor, blank)
    seen: dict[str, list[np.ndarray]] = {path: [] for path in naive.bases}
    for query, answer in zip(editor._pool(), state.answers, strict=True):
        if answer is not None:
            predicting = list(random_llava.positions(query, answer).predicting)
            for path, x in naive.look(query, answer, learn=False)[1].items():
                keys = x.mean(0, keepdims=True) if naive.groups[path] == "projector" else x[predicting]
                seen[path].append(keys @ naive.bases[path].T)
    for path, module in state.modules.items():
        z = np.concatenate(seen[path])[:, module.rank_shared :]
        mean = z.T @ z / np.square(z).sum()
        assert np.abs(module.p_local_LL.numpy() - np.linalg.inv(np.eye(z.shape[1]) + 50 * mean)).max() < 1e-4, path
        assert torch.equal(module.p_shared_SS, torch.eye(module.rank_shared))
    assert all(torch.equal(m.p_local_LL, torch.eye(len(m.p_local_LL))) for m in blank.modules.values())
