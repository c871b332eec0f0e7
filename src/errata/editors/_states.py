"""States on disk: any state, as a flat table of tensors and one line of JSON that says where each belongs.

A state is a frozen dataclass of tensors, numbers, strings, bytes, tuples, mappings and further such dataclasses; nothing else. The
table is what safetensors stores. Reading names classes only among modules that are already loaded, so a file can't run code.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from errata.core.canonical import JSON, canonical
from errata.core.errors import BadInput

_KEY = "state"

_LARGE = 4096
"""Elements from which a tensor is looked through for zeros at its end."""

_MOVED: Mapping[str, str] = MappingProxyType(
    {
        "errata.editors._in_context": "errata.editors.scoped.in_context",
        "errata.editors._memory": "errata.editors.scoped.memory",
        "errata.editors._scope_state": "errata.editors.scopeedit.state",
        "errata.editors.mend": "errata.editors.mend.editor",
        "errata.editors.odedit": "errata.editors.odedit.editor",
    }
)
"""Modules that held states once -> where these are now: a state that was pinned in a log is never made anew."""


class Saved(NamedTuple):
    """What `safetensors.torch.save` takes."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str]


def to_tensors(state: object) -> Saved:
    """The state as tensors and metadata. A tensor that stands in several places is stored once, and comes back as one.

    Raises:
        TypeError: the state holds something that isn't plain data.
    """
    shelf = _Shelf({}, {})
    layout = shelf.put(state, "")
    return Saved({name: tensor.contiguous() for name, tensor in shelf.tensors.items()}, {_KEY: canonical(layout).decode()})


def from_tensors(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Any:
    """The state that `to_tensors` was given.

    Raises:
        BadInput: the metadata isn't a state's, or the state is of an editor that isn't loaded.
    """
    try:
        return _restore(json.loads(metadata[_KEY]), dict(tensors))
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise BadInput(f"This snapshot holds no state that can be read ({error!r}). Rebuild it from the log.") from None


def state_bytes(state: object) -> int:
    """Bytes of every tensor that the state reaches, each once: what a write can change, and the bases it writes in."""
    distinct = {id(tensor): tensor for tensor in _tensors(state)}
    return sum(tensor.numel() * tensor.element_size() for tensor in distinct.values())


@dataclass(frozen=True)
class _Shelf:
    """The tensors put away so far, by name, and the names they got, by identity."""

    tensors: dict[str, Tensor]
    names: dict[int, str]

    def put(self, value: object, place: str) -> JSON:
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, Tensor):
            return self._tensor(value, place)
        if isinstance(value, bytes):
            return {"bytes": self._name(torch.frombuffer(bytearray(value), dtype=torch.uint8) if value else torch.empty(0), place)}
        if isinstance(value, tuple | list):
            return {"tuple": [self.put(each, f"{place}.{i}") for i, each in enumerate(value)]}
        if isinstance(value, Mapping):
            assert all(isinstance(key, str) for key in value), f"The mapping at {place!r} of a state has keys that aren't strings."
            return {"mapping": {key: self.put(each, f"{place}.{key}") for key, each in value.items()}}
        if is_dataclass(value) and not isinstance(value, type):
            held: JSON = {each.name: self.put(getattr(value, each.name), f"{place}.{each.name}") for each in fields(value)}
            return {"class": f"{type(value).__module__}:{type(value).__qualname__}", "fields": held}
        raise TypeError(
            f"A state can't hold a {type(value).__name__} (at {place!r}); use tensors, numbers, strings, tuples and mappings."
        )

    def _tensor(self, value: Tensor, place: str) -> JSON:
        """A large tensor without the zeros at its end: slots that nothing was written to take no room on a disk."""
        rows = value.shape[0] if value.ndim else 1
        if value.numel() < _LARGE or rows < 2:
            return {"tensor": self._name(value, place)}
        used_N = value.reshape(rows, -1).ne(0).any(1).nonzero()[:, 0]
        used = int(used_N[-1]) + 1 if len(used_N) else 0
        if used == rows:
            return {"tensor": self._name(value, place)}
        known = id(value) in self.names
        name = self.names.setdefault(id(value), place.lstrip("."))
        if not known:
            self.tensors[name] = value[:used].clone()
        return {"tensor": name, "rows": rows}

    def _name(self, tensor: Tensor, place: str) -> str:
        name = self.names.setdefault(id(tensor), place.lstrip("."))
        self.tensors[name] = tensor
        return name


def _whole(name: str, rows: int | None, tensors: dict[str, Tensor]) -> Tensor:
    """The tensor of a name with the zeros at its end, which from then on stands under the name for every other place."""
    held = tensors[name]
    if rows is not None and len(held) < rows:
        tensors[name] = torch.cat([held, held.new_zeros(rows - len(held), *held.shape[1:])])
    return tensors[name]


def _restore(layout: Any, tensors: dict[str, Tensor]) -> Any:
    if not isinstance(layout, dict):
        return layout
    if "tensor" in layout:
        return _whole(layout["tensor"], layout.get("rows"), tensors)
    if "bytes" in layout:
        return bytes(tensors[layout["bytes"]].tolist())
    if "tuple" in layout:
        return tuple(_restore(each, tensors) for each in layout["tuple"])
    if "mapping" in layout:
        return {key: _restore(each, tensors) for key, each in layout["mapping"].items()}
    kind = _class(layout["class"])
    return kind(**{name: _restore(each, tensors) for name, each in layout["fields"].items()})


def _class(name: str) -> type:
    written, _, path = name.partition(":")
    module_name = _MOVED.get(written, written)
    if module_name not in sys.modules:
        raise BadInput(f"This snapshot holds a state of {name}, which isn't loaded. Open it with the editor that wrote it.")
    found: Any = sys.modules[module_name]
    for part in path.split("."):
        found = found.__dict__[part]
    if not (isinstance(found, type) and is_dataclass(found)):
        raise BadInput(f"This snapshot names {name} as a state, which is none. Rebuild it from the log.")
    return found


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _tensors(each)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _tensors(each)
    elif is_dataclass(value) and not isinstance(value, type):
        for each in fields(value):
            yield from _tensors(getattr(value, each.name))
