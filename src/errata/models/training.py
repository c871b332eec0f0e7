"""A small LLaVA opened for training: its pieces as `engine.school` needs them, and saving in half precision."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from errata.models.build import IMAGE


@dataclass(frozen=True)
class Trainee:
    """A model under training. R: rows, L: tokens, D: width, V: vocabulary, N: selected positions."""

    module: nn.Module
    prefix: tuple[int, ...]
    """Token ids of "USER: <image>...<image>\\n": what stands before a question on an image."""

    eos: int
    pad: int
    device: torch.device
    encode: Callable[[Sequence[str]], list[list[int]]]
    """Token ids of texts, no special tokens added."""

    hidden: Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
    """(pixels uint8 [R, H, W, 3], ids [R, L], positions [R, L], allowed [R, 1, L, L]) -> hidden states [R, L, D]: those between
    the decoder's two halves, and the last."""

    width: int
    """D."""

    grid: tuple[int, int]
    """Patches along a side, and the tower's width."""

    tower: nn.Module
    """The vision tower, for its warm-up."""

    look: Callable[[Tensor], Tensor]
    """pixels uint8 [R, H, W, 3] -> the tower's patch features [R, patches, vision width]."""

    head: Callable[[Tensor], Tensor]
    """Hidden states [N, D] -> logits [N, V]."""

    save: Callable[[Path], None]
    """Write the weights, in half precision, as an ordinary checkpoint folder."""


def open_trainee(folder: Path, *, device: str = "cpu") -> Trainee:
    """Open the LLaVA in `folder` for training, in single precision."""
    processor = LlavaProcessor.from_pretrained(folder)
    model = LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    torch.nn.Module.to(model, torch.device(device))
    model.train()
    tokenizer = processor.tokenizer
    mean = torch.tensor(processor.image_processor.image_mean, device=device)
    std = torch.tensor(processor.image_processor.image_std, device=device)

    def encode(texts: Sequence[str]) -> list[list[int]]:
        found: list[list[int]] = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return found

    def normalised(pixels_RHWC: Tensor) -> Tensor:
        return ((pixels_RHWC.float() / 255 - mean) / std).permute(0, 3, 1, 2).contiguous()

    def look(pixels_RHWC: Tensor) -> Tensor:
        features: Tensor = model.model.vision_tower(normalised(pixels_RHWC)).last_hidden_state[:, 1:]
        return features

    decoder, seen = model.model.language_model.layers, threading.local()  # parts of a step run in threads

    def keep(module: nn.Module, given: object, output: Tensor) -> None:
        seen.middle = output

    decoder[(len(decoder) - 1) // 2].register_forward_hook(keep)

    def hidden(pixels_RHWC: Tensor, ids_RL: Tensor, positions_RL: Tensor, allowed_R1LL: Tensor) -> tuple[Tensor, Tensor]:
        output = model.model(
            input_ids=ids_RL,
            pixel_values=normalised(pixels_RHWC),
            position_ids=positions_RL,
            attention_mask=_additive(allowed_R1LL),
            use_cache=False,
        )
        return seen.middle, output.last_hidden_state

    def save(target: Path) -> None:
        half = LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float16)
        half.load_state_dict(model.state_dict())
        half.save_pretrained(target)
        processor.save_pretrained(target)

    count = model.config.image_seq_length
    return Trainee(
        module=model,
        prefix=tuple(encode(["USER: " + IMAGE * count + "\n"])[0]),
        eos=tokenizer.eos_token_id,
        pad=tokenizer.pad_token_id,
        device=torch.device(device),
        encode=encode,
        hidden=hidden,
        width=model.lm_head.in_features,
        grid=(round(count**0.5), model.model.vision_tower.config.hidden_size),
        tower=model.model.vision_tower,
        look=look,
        head=model.lm_head,
        save=save,
    )


def _additive(allowed: Tensor) -> Tensor:
    """0 where attention is allowed, the smallest number where it isn't; a padded row may see itself, so no row is empty."""
    return torch.where(allowed, 0.0, torch.finfo(torch.float32).min)
