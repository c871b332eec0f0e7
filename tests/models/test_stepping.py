"""Rows that enter and leave a running batch between steps are answered as they would be alone, and who spoke is told."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
import torch

from errata.core.errors import BadInput
from errata.core.model import Entrant, Generated, Patch, Stepper
from errata.core.records import Edit, Message, Query
from errata.editors import parse
from errata.log import EditLog, MemoryStore
from errata.models import load, shipped
from errata.models._stepping import unsteady
from errata.nn.patches import Delta, Handed, LowRank, NoPatch, Replaced, Rewrite
from errata.session.asking import Read
from errata.session.session import Session
from tests.zoo import families, folder_of
from tests.zoo.checks import LONG, ODD, OTHER, SEEN, SHORT

NEW = 12
STEADY = {
    "blip2_opt", "gpt2", "idefics3", "internvl", "llama", "llava", "llava_next", "llava_old", "llava_onevision", "llava_resaved",
    "minigpt4", "opt", "qwen3", "qwen3_moe", "smollm2", "smolvlm",
}  # fmt: skip
"""Families that are answered token by token."""

WHOLE = {
    "gemma2", "gemma3", "glm4v", "instructblip", "mllama", "paligemma", "phi3", "qwen2_5_vl", "qwen2_vl", "qwen3_5", "qwen3_vl",
}  # fmt: skip
"""Families that are answered whole."""

UNOPENED = {"blip2_t5"}
SAMPLE = ("gpt2", "internvl", "qwen3_moe", "opt", "gemma3", "qwen2_vl")
"""What is asked each time; all in the proof."""


@dataclass(frozen=True)
class Row:
    query: Query
    patch: Patch
    limit: int


def stepped(model, rows: list[Row], seed: int, *, leaving: float = 0.0) -> list[Generated | None]:
    """Each row's most likely tokens, the rows entering when dice say so; some leave unanswered where `leaving` isn't 0."""
    stepper: Stepper = model.stepper()
    dice, coming = Random(seed), list(range(len(rows)))
    said: list[list[int]] = [[] for _ in rows]
    found: dict[int, Generated | None] = {}
    live: list[int] = []

    def take(places: list[int], logits_BV: torch.Tensor) -> None:
        for place, token in zip(places, logits_BV.argmax(-1).tolist(), strict=True):
            said[place].append(token)

    def leave() -> None:
        stay = []
        for at, place in enumerate(live):
            ended = said[place][-1] in stepper.ends
            if ended or len(said[place]) == rows[place].limit:
                text = stepper.words(said[place]).strip()
                found[place] = Generated(text, ended, stepper.spoke(at), stepper.prompt(at), len(said[place]))
            elif dice.random() < leaving:
                found[place] = None
            else:
                stay.append(at)
        stepper.keep(stay)
        live[:] = [live[at] for at in stay]

    while coming or live:
        if coming and (not live or dice.random() < 0.4):
            count = dice.randint(1, 3)
            new, coming = coming[:count], coming[count:]
            take(new, stepper.enter([Entrant(rows[at].query, rows[at].patch, rows[at].limit, model) for at in new]))
            live.extend(new)
            leave()
        if live:
            take(live, stepper.step([said[place][-1] for place in live]))
            leave()
    assert stepper.rows == 0
    return [found[place] for place in range(len(rows))]


def alone(model, row: Row) -> Generated:
    return model.generated([row.query], [row.patch], max_new_tokens=row.limit)[0]


def questions(pictures: int) -> list[Query]:
    found = [Query.ask(SHORT), Query.ask(LONG), Query.ask("what does mibo eat?")]
    if pictures:
        found += [Query((Message("user", (SEEN, SHORT)),)), Query((Message("user", (ODD, LONG)),))]
    if pictures > 1:
        found.append(Query((Message("user", (SEEN, OTHER, SHORT)),)))
    return found


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_model_gives_each_row_what_it_would_give_it_alone(name):
    model = load(name)
    rows = [Row(query, NoPatch(), limit) for limit in (NEW, 3) for query in questions(2 if name == "llava-tiny" else 1)]
    wanted = [alone(model, row) for row in rows]
    for seed in range(3):
        assert stepped(model, rows, seed) == wanted


def test_rows_that_leave_unanswered_change_nothing_for_the_others(model):
    rows = [Row(query, NoPatch(), NEW) for query in questions(1) * 3]
    wanted = [alone(model, row) for row in rows]
    for seed in range(4):
        found = stepped(model, rows, seed, leaving=0.2)
        assert None in found
        assert all(one in (None, want) for one, want in zip(found, wanted, strict=True))


@pytest.mark.parametrize("name", sorted(families()))
@pytest.mark.proof(sample=0, full=1)
def test_a_family_of_the_zoo_goes_token_by_token_or_says_why_it_cannot(name, trials, record):
    assert {*STEADY, *WHOLE, *UNOPENED} == {*families()}
    if (not trials and name not in SAMPLE) or name in UNOPENED:
        return
    zoo = families()[name]
    with tempfile.TemporaryDirectory() as folder:
        model = load(folder_of(zoo, Path(folder)), dtype="float32")
    why = unsteady(model.front)
    record["steps"] = why or "yes"
    assert bool(why) == (name in WHOLE), why
    if why:
        assert model.stepper() is None
        return
    rows = [Row(query, NoPatch(), NEW) for query in questions(zoo.pictures)]
    assert stepped(model, rows, 1) == [alone(model, row) for row in rows]


CAVE = Edit(Query.ask("where does mibo live?"), "the cave")
TOWN = Edit(Query.ask("who made the pepok?"), "in the town")
LONGER = Edit(Query.ask("what does the rope maker sell?"), "the cave in the town in the cave")
ASKED = [
    CAVE.query,
    TOWN.query,
    LONGER.query,
    Query.ask("what is the food of the red thing?"),
    Query.ask("where does the pepok live?"),
]


@pytest.fixture(scope="module")
def tiny():
    return load("llava-tiny")


def versions(model, *edits: Edit, editor: str = "codebook") -> list[Read]:
    """What the states have to say: before the edits, and after each."""
    session = Session.open(model, parse(editor), EditLog(MemoryStore()), beside=True)
    found = [session.read]
    for edit in edits:
        assert session.edit(edit, guard=False).status == "applied"
        found.append(session.read)
    return found


@pytest.mark.parametrize("editor", ["codebook", "codebook:layer=3", "ike"])
def test_every_row_stays_under_the_patch_of_its_version_and_who_spoke_is_told(tiny, editor):
    rows = [Row(query, read(query), 40) for read in versions(tiny, CAVE, TOWN, LONGER, editor=editor) for query in ASKED]
    wanted = [alone(tiny, row) for row in rows]
    assert {one.spoke for one in wanted} >= {(), (CAVE.id,), (TOWN.id,)} or editor == "ike"
    for seed in range(3):
        order = Random(seed).sample(range(len(rows)), len(rows))
        found = stepped(tiny, [rows[place] for place in order], seed)
        assert found == [wanted[place] for place in order]


def test_low_rank_changes_of_each_row_its_own_and_shared_ones_stay_with_their_rows(random_llava):
    generator = torch.Generator().manual_seed(5)

    def change(path: str, rank: int) -> Delta:
        out_features, in_features = random_llava.module(path).weight.shape
        return Delta(torch.randn(rank, in_features, generator=generator), torch.randn(out_features, rank, generator=generator) / 4)

    text, *_, last = random_llava.writable["text"]
    projector = random_llava.writable["projector"][0]
    shared = change(last, 2)
    patches: list[Patch] = [
        LowRank({last: shared}),
        LowRank({last: shared, projector: change(projector, 1)}),
        LowRank({text: change(text, 3)}),
    ]
    rows = [Row(query, patch, NEW) for query in questions(1) for patch in [*patches, NoPatch()]]
    wanted = [alone(random_llava, row) for row in rows]
    assert len({one.text for one in wanted}) > len(questions(1))
    for seed in range(3):
        assert stepped(random_llava, rows, seed) == wanted


def test_another_question_in_its_place_enters_and_other_weights_and_models_do_not(tiny):
    stepper = tiny.stepper()
    rewritten = Rewrite(TOWN.query, (CAVE.id,))
    row = Row(CAVE.query, rewritten, NEW)
    assert stepped(tiny, [row, Row(CAVE.query, NoPatch(), NEW)], 0) == [
        alone(tiny, row),
        alone(tiny, Row(CAVE.query, NoPatch(), NEW)),
    ]
    path = tiny.writable["text"][0]
    assert not stepper.takes(Replaced({path: tiny.module(path).weight}))
    assert not stepper.takes(Handed(tiny, CAVE.query))


def test_a_question_that_does_not_fit_lets_none_enter_and_the_batch_goes_on(tiny):
    stepper = tiny.stepper()
    first = stepper.enter([Entrant(CAVE.query, NoPatch(), NEW, tiny)])
    with pytest.raises(BadInput, match="The prompt takes"):
        stepper.enter([Entrant(TOWN.query, NoPatch(), NEW, tiny), Entrant(TOWN.query, NoPatch(), 10_000, tiny)])
    assert stepper.rows == 1
    stepper.step(first.argmax(-1).tolist())
    assert stepper.room(0) == tiny.context - stepper.prompt(0)


def test_between_steps_the_model_is_as_it_always_is(tiny):
    def hooks() -> list[int]:
        return [hook for module in tiny.net.modules() for hook in module._forward_hooks]

    before, read = hooks(), versions(tiny, CAVE)[-1]
    stepper = tiny.stepper()
    stepper.enter([Entrant(CAVE.query, read(CAVE.query), NEW, tiny)])
    assert hooks() == before
    assert alone(tiny, Row(CAVE.query, NoPatch(), NEW)).text != CAVE.target
