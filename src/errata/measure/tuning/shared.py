"""ScopeEdit on a model: how many steps, how many layers and how long a step, one field after another.

Its edits share weights, so nothing can be told by distance: each spec is written and asked. What a field was found to do best with
stays while the next one is searched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final, final

from errata.core.model import Model
from errata.editors.scopeedit.editor import ScopeEdit
from errata.measure.tuning.questions import Questions
from errata.measure.tuning.trying import Trials
from errata.session.pools import made_pool

NAME: Final = "scopeedit"

FIELDS: Final[Mapping[str, tuple[Any, ...]]] = MappingProxyType({"steps": (10, 20), "layers": (2, 4), "relaxation": (0.5, 1.2)})
"""Field -> what is tried beside what it is."""

PLANNED: Final = 1 + sum(map(len, FIELDS.values()))


@final
class Shared:
    """ScopeEdit with a pool of ordinary questions that none of the questions is in.

    Args:
        model: left as found.
        base: where the search begins.
        questions: both halves.
    """

    def __init__(self, model: Model, base: ScopeEdit, questions: Questions) -> None:
        asked = {query.digest for half in (questions.search, questions.held_out) for query in half.ordinary}
        self.model = model
        self.base = base.protecting([query for query in made_pool(model) if query.digest not in asked])
        self._begun: dict[ScopeEdit, Any] = {}

    def begins(self, editor: ScopeEdit) -> Any:
        """`editor.begin`, which neither steps nor their length have a part in, once for each number of layers."""
        alike = replace(editor, steps=1, relaxation=1.0)
        if alike not in self._begun:
            self._begun[alike] = alike.begin(self.model)
        return self._begun[alike]

    def search(self, trials: Trials) -> None:
        """The base, then each field's values on the best so far."""
        trials.run(NAME, self.base)
        depth = len(set(self.model.groups.values()))
        for field, values in FIELDS.items():
            best: ScopeEdit = trials.best.editor
            for value in values:
                if value != vars(best)[field] and (field != "layers" or value <= depth):
                    trials.run(NAME, replace(best, **{field: value}))
