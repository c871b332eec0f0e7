"""The operation is behind one module of the model, speaks where it is listened to, and stays in a graph that is compiled."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from errata.core.errors import BadInput
from errata_vllm.op import Spoken, listen, place


class Row(nn.Linear):
    """As vLLM's linear modules: the output and a bias that isn't added."""

    def forward(self, x):
        return super().forward(x), None


def model():
    made = nn.Module()
    made.layers = nn.ModuleList([nn.Module() for _ in range(12)])
    for layer in made.layers:
        layer.mlp = nn.Module()
        layer.mlp.down_proj = Row(6, 4, bias=False)
    return made


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.language_model = model()

    def forward(self, x):
        y, _ = self.language_model.layers[1].mlp.down_proj(torch.relu(x))
        return y * 2


def test_the_module_is_found_by_the_end_of_its_path_and_replaced_once():
    one = Model()
    inner = one.language_model.layers[1].mlp.down_proj
    spoken = place(one, "model.language_model.layers.1.mlp.down_proj")
    assert spoken is place(one, "layers.1.mlp.down_proj") is one.language_model.layers[1].mlp.down_proj
    assert spoken.inner is inner
    assert spoken.weight is inner.weight
    assert sum(isinstance(module, Spoken) for module in one.modules()) == 1
    assert place(Model(), "layers.1.mlp.down_proj").at == spoken.at, "graphs are kept from process to process"


@pytest.mark.parametrize("path", ["layers.12.mlp.down_proj", "layers.1.mlp.gate_proj", "other"])
def test_a_module_that_is_not_there_is_named(path):
    with pytest.raises(BadInput, match=f"0 modules that end in {path}"):
        place(Model(), path)


@torch.no_grad()
def test_without_a_listener_the_output_is_the_module_s_own():
    one, other, x = Model(), Model(), torch.randn(3, 6)
    other.load_state_dict(one.state_dict())
    place(one, "layers.1.mlp.down_proj")
    assert torch.equal(one(x), other(x))


@pytest.mark.parametrize("backend", [None, "eager", "aot_eager"])
@torch.no_grad()
def test_a_graph_calls_it_in_every_step_and_what_it_changes_is_seen(backend):
    torch.compiler.reset()
    one, x = Model(), torch.randn(3, 6)
    plain = one(x)
    spoken, seen, add = place(one, "layers.1.mlp.down_proj"), [], [0.0]

    def speak(x_TI, y_TO):
        seen.append(x_TI.clone())
        y_TO[1] += add[0]

    listen(spoken, speak)
    run = one if backend is None else torch.compile(one, backend=backend, fullgraph=True)
    for value in (0.0, 3.0, 0.0):
        add[0] = value
        found = run(x)
        assert torch.equal(found[[0, 2]], plain[[0, 2]])
        assert torch.allclose(found[1], plain[1] + 2 * value)
    assert len(seen) == 3
    assert torch.equal(seen[0], torch.relu(x))
    listen(spoken, lambda x_TI, y_TO: None)
