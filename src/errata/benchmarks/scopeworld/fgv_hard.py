"""Hard twins: two questions on a corrected picture, one in the correction's scope and one not, that read alike.

The edit asks for one entity in one way ("what is the star called?"), the twins in another ("where does the red thing live?", "where
does the blue thing live?"). Which of them means the star, the picture alone says. For that to hold, whatever the words do settle is
left out: a relation to the edit's own entity, a place that the edit's words exclude, a colour that no such glyph has.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from errata.benchmarks.scopeworld.corrections import ImageCorrection, image_in_scope
from errata.benchmarks.scopeworld.knowledge import COLOURS, EDITABLE_KINDS, GLYPHS, RELATIONS, Kind
from errata.benchmarks.scopeworld.questions import SECOND, Family, Question, Ref, View, cells_reached, references

_FAMILIES: tuple[Family, ...] = ("name", "recognition", "shape", "colour", *RELATIONS, *SECOND.values())
_COUNTED = 0.2
"""How often the twins count things, where they can."""


def hard_twins(correction: ImageCorrection, asked: Question, rng: np.random.Generator) -> tuple[Question, Question] | None:
    """A question in scope and its twin out of scope; None where the picture has none.

    Args:
        correction: of one entity of a picture.
        asked: what the edit asks, with a reference to that entity.
        rng: draws among the twins: first how they refer, then which they are.
    """
    assert asked.ref is not None, "an edit's question names its entity"
    counted = list(_counted(correction, asked.ref))
    referred = list(_referred(correction, asked.ref))
    found = counted if counted and (not referred or rng.random() < _COUNTED) else referred
    if not found:
        return None
    forms = sorted({_form(inside) for inside, _ in found})
    form = forms[int(rng.integers(len(forms)))]
    alike = [twins for twins in found if _form(twins[0]) == form]
    return alike[int(rng.integers(len(alike)))]


def _form(question: Question) -> tuple[str, str]:
    return ("" if question.ref is None else question.ref.form, question.family)


def _referred(correction: ImageCorrection, said: Ref) -> Iterator[tuple[Question, Question]]:
    scene, view = correction.scene, View(correction.scene)
    others = [ref for cell in scene.filled if cell != correction.cell for ref in references(scene, cell)]
    for ref in references(scene, correction.cell):
        for other in others:
            if not _alike(ref, other) or not (_open(correction, said, ref) and _open(correction, said, other)):
                continue
            for family in _FAMILIES:
                inside, outside = Question(family, ref), Question(family, other)
                if (
                    image_in_scope(correction, inside, view, same_picture=True) is True
                    and image_in_scope(correction, outside, view, same_picture=True) is False
                ):
                    yield inside, outside


def _counted(correction: ImageCorrection, said: Ref) -> Iterator[tuple[Question, Question]]:
    """How many there are of what the entity was taken for, and of what another entity is."""
    if correction.aspect == "name":
        return
    scene, view = correction.scene, View(correction.scene)
    aspect = correction.aspect
    own, *others = (_of(scene.at(cell), aspect) for cell in (correction.cell, *scene.filled))
    for other in others:
        if other in (own, correction.value) or not all(_word_open(correction, said, word) for word in (own, other)):
            continue
        nouns = [word if aspect == "glyph" else f"{word} thing" for word in (own, other)]
        inside, outside = (Question("count", None, (noun,)) for noun in nouns)
        if (
            image_in_scope(correction, inside, view, same_picture=True) is True
            and image_in_scope(correction, outside, view, same_picture=True) is False
        ):
            yield inside, outside


def _of(kind: Kind, aspect: Literal["glyph", "colour"]) -> str:
    return kind.glyph if aspect == "glyph" else kind.colour


def _alike(ref: Ref, other: Ref) -> bool:
    """Whether two phrases are of one form; relations, in one direction and to a glyph or a colour both."""
    if ref.form != other.form or ref.direction != other.direction:
        return False
    return ref.form != "relation" or (ref.anchor in GLYPHS) == (other.anchor in GLYPHS)


def _open(correction: ImageCorrection, said: Ref, ref: Ref) -> bool:
    """Whether the words leave it open that `ref` means what `said` means."""
    if ref.form == said.form:
        return False
    if ref.form == "cell":
        assert ref.at is not None
        return said.direction is None or ref.at in cells_reached(said.direction)
    if ref.form == "relation":
        assert ref.direction is not None
        if said.form == "cell" and said.at not in cells_reached(ref.direction):
            return False
        return ref.anchor not in (said.anchor, correction.value)
    return _word_open(correction, said, ref.anchor)


def _word_open(correction: ImageCorrection, said: Ref, word: str) -> bool:
    """Whether the entity that the edit names may be of this glyph or colour, before the correction and after it."""
    if word in (said.anchor, correction.value):
        return False
    known = [each for each in (said.anchor if said.form in ("glyph", "colour") else "", correction.value) if each]
    return all(_may_be(word, other) for other in known)


def _may_be(word: str, other: str) -> bool:
    """Whether something may be both; words that aren't a glyph and a colour say nothing."""
    if word in GLYPHS and other in COLOURS:
        return Kind(word, other) in EDITABLE_KINDS
    if word in COLOURS and other in GLYPHS:
        return Kind(other, word) in EDITABLE_KINDS
    return True
