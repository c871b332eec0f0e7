"""The presets `paper` and `more` against what was published: constants and equations of ScopeEdit (arXiv 2607.01978) and of M-ORE
(arXiv 2605.20273), written down here anew, step by step, over a sequence of edits.

The model has 32 decoder layers, as the published one, so that 12 of them and the projector are written, and in double precision, so
that what is left of a difference is the editor's own. Nothing of errata is asked here but where the pictures and words of a query
stand, and which bases were drawn.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch

from errata.core.records import Edit, Query
from errata.editors.scopeedit.editor import PRESETS
from errata.models import load
from errata.models.small.build import build_llava
from tests.conftest import SIZES, WORDS, enliven
from tests.editors.samples import PICTURED, POOL, SECOND, WORDED, picture

LAYERS, WRITTEN, TOP, SHARING, STEPS = 32, 12, 7, 6, 5
TOLERANCE = 1e-5
EDITS = (
    PICTURED,
    WORDED,
    SECOND,
    Edit(Query.ask("What is this?", picture(0, 200, 0)), "two"),
    Edit(PICTURED.query, "the blue ring in the town"),
)


@dataclass(frozen=True)
class Published:
    """The constants of one LLaVA configuration."""

    ranks: tuple[int, int]
    """Local and shared, of 4,096 dimensions."""

    eta_text: float
    eta_vision: float
    eta_shared: float
    lam: float
    scale: float
    tau: float
    beta: float
    protects: bool


SCOPEEDIT = Published((448, 64), 0.1, 0.001, 1.0, 1.0, 1024 / 512, 0.2, 10.0, protects=True)
MORE = Published((512, 0), 0.1, 0.1, 0.0, 2000.0, 2.0, 0.0, 0.0, protects=False)


@dataclass
class Module:
    """One written linear module: y = W x + s (B_l A_l x + B_s A_s x), with every key it ever met."""

    a_s: np.ndarray
    a_l: np.ndarray
    group: str
    b_s: np.ndarray = field(init=False)
    b_l: np.ndarray = field(init=False)
    keys_s: list[np.ndarray] = field(default_factory=list)
    keys_l: list[np.ndarray] = field(default_factory=list)

    def inverse(self, keys: list[np.ndarray], rank: int, lam: float) -> np.ndarray:
        """(I + 1/lambda sum z z^T)^-1, afresh from every key."""
        return np.linalg.inv(np.eye(rank) + sum((np.outer(z, z) for z in keys), np.zeros((rank, rank))) / lam)


class Oracle:
    """The published algorithm, on the network alone."""

    def __init__(self, net, processor, modules: dict[str, Module], told: Published):
        self.net, self.processor, self.modules, self.told = net, processor, modules, told
        for path, module in modules.items():
            out = net.get_submodule(path).out_features
            module.b_s, module.b_l = np.zeros((out, len(module.a_s))), np.zeros((out, len(module.a_l)))

    def encoded(self, query: Query, target: str):
        """The sequence, how many of its last tokens are the target's, and where it holds image tokens."""
        parts = [{"type": "text", "text": p} if isinstance(p, str) else {"type": "image"} for p in query.messages[0].parts]
        prompt = self.processor.apply_chat_template([{"role": "user", "content": parts}], add_generation_prompt=True)
        images = [image.pixels() for image in query.images] or None
        short, whole = (
            self.processor(text=text, images=images, return_tensors="pt", add_special_tokens=False)
            for text in (prompt, f"{prompt} {target}")
        )
        if images:
            whole["pixel_values"] = whole["pixel_values"].double()
        count = whole["input_ids"].shape[1] - short["input_ids"].shape[1]
        return whole, count, (whole["input_ids"][0] == self.net.config.image_token_id).numpy()

    def passed(self, query: Query, target: str):
        """Of one pass with all that is written so far: the gradients for B, what went into each module, and the two masks."""
        batch, count, image = self.encoded(query, target)
        seen, leaves, handles = {}, {}, []
        for path, module in self.modules.items():
            a_s, a_l = torch.from_numpy(module.a_s), torch.from_numpy(module.a_l)
            b_s, b_l = (torch.from_numpy(b.copy()).requires_grad_() for b in (module.b_s, module.b_l))
            leaves[path] = (b_s, b_l)

            def hook(_, args, y, path=path, a_s=a_s, a_l=a_l, b_s=b_s, b_l=b_l):
                seen[path] = args[0].detach().reshape(-1, args[0].shape[-1]).numpy()
                return y + self.told.scale * (args[0] @ a_l.T @ b_l.T + args[0] @ a_s.T @ b_s.T)

            handles.append(self.net.get_submodule(path).register_forward_hook(hook))
        logits = self.net(**batch).logits[0]
        for handle in handles:
            handle.remove()
        answer = batch["input_ids"][0, -count:]
        loss = torch.nn.functional.cross_entropy(logits[-count - 1 : -1], answer)  # the target's tokens, and no end
        flat = [leaf for path in leaves for leaf in leaves[path] if leaf.numel()]
        found = dict(zip(map(id, flat), torch.autograd.grad(loss, flat, allow_unused=True), strict=True))
        gradients = {}
        for path, (b_s, b_l) in leaves.items():
            if found[id(b_l)] is not None:
                shared = found.get(id(b_s))
                gradients[path] = (np.zeros(b_s.shape) if shared is None else shared.numpy(), found[id(b_l)].numpy())
        target_mask = np.zeros(len(image), dtype=bool)
        target_mask[-count:] = True
        return float(loss.detach()), gradients, seen, target_mask, image

    def step(self, edit: Edit) -> tuple[float, list[str]]:
        told = self.told
        loss, gradients, seen, answer, image = self.passed(edit.query, edit.target)
        score: dict[str, float] = defaultdict(float)
        for path, (_, local) in gradients.items():
            score[self.modules[path].group] += float(np.linalg.norm(local))
        active = sorted(score, key=lambda group: -score[group])[:TOP]
        sharing = [group for group in active if group != "projector"][:SHARING]
        for path, (g_s, g_l) in gradients.items():
            module, x = self.modules[path], seen[path]
            if module.group not in active:
                continue
            text = module.group != "projector"
            z = module.a_l @ x[answer].mean(0) if text else module.a_l @ x.mean(0)
            module.b_l = module.b_l - (told.eta_text if text else told.eta_vision) * g_l @ module.inverse(
                module.keys_l, len(z), told.lam
            )
            if len(module.a_s) and module.group in sharing and image.any():
                u, v = module.a_s @ x[answer].mean(0), module.a_s @ x[image].mean(0)
                own, q = gate(u, v, told)
                module.b_s = module.b_s - told.eta_shared * own * g_s @ module.inverse(module.keys_s, len(q), 1.0)
                module.keys_s.append(q)
            module.keys_l.append(z)  # history only: the step above knew the earlier keys alone
        return loss, active

    def protect(self, query: Query, answer: str, groups: set[str]) -> None:
        """A key, and no step: the mean over all positions, in the local branch of the groups that the edit wrote."""
        _, _, seen, _, _ = self.passed(query, answer)
        for path, x in seen.items():
            if self.modules[path].group in groups:
                self.modules[path].keys_l.append(self.modules[path].a_l @ x.mean(0))


def gate(u: np.ndarray, v: np.ndarray, told: Published) -> tuple[float, np.ndarray]:
    """gamma_self, and the shared key q of unit length."""
    nu, nv, eps = float(np.linalg.norm(u)), float(np.linalg.norm(v)), 1e-6
    gamma = min(nu, nv) / (max(nu, nv) + eps) / (1 + np.exp(-told.beta * (u @ v / (nu * nv + eps) - told.tau)))
    own, other = gamma * nv / (nu + nv + eps), gamma * nu / (nu + nv + eps)
    q = other * u + own * v
    return own, q / np.linalg.norm(q)


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    """A random LLaVA of 32 layers, in double precision."""
    folder = tmp_path_factory.mktemp("deep") / "llava"
    sizes = replace(SIZES, width=32, ffn=64, layers=LAYERS, vision_width=32, vision_ffn=64)
    build_llava(folder, texts=WORDS * 8, sizes=sizes, seed=3)
    model = load(enliven(folder))
    model.net.double()
    return model


def close(found, wanted) -> float:
    return float(np.linalg.norm(found - wanted)) / max(float(np.linalg.norm(wanted)), 1e-12)


def follow(model, editor, told: Published) -> None:
    """Both sides, edit by edit: losses, groups, what is written and what is remembered."""
    state = editor.begin(model)
    assert len({path.split(".mlp")[0] for path in state.modules if ".layers." in path}) == WRITTEN
    modules = {}
    for path, each in state.modules.items():
        a, cut = each.delta.a_RI.double().numpy(), each.rank_shared
        assert len(a) == a.shape[1] // 2, "the published share: 512 of 4,096, 11,008 and 1,024 at most a half"
        assert cut == round(len(a) * told.ranks[1] / sum(told.ranks))
        modules[path] = Module(a[:cut], a[cut:], f"layer.{model.groups[path]}" if path in model.groups else "projector")
    oracle = Oracle(model.net, model.processor, modules, told)
    written = 0
    for edit in EDITS:
        drawn = editor._drawn(state)
        assert len(drawn) == (2 if told.protects else 0)
        state = editor.write(model, state, edit)
        steps = [oracle.step(edit) for _ in range(STEPS)]
        assert [list(groups) for groups in state.last["groups"]] == [active for _, active in steps]
        assert state.last["losses_nats"] == pytest.approx([loss for loss, _ in steps], rel=TOLERANCE)
        for _, query, answer in drawn:
            oracle.protect(query, answer, {group for _, active in steps for group in active})
        for path, module in modules.items():
            found, cut = state.modules[path], state.modules[path].rank_shared
            b = found.delta.b_OR.double().numpy() / told.scale  # it is kept as s B
            p_l = module.inverse(module.keys_l, len(module.a_l), told.lam)
            assert close(found.p_local_LL.double().numpy(), p_l) < TOLERANCE, path
            if np.any(module.b_l):
                written += 1
                assert close(b[:, cut:], module.b_l) < TOLERANCE, path
            if np.any(module.b_s):
                assert close(b[:, :cut], module.b_s) < TOLERANCE, path
                assert close(found.p_shared_SS.double().numpy(), module.inverse(module.keys_s, cut, 1.0)) < TOLERANCE, path
    assert written >= 3 * TOP
    assert any(np.any(module.b_s) for module in modules.values()) == bool(told.ranks[1])


def test_the_paper_preset_is_the_published_scopeedit_step_by_step(deep):
    follow(deep, replace(PRESETS["paper"], pool=POOL), SCOPEEDIT)


def test_the_more_preset_is_the_published_m_ore_step_by_step(deep):
    follow(deep, replace(PRESETS["more"], pool=POOL), MORE)


def test_m_ores_basis_is_drawn_from_a_normal_distribution_of_xaviers_variance(deep):
    state = PRESETS["more"].begin(deep)
    drawn = np.concatenate([m.delta.a_RI.numpy().ravel() * np.sqrt(sum(m.delta.a_RI.shape) / 2) for m in state.modules.values()])
    assert len(drawn) > 5000
    assert np.var(drawn) == pytest.approx(1, abs=0.05)
    assert np.mean(drawn**4) == pytest.approx(3, abs=0.3)  # a uniform draw has 1.8
