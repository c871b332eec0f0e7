"""Where corrections speak inside vLLM: behind the last decoder layer's down projection (`errata_vllm.op`), in every step.

The runner says whose the rows of a step are (`input_batch`) and where each request's keys and values stand (`block_ids`). What a
row's answer depends on beside its own state is which slot spoke at the position before. That is carried from step to step; where a
request begins behind a cached prefix, it is worked out from the prefix's *codes*, which are kept in blocks of their own beside the
keys and values: a position's code comes from below every slot, so that it is the same whatever was edited since, and prefix caching
stays on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import torch
from torch import Tensor

from errata.core.errors import BadInput, ErrataError
from errata.nn.codes import SILENT, Codes
from errata_vllm.book import BASE, Book, Lens, Piece
from errata_vllm.following import Folded, Followed, Poll
from errata_vllm.op import listen, place

PIN = "errata_at"
"""In a request's `vllm_xargs` (`SamplingParams.extra_args`): which version it is answered by."""


@dataclass
class _Request:
    """What is known of a request that runs."""

    version: int
    seq: int
    """The entry that the version is after."""

    next: int = 0
    """The position after the last that was read."""

    spoke: int = SILENT
    """The slot that spoke there."""

    whole: bool = False
    """Whether probabilities of the prompt's tokens are asked for, so that every position counts."""


class _Run(NamedTuple):
    """One request in a step."""

    request: _Request
    start: int
    rows: slice


class _Step(NamedTuple):
    runs: list[_Run]
    pieces: list[Piece]
    places_T: Tensor | None
    """Where each row's code is kept: as its keys and values are, block by block; None where no prefix is ever taken up."""


@dataclass
class Counts:
    """What was done since the start."""

    steps: int = 0
    rows: int = 0
    spoken: int = 0
    """Rows where a slot spoke."""

    prefixes: int = 0
    """Requests that began behind a cached prefix."""


@final
class Seam:
    """The corrections of a log, in force in one model runner.

    Args:
        runner: vLLM's model runner, with the model loaded and its keys and values laid out.
        followed: the log.
        slots: room in the buffers.
        poll_s: between looks at the log.

    Raises:
        BadInput: the module that holds the slots isn't there, or the runner keeps keys and values in several ways.
        LogError: the log can't be folded.
    """

    def __init__(self, runner: Any, followed: Followed, *, slots: int, poll_s: float) -> None:
        self._runner = runner
        self._followed = followed
        self._slots = slots
        self._module = place(runner.get_model(), followed.module)
        self._block, self._blocks = _blocks(runner)
        self._caching = bool(runner.cache_config.enable_prefix_caching)
        self._codes_PR: Tensor | None = None
        codes = followed.lens()  # from the first step on, so that what is cached before the first edit has its codes too
        self._book: Book | None = None if codes is None else self._blank(codes)
        self._requests: dict[str, _Request] = {}
        self._past: dict[int, int] = {}
        self._step: _Step | None = None
        self._head = (BASE, 0)
        self._taken: Folded | None = None
        self.counts = Counts()
        self.trouble = ""
        self._poll = Poll(followed, seconds=poll_s)
        self._poll.look()
        self.take()
        if why := self._poll.trouble or self.trouble:
            raise BadInput(why)
        self._reached = False
        listen(self._module, self._speak)
        self._forward: Callable[..., Any] = runner._model_forward
        runner._model_forward = self._forwarded
        self._poll.start()

    def take(self) -> None:
        """Put the newest version that was found into the buffers; between steps only."""
        found = self._poll.latest()
        if found is None or found is self._taken:
            return
        if self._taken is not None and found.edits == self._taken.edits:
            self._taken, self._head = found, (self._head[0], found.seq)
            return
        try:
            self._head = (self._version(found), found.seq)
        except BadInput as error:
            self.trouble = str(error)
            return
        self._taken, self.trouble = found, ""

    def status(self, *, look: bool = False) -> Mapping[str, Any]:
        """What is in force, in plain values."""
        if look:
            self._poll.look()
        self.take()
        book, taken = self._book, self._taken
        return {
            "seq": self._head[1],
            "newest": self._followed.newest,
            "edits": [] if taken is None else list(taken.edits),
            "slots": 0 if book is None else book.taken,
            "room": self._slots,
            "running": len(self._requests),
            "why_behind": self.trouble or self._poll.trouble,
            "steps": self.counts.steps,
            "rows": self.counts.rows,
            "spoken": self.counts.spoken,
            "prefixes": self.counts.prefixes,
        }

    def stop(self) -> None:
        self._poll.stop()

    def _version(self, folded: Folded) -> int:
        if folded.state is None:
            return BASE
        if self._book is None:
            self._book = self._blank(folded.state.book)
        used = {self._head[0], *(request.version for request in self._requests.values())}
        keep = {*used, *self._past.values()}
        try:
            return self._book.put(folded.state, keep=keep)
        except BadInput:
            self._past.clear()  # pinned versions that no request has any more make room
            return self._book.put(folded.state, keep=used)

    def _blank(self, codes: Codes) -> Book:
        weight: Tensor = self._module.weight
        return Book(Lens.of(codes), slots=self._slots, out_features=codes.values_MO.shape[1], like=weight)

    def _pinned(self, given: object) -> tuple[int, int]:
        """The version and entry of a request; what can't be served was refused where the request came in."""
        seq = self._followed.pinned(given)
        if seq is None:
            return self._head
        if seq not in self._past:
            self._past[seq] = self._version(self._followed.at(seq)) if seq else BASE
            while len(self._past) > _PAST:
                del self._past[next(iter(self._past))]
        return self._past[seq], seq

    def _forwarded(self, *args: Any, **named: Any) -> Any:
        self.take()
        self._step, self._reached = self._prepared(), False
        try:
            given = self._forward(*args, **named)
        finally:
            self._step = None
        if not self._reached:
            raise RuntimeError(
                "vLLM ran the model without the operation at which corrections speak: a graph that was compiled without it. "
                "Remove vLLM's cache of compiled graphs, or start with --enforce-eager."
            )
        return given

    def _prepared(self) -> _Step:
        """Whose the rows of this step are, and what spoke before each request's first."""
        runner = self._runner
        batch, ends = runner.input_batch, runner.query_start_loc.np
        count = batch.num_reqs
        starts = batch.num_computed_tokens_cpu[:count].tolist()
        ends = ends[: count + 1].tolist()
        for gone in self._requests.keys() - runner.requests.keys():
            del self._requests[gone]
        runs, pieces = list[_Run](), list[Piece]()
        for index, name in enumerate(batch.req_ids[:count]):
            start, rows = starts[index], slice(ends[index], ends[index + 1])
            request = self._requests.get(name) or self._begun(name, runner.requests[name])
            before = request.spoke if request.next == start else self._before(request, runner.requests[name], start)
            runs.append(_Run(request, start, rows))
            pieces.append(Piece(rows, request.version, before, request.whole))
        self.counts.steps += 1
        self.counts.rows += ends[-1]
        return _Step(runs, pieces, batch.block_table[0].slot_mapping.gpu[: ends[-1]] if self._caching else None)

    def _begun(self, name: str, told: Any) -> _Request:
        given = (told.sampling_params.extra_args or {}).get(PIN) if told.sampling_params is not None else None
        try:
            version, seq = self._pinned(given)
        except ErrataError as error:  # it could be served when it came in, and can't any more
            self.trouble = str(error)
            version, seq = BASE, 0
        whole = told.sampling_params is not None and told.sampling_params.prompt_logprobs is not None
        request = self._requests[name] = _Request(version, seq, whole=whole)
        return request

    def _before(self, request: _Request, told: Any, start: int) -> int:
        """Which slot spoke at the last position of a prefix that isn't read again; worked out under the request's version."""
        if start == 0:
            return SILENT
        self.counts.prefixes += 1
        if self._book is None or self._codes_PR is None or self._book.silent(request.version):
            return SILENT
        codes_PR = self._codes_PR[torch.tensor(self._places(told, 0, start), device=self._codes_PR.device)]
        slots_P = self._book.speaking(codes_PR, [Piece(slice(0, start), request.version, SILENT)])
        return SILENT if slots_P is None else int(slots_P[-1])

    def _places(self, told: Any, start: int, stop: int) -> list[int]:
        """Where the codes of a request's positions are kept: as their keys and values are, block by block."""
        blocks, size = told.block_ids[0], self._block
        return [blocks[position // size] * size + position % size for position in range(start, stop)]

    def _speak(self, x_TI: Tensor, y_TO: Tensor) -> None:
        """What the operation does: between the module and what comes after it."""
        step, book, self._reached = self._step, self._book, True
        if step is None or book is None:
            return
        if not self._caching and all(book.silent(piece.version) for piece in step.pieces):
            return
        codes_TR = book.codes(x_TI[: step.pieces[-1].rows.stop])
        if step.places_T is not None:
            if self._codes_PR is None:
                self._codes_PR = torch.zeros(self._blocks * self._block, book.width, device=y_TO.device)
            self._codes_PR.index_copy_(0, step.places_T, codes_TR)
        slots_T = book.speaking(codes_TR, step.pieces)
        self._remember(step, slots_T)
        if slots_T is not None:
            book.move(slots_T, y_TO)

    def _remember(self, step: _Step, slots_T: Tensor | None) -> None:
        runs = step.runs
        last = [SILENT] * len(runs) if slots_T is None else slots_T[[run.rows.stop - 1 for run in runs]].tolist()
        for run, slot in zip(runs, last, strict=True):
            run.request.next, run.request.spoke = run.start + run.rows.stop - run.rows.start, slot
            self.counts.spoken += slot != SILENT


_PAST = 64
"""Versions of the past that stay in the buffers while there is room."""


def _blocks(runner: Any) -> tuple[int, int]:
    """Positions in a block of keys and values, and how many blocks there are."""
    config = runner.kv_cache_config
    if len(config.kv_cache_groups) != 1:
        raise BadInput("This model keeps keys and values in several ways (sliding windows, states), which isn't followed here.")
    return int(config.kv_cache_groups[0].kv_cache_spec.block_size), int(config.num_blocks)
