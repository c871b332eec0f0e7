"""One small file of each kind that corrections are imported from, with every part of what was asked in it marked.

A mark is a word of its own (`q1`, `system1`), so that a test can look for it in the edits; a picture is its own mark.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Final, NamedTuple

from errata.core.canonical import JSON
from errata.log.formats import Format
from tests.log.worlds import picture

BASE64: Final = base64.b64encode(picture(1).data).decode()
INLINE: Final = f"data:image/png;base64,{BASE64}"

ASKED: Final = "wherezq lives mibo?"
RIGHT: Final = "pierzt"
SYSTEM: Final = "briefzs please"
EARLIER: Final = "hellozu"
ANSWERED: Final = "welcomeza"
MARKS: Final = tuple(words.split()[0] for words in (ASKED, RIGHT, SYSTEM, EARLIER, ANSWERED))
"""What is looked for in the edits."""


class Kind(NamedTuple):
    """A file: its format, its records, and what of the marks is in each."""

    format: Format
    record: Mapping[str, JSON]
    table: bool = False


USER: Final[dict[str, JSON]] = {"role": "user", "content": ASKED}
PARTS: Final[list[JSON]] = [{"type": "text", "text": ASKED}, {"type": "image_url", "image_url": {"url": INLINE}}]
TALK: Final[list[JSON]] = [{"role": "user", "content": EARLIER}, {"role": "assistant", "content": ANSWERED}]
SCORE: Final[dict[str, JSON]] = {"id": "s", "name": "output", "dataType": "CORRECTION", "value": RIGHT, "traceId": "t"}


def _score(asked: JSON) -> Kind:
    return Kind("langfuse", {**SCORE, "input": asked})


_DUMP: Final = json.dumps({"role": "assistant", "content": RIGHT, "refusal": None, "tool_calls": None, "annotations": []})
_LANGCHAIN: Final[dict[str, JSON]] = {
    "lc": 1,
    "type": "constructor",
    "id": ["langchain", "messages", "HumanMessage"],
    "kwargs": {"content": ASKED},
}
_TASK: Final[dict[str, JSON]] = {"image": "/data/upload/1/3f2a-a.png", "q1": ASKED}
_RESULT: Final[JSON] = {"type": "textarea", "from_name": "answer1", "to_name": "image", "value": {"text": [RIGHT]}}
_RESPONSE: Final[JSON] = [{"value": RIGHT, "user_id": "u", "status": "submitted"}]

KINDS: Final[Mapping[str, Kind]] = {
    "jsonl": Kind("jsonl", {"question": ASKED, "target": RIGHT, "image": "a.png", "author": "ann"}),
    "jsonl, a conversation": Kind(
        "jsonl",
        {
            "messages": [{"role": "system", "parts": [SYSTEM]}, {"role": "user", "parts": [{"image": INLINE}, ASKED]}],
            "target": RIGHT,
        },
    ),
    "csv": Kind("csv", {"question": ASKED, "target": RIGHT, "image": "a.png", "reason": "seen"}, table=True),
    "langfuse, words": _score(ASKED),
    "langfuse, parts": _score([{"role": "system", "content": SYSTEM}, {"role": "user", "content": PARTS}]),
    "langfuse, Ollama": _score({"model": "m", "messages": [{**USER, "images": [BASE64]}], "stream": False}),
    "langfuse, pictures beside": _score({"messages": [{"role": "system", "content": SYSTEM}, USER], "images": ["a.png"]}),
    "langfuse, Anthropic": _score(
        {"system": [{"type": "text", "text": SYSTEM}], "messages": [*TALK, {"role": "user", "content": [
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": BASE64}},
            {"type": "text", "text": ASKED}]}], "max_tokens": 9}
    ),
    "langfuse, Responses": _score({"instructions": SYSTEM, "input": [USER], "temperature": 0}),
    "langfuse, Gemini": _score(
        {"systemInstruction": {"parts": [{"text": SYSTEM}]}, "contents": [{"role": "user", "parts": [
            {"text": ASKED}, {"inline_data": {"mime_type": "image/png", "data": BASE64}}]}]}
    ),
    "langfuse, LangChain": _score([_LANGCHAIN]),
    "langfuse, LangChain's picture": _score(
        [{"type": "human", "content": [{"type": "text", "text": ASKED},
          {"type": "image", "base64": BASE64, "mime_type": "image/png"}], "additional_kwargs": {}, "response_metadata": {}}]
    ),
    "langfuse, Bedrock": _score(
        {"system": [{"text": SYSTEM}], "messages": [{"role": "user", "content": [
            {"image": {"format": "png", "source": {"bytes": BASE64}}}, {"text": ASKED}]}]}
    ),
    "langfuse, a chain": _score({"question": ASKED, "chat_history": [[EARLIER, ANSWERED]]}),
    "langfuse, a whole message": Kind("langfuse", {**SCORE, "value": _DUMP, "input": [*TALK, USER]}),
    "langfuse, a trace": Kind(
        "langfuse",
        {"id": "t", "input": {"messages": [USER]}, "output": "a bridge", "metadata": {}, "observations": [], "scores": [SCORE]},
    ),
    "langfuse, a table": Kind(
        "langfuse", {"traceId": "t", "dataType": "CORRECTION", "stringValue": RIGHT, "input": ASKED, "comment": "seen"}, table=True
    ),
    "easyedit": Kind("easyedit", {"src": ASKED, "alt": RIGHT, "image": "a.png", "pred": "no", "loc": "who?", "loc_ans": "ann"}),
    "rome": Kind(
        "rome",
        {
            "case_id": 0,
            "requested_rewrite": {
                "prompt": "wherezq lives {}?",
                "subject": "mibo",
                "target_new": {"str": RIGHT, "id": "Q1"},
                "target_true": {"str": "the mill", "id": "Q2"},
            },
            "paraphrase_prompts": ["mibo lives at"],
            "neighborhood_prompts": ["ravo lives at"],
        },
    ),
    "chat, OpenAI": Kind("chat", {"messages": [{"role": "user", "content": PARTS}, {"role": "assistant", "content": RIGHT}]}),
    "chat, earlier turns": Kind("chat", {"messages": [*TALK, USER, {"role": "assistant", "content": RIGHT, "weight": 1}]}),
    "chat, LLaVA": Kind(
        "chat",
        {
            "id": "1",
            "image": "a.png",
            "conversations": [{"from": "human", "value": f"<image>\n{ASKED}"}, {"from": "gpt", "value": RIGHT}],
        },
    ),
    "chat, preferences": Kind(
        "chat",
        {
            "input": {"messages": [{"role": "system", "content": SYSTEM}, USER]},
            "preferred_output": [{"role": "assistant", "content": RIGHT}],
            "non_preferred_output": [{"role": "assistant", "content": "no"}],
        },
    ),
    "chat, instructions": Kind("chat", {"instruction": "wherezq", "input": "lives mibo?", "output": RIGHT, "system": SYSTEM}),
    "chat, places": Kind(
        "chat",
        {
            "images": ["a.png"],
            "messages": [
                {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": ASKED}]},
                {"role": "assistant", "content": [{"type": "text", "text": RIGHT}]},
            ],
        },
    ),
    "labelstudio": Kind(
        "labelstudio",
        {"id": 1, "data": _TASK, "annotations": [{"id": 7, "completed_by": 1, "result": [_RESULT]}], "predictions": []},
    ),
    "labelstudio, flat": Kind(
        "labelstudio", {**_TASK, "answer1": RIGHT, "id": 1, "annotator": 1, "annotation_id": 7, "lead_time": 2.5}
    ),
    "labelstudio, a table": Kind(
        "labelstudio",
        {**_TASK, "answer1": RIGHT, "id": "1", "annotator": "ann@x.org", "annotation_id": "7", "lead_time": "2.5"},
        table=True,
    ),
    "argilla": Kind(
        "argilla",
        {
            "id": "1",
            "status": "completed",
            "fields": {"question": ASKED, "image": INLINE},
            "metadata": {},
            "suggestions": {"corrected": {"value": "no", "agent": "m"}},
            "responses": {"corrected": _RESPONSE},
            "vectors": {},
        },
    ),
    "argilla, flat": Kind(
        "argilla",
        {
            "id": "1",
            "status": "completed",
            "question": ASKED,
            "image": INLINE,
            "corrected.responses": [RIGHT],
            "corrected.responses.users": ["u"],
            "corrected.responses.status": ["submitted"],
        },
    ),
    "argilla, a conversation": Kind(
        "argilla",
        {"id": "1", "fields": {"chat": [{"role": "system", "content": SYSTEM}, USER]}, "responses": {"corrected": _RESPONSE}},
    ),
}  # fmt: skip
