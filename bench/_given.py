"""What the measurements here have in common: how each is described and what is given to it."""

from __future__ import annotations

import argparse


def options(said: str | None, *, model: bool = False, edits: int | None = None, seed: int | None = None) -> argparse.ArgumentParser:
    """A parser that shows a module's docstring, with the options that several modules take.

    Args:
        said: the docstring.
        model: whether there is a --model.
        edits: the default of --edits; None: there is none.
        seed: the default of --seed; None: there is none.
    """
    parser = argparse.ArgumentParser(description=said, formatter_class=argparse.RawDescriptionHelpFormatter)
    if model:
        parser.add_argument("--model", default="llava-tiny", help="a shipped name or a checkpoint folder")
    if edits is not None:
        parser.add_argument("--edits", type=int, default=edits)
    if seed is not None:
        parser.add_argument("--seed", type=int, default=seed)
    return parser


def numbers(text: str) -> list[int]:
    """Whole numbers with commas: the type of an option."""
    return [int(each) for each in text.split(",")]
