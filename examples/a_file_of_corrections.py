"""A morning: a file of corrections came in overnight. Read it, apply what holds, see what was refused, hand the rest back.

The store lies in the working folder; the second run of the same file does nothing twice.
"""

from pathlib import Path

import errata

CAME_IN = Path("overnight.csv")
STORE = Path("corrections.db")

CAME_IN.write_text(
    "question,target,author,ticket\n"
    "what is 3 plus 3?,nine,bo,Q-101\n"
    "where does mibo live?,the old pier,bo,Q-102\n"
    "what is 2 plus 2?,,bo,Q-103\n",  # nobody said what the right answer is
    encoding="utf-8",
)

with errata.open("llava-tiny", store=STORE) as model:
    # What would one of them do? Nothing is changed by asking.
    draft = model.preview("where does mibo live?", "the old pier", recent=["where does the ring live?", "what is 2 plus 2?"])
    print(f"a dry run: {draft.status}; of {draft.asked} recent questions {len(draft.moved)} would be answered otherwise")

    done = model.import_file(CAME_IN, author="night shift", reason="overnight queue")
    print(f"applied {done.applied}, refused {done.refused}, not to be used {done.bad}")
    for sentence in done.told:
        print(f"  {sentence}")

    again = model.import_file(CAME_IN, author="night shift")
    print(f"a second time: applied {again.applied}, passed over {again.passed_over}")

    for question in ("what is 3 plus 3?", "where does mibo live?", "what is 2 plus 2?"):
        answer = model.ask(question)
        print(f"  {question:25} {answer.text}")

    exported = model.export("in-force.jsonl", force=True)
    print(f"in force, as a file: {exported.written.edits} edits")

    for entry in model.history():
        print(f"  entry {entry.seq}: {entry.kind} by {entry.by.author} {entry.by.ticket}")
