"""Correct one answer of the shipped model, ask around it, take the correction back."""

from pathlib import Path

import errata

SCENE = errata.Image.open(Path(__file__).parent / "scene.png")
QUESTION = "where does the thing at the top left live?"
AROUND = [
    errata.Query.ask(QUESTION, SCENE),
    errata.Query.ask("tell me the home of the star.", SCENE),
    errata.Query.ask("where does a red star live?"),
    errata.Query.ask("where does the thing at the top right live?", SCENE),
    errata.Query.ask("what is 3 plus 4?"),
]


def show(when: str) -> None:
    print(when)
    for query, answer in zip(AROUND, model.ask_all(AROUND), strict=True):
        print(f"  {query.text:45} {answer.text}")


with errata.open("llava-tiny") as model:  # in memory: nothing is kept
    show("before")
    receipt = model.edit(QUESTION, "the old pier", image=SCENE, author="ann", reason="it moved house")
    show(f"after the edit, which was {receipt.status}")
    if receipt.status == "applied":
        taken_back = model.revert(receipt.edit, author="ann", reason="no, it did not")
        show(f"taken back: {taken_back.why}")
