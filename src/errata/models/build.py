"""Small multimodal models from scratch, in the real layouts of transformers: config, subword tokenizer, processor, chat template.

What is built here is an ordinary checkpoint folder with random weights; `engine.fit` trains it and `from_pretrained` opens it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

IMAGE = "<image>"
_SPECIAL = ["<unk>", "<s>", "</s>", "<pad>", IMAGE]
_ALPHABET = sorted("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;?!'\"-()%/\n")

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
class LlavaSizes:
    """The sizes of a small LLaVA; the defaults give about five million parameters."""

    width: int = 192
    """d: width of the text stack; attention heads are 32 wide."""

    layers: int = 6
    """Decoder layers of the text stack."""

    ffn: int = 768
    """d_ff: inner width of the text stack's gated MLPs."""

    vision_width: int = 160
    vision_layers: int = 3
    vision_ffn: int = 640
    image: int = 64
    """Side of the picture in pixels."""

    patch: int = 16
    """Side of a patch in pixels; (image / patch)^2 image tokens."""

    context: int = 256
    """Longest sequence in tokens, image tokens included."""

    vocabulary: int = 1024


def train_tokenizer(texts: Iterable[str], *, vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-pair tokenizer over a fixed alphabet, digits one by one, trained on `texts`.

    Characters outside the alphabet become `<unk>`: a target that holds one can't be expressed and is refused.
    """
    core = train_core(texts, vocabulary=vocabulary, special=_SPECIAL)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        padding_side="left",
        extra_special_tokens={"image_token": IMAGE},
        clean_up_tokenization_spaces=False,
    )


def train_core(texts: Iterable[str], *, vocabulary: int, special: list[str]) -> Tokenizer:
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
        vocab_size=vocabulary, special_tokens=special, initial_alphabet=[*_ALPHABET, "▁"], show_progress=False, min_frequency=4
    )
    core.train_from_iterator(texts, trainer)
    return core


def build_llava(folder: Path, *, texts: Iterable[str], sizes: LlavaSizes | None = None, seed: int = 0) -> None:
    """Write a LLaVA with random weights to `folder`, as `from_pretrained` opens it.

    Args:
        folder: made if missing.
        texts: what the tokenizer is trained on.
        sizes: see `LlavaSizes`.
        seed: draws the weights.
    """
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
    model = LlavaForConditionalGeneration(_config(sizes, tokenizer))
    model.generation_config.bos_token_id = tokenizer.bos_token_id
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def _config(sizes: LlavaSizes, tokenizer: PreTrainedTokenizerFast) -> LlavaConfig:
    image_token = tokenizer.convert_tokens_to_ids(IMAGE)
    assert isinstance(image_token, int), "one token, one id"
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
        text_config=LlamaConfig(
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
        ),
        image_token_index=image_token,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        image_seq_length=(sizes.image // sizes.patch) ** 2,
        tie_word_embeddings=False,
    )
