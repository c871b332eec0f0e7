"""A pool of ordinary queries kept with a log: written once when the log begins, read back whenever it is opened.

An editor that protects ordinary answers can only protect those it is shown. Where nobody gives it questions, some are made for the
model: of ScopeWorld for a shipped model, which knows little else, and for any other those of `_WORDS` and `ON_PICTURES`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from typing import Any, Final

from errata.core.canonical import canonical
from errata.core.editor import Editor, takes_pool
from errata.core.errors import BadInput, WrongStore
from errata.core.model import Model, fits
from errata.core.records import Query
from errata.log import EditLog, Entry
from errata.models import shipped

MADE: Final = 128
"""Questions of ScopeWorld that are made for a shipped model, half of them on pictures."""

_PICTURES: Final = 16
"""Pictures that other models are asked about: as many questions."""

_WORDS: Final = """
What is the capital of France?
Which river runs through Cairo?
How many days does February have in a leap year?
What is 7 times 8?
What is 15 minus 6?
Who wrote Hamlet?
Who painted the Mona Lisa?
In which year did the Second World War end?
What is the chemical symbol of gold?
How many legs does a spider have?
Which planet is closest to the sun?
What do bees make?
What colour is a ripe banana?
What is the opposite of "early"?
What is the past tense of "go"?
Translate "good morning" into Spanish.
Translate "thank you" into German.
Which language is spoken in Brazil?
What currency is used in Japan?
On which continent is Kenya?
What is the largest ocean?
What is the boiling point of water in degrees Celsius?
What does a thermometer measure?
What gas do plants take in from the air?
Which organ pumps blood through the body?
How many minutes are there in two hours?
What is half of 90?
Is the number 17 prime?
Which is heavier, a kilogram of iron or a kilogram of wool?
Name three primary colours.
Name a fruit that grows on trees.
Name two animals that can fly.
Name the four seasons.
Name a musical instrument with strings.
What is a synonym for "happy"?
What is the plural of "mouse"?
Spell the word "necessary".
What comes after Tuesday?
Which month comes before October?
What is a dictionary used for?
What is a bridge?
What is a volcano?
Explain in one sentence what gravity is.
Explain in one sentence how a bicycle works.
Why is the sky blue?
Why do we sleep?
How is bread made?
How do I boil an egg?
How can I remove a coffee stain from a shirt?
What should I wear when it snows?
Give me a tip for learning a language.
Suggest a name for a cat.
Write one sentence about the sea.
Write a short greeting for a birthday card.
Write a polite reply to an invitation.
Tell me a short joke.
Summarise in one sentence: the meeting was moved to Friday because two people were ill.
Is this sentence friendly or angry? "Leave me alone!"
Which of these is a vegetable: carrot, brick, cloud?
Complete the sentence: the cat sat on the
What does the abbreviation "km" stand for?
What does it mean to be patient?
Hello, how are you?
Who are you?
"""

ON_PICTURES: Final = (
    "What is in the picture?",
    "Describe the picture in one sentence.",
    "How many things are in the picture?",
    "Which colours are in the picture?",
)
"""What anybody may ask about any picture."""


def made_pool(model: Model) -> tuple[Query, ...]:
    """Ordinary questions for a model, the same at every call; those that can't be put to it are left out."""
    return tuple(query for query in _candidates(model) if fits(model, query))


def _candidates(model: Model) -> Iterator[Query]:
    from errata.benchmarks.scopeworld.stream import pool_questions  # its glyphs take a second, which most sessions needn't wait

    of_world = (item.query for item in pool_questions(seed=0))
    if model.name in shipped():
        yield from islice(of_world, MADE)
        return
    yield from map(Query.ask, _WORDS.strip().splitlines())
    pictures = (query.images[0] for query in of_world if query.images)
    for text, image in islice(zip(cycle(ON_PICTURES), pictures, strict=False), _PICTURES):
        yield Query.ask(text, image)


def check_takes(editor: Editor[Any], given: Sequence[Query] | None) -> None:
    """Whether an editor makes anything of the queries that it is given.

    Raises:
        BadInput: it takes none.
    """
    if given and not takes_pool(editor):
        raise BadInput("This editor writes alike with a pool and without, so it takes none. Leave the pool out, or use scopeedit.")


def chosen_pool(log: EditLog, model: Model, editor: Editor[Any], given: Sequence[Query] | None) -> Sequence[Query]:
    """The pool that a log begins with: what is given, or one that is made where the editor takes any; nothing if it has begun.

    Args:
        log: of the branch.
        model: of the log.
        editor: with all that it names.
        given: queries; none of them: no pool; None: nothing was said.

    Raises:
        BadInput: queries were given to an editor that takes none, or for a log that began with none of them.
    """
    check_takes(editor, given)
    first = next(log.entries(1, 2), None)
    if first is None:
        return given if given is not None else made_pool(model) if takes_pool(editor) else ()
    kept = pool_in(log, first) if given else ()
    if given and not set(kept) & set(given):
        had = f"with a pool of {len(kept)} other questions" if kept else "without a pool"
        raise BadInput(f"Branch {log.branch!r} began {had}, and goes on so. Leave the pool out, or begin another branch with it.")
    return ()


def unprotected(log: EditLog, editor: Editor[Any]) -> bool:
    """Whether the editor keeps off the answers of a pool, and the log began without one."""
    first = next(log.entries(1, 2), None)
    return first is not None and first.details.get("pool") is None and takes_pool(editor)


def put_pool(log: EditLog, pool: Sequence[Query]) -> str | None:
    """Keep the queries and their images as blobs beside the log; the digest of the list, None for no pool."""
    if not pool:
        return None
    for query in pool:
        for image in query.images:
            log.store.blobs.put(image.data)
    data = canonical([query.to_json() for query in pool])
    return log.store.blobs.put(data)


def pool_in(log: EditLog, first: Entry) -> tuple[Query, ...]:
    """The pool that the log's first entry names.

    Raises:
        WrongStore: it was lost.
    """
    named = first.details.get("pool")
    if named is None:
        return ()
    data = log.store.blobs.get(str(named))
    if data is None:
        raise WrongStore(
            f"The log's pool of protected queries ({str(named)[:12]}) is gone, so its state can't be folded. Restore it."
        )
    return tuple(Query.from_json(query, log.image) for query in json.loads(data))
