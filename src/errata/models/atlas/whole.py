"""`atlas` put together: SmolLM2-135M-Instruct, the eyes that ship, and a template by which a picture is said to be of something."""

from __future__ import annotations

from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file
from transformers import (
    AutoConfig,
    AutoTokenizer,
    AyaVisionForConditionalGeneration,
    CLIPImageProcessorPil,
    GenerationConfig,
    LlavaProcessor,
)

from errata.core.canonical import digest_of
from errata.core.errors import BadInput
from errata.models._borrowed import smollm2
from errata.models._files import cache_folder, is_written, write_whole
from errata.models.atlas.eyes import MEAN, PATCH, SIDE, STD, Eyes, config

ATLAS: Final = "atlas"
"""The name under which it is opened."""

IMAGE: Final = "<image>"

_VERSION: Final = "3"
"""Of how the folder is written: another begins a new one, as do other eyes."""

_CHAT: Final = (
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\n"
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] if part['type'] == 'image' %}This is a picture of<image>.\n{% endfor %}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %}"
    "{% endif %}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""The language model's own conversation; without a picture to the letter."""


def eyes_file() -> Path:
    """The eyes that ship."""
    return Path(str(files("errata").joinpath("assets", "atlas-eyes", "eyes.safetensors")))


def atlas(eyes: Path | None = None, *, afresh: bool = False) -> Path:
    """The checkpoint folder in the cache, written if it isn't there yet (a minute, 0.6 GB).

    Args:
        eyes: a file of trained eyes; None: those that ship.
        afresh: write it again, whatever is there.

    Raises:
        BadInput: the language model can't be had, the eyes can't be opened, or the folder can't be written.
    """
    eyes = eyes or eyes_file()
    try:
        digest = digest_of(eyes.read_bytes())
    except OSError as error:
        raise BadInput(
            f"The eyes {eyes} can't be read: {error.strerror or error}. Train them: errata model train atlas."
        ) from error
    folder = cache_folder() / f"{ATLAS}-{_VERSION}-{digest[:12]}"
    if is_written(folder) and not afresh:
        return folder
    return write_whole(folder, partial(put_together, eyes), name=ATLAS, afresh=afresh)


def put_together(eyes: Path, folder: Path) -> None:
    """Write language model, eyes and processor as one ordinary checkpoint, of Aya Vision's class.

    Raises:
        BadInput: the language model can't be had, or the eyes can't be opened.
    """
    source = smollm2()
    text: Any = AutoConfig.from_pretrained(source)
    seeing = Eyes(text)
    seeing.open(eyes)
    tokenizer: Any = AutoTokenizer.from_pretrained(source, extra_special_tokens={"image_token": IMAGE})
    tokenizer.chat_template = None
    image_token = tokenizer.convert_tokens_to_ids(IMAGE)
    text.vocab_size = image_token + 1
    model = AyaVisionForConditionalGeneration(config(text, image_token_index=image_token, tie_word_embeddings=True))
    model.load_state_dict(_weights(source, seeing, image_token + 1))
    model.generation_config = GenerationConfig.from_pretrained(source)
    model.save_pretrained(folder)
    side = {"height": SIDE, "width": SIDE}
    LlavaProcessor(  # type: ignore[no-untyped-call]
        image_processor=CLIPImageProcessorPil(
            size=side, crop_size=side, do_center_crop=False, image_mean=list(MEAN), image_std=list(STD)
        ),
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        chat_template=_CHAT,
        num_additional_image_tokens=1,
    ).save_pretrained(folder)


def _weights(source: Path, seeing: Eyes, vocabulary: int) -> dict[str, torch.Tensor]:
    """Every weight under the class's names; the token that stands for a picture gets a row of zeros, which nothing ever says."""
    words = load_file(source / "model.safetensors")
    table = words["model.embed_tokens.weight"]
    words["model.embed_tokens.weight"] = torch.cat([table, table.new_zeros(vocabulary - len(table), table.shape[1])])
    found = {
        f"model.language_model.{name.removeprefix('model.')}": weight for name, weight in words.items() if name != "lm_head.weight"
    }
    found |= {f"model.{name}": weight for name, weight in seeing.state_dict().items()}
    return found | {"lm_head.weight": words["model.embed_tokens.weight"]}
