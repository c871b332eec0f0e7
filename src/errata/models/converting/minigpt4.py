"""MiniGPT-4 from its authors' files to a checkpoint folder of the family `minigpt4`.

Zhu et al., "MiniGPT-4", arXiv 2304.10592; code at github.com/Vision-CAIR/MiniGPT-4. What it is run from: a LLaMA or Vicuna, the
tower of EVA-CLIP, BLIP-2's Q-Former with the layer norm before it, and a checkpoint with one projection, x W^T + b, from the
Q-Former's width to the language model's. All of it fits a `Blip2ForConditionalGeneration` whose language model is a LLaMA. Three
things don't fit as they are:

- The tower's attention has a bias for queries and values and none for keys: the one bias of transformers is q, zeros, v.
- The layer norm between tower and Q-Former adds 1e-5 where the tower's add 1e-6; transformers has one number for both. The folder's
  configuration says `post_layer_norm_eps`, which errata's family heeds.
- LLaMA's tokenizer has no token for a picture. `<image>` is added, and where the vocabulary has no row for it, one that is the mean
  of all: as a word it is never read, and its logit, the mean of the others', is never the largest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, final

import torch
from torch import Tensor
from transformers import (
    AutoTokenizer,
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2Processor,
    BlipImageProcessorPil,
    GenerationConfig,
    LlamaConfig,
    ProcessorMixin,
)
from transformers.image_utils import PILImageResampling

from errata.core.errors import BadInput, Unknown, shortened
from errata.core.progress import Progress
from errata.models._chat import brief, tokenizer_of
from errata.models._quiet import quiet
from errata.models.converting.files import Held, Part, language_model, listed, saved
from errata.models.converting.folder import SHARD_BYTES, Planned, check_disk, check_folder, draft_of, write_shards
from errata.models.converting.layout import CHECKPOINT, QFORMER, TOWER, Given, Parts, check_kinds, config_of, count, original
from errata.models.small.build import IMAGE

_DTYPES: Mapping[str, torch.dtype] = MappingProxyType(
    {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
)

_MEAN: Final = [0.48145466, 0.4578275, 0.40821073]
_DEVIATION: Final = [0.26862954, 0.26130258, 0.27577711]
"""Of the colours of CLIP's pictures, red, green and blue, from 0 to 1."""

_SEPARATOR: Final = "###"
"""What MiniGPT-4 writes after an answer."""

_FULL: Final = ("qformer.", "query_tokens")
"""What stays in float32 whatever the rest is, in the original as in transformers."""


Make = Callable[[], Tensor]


@final
@dataclass(frozen=True)
class Files:
    """What MiniGPT-4 is run from."""

    language_model: Path
    """A folder in the layout of transformers."""

    eyes: Path
    qformer: Path
    checkpoint: Path


@final
@dataclass(frozen=True)
class Converted:
    """What was written."""

    size: int
    """Bytes of weights."""

    dtype: str
    """Of all but the Q-Former."""

    blocks: tuple[int, int]
    """Of the tower: used, and in its file."""

    image_token: int
    vocabulary: tuple[int, int]
    """Rows before and after."""

    ends: tuple[str, ...]
    """Tokens that end an answer."""

    apart: bool
    """Whether the words around a picture become the tokens that the original makes of them, piece by piece."""


def convert(
    files: Files,
    out: Path,
    *,
    dtype: str | None = None,
    given: Given | None = None,
    progress: Progress = lambda *_: None,
    shard_bytes: int = SHARD_BYTES,
) -> Converted:
    """Write the folder.

    Args:
        files: what MiniGPT-4 is run from.
        out: written whole or not at all; it must not be there, or be empty.
        dtype: "float32", "bfloat16" or "float16", of all but the Q-Former, which is float32. None: the language model's own.
        given: what shapes don't tell, of files that aren't the published ones.
        progress: is told after each file.
        shard_bytes: the most bytes of one file; as many are held in memory.

    Raises:
        BadInput: a file is missing, broken or of another kind, two don't fit, or the folder or its disk has no room.
        Unknown: no such dtype.
    """
    check_folder(out)
    if dtype is not None and dtype not in _DTYPES:
        raise Unknown("dtype", dtype, _DTYPES)
    with quiet():
        language, text = language_model(files.language_model)
        parts = Parts(language, saved(files.eyes, TOWER), saved(files.qformer, QFORMER), saved(files.checkpoint, CHECKPOINT))
        check_kinds(parts)
        config: Any = config_of(parts, text, given or Given())
        processor = _processor(files.language_model, config)
        before = _give_image(config, processor)
        kind = _DTYPES[dtype] if dtype is not None else _own_dtype(language)
        planned = plan(config, parts, kind, grown=config.text_config.vocab_size - before)
        check_disk(out, planned)
        ends = _ends(processor)
        with draft_of(out) as draft:
            size = write_shards(draft, planned, limit=shard_bytes, progress=progress)
            _write_rest(draft, config, processor, kind, ends)
        tokenizer = tokenizer_of(AutoTokenizer.from_pretrained(out))
    token, after = config.image_token_index, config.text_config.vocab_size
    words = tuple(tokenizer.convert_ids_to_tokens(ends))
    blocks = (config.vision_config.num_hidden_layers, count(parts.eyes))
    return Converted(size, str(kind).removeprefix("torch."), blocks, token, (before, after), words, _apart(tokenizer))


def _processor(folder: Path, config: Any) -> ProcessorMixin:
    """The language model's tokenizer with `<image>`, and pictures as the original has them: a square, bicubic, CLIP's colours.

    The tokenizer is opened as the original opens it (`legacy`): each piece of a text between two of its added tokens begins as a
    text does, so that what stands after a picture is read as if it stood alone.

    Raises:
        BadInput: the tokenizer can't be opened.
    """
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, legacy=True)
    except (OSError, ValueError, ImportError, KeyError, TypeError) as error:
        raise BadInput(
            f"The tokenizer in {shortened(folder)} can't be opened: {brief(error)} Give the folder with its tokenizer.json; of a "
            "tokenizer.model alone, pip install sentencepiece protobuf."
        ) from error
    tokenizer.init_kwargs["legacy"] = True  # which the library doesn't save by itself
    side = {"height": config.vision_config.image_size, "width": config.vision_config.image_size}
    images = BlipImageProcessorPil(size=side, resample=PILImageResampling.BICUBIC, image_mean=_MEAN, image_std=_DEVIATION)
    return Blip2Processor(images, tokenizer, num_query_tokens=config.num_query_tokens)  # type: ignore[no-untyped-call]


def _give_image(config: Blip2Config, processor: ProcessorMixin) -> int:
    """Put the token of a picture, which the processor has added to its tokenizer, into the configuration.

    Returns the rows of the vocabulary before; it has one more where there was none for the token.
    """
    text: Any = config.text_config
    before: int = text.vocab_size
    token: int = tokenizer_of(processor).convert_tokens_to_ids(IMAGE)
    config.image_token_index = token
    text.name_or_path = ""
    text.vocab_size = max(before, token + 1)
    text.tie_word_embeddings = False
    if text.pad_token_id is not None and not 0 <= text.pad_token_id < text.vocab_size:  # old files say -1 for none
        text.pad_token_id = None
    return before


def _own_dtype(language: Part) -> torch.dtype:
    """The precision of the language model's files."""
    language.require(("model.embed_tokens.weight",))
    found = language.held["model.embed_tokens.weight"].dtype
    if found not in _DTYPES.values():
        raise BadInput(
            f"The weights in {shortened(language.path)} are {str(found).removeprefix('torch.')}, which isn't one of "
            f"{', '.join(_DTYPES)}. Give the folder as it was before, or say --dtype."
        )
    return found


def plan(config: Blip2Config, parts: Parts, kind: torch.dtype, *, grown: int) -> list[Planned]:
    """Every weight of the whole, and where it comes from.

    Args:
        config: of the whole, the token of a picture in it.
        parts: the files.
        kind: the precision of all but the Q-Former.
        grown: rows that the vocabulary has more than the language model's files.

    Raises:
        BadInput: a weight isn't there, or has another shape.
    """
    with torch.device("meta"):
        net = Blip2ForConditionalGeneration(config)
    wanted = {name: tuple(one.shape) for name, one in net.state_dict().items()}
    ours = parts.own()
    _check_there(parts, ours, [each for name in wanted if not name.startswith(_LANGUAGE) for each in original(name)])
    found = []
    for name, shape in wanted.items():
        if name.startswith(_LANGUAGE):
            make = _of_language(parts.language, name.removeprefix(_LANGUAGE), shape, grown)
        else:
            make = _of_ours(parts, ours, original(name), shape)
        found.append(Planned(name, shape, torch.float32 if name.startswith(_FULL) else kind, make))
    return found


_LANGUAGE: Final = "language_model."


def _check_there(parts: Parts, held: Mapping[str, Held], names: list[str]) -> None:
    missing = [name for name in names if name not in held]
    if missing:
        part = parts.of(missing[0])
        raise BadInput(
            f"{shortened(part.path)} lacks weights that MiniGPT-4 has: {listed(missing)}. Give the whole file of {part.what}."
        )


def _of_ours(parts: Parts, held: Mapping[str, Held], names: tuple[str, ...], shape: tuple[int, ...]) -> Make:
    """What makes a weight of the tower, the Q-Former or the projection."""
    each = shape if len(names) == 1 else (shape[0] // 3,)  # a bias for queries, keys and values
    for name in names:
        _check_shape(parts.of(name), name, held[name].shape, each)
    reads = [held[name].read for name in names]
    return reads[0] if len(reads) == 1 else partial(_joined, *reads)


def _of_language(part: Part, name: str, shape: tuple[int, ...], grown: int) -> Make:
    """What makes a weight of the language model, with more rows where the vocabulary has grown."""
    tied = name == "lm_head.weight" and name not in part.held
    source = "model.embed_tokens.weight" if tied else name
    part.require((source,))
    found = part.held[source]
    table = name in ("lm_head.weight", "model.embed_tokens.weight") and len(found.shape) == 2
    rows = found.shape[0] + grown if table else None
    _check_shape(part, source, found.shape if rows is None else (rows, *found.shape[1:]), shape)
    return partial(_grown, found.read, grown) if table and grown else found.read


def _check_shape(part: Part, name: str, found: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if found != wanted:
        raise BadInput(
            f"The weight {name} of {shortened(part.path)} has the shape {list(found)}, and the rest asks for {list(wanted)}. "
            f"Give the whole file of {part.what}, of one model."
        )


def _joined(queries: Make, values: Make) -> Tensor:
    """The bias of the tower's attention: queries', none for keys, values'."""
    q, v = queries(), values()
    return torch.cat((q, torch.zeros_like(v), v))


def _grown(read: Make, rows: int) -> Tensor:
    """A table of words with rows more, each the mean of all."""
    table_VD: Tensor = read()
    mean_D = table_VD.float().mean(0)
    return torch.cat((table_VD, mean_D.to(table_VD.dtype).expand(rows, -1)))


def _ends(processor: ProcessorMixin) -> list[int]:
    """The ids that end an answer: the tokenizer's own, and what begins a "###" after a word or after a space.

    A sign "#" that is a token by itself ends nothing, since answers have it for other things.
    """
    tokenizer = tokenizer_of(processor)
    found = [] if tokenizer.eos_token_id is None else [int(tokenizer.eos_token_id)]
    for before in ("a", "a "):
        bare = tokenizer(before.strip(), add_special_tokens=False)["input_ids"]
        ids = tokenizer(f"{before}{_SEPARATOR}", add_special_tokens=False)["input_ids"]
        rest = ids[len(bare) :] if ids[: len(bare)] == bare else []
        if rest and tokenizer.convert_ids_to_tokens(rest[0]).count("#") > 1:
            found.append(int(rest[0]))
    return list(dict.fromkeys(found))


def _apart(tokenizer: Any) -> bool:
    """Whether a prompt with a picture has the tokens of its two pieces, read apart as the original reads them."""
    before, after = "###Human: <Img>", "</Img> what is it? ###Assistant:"
    whole, *pieces = (
        tokenizer(text, add_special_tokens=False)["input_ids"] for text in (f"{before}{IMAGE}{after}", before, IMAGE, after)
    )
    return bool(whole == list(chain(*pieces)))


def _write_rest(folder: Path, config: Any, processor: ProcessorMixin, kind: torch.dtype, ends: list[int]) -> None:
    """Everything but the weights."""
    text: LlamaConfig = config.text_config
    config.architectures = [Blip2ForConditionalGeneration.__name__]
    for part in (config, config.vision_config, config.qformer_config, text):
        part.dtype = kind
    config.save_pretrained(folder)
    processor.save_pretrained(folder)
    settings = GenerationConfig(  # type: ignore[no-untyped-call]
        bos_token_id=text.bos_token_id, eos_token_id=ends or text.eos_token_id, pad_token_id=text.pad_token_id
    )
    settings.save_pretrained(folder)
