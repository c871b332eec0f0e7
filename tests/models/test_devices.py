"""A model over several places, or in fewer bits: what is said of it, and what can't be done with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from errata.core.errors import BadInput, Unknown
from errata.core.records import Edit, Query
from errata.editors import parse
from errata.log import EditLog, MemoryStore
from errata.models import TransformersModel, load
from errata.models._devices import placing_at, precision_of
from errata.models.small.build import LlavaSizes, build_llava
from errata.nn.patches import NoPatch, Replaced
from errata.nn.places import Held, is_away, like, parts_of, plain
from errata.session.merge import merge_into
from errata.session.ready import equipped
from errata.session.session import Session
from tests.conftest import picture

QUERY, TARGET = Query.ask("where does mibo live?"), "in the harbor"


@pytest.fixture(scope="module")
def left_on_disk():
    return load("llava-tiny", device="auto:cpu=9MB")


@pytest.fixture(scope="module")
def eight_bits():
    return load("llava-tiny", dtype="int8")


def weight(model: TransformersModel, path: str) -> torch.Tensor:
    module = model.module(path)
    assert isinstance(module, torch.nn.Linear)
    return module.weight


def test_what_is_said_of_a_place_is_what_the_library_is_told():
    placing = placing_at("auto:0=20GB,cpu=1.5GB")
    assert placing.rooms == {0: "20GB", "cpu": "1.5GB"}
    assert placing.settings()["max_memory"] == {0: "20GB", "cpu": "1.5GB"}
    assert Path(placing.settings()["offload_folder"]).is_dir()
    assert placing_at("cpu").settings() == {}
    assert "max_memory" not in placing_at("auto").settings()


@pytest.mark.parametrize("said", ["auto:lots", "auto:cpu=", "auto:cpu=3", "auto:gpu=3GB", "auto:cpu=3GB;0=1GB"])
def test_room_that_is_not_said_as_room_is_refused(said: str):
    with pytest.raises(BadInput, match="write what each may take as auto:0=20GB,cpu=60GB"):
        placing_at(said)


def test_an_unknown_precision_is_refused_with_those_that_are_known():
    with pytest.raises(Unknown, match="int8"):
        precision_of("int4", torch.device("cpu"))


def test_what_is_left_on_disk_is_the_same_model(left_on_disk):
    model = load("llava-tiny")
    assert "disk" in {str(place) for place in left_on_disk.net.hf_device_map.values()}
    assert left_on_disk.worked_out == model.worked_out
    assert left_on_disk.answers([QUERY], [NoPatch()]) == model.answers([QUERY], [NoPatch()])
    held, whole = Held(left_on_disk.net), model.net.state_dict()
    assert held.keys() == whole.keys()
    assert all(torch.equal(held[name], whole[name]) for name in whole)


def test_a_weight_that_is_left_on_disk_can_be_read_but_none_put_in_its_place(left_on_disk):
    path = left_on_disk.writable["text"][-1]
    module, due = left_on_disk.module(path), weight(load("llava-tiny"), path)
    assert is_away(module)
    assert like(module).device.type == "cpu"
    assert torch.equal(plain(module, path), due)
    with (
        pytest.raises(BadInput, match=r"kept outside the device's memory.*codebook, scopeedit"),
        Replaced({path: due}).on(left_on_disk),
    ):
        pass
    editor = equipped(parse("finetune:steps=1"))
    begun = editor.begin(left_on_disk)
    with pytest.raises(BadInput, match="kept outside"):
        editor.write(left_on_disk, begun, Edit(QUERY, TARGET))


def test_in_8_bits_linear_weights_are_codes_with_a_scale_to_each_row(eight_bits):
    path = eight_bits.writable["text"][-1]
    module, own = eight_bits.module(path), weight(load("llava-tiny"), path)
    parts = parts_of(weight(eight_bits, path))
    assert {part.dtype for part in parts.values()} >= {torch.int8}
    spread = own.abs().amax(dim=1, keepdim=True) / 127
    assert ((plain(module, path) - own).abs() <= 0.51 * spread + 1e-9).all()
    assert not torch.equal(plain(module, path), own)


def test_fine_tuning_in_8_bits_trains_a_plain_copy_and_leaves_the_codes(eight_bits):
    editor = equipped(parse("finetune:steps=30,lr=0.003"))
    before = eight_bits.worked_out
    state = editor.write(eight_bits, editor.begin(eight_bits), Edit(QUERY, TARGET))
    assert eight_bits.answers([QUERY], [editor.read(eight_bits, state, QUERY)]) == [TARGET]
    del eight_bits.__dict__["worked_out"]
    assert eight_bits.worked_out == before


@pytest.mark.timeout(1800)
@pytest.mark.proof(sample=1, full=2)
def test_a_base_in_8_bits_is_corrected_and_corrections_taken_back(trials: int, record: dict[str, Any], tmp_path: Path):
    """In the proof a LLaVA of 346 million weights."""
    large = LlavaSizes(width=1024, layers=20, ffn=2816, vision_width=768, vision_layers=12, vision_ffn=3072)
    build_llava(tmp_path / "base", texts=["where does mibo live?"] * 20, sizes=large if trials > 1 else None)
    model, plainly = load(tmp_path / "base", dtype="int8"), load(tmp_path / "base")
    record |= {"parameters": model.parameters, "bytes": model.size, "bytes in float32": plainly.size}
    assert model.size < 0.4 * plainly.size
    session = Session.open(model, equipped(parse("codebook:chatter=16")), EditLog(MemoryStore()))
    asked = [Query.ask("where does mibo live?"), Query.ask("where does mibo live?", picture(1))]
    before = [float(model.loss(query, "mibo live")) for query in asked]
    edits = [session.edit(Edit(query, target)) for query, target in zip(asked, ("live mibo", "does mibo"), strict=True)]
    assert [receipt.status for receipt in edits] == ["applied", "applied"]
    assert [one.text for one in session.ask(asked)] == ["live mibo", "does mibo"]
    said = model.answers(asked, [NoPatch()] * 2)
    for receipt in edits:
        session.revert(receipt.edit)
    assert [one.text for one in session.ask(asked)] == said
    assert [float(model.loss(query, "mibo live")) for query in asked] == before


@pytest.mark.parametrize("which", ["left_on_disk", "eight_bits"])
def test_no_checkpoint_with_edits_in_it_is_made_of_either(which: str, request: pytest.FixtureRequest, tmp_path: Path):
    model = request.getfixturevalue(which)
    assert not model.dense
    assert load("llava-tiny").dense
    session = Session.open(model, equipped(parse("scopeedit:steps=1")), EditLog(MemoryStore()))
    with pytest.raises(BadInput, match="Open it on one device, in float32 or bfloat16"):
        merge_into(session, tmp_path / "merged")
