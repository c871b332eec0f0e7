"""Small multimodal models from scratch, in the real layouts of transformers: config, subword tokenizer, processor, chat template.

What is built here is an ordinary checkpoint folder with random weights; `school.fit` trains it and `from_pretrained` opens it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForImageTextToText,
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2Processor,
    Blip2QFormerConfig,
    Blip2VisionConfig,
    BlipImageProcessorPil,
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    OPTConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    ProcessorMixin,
)

from errata.core.errors import BadInput
from errata.models._quiet import quiet

IMAGE = "<image>"
_SPECIAL = ["<unk>", "<s>", "</s>", "<pad>", IMAGE]
_ALPHABET = sorted("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;?!'\"-()%/\n")

_OFTEN = 8
"""How often the words of a prompt are shown to a tokenizer, so that they become whole tokens."""

CHAT = (
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}USER: {% elif message['role'] == 'assistant' %}ASSISTANT: {% else %}SYSTEM: {% endif %}"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}"
    "{% for part in message['content'] if part['type'] == 'image' %}<image>\n{% endfor %}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %}"
    "{% endif %}"
    "{% if message['role'] == 'assistant' %}</s>{% else %} {% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
"""The conversation as the small models see it; LLaVA-1.5's layout."""


@dataclass(frozen=True)
class Sizes:
    """What the small models of every family have."""

    width: int = 192
    """d: width of the language model; attention heads are 32 wide."""

    layers: int = 6
    """Decoder layers of the language model."""

    ffn: int = 768
    """d_ff: inner width of the language model's MLPs."""

    vision_width: int = 160
    vision_layers: int = 3
    vision_ffn: int = 640
    image: int = 64
    """Side of the picture in pixels."""

    patch: int = 16
    """Side of a patch in pixels."""

    context: int = 256
    """Longest sequence in tokens, image tokens included."""

    vocabulary: int = 1024


@dataclass(frozen=True)
class LlavaSizes(Sizes):
    """The sizes of a small LLaVA; the defaults give about five million parameters. A picture has (image / patch)^2 tokens."""


@dataclass(frozen=True)
class Blip2Sizes(Sizes):
    """The sizes of a small BLIP-2 or MiniGPT-4; the defaults give between four and seven million parameters."""

    queries: int = 16
    """Queries of the Q-Former: as many image tokens."""

    qformer_width: int = 128
    qformer_layers: int = 2
    qformer_ffn: int = 512


def train_tokenizer(texts: Iterable[str], *, vocabulary: int, signs: str = "", names_image: bool = True) -> PreTrainedTokenizerFast:
    """A byte-pair tokenizer over a fixed alphabet, digits one by one, trained on `texts`.

    Characters outside the alphabet become `<unk>`: a target that holds one can't be expressed and is refused.

    Args:
        texts: what it is trained on.
        vocabulary: how many tokens there are at most.
        signs: characters besides the fixed ones.
        names_image: whether it says itself which token stands for a picture; where it doesn't, the processor does.
    """
    core = train_core(texts, vocabulary=vocabulary, special=_SPECIAL, signs=signs)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        padding_side="left",
        extra_special_tokens={"image_token": IMAGE} if names_image else {},
        clean_up_tokenization_spaces=False,
    )


def train_core(texts: Iterable[str], *, vocabulary: int, special: list[str], signs: str = "") -> Tokenizer:
    """The tokenizer itself; the special tokens take the first ids, in their order."""
    core = Tokenizer(models.BPE(unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\n"), "isolated"),
            pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always"),
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.Punctuation("isolated"),
        ]
    )
    core.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        initial_alphabet=[*_ALPHABET, *signs, "▁"],
        show_progress=False,
        min_frequency=4,
    )
    core.train_from_iterator(texts, trainer)
    return core


def spare(folder: Path, model_type: str) -> None:
    """Check that writing a checkpoint of this type to `folder` writes over none of another type.

    Raises:
        BadInput: the folder holds one.
    """
    try:
        held = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (FileNotFoundError, ValueError):  # a new folder, or one whose writing was stopped
        return
    if held != model_type:
        raise BadInput(
            f"The folder {folder} holds a checkpoint of the type {held!r}; one of the type {model_type!r} was to be written there. "
            "Name another folder."
        )


def build_llava(
    folder: Path, *, texts: Iterable[str], sizes: LlavaSizes | None = None, seed: int = 0, dtype: torch.dtype = torch.float32
) -> None:
    """Write a LLaVA with random weights to `folder`, as `from_pretrained` opens it.

    Args:
        folder: made if missing.
        texts: what the tokenizer is trained on.
        sizes: see `LlavaSizes`.
        seed: draws the weights.
        dtype: of the weights.

    Raises:
        BadInput: the folder holds a checkpoint of another type.
    """
    spare(folder, LlavaConfig.model_type)
    sizes = sizes or LlavaSizes()
    tokenizer = train_tokenizer(texts, vocabulary=sizes.vocabulary)
    side = {"height": sizes.image, "width": sizes.image}
    processor = LlavaProcessor(  # type: ignore[no-untyped-call]
        image_processor=CLIPImageProcessorPil(
            size=side, crop_size=side, do_center_crop=False, image_mean=[0.5, 0.5, 0.5], image_std=[0.25, 0.25, 0.25]
        ),
        tokenizer=tokenizer,
        patch_size=sizes.patch,
        vision_feature_select_strategy="default",
        chat_template=CHAT,
        num_additional_image_tokens=1,
    )
    torch.manual_seed(seed)
    made: Any = AutoModelForImageTextToText
    write(folder, made.from_config(_config(sizes, tokenizer), dtype=dtype), processor, tokenizer)


def build_blip2(folder: Path, *, texts: Iterable[str], sizes: Blip2Sizes | None = None, seed: int = 0) -> None:
    """Write a BLIP-2 OPT with random weights to `folder`, as `from_pretrained` opens it.

    Args:
        folder: made if missing.
        texts: what the tokenizer is trained on; the words of the prompt are added.
        sizes: see `Blip2Sizes`.
        seed: draws the weights.

    Raises:
        BadInput: the folder holds a checkpoint of another type.
    """
    spare(folder, Blip2Config.model_type)
    sizes = sizes or Blip2Sizes()
    texts = chain(texts, ["Question: Answer:"] * _OFTEN)
    tokenizer = train_tokenizer(texts, vocabulary=sizes.vocabulary, names_image=False)
    model, processor = assemble(opt_of(sizes, tokenizer), tokenizer, sizes=sizes, seed=seed)
    write(folder, model, processor, tokenizer)


def build_minigpt4(folder: Path, *, texts: Iterable[str], sizes: Blip2Sizes | None = None, seed: int = 0) -> None:
    """Write a MiniGPT-4 with random weights to `folder`: a BLIP-2 with a LLaMA language model. Arguments and errors as in
    `build_blip2`."""
    spare(folder, Blip2Config.model_type)
    sizes = sizes or Blip2Sizes()
    texts = chain(texts, ["###Human: <Img></Img> ###Assistant:"] * _OFTEN)
    tokenizer = train_tokenizer(texts, vocabulary=sizes.vocabulary, signs="#<>", names_image=False)
    model, processor = assemble(llama_of(sizes, tokenizer), tokenizer, sizes=sizes, seed=seed)
    write(folder, model, processor, tokenizer)


def assemble(
    text: PreTrainedConfig, tokenizer: PreTrainedTokenizerFast, *, sizes: Blip2Sizes, seed: int, activation: str = "gelu"
) -> tuple[Blip2ForConditionalGeneration, ProcessorMixin]:
    """A small model of BLIP-2's layout with random weights around the language model of `text`, and its processor."""
    side = {"height": sizes.image, "width": sizes.image}
    processor = Blip2Processor(  # type: ignore[no-untyped-call]
        BlipImageProcessorPil(size=side, image_mean=[0.5, 0.5, 0.5], image_std=[0.25, 0.25, 0.25]),
        tokenizer,
        num_query_tokens=sizes.queries,
    )
    config = Blip2Config(
        vision_config=Blip2VisionConfig(
            hidden_size=sizes.vision_width,
            intermediate_size=sizes.vision_ffn,
            num_hidden_layers=sizes.vision_layers,
            num_attention_heads=sizes.vision_width // 32,
            image_size=sizes.image,
            patch_size=sizes.patch,
            hidden_act=activation,
            initializer_range=0.02,  # the library's default leaves the tower all but zero, to be filled by a checkpoint
        ),
        qformer_config=Blip2QFormerConfig(
            vocab_size=len(tokenizer),
            hidden_size=sizes.qformer_width,
            intermediate_size=sizes.qformer_ffn,
            num_hidden_layers=sizes.qformer_layers,
            num_attention_heads=sizes.qformer_width // 32,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        ),
        text_config=text,
        num_query_tokens=sizes.queries,
        image_token_index=_image_token(tokenizer),
    )
    torch.manual_seed(seed)
    model = Blip2ForConditionalGeneration(config)
    # The library makes all queries zero: alike, they would get like gradients and stay alike for good.
    torch.nn.init.normal_(model.query_tokens, std=config.initializer_range)
    return model, processor


def write(
    folder: Path,
    model: LlavaForConditionalGeneration | Blip2ForConditionalGeneration,
    processor: ProcessorMixin,
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    """Write a model and its processor to `folder`, made if missing."""
    model.generation_config.bos_token_id = tokenizer.bos_token_id
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    folder.mkdir(parents=True, exist_ok=True)
    with quiet():
        model.save_pretrained(folder)
    processor.save_pretrained(folder)


def _config(sizes: LlavaSizes, tokenizer: PreTrainedTokenizerFast) -> LlavaConfig:
    return LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=sizes.vision_width,
            intermediate_size=sizes.vision_ffn,
            num_hidden_layers=sizes.vision_layers,
            num_attention_heads=sizes.vision_width // 32,
            image_size=sizes.image,
            patch_size=sizes.patch,
            projection_dim=sizes.vision_width,
        ),
        text_config=llama_of(sizes, tokenizer),
        image_token_index=_image_token(tokenizer),
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        image_seq_length=(sizes.image // sizes.patch) ** 2,
        tie_word_embeddings=False,
    )


def opt_of(sizes: Sizes, tokenizer: PreTrainedTokenizerFast, *, tied: bool = True) -> OPTConfig:
    """An OPT of these sizes, its head tied to its embeddings or not."""
    return OPTConfig(
        vocab_size=len(tokenizer),
        hidden_size=sizes.width,
        word_embed_proj_dim=sizes.width,
        ffn_dim=sizes.ffn,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.width // 32,
        max_position_embeddings=sizes.context,
        dropout=0.0,
        tie_word_embeddings=tied,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def llama_of(sizes: Sizes, tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    """A LLaMA of these sizes."""
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=sizes.width,
        intermediate_size=sizes.ffn,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.width // 32,
        num_key_value_heads=sizes.width // 32,
        max_position_embeddings=sizes.context,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=False,
    )


def _image_token(tokenizer: PreTrainedTokenizerFast) -> int:
    image_token = tokenizer.convert_tokens_to_ids(IMAGE)
    assert isinstance(image_token, int), "one token, one id"
    return image_token
