"""CLIP as what a scope sees with (Radford et al., arXiv 2103.00020): from a folder or hub id, or built small and trained here.

Wholes are the two projected vectors that contrastive training compares. Parts go through the same projections, so that a text can
attend to a picture's patches in one space (FGVEdit's dot-product attention). Every text and picture is encoded alone: in a batch
its sums would come out in another order, and what is seen of it would depend on what stood beside it.

Shapes: N rows, T tokens, P patches, D width of the shared space.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast, final

import torch
from safetensors import SafetensorError
from tokenizers import processors
from torch import Tensor, nn
from transformers import (
    AutoImageProcessor,
    AutoTokenizer,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTextConfig,
    CLIPVisionConfig,
    LlavaForConditionalGeneration,
    PretrainedConfig,
    PreTrainedTokenizerFast,
)
from transformers import CLIPConfig as Config

from errata.core.cache import Recent
from errata.core.canonical import canonical
from errata.core.encoder import Seen
from errata.core.errors import BadInput, Unknown
from errata.core.images import NEWEST, Image
from errata.models._chat import brief
from errata.models._devices import device_at
from errata.models._load import asset, fitting, source_of
from errata.models._quiet import quiet
from errata.models._transformers import timeless
from errata.models.small.build import spare, train_core
from errata.models.small.training import normaliser, saver
from errata.nn.digest import hash_of
from errata.nn.weights import bytes_of, count_of

SEEN_BYTES = 256 * 1024 * 1024
"""The most bytes that are kept of texts and pictures seen, each."""

_TOGETHER = 32
"""Texts that are read together in training."""

_MEAN, _STD = 0.5, 0.25
"""Of pixels in [0, 1], for every channel."""

_SPECIAL = ["<unk>", "<pad>", "<s>", "</s>"]
"""The end token isn't number 2: with that number transformers pools a text at its largest id, as the first CLIP did."""

SHIPPED = ("clip-tiny", "clip-mini")
"""The names of the encoders inside the package."""

_NAMEABLE = (*SHIPPED, "a folder of a CLIP model", "owner/name on the hub when it can be reached")


@dataclass(frozen=True)
class ClipSizes:
    """The sizes of a small CLIP; attention heads are 32 wide. By default the small LLaVA's vision tower fits, and is built upon."""

    width: int = 160
    """D: of the shared space, and of the vision tower."""

    layers: int = 4
    """Of the vision tower; one more than the LLaVA's, in which patches come to know their neighbours."""

    ffn: int = 640
    text_width: int = 128
    text_layers: int = 2
    text_ffn: int = 512
    image: int = 64
    """Side of the picture in pixels."""

    patch: int = 16
    """Side of a patch in pixels."""

    length: int = 96
    """Tokens of a text that are read."""

    vocabulary: int = 1024


Size = Literal["mini", "tiny", "large"]

SIZES: Mapping[Size, ClipSizes] = MappingProxyType(
    {
        "mini": ClipSizes(layers=3, text_width=96, text_layers=1, text_ffn=384),
        "tiny": ClipSizes(),
        "large": ClipSizes(width=224, layers=4, ffn=896, text_width=192, text_layers=3, text_ffn=768, patch=8),
    }
)
"""About 1.3, 1.9 and 4.2 million parameters; the mini's tower is the small LLaVA's, the large's patches are half as large."""


@final
class ClipEncoder:
    """See `errata.core.encoder.Encoder`. Made by `load_encoder`."""

    def __init__(self, net: CLIPModel, *, tokenizer: Any, images: Any, name: str, decoder: int = NEWEST) -> None:
        net.train(False)
        self.net = net.requires_grad_(False)
        self._tokenizer = tokenizer
        self._images = images
        self._name = name
        self._decoder = decoder
        self._texts: Recent[str, Seen] = Recent(SEEN_BYTES, _bytes)
        self._pictures: Recent[str, Seen] = Recent(SEEN_BYTES, _bytes)

    @property
    def name(self) -> str:
        return self._name

    @property
    def width(self) -> int:
        return self.net.text_projection.out_features

    @cached_property
    def parameters(self) -> int:
        return count_of(self.net)

    @cached_property
    def size(self) -> int:
        return bytes_of(self.net)

    @cached_property
    def digest(self) -> str:
        found = hash_of(timeless(self.net.config.to_dict()), self.net.state_dict())
        found.update(canonical(dict(sorted(self._tokenizer.get_vocab().items()))))
        return found.hexdigest()

    def text(self, text: str) -> Seen:
        return self._texts.get(text, lambda: self._read(text))

    def image(self, image: Image) -> Seen:
        return self._pictures.get(image.digest, lambda: self._look(image))

    def _read(self, text: str) -> Seen:
        longest = _length(self.net)
        ids = self._tokenizer(text, truncation=True, max_length=longest)["input_ids"]
        with torch.no_grad():
            found = self.net.text_model(input_ids=torch.tensor([ids], device=self.net.device))
            return Seen(
                self.net.text_projection(found.pooler_output)[0].float().cpu(),
                self.net.text_projection(found.last_hidden_state)[0].float().cpu(),
            )

    def _look(self, image: Image) -> Seen:
        pixels_1CHW = self._images(images=[image.pixels(self._decoder)], return_tensors="pt")["pixel_values"].to(self.net.device)
        with torch.no_grad():
            found = self.net.vision_model(pixel_values=pixels_1CHW)
            patches_1PV = self.net.vision_model.post_layernorm(found.last_hidden_state[:, 1:])
            return Seen(
                self.net.visual_projection(found.pooler_output)[0].float().cpu(),
                self.net.visual_projection(patches_1PV)[0].float().cpu(),
            )


def load_encoder(name_or_path: str | Path, *, device: str = "cpu", decoder: int = NEWEST) -> ClipEncoder:
    """Open the encoders of a CLIP model, in float32: a shipped name, a folder or a hub id.

    Args:
        name_or_path: where they are.
        device: "cpu", "cuda", ...
        decoder: the version of how pictures are decoded.

    Raises:
        Unknown: there is no such folder or hub id.
        BadInput: it is no CLIP model, or its weights are broken.
    """
    name, place = str(name_or_path), device_at(device)
    source = asset(name) if name in SHIPPED else name
    with quiet():
        try:
            config, _ = PretrainedConfig.get_config_dict(source)
        except (OSError, ValueError) as error:
            raise Unknown("encoder", name, _NAMEABLE) from error
        if "model_type" not in config:
            raise Unknown("encoder", name, _NAMEABLE)
        if config["model_type"] != "clip":
            raise BadInput(f"{name} is a model of the type {config['model_type']!r}; a scope sees with a CLIP. Give one.")
        try:
            tokenizer = AutoTokenizer.from_pretrained(source)
            images = AutoImageProcessor.from_pretrained(source, backend="pil")  # type: ignore[no-untyped-call]
            loaded: Any = CLIPModel.from_pretrained(source, dtype=torch.float32, output_loading_info=True)
        except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, SafetensorError) as error:
            raise BadInput(f"The encoders {name} can't be read: {brief(error)} Save or download them again.") from error
    net = fitting(loaded, name)
    nn.Module.to(net, place)
    return ClipEncoder(net, tokenizer=tokenizer, images=images, name=name, decoder=decoder)


def build_clip(
    folder: Path,
    *,
    texts: Iterable[str],
    sizes: ClipSizes = SIZES["tiny"],
    seed: int = 0,
    tower: str | Path | None = None,
) -> None:
    """Write a CLIP with random weights to `folder`, as `from_pretrained` opens it.

    Args:
        folder: made if missing.
        texts: what the tokenizer is trained on.
        sizes: see `ClipSizes`.
        seed: draws the weights.
        tower: a LLaVA, whose vision tower makes the lowest layers in the place of random ones.

    Raises:
        Unknown: there is no such LLaVA.
        BadInput: it is none, or its tower is of other sizes, or the folder holds a checkpoint of another type.
    """
    spare(folder, Config.model_type)
    core = train_core(texts, vocabulary=sizes.vocabulary, special=_SPECIAL)
    core.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 2), ("</s>", 3)])
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core, unk_token="<unk>", pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    )
    torch.manual_seed(seed)
    model = CLIPModel(_config(sizes, len(tokenizer)))
    if tower is not None:
        _take_tower(model, str(tower))
    side = {"height": sizes.image, "width": sizes.image}
    images = CLIPImageProcessorPil(size=side, crop_size=side, do_center_crop=False, image_mean=[_MEAN] * 3, image_std=[_STD] * 3)
    folder.mkdir(parents=True, exist_ok=True)
    with quiet():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        images.save_pretrained(folder)


@dataclass(frozen=True)
class ClipTrainee:
    """A CLIP under training."""

    module: nn.Module
    see: Callable[[Tensor], tuple[Tensor, Tensor]]
    """Pixels uint8 [N, H, W, 3] -> unit vectors of the pictures [N, D], and their patches in the same space [N, P, D]."""

    read: Callable[[Sequence[str]], Tensor]
    """Texts -> their unit vectors [N, D]."""

    scale: Callable[[], Tensor]
    """What likenesses are multiplied with: exp of the learned temperature."""

    patches: int
    """P."""

    width: int
    """D."""

    save: Callable[[Path], None]
    """Write the weights, in half precision, as an ordinary checkpoint folder."""


def open_clip_trainee(folder: Path, *, device: str = "cpu") -> ClipTrainee:
    """Open the CLIP in `folder` for training, in single precision."""
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    images: Any = AutoImageProcessor.from_pretrained(folder, backend="pil")  # type: ignore[no-untyped-call]
    with quiet():
        model = CLIPModel.from_pretrained(folder, dtype=torch.float32)
    nn.Module.to(model, torch.device(device))
    model.train()
    normalised, longest = normaliser(images, device), _length(model)
    unit = partial(nn.functional.normalize, dim=-1)

    def see(pixels_NHWC: Tensor) -> tuple[Tensor, Tensor]:
        seen = model.vision_model(pixel_values=normalised(pixels_NHWC.to(device)))
        patches_NPV = model.vision_model.post_layernorm(seen.last_hidden_state[:, 1:])
        return unit(model.visual_projection(seen.pooler_output)), model.visual_projection(patches_NPV)

    def read(texts: Sequence[str]) -> Tensor:
        found: dict[int, Tensor] = {}
        ids = [tokenizer(text, truncation=True, max_length=longest)["input_ids"] for text in texts]
        order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
        for start in range(0, len(order), _TOGETHER):  # alike in length: little of what is computed is padding
            some = order[start : start + _TOGETHER]
            padded = tokenizer.pad({"input_ids": [ids[place] for place in some]}, return_tensors="pt").to(device)
            seen = model.text_model(input_ids=padded["input_ids"], attention_mask=padded["attention_mask"]).pooler_output
            found.update(zip(some, unit(model.text_projection(seen)), strict=True))
        return torch.stack([found[place] for place in range(len(ids))])

    return ClipTrainee(
        model,
        see,
        read,
        model.logit_scale.exp,
        _patches(model),
        model.text_projection.out_features,
        saver(model, folder, tokenizer, images),
    )


def _config(sizes: ClipSizes, vocabulary: int) -> Config:
    text = CLIPTextConfig(
        vocab_size=vocabulary,
        max_position_embeddings=sizes.length,
        pad_token_id=1,
        bos_token_id=2,
        eos_token_id=3,
        hidden_size=sizes.text_width,
        intermediate_size=sizes.text_ffn,
        num_hidden_layers=sizes.text_layers,
        num_attention_heads=sizes.text_width // 32,
        projection_dim=sizes.width,
    )
    vision = CLIPVisionConfig(
        image_size=sizes.image,
        patch_size=sizes.patch,
        hidden_size=sizes.width,
        intermediate_size=sizes.ffn,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.width // 32,
        projection_dim=sizes.width,
    )
    return Config(text_config=text, vision_config=vision, projection_dim=sizes.width)


def _take_tower(model: CLIPModel, name: str) -> None:
    """Put a LLaVA's vision tower in the place of the model's own."""
    source = source_of(name)
    with quiet():
        try:
            taken = LlavaForConditionalGeneration.from_pretrained(source, dtype=torch.float32).model.vision_tower
            missing, extra = model.vision_model.load_state_dict(taken.state_dict(), strict=False)
        except (OSError, ValueError, RuntimeError, AttributeError, SafetensorError) as error:
            raise BadInput(f"The vision tower of {name} doesn't fit a CLIP of these sizes: {brief(error)} Give another.") from error
    if extra or any(not name.startswith("encoder.layers.") for name in missing):
        raise BadInput(f"The vision tower of {name} has more layers than a CLIP of these sizes, or other parts. Give another.")


def _patches(net: CLIPModel) -> int:
    """How many a picture has."""
    config = cast("CLIPVisionConfig", net.config.vision_config)
    return int(config.image_size // config.patch_size) ** 2  # type: ignore[operator]


def _length(net: CLIPModel) -> int:
    """Tokens of a text that are read."""
    return cast("CLIPTextConfig", net.config.text_config).max_position_embeddings


def _bytes(seen: Seen) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in seen)
