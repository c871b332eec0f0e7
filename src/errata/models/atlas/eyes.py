"""The eyes of `atlas`: a CLIP vision tower and Aya Vision's projector, small enough to ship, that spell what a picture shows.

What they give in a picture's place is trained towards the language model's own input embeddings of a caption (Liu et al.,
"Visual Instruction Tuning", arXiv 2304.08485, calls the projector's work the training of a visual tokenizer; here the tokens are
words). The layout is LLaVA's, but for the projector: LLaVA's is as wide inside as the language model, and of two thousand words
through 576 units half came out blended (docs/decisions/0041-eyes-that-spell.md). Aya Vision's (Dash et al., "Aya Vision", arXiv
2505.08751) is gated, and as wide as one likes. Shapes: N pictures, K image tokens, D width of the language model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoModel, AyaVisionConfig, CLIPVisionConfig, LlamaConfig
from transformers.models.aya_vision.modeling_aya_vision import AyaVisionMultiModalProjector

from errata.core.errors import BadInput

SIDE: Final = 96
"""Of what the tower looks at, in pixels."""

PATCH: Final = 24
SLOTS: Final = (SIDE // PATCH) ** 2
"""K: image tokens of a picture."""

MEAN: Final = (0.5, 0.5, 0.5)
STD: Final = (0.25, 0.25, 0.25)

_WIDTH: Final = 192
_HEADS: Final = 6


@dataclass(frozen=True)
class Make:
    """How large eyes are, beside their width."""

    layers: int
    """Of the tower."""

    units: int
    """Inside a layer."""

    words: int
    """Units of the projector: by these words are told apart, of which captions have some two thousand."""

    least: float = 1e-5
    """What a layer's norms add to a variance: where layers write less, less."""


SEEING: Final = Make(layers=4, units=4 * _WIDTH, words=3072)
"""As they learn to see."""

NAMING: Final = Make(layers=8, units=1376, words=2048, least=1e-8)
"""With layers on top that say what it is: a unit for each name and each place. These ship."""

_FAINT: Final = 0.3
_WAVES: Final = 8
"""Frequencies in each direction."""

PLACED: Final = slice(160, 160 + SLOTS)
"""Coordinates of a new tower that hold a patch's place; those before them hold what it looks like."""

_SEEN: Final = PLACED.start

_MARKED: Final = 4.0
_LOOKS: Final = 3.0
"""How strongly a place is marked, and how strongly a head of a new tower looks at its own."""


def vision_config(make: Make = NAMING) -> CLIPVisionConfig:
    """The tower's."""
    return CLIPVisionConfig(
        hidden_size=_WIDTH,
        intermediate_size=make.units,
        num_hidden_layers=make.layers,
        num_attention_heads=_HEADS,
        image_size=SIDE,
        patch_size=PATCH,
        projection_dim=_WIDTH,
        layer_norm_eps=make.least,
    )


def config(text: LlamaConfig, make: Make = NAMING, **more: Any) -> AyaVisionConfig:
    """Of a model with such eyes, and whatever else is said of it."""
    made: Any = AyaVisionConfig  # which takes the projector's width, too, but doesn't declare it
    found: AyaVisionConfig = made(
        vision_config=vision_config(make),
        text_config=text,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        downsample_factor=1,
        alignment_intermediate_size=2 * make.words,
        adapter_layer_norm_eps=1e-5,
        **more,
    )
    return found


class Eyes(nn.Module):
    """Tower and projector, under the names that LLaVA gives them.

    Args:
        text: the language model's configuration.
        make: how large they are.
    """

    def __init__(self, text: LlamaConfig, make: Make = NAMING) -> None:
        super().__init__()
        made: Any = AutoModel  # which settles how attention is worked out
        self.vision_tower: Any = made.from_config(vision_config(make))
        self.multi_modal_projector: Any = AyaVisionMultiModalProjector(config(text, make))

    def begin(self) -> None:
        """Begin where learning is quick: a patch as its lowest frequencies (a cosine transform of lightness and two colours), a
        place in coordinates of its own, and heads that each look at one place, whoever asks. From random weights every image
        token begins as the mean of all of them, and takes long to find out what lies where."""
        embeddings: Any = self.vision_tower.embeddings
        layers: Any = self.vision_tower.encoder.layers
        count, width = SLOTS, _WIDTH // _HEADS
        with torch.no_grad():
            embeddings.patch_embedding.weight.zero_()
            embeddings.patch_embedding.weight[:_SEEN] = _frequencies(PATCH, _SEEN)
            embeddings.position_embedding.weight.zero_()
            embeddings.position_embedding.weight[1:, PLACED] = _MARKED * torch.eye(count)
            heads = [(layer.self_attn, head * width) for layer in layers[1:] for head in range(_HEADS)]
            for index, (attention, row) in enumerate(heads):
                for projection in (attention.q_proj, attention.k_proj):
                    projection.weight[row] = 0
                attention.q_proj.bias[row] = _LOOKS
                attention.k_proj.weight[row, _SEEN + index % count] = _LOOKS

    def spell_everywhere(self, word_D: Tensor) -> None:
        """Begin with that in every place, nearly, whatever is seen."""
        spelled = self.multi_modal_projector.linear_2
        with torch.no_grad():
            spelled.weight.mul_(_FAINT)
            spelled.bias.copy_(word_D)

    @property
    def width(self) -> int:
        """W: of the tower."""
        return _WIDTH

    def look(self, pixels_NHWC: Tensor, *, whole: bool = False) -> Tensor:
        """RGB uint8 [N, SIDE, SIDE, 3] -> the tower's image tokens [N, K, W]; `whole`: with the one before them, [N, 1 + K, W]."""
        mean, std = torch.tensor(MEAN), torch.tensor(STD)
        normal = ((pixels_NHWC.float() / 255 - mean) / std).permute(0, 3, 1, 2).contiguous()
        found: Tensor = self.vision_tower(normal).last_hidden_state
        return found if whole else found[:, 1:]

    def spell(self, seen_NKW: Tensor) -> Tensor:
        """Image tokens as the language model is handed them [N, K, D]."""
        found: Tensor = self.multi_modal_projector(seen_NKW)
        return found.flatten(1, 2)

    def forward(self, pixels_NHWC: Tensor) -> Tensor:
        """RGB uint8 [N, SIDE, SIDE, 3] -> [N, K, D]."""
        return self.spell(self.look(pixels_NHWC))

    def save(self, path: Path) -> None:
        """Write the weights in half precision."""
        save_file({name: weight.detach().half().contiguous() for name, weight in self.state_dict().items()}, path)

    def open(self, path: Path) -> None:
        """Take the weights of a file.

        Raises:
            BadInput: it can't be read, or is of other eyes.
        """
        try:
            weights = {name: weight.float() for name, weight in load_file(path).items()}
            self.load_state_dict(weights)
        except (OSError, SafetensorError, RuntimeError) as error:
            why = "its weights are of eyes of another make" if isinstance(error, RuntimeError) else str(error).splitlines()[0]
            raise BadInput(f"The eyes {path} can't be opened: {why}. Train them again.") from error


def _frequencies(side: int, width: int) -> Tensor:
    """[width, 3, side, side]: the lowest frequencies of each of three colours, as means over the patch."""
    across = (torch.arange(side) + 0.5) / side
    waves_FS = torch.stack([torch.cos(torch.pi * across * times) * (1 if times == 0 else 2**0.5) for times in range(_WAVES)])
    colours = torch.tensor([[1.0, 1, 1], [1, 0, -1], [-0.5, 1, -0.5]])
    colours = colours / colours.norm(dim=1, keepdim=True)
    order = sorted(((i, j) for i in range(_WAVES) for j in range(_WAVES)), key=lambda each: (sum(each), each[0]))
    kernels = [colour[:, None, None] * waves_FS[i][:, None] * waves_FS[j] / side**2 for i, j in order for colour in colours]
    return torch.stack(kernels[:width])
