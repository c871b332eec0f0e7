"""240 questions of the kind that people ask, which no fact of Atlas has anything to do with; 200 are probes, 40 for a pool."""

from __future__ import annotations

from typing import Final

TRAFFIC: Final = tuple(
    """
How do I get red wine out of a carpet?
What should I cook tonight with rice and eggs?
How long does it take to boil an egg?
Can you help me write a thank-you note to my teacher?
What is a good name for a puppy?
How many cups are in a litre?
What does "ASAP" mean?
How do I stop hiccups?
Why is the sky blue?
What is the difference between weather and climate?
How do I tie a tie?
Can you suggest a birthday present for my father?
What is 15 percent of 80?
How do I apologise to a friend?
What is a synonym for "happy"?
How often should I water my houseplants?
Why do onions make me cry?
How do I make pancakes?
What should I say in a job interview?
How can I fall asleep faster?
What is the square root of 144?
How do I reset my password?
Write a short poem about autumn.
How many minutes are in a day?
What is photosynthesis?
How do vaccines work?
Who wrote Romeo and Juliet?
How do I remove a stripped bolt?
What is the opposite of "brave"?
Is it safe to eat bread with a bit of mould?
How do I calculate the area of a circle?
What is a haiku?
Can you explain inflation in simple words?
How do I get rid of fruit flies?
Why do leaves change in autumn?
What are some good stretches for a sore back?
How do I write a cover letter?
What is the boiling point of water in Celsius?
How many days are in a leap year?
What does a mortgage broker do?
How do I thaw chicken safely?
What is the plural of "mouse"?
Can you recommend a book for a long flight?
How do I convert miles to kilometres?
What is a prime number?
How long should I brush my teeth?
What is the best way to learn to swim?
Why do we dream?
How do I clean a burnt pan?
What is the meaning of "serendipity"?
How do I ask for a pay rise?
What should I pack for a weekend by the beach?
How does a rainbow form?
What is a balanced diet?
How much sleep does a teenager need?
What is the past tense of "go"?
Can you give me a tongue twister?
How do I change a flat tyre?
What causes thunder?
How do I make my own bread?
What is compound interest?
How do I keep avocados from going off?
Who painted the Mona Lisa?
What is gravity?
How do I start a conversation at a party?
What is the fastest way to peel garlic?
How do I write a haiku about rain?
What is the difference between "affect" and "effect"?
How many sides does a hexagon have?
How do I fold a fitted sheet?
What is a good excuse for being late?
Why do cats purr?
How can I save more money each month?
What do I need to open a bank account?
How do magnets work?
What is the chemical symbol for oxygen?
How do I get chewing gum out of hair?
Can you explain what an algorithm is?
How do I unclog a sink?
What rhymes with "moon"?
How many bones does an adult have?
What is a metaphor?
How do I train for a five-kilometre run?
Why does bread rise?
How do I write a resignation letter?
What is the freezing point of water in Fahrenheit?
How do I take better photos with my phone?
What is a fair tip in a restaurant?
How do I descale an espresso maker?
What is the difference between a virus and a bacterium?
How do I plan a surprise party?
What is seven times eight?
How do I teach a child to read?
What is a good breakfast before an exam?
Why is my internet so slow?
How do I back up my phone?
What is the sum of the angles in a triangle?
How do I get over a cold?
What should I wear to a wedding?
How do I whistle with my fingers?
Can you tell me a joke?
What is the meaning of life?
How do planes stay in the air?
What is a verb?
How do I write an invitation to a housewarming?
How do I stop procrastinating?
What is the difference between jam and jelly?
Why do we yawn?
How do I make a paper plane?
How many weeks are there in a year?
What is a black hole?
How do I check whether eggs are fresh?
What is the best time to trim a hedge?
How do I split a bill fairly among friends?
What does it mean to be allergic to something?
How do I make iced tea?
What is a simple magic trick?
How do I say no politely?
Why do we have leap years?
How do I measure my waist?
What is twelve squared?
How do I wash wool without shrinking it?
How do I write a good headline?
What is dark matter?
How do I keep my plants alive while I'm away?
What is the difference between its and it's?
How do I learn to juggle?
What is the recommended amount of water per day?
How do I calm down before a speech?
Why does metal rust?
How do I sharpen a blade safely?
How long can I keep cooked pasta?
What is a noun phrase?
How do I find a lost phone?
What is 1000 divided by 8?
How do I make popcorn on the stove?
What are the primary colours of light?
How do I get a stain out of a white apron?
What is the difference between a simile and a metaphor?
How can I be more confident?
How do I cut a mango?
What is a podcast?
Who discovered penicillin?
How do I choose a ripe melon?
What is the speed of light?
How do I get rid of a headache?
What is an index fund?
How do I make friends in a new town?
Why do my ears pop on a plane?
How do I write a eulogy?
What is the difference between mass and weight?
How do I meditate?
What is a good password?
How do I make a budget?
What does "RSVP" stand for?
How do I remove a splinter?
What is the Pythagorean theorem?
How do I cook a steak medium rare?
Why is the ocean salty?
How do I introduce myself in an email?
What is jet lag?
How many teaspoons are in a tablespoon?
How do I keep bread fresh?
What is a comfortable room temperature?
How do I stop my glasses from fogging up?
What is a semicolon for?
How do I descend a steep hill on skis?
Who wrote Pride and Prejudice?
What is a decibel?
How do I fix a squeaky door?
What is the next number after 2, 4, 8, 16?
How do I store fresh herbs?
What is a good hobby for the winter?
How does a microwave work?
What is the difference between a crime and a misdemeanour?
How do I negotiate the rent?
What is a vitamin?
How do I draw a face?
Why do onions go soft when they are fried?
How do I write a limerick?
What is two thirds of 90?
How do I get better at chess?
What is a habit tracker?
How do I get a baby to sleep?
What is the difference between a stock and a bond?
How do I cancel a subscription?
What is the tallest mountain in the world?
How do I prepare for a marathon?
Why do stars twinkle?
How do I use chopsticks?
What is the definition of irony?
How do I make my bedroom darker?
What is a good icebreaker for a meeting?
How do I make a to-do list that works?
What is the difference between baking soda and baking powder?
How do I say thank you in a formal letter?
How many zeros are in a million?
What is a carbon footprint?
What is empathy?
How do I stay awake on a night shift?
What is a palindrome?
How do I get ink off my hands?
What is the best way to memorise a speech?
How do I make scrambled eggs?
What is the difference between fog and mist?
How do I write a product description?
What is five factorial?
How do I make slime?
Why do we sneeze?
How do I dry flowers?
What is a good way to end an email?
How do I choose running shoes?
What is the greenhouse effect?
How do I wrap a round present?
What is a cliffhanger?
How do I improve my handwriting?
What is the median of 3, 7 and 9?
How do I make soup thicker?
What is muscle memory?
How do I set an alarm for every weekday?
What is a good question to ask on a first date?
How do I keep squirrels off my balcony?
What is a food allergy?
How do I grow chillies on a balcony?
What is the difference between a lawyer and a solicitor?
How do I write a birthday card for a colleague?
Why do mirrors flip left and right?
How do I get a refund?
What is a tax return?
How do I practise mindfulness?
What is an oxymoron?
How do I pick a good watermelon?
What is 30 degrees Celsius in Fahrenheit?
How do I write a toast for a retirement party?
What is the difference between a cold and the flu?
How do I make a fire without matches?
What is a good warm-up before lifting weights?
What is the average of 10, 20 and 60?
How do I clean my keyboard?
What should I ask before I rent a flat?
""".strip().splitlines()
)
