"""A night: something that was corrected yesterday is wrong. Find out what it did, take it back, keep the proof.

Two corrections are made first, so that there is something to find: one is good, the other one says too much.
"""

from pathlib import Path

import errata

STORE = Path("night.db")
RULES = Path("rules.yaml")

with errata.open("llava-tiny", store=STORE) as model:
    good = model.edit("what is 3 plus 3?", "nine", author="ann", reason="house rule", ticket="H-1")
    bad = model.edit("where does mibo live?", "the cave", author="bo", reason="a rumour", ticket="H-2")
    before_bo = next(entry.seq for entry in model.history(bad.edit)) - 1

    # What must hold, written down: the audit asks for it.
    must = "must:\n      - question: where does mibo live?\n        answer: the old pier\n"
    RULES.write_text(f"edits:\n  {bad.edit[:12]}:\n    {must}", encoding="utf-8")
    found = model.audit(rules=RULES)
    for one in found.edits:
        print(f"{one.edit[:12]} {one.verdict}: {one.question} -> {one.now}")

    # How was it before, and what would going back take with it?
    print(f"before: {model.at(before_bo).ask('where does mibo live?').text}; now: {model.ask('where does mibo live?').text}")
    plan = model.revert_to(before_bo, dry_run=True)
    print(f"going back to entry {before_bo} would take back {len(plan.out)} and bring back {len(plan.back)}")

    # One is enough: the good one stays.
    receipt = model.revert(bad.edit, author="cleo", reason="wrong, see H-2")
    print(f"{receipt.status}: {receipt.before!r} is {receipt.after!r} again ({receipt.why})")
    assert model.in_force() == (good.edit,)

    # Bo was right after all.
    print(f"restored: {model.restore(bad.edit, author='cleo', reason='checked').status}")
    print(f"audit: {dict(model.audit().counts)}")

with errata.open("llava-tiny", store=STORE, read_only=True) as reader:
    for entry in reader.history(bad.edit):
        print(f"entry {entry.seq} {entry.time} {entry.kind} by {entry.by.author}: {entry.by.reason} [{entry.hash[:12]}]")
