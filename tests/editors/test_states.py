"""States on disk: what goes in comes out, shared tensors stay shared, and a file names no class that isn't loaded."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
import torch

from errata.core.errors import BadInput
from errata.core.records import Edit
from errata.editors import from_tensors, state_bytes, to_tensors
from tests.editors.samples import PICTURED


@dataclass(frozen=True)
class Inner:
    x: torch.Tensor


@dataclass(frozen=True)
class Held:
    inner: Inner
    again: torch.Tensor
    table: Mapping[str, Inner | float | None]
    words: tuple[str, ...]
    edits: tuple[Edit, ...]


def example():
    x = torch.arange(6.0).reshape(2, 3)
    return Held(Inner(x), x, {"a.b": Inner(x.T.to(torch.bfloat16)), "rate": 0.25, "none": None}, ("one", "two"), (PICTURED,))


def test_a_state_comes_back_as_it_went():
    state = example()
    saved = to_tensors(state)
    loaded = from_tensors(saved.tensors, saved.metadata)
    assert torch.equal(loaded.inner.x, state.inner.x)
    assert torch.equal(loaded.table["a.b"].x, state.table["a.b"].x)
    assert loaded.table["a.b"].x.dtype == torch.bfloat16
    assert (loaded.table["rate"], loaded.table["none"], loaded.words) == (0.25, None, ("one", "two"))
    assert loaded.edits[0].id == PICTURED.id
    assert loaded.edits[0].images[0].pixels().size == (64, 64)


def test_a_tensor_in_two_places_is_stored_once_and_comes_back_as_one():
    saved = to_tensors(example())
    assert sum(tensor.dtype == torch.float32 for tensor in saved.tensors.values()) == 1
    loaded = from_tensors(saved.tensors, saved.metadata)
    assert loaded.inner.x is loaded.again


@dataclass(frozen=True)
class Slots:
    keys: torch.Tensor
    again: torch.Tensor
    full: torch.Tensor
    blank: torch.Tensor
    on: torch.Tensor


def test_zeros_at_the_end_of_a_large_tensor_take_no_room_and_come_back():
    keys, on = torch.zeros(500, 20), torch.zeros(5000, dtype=torch.bool)
    keys[:3], on[6] = 1.5, True
    state = Slots(keys, keys, torch.ones(500, 20), torch.zeros(500, 20, dtype=torch.bfloat16), on)
    saved = to_tensors(state)
    assert sorted(tensor.numel() for tensor in saved.tensors.values()) == [0, 7, 60, 10_000]
    loaded = from_tensors(saved.tensors, saved.metadata)
    assert loaded.keys is loaded.again
    for name in ("keys", "full", "blank", "on"):
        before, after = vars(state)[name], vars(loaded)[name]
        assert torch.equal(before, after)
        assert (before.dtype, before.shape) == (after.dtype, after.shape)


def test_state_bytes_counts_every_tensor_once():
    assert state_bytes(example()) == 6 * 4 + 6 * 2


def test_what_is_no_plain_data_is_refused():
    with pytest.raises(TypeError, match="can't hold a set"):
        to_tensors({"x": {1, 2}})


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({}, "no state"),
        ({"state": "{"}, "no state"),
        ({"state": '{"class":"no_such_module:State","fields":{}}'}, "isn't loaded"),
        ({"state": '{"class":"os:system","fields":{}}'}, "which is none"),
        ({"state": '{"tensor":"missing"}'}, "no state"),
    ],
)
def test_a_broken_snapshot_is_refused_with_a_sentence(metadata, said):
    with pytest.raises(BadInput, match=said):
        from_tensors({}, metadata)
