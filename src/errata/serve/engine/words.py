"""An answer's words as its tokens come: no half of a character, no piece of a text that would stop it, no space at either end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, final

_HALF: Final = "\ufffd"
"""What stands for bytes that are no character, or not yet."""


@final
class Words:
    """The words of one answer.

    Args:
        decode: tokens as text.
        stop: texts that end it and aren't part of it.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], stop: Sequence[str] = ()) -> None:
        self._decode, self._stop = decode, tuple(stop)
        self._ids: list[int] = []
        self._text = ""
        self._from = self._read = 0
        self._sent = 0
        self.cut: int | None = None
        """Where a stop text begins; None where none was said."""

    @property
    def stopped(self) -> bool:
        """Whether a stop text was said."""
        return self.cut is not None

    @property
    def length(self) -> int:
        """Characters that are known so far, whether they were handed out or not."""
        return len(self._text)

    @property
    def whole(self) -> str:
        """The answer as it stands: what a stop text ends, without it."""
        return (self._text if self.stopped else self._decode(self._ids))[: self.cut].strip()

    def add(self, token: int) -> str:
        """Take a token in; what it adds to the text, "" where it is a part of a character."""
        before, now = self._before(), self._near(token)
        self._ids.append(token)
        if not now.startswith(before) or now.endswith(_HALF) or len(now) == len(before):
            return ""
        self._from, self._read = self._read, len(self._ids)
        self._text += now[len(before) :]
        cuts = [at for at in map(self._text.find, self._stop) if at >= 0]
        self.cut = min(cuts, default=None)
        return now[len(before) :]

    def end(self, token: int) -> None:
        """Take the token in that ended the answer; it isn't handed out."""
        self._ids.append(token)

    def would_add(self, token: int) -> str:
        """What another token would add in the place of the next."""
        before, now = self._before(), self._near(token)
        return now[len(before) :] if now.startswith(before) else now

    def fresh(self) -> str:
        """What can be handed out since the last time: nothing that a stop text may take back, and no space that may be the last."""
        start = len(self._text) - len(self._text.lstrip())
        end = len(self._text[: self.cut].rstrip()) if self.stopped else self._sure()
        begin = max(self._sent, start)
        self._sent = max(begin, end)
        return self._text[begin : self._sent]

    def rest(self) -> str:
        """What is left at the end, so that all that was handed out is `whole`; the same as `fresh` but for what was held back."""
        start = len(self._text) - len(self._text.lstrip())
        sent = self._text[start : max(self._sent, start)]
        whole = self.whole
        return whole[len(sent) :] if whole.startswith(sent) else ""

    def _before(self) -> str:
        """The text of the last piece that was taken in: enough before a token to see what it adds."""
        return self._decode(self._ids[self._from : self._read])

    def _near(self, token: int) -> str:
        """The same with the tokens that aren't a character yet, and one more."""
        return self._decode([*self._ids[self._from :], token])

    def _sure(self) -> int:
        """Up to where the text stays, whatever comes."""
        held = 0
        for stop in self._stop:
            most = min(len(stop) - 1, len(self._text))
            held = max(held, next((n for n in range(most, 0, -1) if self._text.endswith(stop[:n])), 0))
        return len(self._text[: len(self._text) - held].rstrip())
