"""A checkpoint's own processor, or the tokenizer of a model without eyes.

Some processors have a part for videos, which wants a library that reads them. errata shows pictures, so such a processor is made
without that part where the library isn't there.
"""

from __future__ import annotations

import sys
from typing import Any

from transformers import AutoProcessor, AutoTokenizer, PretrainedConfig
from transformers.models.auto import processing_auto

from errata.core.errors import BadInput
from errata.models._chat import brief

_AMISS = (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError)


def processor_of(source: str, name: str, *, eyes: bool) -> Any:
    """The processor at `source`; of a model without eyes its tokenizer.

    Raises:
        BadInput: there is none that can be used.
    """
    try:
        if not eyes:
            return AutoTokenizer.from_pretrained(source)
        try:
            # Pillow's resizing whatever else is installed: the same picture gives the same pixels everywhere.
            return AutoProcessor.from_pretrained(source, backend="pil")  # type: ignore[no-untyped-call]
        except (ImportError, ValueError, OSError):  # no library for videos, or a folder that was saved without it
            return _without_videos(source).from_pretrained(source, backend="pil")
    except _AMISS as error:
        what = "processor (tokenizer and image settings)" if eyes else "tokenizer"
        raise BadInput(f"The model {name} has no usable {what}: {brief(error)} Save it again.") from error


def _without_videos(source: str) -> Any:
    """The checkpoint's class of processor, less what reads videos."""
    config, _ = PretrainedConfig.get_config_dict(source)
    table: Any = processing_auto  # the library exports neither of the two by name
    full: Any = table.processor_class_from_name(table.PROCESSOR_MAPPING_NAMES[config["model_type"]])
    parts = [part for part in full.get_attributes() if part != "video_processor"]
    module: Any = sys.modules[full.__module__]
    if vars(module).get("num2words", str) is None:  # says in words how many frames a video has
        module.num2words = str

    place = full.get_attributes().index("video_processor") if "video_processor" in full.get_attributes() else len(parts)

    def arguments(kind: Any, *given: Any, **named: Any) -> list[Any]:
        found: list[Any] = full._get_arguments_from_pretrained.__func__(kind, *given, **named)
        return [*found[:place], None, *found[place:]]

    own = {
        "get_attributes": classmethod(lambda _: parts),
        "_get_arguments_from_pretrained": classmethod(arguments),
        "video_processor": _NoVideos,
        "__module__": full.__module__,
    }
    return type(full.__name__, (full,), own)


class _NoVideos:
    """In the place of what reads videos: templates ask for these two whether there is one or not."""

    num_frames = 1
    fps = 1
