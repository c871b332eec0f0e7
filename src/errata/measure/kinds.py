"""What a reader must know of each probe kind and each class: its name, what is asked, and what it must do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Side = Literal["change", "stay", "mixed", "more"]
"""What the kind's probes must do: give a new answer, stay as before, or (a composite) some of each. "more": one that no
mean counts."""


@dataclass(frozen=True)
class Kind:
    """A probe kind as the report speaks of it."""

    name: str
    title: str
    side: Side
    asks: str
    """What the probe is."""

    must: str
    """What it must do."""


_GIVE, _ENTAILED, _STAY = "give the target", "give the entailed answer", "stay as before"

KINDS: tuple[Kind, ...] = (
    Kind("reliability", "Reliability", "change", "the edit's own image and wording", _GIVE),
    Kind("text_generality", "Text generality", "change", "the same question in words held out from training", _GIVE),
    Kind(
        "image_generality",
        "Image generality",
        "change",
        "the same question on other pictures of the same entity; for a correction of one picture, on that picture as other bytes",
        _GIVE,
    ),
    Kind("cross_modal", "Cross-modal", "change", "the same fact asked without any image", _GIVE),
    Kind("portability", "Portability", "change", "a consequence two steps away", _ENTAILED),
    Kind("specificity_in", "Specificity, in", "change", "other questions on the same image that the edit entails", _ENTAILED),
    Kind(
        "cross_edit",
        "Cross-edit",
        "change",
        "a probe of one edit that another edit of the stream settles",
        "give that edit's answer",
    ),
    Kind("near_wording", "Near wordings", "change", "the question in other words, a fifth of them or more in common", _GIVE),
    Kind("far_wording", "Far wordings", "change", "the question in words that have less than a fifth in common", _GIVE),
    Kind("other_artist", "Other artist", "change", "the question on another artist's picture of the same", _GIVE),
    Kind(
        "other_view",
        "Other view",
        "change",
        "the question on the same picture, aslant in an uneven light",
        _GIVE,
    ),
    Kind("beside", "Beside", "change", "the question of one of two things on a picture, told by its side", _GIVE),
    Kind("in_words", "In words", "change", "of a correction on a picture: the same fact by its subject's name, without one", _GIVE),
    Kind("on_picture", "On a picture", "change", "of a correction in words: the same fact on a picture of its subject", _GIVE),
    Kind("reverse", "Reverse", "change", "from the new value to the subject", "give the subject"),
    Kind("yes_new", "Yes to the new", "change", "is it the new value?", "be yes"),
    Kind("no_old", "No to the old", "change", "is it the old value?", "be no"),
    Kind("one_hop", "One hop", "change", "a question that needs the fact and one more", _ENTAILED),
    Kind("two_hops", "Two hops", "change", "a question that needs the fact and two more", _ENTAILED),
    Kind("specificity_out", "Specificity, out", "stay", "the same image, but another entity or another fact", _STAY),
    Kind("near_locality", "Near locality", "stay", "another image, an entity that shares a trait, the same wording", _STAY),
    Kind("words_locality", "Words locality", "stay", "the edit's words without any image, about the kind that it names", _STAY),
    Kind("image_locality", "Image locality", "stay", "unrelated images and questions", _STAY),
    Kind("text_locality", "Text locality", "stay", "unrelated questions without an image", _STAY),
    Kind("same_wording", "Others, same wording", "stay", "other subjects in the edit's very words", _STAY),
    Kind("other_relation", "Other relation", "stay", "the same subject, but another fact", _STAY),
    Kind("other_on_picture", "Other on the picture", "stay", "the other of two things on a picture, in the very same words", _STAY),
    Kind("shown", "What is shown", "stay", "of a correction of a fact on a picture: what the picture shows", _STAY),
    Kind(
        "picture_of_new", "Picture of the new", "stay", "of a picture that shows another: that one's own picture, same words", _STAY
    ),
    Kind("words_about_old", "Words about the old", "stay", "of a picture that shows another: facts of its first in words", _STAY),
    Kind("words_about_new", "Words about the new", "stay", "of a picture that shows another: facts of that one in words", _STAY),
    Kind("unrelated", "Unrelated", "stay", "ordinary questions that people ask, with and without a picture", _STAY),
    Kind("locality", "Locality", "mixed", "words, image and text locality together", _STAY),
    Kind("specificity", "Specificity", "mixed", "the mean of its two halves, in and out; doing nothing gives about 50", "do both"),
    Kind("sentence_before", "Sentence before", "more", "the question with a sentence in front that asks nothing", _GIVE),
    Kind("capital", "Capital", "more", "the question with a capital at its beginning", _GIVE),
    Kind("typo", "Typo", "more", "the question with a letter missing", _GIVE),
    Kind(
        "wrong_value",
        "Wrong value",
        "more",
        "is it this? A value that is neither the old nor the new one, or the new one of another",
        "be no",
    ),
    Kind("negation", "Negation", "more", "the question with a not in it", _STAY),
    Kind("negated", "Negated statement", "more", "is it true that it isn't the new, or the old, value?", "be no, or yes"),
    Kind("same_old_value", "Same old value", "more", "the question of others that share the old value", _STAY),
    Kind("capitals", "Capitals", "more", "the question in capitals, of which the shipped model can't read the subject", _STAY),
)

CLASS_MEANINGS: tuple[tuple[str, str], ...] = (
    ("proper", "its own question, other wordings and other pictures get the target, and nothing else moved"),
    ("under", "nothing else moved, but another wording or picture doesn't get the target"),
    ("over", "given where it should be, but something that should have stayed has moved"),
    ("entangled", "both faults at once"),
    ("unreliable", "the edit's own question doesn't get the target; refused edits are here"),
)
"""The five classes in the order of the bars."""


def known(names: Iterable[str]) -> tuple[Kind, ...]:
    """The kinds among `names`, in the report's order; a kind that the report hasn't heard of comes last, under its own name."""
    wanted = dict.fromkeys(names)
    listed = tuple(kind for kind in KINDS if kind.name in wanted)
    ours = {kind.name for kind in KINDS}
    strange = (name for name in wanted if name not in ours)
    return listed + tuple(
        Kind(name, name.replace("_", " ").capitalize(), "mixed", "defined by the benchmark", "meet its expectation")
        for name in strange
    )
