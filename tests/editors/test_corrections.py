"""The corrections of the published ScopeEdit are the whole difference between its presets, each of them once."""

from __future__ import annotations

from dataclasses import fields

from errata.editors.scopeedit.corrections import CORRECTIONS, ablation, differing
from errata.editors.scopeedit.editor import PRESETS, ScopeEdit


def apart(one, other):
    return {each.name for each in fields(ScopeEdit) if getattr(one, each.name) != getattr(other, each.name)}


def test_every_differing_field_belongs_to_one_correction():
    named = [name for correction in CORRECTIONS for name in correction.fields]
    assert len(named) == len(set(named))
    assert set(named) == differing() == apart(PRESETS["paper"], PRESETS["default"])
    assert all(correction.reason.endswith(".") for correction in CORRECTIONS)


def test_an_ablation_adds_one_correction_to_the_published_fields_and_takes_one_from_the_defaults():
    made = ablation()
    for correction in CORRECTIONS:
        assert apart(made[f"paper + {correction.name}"], PRESETS["paper"]) == set(correction.fields)
        assert apart(made[f"default - {correction.name}"], PRESETS["default"]) == set(correction.fields)
    assert len(made) == 3 + 2 * len(CORRECTIONS)
