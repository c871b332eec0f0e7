"""`errata export`: the corrected model for other engines, each with a canary; and the canary asked where it was taken to."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from errata.cli._groups import grouped
from errata.cli._open import check_device, session_to_ask
from errata.cli._options import AsJson, Device, Dtype, Place
from errata.cli._print import complain, note, say, say_json
from errata.core.canonical import JSON
from errata.core.counted import counted
from errata.core.errors import BadInput, quoted
from errata.core.given import words
from errata.core.records import Query
from errata.core.settings import settings

if TYPE_CHECKING:
    from errata.session.exporting.forms import Exported

app = typer.Typer()

FormName = Literal["peft", "merged", "vllm"]

KEY: Final = "OPENAI_API_KEY"
"""The variable that holds an endpoint's key."""

FAILED: Final = 1
"""Exit code: the target doesn't answer as it must."""

_WARNING: Final = (
    "Whoever has the export and the base model can work out what was changed, and with it what the edits were about. "
    "Hand it only to those who may know them."
)


@app.callback(invoke_without_command=True)
@grouped
def export(
    context: typer.Context,
    to: Annotated[
        FormName | None,
        typer.Option("--to", help="peft: one LoRA adapter; merged: a checkpoint folder; vllm: an adapter under a name of its own."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The folder to write; it must not be there, or be empty.")] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", help="Try this first as the question that must not have moved; may be given several times."),
    ] = None,
    place: Place = Place(),
    as_json: AsJson = False,
) -> None:
    """Write the corrected model for another engine, with a canary: two questions that tell whether the corrections are there.

    Of the editors scopeedit, finetune, mend, odedit and lora can be exported: their edits are weights. An adapter adds exactly what
    the store's state adds; a merged checkpoint has it in its weights, under the tensor names of the hub. Either way the folder is
    opened again, by PEFT itself or by transformers, and asked both questions before it is there.

    \b
    Examples:
      errata export --to peft --out out/adapter
      errata export --to merged --out out/corrected --dtype bfloat16
      errata export --to vllm --out out/adapter-17 --keep "what is the capital of France?"
      errata export check out/adapter
    """
    if context.invoked_subcommand is not None:
        return
    if to is None or out is None:
        raise BadInput("Say what to write and where: errata export --to peft --out FOLDER (or --to merged, --to vllm).")
    if settings()["server"].chosen and place.where.store is None:
        raise BadInput(
            "An export is made where the store is, not through a server, and ERRATA_SERVER names one. Give --store PLACE."
        )
    from errata.models.converting.folder import check_folder
    from errata.models.exported.adapter import check_peft

    check_folder(out)
    if to != "merged":
        check_peft()
    asked = [Query.ask(words(text, "question")) for text in keep or ()]
    with session_to_ask(place) as session:
        from errata.session.exporting.forms import export_into

        made = export_into(session, to, out, keep=asked)
    note(_WARNING)
    if made.ending:
        note(f"{made.ending} of them end by themselves in the store; in the export they don't.")
    if as_json:
        say_json(_told(made, out))
        return
    _say(made, out)


@app.command()
@grouped
def check(
    target: Annotated[str, typer.Argument(help="The folder that was written, or the URL of a server that speaks OpenAI's API.")],
    canary: Annotated[Path | None, typer.Option("--canary", help="Of a URL: the folder that was written.")] = None,
    served: Annotated[
        str, typer.Option("--served", help="Of a URL: the model's name there. Not given: the export's own, or the only one.")
    ] = "",
    model: Annotated[str, typer.Option("--model", help="Of an adapter's folder: the base model. Not given: as exported.")] = "",
    device: Device = "cpu",
    dtype: Dtype = "auto",
    as_json: AsJson = False,
) -> None:
    """Ask an export's canary through the target itself, and fail where one of the two answers isn't what it must be.

    A folder is opened by transformers and PEFT. A server is asked greedily, pictures as data URLs; its key is taken from
    OPENAI_API_KEY. Exit codes: 0 both are as they must be; 1 one isn't; 2 the target can't be asked.

    \b
    Examples:
      errata export check out/adapter
      errata export check http://localhost:8000 --canary out/adapter-17
      errata export check http://localhost:8000 --canary out/corrected --served corrected
    """
    at_url = "://" in target
    if at_url and canary is None:
        raise BadInput("A server is asked with an export's canary. Name the folder that was written: --canary FOLDER")
    if not at_url and (canary is not None or served):
        raise BadInput("--canary and --served are for a server. Give its URL, or leave them out.")
    if not at_url and not Path(target).is_dir():
        raise BadInput(f"{quoted(target)} is neither a folder nor a URL. Name the folder that errata export wrote.")
    check_device(device)
    from errata.session.exporting.check import check_endpoint, check_folder

    if canary is not None:
        found = check_endpoint(target, canary, served=served, key=os.environ.get(KEY, "").strip())
    else:
        found = check_folder(Path(target), base=model, device=device, dtype=None if dtype == "auto" else dtype)
    if as_json:
        say_json({"corrected": found.corrected, "unmoved": found.unmoved, "wrong": list(found.wrong)})
    for sentence in found.wrong:
        complain(sentence)
    if found.wrong:
        raise typer.Exit(FAILED)
    if not as_json:
        say("as corrected: the edits are in force there")
        say("as before: the question that must not move hasn't moved")


def _say(made: Exported, out: Path) -> None:
    what = f"an adapter of rank {made.rank}" if made.rank else "a checkpoint"
    say(f"saved: {out}, {what} with {counted(made.edits, 'edit')}")
    say(
        f"asked through {'PEFT' if made.rank else 'transformers'} itself: both questions of its canary are answered as they must be"
    )
    for line in _vllm(made, out):
        say(line)


def _vllm(made: Exported, out: Path) -> list[str]:
    """How vLLM loads it, and how one finds out whether it did."""
    folder = str(out.resolve())
    if made.form == "peft":
        return []
    checked = f"errata export check http://localhost:8000 --canary {shlex.quote(folder)}"
    if made.form == "merged":
        return ["in vLLM:", f"  vllm serve {shlex.quote(folder)} --dtype {made.dtype}", f"  {checked}"]
    body = json.dumps({"lora_name": made.name, "lora_path": folder})
    return [
        f"name: {made.name}",
        "in vLLM, from the start:",
        f"  {_serve(made)} --lora-modules {shlex.quote(f'{made.name}={folder}')}",
        "or while it runs, if it was started with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True:",
        f"  curl -X POST http://localhost:8000/v1/load_lora_adapter -H 'Content-Type: application/json' -d {shlex.quote(body)}",
        "then ask it, because vLLM may load an adapter and not use it:",
        f"  {checked}",
    ]


def _serve(made: Exported) -> str:
    from errata.session.exporting.forms import VLLM_RANKS

    most = next(rank for rank in VLLM_RANKS if rank >= made.rank)
    tower = " --enable-tower-connector-lora" if made.outside else ""
    return f"vllm serve {shlex.quote(made.base)} --dtype {made.dtype} --enable-lora --max-lora-rank {most}{tower}"


def _told(made: Exported, out: Path) -> dict[str, JSON]:
    canary = made.canary
    return {
        "folder": str(out),
        "form": made.form,
        "name": made.name,
        "base": made.base,
        "edits": made.edits,
        "ending": made.ending,
        "rank": made.rank,
        "modules": list(made.modules),
        "dtype": made.dtype,
        "canary": {
            "corrected": {"question": canary.corrected.query.text, "before": canary.before, "answer": canary.corrected.due},
            "unmoved": {"question": canary.unmoved.query.text, "answer": canary.unmoved.due},
        },
        "load": [line.strip() for line in _vllm(made, out) if line.startswith("  ")],
    }
