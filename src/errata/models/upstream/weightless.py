"""Which editors can correct a model that is only asked, at an address: those that say something in its place, or before a question.

Nobody keeps a list of what is inside an editor: it is tried, with a correction that is thrown away and asks the model nothing.
"""

from __future__ import annotations

from typing import Any, Final

from errata.core.editor import Editor
from errata.core.errors import BadInput, NoWeights
from errata.core.model import Model
from errata.core.records import Edit, Query
from errata.models.upstream.model import Upstream
from errata.nn.patches import NoPatch, Rewrite, Verbatim

SERVED: Final = ("pinned", "stated", "pin", "patch", "none", "mscke:checkpoint=FOLDER")
"""Editors that need no weights, as a message names them."""

_TRIED: Final = Edit(Query.ask("What is asked?"), "This.")


def check_weightless(model: Model, editor: Editor[Any], asked: str) -> None:
    """Whether an editor can correct this model; one with weights takes any.

    Args:
        model: of the log.
        editor: with all that it names.
        asked: how the editor was named.

    Raises:
        BadInput: it needs the model's weights.
    """
    if not isinstance(model, Upstream):
        return
    try:
        patch = editor.read(model, editor.write(model, editor.begin(model), _TRIED), _TRIED.query)
        served = isinstance(patch, NoPatch | Rewrite | Verbatim)
    except NoWeights:
        served = False
    if not served:
        raise BadInput(
            f"The editor {asked.partition(':')[0]} needs a model's weights, and {model.name} is asked at an upstream. Use one that "
            f"needs none: {', '.join(SERVED)}."
        )
