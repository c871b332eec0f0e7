"""The one real model: any multimodal or language model of transformers that a front can ask (`_front`).

The front makes rows of queries and puts them; from there on the model's own code runs. Batches are padded on the left: what is to
be predicted ends every row.

Shapes: B rows, T positions, D width of the text stack, K positions at the end, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast, final

import torch
from torch import nn
from torch.nn.functional import log_softmax, pad
from transformers import GenerationConfig

from errata.core.cache import Recent
from errata.core.errors import BadInput, Unknown
from errata.core.model import ANSWER_TOKENS, Features, Generated, Patch, Positions, Role, Spoken, States, TokenScores
from errata.core.records import Query
from errata.models._chat import chatter, check_read, check_words, controls_of, pad_of, tokenizer_of
from errata.models._files import Digests
from errata.models._front import Front, Put, Row
from errata.models._groups import group
from errata.models._lower import Lower
from errata.models._quiet import quiet
from errata.models._stepping import Begun, Stepping, in_words, unsteady
from errata.models._turn import check_turns
from errata.nn.digest import hash_of
from errata.nn.patches import LowRank, NoPatch, Verbatim, in_rows, voices
from errata.nn.places import Held, entry_of, plain, quantised
from errata.nn.trace import inputs_in_rows
from errata.nn.weights import bytes_of, count_of

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor
    from transformers import PreTrainedModel, ProcessorMixin

    from errata.models.families.family import Family, Hub

RESERVE = 64
"""Positions kept free for an answer when a query is checked; a longer target needs its own length."""

_ROW_CACHE_BYTES = 64 * 1024 * 1024


@final
@dataclass(frozen=True, eq=False)
class _Together:
    """Rows that are asked in one pass, again and again."""

    rows: list[Row]
    lower: Lower
    held: list[Put] = field(default_factory=list)
    """Their embeddings, once they are known to stay."""


@final
class TransformersModel:
    """See `errata.core.model.Model`. Made by `errata.models.load`; takes over `net`: evaluation mode, no weight wanting a gradient.

    Args:
        net: the model, with its weights.
        processor: its processor.
        name: what it was loaded as.
        family: its family's table, or what is odd about it.
        front: how it is asked.
        digests: what is kept of its digest from one start to the next, where anything is.
    """

    def __init__(
        self,
        net: PreTrainedModel,
        *,
        processor: ProcessorMixin,
        name: str,
        family: Family | Hub,
        front: Front,
        digests: Digests | None = None,
    ) -> None:
        net.train(False)
        self.net = net.requires_grad_(False)
        self.processor = processor
        self.family = family
        self.front = front
        self._digests = digests
        self._name = name
        self._groups = {path: layer for path, layer in front.writable["text"].items() if layer is not None}
        self._paths = frozenset(path for paths in front.writable.values() for path in paths)
        self._loaded_state = Held(net)
        self._rows = _no_rows()
        self._begun: list[Begun] = []
        tokenizer = tokenizer_of(processor)
        self._pad = pad_of(tokenizer)
        speaker = front.speaker
        said = _ends(speaker)
        own = int(tokenizer.eos_token_id)
        self._end = ending(speaker, tokenizer) if front.end is None else front.end
        # Where a whole checkpoint's generation settings name its ends, they are these and no other: answers are `generate`'s own.
        self._stops = sorted({self._end, *said, *_ends(net), *(() if said and front.end is not None else (own,))})
        self._saved_generation = speaker.generation_config
        # A checkpoint's own sampling temperature and the like would be merged into every call and warned about: answers are greedy.
        speaker.generation_config = self._greedy(RESERVE)

    @property
    def name(self) -> str:
        return self._name

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the configuration and of every tensor's name, type and bytes, as loaded: a patch in force doesn't enter.

        Of a large checkpoint it is kept, by the size and time of its files; `worked_out` reads every weight.
        """
        return self.kept or self.worked_out

    @property
    def kept(self) -> str | None:
        """The digest that was kept of these files; None where none was."""
        return None if self._digests is None else self._digests.known()

    @cached_property
    def worked_out(self) -> str:
        """The digest from the weights themselves; kept where none was."""
        found = hash_of(timeless(self.net.config.to_dict()), self._loaded_state).hexdigest()
        if self._digests is not None and self.kept is None:
            self._digests.keep(found)
        return found

    @cached_property
    def parameters(self) -> int:
        return count_of(self.net)

    @cached_property
    def size(self) -> int:
        return bytes_of(self.net)

    @property
    def writable(self) -> Mapping[Role, tuple[str, ...]]:
        return MappingProxyType({role: tuple(paths) for role, paths in self.front.writable.items()})

    @property
    def groups(self) -> Mapping[str, int]:
        return MappingProxyType(self._groups)

    @property
    def place(self) -> torch.device:
        """Where it takes its inputs."""
        return entry_of(self.net)

    @property
    def dense(self) -> bool:
        """Whether every weight is here, a number each: neither left elsewhere until it is used, nor quantised."""
        return all(not held.is_meta and held.is_floating_point() and not quantised(held) for held in self.net.parameters())

    @property
    def context(self) -> int:
        """The most positions that a prompt and its answer may take together, image tokens included."""
        return int(self.net.config.get_text_config().max_position_embeddings)

    @property
    def decoder(self) -> int:
        return self.front.decoder

    def seeing(self, decoder: int) -> TransformersModel:
        if decoder == self.decoder:
            return self
        other = copy(self)  # the weights are shared, and so are hooks: only what is kept of pictures is another
        other.front, other._rows = self.front.seeing(decoder), _no_rows()
        return other

    def module(self, path: str) -> nn.Module:
        if path not in self._paths:
            raise Unknown("writable module", path, self._paths)
        return self.net.get_submodule(path)

    def save(self, folder: Path) -> None:
        """Write an ordinary checkpoint folder: weights, configuration, processor, tokenizer, chat template."""
        speaker, straight = self.front.speaker, self.front.straight()
        plain, speaker.generation_config = speaker.generation_config, self._saved_generation
        try:
            with quiet():
                self.net.save_pretrained(folder, state_dict=straight)
            self.processor.save_pretrained(folder)
        finally:
            speaker.generation_config = plain

    def answers(self, queries: Sequence[Query], patches: Sequence[Patch], *, max_new_tokens: int = ANSWER_TOKENS) -> list[str]:
        return [one.text for one in self.generated(queries, patches, max_new_tokens=max_new_tokens)]

    def generated(
        self, queries: Sequence[Query], patches: Sequence[Patch], *, max_new_tokens: int = ANSWER_TOKENS
    ) -> list[Generated]:
        if max_new_tokens < 1:
            raise BadInput(f"An answer of {max_new_tokens} tokens was asked for. Ask for at least 1.")
        if len(queries) != len(patches):
            raise ValueError(f"{len(queries)} queries came with {len(patches)} patches. Give one patch for each query.")
        found: list[Generated | None] = [self._as_it_stands(*asked) for asked in zip(queries, patches, strict=True)]
        left = [row for row, one in enumerate(found) if one is None]
        for rows in group([queries[row] for row in left], [patches[row] for row in left], by_row=self.front.by_row):
            with rows.around.on(self) as model:
                if isinstance(rows.around, NoPatch):
                    said = self._answer(rows.queries, rows.each, max_new_tokens)
                else:
                    said = model.generated(rows.queries, rows.each, max_new_tokens=max_new_tokens)
            for place, one in zip(rows.rows, said, strict=True):
                row = left[place]
                found[row] = one if isinstance(patches[row], LowRank) else replace(one, spoke=voices(patches[row]))
        return [one for one in found if one is not None]

    def _as_it_stands(self, query: Query, patch: Patch) -> Generated | None:
        if not isinstance(patch, Verbatim):
            return None
        row = self._checked(query, None, reserve=0)
        said = self.front.row(query, patch.text).target
        return Generated(patch.text, True, patch.edits, prompt=row.prompt_length, tokens=len(said) + 1)

    def stepper(self) -> Stepping | None:
        """See `core.model.Steps`."""
        return None if unsteady(self.front) else Stepping(self, ends=self._stops)

    def checked(self, query: Query, *, reserve: int) -> Row:
        """The row of a query that is answered with up to `reserve` tokens.

        Raises:
            BadInput: see `Model.check`.
        """
        return self._checked(query, None, reserve=reserve)

    def loss(self, query: Query, target: str) -> Float[Tensor, ""]:
        return self.speaking(query, target, changing=self._paths)().loss

    def speaking(self, query: Query, target: str, *, changing: Collection[str]) -> Callable[[], Spoken]:
        speak = self.speaking_together([query], [target], changing=changing)
        return lambda: speak()[0]

    def speaking_together(
        self, queries: Sequence[Query], targets: Sequence[str], *, changing: Collection[str]
    ) -> Callable[[], list[Spoken]]:
        rows = [self._checked(query, target, reserve=0) for query, target in zip(queries, targets, strict=True)]
        layers = [self._groups[path] for path in changing if path in self._groups]
        outside = len(layers) < len(changing)  # a module that words and pictures pass before any layer
        order = self.front.passes(rows, more=0)
        lowest = 0 if outside else min(layers, default=0)
        inside = [] if outside else [self.module(path) for path in changing if self._groups[path] == lowest]
        chunked = [
            _Together([rows[i] for i in chunk], Lower(self.front.layers, lowest, inside, self.front.still(changing)))
            for chunk in order
        ]

        def speak() -> list[Spoken]:
            found: dict[int, Spoken] = {}
            for chunk, each in zip(order, chunked, strict=True):
                found.update(zip(chunk, self._speak(each, hold=not outside), strict=True))
            return [found[i] for i in range(len(rows))]

        return speak

    def _speak(self, chunk: _Together, *, hold: bool) -> list[Spoken]:
        batch = chunk.held[0] if chunk.held else self.front.put(self, chunk.rows, [NoPatch()] * len(chunk.rows))
        if hold and not chunk.held:
            chunk.held.append(batch)
        with chunk.lower.on():
            logits_BKV = self._logits(batch, keep=max(len(row.target) for row in chunk.rows) + 1)
        found = []
        for row, logits_KV in zip(chunk.rows, logits_BKV, strict=True):
            wanted = (*row.target, self._end)
            found.append(Spoken(log_softmax(logits_KV[-len(wanted) :].float(), dim=-1), wanted))
        return found

    def predict(self, query: Query, target: str) -> TokenScores:
        return self.predict_many([query], [target], [NoPatch()])[0]

    def predict_many(self, queries: Sequence[Query], targets: Sequence[str], patches: Sequence[Patch]) -> list[TokenScores]:
        if not len(queries) == len(targets) == len(patches):
            counts = f"{len(queries)} queries, {len(targets)} targets and {len(patches)} patches"
            raise ValueError(f"{counts} came together. Give as many of each.")
        scores: list[TokenScores | None] = [None] * len(queries)
        for rows in group(queries, patches, by_row=self.front.by_row):
            wanted = [targets[row] for row in rows.rows]
            with rows.around.on(self) as model:
                if isinstance(rows.around, NoPatch):
                    found = self._score(rows.queries, wanted, rows.each)
                else:
                    found = model.predict_many(rows.queries, wanted, rows.each)
            for row, score in zip(rows.rows, found, strict=True):
                patch = patches[row]
                said = self.front.row(queries[row], patch.text).target if isinstance(patch, Verbatim) else ()
                scores[row] = score.as_said(said)
        return [score for score in scores if score is not None]

    def spoken(self, queries: Sequence[Query], targets: Sequence[str]) -> list[Spoken]:
        return self.speaking_together(queries, targets, changing=self._paths)()

    def positions(self, query: Query, target: str) -> Positions:
        """See `Model.positions`.

        The sequence ends with the target's last token, whose own next token is the end of the answer: that position predicts too,
        so there is one more in `predicting` than in `target`. These are exactly the positions where `loss` is taken.
        """
        row = self._checked(query, target, reserve=0)
        length, token = len(row.ids), self.front.image_token
        image = tuple(i for i, id_ in enumerate(row.ids) if id_ == token)
        text = tuple(i for i, id_ in enumerate(row.ids) if id_ != token)
        expected = self.front.image_positions(row)
        assert expected in (None, len(image)), f"{len(image)} image positions for {expected} image features."
        assert sorted(image + text) == list(range(length)), "Image and text positions must be disjoint and cover the sequence."
        return Positions(
            image=image,
            text=text,
            predicting=tuple(range(row.prompt_length - 1, length)),
            target=tuple(range(row.prompt_length, length)),
            length=length,
        )

    def beginnings(self, queries: Sequence[Query], paths: Sequence[str]) -> Mapping[str, Float[Tensor, "N I"]]:
        rows = []
        for query in queries:
            with suppress(BadInput):
                row = self._checked(query, query.text, reserve=0)
                # What a processor says of each token goes by the prompt's own row: cut from a longer one it would say too much.
                bare = (
                    self._checked(query, None, reserve=0)
                    if row.given
                    else replace(row, ids=row.ids[: row.prompt_length], target=())
                )
                rows.append(bare)
        width = {path: cast("nn.Linear", self.module(path)).in_features for path in paths}
        found = {path: torch.zeros(len(rows), width[path], device=self.place) for path in paths}
        for chunk in self.front.passes(rows, more=0) if paths else ():
            with torch.no_grad(), inputs_in_rows(self, paths, len(chunk)) as seen:
                self._logits(self.front.put(self, [rows[i] for i in chunk], [NoPatch()] * len(chunk)), keep=1)
            for path, x_NTI in seen.items():
                found[path][chunk] = x_NTI[:, -1].float()
        return found

    def states(
        self, queries: Sequence[Query], targets: Sequence[str | None], paths: Sequence[str], *,
        graph: bool = False, as_loaded: bool = False,
    ) -> list[States]:  # fmt: skip
        rows = [self._checked(query, target, reserve=0) for query, target in zip(queries, targets, strict=True)]
        found: dict[int, States] = {}
        begun = None if graph else Begun.of(self, rows, self._around, self._begun if as_loaded else None)
        for chunk in self.front.passes(rows, more=0):
            chosen = [rows[i] for i in chunk]
            behind = begun if all(map(in_words, chosen)) else None
            with torch.set_grad_enabled(graph), inputs_in_rows(self, paths, len(chunk), graph=graph) as seen:
                if behind is None:
                    self._logits(self.front.put(self, chosen, [NoPatch()] * len(chunk)), keep=1)
                else:
                    behind.read(chosen)
            x_BTPI = torch.stack([seen[path] for path in paths], dim=2).float()
            for row, i, x_TPI in zip(chosen, chunk, x_BTPI, strict=True):
                before = 0 if behind is None else behind.length
                found[i] = row.states(pad(x_TPI[before - len(row.ids) :], (0, 0, 0, 0, before, 0)), self._around)
        return [found[i] for i in range(len(rows))]

    @cached_property
    def _around(self) -> tuple[int, ...]:
        """A prompt that shares with any other what the template writes before and after it, and no more."""
        return self.front.row(Query.ask("~"), None).ids

    def features(self, query: Query, *, look: bool = True) -> Features:
        self._checked(query, None, reserve=0)
        words = "\n".join(message.text for message in query.messages)
        ids: list[int] = tokenizer_of(self.processor)(words, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            # Embeddings share a large common part, which would make words alike that have nothing to do with each other.
            text_D = self.net.get_input_embeddings()(torch.tensor(ids, device=self.place)).float().mean(0) - self._common_D
            tokens_NKD = self.front.look(query) if query.images and look else None
            if tokens_NKD is None:
                return Features(text_D, None)
            return Features(text_D, tokens_NKD.float().mean((0, 1)), tokens_NKD.float())

    def chatter(self, count: int, *, seed: int) -> list[Query]:
        return [Query.ask(text) for text in chatter(self.processor, count, seed=seed)]

    @cached_property
    def _common_D(self) -> Float[Tensor, " D"]:
        weight_VD = plain(self.net.get_input_embeddings(), "the input embeddings")
        return weight_VD.float().mean(0)

    def check(self, query: Query, target: str | None = None) -> None:
        self._checked(query, target, reserve=RESERVE)

    @cached_property
    def _controls(self) -> tuple[str, ...]:
        return controls_of(self.processor)

    def check_read(self, query: Query) -> None:
        check_words(self._controls, query.texts)
        check_turns(self.front.turn, query.texts)
        check_read(self.processor, query.texts)

    def _checked(self, query: Query, target: str | None, *, reserve: int) -> Row:
        """The row, if it can be put to this model with `reserve` positions free for an answer.

        Raises:
            BadInput: see `Model.check`.
        """
        if not query.text.strip():
            raise BadInput("The prompt is empty. Ask a question.")
        if target is not None and not target.strip():
            raise BadInput("The target is empty. Say what the right answer is.")
        most = self.front.max_images
        if query.images and not most:
            raise BadInput(f"The query has a picture; {self._name} is a language model and sees none. Ask in words.")
        if len(query.images) > most:
            raise BadInput(f"The query has {len(query.images)} images; {self._name} takes at most {most}. Leave some out.")
        row = self._rows.get((query, target), lambda: self.front.row(query, target))
        free = max(reserve, len(row.target) + 1) if target is not None else reserve
        if row.prompt_length + free > self.context:
            raise BadInput(
                f"The prompt takes {row.prompt_length} tokens (images included) and its answer up to {free}; {self._name} reads "
                f"at most {self.context} together. Ask more briefly, or for a shorter answer."
            )
        return row

    def _answer(self, queries: Sequence[Query], patches: Sequence[NoPatch | LowRank], max_new_tokens: int) -> list[Generated]:
        rows = [self._checked(query, None, reserve=max_new_tokens) for query in queries]
        settings = self._greedy(max_new_tokens)
        found: dict[int, Generated] = {}
        for chunk in self.front.passes(rows, more=max_new_tokens):
            held = [patches[i] for i in chunk]
            with torch.no_grad():
                put = self.front.put(self, [rows[i] for i in chunk], held)
                with in_rows(self, held, role="text") as heard:
                    given: Any = put.named
                    said_BT = cast("Any", put.speaker).generate(**given, generation_config=settings)[:, put.prompt :]
            words = tokenizer_of(self.processor).batch_decode(said_BT, skip_special_tokens=True)
            for place, (i, text, ids) in enumerate(zip(chunk, words, said_BT.tolist(), strict=True)):
                ended = next((at for at, id_ in enumerate(ids, start=1) if id_ in self._stops), None)
                prompt, tokens = len(rows[i].ids), ended or len(ids)
                spoke = heard.spoke(place, prompt=prompt, tokens=tokens)
                found[i] = Generated(text.strip(), ended is not None, spoke, prompt, tokens)
        return [found[i] for i in range(len(rows))]

    def _score(self, queries: Sequence[Query], targets: Sequence[str], patches: Sequence[NoPatch | LowRank]) -> list[TokenScores]:
        rows = [self._checked(query, target, reserve=0) for query, target in zip(queries, targets, strict=True)]
        scores: dict[int, TokenScores] = {}
        for chunk in self.front.passes(rows, more=0):
            held, keep = [patches[i] for i in chunk], max(len(rows[i].target) for i in chunk) + 1
            with torch.no_grad():
                batch = self.front.put(self, [rows[i] for i in chunk], held)
                with in_rows(self, held, role="text"):
                    logits_BKV = self._logits(batch, keep=keep)
            for i, logits_KV in zip(chunk, logits_BKV, strict=True):
                scores[i] = _scores(rows[i].target, logits_KV[-len(rows[i].target) - 1 : -1])
        return [scores[i] for i in range(len(rows))]

    def _greedy(self, max_new_tokens: int) -> GenerationConfig:
        return GenerationConfig(  # type: ignore[no-untyped-call]
            max_new_tokens=max_new_tokens, do_sample=False, pad_token_id=self._pad, eos_token_id=self._stops
        )

    def _logits(self, batch: Put, *, keep: int) -> Float[Tensor, "B K V"]:
        """The last `keep` positions' logits."""
        named: dict[str, Any] = {**batch.named}
        if batch.positions_BT is not None:
            named["position_ids"] = batch.positions_BT
        found = batch.speaker(**named, logits_to_keep=keep, use_cache=False)
        return cast("Tensor", found.logits)


def _no_rows() -> Recent[tuple[Query, str | None], Row]:
    return Recent(_ROW_CACHE_BYTES, lambda row: 200 + 40 * len(row.ids) + sum(held.nbytes for held in row.given.values()))


def _scores(target: tuple[int, ...], logits_KV: Float[Tensor, "K V"]) -> TokenScores:
    logs_KV = log_softmax(logits_KV.float(), dim=-1)
    taken_K = logs_KV.gather(1, torch.tensor(target, device=logs_KV.device)[:, None])[:, 0]
    return TokenScores(target, tuple(logs_KV.argmax(dim=-1).tolist()), tuple((-taken_K).tolist()))


def ending(speaker: PreTrainedModel, tokenizer: Any) -> int:
    """The token that is learned as the end of a target where the front knows none: the one that the settings name, else the
    tokenizer's."""
    said = _ends(speaker)
    return said[0] if len(said) == 1 else int(tokenizer.eos_token_id)


def _ends(net: PreTrainedModel) -> list[int]:
    """The ids that end an answer, as a checkpoint's own generation settings have it (BLIP-2 with OPT ends at a line's end)."""
    said = net.generation_config.eos_token_id
    return said if isinstance(said, list) else [] if said is None else [int(said)]


def timeless(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration without where it was loaded from, by which version, and in which precision (the tensors say that)."""
    passing = {"_name_or_path", "transformers_version", "dtype", "torch_dtype", "_attn_implementation_autoset"}
    return {key: timeless(value) if isinstance(value, dict) else value for key, value in config.items() if key not in passing}
