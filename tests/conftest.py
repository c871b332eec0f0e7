"""What every room's tests stand on: real, small models with random weights, and pictures to ask them about."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from errata.core.images import Image
from errata.models import FAMILIES, TransformersModel, load
from errata.models.small.build import Blip2Sizes, LlavaSizes, build_blip2, build_llava, build_minigpt4

WORDS = (
    "what is the red star called? it is mibo.",
    "where does the blue ring live? in the harbor.",
    "what does mibo eat? red plums and salt.",
    "the thing at the top left is a green moon.",
    "how many things are there? two, or 35.",
)

SIZES = LlavaSizes(
    width=64, layers=4, ffn=128, vision_width=64, vision_layers=2, vision_ffn=128, image=32, patch=8, context=192, vocabulary=256
)

BLIP2_SIZES = Blip2Sizes(
    width=64,
    layers=4,
    ffn=128,
    queries=6,
    qformer_width=32,
    qformer_layers=2,
    qformer_ffn=64,
    vision_width=64,
    vision_layers=2,
    vision_ffn=128,
    image=32,
    patch=8,
    context=192,
    vocabulary=256,
)

BUILT = {"blip2": "random_blip2", "llava": "random_llava", "minigpt4": "random_minigpt4"}
"""Family -> the fixture that holds a small random model of it."""


def picture(seed: int, *, width: int = 40, height: int = 36, format: str = "PNG") -> Image:
    """A picture of noise, the same for the same seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    data = io.BytesIO()
    Pillow.fromarray(pixels).save(data, format)
    return Image.of(data.getvalue())


def enliven(folder: Path) -> Path:
    """Let the linear maps of a new model keep the size of what passes, so that answers differ from question to question."""
    model = load(folder)
    generator = torch.Generator().manual_seed(3)
    for module in model.net.modules():
        if isinstance(module, torch.nn.Linear):
            module.weight.normal_(std=module.in_features**-0.5, generator=generator)
        if isinstance(module, torch.nn.Embedding):
            module.weight.normal_(generator=generator)
    model.save(folder)
    return folder


@pytest.fixture(scope="session")
def random_llava_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder."""
    folder = tmp_path_factory.mktemp("models") / "random-llava"
    build_llava(folder, texts=WORDS * 8, sizes=SIZES, seed=3)
    return enliven(folder)


@pytest.fixture(scope="session")
def random_llava(random_llava_folder: Path) -> TransformersModel:
    """The model in `random_llava_folder`; every test leaves it as found."""
    return load(random_llava_folder)


@pytest.fixture(scope="session")
def random_blip2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder."""
    folder = tmp_path_factory.mktemp("models") / "random-blip2"
    build_blip2(folder, texts=WORDS * 8, sizes=BLIP2_SIZES, seed=3)
    return enliven(folder)


@pytest.fixture(scope="session")
def random_blip2(random_blip2_folder: Path) -> TransformersModel:
    """The model in `random_blip2_folder`; every test leaves it as found."""
    return load(random_blip2_folder)


@pytest.fixture(scope="session")
def random_minigpt4_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder."""
    folder = tmp_path_factory.mktemp("models") / "random-minigpt4"
    build_minigpt4(folder, texts=WORDS * 8, sizes=BLIP2_SIZES, seed=3)
    return enliven(folder)


@pytest.fixture(scope="session")
def random_minigpt4(random_minigpt4_folder: Path) -> TransformersModel:
    """The model in `random_minigpt4_folder`; every test leaves it as found."""
    return load(random_minigpt4_folder)


@pytest.fixture(params=sorted(FAMILIES))
def model(request: pytest.FixtureRequest) -> TransformersModel:
    """A small random model of each family in turn; every test leaves it as found."""
    found: TransformersModel = request.getfixturevalue(BUILT[request.param])
    return found


@pytest.fixture(params=sorted(FAMILIES))
def model_folder(request: pytest.FixtureRequest) -> Path:
    """The checkpoint folder of each family's small random model in turn."""
    found: Path = request.getfixturevalue(f"{BUILT[request.param]}_folder")
    return found
