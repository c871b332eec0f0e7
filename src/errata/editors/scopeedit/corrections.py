"""What parts ScopeEdit's default from its published configuration, each correction with its fields and its reason.

A correction is one thing that was done differently; some need several fields at once, because a field alone would mean something
else in the other's company (a step size counts in other units once steps are normalised). Together they are the whole difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

from errata.editors.scopeedit.editor import PRESETS, ScopeEdit


@dataclass(frozen=True)
class Correction:
    """One difference between the presets "paper" and "default"."""

    name: str
    fields: tuple[str, ...]
    """The fields that make it, set together."""

    reason: str


CORRECTIONS: tuple[Correction, ...] = (
    Correction(
        "steps as long as the loss needs",
        ("step_length",),
        "A fixed step is too short for one edit and too long for another.",
    ),
    Correction(
        "no step longer than a share of the weight",
        ("longest",),
        "One edit on a flat slope would take a step that loses all the others. No difference on steps of a fixed length.",
    ),
    Correction(
        "write over what the user gave",
        ("environments",),
        "A user's other wordings and views are part of the correction. No difference on a stream that gives none.",
    ),
    Correction(
        "the end of the answer is learned too",
        ("learns_end",),
        "The published loss is of the target's tokens alone: an answer that is generated doesn't know where to end.",
    ),
    Correction(
        "keys where the answer is predicted",
        ("key_positions",),
        "The gradient enters one position to the left of the answer's own tokens; a one-token answer's own key gets none of it.",
    ),
    Correction(
        "a key for each answer position",
        ("keys_each",),
        "The mean of an answer's keys is none of them: later edits step around a key that no token has.",
    ),
    Correction(
        "one downdate for an edit",
        ("downdate",),
        "Five downdates with nearly the same key wear out its room five times.",
    ),
    Correction(
        "a shut gate costs nothing",
        ("gate_floor", "shared_key"),
        "The published key has unit length, so a gate that is nearly shut takes up as much shared room as an open one.",
    ),
    Correction(
        "keys in their module's units",
        ("normalise_keys", "lambda_local"),
        "One lambda means something else in every module while keys come in raw sizes; it is given in the new units.",
    ),
    Correction(
        "steps in their module's units",
        ("normalise_step", "eta_local", "eta_vision", "eta_shared"),
        "A raw step depends on the size of a module's inputs; step sizes are given in the new units.",
    ),
    Correction(
        "evidence centred, in the whole space",
        ("centre", "evidence"),
        "Raw evidence shares a large common part, and its cosine in the few shared coordinates is a noisy estimate.",
    ),
    Correction(
        "protection where answers are predicted",
        ("protect_positions",),
        "The published protection key is the mean over all positions, where the write's key is that of the answer.",
    ),
    Correction(
        "P knows ordinary queries from the start",
        ("traffic", "pool_size"),
        "Two protected queries an edit come late: the first edits are protected by none.",
    ),
    Correction(
        "steps that ordinary answers don't feel",
        ("outward",),
        "P keeps writes from being read where ordinary inputs are; nothing keeps them from moving what ordinary answers hang on.",
    ),
    Correction(
        "the last module of the last layer alone",
        ("layers", "modules"),
        "The best of the trials of bench/tuning.py wrote one layer alone; and the layers below it run once for an edit.",
    ),
    Correction(
        "the text side alone",
        ("projector",),
        "A written projector makes every step compute the whole model again, and what it writes moves every picture.",
    ),
    Correction(
        "all the rank there is",
        ("rank_share",),
        "Half of a small module's directions are out of reach for published ranks; the preconditioner keeps the rest apart.",
    ),
    Correction(
        "factors in single precision",
        ("factors",),
        "Small steps round away in a half precision. No difference on a model in single precision.",
    ),
)
"""In the order of the faults in the published code that they mend."""


def differing() -> frozenset[str]:
    """The fields in which the default differs from the published configuration."""
    paper, default = PRESETS["paper"], PRESETS["default"]
    return frozenset(each.name for each in fields(ScopeEdit) if getattr(paper, each.name) != getattr(default, each.name))


def ablation() -> Mapping[str, ScopeEdit]:
    """Name -> editor: the presets, the published configuration with one correction each, the default without one each."""
    paper, default = PRESETS["paper"], PRESETS["default"]
    made = {"more": PRESETS["more"], "paper": paper}
    for correction in CORRECTIONS:
        made[f"paper + {correction.name}"] = _taking(paper, correction, source=default)
    made["default"] = default
    for correction in CORRECTIONS:
        made[f"default - {correction.name}"] = _taking(default, correction, source=paper)
    return MappingProxyType(made)


def _taking(editor: ScopeEdit, correction: Correction, *, source: ScopeEdit) -> ScopeEdit:
    values = {name: getattr(source, name) for name in correction.fields}
    return replace(editor, **values)
