"""What a session needs besides its log: the model, the editor as it was asked for or as the log began, and what that is handed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, final

from errata.core.editor import Editor, Equips, Tools
from errata.core.encoder import Encoder
from errata.core.errors import BadInput, Unknown
from errata.core.images import NEWEST
from errata.core.model import Model
from errata.core.records import Query
from errata.core.settings import DEFAULT_EDITOR, default_editors
from errata.editors import parse
from errata.log import EditLog
from errata.models import load
from errata.models.clip import load_encoder
from errata.models.upstream.meeting import PREFIX
from errata.models.upstream.meeting import opened as upstream_at
from errata.models.upstream.weightless import check_weightless
from errata.session.beginnings import as_recorded, recorded_editor
from errata.session.pools import chosen_pool
from errata.session.session import Session


class Otherwise(NamedTuple):
    """What is taken for a log that has not begun, where nothing was asked for."""

    model: str
    editor: str | None = None
    """None: the one that suits the model; see `core.settings.default_editors`."""


@final
@dataclass(frozen=True)
class Loader:
    """See `errata.core.editor.Tools`."""

    device: str = "cpu"
    dtype: str | None = None
    """Of models; encoders are read in float32."""

    decoder: int = NEWEST
    """The version of how pictures are decoded for them."""

    _encoders: dict[str, Encoder] = field(default_factory=dict)
    _models: dict[tuple[str, str | None], Model] = field(default_factory=dict)

    def encoder(self, name: str) -> Encoder:
        """The encoders of a checkpoint folder or hub id."""
        if name not in self._encoders:
            self._encoders[name] = load_encoder(name, device=self.device, decoder=self.decoder)
        return self._encoders[name]

    def model(self, name: str) -> Model:
        """A model, as `errata.models.load` finds it."""
        return self._model(name, self.dtype)

    def reader(self, name: str) -> Model:
        """The same in float32, whatever the others are in."""
        return self._model(name, "float32")

    def _model(self, name: str, dtype: str | None) -> Model:
        if (name, dtype) not in self._models:
            self._models[name, dtype] = load(name, device=self.device, dtype=dtype).seeing(self.decoder)
        return self._models[name, dtype]


def equipped(editor: Editor[Any], tools: Tools | None = None) -> Editor[Any]:
    """The editor with the encoders and the model that it names, if it names any.

    Raises:
        Unknown, BadInput: what it names isn't there, or doesn't fit.
    """
    return editor.equipped(tools or Loader()) if isinstance(editor, Equips) else editor


@dataclass(frozen=True)
class Ready:
    """A model and an editor, opened."""

    model: Model
    editor: Editor[Any]
    asked: str
    """How the editor was named."""

    @staticmethod
    def of(
        log: EditLog,
        *,
        model: str | Model | None,
        editor: str | None,
        otherwise: Otherwise,
        device: str = "cpu",
        dtype: str | None = None,
    ) -> Ready:
        """What was asked for, else what the log began with, else the rest; a wrong editor is told before a model is loaded.

        Args:
            log: of the branch; it may have no entry yet.
            model: a name, `upstream:NAME`, a model that is loaded already, or None for the log's own.
            editor: a name with fields; None for the log's own.
            otherwise: what is taken for a log that has not begun.
            device: where the model runs, if it isn't loaded yet.
            dtype: the precision of its weights; None for what suits the device.

        Raises:
            Unknown, BadInput: no such model or editor, or one that can't be used.
            UpstreamFailed: the model is asked at an address, and isn't there.
        """
        if model is None:
            model = recorded_model(log) or otherwise.model
        name = model if isinstance(model, str) else model.name
        named = editor or recorded_editor(log) or otherwise.editor
        asked = named or DEFAULT_EDITOR
        parsed = parse(asked) if editor else as_recorded(log, parse(asked))
        tools = Loader(device, dtype, log.decoder)
        opened = (model_at(model, device=device, dtype=dtype) if isinstance(model, str) else model).seeing(log.decoder)
        if named is None:
            asked, parsed = usual(opened, name, tools=tools)
        made = equipped(parsed, tools)
        check_weightless(opened, made, asked)
        return Ready(opened, made, asked)

    def session(self, log: EditLog, *, pool: Sequence[Query] | None = None) -> Session:
        """The session of the log, in which no correction takes another one away unsaid; an empty log begins here.

        Args:
            log: of the branch.
            pool: what an editor that protects ordinary questions is given when the log begins; None: some are made for the model.

        Raises:
            BadInput: the editor takes none, or the log began with other ones.
        """
        pool = chosen_pool(log, self.model, self.editor, pool)
        return Session.open(self.model, self.editor, log, pool=pool, asked=self.asked, beside=True)


def usual(model: Model, name: str | None = None, *, tools: Tools | None = None) -> tuple[str, Editor[Any]]:
    """The editor that is taken for a model where none is named: the codebook where what ships for it can't be had, or doesn't fit
    this precision.

    Args:
        name: how the model was named; None: as it calls itself.
        tools: where the editor gets what it names.

    Returns:
        How it is named, and the editor.
    """
    *learned, last = default_editors(name or model.name)
    for found in learned:
        try:
            made = equipped(parse(found), tools)
            made.begin(model)
        except (BadInput, Unknown):
            continue
        return found, made
    return last, parse(last)


def model_at(name: str, *, device: str = "cpu", dtype: str | None = None) -> Model:
    """The model that a name means: `upstream:NAME` at the address that is set, else as `errata.models.load` finds it.

    Raises:
        Unknown, BadInput, UpstreamFailed: it can't be had.
    """
    return upstream_at(name) if name.startswith(PREFIX) else load(name, device=device, dtype=dtype)


def recorded_model(log: EditLog) -> str | None:
    """The name of the model that the log began with, `upstream:NAME` of one at an address; None for a log that has not."""
    first = next(log.entries(1, 2), None)
    model = None if first is None else first.details.get("model")
    if not isinstance(model, Mapping) or not isinstance(model.get("name"), str):
        return None
    return f"{PREFIX if 'upstream' in model else ''}{model['name']}"
