"""LLaVA-1.5 as today's library writes it after training: one processor file, a template of its own file, full configurations."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from tests.zoo._asked import quietly
from tests.zoo.eyes import llava

MODEL_TYPE = "llava"
EYES = True
PICTURES = 2


def build(folder: Path, *, seed: int = 0) -> None:
    """Write the checkpoint."""
    with TemporaryDirectory() as inner, quietly():
        llava.build(Path(inner), seed=seed)
        model = AutoModelForImageTextToText.from_pretrained(inner, dtype=torch.bfloat16)
        model.save_pretrained(folder, max_shard_size="300KB")
        AutoProcessor.from_pretrained(inner, backend="pil").save_pretrained(folder)
