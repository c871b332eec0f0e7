"""What a write and a read cost on a random LLaVA of some 340 million parameters, in full passes and in unedited answers.

    OMP_NUM_THREADS=2 .venv/bin/python bench/large.py --edits 12

The model is built in a temporary folder and loaded as any other; its weights are random, so only times mean anything. Each write
stands beside one full forward and backward pass of its own input, taken just before it, as `write_over_pass` is in every
`result.json`. Late edits of a stream aren't the early ones (their answers may be longer), so the last tenth of them is the first
tenth again, put to the model loaded anew, which has seen none of it. Give --small for a model of the shipped size, or --model for
one by name.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

from errata.benchmarks.scopeworld.stream import ScopeWorldStream
from errata.core.editor import Merges, Protects
from errata.editors import parse, state_bytes
from errata.measure.evaluate import pass_ms, read_over_base
from errata.models import load
from errata.models.small.build import LlavaSizes, build_llava
from errata.school.school import texts

SIZES = LlavaSizes(width=1024, layers=20, ffn=2816, vision_width=768, vision_layers=12, vision_ffn=3072)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--editor", default="codebook")
    options.add_argument("--edits", type=int, default=12)
    options.add_argument("--pool", type=int, default=16, help="queries that the editor measures at the start")
    options.add_argument("--small", action="store_true")
    options.add_argument("--model", help="a trained one in the place of the random one")
    given = options.parse_args()
    stream = ScopeWorldStream(seed=7, edits=given.edits)
    with tempfile.TemporaryDirectory() as place:
        if given.model is None:
            build_llava(Path(place), texts=texts(count=300), sizes=LlavaSizes() if given.small else SIZES)
        model = load(given.model or place)
        editor = parse(given.editor)
        if isinstance(editor, Protects):
            editor = editor.protecting(stream.pool()[: given.pool])
        state, ratios, passes, sizes = editor.begin(model), [], [], []
        tenth = max(1, given.edits // 10)
        for index in range(given.edits):
            again = index - (given.edits - tenth)
            if again == 0:
                model = load(given.model or place)
            edit = stream[index].edit if again < 0 else replace(stream[again].edit, subject="again")
            passes.append(pass_ms(model, edit))
            started = time.perf_counter()
            state = editor.write(model, state, edit)
            ratios.append((time.perf_counter() - started) * 1000 / passes[-1])
            sizes.append(state_bytes(state))
            print(f"edit {index + 1}: pass {passes[-1]:.0f} ms, write {ratios[-1]:.2f} passes", flush=True)
        queries = [stream[index].edit.query for index in range(min(6, given.edits))]
        read = read_over_base(model, lambda query: editor.read(model, state, query), queries)
        print(f"{model.parameters / 1e6:.0f} million parameters, {given.editor}: {median(ratios):.2f} passes a write (median)")
        print(f"the last tenth of the writes over the first {median(ratios[-tenth:]) / median(ratios[:tenth]):.3f}, in passes")
        print(f"state {sizes[0] / 1e6:.1f} MB after the first edit, {sizes[-1] / 1e6:.1f} MB after the last")
        print(f"read over base {read:.3f}")
        merged = editor.merged(model, state) if isinstance(editor, Merges) else None
        if merged is not None:
            print(f"read over base, merged {read_over_base(model, lambda _: merged, queries):.3f}")
            apart = model.answers(queries, [editor.read(model, state, query) for query in queries], max_new_tokens=8)
            together = model.answers(queries, [merged] * len(queries), max_new_tokens=8)
            agree = sum(a == b for a, b in zip(apart, together, strict=True))
            print(f"merged and unmerged agree on {agree} of {len(queries)} answers")


if __name__ == "__main__":
    main()
