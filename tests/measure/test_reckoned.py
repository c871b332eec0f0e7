"""What an editor takes of memory, by shapes alone, is what it takes."""

from __future__ import annotations

import pytest

from errata.core.records import Edit, Query
from errata.editors import parse, state_bytes
from errata.measure.reckoned import begun_bytes, first_bytes
from errata.models import load
from errata.models.inspecting import blank
from errata.session.ready import equipped

EDIT = Edit(Query.ask("where does mibo live?"), "in the harbor")


@pytest.mark.parametrize("name", ["llava-tiny", "blip2-tiny"])
@pytest.mark.parametrize(
    "editor",
    [
        "codebook:chatter=4,slots=64,steps=2",
        "scopeedit:steps=1",
        "scopeedit:preset=paper,steps=1",
        "finetune:steps=1",
        "told",
        "ike",
    ],
)
def test_what_is_reckoned_by_shapes_is_what_a_state_takes(name: str, editor: str):
    model, made = load(name), equipped(parse(editor))
    begun = made.begin(model)
    written = made.write(model, begun, EDIT)
    empty = blank(name)
    assert empty.net.device.type == "meta"
    assert begun_bytes(empty, equipped(parse(editor))) == state_bytes(begun)
    added = state_bytes(written) - state_bytes(begun)
    key = added if editor in ("told", "ike") else 0
    assert key < 2000
    assert first_bytes(empty, equipped(parse(editor))) == added - key


def test_a_copy_of_weights_is_half_as_large_in_half_precision():
    editor = equipped(parse("finetune"))
    assert 2 * first_bytes(blank("llava-tiny", dtype="bfloat16"), editor) == first_bytes(blank("llava-tiny"), editor) > 0
