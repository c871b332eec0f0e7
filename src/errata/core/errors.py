"""Every error that errata raises on purpose.

    ErrataError
    ├── BadInput            what the user gave can't be used: an image, a prompt, a target, a number, a file
    │   ├── BadImage        missing, broken, huge or empty pictures
    │   └── NoWeights       a model that is only asked, at an address, has no weights to look at
    ├── Unknown             a name that stands for nothing here: editor, field, benchmark, model, edit, branch
    ├── JudgeFailed         the model that judges a benchmark can't be asked, or its reply can't be read
    ├── UpstreamFailed      a model that is asked at an address can't be asked, or its reply can't be read
    └── LogError            the log can't do what was asked
        ├── Conflict        another writer appended first
        ├── Held            another writer has the branch for now
        ├── Tampered        an entry, or the chain, isn't what was written; carries the entry's number
        ├── Unsure          the store was lost in the middle of an append: the entry may be there or not
        └── WrongStore      the store belongs to another model or editor

A message says what is wrong, where, and what to do next. The command line prints the message alone and exits with 2.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

QUOTED_CHARS: Final = 200
"""Of a value that was given, a message shows at most so many characters."""


def quoted(value: object) -> str:
    """A value as a message quotes it: as Python would write it, and no more of it than a reader takes in."""
    if not isinstance(value, str):
        return shortened(repr(value))
    shown = repr(value[:QUOTED_CHARS])
    if len(value) <= QUOTED_CHARS and len(shown) <= QUOTED_CHARS + 2:
        return shown
    return f"{shown[: QUOTED_CHARS + 1]}{shown[0]}... ({len(value):,} characters)"


def shortened(value: object) -> str:
    """A path or a name as a message shows it without quotes."""
    whole = str(value)
    return whole if len(whole) <= QUOTED_CHARS else f"{whole[:QUOTED_CHARS]}... ({len(whole):,} characters)"


class ErrataError(Exception):
    """The root of the tree: catch it to catch everything that errata says on purpose."""


class BadInput(ErrataError, ValueError):
    """What the user gave can't be used; nothing was changed."""


class BadImage(BadInput):
    """A picture is missing, broken, huge or empty; nothing was changed."""


class NoWeights(BadInput):
    """A model that is only asked, at an address, was to show its weights, or what follows from them.

    Args:
        name: the model.
        what: what it hasn't, to go on from "has no".
    """

    def __init__(self, name: str, what: str) -> None:
        super().__init__(f"The model {name} is asked at an upstream and has no {what} here. Use what needs words alone.")


class UpstreamFailed(ErrataError):
    """A model that is asked at an address can't be asked, or its reply can't be read; nothing was changed.

    Args:
        late: whether it didn't answer in time.
    """

    def __init__(self, message: str, *, late: bool = False) -> None:
        self.late = late
        super().__init__(message)


class Unknown(ErrataError, LookupError):
    """A name that stands for nothing here. The message lists what there is.

    Args:
        what: the kind of thing that was named, such as "editor".
        name: the name that was given.
        known: the names that exist.
    """

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        close = get_close_matches(name, names, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        listed = ", ".join(names) if names else "none"
        super().__init__(f"There is no {what} named {quoted(name)}.{hint} Known: {listed}.")


class JudgeFailed(ErrataError):
    """The judge couldn't be asked, or its reply couldn't be read; what it said before is kept."""


class LogError(ErrataError):
    """The log can't do what was asked; nothing was appended."""


class Conflict(LogError):
    """Another writer appended first, so what this one decided on no longer holds; nothing was appended."""


class Held(LogError):
    """Another writer has the branch for now; nothing was changed.

    Args:
        branch: the branch.
        holder: who writes to it.
        until: when the holder's lease ends, unless it is renewed.
        url: where the holder takes what is to be written; "" where it takes nothing, or can't be reached from here.
    """

    def __init__(self, branch: str, holder: str, until: str, url: str = "") -> None:
        self.branch = branch
        self.holder = holder
        self.until = until
        self.url = url
        super().__init__(
            f"Branch {branch!r} is being written to by {holder}, whose lease lasts until {until} and is renewed while it works. "
            "Nothing was changed. Wait until it is done (--wait SECONDS), or stop it; a writer that died on another machine loses "
            "the branch at that time. Reading and proposing need no lease."
        )


class Tampered(LogError):
    """An entry isn't what was written.

    Args:
        seq: the number of the first entry that doesn't verify.
        why: what was found there.
    """

    def __init__(self, seq: int, why: str) -> None:
        self.seq = seq
        self.why = why
        super().__init__(
            f"Entry {seq} of the log doesn't verify: {why}. Don't serve from this store; restore it from a copy and compare."
        )


class Unsure(LogError):
    """The store was lost in the middle of an append and couldn't be asked again: the entry may be there or not."""


class WrongStore(LogError):
    """The store belongs to another model or editor; nothing was changed."""
