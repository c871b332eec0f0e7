"""`errata bench build-fgv`: a fine-grained benchmark from a user's own questions on pictures, judged by a model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from errata.cli._print import fields, say, watched


def build(
    questions: Annotated[Path, typer.Argument(help="Objects {image, question, answer}: a JSON list, or one to a line.")],
    locality: Annotated[Path, typer.Option("--locality", help="Objects {question, answer}: questions in words, on other things.")],
    base_url: Annotated[str, typer.Option("--base-url", help="The judge's endpoint, OpenAI-compatible, such as https://host/v1.")],
    judge: Annotated[str, typer.Option("--judge", help="The name of the model that judges there.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the benchmark, and for what the judge said.")],
    images: Annotated[
        Path | None, typer.Option("--images", help="Folder of the pictures. Not given: the folder of the questions.")
    ] = None,
    key_env: Annotated[
        str, typer.Option("--key-env", help="The environment variable that holds the key; unset: none is sent.")
    ] = "OPENAI_API_KEY",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draws which pictures are for the test file: one in four.")] = 7,
    parallel: Annotated[int, typer.Option("--parallel", min=1, max=64, help="Requests that are under way at once.")] = 4,
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds of silence before a request is given up.")] = 60.0,
) -> None:
    """Build FGVEdit's kind of benchmark from your own questions on pictures; `errata bench fgvedit --data FOLDER` then runs it.

    The first question on each picture is the edit. A judge says of every other one whether the edit's answer decides its answer,
    with the picture and without it. What it says is kept in judge.jsonl: a build that was stopped goes on and asks nothing twice.

    \b
    Examples:
      errata bench build-fgv vqa.json --locality words.json --base-url http://localhost:8000/v1 --judge my-vlm --out out/mine
      errata bench build-fgv vqa.jsonl --images pictures --locality words.json --base-url https://host/v1 --judge m --out out/mine
    """
    from errata.benchmarks.fgv_build import KEPT, Kept, read_locality, read_questions
    from errata.benchmarks.fgv_build import build as built
    from errata.measure.judge import Judge

    ask = Judge(base_url, judge, os.environ.get(key_env, ""), timeout_s=timeout)
    pictures = read_questions(questions, questions.parent if images is None else images)
    texts = read_locality(locality)
    out.mkdir(parents=True, exist_ok=True)
    kept = Kept(out / KEPT, ask, model=judge)
    with watched("judging") as progress:
        found = built(pictures, texts, kept, out, seed=seed, parallel=parallel, progress=progress)
    fields(
        {
            "to train on": str(found.train),
            "to test on": str(found.test),
            **{f"left out, {reason}": str(count) for reason, count in found.left_out.items()},
            "judgements that were no yes or no": str(found.unclear),
            "asked of the judge now": str(kept.new),
        }
    )
    say(f"benchmark: {out}")
