"""The forms of an export: one LoRA adapter as PEFT has it, an adapter for vLLM under a name of its own, a merged checkpoint.

What is written is asked its canary before the folder gets its name: by PEFT itself where it is an adapter, by transformers where it
is a checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, final

from errata.core.canonical import JSON
from errata.core.counted import counted
from errata.core.editor import Merges
from errata.core.errors import BadInput
from errata.core.model import Patch
from errata.core.records import Query
from errata.models import TransformersModel
from errata.models.converting.folder import check_folder, draft_of
from errata.models.exported.adapter import check_peft, open_adapter, source_named, write_adapter
from errata.nn.patches import LowRank, Replaced
from errata.session.asking import heard, unedited
from errata.session.exporting import canary as canaries
from errata.session.exporting.canary import Canary
from errata.session.merge import check_dense, merge_into, slip_of
from errata.session.session import Session

Form = Literal["peft", "merged", "vllm"]

VLLM_RANKS: Final = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM takes as --max-lora-rank (vllm/config/lora.py, 0.32 and 0.33)."""

_NAME_DIGITS: Final = 12
"""Digits of the log's hash in an adapter's name."""


@final
@dataclass(frozen=True)
class Exported:
    """A folder that was written."""

    form: Form
    name: str
    """Under which a server is to load it: another for every state of the log."""

    base: str
    """Where the base model is found: a folder or a hub id."""

    edits: int
    ending: int
    """Of them those that end by themselves in the store, and don't in the export."""

    rank: int
    """Of the adapter; 0: it isn't one."""

    modules: tuple[str, ...]
    outside: bool
    """Whether it writes a module outside the language model, which vLLM takes from an adapter only where it is told to."""

    dtype: str
    canary: Canary


def export_into(session: Session, form: Form, folder: Path, *, keep: Sequence[Query] = ()) -> Exported:
    """Write the corrected model in a form that other programs read, with its canary, and prove it by asking.

    Args:
        session: with edits in force.
        form: "peft", "vllm" or "merged".
        folder: written whole or not at all; it must not be there, or be empty.
        keep: questions to try first as the one whose answer must not have moved.

    Raises:
        BadInput: the folder isn't empty or can't be written, no edit is in force, the editor's state isn't one set of weights, no
            canary is found, PEFT isn't installed, or what was written doesn't answer its canary.
    """
    check_folder(folder)
    if form != "merged":
        check_peft()
    model = session.model
    assert isinstance(model, TransformersModel), "a session's model is the one real model"
    check_dense(model)
    patch = _alike(session, form)
    canary = canaries.chosen(session, keep)
    return _merged(session, patch, folder, canary) if form == "merged" else _adapted(session, form, patch, folder, canary)


def ask(model: TransformersModel, canary: Canary) -> tuple[str, str]:
    """What a model that was opened from an export answers to the two questions."""
    pairs = (canary.corrected, canary.unmoved)
    found = [heard(model, unedited, [asked.query], limit=asked.room)[0].text for asked in pairs]
    return found[0], found[1]


def _adapted(session: Session, form: Form, patch: LowRank | Replaced, folder: Path, canary: Canary) -> Exported:
    model = session.model
    assert isinstance(model, TransformersModel), "a session's model is the one real model"
    with draft_of(folder.resolve()) as draft:
        adapter = write_adapter(model, patch, draft)
        if form == "vllm" and adapter.rank > VLLM_RANKS[-1]:
            raise BadInput(
                f"The adapter has rank {adapter.rank}, and vLLM takes {VLLM_RANKS[-1]} at most. "
                "Export the weights instead: --to merged"
            )
        made = _exported(session, form, canary, rank=adapter.rank, modules=adapter.paths)
        canaries.write(canary, draft, _told(session, made), decoder=model.decoder)
        _prove(canary, open_adapter(draft, base=model.name, device=str(model.place), dtype=made.dtype))
    return made


def _merged(session: Session, weights: Patch, folder: Path, canary: Canary) -> Exported:
    made = _exported(session, "merged", canary, rank=0, modules=())

    def finish(draft: Path, merged: TransformersModel) -> None:
        canaries.write(canary, draft, _told(session, made), decoder=session.model.decoder)
        _prove(canary, merged)

    merge_into(session, folder, weights=weights, finish=finish)
    return made


def _prove(canary: Canary, model: TransformersModel) -> None:
    """Ask what was written.

    Raises:
        BadInput: it doesn't answer as it must.
    """
    wrong = canary.judged(*ask(model, canary))
    if wrong:
        raise BadInput(f"What was written doesn't answer as the store does, so nothing is left of it. {' '.join(wrong)}")


def _exported(session: Session, form: Form, canary: Canary, *, rank: int, modules: tuple[str, ...]) -> Exported:
    model, ids = session.model, session.standing()
    assert isinstance(model, TransformersModel), "a session's model is the one real model"
    return Exported(
        form=form,
        name=f"errata-{session.seen[1][:_NAME_DIGITS]}",
        base=source_named(model.name),
        edits=len(ids),
        ending=sum(session.log.words(edit).valid_until is not None for edit in ids),
        rank=rank,
        modules=modules,
        outside=not {*modules} <= {*model.writable["text"]},
        dtype=str(model.net.dtype).removeprefix("torch."),
        canary=canary,
    )


def _told(session: Session, made: Exported) -> dict[str, JSON]:
    """What the canary's file says of its export."""
    return {"form": made.form, "name": made.name, "dtype": made.dtype, "edits": made.edits, **slip_of(session)}


def _alike(session: Session, form: Form) -> LowRank | Replaced:
    """What the session's state has to say to every query alike: as weights, or for an adapter of as low a rank as it has.

    Raises:
        BadInput: no edit is in force, or it depends on the query.
    """
    model, editor, ids = session.model, session.editor, session.standing()
    if not ids:
        raise BadInput("No edit is in force, so there is nothing to export. Add edits first: errata edit add")
    name = editor.spec(model).name
    merged = editor.merged(model, session.state) if isinstance(editor, Merges) else None
    if merged is None:
        raise BadInput(
            f"The editor {name} can't be exported to {form}: what it adds depends on the question, and no single set of weights "
            f"says the same. Serve it from its store (errata serve), or write the {counted(len(ids), 'edit')} anew on another "
            f"branch with an editor of weights: errata rebase --model {model.name} --onto BRANCH --editor scopeedit"
        )
    patch = merged if form == "merged" else editor.read(model, session.state, Query.ask("?"))
    assert isinstance(patch, LowRank | Replaced), "an editor that can be merged reads weights"
    return patch
