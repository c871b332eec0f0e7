"""The LLaVA family: a CLIP or SigLIP vision tower, a two-layer projector, a decoder with gated MLPs (LLaMA, Vicuna, Mistral).

Liu et al., "Improved Baselines with Visual Instruction Tuning", arXiv 2310.03744. A picture becomes (side / patch)^2 features, each
in the place of one `<image>` token; the prompt is "USER: <image>\\n{question} ASSISTANT:".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from transformers import LlavaForConditionalGeneration

from errata.core.images import Image
from errata.core.records import Query
from errata.models._chat import encode_chat
from errata.models.families.family import Family, Inputs

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor, nn
    from transformers import CLIPVisionConfig, PreTrainedModel, ProcessorMixin, SiglipVisionConfig

_TOWERS = {"clip_vision_model": 1, "siglip_vision_model": 0}
"""Vision towers that are known -> how many features that belong to no patch stand first."""


def encode(processor: ProcessorMixin, query: Query, target: str | None) -> Inputs:
    """See `Family.encode`."""
    return encode_chat(processor, query, target, plain=_plain)


def _plain(query: Query) -> str:
    """LLaVA-1.5's layout, for checkpoints that carry no chat template."""
    said = []
    for message in query.messages:
        images = "".join("<image>\n" for part in message.parts if isinstance(part, Image))
        speaker = f"{message.role.upper()}: " if message.role != "system" else ""
        said.append(f"{speaker}{images}{message.text} ")
    return "".join(said) + "ASSISTANT:"


def _image_token(net: PreTrainedModel) -> int:
    return int(_llava(net).config.image_token_id)


def _image_length(net: PreTrainedModel, pixels_CHW: Float[Tensor, "C H W"]) -> int:
    config, vision = _llava(net).config, _vision(net)
    side = cast("int", vision.patch_size)
    patches = (pixels_CHW.shape[1] // side) * (pixels_CHW.shape[2] // side)
    return patches + _TOWERS[vision.model_type] - (1 if config.vision_feature_select_strategy == "default" else 0)


def _look(net: PreTrainedModel, pixels_NCHW: Float[Tensor, "N C H W"]) -> Float[Tensor, "N P V"]:
    """The chosen layers' hidden states, side by side, the first feature left out under the "default" strategy."""
    model = _llava(net)
    chosen = model.config.vision_feature_layer
    hidden = model.model.vision_tower(pixels_NCHW, output_hidden_states=True, return_dict=True).hidden_states
    states = [hidden[layer] for layer in ([chosen] if isinstance(chosen, int) else chosen)]
    skip = 1 if model.config.vision_feature_select_strategy == "default" else 0
    return torch.cat([state[:, skip:] for state in states], dim=-1)


def _project(net: PreTrainedModel, features_NPV: Float[Tensor, "N P V"]) -> Float[Tensor, "N K D"]:
    return cast("Tensor", _llava(net).model.multi_modal_projector(features_NPV))


def _speaker(net: PreTrainedModel) -> PreTrainedModel:
    """The whole model: given embeddings and no pixels, it is its language model and head."""
    return net


def _refuse(net: nn.Module) -> str | None:
    tower: str = _vision(net).model_type
    return None if tower in _TOWERS else f"its vision tower is {tower!r}, and {' or '.join(sorted(_TOWERS))} is known"


def _vision(net: nn.Module) -> CLIPVisionConfig | SiglipVisionConfig:
    # The library types every part of a composed configuration as anything at all.
    return cast("CLIPVisionConfig | SiglipVisionConfig", _llava(net).config.vision_config)


def _llava(net: nn.Module) -> LlavaForConditionalGeneration:
    assert isinstance(net, LlavaForConditionalGeneration), f"The LLaVA family was handed a {type(net).__name__}."
    return net


LLAVA = Family(
    name="llava",
    model_type="llava",
    text_type=None,
    net=LlavaForConditionalGeneration,
    modules={
        "text": ("model.language_model.layers.{layer}.mlp.up_proj", "model.language_model.layers.{layer}.mlp.down_proj"),
        "projector": ("model.multi_modal_projector.linear_1", "model.multi_modal_projector.linear_2"),
        "vision": ("model.vision_tower.encoder.layers.{layer}.mlp.fc1", "model.vision_tower.encoder.layers.{layer}.mlp.fc2"),
    },
    tower=("model.vision_tower",),
    max_images=8,  # trained with one; demonstrations bring more, and the context is the harder limit
    encode=encode,
    plain=_plain,
    image_token=_image_token,
    image_length=_image_length,
    look=_look,
    project=_project,
    speaker=_speaker,
    refuse=_refuse,
)
"""LLaVA 1.5 and every checkpoint of its layout."""
