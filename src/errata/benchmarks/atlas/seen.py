"""What is asked besides where there are pictures: on other pictures, beside something else, from pictures to words and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from errata.benchmarks.atlas.chance import one_of, some_of
from errata.benchmarks.atlas.corrections import asking
from errata.benchmarks.atlas.facts import Atlas
from errata.benchmarks.atlas.pictures.picture import Picture
from errata.benchmarks.atlas.probes import POOL_FACTS, Asked, Desk, pool
from errata.benchmarks.atlas.questions import OF_SPLIT, SHOWN, SPLITS, Split, shown, wordings
from errata.benchmarks.atlas.sights import VIEWS, Album, Sight, looked, sort_of_subject
from errata.benchmarks.atlas.wordings.seen import TRAFFIC
from errata.core.records import Query

_POOL: Final = 6
_POOL_ASKED: Final = 20


def drawn(desk: Desk, album: Album) -> Iterator[Asked]:
    """The probes of a correction that there are for pictures alone."""
    c = desk.correction
    if c.sight is not None:
        yield from _on_other_pictures(desk, album, c.sight)
        identity = SHOWN[sort_of_subject(desk.held, c.key)]
        asked = asking(desk.held, c.key, one_of(desk.rng, wordings(identity)[desk.split]), c.sight)
        yield Asked("shown", shown(desk.held, c.key, identity), asked)
        for wording in some_of(desk.rng, wordings(c.relation)[desk.split], 2):
            yield desk.fact("in_words", c.key, wording)
    elif c.key in album.of:
        fitting = album.fitting(c.relation)
        wording = c.wording if c.wording in fitting else one_of(desk.rng, fitting)
        yield desk.fact("on_picture", c.key, wording, album.sight(c.key, desk.rng))


def _on_other_pictures(desk: Desk, album: Album, sight: Sight) -> Iterator[Asked]:
    """The very words of the correction on other pictures of its subject."""
    c, own, rng = desk.correction, sight.picture, desk.rng
    for other in album.of[c.key]:
        if other != own:
            yield desk.fact("other_artist", c.key, c.wording, looked(other, "plain", rng, clause=sight.clause))
    yield desk.fact("other_view", c.key, c.wording, looked(own, "photo", rng, clause=sight.clause))
    for key in some_of(rng, desk.others(), 1):
        mine, theirs = album.beside(own, key, rng)
        yield desk.fact("beside", c.key, c.wording, mine)
        yield desk.fact("other_on_picture", key, c.wording, theirs)


def ordinary_probe(album: Album, split: Split, *, seed: int, index: int) -> Asked:
    """An ordinary question about a picture of something that has no facts."""
    return Asked("unrelated", None, _ordinary(album.strange, ordinary(split), np.random.default_rng([seed, 6, index])))


def ordinary(split: Split) -> list[str]:
    """The ordinary questions about pictures of a split, dealt once and for all."""
    return [TRAFFIC[place] for place in _dealt()[_POOL:][SPLITS.index(split) :: len(SPLITS)]]


def pool_seen(held: Atlas, album: Album, split: Split, seed: int) -> list[Query]:
    """A pool of which half of the questions about subjects, and some ordinary ones, are on pictures."""
    rng = np.random.default_rng([seed, 7])
    facts = sorted((key, of) for key, of in held.askable if key in held.reserved and key in album.of and of in OF_SPLIT[split])
    asked = [one_of(rng, facts) for _ in range(POOL_FACTS // 2)]
    on_pictures = [asking(held, key, one_of(rng, album.fitting(of)), album.sight(key, rng)) for key, of in asked]
    texts = [TRAFFIC[place] for place in _dealt()[:_POOL]]
    ordinary = [_ordinary(album.strange_to_probes, texts, rng) for _ in range(_POOL_ASKED)]
    return [*pool(held, split, seed, about=POOL_FACTS - len(on_pictures)), *on_pictures, *ordinary]


def _ordinary(pictures: list[Picture], texts: list[str], rng: np.random.Generator) -> Query:
    return Query.ask(one_of(rng, texts), looked(one_of(rng, pictures), one_of(rng, VIEWS), rng, clause="").image)


def _dealt() -> list[int]:
    dealt: list[int] = np.random.default_rng(30).permutation(len(TRAFFIC)).tolist()
    return dealt
