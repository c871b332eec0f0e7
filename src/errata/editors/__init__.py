"""Floor 3: one editor a file. The room is the registry: a public module here is an editor under the module's name."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from errata.core.editor import Editor
from errata.editors import _registry
from errata.editors._corrections import ablation
from errata.editors._states import Saved, from_tensors, state_bytes, to_tensors

__all__ = ["EDITORS", "Saved", "ablation", "from_tensors", "parse", "state_bytes", "to_tensors"]

EDITORS: Mapping[str, type] = MappingProxyType(_registry.found_in(sys.modules[__name__]))
"""Name -> class, for every editor of this room."""


def parse(text: str) -> Editor[Any]:
    """The editor that `text` describes: a name here or of an installed package, or `file.py:Class`, and fields after a colon.

    `parse("scopeedit:preset=paper,steps=3")` is the published preset with three inner steps.

    Raises:
        Unknown: no such editor, field or preset; the message lists what there is.
        BadInput: a value that the field can't take, or a file without that editor.
    """
    return _registry.parse(text, EDITORS)
