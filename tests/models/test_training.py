"""A model opened for training attends in single precision on a CPU, which changes no answer and isn't written down."""

from __future__ import annotations

from typing import Any

import torch

from errata.models.small import training
from errata.models.small.build import LlavaSizes, build_llava
from errata.school.curriculum import Curriculum, lessons_of
from errata.school.packing import pack
from errata.school.school import states_of, texts

SMALL = LlavaSizes(width=32, layers=2, ffn=64, vision_width=32, vision_layers=1, vision_ffn=64, vocabulary=400)


class Sees(torch.nn.Module):
    """What attention asks of the module that it belongs to."""

    is_causal = False


def test_under_autocast_attention_stays_in_single_precision():
    generator = torch.Generator().manual_seed(1)
    query, key, value = (torch.randn(2, 3, 5, 8, generator=generator).bfloat16() for _ in range(3))
    with torch.autocast("cpu", torch.bfloat16):
        found, _ = training._in_single(Sees(), query, key, value, None)
    expected = torch.nn.functional.scaled_dot_product_attention(query.float(), key.float(), value.float())
    assert found.dtype == torch.float32
    assert torch.allclose(found, expected.transpose(1, 2), atol=1e-6)


def test_it_changes_no_state_and_isnt_in_the_saved_config(tmp_path):
    build_llava(tmp_path / "tiny", texts=texts(count=300), sizes=SMALL, seed=0)
    trainee = training.open_trainee(tmp_path / "tiny")
    model: Any = trainee.module
    assert model.config.text_config._attn_implementation == training.IN_SINGLE
    batch = pack(trainee, lessons_of(0, Curriculum(looks=0, captions=0, scenes=3)))
    with torch.no_grad():
        mine = states_of(trainee, batch)
        model.set_attn_implementation("sdpa")
        for one, other in zip(mine, states_of(trainee, batch), strict=True):
            assert torch.equal(one, other)
    trainee.save(tmp_path / "saved")
    assert training.IN_SINGLE not in (tmp_path / "saved" / "config.json").read_text()
