"""What a session needs besides its log: the model, and the editor as it was asked for or as the log began with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from errata.core.editor import Editor
from errata.core.model import Model
from errata.core.records import Query
from errata.editors import parse
from errata.log import EditLog
from errata.models import load
from errata.session.beginnings import as_recorded, recorded_editor
from errata.session.pools import chosen_pool
from errata.session.registry import Loader, equipped
from errata.session.session import Session


class Otherwise(NamedTuple):
    """What is taken for a log that has not begun, where nothing was asked for."""

    model: str
    editor: str


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
            model: a name, a model that is loaded already, or None for the log's own.
            editor: a name with fields; None for the log's own.
            otherwise: what is taken for a log that has not begun.
            device: where the model runs, if it isn't loaded yet.
            dtype: the precision of its weights; None for what suits the device.

        Raises:
            Unknown, BadInput: no such model or editor, or one that can't be used.
        """
        asked = editor or recorded_editor(log) or otherwise.editor
        parsed = parse(asked) if editor else as_recorded(log, parse(asked))
        tools = Loader(device, dtype, log.decoder)
        if model is None:
            model = recorded_model(log) or otherwise.model
        opened = load(model, device=device, dtype=dtype) if isinstance(model, str) else model
        return Ready(opened.seeing(log.decoder), equipped(parsed, tools), asked)

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


def recorded_model(log: EditLog) -> str | None:
    """The name of the model that the log began with; None for a log that has not."""
    first = next(log.entries(1, 2), None)
    model = None if first is None else first.details.get("model")
    name = model.get("name") if isinstance(model, Mapping) else None
    return name if isinstance(name, str) else None
