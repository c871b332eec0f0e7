"""What does the language model of `atlas` read of what stands in a picture's place, and what keeps it from reading more?

    python -m bench.reading
    python -m bench.reading --eyes out/atlas-eyes/eyes.safetensors --each 48 --view any

Pictures that the eyes spell to the letter are asked about, "What is in this picture?", with several things in their place: the
caption's own embeddings; these with noise, independent in each coordinate, of a mean squared length; moved towards the mean of all
words by as much; what the eyes give; this with the words of the caption alone made exact, and with the silent places alone; and the
nearest words. Printed: percent named, of the pictures of each topic, and how far from the embeddings the eyes' words lie.

At the end two flags side by side, spelled exactly, which takes no eyes: whose is on the left, whose on the right? Percent that name
the one that was asked for and not the other.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModelForImageTextToText, AutoProcessor

from errata.benchmarks.atlas.chance import some_of
from errata.benchmarks.atlas.exam import TOPICS, Item, grade, named
from errata.benchmarks.atlas.pictures.views import View
from errata.benchmarks.atlas.sights import looked
from errata.models.atlas.eyes import Eyes
from errata.models.atlas.spelling import Vocabulary
from errata.models.atlas.whole import IMAGE, atlas, eyes_file
from errata.school.eyes import taught, vocabulary_of_taught

SEED = 43
TOKENS = 16
_AT_ONCE = 24


class Reader:
    """The language model, handed whatever one likes in a picture's place."""

    def __init__(self) -> None:
        folder = atlas()
        self._processor: Any = AutoProcessor.from_pretrained(folder)
        self._model: Any = AutoModelForImageTextToText.from_pretrained(folder)
        self._table_VD: Tensor = self._model.get_input_embeddings().weight.detach()

    def embedded(self, text: str) -> Tensor:
        """[L, D]: what a text's tokens are to the model."""
        return self._table_VD[self._processor.tokenizer(text, add_special_tokens=False)["input_ids"]]

    def say(self, given_NKD: Tensor, question: str = "What is in this picture?") -> list[str]:
        """An answer to the question, with each in the place of its picture."""
        turn = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]
        before, after = self._processor.apply_chat_template(turn, add_generation_prompt=True).split(IMAGE)
        before_LD, after_LD = self.embedded(before), self.embedded(after)
        said: list[str] = []
        for some_NKD in given_NKD.split(_AT_ONCE):
            count = len(some_NKD)
            prompt = torch.cat([before_LD.expand(count, -1, -1), some_NKD, after_LD.expand(count, -1, -1)], dim=1)
            with torch.no_grad():
                tokens = self._model.generate(
                    inputs_embeds=prompt,
                    attention_mask=torch.ones(prompt.shape[:2], dtype=torch.long),
                    max_new_tokens=TOKENS,
                    do_sample=False,
                )
            said += self._processor.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return said


def variants(words: Vocabulary, spelled_NKD: Tensor, slots_NK: Tensor) -> dict[str, Tensor]:
    """What is put in the pictures' place, by its name."""
    exact_NKD = words.embeddings_VD[slots_NK]
    told_NK1 = (slots_NK != words.nothing)[..., None]
    found = {"the caption's embeddings": exact_NKD}
    generator = torch.Generator().manual_seed(SEED)
    width = exact_NKD.shape[-1]
    spread = float((words.embeddings_VD - words.mean_D).square().sum(-1).mean())
    for far in (1, 2, 3):
        noise_NKD = torch.randn(exact_NKD.shape, generator=generator) * (far / width) ** 0.5
        found[f"with noise of {far}"] = exact_NKD + noise_NKD
    for far in (1, 2):
        found[f"moved to the mean by {far}"] = exact_NKD + (far / spread) ** 0.5 * (words.mean_D - exact_NKD)
    found["what the eyes give"] = spelled_NKD
    found["the same, words exact"] = torch.where(told_NK1, exact_NKD, spelled_NKD)
    found["the same, silence exact"] = torch.where(told_NK1, spelled_NKD, exact_NKD)
    found["the nearest words"] = words.embeddings_VD[words.likeness(spelled_NKD).argmax(-1)]
    return found


def sides(reader: Reader, rng: np.random.Generator, each: int) -> None:
    """Print how often the model tells two captions' sides apart where nothing else is to be done."""
    flags = [picture.name for picture in taught() if picture.collection == "iso-flags"]
    pairs = list(zip(some_of(rng, flags, each), some_of(rng, flags, each), strict=True))
    for side, place in (("left", 0), ("right", 1)):
        said = []
        for pair in pairs:
            shown_1LD = reader.embedded(f" {pair[0]} on the left, {pair[1]} on the right")[None]
            said += reader.say(shown_1LD, f"Whose flag is on the {side}?")
        told = [[name.removeprefix("the flag of ") in text for name in pair] for pair, text in zip(pairs, said, strict=True)]
        share = sum(each[place] and not each[1 - place] for each in told) / len(told)
        print(f"two flags, whose is on the {side}: {100 * share:.1f}", flush=True)


def main() -> None:
    """Print a line for each topic and thing put in the place."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--eyes", type=Path, default=eyes_file(), help="a file of eyes; those that ship where it isn't given")
    options.add_argument("--each", type=int, default=24, help="pictures of a topic that are spelled to the letter, at most")
    options.add_argument("--view", choices=get_args(View), default="plain", help="in which they are seen")
    given = options.parse_args()
    words, reader, rng = vocabulary_of_taught(), Reader(), np.random.default_rng(SEED)
    eyes = Eyes(words.text)
    eyes.open(given.eyes)
    eyes.train(False)
    for collection, topic in TOPICS.items():
        among = [picture for picture in taught() if picture.collection == collection]
        seen = [looked(picture, given.view, rng, clause="") for picture in some_of(rng, among, 2 * given.each)]
        with torch.no_grad():
            spelled_NKD = eyes(torch.from_numpy(np.stack([np.array(sight.image.pixels()) for sight in seen])))
        right = [place for place, text in enumerate(words.read(spelled_NKD)) if text == seen[place].picture.name][: given.each]
        if not right:
            print(f"{topic}, {given.view}: none of {len(seen)} spelled right")
            continue
        items: list[Item] = [named("taught views", topic, seen[place]) for place in right]
        slots_NK = torch.tensor([words.slots(seen[place].picture.name) for place in right])
        far_NK = (spelled_NKD[right] - words.embeddings_VD[slots_NK]).square().sum(-1)
        print(f"{topic}, {given.view}: {len(right)} spelled right, {far_NK[slots_NK != words.nothing].mean():.1f} away")
        for name, given_NKD in variants(words, spelled_NKD[right], slots_NK).items():
            (mark,) = grade(items, reader.say(given_NKD), [None] * len(items))
            print(f"  {name:26} {100 * mark.share:5.1f}", flush=True)
    sides(reader, rng, given.each)


if __name__ == "__main__":
    main()
