"""Floor 3: one editor a file. The room is the registry: a public module here is an editor under the module's name."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from errata.core.editor import Editor
from errata.editors import _registry
from errata.editors._states import Saved, from_tensors, state_bytes, to_tensors
from errata.editors.mend.plan import Plan as MendPlan
from errata.editors.mend.training import MendTraining
from errata.editors.scoped.editor import SHORT_NAMES
from errata.editors.scoped.in_context import Counterfactual, Demonstrations
from errata.editors.scoped.nearest import Nearest
from errata.editors.scoped.scoped import Scoped
from errata.editors.scoped.scopes.multimodal import FusionSizes, MultimodalScope
from errata.editors.scoped.scopes.pairs import ScopeTraining, pairs
from errata.editors.scoped.scopes.rerank import RerankScope, RerankSizes
from errata.editors.scoped.scopes.sight import Sight, SightSizes
from errata.editors.scoped.scopes.sight import fitted as fitted_sight
from errata.editors.scoped.scopes.states import StateSizes, StatesScope
from errata.editors.scoped.scopes.text import TextScope, TextSizes
from errata.editors.scopeedit.corrections import ablation

__all__ = [
    "EDITORS",
    "SHORT_NAMES",
    "Counterfactual",
    "Demonstrations",
    "FusionSizes",
    "MendPlan",
    "MendTraining",
    "MultimodalScope",
    "Nearest",
    "RerankScope",
    "RerankSizes",
    "Saved",
    "ScopeTraining",
    "Scoped",
    "Sight",
    "SightSizes",
    "StateSizes",
    "StatesScope",
    "TextScope",
    "TextSizes",
    "ablation",
    "fitted_sight",
    "from_tensors",
    "made",
    "pairs",
    "parse",
    "state_bytes",
    "to_tensors",
]

EDITORS: Mapping[str, type] = MappingProxyType(_registry.found_in(sys.modules[__name__]))
"""Name -> class, for every editor of this room."""


def made(kind: type, name: str, text: str) -> Any:
    """A dataclass with the fields that `text` gives, as in `parse` after the colon.

    Args:
        name: how it is called in a message.

    Raises:
        Unknown: no such field.
        BadInput: a value that the field can't take.
    """
    return _registry.with_fields(kind, name, text)


def parse(text: str) -> Editor[Any]:
    """The editor that `text` describes: a name here or of an installed package, or `file.py:Class`, and fields after a colon.

    `parse("scopeedit:preset=paper,steps=3")` is the published preset with three inner steps.

    Raises:
        Unknown: no such editor, field or preset; the message lists what there is.
        BadInput: a value that the field can't take, or a file without that editor.
    """
    return _registry.parse(text, EDITORS, SHORT_NAMES)
