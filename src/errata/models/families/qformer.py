"""What BLIP-2 and MiniGPT-4 share: an EVA vision tower, a Q-Former that reads it through a fixed number of queries, one projection.

Li et al., "BLIP-2", arXiv 2301.12597. Tower and Q-Former are the frozen vision side: what the Q-Former says of a picture is worked
out once. The projection alone stands between it and the language model, which is a whole causal model of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from transformers import Blip2ForConditionalGeneration

from errata.models.families.family import Family, Inputs

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float
    from torch import Tensor, nn
    from transformers import PreTrainedConfig, PreTrainedModel, ProcessorMixin

    from errata.core.records import Query


def family(
    name: str,
    *,
    text_type: str,
    text: tuple[str, ...],
    encode: Callable[[ProcessorMixin, Query, str | None], Inputs],
    plain: Callable[[Query], str],
) -> Family:
    """A family of this layout: its language model, with the paths of its modules, and how it is asked."""
    return Family(
        name=name,
        model_type="blip-2",
        text_type=text_type,
        net=Blip2ForConditionalGeneration,
        modules={
            "text": text,
            "projector": ("language_projection",),
            "vision": (
                "vision_model.encoder.layers.{layer}.mlp.fc1",
                "vision_model.encoder.layers.{layer}.mlp.fc2",
                "qformer.encoder.layer.{layer}.intermediate_query.dense",
                "qformer.encoder.layer.{layer}.output_query.dense",
            ),
        },
        tower=("vision_model", "qformer"),
        max_images=8,  # trained with one; the context is the harder limit
        encode=encode,
        plain=plain,
        image_token=image_token,
        image_length=image_length,
        look=look,
        project=project,
        speaker=speaker,
        refuse=refuse,
        settle=settle,
    )


def image_token(net: PreTrainedModel) -> int:
    """See `Family.image_token`."""
    return int(cast("int", _blip2(net).config.image_token_index))


def image_length(net: PreTrainedModel, pixels_CHW: Float[Tensor, "C H W"]) -> int:
    """As many as the Q-Former has queries, whatever the picture."""
    return _blip2(net).config.num_query_tokens


def look(net: PreTrainedModel, pixels_NCHW: Float[Tensor, "N C H W"]) -> Float[Tensor, "N P V"]:
    """The Q-Former's queries after they have read the tower's patches, in the tower's precision."""
    model = _blip2(net)
    patches = model.vision_model(pixels_NCHW, return_dict=True).last_hidden_state
    queries = model.query_tokens.expand(len(pixels_NCHW), -1, -1)
    read = model.qformer(query_embeds=queries, encoder_hidden_states=patches, return_dict=True).last_hidden_state
    return cast("Tensor", read.to(patches.dtype))


def project(net: PreTrainedModel, features_NPV: Float[Tensor, "N P V"]) -> Float[Tensor, "N K D"]:
    """See `Family.project`."""
    return cast("Tensor", _blip2(net).language_projection(features_NPV))


def speaker(net: PreTrainedModel) -> PreTrainedModel:
    """The language model: the whole model's own `forward` and `generate` ask for a picture."""
    return cast("PreTrainedModel", _blip2(net).language_model)


def refuse(net: nn.Module) -> str | None:
    """See `Family.refuse`."""
    config = _blip2(net).config
    text = config.get_text_config()
    if config.image_token_index is None:
        return "its config.json names no image_token_index, as older ones don't; give it the id of its tokenizer's <image>"
    if not config.image_token_index < text.vocab_size:
        return f"its image_token_index {config.image_token_index} lies beyond its vocabulary of {text.vocab_size}"
    embedded = cast("Tensor", _blip2(net).get_input_embeddings().weight)
    words, width = embedded.shape[1], text.hidden_size
    return None if words == width else f"its words are embedded {words} wide and its pictures {width}"


def settle(net: nn.Module) -> None:
    """See `Family.settle`: what the layer norm after the tower adds, where `vision_config` names it (`post_layer_norm_eps`).

    transformers has one number for all norms of the tower. The originals add 1e-6 in its blocks and 1e-5 in the last.
    """
    model = _blip2(net)
    said = cast("PreTrainedConfig", model.config.vision_config).to_dict().get("post_layer_norm_eps")
    if said is not None:
        model.vision_model.post_layernorm.eps = float(said)


def _blip2(net: nn.Module) -> Blip2ForConditionalGeneration:
    assert isinstance(net, Blip2ForConditionalGeneration), f"A family of BLIP-2's layout was handed a {type(net).__name__}."
    return net
