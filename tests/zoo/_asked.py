"""What plain transformers answers: the checkpoint's own processor, template and `generate`, and nothing of errata.

A conversation is a list of messages as chat templates take them, each content a list of parts (`{"type": "image"}` and
`{"type": "text", "text": ...}`); the pictures are given beside it, in the order of their parts.
"""

from __future__ import annotations

import inspect
import json
import logging
import sys
import types
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from PIL import Image as Pillow
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor, AutoTokenizer

Conversation = list[dict[str, Any]]

Q_FORMERS = ("blip-2", "instructblip")


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
        auto: Any = AutoModelForImageTextToText if self.eyes else AutoModelForCausalLM
        self.model: Any
        self.loaded: dict[str, Any]
        with quietly():
            self.model, self.loaded = auto.from_pretrained(folder, output_loading_info=True)
            self.processor: Any = processor_of(folder) if self.eyes else AutoTokenizer.from_pretrained(folder)
        self.model.eval()

    @property
    def words(self) -> Any:
        """The tokenizer."""
        return self.processor.tokenizer if self.eyes else self.processor

    def __call__(self, conversation: Conversation, images: Sequence[Pillow.Image] = (), max_new_tokens: int = 8) -> list[int]:
        """See `reference`."""
        inputs = self.inputs(conversation, images)
        # A model with a Q-Former makes no answer without a picture; the language model inside it does.
        alone = self.config["model_type"] in Q_FORMERS and not images
        model = self.model.language_model if alone else self.model
        with torch.inference_mode(), quietly():
            ids = model.generate(**inputs, do_sample=False, repetition_penalty=1.0, max_new_tokens=max_new_tokens)[0].tolist()
        if self.model.config.is_encoder_decoder:
            return ids[1:]  # the decoder's first token is its start
        prompt = inputs["input_ids"][0].tolist()
        assert ids[: len(prompt)] == prompt
        return ids[len(prompt) :]

    def inputs(self, conversation: Conversation, images: Sequence[Pillow.Image] = ()) -> dict[str, torch.Tensor]:
        """What the processor makes of a prompt, without what `generate` doesn't take."""
        with quietly():
            made = self._made(conversation, images)
        # PaliGemma's has labels; some tokenizers give types that their model doesn't take.
        drop = {"labels"} | ({"token_type_ids"} - set(inspect.signature(self.model.forward).parameters))
        return {
            key: value.to(self.model.dtype) if value.is_floating_point() else value
            for key, value in made.items()
            if key not in drop
        }

    def _at_once(self) -> dict[str, Any]:
        """Templates that know of thoughts are told that there are none."""
        return {"enable_thinking": False} if "enable_thinking" in str(self.processor.chat_template) else {}

    def _made(self, conversation: Conversation, images: Sequence[Pillow.Image]) -> Any:
        if self.processor.chat_template is None:
            return self._plain(conversation, images)
        if not self.eyes:
            said = [{**turn, "content": _words(turn)} for turn in conversation]
            return self.processor.apply_chat_template(
                said, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt", **self._at_once()
            )
        if self.config["model_type"] == "glm4v":  # its template has parts in a user's turn alone
            conversation = [turn if turn["role"] == "user" else {**turn, "content": _words(turn)} for turn in conversation]
        text = self.processor.apply_chat_template(conversation, add_generation_prompt=True, tokenize=False, **self._at_once())
        # A template that writes the begin token itself mustn't have it twice.
        begin = self.processor.tokenizer.bos_token
        once = {"add_special_tokens": False} if begin is not None and text.startswith(begin) else {}
        return self.processor(text=[text], images=list(images) or None, return_tensors="pt", **once)

    def _plain(self, conversation: Conversation, images: Sequence[Pillow.Image]) -> Any:
        text = plain(self.config, conversation)
        if not self.eyes:
            return self.processor(text, return_tensors="pt")
        if self.config["model_type"] == "llava" and self.processor.patch_size is None:
            # An old processor doesn't know how many tokens a picture has; the library's own advice is to tell it.
            self.processor.patch_size = self.config["vision_config"]["patch_size"]
            self.processor.num_additional_image_tokens = 1
            self.processor.vision_feature_select_strategy = self.config["vision_feature_select_strategy"]
        if images and _is_minigpt4(self.config):  # the library's processor puts pictures first; MiniGPT-4 has them inside the text
            long = text.replace("<image>", "<image>" * self.config["num_query_tokens"])
            pixels = self.processor.image_processor(list(images), return_tensors="pt")
            return {**self.processor.tokenizer(long, return_tensors="pt"), **pixels}
        if images:
            return self.processor(text=text, images=list(images), return_tensors="pt")
        if (
            self.config["model_type"] == "paligemma"
        ):  # its processor takes no prompt without a picture, and writes begin and newline
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
    if _is_minigpt4(config):
        names = {"user": "###Human: ", "assistant": "###Assistant: ", "system": ""}
        said = [names[turn["role"]] + "<Img><image></Img> " * _pictures(turn) + _words(turn) + " " for turn in conversation]
        return "".join(said) + "###Assistant:"
    if kind == "blip-2":
        names = {"user": "Question: ", "assistant": "Answer: ", "system": ""}
        return "".join(names[turn["role"]] + _words(turn) + " " for turn in conversation) + "Answer:"
    return _words(conversation[-1])


def _is_minigpt4(config: dict[str, Any]) -> bool:
    return bool(config["model_type"] == "blip-2" and config["text_config"]["model_type"] == "llama")


def _pictures(turn: dict[str, Any]) -> int:
    return sum(part["type"] == "image" for part in turn["content"])


def _words(turn: dict[str, Any]) -> str:
    return "".join(part["text"] for part in turn["content"] if part["type"] == "text")


def processor_of(folder: Path) -> Any:
    """The checkpoint's own processor, of a class without videos where the library has none for them."""
    try:
        return AutoProcessor.from_pretrained(folder, backend="pil")
    except (ImportError, ValueError):  # no class for videos without torchvision; InternVL says so with a ValueError
        pass
    named = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*processor_config.json"))]
    name = next(told["processor_class"] for told in named if "processor_class" in told)
    processor = _without_videos(getattr(transformers, name)).from_pretrained(folder, backend="pil")
    processor.video_processor = types.SimpleNamespace(num_frames=1, fps=1)  # SmolVLM's reads these before there is a video
    return processor


def _without_videos(kind: Any) -> Any:
    """A processor that has no part for videos."""

    def attributes(cls: Any) -> list[str]:
        return [part for part in kind.get_attributes() if part != "video_processor"]

    # The library reads from the arguments of `__init__` which settings there are, so these stand one by one.
    def made(self: Any, image_processor: Any, tokenizer: Any, image_seq_len: int = 169, chat_template: str | None = None) -> None:
        module: Any = sys.modules[kind.__module__]
        if module.num2words is None:
            module.num2words = str  # writes the numbers of a video's frames, and is asked for before there is a video
        kind.__init__(self, image_processor, tokenizer, None, image_seq_len=image_seq_len, chat_template=chat_template)

    inner = {"get_attributes": classmethod(attributes), "__module__": kind.__module__}
    wanted = inspect.signature(kind.__init__).parameters["video_processor"].default is inspect.Parameter.empty
    return type(kind.__name__, (kind,), {**inner, "__init__": made} if wanted else inner)  # SmolVLM's wants one


@contextmanager
def quietly() -> Iterator[None]:
    """Keep the library's notes of what it can't use from the screen, and what it does that other libraries deprecate."""
    logger = logging.getLogger("transformers")
    before, bars = logger.level, transformers.utils.logging.is_progress_bar_enabled()
    logger.setLevel(logging.ERROR)
    transformers.utils.logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
        if bars:
            transformers.utils.logging.enable_progress_bar()
