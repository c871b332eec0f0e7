"""`errata model merge`: the corrected model as an ordinary checkpoint folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from errata.cli._groups import grouped
from errata.cli._open import session_to_ask
from errata.cli._options import AsJson, Place
from errata.cli._print import note, say, say_json
from errata.core.counted import counted


@grouped
def merge(
    out: Annotated[Path, typer.Option("--out", help="The folder to write; it must not be there, or be empty.")],
    place: Place = Place(),
    as_json: AsJson = False,
) -> None:
    """Write the model with every edit in force in its weights, for whatever reads checkpoints; a read of it costs nothing more.

    Of the editors scopeedit, finetune, mend and odedit can be merged. The store stays the record: from a merged
    checkpoint nothing can be taken back. It is opened again and asked every edit's own question before the folder is there.

    \b
    Examples:
      errata model merge --out out/corrected
      errata model merge --store errata.db --branch main --out out/corrected --dtype bfloat16
    """
    from errata.models.converting.folder import check_folder
    from errata.session.merge import merge_into

    check_folder(out)
    with session_to_ask(place) as session:
        made = merge_into(session, out)
    if as_json:
        say_json({"folder": str(out), "edits": made.edits, "ending": made.ending, "agree": made.agree, "digest": made.digest})
        return
    say(f"saved: {out}, with {counted(made.edits, 'edit')} in its weights")
    say(f"of their own questions it answers {made.agree} as the store does")
    if made.ending:
        note(f"{made.ending} of them end by themselves in the store; in the checkpoint they don't.")
    say(f"digest: {made.digest[:12]}")
