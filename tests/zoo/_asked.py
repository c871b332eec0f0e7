"""What plain transformers answers: the checkpoint's own processor, template and `generate`, and nothing of errata.

A conversation is a list of messages as chat templates take them, each content a list of parts (`{"type": "image"}` and
`{"type": "text", "text": ...}`); the pictures are given beside it, in the order of their parts.
"""

from __future__ import annotations

import functools
import inspect
import json
import logging
import sys
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from PIL import Image as Pillow
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor, AutoTokenizer

Conversation = list[dict[str, Any]]


def question(text: str, *, pictures: int = 0) -> Conversation:
    """One user's turn: the pictures, then the words."""
    return [{"role": "user", "content": [*({"type": "image"} for _ in range(pictures)), {"type": "text", "text": text}]}]


def reference(folder: Path, conversation: Conversation, images: Sequence[Pillow.Image] = (), max_new_tokens: int = 8) -> list[int]:
    """The ids that greedy generation adds to the prompt, an end token included."""
    return Asked(folder)(conversation, images, max_new_tokens)


class Asked:
    """A checkpoint, loaded once to be asked often."""

    def __init__(self, folder: Path) -> None:
        self.config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self.eyes = "vision_config" in self.config
        auto = AutoModelForImageTextToText if self.eyes else AutoModelForCausalLM
        with quietly():
            self.model, self.loaded = auto.from_pretrained(folder, output_loading_info=True)
            self.processor = processor_of(folder) if self.eyes else AutoTokenizer.from_pretrained(folder)
        self.model.eval()

    def __call__(self, conversation: Conversation, images: Sequence[Pillow.Image] = (), max_new_tokens: int = 8) -> list[int]:
        """See `reference`."""
        inputs = self.inputs(conversation, images)
        with torch.inference_mode(), quietly():
            ids = self.model.generate(**inputs, do_sample=False, repetition_penalty=1.0, max_new_tokens=max_new_tokens)[0].tolist()
        # BLIP-2 and T5 give what is new alone; the others give the prompt first.
        prompt = inputs["input_ids"][0].tolist()
        return ids[len(prompt) :] if ids[: len(prompt)] == prompt else ids

    def inputs(self, conversation: Conversation, images: Sequence[Pillow.Image] = ()) -> dict[str, torch.Tensor]:
        """What the processor makes of a prompt, without what `generate` doesn't take."""
        if self.processor.chat_template is None:
            made = self._plain(conversation, images)
        elif not self.eyes:
            said = [{**turn, "content": _words(turn)} for turn in conversation]
            made = self.processor.apply_chat_template(
                said, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt", **self._at_once()
            )
        else:
            text = self.processor.apply_chat_template(conversation, add_generation_prompt=True, tokenize=False, **self._at_once())
            # A template that writes the begin token itself mustn't have it twice.
            begin = self.processor.tokenizer.bos_token
            twice = begin is not None and text.startswith(begin)
            made = self.processor(
                text=[text], images=list(images) or None, return_tensors="pt", **({"add_special_tokens": False} if twice else {})
            )
        drop = {"labels", "token_type_ids"} - set(inspect.signature(self.model.forward).parameters) | {"labels"}
        return {
            key: value.to(self.model.dtype) if value.is_floating_point() else value
            for key, value in made.items()
            if key not in drop
        }

    def _at_once(self) -> dict[str, Any]:
        """Templates that know of thoughts are told that there are none."""
        return {"enable_thinking": False} if "enable_thinking" in str(self.processor.chat_template) else {}

    def _plain(self, conversation: Conversation, images: Sequence[Pillow.Image]) -> Any:
        text = plain(self.config, conversation)
        if not self.eyes:
            return self.processor(text, return_tensors="pt")
        if self.config["model_type"] == "llava" and self.processor.patch_size is None:
            # An old processor doesn't know how many tokens a picture has; the library's own advice is to tell it.
            self.processor.patch_size = self.config["vision_config"]["patch_size"]
            self.processor.num_additional_image_tokens = 1
            self.processor.vision_feature_select_strategy = self.config["vision_feature_select_strategy"]
        if images:
            return self.processor(text=text, images=list(images), return_tensors="pt")
        if self.config["model_type"] == "paligemma":  # its processor takes no prompt without a picture, and writes begin and newline
            return self.processor.tokenizer(f"{self.processor.tokenizer.bos_token}{text}\n", return_tensors="pt")
        return self.processor.tokenizer(text, return_tensors="pt")


def plain(config: dict[str, Any], conversation: Conversation) -> str:
    """The prompt of a family without a template: the question alone for words, what its authors asked with for eyes."""
    kind = config["model_type"]
    if kind == "llava":
        names = {"user": "USER: ", "assistant": "ASSISTANT: ", "system": ""}
        said = [names[turn["role"]] + "<image>\n" * _pictures(turn) + _words(turn) + " " for turn in conversation]
        return "".join(said) + "ASSISTANT:"
    if kind == "paligemma":
        return "<image>" * _pictures(conversation[-1]) + _words(conversation[-1])
    if kind == "blip-2" and config["text_config"]["model_type"] == "llama":
        return f"###Human: {'<Img><image></Img> ' * _pictures(conversation[-1])}{_words(conversation[-1])} ###Assistant:"
    if kind == "blip-2":
        return f"Question: {_words(conversation[-1])} Answer:"
    return _words(conversation[-1])


def _pictures(turn: dict[str, Any]) -> int:
    return sum(part["type"] == "image" for part in turn["content"])


def _words(turn: dict[str, Any]) -> str:
    return "".join(part["text"] for part in turn["content"] if part["type"] == "text")


def processor_of(folder: Path) -> Any:
    """The checkpoint's own processor, of a class without videos where the library has none for them."""
    try:
        return AutoProcessor.from_pretrained(folder, backend="pil")
    except (ImportError, ValueError):
        pass
    named = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*processor_config.json"))]
    name = next(told["processor_class"] for told in named if "processor_class" in told)
    return _without_videos(getattr(transformers, name)).from_pretrained(folder, backend="pil")


def _without_videos(kind: Any) -> Any:
    """A processor that has no part for videos; some read its settings when they are made."""

    def attributes(cls: Any) -> list[str]:
        return [part for part in kind.get_attributes() if part != "video_processor"]

    @functools.wraps(kind.__init__)  # the library reads from the signature which settings there are
    def made(self: Any, image_processor: Any, tokenizer: Any, **settings: Any) -> None:
        module = sys.modules[kind.__module__]
        if "num2words" in vars(module) and module.num2words is None:
            module.num2words = str  # writes the numbers of a video's frames, and is asked for before there is a video
        kind.__init__(self, image_processor, tokenizer, video_processor=None, **settings)
        self.video_processor = types.SimpleNamespace(num_frames=1, fps=1)

    inner = {"get_attributes": classmethod(attributes), "__init__": made, "__module__": kind.__module__}
    return type(kind.__name__, (kind,), inner)


@contextmanager
def quietly() -> Iterator[None]:
    """Keep the library's notes of what it can't use from the screen."""
    logger = logging.getLogger("transformers")
    before, bars = logger.level, transformers.utils.logging.is_progress_bar_enabled()
    logger.setLevel(logging.ERROR)
    transformers.utils.logging.disable_progress_bar()
    try:
        yield
    finally:
        logger.setLevel(before)
        if bars:
            transformers.utils.logging.enable_progress_bar()
