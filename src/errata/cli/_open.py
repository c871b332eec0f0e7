"""What commands open: the log, which needs no torch, and the session of a model, which does.

A store is made only after everything that can be checked has been: a command that fails leaves none behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from errata.cli._options import DEFAULT_EDITOR, DEFAULT_MODEL, DtypeName
from errata.cli._print import note
from errata.core.editor import Editor
from errata.core.errors import Unknown
from errata.log import EditLog, MemoryStore, holding, open_store, shown, store_exists

if TYPE_CHECKING:
    from errata.core.editor import Tools
    from errata.core.model import Model
    from errata.session.session import Session


@dataclass(frozen=True)
class Place:
    """Which model runs where, and under which editor; None: as the log began, or the default for a new one."""

    model: str | None
    editor: str | None
    device: str
    dtype: DtypeName


@contextmanager
def log_to_read(store: str, branch: str, *, new_branch: bool = False) -> Iterator[EditLog]:
    """The log in `store`, which must be there, for the length of a `with` block.

    Args:
        new_branch: True where the branch need not have an entry yet.

    Raises:
        LogError: there is no store, or it can't be read.
        Unknown: the store has other branches, but not this one.
    """
    with closing(open_store(store, create=False)) as opened:
        log = EditLog(opened, branch)
        if not new_branch and not len(log) and log.branches():
            raise Unknown("branch", branch, log.branches())
        yield log


@contextmanager
def log_to_write(store: str, branch: str) -> Iterator[EditLog]:
    """The log in `store`, which must be there, for the length of a `with` block in which nobody else may write to the branch.

    Raises:
        Held: another process writes to the branch.
        LogError, Unknown: as `log_to_read`.
    """
    with log_to_read(store, branch) as log, holding(log.store, branch) as held:
        yield EditLog(held, branch)


@contextmanager
def session_to_ask(place: Place, store: str, branch: str, *, new_branch: bool = False) -> Iterator[Session]:
    """The session of a log, for the length of a `with` block; where there is no store it has no edits, and none is made.

    Args:
        new_branch: True for a branch without edits where the store has others but not this one: a rehearsal of what would make it.
    """
    where = shown(store)
    if store_exists(store):
        with log_to_read(store, branch, new_branch=new_branch) as log:
            if len(log):
                yield _Ready.of(place, log).session(log)
                return
            where = f"{where} on branch {branch}" if log.branches() else where
    note(f"There is no edit in {where}: this is the model without edits.")
    log = EditLog(MemoryStore(), branch)
    yield _Ready.of(place, log).session(log)


@contextmanager
def session_to_edit(place: Place, store: str, branch: str, check: Callable[[Model], None]) -> Iterator[Session]:
    """The session of a log, for the length of a `with` block, in which nobody else may write to the branch; the store is made where
    it isn't there.

    Args:
        check: raises `BadInput` if what is to be done can't be put to the model; called before the store is made.

    Raises:
        Held: another process writes to the branch.
    """
    from errata.session.takeback import finish_erasing

    if store_exists(store):
        with closing(open_store(store, create=False)) as opened:
            ready = _Ready.of(place, EditLog(opened, branch))
    else:
        ready = _Ready.of(place, EditLog(MemoryStore(), branch))
    check(ready.model)
    with closing(open_store(store)) as opened, holding(opened, branch) as held:
        session = ready.session(EditLog(held, branch))
        finish_erasing(session)
        yield session


def model_at(name: str, *, device: str, dtype: DtypeName) -> Model:
    """The model, loaded."""
    from errata.models import load

    return load(name, device=device, dtype=None if dtype == "auto" else dtype)


def tools_at(*, device: str, dtype: DtypeName) -> Tools:
    """What loads the encoders and second models that editors name."""
    from errata.session.tools import Loader

    return Loader(device, None if dtype == "auto" else dtype)


@dataclass(frozen=True)
class _Ready:
    """Everything that a session needs besides the log."""

    model: Model
    editor: Editor[Any]
    asked: str

    @staticmethod
    def of(place: Place, log: EditLog) -> _Ready:
        """What was asked for, else what the log began with, else the defaults; a wrong editor is told before a model is loaded."""
        from errata.editors import parse
        from errata.session.beginnings import as_recorded, recorded_editor
        from errata.session.tools import equipped

        asked = place.editor or recorded_editor(log) or DEFAULT_EDITOR
        editor = parse(asked) if place.editor else as_recorded(log, parse(asked))
        model = model_at(place.model or _recorded_model(log) or DEFAULT_MODEL, device=place.device, dtype=place.dtype)
        editor = equipped(editor, tools_at(device=place.device, dtype=place.dtype))
        return _Ready(model, editor, asked)

    def session(self, log: EditLog) -> Session:
        from errata.session.session import Session

        return Session.open(self.model, self.editor, log, asked=self.asked)


def _recorded_model(log: EditLog) -> str | None:
    """The name of the model that the log began with."""
    first = next(log.entries(1, 2), None)
    model = None if first is None else first.details.get("model")
    name = model.get("name") if isinstance(model, Mapping) else None
    return name if isinstance(name, str) else None
