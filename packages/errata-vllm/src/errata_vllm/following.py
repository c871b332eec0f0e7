"""The log as a worker sees it: read by polling, folded without the model, and handed over as states by version."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, final

from errata.core.editor import Editor
from errata.core.errors import BadInput, ErrataError, WrongStore, quoted
from errata.core.records import EditId, instant
from errata.editors import parse
from errata.editors.codebook import Codebook, State
from errata.log import EditLog, Entry, Snapshots, open_store
from errata.nn.codes import Codes
from errata.session.beginnings import as_recorded, recorded_editor
from errata.session.folding import followed, thawed

BASE_NAMES: Final = frozenset({"base", "none"})
HEAD_NAMES: Final = frozenset({"head", ""})


@dataclass(frozen=True)
class Folded:
    """A version of the log."""

    seq: int
    """The last entry that is in it."""

    edits: tuple[EditId, ...]
    """Those that speak, in their order."""

    state: State | None
    """None where no edit speaks."""


@final
class Followed:
    """A branch of a store, followed for reading only.

    Args:
        place: a path or a `postgresql://` URL.
        branch: which edit set.

    Raises:
        LogError: there is no store, or it can't be read.
        BadInput, WrongStore: the log has not begun, or its editor can't be served.
    """

    def __init__(self, place: str, branch: str = "main") -> None:
        self._store = open_store(place, create=False)
        self.log = EditLog(self._store, branch)
        self.first = _first(self.log, place)
        self.editor = _editor(self.log, self.first)
        self._folded: Folded | None = None
        self._lock = threading.Lock()

    @property
    def digest(self) -> str:
        """Of the model that the log is of."""
        return str(_object(self.first.details.get("model")).get("digest"))

    @property
    def name(self) -> str:
        """Of the model that the log is of."""
        return str(_object(self.first.details.get("model")).get("name"))

    @property
    def module(self) -> str:
        """The path of the module that holds the slots, as transformers names it."""
        return str(_object(_object(self.first.details.get("editor")).get("fields")).get("module"))

    @property
    def newest(self) -> int:
        """The number of the log's last entry."""
        return len(self.log)

    def lens(self) -> Codes | None:
        """The blank book that the log began with, for its metric; None where no edit was ever written."""
        found = Snapshots(self.log).nearest(self.newest).snapshot
        state = None if found is None else thawed(found.data)
        return state.book if isinstance(state, State) else None

    def head(self) -> Folded:
        """What the log says now; edits whose time is over are left out.

        Raises:
            LogError: what an edit wrote isn't there yet, or the log can't be read.
        """
        with self._lock:
            seq = self.newest
            view = self.log.at(seq)
            fixed = view.fixed()
            over = {edit for edit, end in view.ending().items() if instant(end) <= datetime.now(UTC) and edit not in fixed}
            edits = tuple(edit for edit in view.ids_in_force() if edit not in over)
            if self._folded is None or self._folded.edits != edits:
                since = None if self._folded is None else self._folded.state
                self._folded = Folded(seq, edits, followed(self.editor, view, without=over, since=since))
            else:
                self._folded = Folded(seq, edits, self._folded.state)
            return self._folded

    def at(self, seq: int) -> Folded:
        """The version after an entry.

        Raises:
            LogError: there is no such entry, or what an edit wrote isn't there.
        """
        view = self.log.at(seq)
        return Folded(seq, view.ids_in_force(), followed(self.editor, view))

    def pinned(self, given: object) -> int | None:
        """The entry that a request's `errata_at` means: a number, an alias or a time; 0: the model without edits, None: the head.

        Raises:
            BadInput, LogError: it means none.
        """
        if given is None or (isinstance(given, str) and given in HEAD_NAMES):
            return None
        if isinstance(given, str) and given in BASE_NAMES:
            return 0
        if isinstance(given, int | str) and not isinstance(given, bool):
            return self.log.point(str(given))
        raise BadInput(f"errata_at can't be {quoted(given)}. Give the number of an entry, an alias, a time, 'head' or 'base'.")

    def close(self) -> None:
        self._store.close()


@final
class Poll:
    """A thread that looks for what was appended, so that a step of the engine waits for no disk.

    Args:
        log: what is followed.
        seconds: between looks.
    """

    def __init__(self, log: Followed, *, seconds: float) -> None:
        self._log, self._seconds = log, seconds
        self._found: Folded | None = None
        self.trouble = ""
        """Why the newest entry isn't folded, in a sentence; empty where it is."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="errata-follow", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def look(self) -> None:
        """Look now."""
        try:
            self._found, self.trouble = self._log.head(), ""
        except ErrataError as error:
            self.trouble = str(error)

    def latest(self) -> Folded | None:
        """The newest version that could be folded; None before the first."""
        return self._found

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            self.look()


def _first(log: EditLog, place: str) -> Entry:
    first = next(log.entries(1, 2), None)
    if first is None or first.kind != "begun":
        raise BadInput(
            f"The log in {place} has not begun on branch {log.branch!r}, so nothing says which model and editor it is of. "
            "Make a correction first: errata edit add"
        )
    return first


def _editor(log: EditLog, first: Entry) -> Codebook:
    """The log's editor, if what it writes can be read where vLLM runs.

    Raises:
        WrongStore: it can't.
    """
    editor: Editor[Any] = as_recorded(log, parse(recorded_editor(log) or "codebook"))
    told = _object(first.details.get("editor")).get("name")
    if not isinstance(editor, Codebook) or told != "codebook":
        raise WrongStore(
            f"This log is of the editor {told}, whose edits can't be served inside vLLM: only codebook's stand apart, in slots "
            "of their own. Serve it with errata serve, or replay it onto a branch: errata rebase --editor codebook --onto NAME"
        )
    if editor.layer != 1:
        raise WrongStore(
            f"This log's codebook is in layer {editor.layer} from the end. Above it lie layers whose keys and values vLLM keeps "
            "and shares between requests, so only the last layer's can be served there. Replay the log onto a branch of "
            "codebook:layer=1: errata rebase --editor codebook --onto NAME"
        )
    return editor


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
