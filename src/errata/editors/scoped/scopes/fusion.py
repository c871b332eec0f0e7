"""How a text and a picture become one vector (FGVEdit, section 3: alignment, then fusion).

    h^t = A_t(E_t(t, y)),  h^i = A_i(E_i(i)),  z = head(Fusion(h^t, h^i))

    concat   [h^t ; h^i]                                       the two wholes side by side
    cross    [h^t ; MultiHead(h^t W_q, h^p W_k, h^p W_v)]      the text attends to the picture's patches, with weights of its own
    dot      [h^t ; softmax(h^t . h^p / sqrt Z) h^p]           the same with nothing to learn: what the paper says, where its code
                                                               attends over the edits in memory instead
    joint    a transformer over words and patches side by side: beyond the paper, whose text is one vector before it meets a patch

Without a picture a learned vector stands in the place of its one patch and its whole.

Shapes: N rows, T words, P patches, D width of the encoders' space, Z width of the fusion's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from errata.core.errors import BadInput, quoted

Fusion = Literal["concat", "cross", "dot", "joint"]

HEADS = 4


class Glance(NamedTuple):
    """A text and its pictures as the encoders see them; several pictures' patches stand one after another."""

    text_D: Float[Tensor, "D"]
    words_TD: Float[Tensor, "T D"]
    image_D: Float[Tensor, "D"] | None
    """The mean over pictures; None without any."""

    patches_PD: Float[Tensor, "P D"] | None


class Batch(NamedTuple):
    """Some glances, padded; without a picture `images_ND` is zero and every patch masked."""

    texts_ND: Float[Tensor, "N D"]
    words_NTD: Float[Tensor, "N T D"]
    no_word_NT: Bool[Tensor, "N T"]
    images_ND: Float[Tensor, "N D"]
    patches_NPD: Float[Tensor, "N P D"]
    no_patch_NP: Bool[Tensor, "N P"]

    @staticmethod
    def of(glances: Sequence[Glance], device: torch.device) -> Batch:
        """Side by side."""
        width = glances[0].text_D.shape[0]
        patches = [torch.zeros(0, width) if each.patches_PD is None else each.patches_PD for each in glances]
        images = [torch.zeros(width) if each.image_D is None else each.image_D for each in glances]
        words = [each.words_TD for each in glances]
        most = max(1, max(len(each) for each in patches))  # room for what stands in a picture's place
        patches_NPD = torch.stack([nn.functional.pad(each, (0, 0, 0, most - len(each))) for each in patches])
        return Batch(
            torch.stack([each.text_D for each in glances]).to(device),
            pad_sequence(words, batch_first=True).to(device),
            _beyond([len(each) for each in words], device),
            torch.stack(images).to(device),
            patches_NPD.to(device),
            _beyond([len(each) for each in patches], device, most=most),
        )


class Fuse(nn.Module):
    """z of some glances.

    Args:
        kind: which fusion.
        wide: D.
        width: Z; 4 divides it.
        layers: of "joint".

    Raises:
        BadInput: another kind, or sizes that don't fit.
    """

    def __init__(self, kind: Fusion, *, wide: int, width: int, layers: int) -> None:
        super().__init__()
        if kind not in get_args(Fusion):
            raise BadInput(f"A scope's fusion is one of {', '.join(get_args(Fusion))}, not {quoted(kind)}.")
        if width < HEADS or width % HEADS or layers < 1:
            raise BadInput(f"A fusion needs a width that {HEADS} divides and at least 1 layer, not {width} and {layers}.")
        self.kind, self.width = kind, width
        turns = nn.Linear(wide, width), nn.Linear(wide, width)
        with torch.no_grad():  # both begin as one turn of the encoders' space: what was alike there is alike here
            nn.init.orthogonal_(turns[0].weight)
            turns[1].weight.copy_(turns[0].weight)
            for turn in turns:
                turn.bias.zero_()
        self.align_text, self.align_image = (nn.Sequential(nn.LayerNorm(wide), turn) for turn in turns)
        self.nothing = nn.Parameter(torch.randn(width) / math.sqrt(width))
        self.cross = nn.MultiheadAttention(width, HEADS, batch_first=True) if kind == "cross" else None
        self.joint = _Joint(width, layers) if kind == "joint" else None
        fused = width if kind == "joint" else 2 * width
        self.head = nn.Sequential(nn.LayerNorm(fused), nn.Linear(fused, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, seen: Batch) -> Float[Tensor, "N Z"]:
        text_NZ: Tensor = self.align_text(seen.texts_ND)
        patches_NPZ, no_patch_NP = self._patches(seen)
        if self.joint is not None:
            fused: Tensor = self.joint(self.align_text(seen.words_NTD), seen.no_word_NT, patches_NPZ, no_patch_NP)
        else:
            fused = torch.cat([text_NZ, self._attended(text_NZ, seen, patches_NPZ, no_patch_NP)], dim=-1)
        found: Tensor = self.head(fused)
        return found

    def _attended(self, text_NZ: Tensor, seen: Batch, patches_NPZ: Tensor, no_patch_NP: Tensor) -> Float[Tensor, "N Z"]:
        if self.kind == "concat":
            none_N1 = seen.no_patch_NP.all(1, keepdim=True)
            return torch.where(none_N1, self.nothing, self.align_image(seen.images_ND))
        if self.cross is not None:
            attended: Tensor = self.cross(
                text_NZ[:, None], patches_NPZ, patches_NPZ, key_padding_mask=no_patch_NP, need_weights=False
            )[0]
            return attended[:, 0]
        likeness_NP = torch.einsum("nz,npz->np", text_NZ, patches_NPZ) / math.sqrt(self.width)
        weights_NP = likeness_NP.masked_fill(no_patch_NP, -torch.inf).softmax(-1)
        return torch.einsum("np,npz->nz", weights_NP, patches_NPZ)

    def _patches(self, seen: Batch) -> tuple[Float[Tensor, "N P Z"], Bool[Tensor, "N P"]]:
        """Aligned patches; where there is no picture the first is what stands in its place."""
        none_N1 = seen.no_patch_NP.all(1, keepdim=True)
        first_NP = torch.arange(seen.no_patch_NP.shape[1], device=none_N1.device) == 0
        empty_NP = none_N1 & first_NP
        patches_NPZ = torch.where(empty_NP[..., None], self.nothing, self.align_image(seen.patches_NPD))
        return patches_NPZ, seen.no_patch_NP & ~empty_NP


class _Joint(nn.Module):
    """A transformer over one token of its own, the words and the patches; what it makes of its own token."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.own = nn.Parameter(torch.randn(width) / math.sqrt(width))
        self.sides = nn.Parameter(torch.randn(2, width) / math.sqrt(width))
        layer = nn.TransformerEncoderLayer(
            width, HEADS, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)

    def forward(self, words_NTZ: Tensor, no_word_NT: Tensor, patches_NPZ: Tensor, no_patch_NP: Tensor) -> Float[Tensor, "N Z"]:
        own_N1Z = self.own.expand(len(words_NTZ), 1, -1)
        x_NLZ = torch.cat([own_N1Z, words_NTZ + self.sides[0], patches_NPZ + self.sides[1]], dim=1)
        no_NL = torch.cat([no_word_NT.new_zeros(len(words_NTZ), 1), no_word_NT, no_patch_NP], dim=1)
        found: Tensor = self.layers(x_NLZ, src_key_padding_mask=no_NL)[:, 0]
        return found


def _beyond(lengths: Sequence[int], device: torch.device, *, most: int | None = None) -> Bool[Tensor, "N L"]:
    """True where a row has nothing any more."""
    places_L = torch.arange(max(lengths) if most is None else most, device=device)
    return places_L >= torch.tensor(lengths, device=device)[:, None]
