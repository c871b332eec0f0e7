"""What a model of transformers is made of, found by how it is put together and by the few names that layouts share.

A decoder's layers stand in one list; in a layer the MLP's way up and way down are linear; between the tower and the words stands a
connector.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast, final

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from errata.core.errors import BadInput
from errata.core.model import Role
from errata.nn.places import is_away

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_STACKS: Final = ("layers", "h", "block", "blocks")
"""What the list of a decoder's layers is called."""

_UP: Final = ("up_proj", "gate_up_proj", "w3", "fc1", "c_fc", "fc_in", "dense_h_to_4h", "wi_1", "wi")
"""What the way up of an MLP is called; of a gated one, the half that the gate multiplies."""

_DOWN: Final = ("down_proj", "w2", "fc2", "c_proj", "fc_out", "dense_4h_to_h", "wo")
"""What the way down is called."""

_BLOCKS: Final = ("mlp", "feed_forward", "ffn", "block_sparse_moe", "shared_expert", "")
"""Where they stand inside a layer; the last: in the layer itself."""

_OUT: Final = ("self_attn.o_proj", "self_attn.out_proj", "attn.c_proj", "attention.o_proj")
"""The attention's way out: what is left to write where the MLP is a mixture of experts."""

_TOWERS: Final = ("vision_tower", "visual", "vision_model", "vision_encoder", "image_tower", "qformer")
_CONNECTORS: Final = (
    "multi_modal_projector",
    "connector",
    "language_projection",
    "embed_vision",
    "vision_projection",
    "mlp_AR",
    "visual.merger",
)
"""What stands between a tower and the words."""


@final
@dataclass(frozen=True)
class Structure:
    """Where things are."""

    writable: Mapping[Role, Mapping[str, int | None]]
    """Paths of linear modules in depth order, each with its decoder layer; None for a path without one."""

    stack: str
    """The path of the list of layers."""

    tower: tuple[str, ...]
    """Paths of the vision side."""

    connector: str | None
    """The path of what stands between it and the words."""

    experts: bool
    """Whether some layer's MLP is a mixture of experts, so that its attention's way out is written instead."""


def structure_of(net: PreTrainedModel, name: str) -> Structure:
    """Where a model's layers, tower, connector and writable modules are.

    Raises:
        BadInput: it has no list of layers, or no linear module in any.
    """
    stack = _stack_of(net, name)
    text: dict[str, int | None] = {}
    experts = False
    for number, layer in enumerate(cast("nn.ModuleList", net.get_submodule(stack))):
        found = _ways(layer)
        if found is None:
            experts = True
            found = tuple(path for path in _OUT if _is_linear(layer, path))[:1]
        text.update({f"{stack}.{number}.{path}": number for path in found})
    if not text:
        raise BadInput(
            f"The model {name} ({net.config.model_type}) has no linear module in its layers at {stack} that errata can write. "
            "Use another checkpoint."
        )
    inner = _inner(net)
    connector = next((inner + path for path in _CONNECTORS if _has(net, inner + path)), None)
    tower = tuple(inner + path for path in _TOWERS if _has(net, inner + path))
    seeing = [path for path, module in net.named_modules() if isinstance(module, nn.Linear)]
    projector = {path: None for path in seeing if connector is not None and under(path, connector)}
    vision = {
        path: None
        for path in seeing
        if any(under(path, part) for part in tower) and path not in projector and path.rpartition(".")[2] in (*_UP, *_DOWN)
    }
    return Structure({"text": text, "projector": projector, "vision": vision}, stack, tower, connector, experts)


def straighten(net: nn.Module) -> tuple[str, ...]:
    """Put a linear module in the place of each of GPT-2's `Conv1D`, which holds its weight the other way round.

    Returns:
        The paths of those that were turned; `turned` gives their weights as the checkpoint has them.

    Raises:
        BadInput: some of them aren't at hand.
    """
    found = [(path, module) for path, module in net.named_modules() if isinstance(module, Conv1D)]
    away = [path for path, module in found if is_away(module)]
    if away:
        raise BadInput(
            f"The weights of a {type(net).__name__} stand the other way round and must be turned, so they can't be left elsewhere "
            f"until they are used, as {away[0]} is. Give it a device where it fits."
        )
    for path, module in found:
        weight_IO = module.weight
        linear = nn.Linear(weight_IO.shape[0], weight_IO.shape[1], device="meta", dtype=weight_IO.dtype)
        linear.weight = nn.Parameter(weight_IO.detach().t().contiguous(), requires_grad=False)
        linear.bias = module.bias
        parent, _, last = path.rpartition(".")
        net.get_submodule(parent).register_module(last, linear)
    return tuple(path for path, _ in found)


def turned(net: nn.Module, paths: tuple[str, ...]) -> dict[str, torch.Tensor] | None:
    """The state of a model whose modules at `paths` were straightened, as its checkpoint has it; None where none was."""
    if not paths:
        return None
    state: dict[str, torch.Tensor] = net.state_dict()
    return state | {f"{path}.weight": state[f"{path}.weight"].t().contiguous() for path in paths}


def _stack_of(net: PreTrainedModel, name: str) -> str:
    """The path of the first list of layers inside the decoder."""
    decoder: nn.Module = net.get_decoder()  # type: ignore[no-untyped-call]
    paths = {id(module): path for path, module in net.named_modules()}
    for path, module in decoder.named_modules():
        if isinstance(module, nn.ModuleList) and path.rpartition(".")[2] in _STACKS and len(module):
            return ".".join(part for part in (paths[id(decoder)], path) if part)
    raise BadInput(f"The model {name} ({net.config.model_type}) has no list of layers that errata finds. Use another checkpoint.")


def _ways(layer: nn.Module) -> tuple[str, ...] | None:
    """The way up and the way down of a layer's MLP; None without a way down."""
    for block in _BLOCKS:
        start = f"{block}." if block else ""
        down = next((start + last for last in _DOWN if _is_linear(layer, start + last)), None)
        if down is not None:
            up = next((start + last for last in _UP if _is_linear(layer, start + last)), None)
            return (down,) if up is None else (up, down)
    return None


def _inner(net: nn.Module) -> str:
    """Where a model keeps its parts: in itself, or in its `model`."""
    named = dict(net.named_children())
    return "model." if "model" in named and any(_has(net, f"model.{path}") for path in _TOWERS) else ""


def _is_linear(module: nn.Module, path: str) -> bool:
    return _has(module, path) and isinstance(module.get_submodule(path), nn.Linear)


def _has(module: nn.Module, path: str) -> bool:
    for part in path.split("."):
        named = dict(module.named_children())
        if part not in named:
            return False
        module = named[part]
    return True


def under(path: str, part: str) -> bool:
    """Whether a path is that of a part, or of something in it."""
    return path == part or path.startswith(f"{part}.")
