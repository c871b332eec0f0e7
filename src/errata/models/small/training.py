"""A small model opened for training: its pieces as `school.school` needs them, and saving in half precision."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AttentionInterface,
    AttentionMaskInterface,
    Blip2ForConditionalGeneration,
    Blip2Processor,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedModel,
)
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from errata.models._load import family_of, source_of
from errata.models._quiet import quiet
from errata.models.families import qformer
from errata.models.small.build import IMAGE


@dataclass(frozen=True)
class Wording:
    """What stands around a question in a family's prompt."""

    picture: str
    """Before a question on an image; `<image>` stands for all its tokens."""

    seen: str
    """Between that and the question."""

    told: str
    """Before a question without an image."""

    answer: str
    """After the question, up to where the answer begins."""


WORDINGS = {
    "llava": Wording(f"USER: {IMAGE}\n", "", "USER: ", " ASSISTANT:"),
    "blip2": Wording(IMAGE, "Question: ", "Question: ", " Answer:"),
    "minigpt4": Wording(f"###Human: <Img>{IMAGE}</Img>", "", "###Human: ", " ###Assistant:"),
}
"""By the name of the family."""


@dataclass(frozen=True)
class Trainee:
    """A model under training. R: rows, L: tokens, D: width, V: vocabulary, N: selected positions."""

    family: str
    module: nn.Module
    wording: Wording
    prefix: tuple[int, ...]
    """Token ids of what stands before a question on an image, the image's own included."""

    eos: int
    pad: int
    device: torch.device
    encode: Callable[[Sequence[str]], list[list[int]]]
    """Token ids of texts, no special tokens added."""

    image: int
    """The token that stands for a piece of a picture."""

    hidden: Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, ...]]
    """(pixels uint8 [R, H, W, 3], ids [R, L], positions [R, L], allowed [R, 1, L, L]) -> hidden states [R, L, D]: those after
    each of the decoder's layers, and last what the head reads."""

    width: int
    """D."""

    vision_width: int
    """V: the tower's width."""

    tower: nn.Module
    """The vision tower, for its warm-up."""

    look: Callable[[Tensor], Tensor]
    """pixels uint8 [R, H, W, 3] -> the tower's patch features [R, patches, vision width]."""

    features: Callable[[Tensor], Tensor]
    """pixels uint8 [R, H, W, 3] -> what the decoder is handed in a picture's place [R, K, D]."""

    head: Callable[[Tensor], Tensor]
    """Hidden states [N, D] -> logits [N, V]."""

    layers: nn.ModuleList
    """The decoder's. One that is taken out is no longer passed through."""

    save: Callable[[Path], None]
    """Write the weights, in half precision, as an ordinary checkpoint folder."""


def open_trainee(name_or_path: str | Path, *, device: str = "cpu") -> Trainee:
    """Open a model for training, in single precision: a shipped name or a checkpoint folder.

    Raises:
        BadInput: the folder is no checkpoint of a family that is known.
    """
    folder = Path(source_of(str(name_or_path)))
    family = family_of(str(folder), str(name_or_path)).name
    return _open_llava(folder, device) if family == "llava" else _open_blip2(folder, family, device)


def _open_llava(folder: Path, device: str) -> Trainee:
    processor = LlavaProcessor.from_pretrained(folder)
    model = LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    torch.nn.Module.to(model, torch.device(device))
    _attend_in_single(model, device)
    model.train()
    tokenizer = processor.tokenizer
    normalised, encode = normaliser(processor.image_processor, device), _encoder(tokenizer)

    def look(pixels_RHWC: Tensor) -> Tensor:
        features: Tensor = model.model.vision_tower(normalised(pixels_RHWC)).last_hidden_state[:, 1:]
        return features

    def features(pixels_RHWC: Tensor) -> Tensor:
        found: Tensor = model.model.multi_modal_projector(look(pixels_RHWC))
        return found

    layers = model.model.language_model.layers
    states = _states(layers)

    def hidden(pixels_RHWC: Tensor, ids_RL: Tensor, positions_RL: Tensor, allowed_R1LL: Tensor) -> tuple[Tensor, ...]:
        output = model.model(
            input_ids=ids_RL,
            pixel_values=normalised(pixels_RHWC),
            position_ids=positions_RL,
            attention_mask=_additive(allowed_R1LL),
            use_cache=False,
        )
        return (*states(), output.last_hidden_state)

    count, wording = model.config.image_seq_length, WORDINGS["llava"]
    return Trainee(
        family="llava",
        module=model,
        wording=wording,
        prefix=_prefix(encode, wording, count),
        eos=tokenizer.eos_token_id,
        pad=tokenizer.pad_token_id,
        device=torch.device(device),
        encode=encode,
        image=model.config.image_token_index,
        hidden=hidden,
        width=model.lm_head.in_features,
        vision_width=model.model.vision_tower.config.hidden_size,
        tower=model.model.vision_tower,
        look=look,
        features=features,
        head=model.lm_head,
        layers=layers,
        save=saver(model, folder, processor),
    )


def _open_blip2(folder: Path, family: str, device: str) -> Trainee:
    """BLIP-2's layout, around whichever language model."""
    processor: Any = Blip2Processor.from_pretrained(folder, backend="pil")
    model = Blip2ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    torch.nn.Module.to(model, torch.device(device))
    _attend_in_single(model, device)
    model.train()
    tokenizer, config = processor.tokenizer, model.config
    normalised, encode = normaliser(processor.image_processor, device), _encoder(tokenizer)
    speaker: Any = model.language_model
    layers = speaker.get_decoder().layers
    states = _states(layers)

    def look(pixels_RHWC: Tensor) -> Tensor:
        features: Tensor = model.vision_model(normalised(pixels_RHWC)).last_hidden_state[:, 1:]
        return features

    def features(pixels_RHWC: Tensor) -> Tensor:
        return qformer.project(model, qformer.look(model, normalised(pixels_RHWC)))

    token = qformer.image_token(model)

    def hidden(pixels_RHWC: Tensor, ids_RL: Tensor, positions_RL: Tensor, allowed_R1LL: Tensor) -> tuple[Tensor, ...]:
        features_RKD = features(pixels_RHWC)
        words_RLD = model.get_input_embeddings()(ids_RL)
        spots_RL1 = ids_RL.eq(token)[..., None]
        output = speaker.model(
            inputs_embeds=words_RLD.masked_scatter(spots_RL1, features_RKD.to(words_RLD.dtype)),
            position_ids=positions_RL,
            attention_mask=_additive(allowed_R1LL),
            use_cache=False,
        )
        return (*states(), output.last_hidden_state)

    vision: Any = config.vision_config
    wording = WORDINGS[family]
    return Trainee(
        family=family,
        module=model,
        wording=wording,
        prefix=_prefix(encode, wording, config.num_query_tokens),
        eos=tokenizer.eos_token_id,
        pad=tokenizer.pad_token_id,
        device=torch.device(device),
        encode=encode,
        image=token,
        hidden=hidden,
        width=speaker.lm_head.in_features,
        vision_width=vision.hidden_size,
        tower=model.vision_model,
        look=look,
        features=features,
        head=speaker.lm_head,
        layers=layers,
        save=saver(model, folder, processor),
    )


IN_SINGLE = "sdpa_in_single"
"""The attention of a model that is trained on a CPU."""


def _attend_in_single(model: PreTrainedModel, device: str) -> None:
    """On a CPU, attention in single precision under autocast: its gradient in bfloat16 takes there four times as long."""
    if torch.device(device).type == "cpu":
        model.set_attn_implementation(IN_SINGLE)


def _in_single(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None = None, **more: Any
) -> tuple[Tensor, Tensor | None]:
    with torch.autocast("cpu", enabled=False):
        found: tuple[Tensor, Tensor | None] = sdpa_attention_forward(
            module, query.float(), key.float(), value.float(), attention_mask, **more
        )
    return found


AttentionInterface.register(IN_SINGLE, _in_single)
AttentionMaskInterface.register(IN_SINGLE, sdpa_mask)


def normaliser(images: Any, device: str) -> Callable[[Tensor], Tensor]:
    """Pixels uint8 [R, H, W, 3] -> [R, 3, H, W] as an image processor normalises them."""
    mean = torch.tensor(images.image_mean, device=device)
    std = torch.tensor(images.image_std, device=device)

    def normalised(pixels_RHWC: Tensor) -> Tensor:
        return ((pixels_RHWC.float() / 255 - mean) / std).permute(0, 3, 1, 2).contiguous()

    return normalised


def _encoder(tokenizer: Any) -> Callable[[Sequence[str]], list[list[int]]]:
    def encode(texts: Sequence[str]) -> list[list[int]]:
        found: list[list[int]] = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return found

    return encode


def _prefix(encode: Callable[[Sequence[str]], list[list[int]]], wording: Wording, count: int) -> tuple[int, ...]:
    return tuple(encode([wording.picture.replace(IMAGE, IMAGE * count)])[0])


class _Kept(threading.local):
    """One thread's states."""

    def __init__(self) -> None:
        self.states: list[Tensor] = []


def _states(layers: Any) -> Callable[[], tuple[Tensor, ...]]:
    """What gives the states after each layer of the last pass: of this thread's, since parts of a step run in some."""
    kept = _Kept()

    def keep(place: int) -> Callable[[nn.Module, object, Tensor], None]:
        def hook(module: nn.Module, given: object, output: Tensor) -> None:
            if place == 0:
                kept.states = []
            kept.states.append(output)

        return hook

    for place, layer in enumerate(layers):
        layer.register_forward_hook(keep(place))

    def taken() -> tuple[Tensor, ...]:
        states = tuple(kept.states)
        kept.states = []
        return states

    return taken


def saver(model: PreTrainedModel, folder: Path, *parts: Any) -> Callable[[Path], None]:
    """What writes the weights in half precision, and the other parts of a checkpoint beside them, as `folder` has them."""

    def save(target: Path) -> None:
        with quiet():
            half = type(model).from_pretrained(folder, dtype=torch.float16)
            half.load_state_dict(model.state_dict())
            half.save_pretrained(target)
            for part in parts:
                part.save_pretrained(target)

    return save


def _additive(allowed: Tensor) -> Tensor:
    """0 where attention is allowed, the smallest number where it isn't; a padded row may see itself, so no row is empty."""
    return torch.where(allowed, 0.0, torch.finfo(torch.float32).min)
