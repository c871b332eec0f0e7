"""What an editor's state takes of memory on a model, by the shapes of its modules alone: no weight is read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from errata.core.editor import Editor
from errata.core.model import Model
from errata.editors import state_bytes
from errata.editors._sites import linear
from errata.editors.codebook import Codebook
from errata.editors.finetune import FineTune


def begun_bytes(model: Model, editor: Editor[Any]) -> int:
    """Bytes of tensors that a state has before its first edit, the same whatever the weights are.

    Args:
        model: it may be without weights (on torch's device "meta").

    Raises:
        BadInput: the editor can't be used on this model.
    """
    # Its metric is as large whatever it is made from.
    return state_bytes((replace(editor, chatter=0, weight=0.0) if isinstance(editor, Codebook) else editor).begin(model))


def first_bytes(model: Model, editor: Editor[Any]) -> int:
    """Bytes that the first edit adds: a copy of each weight that fine-tuning trains. What a memory finds an edit by (a key, under
    two kilobytes on these models) and its words are left out."""
    if not isinstance(editor, FineTune):
        return 0
    return sum(weight.numel() * weight.element_size() for weight in (linear(model, path).weight for path in editor.paths(model)))
