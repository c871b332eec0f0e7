"""The catalogue says of a name without loading anything what the registry says of it having loaded everything."""

import subprocess
import sys
from dataclasses import fields

import pytest

from errata.core import catalogue
from errata.core.catalogue import check_named
from errata.core.errors import BadInput, Unknown
from errata.editors import EDITORS, SHORT_NAMES, parse

WRONG = [
    "scopdit",
    "scopeedit:stepz=3",
    "scopeedit:steps=many",
    "scopeedit:steps=1.5",
    "scopeedit:centre=perhaps",
    "codebook:reach=near",
    "codebook:reach",
    "told:image_wait=1",
    "serac:chekpoint=x",
    "nowhere/mine.py:Mine",
    "",
]

RIGHT = [
    "codebook", " scopeedit: steps=3, eta_local=1e-2 ,centre=False", "scopeedit:preset=paper,steps=3", "scopeedit:top_k=none",
    "finetune:where=vision", "told:threshold=0.5", "ike:k=3", "none",
]  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_what_it_refuses_the_registry_refuses_with_the_same_kind_of_sentence(text):
    with pytest.raises((Unknown, BadInput)) as early:
        check_named(text)
    with pytest.raises((Unknown, BadInput)) as late:
        parse(text)
    assert type(early.value) is type(late.value)
    if isinstance(early.value, Unknown):
        assert str(early.value) == str(late.value)


@pytest.mark.parametrize("text", RIGHT)
def test_what_the_registry_takes_it_takes(text):
    parse(text)
    check_named(text)


def test_it_knows_every_editor_and_every_plain_field_of_it():
    assert set(catalogue._room()) == set(EDITORS)
    assert set(catalogue._short_names()) == set(SHORT_NAMES)
    for name, kind in EDITORS.items():
        known = {each.name for each in fields(kind) if each.init}
        assert set(catalogue._fields(catalogue._room()[name])) <= known
        for field in catalogue._fields(catalogue._room()[name]):
            check_named(f"{name}:{field}=1") if catalogue._fields(catalogue._room()[name])[field] in ("int", "float") else None


def test_it_loads_no_torch():
    program = (
        "import sys; from errata.core.catalogue import check_named; check_named('scopeedit:steps=3'); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "False\n", done.stderr
