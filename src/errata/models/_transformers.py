"""The one real model: any multimodal model of transformers whose family is in the table.

Words become embeddings, pictures become frozen features (kept), features pass the projector into the places of the image tokens;
from there on the model's own code runs on the embeddings. Batches are padded on the left: what is to be predicted ends every row.

Shapes: B rows, T positions, D width of the text stack, K positions at the end, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast, final, get_args

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax
from transformers import GenerationConfig

from errata.core.errors import BadInput, Unknown, quoted
from errata.core.images import Image
from errata.core.model import ANSWER_TOKENS, Features, Generated, Patch, Positions, Role, Spoken, TokenScores
from errata.core.records import Query
from errata.models._cache import Recent
from errata.models._chat import chatter, check_read, check_target, check_words, tokenizer_of
from errata.models._eyes import Eyes
from errata.models._groups import chunks, group
from errata.models._lower import Lower
from errata.models._quiet import quiet
from errata.models.families.family import Family
from errata.nn.digest import hash_of
from errata.nn.patches import LowRank, NoPatch, in_rows, voices
from errata.nn.trace import last_inputs_of
from errata.nn.weights import bytes_of, count_of

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from transformers import PreTrainedModel, ProcessorMixin

RESERVE = 64
"""Positions kept free for an answer when a query is checked; a longer target needs its own length."""

_ROW_CACHE_BYTES = 16 * 1024 * 1024


@final
@dataclass(frozen=True)
class _Row:
    """A query and a target as the decoder layers see them: every image as many tokens as it has features."""

    ids: tuple[int, ...]
    prompt_length: int
    target: tuple[int, ...]
    images: tuple[Image, ...]


@final
@dataclass(frozen=True, eq=False)
class _Pass:
    """The embeddings of some rows, padded on the left."""

    x_BTD: Float[Tensor, "B T D"]
    mask_BT: Int[Tensor, "B T"]
    positions_BT: Int[Tensor, "B T"]


@final
@dataclass(frozen=True, eq=False)
class _Together:
    """Rows that are asked in one pass, again and again."""

    rows: list[_Row]
    lower: Lower
    held: list[_Pass] = field(default_factory=list)
    """Their embeddings, once they are known to stay."""


@final
class TransformersModel:
    """See `errata.core.model.Model`. Made by `errata.models.load`; takes over `net`: evaluation mode, no weight wanting a gradient.

    Args:
        net: the model, with its weights.
        processor: its processor.
        name: what it was loaded as.
        family: its family's table.

    Raises:
        BadInput: a path of the table isn't in this model.
    """

    def __init__(self, net: PreTrainedModel, *, processor: ProcessorMixin, name: str, family: Family) -> None:
        net.train(False)
        self.net = net.requires_grad_(False)
        self.processor = processor
        self.family = family
        self._name = name
        self._writable = {role: _resolve(net, family.modules[role], name) for role in get_args(Role)}
        self._groups = {path: layer for path, layer in self._writable["text"].items() if layer is not None}
        self._layers = _layers(net, family.modules["text"])
        self._paths = frozenset(path for paths in self._writable.values() for path in paths)
        self._loaded_state = net.state_dict(keep_vars=True)
        self._eyes = Eyes(net, processor, family)
        self._rows = _no_rows()
        tokenizer = tokenizer_of(processor)
        self._pad = int(tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id)
        speaker = family.speaker(net)
        said = _ends(speaker)
        self._end = said[0] if len(said) == 1 else int(tokenizer.eos_token_id)
        self._stops = sorted({self._end, int(tokenizer.eos_token_id), *said, *_ends(net)})
        self._saved_generation = speaker.generation_config
        # A checkpoint's own sampling temperature and the like would be merged into every call and warned about: answers are greedy.
        speaker.generation_config = self._greedy(RESERVE)

    @property
    def name(self) -> str:
        return self._name

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the configuration and of every tensor's name, type and bytes, as loaded: a patch in force doesn't enter."""
        return hash_of(timeless(self.net.config.to_dict()), self._loaded_state).hexdigest()

    @cached_property
    def parameters(self) -> int:
        return count_of(self.net)

    @cached_property
    def size(self) -> int:
        return bytes_of(self.net)

    @property
    def writable(self) -> Mapping[Role, tuple[str, ...]]:
        return MappingProxyType({role: tuple(paths) for role, paths in self._writable.items()})

    @property
    def groups(self) -> Mapping[str, int]:
        return MappingProxyType(self._groups)

    @property
    def context(self) -> int:
        """The most positions that a prompt and its answer may take together, image tokens included."""
        return int(self.net.config.get_text_config().max_position_embeddings)

    @property
    def decoder(self) -> int:
        return self._eyes.decoder

    def seeing(self, decoder: int) -> TransformersModel:
        if decoder == self.decoder:
            return self
        other = copy(self)  # the weights are shared, and so are hooks: only what is kept of pictures is another
        other._eyes, other._rows = self._eyes.seeing(decoder), _no_rows()
        return other

    def module(self, path: str) -> nn.Module:
        if path not in self._paths:
            raise Unknown("writable module", path, self._paths)
        return self.net.get_submodule(path)

    def save(self, folder: Path) -> None:
        """Write an ordinary checkpoint folder: weights, configuration, processor, tokenizer, chat template."""
        speaker = self.family.speaker(self.net)
        plain, speaker.generation_config = speaker.generation_config, self._saved_generation
        try:
            with quiet():
                self.net.save_pretrained(folder)
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
        found: list[Generated | None] = [None] * len(queries)
        for rows in group(queries, patches):
            with rows.around.on(self) as model:
                if isinstance(rows.around, NoPatch):
                    said = self._answer(rows.queries, rows.each, max_new_tokens)
                else:
                    said = model.generated(rows.queries, rows.each, max_new_tokens=max_new_tokens)
            for row, one in zip(rows.rows, said, strict=True):
                found[row] = one if isinstance(patches[row], LowRank) else replace(one, spoke=voices(patches[row]))
        return [one for one in found if one is not None]

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
        order = chunks([len(row.ids) for row in rows])
        lowest = 0 if outside else min(layers, default=0)
        inside = [] if outside else [self.module(path) for path in changing if self._groups[path] == lowest]
        together = [_Together([rows[i] for i in chunk], Lower(self._layers, lowest, inside)) for chunk in order]

        def speak() -> list[Spoken]:
            found: dict[int, Spoken] = {}
            for chunk, each in zip(order, together, strict=True):
                found.update(zip(chunk, self._speak(each, hold=not outside), strict=True))
            return [found[i] for i in range(len(rows))]

        return speak

    def _speak(self, chunk: _Together, *, hold: bool) -> list[Spoken]:
        batch = chunk.held[0] if chunk.held else self._embed(chunk.rows, [NoPatch()] * len(chunk.rows))
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
        for rows in group(queries, patches):
            wanted = [targets[row] for row in rows.rows]
            with rows.around.on(self) as model:
                if isinstance(rows.around, NoPatch):
                    found = self._score(rows.queries, wanted, rows.each)
                else:
                    found = model.predict_many(rows.queries, wanted, rows.each)
            for row, score in zip(rows.rows, found, strict=True):
                scores[row] = score
        return [score for score in scores if score is not None]

    def spoken(self, queries: Sequence[Query], targets: Sequence[str]) -> list[Spoken]:
        return self.speaking_together(queries, targets, changing=self._paths)()

    def positions(self, query: Query, target: str) -> Positions:
        """See `Model.positions`.

        The sequence ends with the target's last token, whose own next token is the end of the answer: that position predicts too,
        so there is one more in `predicting` than in `target`. These are exactly the positions where `loss` is taken.
        """
        row = self._checked(query, target, reserve=0)
        length, token = len(row.ids), self.family.image_token(self.net)
        image = tuple(i for i, id_ in enumerate(row.ids) if id_ == token)
        text = tuple(i for i, id_ in enumerate(row.ids) if id_ != token)
        expected = sum(self._eyes.length(picture) for picture in row.images)
        assert len(image) == expected, f"{len(image)} image positions for {expected} image features."
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
                rows.append(replace(row, ids=row.ids[: row.prompt_length], target=()))
        width = {path: cast("nn.Linear", self.module(path)).in_features for path in paths}
        found = {path: torch.zeros(len(rows), width[path], device=self.net.device) for path in paths}
        for chunk in chunks([len(row.ids) for row in rows]) if paths else ():
            with torch.no_grad(), last_inputs_of(self, paths, len(chunk)) as seen:
                self._logits(self._embed([rows[i] for i in chunk], [NoPatch()] * len(chunk)), keep=1)
            for path, x_NI in seen.items():
                found[path][chunk] = x_NI
        return found

    def features(self, query: Query, *, look: bool = True) -> Features:
        self._checked(query, None, reserve=0)
        words = "\n".join(message.text for message in query.messages)
        ids: list[int] = tokenizer_of(self.processor)(words, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            # Embeddings share a large common part, which would make words alike that have nothing to do with each other.
            text_D = self.net.get_input_embeddings()(torch.tensor(ids, device=self.net.device)).float().mean(0) - self._common_D
            if not query.images or not look:
                return Features(text_D, None)
            tokens_NKD = self.family.project(self.net, self._look([(image, NoPatch()) for image in query.images]))
            return Features(text_D, tokens_NKD.float().mean((0, 1)))

    def chatter(self, count: int, *, seed: int) -> list[Query]:
        return [Query.ask(text) for text in chatter(self.processor, count, seed=seed)]

    @cached_property
    def _common_D(self) -> Float[Tensor, " D"]:
        weight_VD = cast("nn.Embedding", self.net.get_input_embeddings()).weight
        return weight_VD.detach().float().mean(0)

    def check(self, query: Query, target: str | None = None) -> None:
        self._checked(query, target, reserve=RESERVE)

    def check_read(self, query: Query) -> None:
        check_words(self.processor, query.texts)
        check_read(self.processor, query.texts)

    def _checked(self, query: Query, target: str | None, *, reserve: int) -> _Row:
        """The row, if it can be put to this model with `reserve` positions free for an answer.

        Raises:
            BadInput: see `Model.check`.
        """
        if not query.text.strip():
            raise BadInput("The prompt is empty. Ask a question.")
        if target is not None and not target.strip():
            raise BadInput("The target is empty. Say what the right answer is.")
        if len(query.images) > self.family.max_images:
            most = self.family.max_images
            raise BadInput(f"The query has {len(query.images)} images; {self._name} takes at most {most}. Leave some out.")
        row = self._rows.get((query, target), lambda: self._row(query, target))
        free = max(reserve, len(row.target) + 1) if target is not None else reserve
        if row.prompt_length + free > self.context:
            raise BadInput(
                f"The prompt takes {row.prompt_length} tokens (images included) and its answer up to {free}; {self._name} reads "
                f"at most {self.context} together. Ask more briefly, or for a shorter answer."
            )
        return row

    def _row(self, query: Query, target: str | None) -> _Row:
        token = self.family.image_token(self.net)
        word: str = tokenizer_of(self.processor).convert_ids_to_tokens(token)
        texts = query.texts
        if any(word in text for text in texts):
            raise BadInput(
                f"The prompt holds {quoted(word)}, which stands for a picture here. Write it differently, or give the picture."
            )
        inputs = self.family.encode(self.processor, query, target)
        if target is not None:
            check_target(self.processor, target, inputs.target)
        places = inputs.prompt.count(token)
        if places != len(inputs.images):
            raise BadInput(
                f"The model's chat template makes room for {places} images where the query has {len(inputs.images)}. "
                "Put the images into the user's message."
            )
        lengths = iter([self._eyes.length(image) for image in inputs.images])
        wide = [id_ for token_ in inputs.prompt for id_ in ([token_] * next(lengths) if token_ == token else [token_])]
        return _Row((*wide, *inputs.target), len(wide), inputs.target, inputs.images)

    def _answer(self, queries: Sequence[Query], patches: Sequence[NoPatch | LowRank], max_new_tokens: int) -> list[Generated]:
        rows = [self._checked(query, None, reserve=max_new_tokens) for query in queries]
        settings = self._greedy(max_new_tokens)
        speaker = cast("Any", self.family.speaker(self.net))
        found: dict[int, Generated] = {}
        for chunk in chunks([len(row.ids) + max_new_tokens for row in rows]):
            held = [patches[i] for i in chunk]
            with torch.no_grad():
                prompts = self._embed([rows[i] for i in chunk], held)
                with in_rows(self, held, role="text") as heard:
                    said_BT = speaker.generate(
                        inputs_embeds=prompts.x_BTD, attention_mask=prompts.mask_BT, generation_config=settings
                    )
            # Given embeddings alone, generate returns the new tokens alone.
            words = tokenizer_of(self.processor).batch_decode(said_BT, skip_special_tokens=True)
            for place, (i, text, ids) in enumerate(zip(chunk, words, said_BT.tolist(), strict=True)):
                ended = next((at for at, id_ in enumerate(ids, start=1) if id_ in self._stops), None)
                spoke = heard.spoke(place, prompt=len(rows[i].ids), tokens=ended or len(ids))
                found[i] = Generated(text.strip(), ended is not None, spoke)
        return [found[i] for i in range(len(rows))]

    def _score(self, queries: Sequence[Query], targets: Sequence[str], patches: Sequence[NoPatch | LowRank]) -> list[TokenScores]:
        rows = [self._checked(query, target, reserve=0) for query, target in zip(queries, targets, strict=True)]
        scores: dict[int, TokenScores] = {}
        for chunk in chunks([len(row.ids) for row in rows]):
            held, keep = [patches[i] for i in chunk], max(len(rows[i].target) for i in chunk) + 1
            with torch.no_grad():
                batch = self._embed([rows[i] for i in chunk], held)
                with in_rows(self, held, role="text"):
                    logits_BKV = self._logits(batch, keep=keep)
            for i, logits_KV in zip(chunk, logits_BKV, strict=True):
                scores[i] = _scores(rows[i].target, logits_KV[-len(rows[i].target) - 1 : -1])
        return [scores[i] for i in range(len(rows))]

    def _embed(self, rows: Sequence[_Row], patches: Sequence[NoPatch | LowRank]) -> _Pass:
        """Words and pictures side by side. The vision side and the projector run here, each row's under its own patch."""
        device, longest = self.net.device, max(len(row.ids) for row in rows)
        ids_BT = torch.tensor([[self._pad] * (longest - len(row.ids)) + list(row.ids) for row in rows], device=device)
        mask_BT = torch.tensor([[0] * (longest - len(row.ids)) + [1] * len(row.ids) for row in rows], device=device)
        positions_BT = (mask_BT.cumsum(dim=1) - 1).clamp(min=0)
        x_BTD: Tensor = self.net.get_input_embeddings()(ids_BT)
        seen = [(image, patch) for row, patch in zip(rows, patches, strict=True) for image in row.images]
        if seen:
            spots_BT1: Bool[Tensor, "B T 1"] = (ids_BT == self.family.image_token(self.net))[..., None]
            with in_rows(self, [patch for _, patch in seen], role="projector"):
                features_NKD = self.family.project(self.net, self._look(seen))
            assert spots_BT1.sum() * x_BTD.shape[-1] == features_NKD.numel(), (
                f"{int(spots_BT1.sum())} image positions for features of shape {tuple(features_NKD.shape)}."
            )
            x_BTD = x_BTD.masked_scatter(spots_BT1, features_NKD.to(x_BTD.dtype))
        return _Pass(x_BTD, mask_BT, positions_BT)

    def _look(self, seen: Sequence[tuple[Image, NoPatch | LowRank]]) -> Float[Tensor, "N P V"]:
        untouched = self._eyes.as_loaded()
        features = []
        for image, patch in seen:
            inside = isinstance(patch, LowRank) and any(path in self._writable["vision"] for path in patch.deltas)
            if inside:
                with patch.on(self):
                    features.append(self._eyes.features(image, afresh=True))
            else:
                features.append(self._eyes.features(image, afresh=not untouched))
        return torch.stack(features)

    def _greedy(self, max_new_tokens: int) -> GenerationConfig:
        return GenerationConfig(  # type: ignore[no-untyped-call]
            max_new_tokens=max_new_tokens, do_sample=False, pad_token_id=self._pad, eos_token_id=self._stops
        )

    def _logits(self, batch: _Pass, *, keep: int) -> Float[Tensor, "B K V"]:
        """The last `keep` positions' logits."""
        speaker = self.family.speaker(self.net)
        found = speaker(
            inputs_embeds=batch.x_BTD,
            attention_mask=batch.mask_BT,
            position_ids=batch.positions_BT,
            logits_to_keep=keep,
            use_cache=False,
        )
        return cast("Tensor", found.logits)


def _no_rows() -> Recent[tuple[Query, str | None], _Row]:
    return Recent(_ROW_CACHE_BYTES, lambda row: 200 + 40 * len(row.ids))


def _scores(target: tuple[int, ...], logits_KV: Float[Tensor, "K V"]) -> TokenScores:
    logs_KV = log_softmax(logits_KV.float(), dim=-1)
    taken_K = logs_KV.gather(1, torch.tensor(target, device=logs_KV.device)[:, None])[:, 0]
    return TokenScores(target, tuple(logs_KV.argmax(dim=-1).tolist()), tuple((-taken_K).tolist()))


def _resolve(net: PreTrainedModel, templates: tuple[str, ...], name: str) -> dict[str, int | None]:
    """Templates -> paths in depth order, each with its layer (None for a path without one)."""
    linears = {path for path, module in net.named_modules() if isinstance(module, nn.Linear)}
    found: dict[str, int | None] = {}
    for stack, paths in groupby(templates, key=_stack):
        together, layer = tuple(paths), 0
        if stack is None:
            found.update((path, None) for path in together if path in linears)
        while stack is not None and all(path.format(layer=layer) in linears for path in together):
            found.update((path.format(layer=layer), layer) for path in together)
            layer += 1
    missing = [path for path in templates if path.format(layer=0) not in found]
    if missing:
        raise BadInput(
            f"The model {name} has no linear module at {missing[0].format(layer=0)}, where its family has one. "
            "It can't be edited; use a checkpoint of the family's own layout."
        )
    return found


def _layers(net: PreTrainedModel, templates: tuple[str, ...]) -> tuple[nn.Module, ...]:
    """The decoder's layers, lowest first: where the table's text side has its `{layer}`."""
    stack = next(stack for stack in map(_stack, templates) if stack is not None)
    return tuple(cast("nn.ModuleList", net.get_submodule(stack)))


def _stack(template: str) -> str | None:
    """The path of the layers that a template runs over; None where it names one module."""
    stack, layered, _ = template.partition(".{layer}")
    return stack if layered else None


def _ends(net: PreTrainedModel) -> list[int]:
    """The ids that end an answer, as a checkpoint's own generation settings have it (BLIP-2 with OPT ends at a line's end)."""
    said = net.generation_config.eos_token_id
    return said if isinstance(said, list) else [] if said is None else [int(said)]


def timeless(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration without where it was loaded from, by which version, and in which precision (the tensors say that)."""
    passing = {"_name_or_path", "transformers_version", "dtype", "torch_dtype", "_attn_implementation_autoset"}
    return {key: timeless(value) if isinstance(value, dict) else value for key, value in config.items() if key not in passing}
