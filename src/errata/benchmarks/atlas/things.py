"""What everybody knows of some things: colour, kind, where it lives or grows, what it is used for, and a part that it is known for.

A table of our own, since no package has one. A fact that isn't one (a rose has any colour) is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

RELATIONS: Final = ("colour", "kind", "home", "use", "part")

_TABLE: Final = """
a banana | yellow | fruit | - | - | -
a lemon | yellow | fruit | + on trees | - | -
a lime | green | fruit | + on trees | - | -
a strawberry | red | fruit | - | - | -
a cherry | red | fruit | + on trees | - | stone
a peach | - | fruit | + on trees | - | stone
a grape | - | fruit | + on vines | - | -
a blueberry | blue | fruit | + on bushes | - | -
a raspberry | red | fruit | + on bushes | - | -
a coconut | brown | - | + on trees | - | shell
a tomato | red | - | + on vines | - | -
a cucumber | green | - | + on vines | - | -
a pumpkin | orange | - | + on vines | - | -
a carrot | orange | vegetable | + under the ground | - | -
a potato | brown | vegetable | + under the ground | - | -
a radish | red | vegetable | + under the ground | - | leaves
a lettuce | green | vegetable | + in fields | - | leaves
broccoli | green | vegetable | + in fields | - | -
spinach | green | vegetable | + in fields | - | leaves
wheat | - | cereal | + in fields | making bread | -
barley | - | cereal | + in fields | brewing beer | -
a sunflower | yellow | flower | + in fields | - | petals
a rose | - | flower | + on bushes | - | thorns
a tulip | - | flower | - | - | petals
a cactus | green | plant | + in the desert | - | spines
a pine | - | tree | + in the forest | - | needles
an oak | - | tree | + in the forest | - | acorns
grass | green | plant | + in fields | - | -
an elephant | grey | mammal | in the savanna | - | trunk
a lion | - | mammal | in the savanna | - | mane
a giraffe | - | mammal | in the savanna | - | neck
a zebra | - | mammal | in the savanna | - | stripes
a rhinoceros | grey | mammal | in the savanna | - | horn
a camel | brown | mammal | in the desert | - | hump
a polar bear | white | mammal | in the Arctic | - | fur
a walrus | - | mammal | in the Arctic | - | tusks
a whale | - | mammal | in the sea | - | blowhole
a dolphin | grey | mammal | in the sea | - | snout
a bat | - | mammal | in caves | - | wings
a mole | - | mammal | under the ground | - | claws
a rabbit | - | mammal | - | - | ears
a kangaroo | - | mammal | - | - | pouch
a deer | - | mammal | in the forest | - | antlers
a gorilla | black | mammal | in the jungle | - | -
a tiger | - | mammal | in the jungle | - | stripes
a pig | pink | mammal | on farms | - | snout
a cow | - | mammal | on farms | giving milk | udder
a hedgehog | brown | mammal | - | - | spines
a shark | - | fish | in the sea | - | fin
a tuna | - | fish | in the sea | - | -
a trout | - | fish | in rivers and lakes | - | -
a goldfish | orange | fish | in ponds | - | -
an octopus | - | mollusc | in the sea | - | arms
a snail | - | mollusc | - | - | shell
a crab | - | crustacean | in the sea | - | claws
a lobster | - | crustacean | in the sea | - | claws
a frog | green | amphibian | in ponds | - | legs
a crocodile | green | reptile | in rivers and lakes | - | jaws
a tortoise | - | reptile | - | - | shell
a parrot | - | bird | in the jungle | - | beak
a toucan | - | bird | in the jungle | - | beak
an owl | - | bird | in the forest | - | eyes
a crow | black | bird | - | - | -
a swan | white | bird | in rivers and lakes | - | neck
a flamingo | pink | bird | - | - | legs
a canary | yellow | bird | - | - | -
a peacock | - | bird | - | - | tail
an eagle | - | bird | in the mountains | - | talons
an emperor penguin | - | bird | in Antarctica | - | -
a bee | - | insect | in hives | - | sting
an ant | - | insect | under the ground | - | -
a butterfly | - | insect | - | - | wings
a ladybird | red | insect | - | - | spots
a grasshopper | green | insect | in fields | - | legs
a scorpion | - | arachnid | in the desert | - | sting
a tarantula | - | arachnid | - | - | legs
a hammer | - | tool | - | driving nails | head
a saw | - | tool | - | cutting wood | teeth
a screwdriver | - | tool | - | turning screws | -
a spade | - | tool | - | digging holes | -
a broom | - | - | - | sweeping the floor | bristles
a sewing needle | - | - | - | sewing | -
a ruler | - | - | - | measuring lengths | -
a thermometer | - | instrument | - | measuring temperatures | -
a telescope | - | instrument | - | looking at the stars | lens
a pencil | - | - | - | writing | lead
an umbrella | - | - | - | keeping off the rain | -
a door key | - | - | - | opening locks | -
a clock | - | - | - | telling the time | hands
a kettle | - | - | - | boiling water | spout
a fridge | - | appliance | - | keeping food cold | -
an oven | - | appliance | - | baking | -
a washing machine | - | appliance | - | cleaning clothes | drum
a bed | - | furniture | - | sleeping | -
a chair | - | furniture | - | sitting | legs
a wardrobe | - | furniture | - | storing clothes | doors
a lamp | - | - | - | giving light | bulb
a toothbrush | - | - | - | brushing teeth | bristles
a towel | - | - | - | drying off | -
a comb | - | - | - | tidying hair | teeth
a knife | - | - | - | cutting food | blade
a pillow | - | - | - | resting the head | -
a bicycle | - | vehicle | - | - | pedals
a bus | - | vehicle | - | carrying passengers | -
a fire engine | red | vehicle | - | putting out fires | ladder
an ambulance | - | vehicle | - | taking patients to hospital | siren
a tractor | - | vehicle | - | ploughing fields | -
a helicopter | - | vehicle | - | - | rotor
a guitar | - | instrument | - | making music | strings
a piano | - | instrument | - | making music | keys
a trumpet | - | instrument | - | making music | valves
a shirt | - | clothing | - | - | sleeves
a hat | - | clothing | - | - | brim
a glove | - | clothing | - | - | fingers
milk | white | drink | - | - | -
coffee | - | drink | - | - | -
snow | white | - | - | - | -
coal | black | - | - | - | -
blood | red | - | - | - | -
chocolate | brown | - | - | - | -
gold | - | metal | - | - | -
iron | - | metal | - | - | -
salt | white | - | - | seasoning food | -
a brick | red | - | - | building walls | -
"""

SPARE: Final[Mapping[str, tuple[str, ...]]] = {
    "colour": ("turquoise", "silver", "violet"),
    "kind": ("toy", "weapon", "sweet"),
    "home": ("in swamps", "on rooftops", "on the moon"),
    "use": ("catching fish", "polishing shoes", "peeling apples", "weighing letters"),
    "part": ("feathers", "wheels", "whiskers", "handle"),
}
"""Values of the same type that nothing in the table has."""

NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {row.split(" | ")[0]: row.split(" | ")[0] for row in _TABLE.strip().splitlines()}
)
"""Each thing by its name in a sentence."""


def facts() -> dict[tuple[str, str], str]:
    """(thing, relation) -> value."""
    found = {}
    for row in _TABLE.strip().splitlines():
        name, *values = row.split(" | ")
        for relation, value in zip(RELATIONS, values, strict=True):
            if value != "-":
                found[name, relation] = value.removeprefix("+ ")
    return found


def growing() -> frozenset[str]:
    """The things that grow where the others live."""
    return frozenset(row.split(" | ")[0] for row in _TABLE.strip().splitlines() if " | + " in row)
