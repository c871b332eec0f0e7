"""Where a module's weights are, and what they are: also where accelerate keeps them elsewhere until the module runs, and where a
quantiser holds them in fewer bits than they compute in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast, final

import torch
from torch import Tensor
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from errata.core.errors import BadInput

if TYPE_CHECKING:
    from torch import nn


def entry_of(net: nn.Module) -> torch.device:
    """Where a model takes its inputs."""
    hook = _hook_of(net)
    if hook is not None and hook.execution_device is not None:
        return _device(hook.execution_device)
    return next((held.device for held in net.parameters() if not held.is_meta), torch.device("meta"))


def place_of(module: nn.Module) -> torch.device:
    """Where a module computes: the device of its weight, or the one that it is brought to when it runs."""
    weight = cast("Tensor", module.weight)
    return _device(_hook_of(module).execution_device) if weight.is_meta and is_away(module) else weight.device


def like(module: nn.Module) -> Tensor:
    """An empty tensor on the device and in the precision in which a module computes."""
    return torch.empty(0, dtype=cast("Tensor", module.weight).dtype, device=place_of(module))


def is_away(module: nn.Module) -> bool:
    """Whether a module's weights are elsewhere until it runs."""
    hook = _hook_of(module)
    return hook is not None and bool(hook.offload)


def plain(module: nn.Module, path: str) -> Tensor:
    """A module's weight as a dense tensor in the precision in which it computes; of a quantised one a copy.

    Raises:
        BadInput: it is held in a way that can't be read as one.
    """
    held: Any = module.weight
    if held.is_meta and is_away(module):
        held = _hook_of(module).weights_map["weight"].to(place_of(module))
    if quantised(held):
        held = held.dequantize()
    _check_floating(held, path)
    return cast("Tensor", held.detach())


def check_replaceable(module: nn.Module, path: str) -> None:
    """Whether another weight can be put in the place of a module's own.

    Raises:
        BadInput: it is fetched anew whenever the module runs, so that another would be lost, or it isn't held as a number each.
    """
    if is_away(module):
        raise BadInput(
            f"The weight at {path} is kept outside the device's memory and fetched when it is used, so another can't stand in its "
            "place. Give the model more room (--device auto:cpu=..GB), or use an editor that adds beside it (codebook, scopeedit)."
        )
    _check_floating(cast("Tensor", module.weight), path)


def _check_floating(weight: Tensor, path: str) -> None:
    if not weight.is_floating_point():
        raise BadInput(
            f"The weight at {path} is held as {str(weight.dtype).removeprefix('torch.')}, so another can't stand in its place. "
            "Use an editor that adds beside it (codebook, scopeedit), or open the model in bfloat16."
        )


@final
class Held(Mapping[str, Tensor]):
    """Every tensor of a model by its name, as it was loaded; what is elsewhere is fetched when it is asked for.

    Args:
        net: the model.
    """

    def __init__(self, net: nn.Module) -> None:
        self._state: dict[str, Tensor] = net.state_dict(keep_vars=True)
        self._away: dict[str, tuple[Any, str]] = {}
        for path, module in net.named_modules():
            if is_away(module):
                names = [name for name, _ in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))]
                self._away.update({f"{path}.{name}" if path else name: (_hook_of(module).weights_map, name) for name in names})

    def __getitem__(self, name: str) -> Tensor:
        held = self._state[name]
        if not held.is_meta:
            return held
        fetched, own = self._away[name]
        return cast("Tensor", fetched[own]).to(held.dtype)

    def __iter__(self) -> Iterator[str]:
        return iter(self._state)

    def __len__(self) -> int:
        return len(self._state)


def parts_of(tensor: Tensor) -> Mapping[str, Tensor]:
    """What a tensor is held as: of a quantised one its codes, scales and the like by name; of any other itself, without a name."""
    if not quantised(tensor):
        return {"": tensor}
    held: Any = tensor
    inner: dict[str, Tensor | None] = {name: getattr(tensor, name) for name in held.__tensor_flatten__()[0]}
    return {f".{name}{rest}": part for name, one in inner.items() if one is not None for rest, part in parts_of(one).items()}


def quantised(tensor: Tensor) -> bool:
    """Whether a tensor is made of others: codes, scales and the like."""
    return bool(is_traceable_wrapper_subclass(tensor))


def _hook_of(module: nn.Module) -> Any:
    """accelerate's hook that moves a module's weights and inputs; None where there is none."""
    hook = vars(module).get("_hf_hook")
    if hook is None:
        return None
    from accelerate.hooks import AlignDevicesHook, SequentialHook

    hooks = hook.hooks if isinstance(hook, SequentialHook) else (hook,)
    moving = [one for one in hooks if isinstance(one, AlignDevicesHook)]
    return next((one for one in moving if one.offload), moving[0] if moving else None)


def _device(said: Any) -> torch.device:
    return torch.device("cuda", said) if isinstance(said, int) else torch.device(said)
