"""Correct one answer of the shipped model, ask around it, take the correction back."""

from pathlib import Path

from errata.core.images import Image
from errata.core.records import Edit, Provenance, Query
from errata.editors import parse
from errata.log import EditLog, MemoryStore
from errata.models import load
from errata.session.session import Session

scene = Image.open(Path(__file__).parent / "scene.png")
question = Query.ask("where does the thing at the top left live?", scene)
around = [
    question,
    Query.ask("tell me the home of the star.", scene),
    Query.ask("where does a red star live?"),
    Query.ask("where does the thing at the top right live?", scene),
    Query.ask("what is 3 plus 4?"),
]

session = Session.open(load("llava-tiny"), parse("codebook"), EditLog(MemoryStore()))


def show(when: str) -> None:
    print(when)
    for query, answer in zip(around, session.ask(around), strict=True):
        print(f"  {query.text:45} {answer.text}")


show("before")
receipt = session.edit(Edit(question, "the old pier", subject="red star"), Provenance("ann", "it moved house"))
show(f"after the edit, which was {receipt.status}")
if receipt.status == "applied":
    taken_back = session.revert(receipt.edit, Provenance("ann", "no, it did not"))
    show(f"taken back: {taken_back.why}")
