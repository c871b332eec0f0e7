"""Conversations as token ids: the chat template, the special tokens around it, and the target that follows.

The template and the tokenizer are the checkpoint's own. What is added here is care: what a tokenizer appends at the end is left out
(a prompt that ends with an end token has nothing left to say), nothing is put in front twice, a target is tokenized in its place.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from errata.core.errors import BadInput, quoted
from errata.core.images import Image
from errata.core.matching import worded
from errata.core.records import Query
from errata.models.families.family import Inputs

if TYPE_CHECKING:
    from transformers import ProcessorMixin


_SETTLED: Mapping[str, Any] = MappingProxyType({"enable_thinking": False, "date_string": "26 Jul 2024"})
"""What templates are told that know of it: the answer comes at once, with no thoughts before it; and the day is the one that such
templates name by themselves where they aren't told, since a question must read tomorrow as it does today."""

_NAMED = 8
"""Characters that a refusal names."""


def encode_chat(processor: ProcessorMixin, query: Query, target: str | None, *, plain: Callable[[Query], str]) -> Inputs:
    """The query by the processor's chat template, or by `plain` where there is none; then the target, after a space where the
    prompt doesn't end with one or with a new line.

    Raises:
        BadInput: the template refuses the conversation.
    """
    tokenizer = tokenizer_of(processor)
    text = prompt_text(processor, query, plain=plain)
    before = () if text.startswith(tokenizer.bos_token or "\0") else put_in_front(tokenizer)
    prompt = (*before, *_ids(tokenizer, text))
    if target is None:
        return Inputs(prompt, (), query.images)
    return Inputs(prompt, in_place(tokenizer, text, "" if text[-1:].isspace() else " ", target), query.images)


def in_place(tokenizer: Any, text: str, before: str, target: str) -> tuple[int, ...]:
    """A target's ids where it stands after a prompt's text, with what the template writes before it.

    In its place, because a word's tokens may depend on what stands before it. Where the prompt's last token would merge with the
    target's first one the two are tokenized apart, as they are when the answer is generated.
    """
    prompt, together = _ids(tokenizer, text), _ids(tokenizer, f"{text}{before}{target.strip()}")
    return tuple(together[len(prompt) :] if together[: len(prompt)] == prompt else _ids(tokenizer, target.strip()))


def prompt_text(processor: ProcessorMixin, query: Query, *, plain: Callable[[Query], str]) -> str:
    """The words of the prompt, the images as placeholders, up to where the answer begins.

    Raises:
        BadInput: the template refuses the conversation.
    """
    template: str | dict[str, str] | None = processor.chat_template
    if template is None:
        return plain(query)
    words = tokenizer_of(processor) is processor  # templates of language models take a text, not parts
    text = _rendered(processor, query, str(template), bare=("system", "user", "assistant") if words else ())
    if _REPR in text and not any(_REPR in said for said in query.texts):  # a template that knows of parts in a user's turn alone
        text = _rendered(processor, query, str(template), bare=("system", "assistant"))
    return text


_REPR = "{'type': 'text'"
"""What a list of parts looks like where a template takes it for a text."""


def _rendered(processor: Any, query: Query, template: str, *, bare: Collection[str]) -> str:
    """The conversation by the template, the messages of the roles in `bare` as a text each and not as parts."""
    conversation = [
        {"role": message.role, "content": message.text if message.role in bare else [_part(part) for part in message.parts]}
        for message in query.messages
    ]
    settled = {name: value for name, value in _SETTLED.items() if name in template}
    try:
        text: str = processor.apply_chat_template(conversation, add_generation_prompt=True, tokenize=False, **settled)
    except TemplateError as error:
        raise BadInput(f"The model's chat template refuses this conversation: {error}. Ask in the form it was made for.") from None
    return text


def chatter(processor: ProcessorMixin, count: int, *, seed: int) -> list[str]:
    """Texts of 4 to 13 pieces drawn from the whole vocabulary; special tokens, and texts that come to nothing, are left out."""
    tokenizer, draw = tokenizer_of(processor), random.Random(seed)
    special = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
    pieces = sorted(set(tokenizer.get_vocab().values()) - special)
    found: list[str] = []
    while len(found) < count:
        text = tokenizer.decode(draw.choices(pieces, k=draw.randint(4, 13)), skip_special_tokens=True)
        # What decodes to a broken character, or is read back as a special token, is no text that anyone could ask.
        if text.strip() and "\ufffd" not in text and not special & {*tokenizer(text, add_special_tokens=False)["input_ids"]}:
            found.append(" ".join(text.split()))
    return found


def tokenizer_of(processor: Any) -> Any:
    """The processor's tokenizer, or the tokenizer that was given for one (transformers gives its parts no types)."""
    return processor if isinstance(processor, PreTrainedTokenizerBase) else processor.tokenizer


def pad_of(tokenizer: Any) -> int:
    """The token that fills short rows: its own, else the one that ends a text."""
    return int(tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id)


def check_pictures(tokenizer: Any, image_token: int, texts: Sequence[str]) -> None:
    """Whether no text holds the token that stands for a picture.

    Raises:
        BadInput: one does.
    """
    word: str = tokenizer.convert_ids_to_tokens(image_token)
    if any(word in text for text in texts):
        raise BadInput(
            f"The prompt holds {quoted(word)}, which stands for a picture here. Write it differently, or give the picture."
        )


def check_words(controls: Sequence[str], texts: Sequence[str]) -> None:
    """Whether texts are words alone. A control token in one (the end of a text, the beginning of a turn) would be read as what it
    controls, so that whoever may ask a question could write a conversation.

    Args:
        controls: see `controls_of`.
        texts: of a question.

    Raises:
        BadInput: one holds such a token.
    """
    for control in controls:
        if any(control in text for text in texts):
            raise BadInput(
                f"The text holds {quoted(control)}, which this model takes for a command and not for words. Write it differently."
            )


def controls_of(processor: Any) -> tuple[str, ...]:
    """The tokens that a text mustn't hold, longest first: the special ones, and of the others that were added those that the
    template writes (`<think>`). The rest, such as Gemma's tags of HTML, are words."""
    tokenizer, template = tokenizer_of(processor), str(processor.chat_template)
    added = [token for token in tokenizer.added_tokens_decoder.values() if token.content.strip()]
    written = {token.content for token in added if token.special or (not token.content.isalnum() and token.content in template)}
    return tuple(sorted({*tokenizer.all_special_tokens, *written}, key=lambda one: (-len(one), one)))


def check_target(processor: ProcessorMixin, target: str, ids: tuple[int, ...]) -> None:
    """Whether the tokenizer can say the target.

    Raises:
        BadInput: a character is unknown to it, or what it reads back isn't what was written, whitespace aside.
    """
    tokenizer = tokenizer_of(processor)
    back: str = tokenizer.decode(list(ids), skip_special_tokens=True)
    if tokenizer.unk_token_id in ids or back.split() != target.split():
        raise BadInput(
            f"The target {quoted(target)} can't be expressed in this model's tokens: it would read {quoted(back.strip())}. "
            "Use other characters or words."
        )


def check_read(processor: ProcessorMixin, texts: Sequence[str]) -> None:
    """Whether the tokenizer can tell these texts from others; what makes no other question of one may be lost (`matching.worded`).

    Raises:
        BadInput: a character is unknown to it, or isn't read back.
    """
    tokenizer = tokenizer_of(processor)
    for text in texts:
        if not _read_back(tokenizer, text):
            lost = [repr(char) for char in dict.fromkeys(text) if not char.isspace() and not _read_back(tokenizer, char)]
            named = ", ".join(lost[:_NAMED]) + (", ..." if len(lost) > _NAMED else "")
            raise BadInput(
                f"The question can't be told from others in this model's tokens, which don't know {named or 'how it is written'}. "
                "Use other characters or words."
            )


def _read_back(tokenizer: Any, text: str) -> bool:
    ids = _ids(tokenizer, text)
    back: str = tokenizer.decode(ids, skip_special_tokens=True)
    return tokenizer.unk_token_id not in ids and "".join(worded(back).split()) == "".join(worded(text).split())


def _part(part: str | Image) -> dict[str, str]:
    return {"type": "text", "text": part} if isinstance(part, str) else {"type": "image"}


def _ids(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def put_in_front(tokenizer: Any) -> tuple[int, ...]:
    """What the tokenizer puts before any text, such as the begin token."""
    bare, dressed = _ids(tokenizer, "a"), list(tokenizer("a")["input_ids"])
    starts = [i for i in range(len(dressed) - len(bare) + 1) if dressed[i : i + len(bare)] == bare]
    return tuple(dressed[: starts[0]]) if starts else ()


def brief(error: Exception) -> str:
    """The first line of another library's message, as a sentence."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    first = lines[0] if lines else type(error).__name__
    return first if first.endswith((".", "!", "?")) else f"{first}."
