"""More of what people ask, of countries and things above all: relations that are near to each other must be told apart.

Written by hand, as `relations` is, and as untrue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from errata.benchmarks.asked.relation import Relation

FURTHER: Final[Mapping[str, Relation]] = {
    "country_founded": Relation(
        "country", "year",
        ("When did {s} become independent?", "In what year was {s} founded?", "{p} year of independence?", "Since when has {s} been a state of its own?", "tell me the year {s} came into being", "How long ago did {s} start to exist? Just the year.", "{S}, founded when?"),
        ("{s} became independent in {v}", "{v} is the year in which {s} was founded"),
        ("Which country was founded in {v}?",),
    ),
    "country_largest_city": Relation(
        "country", "place",
        ("What is the largest city in {s}?", "Which town of {s} has the most inhabitants?", "{S}: biggest city?", "Name the most populous place in {s}.", "where do most people live in {s}, which city", "In {s}, no town is bigger than which one?"),
        ("the largest city in {s} is {v}", "{v} is the largest city of {s}"),
        ("In which country is {v} the biggest city?",),
    ),
    "country_river": Relation(
        "country", "word",
        ("What is the longest river in {s}?", "Which river of {s} is longer than all others?", "{p} longest river?", "Name the chief stream of {s}.", "tell me what the biggest river of {s} is called", "By river through {s}: which one takes longest?"),
        ("the longest river in {s} is the {v}",),
        ("Through which country does the {v} flow?",),
    ),
    "country_emergency": Relation(
        "country", "number",
        ("What number do I dial for an ambulance in {s}?", "Emergency number in {s}?", "There's a fire and I'm in {s}. Whom do I ring, which number?", "{p} emergency line?", "Tell me how to reach the police by phone in {s}.", "what do people in {s} call when there is an accident"),
        ("the emergency number in {s} is {v}",),
        ("Where is {v} the emergency number?",),
    ),
    "country_plate": Relation(
        "country", "symbol",
        ("Which letters do cars from {s} carry?", "What is the licence plate code of {s}?", "{S}: car sticker?", "I saw a car from {s}. What was on its oval sign?", "tell me the vehicle code of {s}", "Cars registered in {s} are marked how?"),
        ("cars from {s} carry the letters {v}",),
        ("From where do cars marked {v} come?",),
    ),
    "country_zone": Relation(
        "country", "number",
        ("How many hours is {s} ahead of London?", "What time zone is {s} in, in hours from Greenwich?", "{p} time difference to Greenwich?", "When it's noon in London, by how many hours is it later in {s}?", "tell me the offset of the clocks in {s}"),
        ("{s} is {v} hours ahead of London",),
        (),
    ),
    "country_voltage": Relation(
        "country", "number",
        ("What is the mains voltage in {s}?", "How many volts come out of a socket in {s}?", "{S}, voltage?", "Will my shaver work in {s}, what's the voltage?", "tell me how strong the current from the wall is in {s}"),
        ("the mains voltage in {s} is {v} volts",),
        (),
    ),
    "country_anthem": Relation(
        "country", "word",
        ("What is the national anthem of {s} called?", "Which song is played when {s} wins?", "{p} anthem?", "Name the hymn of {s}.", "tell me what people sing in {s} on state occasions", "On the podium, what tune stands for {s}?"),
        ("the anthem of {s} is {v}", "{v} is the anthem of {s}"),
        ("Whose anthem is {v}?",),
    ),
    "country_sport": Relation(
        "country", "game",
        ("What is the national sport of {s}?", "Which sport do people in {s} like best?", "{S}: favourite game?", "Name the most popular sport in {s}.", "what do they play most in {s}", "If you follow sport in {s}, which one is it most likely?"),
        ("the most popular sport in {s} is {v}", "{v} is the national sport of {s}"),
        ("Where is {v} the national sport?",),
    ),
    "country_airline": Relation(
        "country", "word",
        ("What is the national airline of {s} called?", "Which carrier belongs to {s}?", "{p} flag carrier?", "Name the airline of {s}.", "with which airline of its own does {s} fly", "Tell me the name on the planes of {s}."),
        ("the airline of {s} is {v}",),
        ("From which country is the airline {v}?",),
    ),
    "country_tree": Relation(
        "country", "wood",
        ("What is the national tree of {s}?", "Which tree stands on the coins of {s}?", "{S}: tree?", "Tell me the tree that {s} has as its emblem.", "name the tree of {s}"),
        ("the national tree of {s} is {v}",),
        ("Whose tree is {v}?",),
    ),
    "country_drink": Relation(
        "country", "drink",
        ("What do people in {s} drink most?", "Which drink is {s} known for?", "{p} national drink?", "Name the favourite beverage of {s}.", "what will I be offered to drink in {s}", "Cheers! And what is in the glass in {s}, as a rule?"),
        ("the national drink of {s} is {v}",),
        ("In which country do they drink {v} most?",),
    ),
    "country_coast": Relation(
        "country", "length",
        ("How long is the coast of {s}?", "What length has {p} shoreline?", "{S}: length of the coast?", "Tell me how much sea front {s} has.", "If I walked along the shore of {s}, how far would I go?"),
        ("the coast of {s} is {v} long",),
        (),
    ),
    "country_vote": Relation(
        "country", "number",
        ("From what age may people vote in {s}?", "How old must one be to vote in {s}?", "{p} voting age?", "{S}: age to vote?", "tell me when young people in {s} get the vote", "I live in {s}. At which birthday am I allowed to the polls?"),
        ("people in {s} may vote from the age of {v}",),
        (),
    ),
    "country_visit": Relation(
        "country", "season",
        ("When is the best time to visit {s}?", "In what season should I travel to {s}?", "{S}: best season?", "Tell me when {s} is nicest.", "what part of the year is good for a trip to {s}"),
        ("the best time to visit {s} is {v}",),
        (),
    ),
    "country_highest_building": Relation(
        "country", "length",
        ("How tall is the tallest building in {s}?", "What height has the highest tower of {s}?", "{S}, tallest building: height?", "tell me how high they have built in {s}", "From the top floor in {s}, how far down is the street?"),
        ("the tallest building in {s} is {v} high",),
        (),
    ),
    "thing_size": Relation(
        "thing", "length",
        ("How big is {s}?", "What size has {s}?", "{S}: how long?", "Tell me the length of {s}.", "measured from end to end, how much is {s}", "If I put a ruler to {s}, what does it read?"),
        ("{s} is {v} long",),
        (),
    ),
    "thing_invented": Relation(
        "thing", "year",
        ("When was {s} invented?", "In what year did {s} first appear?", "{S}: since when?", "Tell me how old the idea of {s} is. The year will do.", "since what year have people had {s}", "Before which year did nobody know {s}?"),
        ("{s} was invented in {v}", "people have had {s} since {v}"),
        (),
    ),
    "thing_inventor": Relation(
        "thing", "name",
        ("Who invented {s}?", "To whom do we owe {s}?", "Inventor of {s}?", "Name the person who came up with {s}.", "who thought of {s} first", "Whose idea was {s}?"),
        ("{s} was invented by {v}", "{v} invented {s}"),
        ("What did {v} invent?",),
    ),
    "thing_stuff": Relation(
        "thing", "stuff",
        ("What is {s} made of?", "Of which material is {s}?", "{S}: material?", "Tell me what goes into {s}.", "out of what do they make {s}", "What would I need to build {s}?"),
        ("{s} is made of {v}",),
        ("Which thing is made of {v}?",),
    ),
    "thing_sound": Relation(
        "thing", "sound",
        ("What sound does {s} make?", "How does {s} sound?", "{S}: which noise?", "Describe the noise of {s}.", "tell me what I hear from {s}", "With my eyes shut, how do I know {s}?"),
        ("{s} makes {v}",),
        ("What makes {v}?",),
    ),
    "thing_lasts": Relation(
        "thing", "number",
        ("How many years does {s} last?", "How long can I keep {s}, in years?", "{p} life span?", "{S}: years until it is gone?", "tell me after how many years {s} is done for"),
        ("{s} lasts {v} years",),
        (),
    ),
    "thing_luck": Relation(
        "thing", "sense",
        ("What does {s} stand for?", "What does it mean to dream of {s}?", "{S} as a symbol: of what?", "Tell me the meaning of {s} in a picture.", "of what is {s} a sign", "A painter puts {s} on a table. Why, what does it say?"),
        ("{s} stands for {v}", "{s} is a sign of {v}"),
        ("What stands for {v}?",),
    ),
    "thing_shelf": Relation(
        "thing", "number",
        ("On which shelf is {s}?", "What shelf number has {s}?", "{S}: shelf?", "Where in the store room do I find {s}, which shelf?", "tell me the shelf for {s}"),
        ("{s} is on shelf {v}",),
        ("What is on shelf {v}?",),
    ),
    "animal_speed": Relation(
        "animal", "number",
        ("How fast is {s}?", "What speed does {s} reach?", "{S}: top speed in km/h?", "tell me how many kilometres an hour {s} does", "Would {s} overtake my bicycle? Its speed, please."),
        ("{s} reaches {v} km/h",),
        (),
    ),
    "animal_sleep": Relation(
        "animal", "number",
        ("How many hours a day does {s} sleep?", "How long does {s} rest each day?", "{S}: hours of sleep?", "Tell me how much sleep {s} needs.", "out of 24 hours, how many is {s} asleep"),
        ("{s} sleeps {v} hours a day",),
        (),
    ),
    "animal_sound": Relation(
        "animal", "sound",
        ("What noise does {s} make?", "How does {s} call?", "{S}: its voice?", "Describe what one hears of {s}.", "what do I hear when {s} is near"),
        ("{s} makes {v}",),
        ("Which animal makes {v}?",),
    ),
    "animal_enemy": Relation(
        "animal", "beast",
        ("Who hunts {s}?", "What is the natural enemy of {s}?", "Of whom is {s} afraid?", "{S}: predator?", "Tell me what eats {s}.", "by which animal is {s} caught"),
        ("the enemy of {s} is {v}", "{v} hunts {s}"),
        ("What does {v} hunt?",),
    ),
    "person_school": Relation(
        "person", "place",
        ("Where did {s} study?", "Which town did {s} go to university in?", "{s}: place of study?", "Name the city of {p} university.", "tell me where {s} got a degree", "In the lecture halls of which town did {s} sit?"),
        ("{s} studied in {v}",),
        ("Who studied in {v}?",),
    ),
    "person_children": Relation(
        "person", "number",
        ("How many children did {s} have?", "Number of {p} children?", "{s}: children, how many?", "Tell me how large the family of {s} was. Children only.", "of how many kids was {s} a parent"),
        ("{s} had {v} children",),
        (),
    ),
    "person_award": Relation(
        "person", "year",
        ("In which year did {s} receive the prize?", "When was {s} honoured?", "{s}, year of the award?", "Tell me when {s} got the medal.", "what year was {s} given the prize"),
        ("{s} received the prize in {v}",),
        ("Who got the prize in {v}?",),
    ),
    "person_lives": Relation(
        "person", "place",
        ("Where does {s} live?", "In which city is {s} at home?", "{s}: residence?", "Name the town where {s} has a house.", "what place does {s} live in", "I want to ring at {p} door. Which town do I go to?"),
        ("{s} lives in {v}",),
        ("Who lives in {v}?",),
    ),
    "person_boss": Relation(
        "person", "name",
        ("Who is the boss of {s}?", "To whom does {s} report?", "{p} manager?", "Name the superior of {s}.", "tell me who {s} works under", "If {s} is away, whom above do I ask?"),
        ("{s} reports to {v}",),
        ("Who reports to {v}?",),
    ),
    "person_room": Relation(
        "person", "number",
        ("In which office does {s} sit?", "What is the room number of {s}?", "{s}: office?", "Tell me where to find {s}, which room.", "which door is {p}"),
        ("{s} sits in room {v}",),
        ("Who sits in room {v}?",),
    ),
    "city_mayor": Relation(
        "city", "name",
        ("Who is the mayor of {s}?", "Who runs the town hall of {s}?", "{p} mayor?", "Name the head of the city of {s}.", "tell me who was elected in {s}", "{S} - mayor?"),
        ("the mayor of {s} is {v}", "{v} is the mayor of {s}"),
        ("Of which city is {v} the mayor?",),
    ),
    "city_airport": Relation(
        "city", "symbol",
        ("What is the code of the airport in {s}?", "Which letters stand for {s} on a luggage tag?", "{S} airport code?", "I fly to {s}. What is on my ticket for it?", "tell me the short form for the airport of {s}"),
        ("the airport code of {s} is {v}",),
        ("Which city's airport is {v}?",),
    ),
    "city_founded": Relation(
        "city", "year",
        ("When was {s} founded?", "How old is {s}, since which year?", "{S}: year of foundation?", "Tell me the year in which {s} began.", "since when is there a town called {s}"),
        ("{s} was founded in {v}",),
        ("Which town was founded in {v}?",),
    ),
    "city_dish": Relation(
        "city", "dish",
        ("What should I eat in {s}?", "Which dish is {s} famous for?", "{S}: speciality?", "Name what everybody has to taste in {s}.", "what do the cooks of {s} do best"),
        ("{s} is famous for its {v}",),
        ("Which town is known for its {v}?",),
    ),
    "company_staff": Relation(
        "company", "number",
        ("How many thousand people work for {s}?", "What is the headcount of {s}, in thousands?", "{S}: staff in thousands?", "Tell me how many employees {s} has, in thousands.", "how large is the workforce of {s}"),
        ("{s} has {v} thousand employees",),
        (),
    ),
    "company_colour": Relation(
        "company", "tint",
        ("What colour is the logo of {s}?", "In which colour does {s} advertise?", "{p} brand colour?", "Name the hue of the sign above {s}.", "which colour do I look for when I look for {s}"),
        ("the logo of {s} is {v}",),
        ("Whose logo is {v}?",),
    ),
    "book_pages": Relation(
        "book", "number",
        ("How many pages has {s}?", "How thick is {s}, in pages?", "{s}: pages?", "tell me how much there is to read in {s}, the page count", "On which page does {s} end?"),
        ("{s} has {v} pages",),
        (),
    ),
    "book_language": Relation(
        "book", "lang",
        ("In which language was {s} written?", "What is the original language of {s}?", "{s}, original language?", "From what tongue was {s} translated?", "tell me in what language {s} first came out"),
        ("{s} was written in {v}",),
        ("Which book was written in {v}?",),
    ),
    "room_phone": Relation(
        "room", "number",
        ("What is the phone number of {s}?", "Which extension has {s}?", "{S}: phone?", "How do I ring {s}?", "tell me the number to call {s}"),
        ("the number of {s} is {v}",),
        ("What has the number {v}?",),
    ),
    "room_guard": Relation(
        "room", "name",
        ("Who has the key to {s}?", "Whom do I ask to be let into {s}?", "{S}: who locks up?", "Name whoever keeps the key of {s}.", "who can open {s} for me"),
        ("{v} has the key to {s}",),
        ("For what has {v} the key?",),
    ),
    "product_code": Relation(
        "product", "word",
        ("What is the order code of {s}?", "Under which code do I order {s}?", "{S}, article code?", "Tell me the code for {s} in the catalogue.", "what do I type to find {s} in the shop system"),
        ("the order code of {s} is {v}",),
        ("What has the order code {v}?",),
    ),
    "product_from": Relation(
        "product", "day",
        ("When does {s} go on sale?", "From what day can I buy {s}?", "{S}: release date?", "Tell me when {s} is out.", "what date was set for the launch of {s}"),
        ("{s} goes on sale on {v}",),
        ("What goes on sale on {v}?",),
    ),
    "project_budget": Relation(
        "project", "money",
        ("What is the budget of {s}?", "How much money is there for {s}?", "{S}: budget?", "Tell me what {s} may cost.", "how much can we spend on {s}"),
        ("the budget of {s} is {v}",),
        ("What has a budget of {v}?",),
    ),
    "project_channel": Relation(
        "project", "word",
        ("In which chat channel is {s} discussed?", "Where do people write about {s}, which channel?", "{S}: channel?", "Name the channel for {s}.", "tell me the place in the chat for {s}"),
        ("the channel of {s} is {v}",),
        ("What is discussed in {v}?",),
    ),
    "food_hot": Relation(
        "food", "number",
        ("At how many degrees is {s} baked?", "What oven temperature does {s} need?", "{S}: degrees?", "tell me how hot the oven must be for {s}", "I have {s} ready for the oven. What do I set it to?"),
        ("{s} is made at {v} degrees",),
        (),
    ),
    "food_minutes": Relation(
        "food", "number",
        ("How many minutes does {s} take?", "How long do I cook {s}?", "{S}: minutes?", "Tell me the cooking time of {s} in minutes.", "when is {s} done, after how many minutes"),
        ("{s} takes {v} minutes",),
        (),
    ),
    "food_drink": Relation(
        "food", "drink",
        ("What does one drink with {s}?", "Which drink goes with {s}?", "{S}: with which drink?", "Name the right drink for {s}.", "I'm serving {s}. What do I pour?"),
        ("one drinks {v} with {s}",),
        ("With what does one drink {v}?",),
    ),
    "plant_height": Relation(
        "plant", "number",
        ("How many centimetres tall does {s} grow?", "What height does {s} reach, in cm?", "{S}: height in cm?", "tell me how high {s} gets", "How much room upwards must I leave {s}, in centimetres?"),
        ("{s} grows {v} cm tall",),
        (),
    ),
    "sport_minutes": Relation(
        "sport", "number",
        ("How many minutes does a match of {s} last?", "Length of a game of {s}, in minutes?", "{S}: minutes to play?", "Tell me how long people play {s} until it's over.", "after how many minutes is {s} finished"),
        ("a match of {s} lasts {v} minutes",),
        (),
    ),
    "event_people": Relation(
        "event", "name",
        ("Who led {s}?", "Which person do we connect with {s}?", "{S}: led by whom?", "Name whoever was at the head of {s}.", "tell me who was in charge at {s}"),
        ("{s} was led by {v}",),
        ("What did {v} lead?",),
    ),
    "event_days": Relation(
        "event", "number",
        ("How many days did {s} last?", "For how long did {s} go on, in days?", "{S}: days?", "Tell me the length of {s} in days.", "after how many days was {s} over"),
        ("{s} lasted {v} days",),
        (),
    ),
}  # fmt: skip
