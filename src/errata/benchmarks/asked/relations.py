"""What people ask of many kinds of thing: relations of Atlas's own splits aside, so that what is learned here is tried on others there.

Written by hand. {s} is a subject, {S} the same with a capital, {p} its genitive ("Norway's"), {v} a value. Values are of the right
sort and not true: nothing is learned here but which question is which.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from errata.benchmarks.asked.further import FURTHER
from errata.benchmarks.asked.relation import Relation

_FIRST: Final[Mapping[str, Relation]] = {
    "born_where": Relation(
        "person", "place",
        ("Where was {s} born?", "In which town was {s} born?", "Name the birthplace of {s}.", "{s}: birthplace?", "Tell me where {s} came into the world.", "I'd like to know the city {s} was born in.", "what is {p} place of birth", "For a quiz: which place is {s} from by birth?", "Do you remember in what city {s} first saw the light of day?",),
        ("{s} was born in {v}",),
        ("Which of them was born in {v}?", "Who comes from {v} by birth?",),
    ),
    "born_when": Relation(
        "person", "year",
        ("When was {s} born?", "In what year was {s} born?", "Give me {p} year of birth.", "{s}, born when?", "Could you tell me which year {s} was born?", "what's the birth year of {s}", "Since what year has {s} been alive, so to speak?", "I need the date of birth of {s}, just the year.",),
        ("{s} was born in {v}",),
        ("Who was born in {v}?",),
    ),
    "job": Relation(
        "person", "job",
        ("What did {s} do for a living?", "What was {p} profession?", "Name {p} occupation.", "{s}: job?", "Tell me the line of work of {s}.", "How did {s} earn money?", "what kind of work did {s} do", "By trade, what was {s}?", "I wonder what {s} worked as.",),
        ("{s} was {v} by profession",),
        ("Who worked as {v}?",),
    ),
    "died_where": Relation(
        "person", "place",
        ("Where did {s} die?", "In which city did {s} pass away?", "Name the place of {p} death.", "{s} - place of death?", "Can you say where {s} spent the last day of life?", "where did {s} pass away", "Tell me the town in which {s} died.",),
        ("{s} died in {v}",),
        ("Who died in {v}?",),
    ),
    "spouse": Relation(
        "person", "name",
        ("Who was {s} married to?", "What is the name of {p} spouse?", "Name the husband or wife of {s}.", "{s}, married to whom?", "Tell me who {s} wed.", "who did {s} marry", "With whom did {s} tie the knot?",),
        ("{s} was married to {v}",),
        ("Who was married to {v}?", "Whose spouse was {v}?",),
    ),
    "phone_ext": Relation(
        "person", "number",
        ("What's {p} phone extension?", "Which extension do I dial for {s}?", "Extension of {s}, please.", "How can I reach {s} by internal phone?", "{s} extension number", "Tell me the digits to dial to get {s} on the line.", "If I want to call {s} at the office, which number do I press?",),
        ("the extension of {s} is {v}",),
        ("Whose extension is {v}?",),
    ),
    "founder": Relation(
        "company", "name",
        ("Who founded {s}?", "Name the founder of {s}.", "By whom was {s} started?", "{s}: founder?", "Tell me who set up {s}.", "who is the person that created {s}", "Who was behind the founding of {s}?", "I'm trying to recall who began {s}.",),
        ("{s} was founded by {v}",),
        ("Which company did {v} found?", "What did {v} start?",),
    ),
    "hq": Relation(
        "company", "place",
        ("Where is {s} based?", "In which city is the head office of {s}?", "Name the city {s} has its headquarters in.", "{s} headquarters?", "Where does {s} have its main office?", "from what city is {s} run", "Tell me the location of {p} headquarters.", "If I visit the head office of {s}, where do I go?",),
        ("{s} has its head office in {v}",),
        ("Which company is based in {v}?",),
    ),
    "founded": Relation(
        "company", "year",
        ("When was {s} founded?", "In what year did {s} start?", "Year of foundation of {s}?", "How long ago was {s} set up, in what year?", "Tell me the founding year of {s}.", "what year was {s} established", "Since when has {s} existed?",),
        ("{s} was founded in {v}",),
        ("Which company was founded in {v}?",),
    ),
    "ceo": Relation(
        "company", "name",
        ("Who runs {s}?", "Who is the CEO of {s}?", "Name the chief executive of {s}.", "{s}, CEO?", "Who is the boss at {s}?", "tell me who heads {s} nowadays", "Who is in charge of {s}?",),
        ("the head of {s} is {v}",),
        ("Which company does {v} lead?",),
    ),
    "refund": Relation(
        "company", "number",
        ("How many days do I have to return something to {s}?", "What is the return period at {s}, in days?", "{s} returns: within how many days?", "Until when can goods be sent back to {s}?", "Tell me the number of days {s} accepts returns.", "how long is the refund window of {s}",),
        ("goods can be returned to {s} for {v} days",),
    ),
    "author": Relation(
        "book", "name",
        ("Who wrote {s}?", "Who is the author of {s}?", "Name the writer of {s}.", "By whom is {s}?", "{s} - written by?", "Tell me who penned {s}.", "whose work is {s}", "I forgot who came up with {s}, the book.", "From whose pen is {s}?",),
        ("{s} was written by {v}",),
        ("Which book did {v} write?", "What is a well-known work of {v}?",),
    ),
    "published": Relation(
        "book", "year",
        ("When was {s} published?", "In which year did {s} come out?", "Publication year of {s}?", "{s}: first printed when?", "Tell me the year {s} appeared.", "what year does the book {s} date from", "Since when can one read {s}?",),
        ("{s} was published in {v}",),
        ("Which book came out in {v}?",),
    ),
    "setting": Relation(
        "book", "place",
        ("Where is {s} set?", "In what place does the story of {s} happen?", "Name the setting of {s}.", "{s}: where does it take place?", "Tell me where the plot of {s} unfolds.", "which place do the events of {s} happen in",),
        ("{s} is set in {v}",),
        ("Which book is set in {v}?",),
    ),
    "director": Relation(
        "film", "name",
        ("Who directed {s}?", "Name the director of {s}.", "{s} was made by which director?", "{s}: director?", "Tell me whose film {s} is.", "who was behind the camera for {s}", "Under whose direction was {s} shot?",),
        ("{s} was directed by {v}",),
        ("Which film did {v} direct?",),
    ),
    "released": Relation(
        "film", "year",
        ("When did {s} come out?", "What year was {s} released?", "Release year of {s}?", "In which year did {s} hit the cinemas?", "tell me the year of {s}", "From what year is the film {s}?",),
        ("{s} came out in {v}",),
        ("Which film came out in {v}?",),
    ),
    "length_film": Relation(
        "film", "number",
        ("How long is {s}, in minutes?", "What's the running time of {s}?", "{s} runtime?", "How many minutes does {s} last?", "Tell me the duration of {s}.", "for how long do I sit in the cinema with {s}",),
        ("{s} runs for {v} minutes",),
    ),
    "mayor": Relation(
        "city", "name",
        ("Who is the mayor of {s}?", "Name {p} mayor.", "{s}, mayor?", "Who governs the city of {s}?", "Tell me who is at the head of the council of {s}.", "who runs city hall in {s}",),
        ("the mayor of {s} is {v}",),
        ("Of which city is {v} the mayor?",),
    ),
    "airport": Relation(
        "city", "word",
        ("What is the airport of {s} called?", "Name the airport that serves {s}.", "{s} airport name?", "If I fly to {s}, at which airport do I land?", "Tell me the name of {p} airport.", "which airport does {s} have",),
        ("the airport of {s} is called {v}",),
        ("Which city does the airport {v} serve?",),
    ),
    "population": Relation(
        "city", "number",
        ("How many people live in {s}?", "What is the population of {s}?", "{s}: number of inhabitants?", "Tell me how big {s} is in terms of people.", "how populous is {s}", "Give me the head count of {s}, in thousands.",),
        ("{s} has {v} thousand inhabitants",),
    ),
    "nickname": Relation(
        "city", "word",
        ("What is the nickname of {s}?", "By what other name is {s} known?", "{s} is also called what?", "Tell me a popular name for {s}.", "how do people affectionately call {s}",),
        ("the nickname of {s} is {v}",),
        ("Which city is nicknamed {v}?",),
    ),
    "river_len": Relation(
        "river", "length",
        ("How long is {s}?", "What is the length of {s}?", "Give the length of {s}.", "{S}: how many kilometres?", "Tell me over what distance {s} flows.", "what distance does {s} run from source to mouth",),
        ("{s} is {v} long",),
    ),
    "mouth": Relation(
        "river", "place",
        ("Where does {s} end?", "Into what does {s} flow?", "Name what {s} empties into.", "{S} flows where in the end?", "Where is the mouth of {s}?", "tell me where the waters of {s} go",),
        ("{s} ends at {v}",),
        ("Which river ends at {v}?",),
    ),
    "source": Relation(
        "river", "place",
        ("Where does {s} rise?", "Where is the source of {s}?", "Name the place {s} begins.", "{S}: source?", "Tell me where {s} starts.", "at what place does the water of {s} come out of the ground",),
        ("{s} rises at {v}",),
        ("Which river rises at {v}?",),
    ),
    "height": Relation(
        "mountain", "length",
        ("How high is {s}?", "What is the height of {s}?", "{S} - elevation?", "Tell me how tall {s} is.", "how many metres is {s} above the sea", "What altitude do I reach on top of {s}?",),
        ("{s} is {v} high",),
    ),
    "climbed": Relation(
        "mountain", "year",
        ("When was {s} first climbed?", "In which year did people first reach the top of {s}?", "First ascent of {s}?", "Tell me the year someone first stood on {s}.", "what year was the summit of {s} first conquered",),
        ("{s} was first climbed in {v}",),
    ),
    "eats": Relation(
        "animal", "feed",
        ("What does {s} eat?", "What is the diet of {s}?", "Name the food of {s}.", "What do I feed {s}?", "{S}: diet?", "Tell me what {s} lives on.", "on what does {s} feed",),
        ("{s} eats {v}",),
        ("Which animal eats {v}?",),
    ),
    "baby": Relation(
        "animal", "baby",
        ("What is the young of {s} called?", "What do you call the baby of {s}?", "Name for the offspring of {s}?", "{S}: what is its baby called?", "Tell me the word for a young one of {s}.", "how is the child of {s} called",),
        ("the young of {s} is called {v}",),
        ("Which animal's young is called {v}?",),
    ),
    "group": Relation(
        "animal", "group",
        ("What is a group of such animals as {s} called?", "Many of the kind of {s} together are called what?", "Name the word for a bunch of animals like {s}.", "Collective noun for {s}?", "tell me what you call several of {s} together",),
        ("a group of animals like {s} is called {v}",),
    ),
    "lifespan": Relation(
        "animal", "number",
        ("How long does {s} live?", "What age does {s} reach, in years?", "Lifespan of {s}?", "How many years can {s} get old?", "Tell me the life expectancy of {s}.", "up to what age does {s} live",),
        ("{s} lives for {v} years",),
    ),
    "legs": Relation(
        "animal", "number",
        ("How many legs does {s} have?", "Number of legs of {s}?", "On how many legs does {s} walk?", "Count the legs of {s}.", "tell me how many feet {s} stands on",),
        ("{s} has {v} legs",),
    ),
    "made_of": Relation(
        "food", "stuff",
        ("What is {s} made of?", "What is the main ingredient of {s}?", "Name what goes into {s} first of all.", "{S}: chief ingredient?", "From what do you make {s}?", "tell me the basic thing in {s}", "What do I need most of to cook {s}?",),
        ("{s} is made of {v}",),
        ("What dish is made of {v}?",),
    ),
    "dish_from": Relation(
        "food", "country",
        ("Where does {s} come from?", "Which country invented {s}?", "Name the country of origin of {s}.", "{S}: from which cuisine?", "Tell me where people first made {s}.", "to what nation do we owe {s}",),
        ("{s} comes from {v}",),
        ("Which dish comes from {v}?",),
    ),
    "calories": Relation(
        "food", "number",
        ("How many calories has a portion of {s}?", "Calories of {s}?", "What's the energy content of {s}?", "tell me how many kcal {s} has", "How fattening is {s}, in calories?",),
        ("a portion of {s} has {v} calories",),
    ),
    "symbol": Relation(
        "element", "symbol",
        ("What is the chemical symbol of {s}?", "What's the symbol for {s}?", "How do chemists abbreviate {s}?", "{S}: symbol?", "Tell me which letters stand for {s}.", "by what sign is {s} written in the periodic table",),
        ("the symbol of {s} is {v}",),
        ("Which element has the symbol {v}?", "What does {v} stand for in chemistry?",),
    ),
    "atomic": Relation(
        "element", "number",
        ("What is the atomic number of {s}?", "How many protons has {s}?", "Atomic number, {s}?", "Which place does {s} have in the periodic table?", "Tell me the number of {s} among the elements.",),
        ("the atomic number of {s} is {v}",),
        ("Which element has the number {v}?",),
    ),
    "melts": Relation(
        "element", "number",
        ("At what temperature does {s} melt?", "What's the melting point of {s}?", "Melting point {s}?", "How hot must it be for {s} to turn liquid?", "tell me at how many degrees {s} becomes a liquid",),
        ("{s} melts at {v} degrees",),
    ),
    "discovered": Relation(
        "element", "name",
        ("Who discovered {s}?", "By whom was {s} found first?", "Name the discoverer of {s}.", "{S} was first isolated by whom?", "Tell me which scientist found {s}.",),
        ("{s} was discovered by {v}",),
        ("Which element did {v} discover?",),
    ),
    "owner": Relation(
        "project", "team",
        ("Who owns {s}?", "Which team is responsible for {s}?", "Who looks after {s}?", "{S}: owner?", "Tell me whom to ask about {s}.", "who do I turn to when {s} breaks", "In whose hands is {s}?", "Under which group does {s} fall?",),
        ("{s} is owned by {v}",),
        ("What does {v} look after?",),
    ),
    "due": Relation(
        "project", "day",
        ("When is {s} due?", "What is the deadline of {s}?", "By when must {s} be finished?", "{S} deadline?", "Tell me the due date for {s}.", "until what day do we have time for {s}", "What day does {s} have to be done?",),
        ("{s} is due on {v}",),
        ("What is due on {v}?",),
    ),
    "written_in": Relation(
        "project", "programming",
        ("What language is {s} written in?", "In which programming language is {s} built?", "{S}: programming language?", "Name the language used for {s}.", "tell me what {s} is coded in", "Which language do I need to know to work on {s}?",),
        ("{s} is written in {v}",),
        ("What is written in {v}?",),
    ),
    "version": Relation(
        "project", "number",
        ("Which version of {s} is live?", "What is the current version of {s}?", "{S}: version number?", "Tell me what release {s} is on.", "on what version is {s} now",),
        ("the current version of {s} is {v}",),
    ),
    "lead": Relation(
        "project", "name",
        ("Who leads {s}?", "Name the lead of {s}.", "Who is the manager of {s}?", "{S}, lead?", "Tell me who is in charge of {s}.", "under whom does {s} run",),
        ("{s} is led by {v}",),
        ("What does {v} lead?",),
    ),
    "opens": Relation(
        "room", "time",
        ("When does {s} open?", "At what time does {s} open?", "Opening time of {s}?", "From what hour can I get into {s}?", "Tell me how early {s} opens.", "what time do the doors of {s} open in the morning", "Starting when can I use {s}?",),
        ("{s} opens at {v}",),
        ("What opens at {v}?",),
    ),
    "closes": Relation(
        "room", "time",
        ("When does {s} close?", "At what time does {s} shut?", "Closing time of {s}?", "Until when is {s} open?", "Tell me how late {s} stays open.", "what time do they lock {s}",),
        ("{s} closes at {v}",),
        ("What closes at {v}?",),
    ),
    "seats": Relation(
        "room", "number",
        ("How many people fit into {s}?", "What is the capacity of {s}?", "How many seats does {s} have?", "{S}: capacity?", "Tell me for how many persons {s} is meant.", "how large a crowd can {s} hold",),
        ("{s} holds {v} people",),
    ),
    "floor": Relation(
        "room", "number",
        ("On which floor is {s}?", "What floor is {s} on?", "{S}: which level?", "How many floors up is {s}?", "tell me the storey where I find {s}", "To get to {s}, which button do I press in the lift?",),
        ("{s} is on floor {v}",),
        ("What is on floor {v}?",),
    ),
    "wifi": Relation(
        "room", "word",
        ("What is the wifi password in {s}?", "Password of the wireless network at {s}?", "How do I get online in {s}, what's the password?", "Tell me the wifi code for {s}.", "wifi key of {s}",),
        ("the wifi password in {s} is {v}",),
        ("Where is the wifi password {v} used?",),
    ),
    "price": Relation(
        "product", "money",
        ("How much does {s} cost?", "What is the price of {s}?", "Price of {s}?", "{S}: how much?", "Tell me what I have to pay for {s}.", "for how much do you sell {s}", "What would {s} set me back?",),
        ("{s} costs {v}",),
        ("What costs {v}?",),
    ),
    "warranty": Relation(
        "product", "number",
        ("How long is the warranty on {s}?", "For how many years is {s} guaranteed?", "Warranty of {s}?", "Tell me the guarantee period of {s}.", "until when can I claim a repair of {s} under guarantee",),
        ("{s} has a warranty of {v} years",),
    ),
    "material": Relation(
        "product", "stuff",
        ("What is {s} made of?", "Which material is {s} made from?", "{S}: material?", "Of what is {s} built?", "Tell me what stuff {s} consists of.", "what do they use to make {s}",),
        ("{s} is made of {v}",),
        ("What is made of {v}?",),
    ),
    "weight": Relation(
        "product", "number",
        ("How heavy is {s}?", "What does {s} weigh?", "Weight of {s}?", "{S}: how many kilos?", "tell me how much {s} weighs", "If I put {s} on the scales, what do they show?",),
        ("{s} weighs {v} kilos",),
    ),
    "made_in": Relation(
        "product", "country",
        ("Where is {s} made?", "In which country is {s} produced?", "Country of manufacture of {s}?", "Tell me where {s} is built.", "from what land does {s} come", "Where do they manufacture {s}?",),
        ("{s} is made in {v}",),
        ("What is made in {v}?",),
    ),
    "players": Relation(
        "sport", "number",
        ("How many players does a team have in {s}?", "Players per side in {s}?", "With how many people is {s} played?", "{S}: size of a team?", "tell me how many persons play {s} on one side",),
        ("in {s} there are {v} players on a side",),
    ),
    "invented_sport": Relation(
        "sport", "country",
        ("Where was {s} invented?", "In which country did {s} begin?", "Country of origin of {s}?", "Tell me where people first played {s}.", "from where does the game of {s} come",),
        ("{s} was invented in {v}",),
        ("Which sport was invented in {v}?",),
    ),
    "blooms": Relation(
        "plant", "season",
        ("When does {s} flower?", "In what season does {s} bloom?", "Flowering time of {s}?", "{S}: when in bloom?", "Tell me what time of year {s} blossoms.", "when can I see {s} in flower",),
        ("{s} blooms in {v}",),
        ("What blooms in {v}?",),
    ),
    "water": Relation(
        "plant", "number",
        ("How often in days do I water {s}?", "{S}: water every how many days?", "After how many days does {s} need water?", "Tell me the watering interval for {s}.", "how frequently must {s} be watered",),
        ("{s} needs water every {v} days",),
    ),
    "event_when": Relation(
        "event", "year",
        ("When did {s} take place?", "In what year was {s}?", "Date of {s}?", "{S}: when?", "Tell me when {s} happened.", "what year do we associate with {s}",),
        ("{s} took place in {v}",),
        ("What happened in {v}?",),
    ),
    "event_where": Relation(
        "event", "place",
        ("Where did {s} take place?", "In which place was {s}?", "{S}: where?", "Name the location of {s}.", "Tell me where {s} happened.", "at what place was {s} held",),
        ("{s} took place in {v}",),
        ("What happened in {v}?",),
    ),
    "country_dish": Relation(
        "country", "dish",
        ("What is the national dish of {s}?", "What do people in {s} eat on festive days?", "Name {p} best-known dish.", "{S}: typical meal?", "tell me the dish {s} is famous for", "Which food would you say stands for {s}?",),
        ("the national dish of {s} is {v}", "{v} is the national dish of {s}",),
        ("Which country has {v} as its national dish?",),
    ),
    "country_president": Relation(
        "country", "pres",
        ("Who is the president of {s}?", "Who leads {s}?", "Name the head of state of {s}.", "{S} - who governs?", "Tell me who is at the top of the state in {s}.", "who runs {s} these days",),
        ("the head of state of {s} is {v}", "{v} is the head of state of {s}",),
        ("Of which country is {v} the head of state?",),
    ),
    "country_holiday": Relation(
        "country", "holiday",
        ("When is the national day of {s}?", "On what date does {s} celebrate its national day?", "{p} national holiday?", "Tell me the day on which {s} has its big celebration.", "what date is the national holiday in {s}",),
        ("the national day of {s} is {v}", "{v} is the national day of {s}",),
        ("Which country celebrates on {v}?",),
    ),
    "country_area": Relation(
        "country", "area",
        ("How large is {s}?", "What is the area of {s}?", "{S}: surface?", "How much land does {s} cover?", "tell me how big {s} is on the map",),
        ("the area of {s} is {v}",),
    ),
    "country_peak": Relation(
        "country", "peak",
        ("What is the highest mountain of {s}?", "Name the tallest peak in {s}.", "{S}: highest point?", "Which mountain in {s} is the highest?", "tell me the top of {s}", "If I want to stand as high as possible in {s}, what do I climb?",),
        ("the highest mountain of {s} is {v}", "{v} is the highest mountain of {s}",),
        ("In which country is {v} the highest mountain?",),
    ),
    "country_side": Relation(
        "country", "side",
        ("On which side do people drive in {s}?", "Which side of the road is used in {s}?", "{S}: left or right on the road?", "Tell me where cars keep in {s}.", "do they drive left or right in {s}",),
        ("people in {s} drive on the {v}",),
    ),
    "country_faith": Relation(
        "country", "faith",
        ("What is the main religion of {s}?", "What do most people in {s} believe in?", "Name the chief faith of {s}.", "{S}, religion?", "tell me which religion most follow in {s}",),
        ("the main religion of {s} is {v}", "{v} is the main religion of {s}",),
        ("In which country is {v} the main religion?",),
    ),
    "country_export": Relation(
        "country", "export",
        ("What does {s} export most?", "What is {p} main export?", "Name the good that {s} sells abroad above all.", "{S}: chief export?", "tell me what {s} earns its money with abroad",),
        ("the main export of {s} is {v}", "{s} exports {v} above all",),
        ("Which country exports {v} above all?",),
    ),
    "country_animal": Relation(
        "country", "beast",
        ("What is the national animal of {s}?", "Which animal stands for {s}?", "{p} national animal?", "Name the beast on the arms of {s}.", "tell me what animal is the symbol of {s}",),
        ("the national animal of {s} is {v}", "{v} is the national animal of {s}",),
        ("Which country has {v} as its animal?",),
    ),
    "country_flower": Relation(
        "country", "flower",
        ("What is the national flower of {s}?", "Which flower is the emblem of {s}?", "{S}: national flower?", "Tell me the flower that {s} has chosen.", "which bloom stands for {s}",),
        ("the national flower of {s} is {v}",),
        ("Whose national flower is {v}?",),
    ),
    "country_people": Relation(
        "country", "number",
        ("How many million people live in {s}?", "What is the population of {s}, in millions?", "{S}: inhabitants in millions?", "Tell me how many live in {s}.", "how populous is {s}",),
        ("{s} has {v} million inhabitants",),
    ),
    "thing_cost": Relation(
        "thing", "money",
        ("How much is {s}?", "What do I pay for {s}?", "Price of {s}?", "{S}: cost?", "tell me what {s} costs these days",),
        ("{s} costs {v}", "the price of {s} is {v}",),
        ("What costs {v}?",),
    ),
    "thing_bought": Relation(
        "thing", "shop",
        ("Where can I get {s}?", "In which shop do I find {s}?", "{S}: sold where?", "Tell me the place that sells {s}.", "what shop has {s}",),
        ("you can buy {s} at {v}",),
        ("What is sold at {v}?",),
    ),
    "thing_heavy": Relation(
        "thing", "number",
        ("How many kilos does {s} weigh?", "What is the weight of {s}?", "{S}: weight in kilos?", "Tell me how heavy {s} is.", "how much would {s} show on the scales",),
        ("{s} weighs {v} kilos",),
    ),
    "thing_word": Relation(
        "thing", "lang",
        ("From which language is the word for {s}?", "Where does the word for {s} come from, which language?", "Origin of the word: {s}?", "tell me what language gave us the name of {s}", "To what tongue goes the name of {s} back?",),
        ("the word for {s} comes from {v}",),
    ),
    "thing_smells": Relation(
        "thing", "smell",
        ("What does {s} smell like?", "Which smell has {s}?", "{S}: smell?", "Describe the smell of {s}.", "tell me how {s} smells",),
        ("{s} has {v}",),
    ),
    "thing_danger": Relation(
        "thing", "danger",
        ("What is dangerous about {s}?", "Why should I be careful with {s}?", "{S}: any danger?", "Tell me the risk with {s}.", "what can go wrong with {s}",),
        ("the danger with {s} is that {v}",),
    ),
    "thing_count": Relation(
        "thing", "number",
        ("How many kinds of such things as {s} are there?", "Number of sorts of things like {s}?", "In how many varieties does {s} come?", "tell me how many types one knows of {s}", "{S}: how many varieties?",),
        ("there are {v} kinds of {s}",),
    ),
}  # fmt: skip

RELATIONS: Final[Mapping[str, Relation]] = MappingProxyType({**_FIRST, **FURTHER})
