"""What a family must do, one check each: a test runs them all, and the matrix of the docs is made of what they say."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from errata.core.canonical import canonical
from errata.core.editor import Forgets
from errata.core.errors import BadInput, ErrataError
from errata.core.images import Image
from errata.core.records import Edit, Message, Query
from errata.editors import parse, to_tensors
from errata.models import TransformersModel, load
from errata.nn.patches import Delta, LowRank, NoPatch
from errata.session.ready import equipped
from tests.conftest import picture
from tests.zoo import Zoo
from tests.zoo._asked import Asked

NEW = 8
TARGET = "in the harbor"
SHORT = "where does mibo live?"
BESIDE = "codebook:slots=64,steps=80,relaxation=1"
"""What is added beside weights that are held in another way."""

LONG = "how many things are there, and what is the red star called? two, or 35."
SEEN, OTHER, ODD = picture(1), picture(2), picture(3, width=61, height=23)


@dataclass
class Trial:
    """A family's checkpoint, opened by errata and by plain transformers."""

    zoo: Zoo
    folder: Path
    model: TransformersModel = field(init=False)
    asked: Asked = field(init=False)

    def __post_init__(self) -> None:
        self.model = load(self.folder, dtype="float32")
        self.asked = Asked(self.folder)
        self.asked.model.float()


class Beside(Exception):
    """A check that says nothing of a family, and why."""


Check = Callable[[Trial], None]


def questions(trial: Trial) -> dict[str, tuple[str, list[Image]]]:
    """What is asked of a family, by name: the words and the pictures."""
    found: dict[str, tuple[str, list[Image]]] = {"no picture": (SHORT, []), "longer": (LONG, [])}
    if trial.zoo.pictures:
        found |= {"a picture": (SHORT, [SEEN]), "an odd picture": (LONG, [ODD])}
    if trial.zoo.pictures > 1:
        found |= {"two pictures": (SHORT, [SEEN, OTHER])}
    return found


def as_query(words: str, images: list[Image]) -> Query:
    return Query((Message("user", (*images, words)),))


def answers_as_generate(trial: Trial) -> None:
    """Greedy answers are `generate`'s own on the processor's own inputs, token for token."""
    tokenizer = trial.asked.processor.tokenizer if trial.asked.eyes else trial.asked.processor
    for name, (words, images) in questions(trial).items():
        conversation = [{"role": "user", "content": [*({"type": "image"} for _ in images), {"type": "text", "text": words}]}]
        ids = trial.asked(conversation, [image.pixels() for image in images], NEW)
        theirs = tokenizer.decode(ids, skip_special_tokens=True).strip()
        mine = trial.model.answers([as_query(words, images)], [NoPatch()], max_new_tokens=NEW)[0]
        assert mine == theirs, f"{name}: {mine!r} where generate says {theirs!r}"
        prompt = trial.asked.inputs(conversation, [image.pixels() for image in images])["input_ids"][0].tolist()
        row = trial.model.front.row(as_query(words, images), None)
        assert list(row.ids) == prompt or trial.zoo.model_type == "blip-2", f"{name}: other ids than the processor's"


def loss_is_forwards_own(trial: Trial) -> None:
    """The loss of a target is that of the library's own pass over prompt, target and end."""
    if trial.zoo.model_type in ("blip-2", "llava"):
        raise Beside("asked by embeddings; tests/contracts/test_families.py holds it to the same")
    model = trial.model
    for words, images in questions(trial).values():
        query = as_query(words, images)
        row = model.front.row(query, TARGET)
        put = model.front.put(model, [row], [NoPatch()])
        wanted = torch.tensor([*row.target, model.front.end])
        with torch.no_grad():
            named: Any = put.named
            logits = put.speaker(**named).logits[0, -len(wanted) :].float()
        due = torch.nn.functional.cross_entropy(logits, wanted)
        assert torch.allclose(model.loss(query, TARGET), due, rtol=1e-4, atol=1e-4)
        assert abs(sum(model.predict(query, TARGET).losses_nats) - float(due) * len(wanted)) < 40


def batch_equals_single(trial: Trial) -> None:
    """Rows of several lengths, with and without pictures, each with its own patch, answer as they do alone."""
    model, draw = trial.model, torch.Generator().manual_seed(5)

    def low_rank(paths: tuple[str, ...]) -> LowRank:
        deltas = {}
        for path in paths:
            module: Any = model.module(path)
            a = torch.randn(2, module.in_features, generator=draw) / module.in_features**0.5
            deltas[path] = Delta(a, torch.randn(module.out_features, 2, generator=draw))
        return LowRank(deltas)

    patches: list[NoPatch | LowRank] = [NoPatch(), low_rank(model.writable["text"][:2]), low_rank(model.writable["text"][-1:])]
    if model.writable["projector"]:
        patches.append(low_rank(model.writable["projector"] + model.writable["text"][:1]))
    rows = [(as_query(*asked), patch) for asked in questions(trial).values() for patch in patches]
    together = model.answers([query for query, _ in rows], [patch for _, patch in rows], max_new_tokens=4)
    alone = [model.answers([query], [patch], max_new_tokens=4)[0] for query, patch in rows]
    wrong = [place for place, (one, other) in enumerate(zip(together, alone, strict=True)) if one != other]
    assert not wrong, f"rows {wrong} of {len(rows)}: {together[wrong[0]]!r}, alone {alone[wrong[0]]!r}"
    assert len(set(alone)) > 2, "the rows all say the same, so that nothing is shown"


def again_and_again(trial: Trial) -> None:
    """A loss asked for again, under changing patches of the upper layers, is the loss worked out afresh."""
    model, draw = trial.model, torch.Generator().manual_seed(9)
    path = model.writable["text"][-1]
    module: Any = model.module(path)
    for words, images in questions(trial).values():
        query = as_query(words, images)
        speak = model.speaking(query, TARGET, changing=[path])
        for _ in range(3):
            a = torch.randn(2, module.in_features, generator=draw)
            delta = Delta(a, torch.randn(module.out_features, 2, generator=draw).requires_grad_())
            with LowRank({path: delta}).on(model):
                again, afresh = speak().loss, model.loss(query, TARGET)
            assert torch.allclose(again, afresh, rtol=1e-5, atol=1e-5)
            (one,) = torch.autograd.grad(again, delta.b_OR, retain_graph=True)
            (other,) = torch.autograd.grad(afresh, delta.b_OR)
            assert torch.allclose(one, other, rtol=1e-3, atol=1e-5)


def edits(trial: Trial, text: str, *, elsewhere: TransformersModel | None = None) -> None:
    """One correction is learned; leaving the patch gives the model back bit for bit; the edit forgotten is the state before.

    Args:
        elsewhere: the checkpoint opened in another way; another question isn't touched there.
    """
    model, editor = elsewhere or trial.model, equipped(parse(text))
    query = Query.ask(SHORT, SEEN) if trial.zoo.pictures else Query.ask(SHORT)
    edit, asked = Edit(query, TARGET), [query, *([Query.ask(LONG)] if elsewhere else [])]
    before, said = float(model.loss(query, TARGET)), model.answers(asked, [NoPatch()] * len(asked), max_new_tokens=NEW)
    begun = editor.begin(model)
    state = editor.write(model, begun, edit)
    answers = model.answers(asked, [editor.read(model, state, one) for one in asked], max_new_tokens=NEW)
    assert answers == [TARGET, *said[1:]], f"it says {answers!r}"
    assert said[0] != TARGET
    assert float(model.loss(query, TARGET)) == before, "the model isn't as it was"
    assert model.answers(asked, [NoPatch()] * len(asked), max_new_tokens=NEW) == said
    assert canonical(editor.spec(model).to_json()) == canonical(equipped(parse(text)).spec(model).to_json())
    if isinstance(editor, Forgets) and (without := editor.forget(state, edit.id)) is not None:
        one, other = to_tensors(without).tensors, to_tensors(begun).tensors
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one), "forgotten, the state isn't what it was"


def codebook(trial: Trial) -> None:
    edits(trial, "codebook:slots=64,steps=40")


def scopeedit_text(trial: Trial) -> None:
    edits(trial, "scopeedit:steps=30,longest=none,layers=2")


def scopeedit_projector(trial: Trial) -> None:
    if not trial.zoo.pictures:
        raise Beside("it has no eyes")
    if not trial.model.writable["projector"]:
        raise Beside("its projector isn't made of linear modules")
    edits(trial, "scopeedit:steps=30,longest=none,layers=2,projector=true")


def finetune(trial: Trial) -> None:
    edits(trial, "finetune:steps=40,lr=0.003")


def scoped(trial: Trial) -> None:
    edits(trial, "scoped:scope=nearest,editor=finetune:steps=40;lr=0.003,memory=each")


def told(trial: Trial) -> None:
    """What is told stands before the question, in words that the model takes; a random model follows none."""
    model, editor = trial.model, equipped(parse("told"))
    query = Query.ask(SHORT, SEEN) if trial.zoo.pictures else Query.ask(SHORT)
    state = editor.write(model, editor.begin(model), Edit(query, TARGET))
    patch: Any = editor.read(model, state, query)
    assert TARGET in patch.query.text
    assert patch.query.images == query.images
    assert model.answers([query], [patch], max_new_tokens=4) == model.answers([patch.query], [NoPatch()], max_new_tokens=4)


def turns_are_not_written(trial: Trial) -> None:
    """Text that writes a turn is refused, or its ids are not those of a conversation with that turn."""
    model = trial.model
    tokenizer: Any = trial.asked.processor.tokenizer if trial.asked.eyes else trial.asked.processor
    controls = sorted({*tokenizer.all_special_tokens, *(t.content for t in tokenizer.added_tokens_decoder.values() if t.special)})
    assert controls
    for control in controls:
        for text in (control, f"{SHORT}{control}{LONG}"):
            try:
                model.check_read(Query.ask(text))
            except BadInput:
                continue
            raise AssertionError(f"{text!r} is taken for words")
    for mark in model.front.turn.marks:
        try:
            model.check_read(Query.ask(f"{SHORT} {mark} mibo"))
        except BadInput:
            continue
        raise AssertionError(f"{mark!r} is taken for words")


def saved_and_opened(trial: Trial) -> None:
    """Saved as an ordinary folder and opened again it has the same digest and says the same."""
    with tempfile.TemporaryDirectory() as made:
        trial.model.save(Path(made))
        again = load(made, dtype="float32")
        assert again.digest == trial.model.digest
        query = as_query(SHORT, [SEEN] if trial.zoo.pictures else [])
        assert torch.equal(again.loss(query, TARGET), trial.model.loss(query, TARGET))


def in_half_precision(trial: Trial) -> None:
    """In bfloat16 a correction is learned with factors and keys in float32, and leaves the model as it was."""
    edits(trial, BESIDE, elsewhere=load(trial.folder, dtype="bfloat16"))


def left_on_disk(trial: Trial) -> None:
    """With room for a part of it, the rest is fetched from disk when used: same digest, answers and correction."""
    if trial.zoo.model_type == "gpt2":
        raise Beside("its weights stand the other way round: refused by a sentence")
    size = sum(parameter.nbytes for parameter in trial.asked.model.parameters())
    model = load(trial.folder, device=f"auto:cpu={int(size * 0.6 / 1000)}KB", dtype="float32")
    places = set(map(str, getattr(model.net, "hf_device_map", {}).values()))
    if "disk" not in places:
        raise Beside("it fits however little it is given: its parts aren't to be split")
    assert model.worked_out == trial.model.worked_out
    for words, images in questions(trial).values():
        query = as_query(words, images)
        said, due = (one.answers([query], [NoPatch()], max_new_tokens=NEW) for one in (model, trial.model))
        assert said == due, f"{said[0]!r}, in memory {due[0]!r}"
    edits(trial, BESIDE, elsewhere=model)


def in_8_bits(trial: Trial) -> None:
    """With linear weights in 8 bits a correction is added beside them, and taken back bit for bit."""
    if trial.zoo.model_type == "gpt2":
        raise Beside("it has no linear modules: refused by a sentence")
    model = load(trial.folder, dtype="int8")
    assert model.size < trial.model.size
    assert model.digest != trial.model.digest
    edits(trial, BESIDE, elsewhere=model)


CHECKS: dict[str, Check] = {
    "answers as generate": answers_as_generate,
    "loss as forward": loss_is_forwards_own,
    "batch equals single": batch_equals_single,
    "lower layers once": again_and_again,
    "codebook": codebook,
    "scopeedit, text": scopeedit_text,
    "scopeedit, projector": scopeedit_projector,
    "finetune": finetune,
    "scoped": scoped,
    "told": told,
    "no forged turns": turns_are_not_written,
    "saved": saved_and_opened,
    "bfloat16": in_half_precision,
    "left on disk": left_on_disk,
    "8 bits": in_8_bits,
}
"""Name of a column of the matrix -> what it holds a family to."""


def verdict(check: Check, trial: Trial) -> str:
    """ "yes", "no: why" or "-: why"."""
    try:
        check(trial)
    except Beside as error:
        return f"-: {error}"
    except (AssertionError, ErrataError, RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
        lines = str(error).strip().splitlines()
        return f"no: {type(error).__name__}: {lines[0] if lines else ''}"
    return "yes"
