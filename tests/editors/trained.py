"""Small scopes that were really trained, on cases of a toy world: coloured squares, and what is asked of them."""

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from errata.core.benchmark import UNCHANGED, Case, Probe
from errata.core.records import Edit, Query
from errata.editors import FusionSizes, MultimodalScope, TextScope, TextSizes
from errata.engine.scopes import Lessons, train_scope
from errata.models.clip import ClipSizes, build_clip, load_encoder
from tests.editors.samples import EDITS, picture

WORDS = ("star", "ring", "moon", "cross", "heart", "arrow", "square", "tree")
TINY_CLIP = ClipSizes(width=64, layers=1, ffn=64, image=32, patch=16, length=32, vocabulary=300)
TINY_TEXT = TextSizes(buckets=256, width=32, layers=1, ffn=64)


def cases():
    """An edit about each thing, and about each sample; in scope its other wording, out of it what is asked of another."""
    found = []
    for place, word in enumerate(WORDS):
        other = WORDS[(place + 3) % len(WORDS)]
        image = picture(30 * place, 250 - 30 * place, 90)
        edit = Edit(Query.ask(f"what is the {word} called?", image), f"mibo {place}")
        inside = (Query.ask(f"tell me the name of the {word}.", image), Query.ask(f"how is the {word} called?", image))
        outside = (
            Query.ask(f"what is the {other} called?", image),
            Query.ask(f"who made the {word}?", image),
            Query.ask("what is 1 plus 1?"),
        )
        found.append(case(edit, inside, outside))
    far = [Query.ask("two plums and salt, or 35"), Query.ask("what is 1 plus 1?"), Query.ask("who made the star?")]
    found += [case(edit, (edit.query,), [*far, *(other.query for other in EDITS if other is not edit)]) for edit in EDITS]
    return found


def case(edit, inside, outside):
    return Case(
        edit,
        (*(Probe("text_generality", query, edit.target) for query in inside), *(Probe("out", q, UNCHANGED) for q in outside)),
    )


LESSONS = Lessons(steps=150, batch=16, learning_rate=3e-3, validation=0.2, validate_every=50, patience=9, seed=1)


def quiet(what, done, total):
    pass


@cache
def clip() -> Path:
    """A CLIP with random weights."""
    folder = Path(mkdtemp(prefix="errata-clip-"))
    build_clip(folder, texts=[f"what is the {word} called? who made it? mibo" for word in WORDS] * 6, sizes=TINY_CLIP, seed=2)
    return folder


@cache
def text_scope() -> Path:
    """SERAC's scope, trained."""
    folder = Path(mkdtemp(prefix="errata-text-"))
    train_scope(TextScope(TINY_TEXT), cases(), folder, lessons=LESSONS, progress=quiet)
    return folder


@cache
def multimodal_scope() -> Path:
    """MSCKE's scope, trained on the CLIP of `clip`."""
    folder = Path(mkdtemp(prefix="errata-multimodal-"))
    scope = MultimodalScope(load_encoder(clip()), FusionSizes("dot", "cosine", 32))
    train_scope(scope, cases(), folder, lessons=LESSONS, progress=quiet)
    return folder


def filled_in(text: str) -> str:
    """An editor's words with the folders of what was trained."""
    made = {"{text}": text_scope, "{multimodal}": multimodal_scope}
    for name, folder in made.items():
        if name in text:
            text = text.replace(name, str(folder()))
    return text
