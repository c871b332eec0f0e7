"""What MiniGPT-4's authors call each weight, and the configuration that their files' shapes give.

Names and numbers are those of github.com/Vision-CAIR/MiniGPT-4 (minigpt4/models: eva_vit.py, base_model.py, Qformer.py,
mini_gpt4.py). Its parts are laid one over the other as the original loads them: the tower, then the Q-Former's file, then the
checkpoint; a name in a later one takes the place of the earlier.

Shapes: D width of the language model, Q width of the Q-Former, E width of the tower, V rows of the vocabulary.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt
from types import MappingProxyType
from typing import Final, final

from transformers import Blip2Config, Blip2QFormerConfig, Blip2VisionConfig, LlamaConfig

from errata.core.errors import BadInput, shortened
from errata.models.converting.files import Held, Part, listed

TOWER: Final = "the tower of EVA-CLIP (eva_vit_g.pth)"
QFORMER: Final = "BLIP-2's file with the Q-Former (blip2_pretrained_flant5xxl.pth)"
CHECKPOINT: Final = "a checkpoint of MiniGPT-4 (prerained_minigpt4_7b.pth, pretrained_minigpt4.pth)"

TOWERS: Mapping[int, tuple[int, int]] = MappingProxyType({1408: (16, 39)})
"""Width E of a tower that is known -> its heads, and how many of its blocks are used: EVA-CLIP's g/14 has heads of 88, and what its
file holds beyond 39 blocks is left out."""

QFORMERS: Mapping[int, int] = MappingProxyType({768: 12})
"""Width Q of a Q-Former that is known -> its heads: BERT's, of 64."""

TOWER_EPS: Final = 1e-6
QFORMER_EPS: Final = 1e-12
LAST_EPS: Final = 1e-5
"""What the layer norms add: those of the tower's blocks, the Q-Former's (BERT's), and the one between (PyTorch's default)."""

_PATCHES: Final = 4
"""Patches that a MiniGPT-4 without a Q-Former lays side by side."""

_OTHER: Final = ("gamma_1", "gamma_2", "relative_position_bias_table")
"""Weights that other towers of EVA's code have in a block, and this one has not."""


@final
@dataclass(frozen=True)
class Given:
    """What can't be read from shapes; None: of the tower and the Q-Former that are known."""

    vision_heads: int | None = None
    vision_blocks: int | None = None
    """Blocks of the tower that are used; the file may hold more."""

    qformer_heads: int | None = None


@final
@dataclass(frozen=True)
class Parts:
    """The files that were given."""

    language: Part
    eyes: Part
    qformer: Part
    checkpoint: Part

    def own(self) -> dict[str, Held]:
        """Everything but the language model, by the names of the whole original."""
        held = {f"visual_encoder.{name}": one for name, one in self.eyes.held.items()}
        for part in (self.qformer, self.checkpoint):
            held.update((name, one) for name, one in part.held.items() if _OWN.match(name))
        return held

    def of(self, name: str) -> Part:
        """The part that a name of the original should come from."""
        return (
            self.eyes if name.startswith("visual_encoder.") else self.checkpoint if name.startswith("llama_proj.") else self.qformer
        )


_OWN: Final = re.compile(r"(visual_encoder|ln_vision|Qformer|llama_proj)\.|query_tokens$")
_LAYER: Final = "Qformer.bert.encoder.layer.{}"


def check_kinds(parts: Parts) -> None:
    """Whether each file is of the kind that it was given as.

    Raises:
        BadInput: one isn't.
    """
    block = ("attn.qkv.weight", "attn.q_bias", "attn.v_bias", "attn.proj.weight", "mlp.fc1.weight", "norm1.weight")
    parts.eyes.require(("cls_token", "pos_embed", "patch_embed.proj.weight", *(f"blocks.0.{name}" for name in block)))
    first = _LAYER.format(0)
    layer = ("attention.self.query.weight", "crossattention.self.key.weight", "intermediate_query.dense.weight")
    norms = ("query_tokens", "ln_vision.weight", "Qformer.bert.embeddings.LayerNorm.weight")
    parts.qformer.require((*norms, *(f"{first}.{name}" for name in layer)))
    parts.checkpoint.require(("llama_proj.weight", "llama_proj.bias"))
    words = sorted(name for name in parts.checkpoint.held if name.startswith("llama_model."))
    if words:
        raise BadInput(
            f"{shortened(parts.checkpoint.path)} holds weights of the language model ({listed(words)}), as MiniGPT-v2's do; "
            "MiniGPT-4 leaves it as it is. Give a checkpoint of MiniGPT-4."
        )
    odd = sorted(name for name in parts.eyes.held if name.endswith(_OTHER))
    if odd:
        raise BadInput(f"{shortened(parts.eyes.path)} isn't {TOWER}: it has {listed(odd)}, which that hasn't. Give that file.")


def config_of(parts: Parts, text: LlamaConfig, given: Given) -> Blip2Config:
    """The configuration of the whole, still without the token of a picture.

    Raises:
        BadInput: a part doesn't fit another, or its shape isn't known and nothing was given.
    """
    vision = _vision(parts.eyes, given)
    qformer = _qformer(parts.qformer, given, width=vision.hidden_size)
    _check_projection(parts, text, qformer=qformer.hidden_size, tower=vision.hidden_size)
    queries = parts.qformer.shape("query_tokens", 3)[1]
    return Blip2Config(vision_config=vision, qformer_config=qformer, text_config=text, num_query_tokens=queries)


def _vision(part: Part, given: Given) -> Blip2VisionConfig:
    _, positions, width = part.shape("pos_embed", 3)
    side, patch = isqrt(positions - 1), part.shape("patch_embed.proj.weight", 4)[-1]
    if side * side != positions - 1:
        raise BadInput(f"{shortened(part.path)} isn't {TOWER}: {positions:,} positions are no square and one. Give that file.")
    known = TOWERS.get(width, (None, None))
    heads = _known(given.vision_heads, known[0], f"the tower's heads ({width:,} wide)", "--vision-heads", width)
    blocks = _known(given.vision_blocks, known[1], f"how many of its {count(part)} blocks are used", "--vision-blocks", None)
    return Blip2VisionConfig(
        hidden_size=width,
        intermediate_size=part.shape("blocks.0.mlp.fc1.weight", 2)[0],
        num_hidden_layers=blocks,
        num_attention_heads=heads,
        image_size=side * patch,
        patch_size=patch,
        hidden_act="gelu",
        layer_norm_eps=TOWER_EPS,
        post_layer_norm_eps=LAST_EPS,  # type: ignore[call-arg]  # not the library's: errata's family heeds it
    )


def count(eyes: Part) -> int:
    """Blocks in a tower's file."""
    return len({name.split(".")[1] for name in eyes.held if re.match(r"blocks\.\d+\.", name)})


def _qformer(part: Part, given: Given, *, width: int) -> Blip2QFormerConfig:
    hidden, reads = part.shape(f"{_LAYER.format(0)}.crossattention.self.key.weight", 2)
    if reads != width:
        raise BadInput(
            f"The Q-Former of {shortened(part.path)} reads features {reads:,} wide, and the tower's are {width:,} wide. "
            "Give the two that belong together."
        )
    layers, frequency = _depth(part)
    return Blip2QFormerConfig(
        hidden_size=hidden,
        intermediate_size=part.shape(f"{_LAYER.format(0)}.intermediate_query.dense.weight", 2)[0],
        num_hidden_layers=layers,
        num_attention_heads=_known(
            given.qformer_heads, QFORMERS.get(hidden), f"the Q-Former's heads ({hidden:,} wide)", "--qformer-heads", hidden
        ),
        cross_attention_frequency=frequency,
        encoder_hidden_size=width,
        hidden_act="gelu",
        layer_norm_eps=QFORMER_EPS,
    )


def _depth(part: Part) -> tuple[int, int]:
    """The Q-Former's layers, and every which of them reads the picture.

    Raises:
        BadInput: those that do don't stand at equal distances, the lowest first.
    """
    found = [re.match(r"Qformer\.bert\.encoder\.layer\.(\d+)\.(\w+)", name) for name in part.held]
    layers = 1 + max(int(one[1]) for one in found if one)
    reading = sorted({int(one[1]) for one in found if one and one[2] == "crossattention"})
    frequency = reading[1] if len(reading) > 1 else layers
    if reading != list(range(0, layers, frequency)):
        raise BadInput(
            f"{shortened(part.path)} isn't {QFORMER}: its layers {reading} of {layers} read the picture, which are not every "
            "second or third. Give that file."
        )
    return layers, frequency


def _known(given: int | None, known: int | None, what: str, option: str, width: int | None) -> int:
    """A number that was given, or is known of this width.

    Raises:
        BadInput: neither, or it doesn't divide the width.
    """
    number = known if given is None else given
    if number is None:
        raise BadInput(f"It isn't known of these files, and no shape tells it, {what}. Say it: {option} NUMBER.")
    if width is not None and width % number:
        raise BadInput(f"{number} heads don't share {width:,} evenly. Give another number: {option} NUMBER.")
    return number


def _check_projection(parts: Parts, text: LlamaConfig, *, qformer: int, tower: int) -> None:
    """Whether the checkpoint's projection leads from this Q-Former to this language model.

    Raises:
        BadInput: it doesn't.
    """
    path = shortened(parts.checkpoint.path)
    words, read = parts.checkpoint.shape("llama_proj.weight", 2)
    if read == _PATCHES * tower:
        raise BadInput(
            f"The projection of {path} reads {_PATCHES} patches of the tower at once ({read:,} wide) and no Q-Former, as "
            "MiniGPT-4's for LLaMA-2 does; no class of transformers is put together so. Give a checkpoint for Vicuna."
        )
    if read != qformer:
        raise BadInput(
            f"The projection of {path} reads {read:,} features, and the Q-Former gives {qformer:,}. Give its own Q-Former."
        )
    if words != text.hidden_size:
        raise BadInput(
            f"The projection of {path} leads to a language model {words:,} wide, and that of {shortened(parts.language.path)} is "
            f"{text.hidden_size:,} wide. Give the two that belong together: 4,096 is a model of 7B, 5,120 one of 13B."
        )


def original(name: str) -> tuple[str, ...]:
    """A weight's name in transformers -> its name in the original, or the names of the two that it is put together from."""
    for ours, theirs in _NAMES:
        found, times = re.subn(ours, theirs, name)
        if times:
            return (found.replace("*", "q_bias"), found.replace("*", "v_bias")) if "*" in found else (found,)
    return (name,)


_NAMES: Final = (
    (r"^language_projection\.", "llama_proj."),
    (r"^vision_model\.embeddings\.class_embedding$", "visual_encoder.cls_token"),
    (r"^vision_model\.embeddings\.position_embedding$", "visual_encoder.pos_embed"),
    (r"^vision_model\.embeddings\.patch_embedding\.", "visual_encoder.patch_embed.proj."),
    (r"^vision_model\.post_layernorm\.", "ln_vision."),
    (r"^vision_model\.encoder\.layers\.(\d+)\.layer_norm(\d)\.", r"visual_encoder.blocks.\1.norm\2."),
    (r"^vision_model\.encoder\.layers\.(\d+)\.self_attn\.qkv\.bias$", r"visual_encoder.blocks.\1.attn.*"),
    (r"^vision_model\.encoder\.layers\.(\d+)\.self_attn\.projection\.", r"visual_encoder.blocks.\1.attn.proj."),
    (r"^vision_model\.encoder\.layers\.(\d+)\.self_attn\.", r"visual_encoder.blocks.\1.attn."),
    (r"^vision_model\.encoder\.layers\.", "visual_encoder.blocks."),
    (r"^qformer\.layernorm\.", "Qformer.bert.embeddings.LayerNorm."),
    (r"^qformer\.(.*attention)\.attention\.", r"Qformer.bert.\1.self."),
    (r"^qformer\.", "Qformer.bert."),
)
"""The first that fits, in this order."""
