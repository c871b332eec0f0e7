"""The part of a pass that no write touches, worked out once.

An edit asks for the loss of one row again and again while a few modules in the upper layers change between the calls. What lies
under the lowest of them gives the same output each time, and so does what its own layer works out before it: the first pass keeps
both, later ones say them again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from copy import copy
from typing import TYPE_CHECKING, Any, final

import torch

if TYPE_CHECKING:
    from torch import nn


@final
class Lower:
    """The lowest `count` of a decoder's layers, and of the next one what runs before any module that changes, for passes of one and
    the same input.

    Whatever a module returns is kept as it is and given back as it is, so the model's own code runs around it: masks, positions and
    caches of any architecture. Contract: leaving `on` leaves no trace at the modules, also by an error.

    Args:
        layers: of the decoder, lowest first.
        count: how many of them nothing changes.
        changing: every module of the next layer that may change; none: that layer runs whole each time.
        still: modules outside the layers that nothing changes either, such as a vision tower.
    """

    def __init__(
        self, layers: Sequence[nn.Module], count: int, changing: Collection[nn.Module] = (), still: Sequence[nn.Module] = ()
    ) -> None:
        self._lower = tuple(layers[:count])
        self._still = _Said(still)
        self._said: list[object] = []
        self._before = _Before(layers[count], changing) if changing and count < len(layers) else None

    @contextmanager
    def on(self) -> Iterator[None]:
        """Within the block what nothing changes runs once at most."""
        with ExitStack() as stack:
            stack.enter_context(self._still.on())
            if self._before is not None:
                stack.enter_context(self._before.on())
            if self._said:
                stack.enter_context(self._repeating())
            elif self._lower:
                stack.callback(self._lower[-1].register_forward_hook(lambda layer, given, output: self._said.append(output)).remove)
            yield

    @contextmanager
    def _repeating(self) -> Iterator[None]:
        """What every lower layer is given and returns is lost on the way but for the last one's output, so all may say that."""
        (said,) = self._said
        with _saying([(layer, lambda *given, **named: said) for layer in self._lower]):
            yield


@final
class _Said:
    """Modules that say again what they said in the first pass."""

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self._modules = tuple(modules)
        self._said: dict[int, list[_Kept]] | None = None

    @contextmanager
    def on(self) -> Iterator[None]:
        if self._said is None:
            said: dict[int, list[_Kept]] = {}
            with ExitStack() as stack:
                for place, module in enumerate(self._modules):
                    stack.callback(module.register_forward_hook(_keeper(said.setdefault(place, []))).remove)
                yield
            self._said = said
        elif all(one.whole for kept in self._said.values() for one in kept):
            with _saying([(module, _in_turn(module, self._said[place])) for place, module in enumerate(self._modules)]):
                yield
        else:
            yield


def _keeper(kept: list[_Kept]) -> Callable[[nn.Module, Any, Any], None]:
    def keep(module: nn.Module, given: Any, output: Any) -> None:
        kept.append(_Kept(output))

    return keep


@final
class _Before:
    """Of one layer, what its modules return before the first that changes begins; of nested ones the outermost says it."""

    def __init__(self, layer: nn.Module, changing: Collection[nn.Module]) -> None:
        self._changing = tuple(changing)
        changed = {id(module) for module in changing}
        # Whatever holds a changing module must run: the layer itself, and the block between them.
        self._still = [
            (name, module)
            for name, module in layer.named_modules()
            if name and not any(id(inner) in changed for inner in module.modules())
        ]
        self._kept: dict[str, list[_Kept]] | None = None

    @contextmanager
    def on(self) -> Iterator[None]:
        if self._kept is None:
            with self._recording():
                yield
        elif all(one.whole for said in self._kept.values() for one in said):
            modules = dict(self._still)
            with _saying([(modules[name], _in_turn(modules[name], said)) for name, said in self._kept.items()]):
                yield
        else:  # a model that works in place on what it was given: nothing may be said again
            self._kept = {}
            yield

    @contextmanager
    def _recording(self) -> Iterator[None]:
        begun: list[bool] = []
        kept: dict[str, list[_Kept]] = {}

        def begins(module: nn.Module, given: Any) -> None:
            begun.append(True)

        def recorder(name: str) -> Callable[[nn.Module, Any, Any], None]:
            def record(module: nn.Module, given: Any, output: Any) -> None:
                if not begun:
                    kept.setdefault(name, []).append(_Kept(output))

            return record

        with ExitStack() as stack:
            for module in self._changing:
                stack.callback(module.register_forward_pre_hook(begins).remove)
            for name, module in self._still:
                stack.callback(module.register_forward_hook(recorder(name)).remove)
            yield
        if begun:  # else the pass ended early
            self._kept = {name: said for name, said in kept.items() if not any(name.startswith(f"{outer}.") for outer in kept)}


@final
class _Kept:
    """What a module returned, and whether its tensors are still as they were."""

    def __init__(self, output: object) -> None:
        self._output = copy(output) if isinstance(output, Mapping) else output
        self._versions = [(tensor, tensor._version) for tensor in _tensors(output)]

    @property
    def output(self) -> object:
        """What it returned; of named outputs a copy, since whoever gets one may put another tensor in it."""
        return copy(self._output) if isinstance(self._output, Mapping) else self._output

    @property
    def whole(self) -> bool:
        return all(tensor._version == version for tensor, version in self._versions)


def _tensors(value: object) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    value = tuple(value.values()) if isinstance(value, Mapping) else value
    return [tensor for each in value for tensor in _tensors(each)] if isinstance(value, tuple | list) else []


def _in_turn(module: nn.Module, said: Sequence[_Kept]) -> Callable[..., object]:
    """What the module returned, one call after another; beyond that it runs, as it did after the changing ones began."""
    forward, coming = module.forward, iter(said)

    def say(*given: Any, **named: Any) -> object:
        one = next(coming, None)
        return forward(*given, **named) if one is None else one.output

    return say


@contextmanager
def _saying(modules: Sequence[tuple[nn.Module, Callable[..., object]]]) -> Iterator[None]:
    """The modules with another `forward` in front of their class's, for the length of the block."""
    own = [(module, vars(module).get("forward")) for module, _ in modules]  # what a library put there, such as accelerate
    for module, say in modules:
        module.forward = say
    try:
        yield
    finally:
        for module, earlier in own:
            del module.forward
            if earlier is not None:
                module.forward = earlier
