"""Spans of OpenTelemetry, where it is installed; its own settings say where they go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from errata.serve.engine.seam import Said

Attributes = Mapping[str, str | int]


@contextmanager
def span(name: str, attributes: Attributes) -> Iterator[Callable[[Attributes], None]]:
    """A span for the length of a `with` block, which is given a function that adds attributes to it; no question and no picture is
    among them."""
    try:
        from opentelemetry import trace
    except ImportError:
        yield lambda more: None
        return
    made = trace.get_tracer("errata.serve").start_span(name, attributes=dict(attributes))
    try:
        yield lambda more: made.set_attributes(dict(more))
    except Exception as error:
        made.record_exception(error)
        made.set_status(trace.StatusCode.ERROR)
        raise
    finally:
        made.end()


def attributes_of(model: str) -> Attributes:
    """What is known of a chat before it is answered, in OpenTelemetry's terms for generative models."""
    return {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "errata", "gen_ai.request.model": model}


def ends_of(said: Sequence[Said]) -> Attributes:
    """What is known of it afterwards."""
    return {
        "gen_ai.usage.input_tokens": said[0].prompt_tokens,
        "gen_ai.usage.output_tokens": sum(each.completion_tokens for each in said),
        "errata.seq": said[0].seq,
        "errata.edits": len(said[0].edits),
    }
