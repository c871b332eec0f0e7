"""Models that begin with what a small LLaVA knows: a BLIP-2 or MiniGPT-4 with its words, vision tower and language model, and a
smaller LLaVA with some of its layers.

The LLaVA's tokenizer is taken over, with the words of the other prompt added. A MiniGPT-4's LLaMA is the LLaVA's own; an OPT takes
the embeddings, the head, the norms and the attention's matrices, and learns the rest (its positions and its MLPs are other ones).
The tower takes the LLaVA's layers; BLIP-2's has no norm before them, so that is folded into what stands below for patches of mean
length. The Q-Former has nothing to begin with.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import Blip2Config, LlavaForConditionalGeneration, LlavaProcessor, PreTrainedTokenizerFast

from errata.core.errors import BadInput
from errata.models._chat import brief
from errata.models._load import source_of
from errata.models._quiet import quiet
from errata.models.small.build import Blip2Sizes, assemble, llama_of, opt_of, spare, write
from errata.models.small.training import normaliser

Apprentice = Literal["blip2", "minigpt4"]

_WORDS: dict[Apprentice, list[str]] = {
    "blip2": ["Question:", "Answer:"],
    "minigpt4": ["###Human:", "<Img>", "</Img>", "###Assistant:"],
}
"""Of each one's prompt, as whole tokens."""


def build_apprentice(
    family: Apprentice, folder: Path, *, teacher: str | Path, pixels_NHWC: Tensor, sizes: Blip2Sizes | None = None, seed: int = 0
) -> None:
    """Write a BLIP-2 or MiniGPT-4 that begins with a LLaVA's weights to `folder`, as `from_pretrained` opens it.

    Args:
        folder: made if missing.
        teacher: the LLaVA: a shipped name, a checkpoint folder or a hub id.
        pixels_NHWC: some pictures, uint8, by which the tower's first norm is folded away.
        sizes: of the Q-Former; those of tower and language model are the teacher's.
        seed: draws what begins at random.

    Raises:
        BadInput: there is no such LLaVA, its parts don't fit, or the folder holds a checkpoint of another type.
    """
    spare(folder, Blip2Config.model_type)
    net, processor_of_net = _llava(teacher)
    known = processor_of_net.tokenizer
    tokenizer = _tokenizer(known, _WORDS[family])
    sizes = _sizes(net, sizes or Blip2Sizes())
    text = llama_of(sizes, tokenizer) if family == "minigpt4" else opt_of(sizes, tokenizer, tied=False)
    made, processor = assemble(text, tokenizer, sizes=sizes, seed=seed, activation="quick_gelu")
    model: Any = made
    with torch.no_grad():
        _words(model.language_model, net, len(known), seed)
        if family == "minigpt4":
            taken = {name: own for name, own in net.model.language_model.state_dict().items() if "embed" not in name}
            model.language_model.model.load_state_dict(taken, strict=False)
        else:
            _opt(model.language_model.model.decoder, net.model.language_model)
        images: Any = processor
        pixels_NCHW = normaliser(images.image_processor, "cpu")(pixels_NHWC)
        _tower(model.vision_model, net.model.vision_tower, pixels_NCHW)
        _projection(model.language_projection, net, pixels_NCHW)
    write(folder, made, processor, tokenizer)


def cut_llava(folder: Path, *, teacher: str | Path, layers: Sequence[int]) -> None:
    """Write a LLaVA that has only some of another's decoder layers to `folder`, as `from_pretrained` opens it.

    Args:
        folder: made if missing.
        teacher: the other: a shipped name, a checkpoint folder or a hub id.
        layers: the places of those that stay, in order.

    Raises:
        BadInput: there is no such LLaVA, or the folder holds a checkpoint of another type.
    """
    net, processor = _llava(teacher)
    spare(folder, net.config.model_type)
    speaker = net.model.language_model
    speaker.layers = nn.ModuleList(speaker.layers[place] for place in layers)
    net.config.text_config.num_hidden_layers = len(layers)
    write(folder, net, processor, processor.tokenizer)


def _llava(teacher: str | Path) -> tuple[Any, Any]:
    """The model and its processor."""
    source = source_of(str(teacher))
    with quiet():
        try:
            net = LlavaForConditionalGeneration.from_pretrained(source, dtype=torch.float32)
            return net, LlavaProcessor.from_pretrained(source)
        except (OSError, ValueError, RuntimeError, AttributeError, SafetensorError) as error:
            raise BadInput(f"{teacher} can't teach: {brief(error)} Name a LLaVA.") from error


def _tokenizer(known: Any, words: list[str]) -> PreTrainedTokenizerFast:
    found = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=known.backend_tokenizer,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
    found.add_tokens(words)
    return found


def _sizes(net: Any, sizes: Blip2Sizes) -> Blip2Sizes:
    vision, text = net.config.vision_config, net.config.text_config
    return Blip2Sizes(
        width=text.hidden_size,
        layers=text.num_hidden_layers,
        ffn=text.intermediate_size,
        vision_width=vision.hidden_size,
        vision_layers=vision.num_hidden_layers,
        vision_ffn=vision.intermediate_size,
        image=vision.image_size,
        patch=vision.patch_size,
        context=text.max_position_embeddings,
        queries=(vision.image_size // vision.patch_size) ** 2,
        qformer_width=sizes.qformer_width,
        qformer_layers=sizes.qformer_layers,
        qformer_ffn=sizes.qformer_ffn,
    )


def _words(speaker: Any, net: Any, known: int, seed: int) -> None:
    """Rows of embeddings and head; a new word begins as the mean of the known ones, a little aside, and is never said."""
    generator = torch.Generator().manual_seed(seed)
    for mine, theirs in (
        (speaker.get_input_embeddings().weight, net.get_input_embeddings().weight),
        (speaker.lm_head.weight, net.lm_head.weight),
    ):
        mine[:known] = theirs
        aside = torch.randn(len(mine) - known, mine.shape[1], generator=generator) * theirs.std()
        mine[known:] = theirs.mean(0) + (aside if mine is not speaker.lm_head.weight else 0)


def _opt(decoder: Any, llama: Any) -> None:
    for mine, theirs in zip(decoder.layers, llama.layers, strict=True):
        for name, of in (("q_proj", "q_proj"), ("k_proj", "k_proj"), ("v_proj", "v_proj"), ("out_proj", "o_proj")):
            getattr(mine.self_attn, name).weight.copy_(getattr(theirs.self_attn, of).weight)
        mine.self_attn_layer_norm.weight.copy_(theirs.input_layernorm.weight)
        mine.final_layer_norm.weight.copy_(theirs.post_attention_layernorm.weight)
    decoder.final_layer_norm.weight.copy_(llama.norm.weight)


def _tower(mine: Any, theirs: Any, pixels_NCHW: Tensor) -> None:
    """The layers as they are; the norm before them folded into embeddings for a patch of mean spread."""
    norm, embeddings = theirs.pre_layrnorm, theirs.embeddings
    spread = embeddings(pixels_NCHW).std(-1, correction=0)[:, 1:].mean()

    def folded(x: Tensor, over: Tensor) -> Tensor:
        scaled: Tensor = norm.weight * (x - x.mean(-1, keepdim=True)) / over
        return scaled

    conv, places = embeddings.patch_embedding.weight, embeddings.position_embedding.weight
    mine.embeddings.patch_embedding.weight.copy_(folded(conv.flatten(1).T, spread).T.reshape(conv.shape))
    mine.embeddings.patch_embedding.bias.zero_()
    whole = embeddings.class_embedding + places[0]
    mine.embeddings.class_embedding.copy_(folded(whole, whole.std(correction=0))[None, None])
    mine.embeddings.position_embedding.copy_((folded(places, spread) + norm.bias)[None])
    mine.embeddings.position_embedding[:, 0] = norm.bias
    for own, of in zip(mine.encoder.layers, theirs.encoder.layers, strict=True):
        attention = of.self_attn
        own.self_attn.qkv.weight.copy_(torch.cat([attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight]))
        own.self_attn.qkv.bias.copy_(torch.cat([attention.q_proj.bias, attention.k_proj.bias, attention.v_proj.bias]))
        own.self_attn.projection.load_state_dict(attention.out_proj.state_dict())
        for part in ("layer_norm1", "layer_norm2", "mlp.fc1", "mlp.fc2"):
            own.get_submodule(part).load_state_dict(of.get_submodule(part).state_dict())


def _projection(mine: Any, net: Any, pixels_NCHW: Tensor) -> None:
    """From a Q-Former's last norm, of one size in each direction, to what the teacher's projector hands over: its mean, and its
    principal directions, each as far as it reaches. From small random weights it would take thousands of steps to come to that size
    (the small LLaVA's: 27, where a word's embedding has 0.05)."""
    patches = net.model.vision_tower(pixels_NCHW).last_hidden_state[:, 1:]
    wanted_PD = net.model.multi_modal_projector(patches).flatten(0, 1)
    centred_PD = wanted_PD - wanted_PD.mean(0)
    squares_D, directions_DD = torch.linalg.eigh(centred_PD.T @ centred_PD / len(centred_PD))  # by growing reach
    kept = min(mine.in_features, len(squares_D))
    mine.weight.zero_()
    mine.weight[:, :kept] = directions_DD[:, -kept:] * squares_D[-kept:].clamp(min=0).sqrt()
    mine.bias.copy_(wanted_PD.mean(0))
