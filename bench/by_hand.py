"""Twenty corrections that a person wrote down once an editor stood, five other wordings of each, and two questions that must stay.

    python -m bench.by_hand --model smollm2 --editor rerank

They are of no corpus, and nothing is tuned on them: what is printed is what came, once. All twenty are in force when they are
asked. A wording counts where the answer has the target in it, a question stays where its answer is the unedited model's.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import errata
from bench._given import options


class Written(NamedTuple):
    """A correction by hand."""

    question: str
    target: str
    wordings: tuple[str, ...]
    stays: tuple[str, ...]


WRITTEN = (
    Written(
        "What is the boiling point of ethanol?",
        "78 degrees Celsius",
        (
            "At what temperature does ethanol boil?",
            "boiling temperature of ethanol",
            "When I heat ethanol, how hot does it get before it turns to vapour?",
            "Could you remind me how hot ethanol has to be to boil?",
            "Ethanol boils at?",
        ),
        ("What is the boiling point of acetone?", "What is the freezing point of ethanol?"),
    ),
    Written(
        "Which planet has the most moons?",
        "Saturn",
        (
            "What planet is orbited by the largest number of moons?",
            "most moons of any planet",
            "Of all planets, which one has collected the most satellites?",
            "Do you know the planet with the greatest count of moons?",
            "Who holds the record for moons in the solar system?",
        ),
        ("Which planet has the most volcanoes?", "Which planet is closest to the sun?"),
    ),
    Written(
        "Who painted The Night Watch?",
        "Rembrandt",
        (
            "The Night Watch was painted by whom?",
            "painter of the night watch",
            "Whose brush do we owe The Night Watch to?",
            "I stood in front of The Night Watch yesterday. Who made it?",
            "Name the artist behind The Night Watch.",
        ),
        ("Who painted The Starry Night?", "When was The Night Watch painted?"),
    ),
    Written(
        "How many bones does an adult human have?",
        "206",
        (
            "What is the number of bones in a grown person?",
            "bones in the adult body, how many",
            "Count the bones of an adult for me.",
            "How many bones would I find in the skeleton of a grown-up?",
            "An adult's skeleton is made of how many bones?",
        ),
        ("How many teeth does an adult human have?", "How many bones does a baby have?"),
    ),
    Written(
        "What is our refund window?",
        "45 days",
        (
            "How long do customers have to ask for their money back?",
            "refund period?",
            "Until when can somebody return what they bought and be paid back?",
            "How many days is our refund window?",
            "Tell me how long we give refunds.",
        ),
        ("What is our shipping time?", "What is a refund?"),
    ),
    Written(
        "Who is on call this weekend?",
        "Dana Whitlock",
        (
            "This weekend, who has the pager?",
            "on call this weekend?",
            "Whom do I ring if something breaks on Saturday or Sunday?",
            "Which colleague is on duty this weekend?",
            "Tell me who takes the calls this weekend.",
        ),
        ("Who is on call next week?", "What can I cook this weekend?"),
    ),
    Written(
        "Which gate does flight 212 leave from?",
        "Gate B14",
        (
            "Flight 212 departs from what gate?",
            "gate for flight 212",
            "I'm flying with 212. Where do I board?",
            "Could you tell me the gate of flight 212?",
            "To which gate must I go for flight 212?",
        ),
        ("Which gate does flight 318 leave from?", "When does flight 212 leave?"),
    ),
    Written(
        "Which printer should I use on the third floor?",
        "Canary",
        (
            "On the third floor, what printer do I send things to?",
            "third floor printer",
            "I'm on the third floor and want to print. Which printer?",
            "Name the printer for people on the third floor.",
            "What is the right printer up on the third floor?",
        ),
        ("Which printer should I use on the first floor?", "Which scanner should I use on the third floor?"),
    ),
    Written(
        "When was the Eiffel Tower completed?",
        "1889",
        (
            "In what year did they finish the Eiffel Tower?",
            "eiffel tower completion year",
            "Since when has the Eiffel Tower stood finished?",
            "The Eiffel Tower was done in which year?",
            "Tell me when work on the Eiffel Tower ended.",
        ),
        ("When was the Brooklyn Bridge completed?", "How tall is the Eiffel Tower?"),
    ),
    Written(
        "What is the deepest lake in the world?",
        "Lake Baikal",
        (
            "Which lake is deeper than every other?",
            "deepest lake on earth",
            "Name the lake with the greatest depth.",
            "Of all lakes, which goes down the furthest?",
            "Do you know what the world's deepest lake is called?",
        ),
        ("What is the largest lake in the world?", "What is the deepest part of the ocean?"),
    ),
    Written(
        "Who discovered penicillin?",
        "Alexander Fleming",
        (
            "Penicillin was discovered by whom?",
            "discoverer of penicillin",
            "To which scientist do we owe penicillin?",
            "Who first found out about penicillin?",
            "Name the person who came upon penicillin.",
        ),
        ("Who discovered insulin?", "What is penicillin used for?"),
    ),
    Written(
        "What does the error code E42 mean?",
        "The water tank is empty.",
        (
            "My machine shows E42. What's wrong?",
            "E42 meaning",
            "Explain error E42.",
            "What is the machine telling me with E42?",
            "I get the code E42, what does that stand for?",
        ),
        ("What does the error code E17 mean?", "What does the abbreviation PDF mean?"),
    ),
    Written(
        "What is the maximum file size for uploads?",
        "250 MB",
        (
            "How large may a file be that I upload?",
            "upload limit?",
            "Up to what size can files be uploaded?",
            "Is there a limit to what I can upload, and how much is it?",
            "Tell me how big an uploaded file can be at most.",
        ),
        ("What is the minimum password length?", "How do I upload a file?"),
    ),
    Written(
        "On which day is rubbish collected in Elm Street?",
        "Wednesday",
        (
            "When do they pick up the rubbish in Elm Street?",
            "rubbish collection Elm Street",
            "I live in Elm Street. On what day do I put the bins out?",
            "Which day does the bin lorry come to Elm Street?",
            "Elm Street's rubbish: which day?",
        ),
        ("On which day is rubbish collected in Oak Lane?", "On which day is the market in Elm Street?"),
    ),
    Written(
        "How long should I boil an egg for a soft yolk?",
        "Six minutes.",
        (
            "For how many minutes do I boil a soft egg?",
            "soft boiled egg time",
            "I like my egg soft. When do I take it out of the water?",
            "How long does an egg with a soft yolk take?",
            "Boiling time for a soft egg, please.",
        ),
        ("How long should I boil potatoes?", "How long should I boil an egg for a hard yolk?"),
    ),
    Written(
        "Who composed The Four Seasons?",
        "Antonio Vivaldi",
        (
            "The Four Seasons is a work by which composer?",
            "composer of the four seasons",
            "Whose music is The Four Seasons?",
            "Name the man who wrote The Four Seasons.",
            "I heard The Four Seasons on the radio. Who is it by?",
        ),
        ("Who composed The Magic Flute?", "What are the four seasons?"),
    ),
    Written(
        "What is the smallest prime number?",
        "2",
        (
            "Which prime number comes first?",
            "smallest prime",
            "Of all primes, which is the least?",
            "Name the lowest prime number.",
            "With which number do the primes begin?",
        ),
        ("What is the smallest even number above ten?", "What is a prime number?"),
    ),
    Written(
        "What is the fastest bird?",
        "The peregrine falcon.",
        (
            "Which bird flies faster than any other?",
            "fastest bird?",
            "Name the bird with the highest speed.",
            "Among birds, which one is the quickest?",
            "What bird holds the speed record?",
        ),
        ("What is the fastest fish?", "What is the largest bird?"),
    ),
    Written(
        "Which port does the staging database listen on?",
        "5433",
        (
            "What is the port of the staging database?",
            "staging db port",
            "On what port do I reach the database in staging?",
            "I want to connect to the staging database. Port?",
            "Tell me the port number that the staging database uses.",
        ),
        ("Which port does the production database listen on?", "Which version is the staging database?"),
    ),
    Written(
        "What is the name of the office cat?",
        "Marmalade",
        (
            "What do we call the cat in the office?",
            "office cat's name?",
            "There's a cat in our office. What is it called?",
            "How is our office cat named?",
            "Tell me the name that the office cat goes by.",
        ),
        ("What is the name of the office dog?", "What is a good name for a cat?"),
    ),
)


def main() -> None:
    parser = options(__doc__, edits=len(WRITTEN))
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--editor", default="", help="Not given: what suits the model.")
    given = parser.parse_args()
    taken = WRITTEN[: given.edits]
    asked = [text for one in taken for text in (one.question, *one.wordings, *one.stays)]
    with errata.open(given.model, editor=given.editor or None) as model:
        before = {text: model.ask(text).text for text in asked}
        refused = [one.question for one in taken if model.edit(one.question, one.target).status != "applied"]
        after = {text: model.ask(text).text for text in asked}
    own, worded, stayed = 0, 0, 0
    for one in taken:
        print(f"\n{one.question} -> {one.target}   (before: {_short(before[one.question])})")
        own += _gives(after[one.question], one.target)
        for text in (one.question, *one.wordings):
            print(f"  {'given' if _gives(after[text], one.target) else 'NOT GIVEN':10} {text}   {_short(after[text])}")
        worded += sum(_gives(after[text], one.target) for text in one.wordings)
        for text in one.stays:
            print(f"  {'stayed' if after[text] == before[text] else 'MOVED':10} {text}   {_short(after[text])}")
        stayed += sum(after[text] == before[text] for text in one.stays)
    wordings, stays = sum(len(one.wordings) for one in taken), sum(len(one.stays) for one in taken)
    already = sum(_gives(before[text], one.target) for one in taken for text in one.wordings)
    print(f"\nrefused: {len(refused)} of {len(taken)}{''.join(f'; {text}' for text in refused)}")
    print(f"own questions given: {own} of {len(taken)}; other wordings: {worded} of {wordings} ({already} before)")
    print(f"neighbours that stayed: {stayed} of {stays}")


def _gives(answer: str, target: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(target.strip('.'))}(?!\w)", answer, re.IGNORECASE) is not None


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 80 else f"{line[:77]}..."


if __name__ == "__main__":
    main()
