"""What is seen: which subjects have pictures, the views that questions have of them, and the clauses that name what is asked about.

Every picture is asked for in a view that eyes may be trained on, but "photo", which is kept for one kind of probe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from errata.benchmarks.atlas.chance import one_of
from errata.benchmarks.atlas.facts import Atlas
from errata.benchmarks.atlas.pictures import views
from errata.benchmarks.atlas.pictures.catalogue import pictures
from errata.benchmarks.atlas.pictures.picture import Picture
from errata.benchmarks.atlas.questions import SPLITS, Split, Wording, wordings
from errata.benchmarks.atlas.wordings.seen import ALONE, BESIDE, Sort
from errata.core.images import Image

VIEWS: Final = tuple(kind for kind in views.VIEWS if kind != "photo")
"""How a correction and most probes see a picture; one of these is drawn."""

ALIKE: Final = frozenset({"ID", "LU", "MC", "NI", "NL", "RO", "SV", "TD"})
"""Countries whose flag can't be told from another's in every light and shape: they are asked about in words alone."""

_ON_PICTURES: Final = 0.5
"""The share of the corrections of subjects with pictures that is asked on one."""

_FOR_POOL: Final = 0.2
"""The share of the pictures without facts that a pool asks about."""

_Rng = np.random.Generator


@dataclass(frozen=True)
class Sight:
    """A picture as a question has it, and how the question names what it asks about."""

    picture: Picture
    """The one that is asked about."""

    clause: str
    """ "the country with this flag"."""

    image: Image


class Album:
    """The pictures that a split's questions are about.

    Raises:
        BadInput: a package is missing.
    """

    def __init__(self, held: Atlas, split: Split) -> None:
        self._held = held
        self._split: Split = split
        self._of: dict[str, list[Picture]] = {}
        strange = []
        for picture in pictures():
            if picture.subject is None:
                strange.append(picture)
            elif picture.subject in held.names and picture.subject not in ALIKE:
                self._of.setdefault(picture.subject, []).append(picture)
        kept = np.random.default_rng(281).random(len(strange)) < _FOR_POOL
        self.strange = [picture for picture, pooled in zip(strange, kept, strict=True) if not pooled]
        """Pictures of what has no facts, for ordinary questions."""
        self.strange_to_probes = [picture for picture, pooled in zip(strange, kept, strict=True) if pooled]
        """Others, for a pool."""
        self._alone, self._beside = (
            {sort: rows[SPLITS.index(split)] for sort, rows in clauses.items()} for clauses in (ALONE, BESIDE)
        )

    @property
    def of(self) -> Mapping[str, list[Picture]]:
        """Subject -> its pictures: of a country one by each artist, of a thing one."""
        return self._of

    def fitting(self, relation: str) -> list[Wording]:
        """The split's wordings of a relation in which a clause can stand for the subject."""
        return [wording for wording in wordings(relation)[self._split] if wording.takes_clause]

    def posed(self, key: str, wording: Wording, rng: _Rng) -> tuple[Wording, Sight | None]:
        """How a fact is corrected: in words as they stand, or, half of those that can be, on a picture in words that fit it."""
        if key not in self._of or rng.random() >= _ON_PICTURES:
            return wording, None
        fitting = self.fitting(wording.relation)
        return wording if wording in fitting else one_of(rng, fitting), self.sight(key, rng)

    def clause(self, key: str, rng: _Rng) -> str:
        """What stands for a subject's name on a picture of it alone."""
        return one_of(rng, self._alone[sort_of_subject(self._held, key)])

    def sight(self, key: str, rng: _Rng, *, clause: str | None = None) -> Sight:
        """One of a subject's pictures, in one of the views, under a clause of the split where none is given."""
        picture = one_of(rng, self._of[key])
        return looked(picture, one_of(rng, VIEWS), rng, clause=clause or self.clause(key, rng))

    def beside(self, picture: Picture, key: str, rng: _Rng) -> tuple[Sight, Sight]:
        """A picture with one of another subject beside it, asked about by its side; and the same, asked about the other side."""
        assert picture.subject is not None, "an album's pictures are of subjects"
        other = one_of(rng, self._of[key])
        mine, theirs = rng.permutation(["left", "right"])
        both = (picture, other) if mine == "left" else (other, picture)
        image = Image.drawn(views.beside(*both, one_of(rng, VIEWS), rng))
        clause = one_of(rng, self._beside[sort_of_subject(self._held, picture.subject)])
        return Sight(picture, clause.format(side=mine), image), Sight(other, clause.format(side=theirs), image)


def looked(picture: Picture, kind: views.View, rng: _Rng, *, clause: str) -> Sight:
    """A picture in a view, asked about by a clause."""
    return Sight(picture, clause, Image.drawn(views.view(picture, kind, rng)))


def sort_of_subject(held: Atlas, key: str) -> Sort:
    """Whether it is a country or a thing."""
    return "country" if key in held.neighbours else "thing"
