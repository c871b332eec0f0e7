"""The zoo's templates write what the families' own write: a conversation with a picture, and one that ends in an answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.zoo import families, folder_of
from tests.zoo._asked import Conversation, plain, processor_of, question, quietly

ANSWERED: Conversation = [
    *question("what is this?", pictures=1),
    {"role": "assistant", "content": [{"type": "text", "text": "a moon."}]},
]

SEEN = "<|vision_start|><|image_pad|><|vision_end|>"
HELPFUL = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
HEADS = ("<|start_header_id|>user<|end_header_id|>\n\n", "<|start_header_id|>assistant<|end_header_id|>\n\n")

ASKED = {
    "gemma3": "<bos><start_of_turn>user\n<start_of_image>what is this?<end_of_turn>\n<start_of_turn>model\n",
    "glm4v": "[gMASK]<sop><|user|>\n<|begin_of_image|><|image|><|end_of_image|>what is this?<|assistant|>\n",
    "idefics3": "<|begin_of_text|>User:<image>what is this?<end_of_utterance>\nAssistant:",
    "internvl": "<|im_start|>user\n<IMG_CONTEXT>\nwhat is this?<|im_end|>\n<|im_start|>assistant\n",
    "llava": "USER: <image>\nwhat is this? ASSISTANT:",
    "llava_next": "[INST] <image>\nwhat is this? [/INST]",
    "llava_onevision": "<|im_start|>user <image>\nwhat is this?<|im_end|><|im_start|>assistant\n",
    "llava_resaved": "USER: <image>\nwhat is this? ASSISTANT:",
    "mllama": f"<|begin_of_text|>{HEADS[0]}<|image|>what is this?<|eot_id|>{HEADS[1]}",
    "qwen2_5_vl": f"{HELPFUL}<|im_start|>user\n{SEEN}what is this?<|im_end|>\n<|im_start|>assistant\n",
    "qwen2_vl": f"{HELPFUL}<|im_start|>user\n{SEEN}what is this?<|im_end|>\n<|im_start|>assistant\n",
    "qwen3_5": f"<|im_start|>user\n{SEEN}what is this?<|im_end|>\n<|im_start|>assistant\n<think>\n",
    "qwen3_vl": f"<|im_start|>user\n{SEEN}what is this?<|im_end|>\n<|im_start|>assistant\n",
    "smolvlm": "<|im_start|>User:<image>what is this?<end_of_utterance>\nAssistant:",
}
"""What a family with eyes writes before an answer."""

BEHIND = {
    "gemma3": "a moon.<end_of_turn>\n",
    "idefics3": " a moon.<end_of_utterance>\n",
    "internvl": "a moon.<|im_end|>\n",
    "llava": " a moon. ",
    "llava_next": " a moon.<\\s> ",
    "llava_resaved": " a moon. ",
    "mllama": "a moon.<|eot_id|>",
    "qwen2_5_vl": "a moon.<|im_end|>\n",
    "qwen2_vl": "a moon.<|im_end|>\n",
    "qwen3_5": "\n</think>\n\na moon.<|im_end|>\n",
    "qwen3_vl": "a moon.<|im_end|>\n",
    "smolvlm": " a moon.<end_of_utterance>\n",
}
"""What follows it when the answer is there; LLaVA-OneVision writes another beginning then, and GLM-4.1V takes no parts."""

PLAIN = {"blip2_opt", "blip2_t5", "instructblip", "llava_old", "minigpt4", "paligemma"}
"""Families with eyes and without a template."""


def test_every_family_with_eyes_has_a_template_or_a_plain_prompt() -> None:
    assert set(ASKED) | PLAIN == {name for name, zoo in families().items() if zoo.eyes}


@pytest.mark.parametrize("name", sorted(ASKED))
def test_a_template_writes_the_familys_own_text(name: str, tmp_path: Path) -> None:
    with quietly():
        processor = processor_of(folder_of(families()[name], tmp_path))
        asked = processor.apply_chat_template(ANSWERED[:1], add_generation_prompt=True, tokenize=False)
        answered = processor.apply_chat_template(ANSWERED, tokenize=False)
    assert asked == ASKED[name]
    if name in BEHIND:
        assert answered == asked + BEHIND[name]


@pytest.mark.parametrize(
    ("config", "prompt"),
    [
        ({"model_type": "llava"}, "USER: <image>\nwhat is this? ASSISTANT: a moon. ASSISTANT:"),
        ({"model_type": "blip-2", "text_config": {"model_type": "opt"}}, "Question: what is this? Answer: a moon. Answer:"),
        (
            {"model_type": "blip-2", "text_config": {"model_type": "llama"}},
            "###Human: <Img><image></Img> what is this? ###Assistant: a moon. ###Assistant:",
        ),
    ],
)
def test_a_plain_prompt_is_its_authors(config: dict[str, object], prompt: str) -> None:
    assert plain(config, ANSWERED) == prompt
