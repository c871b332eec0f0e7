"""PaliGemma: no chat template, and a prefix of pictures and words that all of it may look at, both ways.

Beyer et al., "PaliGemma: A versatile 3B VLM for transfer", arXiv 2407.07726. Its processor puts the pictures' tokens and the begin
token before the words and a line's end after them; what is asked without a picture is written so here.
"""

from __future__ import annotations

from errata.core.errors import BadInput
from errata.core.images import Image
from errata.core.records import Query
from errata.models.families.family import Hub


def plain(query: Query) -> str:
    """One question: `<image>` for each picture, the words; the processor adds the rest where there is a picture.

    Raises:
        BadInput: earlier turns, or a system message.
    """
    if len(query.messages) > 1:
        raise BadInput("PaliGemma knows no turns and no system message. Ask one question, with no others before it.")
    pictures = sum(isinstance(part, Image) for part in query.messages[0].parts)
    return "<image>" * pictures + query.text if pictures else f"<bos>{query.text}\n"


PALIGEMMA = Hub("paligemma", plain=plain, first_position=1, target_kind=1, padded=False)
