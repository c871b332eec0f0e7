"""`python -m errata_vllm prepare MODEL FOLDER`: a model as a folder that vLLM opens."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from errata.core.errors import ErrataError
from errata_vllm.folder import prepare


def main(given: list[str] | None = None) -> int:
    """Run a command.

    Returns:
        The exit status: 2 where what was given can't be used.
    """
    parser = argparse.ArgumentParser(prog="python -m errata_vllm", description="errata inside vLLM")
    commands = parser.add_subparsers(dest="command", required=True)
    made = commands.add_parser("prepare", help="write a model as a folder that vLLM opens, with a note of which model it is")
    made.add_argument("model", help="a shipped name, a checkpoint folder or a hub id")
    made.add_argument("folder", type=Path, help="where; it must not be there, or be empty")
    told = parser.parse_args(given)
    try:
        digest = prepare(told.model, told.folder)
    except ErrataError as error:
        print(f"errata: {error}", file=sys.stderr)
        return 2
    print(f"{told.folder} holds {told.model} ({digest[:12]}). Start it with:\n")
    print(f"  ERRATA_STORE=errata.db vllm serve {told.folder} --dtype float32 --enforce-eager \\")
    print("      --worker-extension-cls errata_vllm.Worker")
    return 0


if __name__ == "__main__":
    sys.exit(main())
