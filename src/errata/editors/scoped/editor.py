"""Any editor behind any scope, put together by name: SERAC and MSCKE are two of the combinations.

| name | scope | editor | paper |
|---|---|---|---|
| serac | text | counterfactual | Mitchell et al., arXiv 2206.06520 |
| mscke | multimodal | counterfactual | FGVEdit (Zeng et al.) |
| states | states | routed | ours |
| rerank | rerank | routed | ours |
| pinned | alike | answer | what people do (`pin`, `cache`) |
| stated | alike | counterfactual | SERAC's shape, nothing learned |

A trained scope comes from a checkpoint folder: `serac:checkpoint=FOLDER`. Without `speaker` the base itself is told the edit; with
it a separate model answers, as published. MSCKE-MEND is `mscke:checkpoint=FOLDER,editor=mend:...`. The inner editor's own fields
are separated by semicolons: `scoped:editor=scopeedit:rank_local=64;rank_shared=16,memory=fold`. "alike" asks nothing of the model:
the same question, and a near one by the encoders that are named. The memory and its rules are those of `told` and `ike`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, final

from errata.core.canonical import JSON
from errata.core.editor import BEFORE, MADE, Editor, Scope, Tools, protected, takes_pool
from errata.core.errors import BadInput, quoted
from errata.core.model import Model
from errata.core.records import Query, Spec
from errata.editors import _registry
from errata.editors._checkpoints import read
from errata.editors.scoped.in_context import Counterfactual, Demonstrations
from errata.editors.scoped.memory import Memory
from errata.editors.scoped.naming import Naming
from errata.editors.scoped.nearest import Nearest
from errata.editors.scoped.pinned import Answer
from errata.editors.scoped.routed import Routed
from errata.editors.scoped.scoped import Remembers, Scoped
from errata.editors.scoped.scopes import multimodal, rerank, sight, states, text
from errata.editors.scoped.scopes.alike import Alike
from errata.editors.scoped.scopes.multimodal import MultimodalScope
from errata.editors.scoped.scopes.rerank import RerankScope
from errata.editors.scoped.scopes.sight import Sight
from errata.editors.scoped.scopes.states import StatesScope
from errata.editors.scoped.scopes.text import TextScope

INNER: Mapping[str, type] = MappingProxyType(
    {"answer": Answer, "counterfactual": Counterfactual, "demonstrations": Demonstrations, "routed": Routed}
)
"""Editors that only make sense behind a scope."""

SHORT_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "serac": "scoped:scope=text",
        "mscke": "scoped:scope=multimodal",
        "states": "scoped:scope=states,editor=routed",
        "rerank": "scoped:scope=rerank,editor=routed,surely=0.5",
        "pinned": "scoped:scope=alike,editor=answer",
        "stated": "scoped:scope=alike,editor=counterfactual",
    }
)
"""Systems by name -> the combination that each stands for."""


@final
@dataclass(frozen=True)
class ByScope(Remembers):
    """A scope and an editor by their names."""

    scope: Literal["text", "multimodal", "states", "rerank", "nearest", "alike"] = "nearest"
    """What decides whether an edit concerns a query: words (SERAC), words and pictures (MSCKE), the model's own states, the model
    itself, which reads both together ("rerank"), nearness (`told`), or likeness, which asks nothing of the model (`alike`)."""

    checkpoint: str = ""
    """Folder of the trained scope; none for "nearest" and "alike", which learn nothing. Of "rerank"; empty: the one that ships,
    which is for SmolLM2-135M-Instruct."""

    shipped: int = field(default=4, metadata={BEFORE: 1})
    """Of "rerank" without a checkpoint: which of those that shipped. A log goes on with the one that it began with."""

    encoders: str = ""
    """Folder or hub id of the encoders that are seen with. Of "multimodal"; empty: where they lay when it was trained. Of "alike";
    empty: the same question alone is in scope."""

    threshold: float = 0.85
    """Of "nearest" and "alike": the least similarity that is in scope, above 0 and below 1."""

    surely: float = field(default=0.9, metadata={BEFORE: 0.9})
    """Of "states" and "rerank": how likely a correction must concern a question to be in scope, above 0 and below 1. The short name
    `rerank` takes 0.5."""

    reader: str = field(default="", metadata={BEFORE: None})
    """Of "rerank": the model that reads corrections and questions, where it isn't the one that is corrected: a shipped name, folder
    or hub id. The trained scope must be for it. Empty: the model that is corrected."""

    sight: str = field(default="", metadata={BEFORE: None})
    """Of "rerank": what tells whether two pictures show the same, for the model that is corrected: "atlas", which ships for that
    model, or the folder that `errata train sight` wrote. Empty: a picture is the same pixel by pixel, or another."""

    naming: bool = field(default=False, metadata={BEFORE: False})
    """Of "rerank": whether the corrected model is asked what a picture shows, once of each, where nothing else concerns a question
    about it: so what was corrected in words holds on pictures, too."""

    image_weight: float = 0.5
    """Of "nearest": how much pictures count, 0 to 1; 0: words alone."""

    editor: str = "counterfactual"
    """What speaks for an edit in scope: "counterfactual", or any editor with its fields separated by semicolons."""

    speaker: str = ""
    """Of "counterfactual": the separate model that is told the edit, as published; empty: the base itself is told."""

    memory: Literal["each", "fold"] = "each"
    """One inner state for each edit, or one stream of all, gated as a whole."""

    made: Scoped | None = field(default=None, repr=False, compare=False, metadata={MADE: True})
    """Both put together; None until the encoders or the model that are named have been handed over."""

    def __post_init__(self) -> None:
        if self.scope in _UNTAUGHT and self.checkpoint:
            raise BadInput(
                f'The scope "{self.scope}" learns nothing and takes no checkpoint. Leave checkpoint out, or name another scope.'
            )
        if self.scope not in (*_UNTAUGHT, "rerank") and not self.checkpoint:
            name = {"text": text.TRAINED_AS, "multimodal": multimodal.TRAINED_AS}.get(self.scope, self.scope)
            raise BadInput(
                f"The scope {quoted(self.scope)} must have been trained. Give checkpoint=FOLDER, as `errata train {name}` wrote it."
            )
        if self.speaker and self.editor != "counterfactual":
            raise BadInput(
                f"A speaker is what the counterfactual tells; the editor {quoted(self.editor)} takes none. Leave speaker out."
            )
        if self.shipped not in _SHIPPED:
            raise BadInput(f"Of what rerank learned there shipped {', '.join(map(str, _SHIPPED))}, not {self.shipped}.")
        if self.reader and self.scope != "rerank":
            raise BadInput(f'Only the scope "rerank" has a reader; {quoted(self.scope)} takes none. Leave reader out.')
        if self.sight and self.scope != "rerank":
            raise BadInput(f'Only the scope "rerank" has a sight; {quoted(self.scope)} takes none. Leave sight out.')
        if self.naming and self.scope != "rerank":
            raise BadInput(f'Only the scope "rerank" reads what pictures show; {quoted(self.scope)} doesn\'t. Leave naming out.')
        if self.scope == "multimodal" and self.made is None:
            read(self.checkpoint, kind=multimodal.TRAINED_AS)  # so that a broken one is told before anything is loaded
        if self.made is None and not self._needs():
            object.__setattr__(self, "made", self._put_together(None))

    def equipped(self, tools: Tools) -> ByScope:
        """With the encoders and the model that are named."""
        if self.made is not None:
            return self
        return replace(self, made=self._put_together(tools))

    def spec(self, model: Model) -> Spec:
        """Every field; what was loaded from a folder stands in `made` by its digest, so that the folder may move."""
        given: dict[str, JSON] = {each.name: self.__dict__[each.name] for each in fields(self) if each.name not in _PLACES}
        return Spec("scoped", given | dict.fromkeys(_PLACES) | {"made": self._memory().spec(model).to_json()})

    def telemetry(self, state: Memory) -> Mapping[str, JSON]:
        """See `Scoped.telemetry`."""
        return self._memory().telemetry(state)

    def protecting(self, pool: Sequence[Query]) -> ByScope:
        """With an inner editor that keeps out of the way of these queries, where it is of that kind."""
        memory = self._memory()
        return replace(self, made=replace(memory, editor=protected(memory.editor, pool)))

    def heeds_pool(self) -> bool:
        """See `core.editor.Heeds`: as the inner editor does."""
        return takes_pool(self._memory().editor)

    def _memory(self) -> Scoped:
        if self.made is None:
            raise BadInput(f"This editor names {' and '.join(self._needs())} that were not loaded. Call equipped first.")
        return self.made

    def _needs(self) -> list[str]:
        """What must be handed over before the first use."""
        needs = {"encoders": bool(self.encoders) or self.scope == "multimodal", "a speaker": bool(self.speaker)}
        needs["a reader"] = bool(self.reader)
        return [what for what, needed in needs.items() if needed]

    def _put_together(self, tools: Tools | None) -> Scoped:
        naming = Naming() if self.naming else None
        return Scoped(self._scope(tools), self._editor(tools), memory=self.memory, naming=naming)

    def _scope(self, tools: Tools | None) -> Scope:
        if self.scope == "text":
            return TextScope.load(read(self.checkpoint, kind=text.TRAINED_AS))
        if self.scope == "states":
            return StatesScope.load(read(self.checkpoint, kind=states.TRAINED_AS), surely=self.surely)
        if self.scope == "rerank":
            reader = tools.reader(self.reader) if self.reader and tools is not None else None
            seen = Sight.load(read(_SIGHTS.get(self.sight, self.sight), kind=sight.TRAINED_AS)) if self.sight else None
            return RerankScope.load(
                read(self.checkpoint or _SHIPPED[self.shipped], kind=rerank.TRAINED_AS),
                surely=self.surely,
                reader=reader,
                sight=seen,
                form=None if self.checkpoint else self.shipped,
            )
        if self.scope == "multimodal":
            assert tools is not None, "a multimodal scope is only made once its encoders can be had"
            found = read(self.checkpoint, kind=multimodal.TRAINED_AS)
            return MultimodalScope.load(found, tools.encoder(self.encoders or found.base_name))
        if self.scope == "alike":
            return Alike(self.threshold, None if tools is None or not self.encoders else tools.encoder(self.encoders))
        return Nearest(self.threshold, self.image_weight)

    def _editor(self, tools: Tools | None) -> Editor[Any]:
        if self.speaker and tools is not None:
            return Counterfactual(speaker=tools.model(self.speaker))
        return _registry.in_room(self.editor, INNER)


_SHIPPED: Mapping[int, Path] = MappingProxyType(
    {
        number: Path(str(files("errata").joinpath("assets", folder)))
        for number, folder in ((1, "smollm2-rerank"), (2, "smollm2-rerank-2"), (3, "smollm2-rerank-2"), (4, "smollm2-rerank-2"))
    }
)
"""What was trained for `smollm2`, the first and what took its place, by the form in which it keeps corrections."""

_SIGHTS: Mapping[str, Path] = MappingProxyType({"atlas": Path(str(files("errata").joinpath("assets", "atlas-sight")))})
"""Model -> what ships of what tells its pictures apart."""

_UNTAUGHT = ("nearest", "alike")
"""Scopes that learn nothing."""

_PLACES = ("checkpoint", "encoders", "speaker", "reader", "sight")
"""Fields that say where something lies on this machine."""
