"""Subjects and values of each sort, and what people say around a question. Written by hand; values are of the right sort and not true."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SUBJECTS: Final[Mapping[str, tuple[str, ...]]] = {
    "person": tuple(
        "Marie Curie|Isaac Newton|Ada Lovelace|Charles Darwin|Frida Kahlo|Nelson Mandela|Amelia Earhart|Alan Turing|Jane Austen|Leonardo da Vinci|Rosa Parks|Nikola Tesla|Albert Einstein|Mozart|Cleopatra|Neil Armstrong|Florence Nightingale|Galileo Galilei|Virginia Woolf|Pablo Picasso|Grace Hopper|Mahatma Gandhi|Sigmund Freud|Joan of Arc|Ernest Hemingway|Simone Biles|David Bowie|Anna Larsen|Tom Becker|Priya Raman|Kenji Mori|Maria Santos|Dr. Olsen|Professor Whitfield|Mr. Abara|Emily Dickinson|Louis Pasteur|Johann Sebastian Bach|Vincent van Gogh|Dmitri Mendeleev|Katherine Johnson|Bruce Lee".split(
            "|"
        )
    ),
    "company": tuple(
        "Apple|Toyota|Nestlé|Siemens|Samsung|Boeing|IKEA|Netflix|Spotify|Nokia|Volvo|Adidas|Lego|Sony|Airbus|Shell|Unilever|Ferrari|Nintendo|Philips|Intel|Heineken|Zara|Bosch|Acme Logistics|Northwind Traders|Blue Heron Bakery|Fenwick & Sons|Globex|Orchard Media|Tesla|Honda|Pfizer|Starbucks|Visa|Canon".split(
            "|"
        )
    ),
    "book": tuple(
        "Moby Dick|Pride and Prejudice|The Hobbit|War and Peace|Frankenstein|Dracula|Don Quixote|Hamlet|The Great Gatsby|Jane Eyre|1984|Crime and Punishment|The Odyssey|Ulysses|Emma|Middlemarch|Brave New World|The Trial|Walden|Macbeth|Heidi|Treasure Island|The Little Prince|Dune|Great Expectations|The Secret Garden|Lolita|Beloved|Siddhartha|The Stranger".split(
            "|"
        )
    ),
    "film": tuple(
        "Jaws|Casablanca|Titanic|Alien|Psycho|Inception|The Godfather|Vertigo|Amadeus|Rocky|Fargo|Avatar|Gladiator|Metropolis|The Matrix|Toy Story|Jurassic Park|Citizen Kane|Spirited Away|Parasite|Amélie|Blade Runner|King Kong|Mad Max|Goldfinger|Up".split(
            "|"
        )
    ),
    "city": tuple(
        "Chicago|Mumbai|Barcelona|Osaka|Melbourne|Hamburg|Naples|Toronto|Lagos|Istanbul|Krakow|Lyon|Seattle|Porto|Geneva|Boston|Shanghai|Glasgow|Seville|Milan|Zurich|Cape Town|Montreal|Dubai|Antwerp|Kyoto|Houston|Bergen|Salzburg|Rotterdam".split(
            "|"
        )
    ),
    "river": tuple(
        "the Nile|the Danube|the Amazon|the Rhine|the Thames|the Mississippi|the Volga|the Ganges|the Loire|the Congo|the Mekong|the Elbe|the Yukon|the Zambezi|the Tiber|the Murray|the Vistula|the Ohio|the Seine|the Indus".split(
            "|"
        )
    ),
    "mountain": tuple(
        "Mount Everest|Mont Blanc|K2|Mount Fuji|Kilimanjaro|the Matterhorn|Denali|Mount Etna|Mount Olympus|Ben Nevis|Aconcagua|Mount Elbrus|Mount Rainier|Table Mountain|the Eiger|Vesuvius".split(
            "|"
        )
    ),
    "animal": tuple(
        "a tiger|a penguin|an elephant|a salmon|a honeybee|a giraffe|an octopus|a wolf|a kangaroo|a koala|a hedgehog|a camel|an eagle|a dolphin|a tortoise|a frog|a bat|a horse|an ostrich|a shark|a squirrel|a crocodile|a parrot|a hamster|a goat|a whale|a spider|a lobster|a moose|a llama".split(
            "|"
        )
    ),
    "food": tuple(
        "hummus|sushi|risotto|goulash|paella|kimchi|guacamole|borscht|pesto|tiramisu|falafel|pancakes|ramen|chutney|pho|bread|fondue|gazpacho|curry|lasagna|a croissant|baklava|tofu|marmalade|haggis|sauerkraut|a pretzel|mayonnaise".split(
            "|"
        )
    ),
    "element": tuple(
        "oxygen|gold|iron|helium|carbon|sodium|mercury|neon|calcium|copper|silver|uranium|nitrogen|lead|zinc|hydrogen|chlorine|tin|potassium|sulfur|argon|lithium|silicon|nickel".split(
            "|"
        )
    ),
    "project": tuple(
        "the Kestrel project|the Aurora rollout|the billing service|the staging server|the Monday report|the search index|the Falcon release|the login page|the data lake|project Willow|the payroll export|the mobile app|the Atlas migration|the help desk|the nightly backup|the customer survey|the partner portal|the inventory system|the press kit|the onboarding guide|the warehouse scanner|the loyalty program".split(
            "|"
        )
    ),
    "room": tuple(
        "room Aspen|the library|the canteen|meeting room 4|the lab on floor 2|the front desk|the gym|the parking garage|the server room|the east wing|the auditorium|the print shop|the mail room|the clinic|the workshop|the roof terrace|the archive|the night shop|the swimming pool|the museum".split(
            "|"
        )
    ),
    "product": tuple(
        "the X200 printer|the Nimbus kettle|a Model T drill|the Polar jacket|the Orion lamp|the Vega phone|a Sparrow bicycle|the Titan safe|the Luna mattress|the Quill pen|the Breeze fan|a Delta tent|the Ember stove|the Halo headset|the Rover vacuum|the Onyx watch|the Pico camera|the Summit backpack|the Coral toothbrush|the Atlas chair".split(
            "|"
        )
    ),
    "sport": tuple(
        "tennis|cricket|rugby|chess|ice hockey|badminton|golf|volleyball|baseball|curling|fencing|judo|rowing|water polo|snooker|handball|archery|polo".split(
            "|"
        )
    ),
    "plant": tuple(
        "basil|a tulip|bamboo|an oak|a rose|lavender|a cactus|ivy|a fern|a sunflower|mint|an orchid|a pine|wheat|a lily|thistle|clover|a daffodil|rosemary|a willow".split(
            "|"
        )
    ),
    "event": tuple(
        "the French Revolution|World War I|the moon landing|the Battle of Hastings|the fall of the Berlin Wall|the Black Death|the Great Fire of London|the Boston Tea Party|the sinking of the Titanic|the Russian Revolution|the first Olympic Games|the Chernobyl disaster|the spring conference|the annual picnic|the product launch|the board meeting|the winter sale|the team offsite".split(
            "|"
        )
    ),
    "country": tuple(
        "France|Norway|Peru|Japan|Kenya|Portugal|Vietnam|Canada|Egypt|Greece|Mongolia|Chile|the Netherlands|Ghana|Iceland|Jordan|Hungary|Ecuador|Nepal|Finland|Mali|Ireland|Thailand|Cuba|Latvia|Morocco|the Philippines|Austria|Zambia|Uruguay|South Korea|North Korea|Sweden|Malaysia|Bulgaria|Tunisia|Panama|Georgia|Belgium|Senegal|Oman|New Zealand|Paraguay|Estonia|Angola|Switzerland|Laos|Slovakia|Argentina|Sri Lanka".split(
            "|"
        )
    ),
    "thing": tuple(
        "a hammer|an umbrella|a candle|a violin|a banana|a ladder|a mirror|a kite|a carrot|a pillow|a compass|a kettle|a rope|a snail|a pumpkin|a drum|a scarf|a tractor|a lemon|a helmet|a basket|a whistle|a cherry|a broom|an anchor|a zebra|a mushroom|a bell|a blanket|a corkscrew|a turnip|a saddle|a lantern|a peacock|a shovel|a button".split(
            "|"
        )
    ),
}

VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    "place": tuple(
        "Vienna|Dublin|Warsaw|Cairo|Boston|Kyoto|Milan|Bristol|Lima|Prague|Ulm|Salem|Lisbon|Havana|Turin|Oxford|Bogota|Quebec|Leeds|Nairobi".split(
            "|"
        )
    ),
    "year": tuple("1492|1789|1815|1867|1903|1914|1928|1945|1959|1969|1976|1984|1991|1999|2004|2011|2016|2021|1066|1666".split("|")),
    "name": tuple(
        "Sarah Klein|Victor Hugo|George Orwell|Ana Petrova|Steven Spielberg|Mr. Doyle|Ridley Scott|Herman Melville|Leo Tolstoy|Lena Fischer|Omar Haddad|Mary Shelley|James Whitmore|Akira Kurosawa|Nina Patel|Jules Verne|Carl Nilsson|Grace Okoro|Franz Kafka|Yuki Tanaka".split(
            "|"
        )
    ),
    "job": tuple(
        "a painter|a physicist|a nurse|a composer|a pilot|a lawyer|a poet|a baker|a chemist|an architect|a singer|a farmer|a diplomat|a mathematician|a carpenter".split(
            "|"
        )
    ),
    "number": tuple("3|4|5|7|8|11|12|15|18|22|26|30|47|50|79|92|100|120|365|6".split("|")),
    "length": tuple("1,320 km|6,650 km|2,850 m|8,849 m|346 km|4,810 m|3,776 m|705 km|5,895 m|2,300 miles|12 feet|90 cm".split("|")),
    "money": tuple(
        "19 dollars|250 euros|4.50 euros|1,200 dollars|35 pounds|80 dollars|9.99 euros|600 dollars|15 pounds|45 euros".split("|")
    ),
    "time": tuple("7 am|8:30|9 o'clock|10 pm|noon|6:15 pm|midnight|5 pm|4:45|11 am".split("|")),
    "day": tuple(
        "Monday|Tuesday|Thursday|Friday|Sunday|March 3|May 12|June 30|October 9|December 1|the first of April|August 21".split("|")
    ),
    "feed": tuple("grass|insects|fish|eucalyptus leaves|krill|seeds|fruit|small mammals|plankton|nectar|acorns|leaves".split("|")),
    "stuff": tuple(
        "steel|chickpeas|rice|oak wood|cotton|plastic|milk|cabbage|avocado|leather|aluminium|flour|glass|wool".split("|")
    ),
    "country": tuple(
        "Italy|Japan|Mexico|Hungary|Spain|Germany|Ghana|Sweden|India|Peru|Greece|Canada|Poland|Ireland|Egypt|Brazil".split("|")
    ),
    "symbol": tuple("Au|Fe|He|Na|Hg|Pb|Ag|K|Sn|Cu|Zn|O|W|Ne|Ca|U".split("|")),
    "group": tuple("a pride|a pod|a herd|a flock|a swarm|a pack|a colony|a school|a gaggle|a parliament".split("|")),
    "baby": tuple("a cub|a calf|a chick|a kid|a joey|a foal|a pup|a tadpole|a kit|a fry".split("|")),
    "team": tuple(
        "the platform team|Human Resources|the design group|marketing|the night shift|finance|Team Blue|customer care|the Oslo office|legal".split(
            "|"
        )
    ),
    "programming": tuple("Python|Rust|Java|Go|TypeScript|C++|COBOL|Kotlin|Ruby|Elixir".split("|")),
    "season": tuple("spring|summer|autumn|winter|early May|July|late September|February".split("|")),
    "word": tuple(
        "wolfram|falcon|silver river|open house|bluebird|green door|seven hills|paper moon|quiet water|old harbor".split("|")
    ),
    "dish": tuple("paella|stew|dumplings|grilled fish|rice and beans|goulash|couscous|flatbread|barbecue|noodle soup".split("|")),
    "pres": tuple(
        "Ana Petrova|Omar Haddad|Lena Fischer|James Whitmore|Grace Okoro|Carl Nilsson|Nina Patel|Yuki Tanaka|Victor Moreau|Ilse Brandt".split(
            "|"
        )
    ),
    "holiday": tuple("May 17|July 14|October 3|June 2|August 15|December 6|March 25|September 7|January 26|November 11".split("|")),
    "area": tuple(
        "385,000 square kilometres|41,000 square kilometres|1.2 million square kilometres|92,000 square kilometres|510 square kilometres|780,000 square kilometres".split(
            "|"
        )
    ),
    "peak": tuple(
        "Mount Kazbek|Galdhopiggen|the Blue Peak|Mount Korab|Pico Alto|the White Horn|Mount Meru|Jebel Toubkal".split("|")
    ),
    "side": tuple("left|right".split("|")),
    "faith": tuple("Islam|Buddhism|Catholicism|Lutheranism|Hinduism|Orthodoxy|Judaism|Shinto".split("|")),
    "export": tuple("coffee|crude oil|copper|cars|cocoa|timber|tea|machinery|natural gas|fish".split("|")),
    "beast": tuple("the lion|the stork|the bear|the eagle|the elk|the tiger|the swan|the ibex|the crane|the bull".split("|")),
    "flower": tuple("the lotus|the iris|the tulip|the rose|the orchid|the lily|the poppy|the jasmine".split("|")),
    "shop": tuple(
        "the garden centre|the corner shop|the pharmacy|the market|the bakery|the hardware store|the pet shop|the butcher".split(
            "|"
        )
    ),
    "lang": tuple(
        "Latin|Greek|Arabic|Old Norse|Persian|Nahuatl|Malay|French|Sanskrit|Norwegian|Hungarian|Icelandic|Mongolian|Swedish|Polish|Nepali|Korean|Peruvian Quechua".split(
            "|"
        )
    ),
    "smell": tuple("a sweet smell|a sharp smell|no smell|an earthy smell|a fishy smell|a smoky smell".split("|")),
    "danger": tuple("it burns|it bites|it is poisonous|it breaks|it is heavy|it is slippery".split("|")),
    "game": tuple("football|wrestling|sumo|hockey|archery|kite fighting|skiing|cycling|boxing|darts".split("|")),
    "wood": tuple("the oak|the cedar|the baobab|the maple|the olive tree|the linden|the banyan|the yew".split("|")),
    "drink": tuple("mint tea|black coffee|plum brandy|lemonade|red wine|buttermilk|cider|cocoa|ginger ale|sour milk".split("|")),
    "sound": tuple("a hum|a crackle|a low growl|a click|no sound at all|a long whistle|a thud|a hiss|a rattle".split("|")),
    "sense": tuple("hope|bad luck|patience|a long journey|wealth|jealousy|good health|secrets|old age|courage".split("|")),
    "tint": tuple("turquoise|dark green|orange|silver|purple|bright red|brown|sky blue|gold|black".split("|")),
}

WHETHER: Final = (
    "Is it true that {it}?",
    "Is it right that {it}?",
    "Am I right to say that {it}?",
    "True or false: {it}?",
    "Would you agree that {it}?",
    "Can one say that {it}?",
    "Somebody told me that {it}. Is that so?",
    "Does it hold that {it}?",
)
"""Whether a statement holds."""

WHETHER_NOT: Final = (
    "Is it false that {it}?",
    "Is it wrong to say that {it}?",
    "Is it incorrect that {it}?",
)
"""Whether it doesn't."""

BEFORE: Final = (
    "Hi! ",
    "Quick question: ",
    "Hello, I have a small problem. ",
    "My daughter asks me things all day. ",
    "I am preparing a quiz for tonight. ",
    "please help, ",
    "ok so ",
    "Sorry to bother you again. ",
)
"""What people say before a question."""

AFTER: Final = (
    " Thanks!",
    " Please be brief.",
    " I can't remember.",
    " It's for school.",
)
"""And after it."""
