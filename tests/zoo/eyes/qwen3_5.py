"""Qwen3.5: layers of linear attention with one of full attention in four, answers that begin with a thought."""

from __future__ import annotations

from pathlib import Path

from tests.zoo._kit import write
from tests.zoo._qwen import qwen_generation, qwen_tokenizer, qwen_words
from tests.zoo.eyes.qwen3_vl import pixels

MODEL_TYPE = "qwen3_5"
EYES = True
PICTURES = 2

TEMPLATE = (
    "{%- macro said(content) -%}"
    "{%- if content is string -%}{{- content | trim -}}"
    "{%- else -%}{%- for part in content -%}"
    "{%- if part['type'] == 'image' -%}{{- '<|vision_start|><|image_pad|><|vision_end|>' -}}"
    "{%- elif 'text' in part -%}{{- part['text'] -}}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}"
    "{%- endmacro -%}"
    "{%- set seen = namespace(asked=-1) -%}"
    "{%- for turn in messages -%}{%- if turn['role'] == 'user' -%}{%- set seen.asked = loop.index0 -%}{%- endif -%}{%- endfor -%}"
    "{%- for turn in messages -%}"
    "{%- set text = said(turn['content']) | trim -%}"
    "{{- '<|im_start|>' + turn['role'] + '\n' -}}"
    "{%- if turn['role'] == 'assistant' -%}"
    "{%- set thought = text.split('</think>')[0].split('<think>')[-1].strip('\n') if '</think>' in text else '' -%}"
    "{%- set text = text.split('</think>')[-1].lstrip('\n') -%}"
    "{%- if loop.index0 > seen.asked -%}{{- '<think>\n' + thought | trim + '\n</think>\n\n' -}}{%- endif -%}"
    "{%- endif -%}"
    "{{- text + '<|im_end|>\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n<think>\n' -}}"
    "{%- if enable_thinking is defined and enable_thinking is false -%}{{- '\n</think>\n\n' -}}{%- endif -%}"
    "{%- endif -%}"
)


def build(folder: Path, *, seed: int = 0) -> None:
    """Write the checkpoint."""
    words = qwen_words(thinks=True)
    config = {
        "architectures": ["Qwen3_5ForConditionalGeneration"], "image_token_id": words["<|image_pad|>"], "model_type": "qwen3_5",
        "text_config": {
            "attention_bias": False, "attention_dropout": 0.0, "attn_output_gate": True, "dtype": "bfloat16",
            "eos_token_id": words["<|endoftext|>"], "full_attention_interval": 4, "head_dim": 32, "hidden_act": "silu",
            "hidden_size": 64, "initializer_range": 0.02, "intermediate_size": 128,
            "layer_types": ["linear_attention", "linear_attention", "linear_attention", "full_attention"],
            "linear_conv_kernel_dim": 4, "linear_key_head_dim": 16, "linear_num_key_heads": 4, "linear_num_value_heads": 4,
            "linear_value_head_dim": 16, "mamba_ssm_dtype": "float32", "max_position_embeddings": 1024, "mlp_only_layers": [],
            "model_type": "qwen3_5_text", "mtp_num_hidden_layers": 1, "mtp_use_dedicated_embeddings": False,
            "num_attention_heads": 4, "num_hidden_layers": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-06,
            "rope_parameters": {
                "mrope_interleaved": True, "mrope_section": [2, 1, 1], "partial_rotary_factor": 0.25, "rope_theta": 10000000,
                "rope_type": "default",
            },
            "tie_word_embeddings": True, "use_cache": True, "vocab_size": words.padded(),
        },
        "tie_word_embeddings": True, "transformers_version": "4.57.0.dev0", "video_token_id": words["<|video_pad|>"],
        "vision_config": {
            "deepstack_visual_indexes": [], "depth": 2, "hidden_act": "gelu_pytorch_tanh", "hidden_size": 48, "in_channels": 3,
            "initializer_range": 0.02, "intermediate_size": 96, "model_type": "qwen3_5", "num_heads": 4,
            "num_position_embeddings": 64, "out_hidden_size": 64, "patch_size": 16, "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
        "vision_end_token_id": words["<|vision_end|>"], "vision_start_token_id": words["<|vision_start|>"],
    }  # fmt: skip
    more = {"top_p": 0.95, "top_k": 20, "temperature": 0.6, "transformers_version": "4.57.0.dev0"}
    files = {
        "chat_template.jinja": TEMPLATE,
        "preprocessor_config.json": pixels("image_processor_type"),
        "video_preprocessor_config.json": pixels("video_processor_type") | {"video_processor_type": "Qwen3VLVideoProcessor"},
    }
    write(
        folder, config=config, generation=qwen_generation(words, **more), words=words, tokenizer=qwen_tokenizer(), files=files,
        seed=seed, pairs=True,
    )  # fmt: skip
