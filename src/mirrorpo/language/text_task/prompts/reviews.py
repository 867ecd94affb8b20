"""Openings of reviews, each about every thing; training and test name different things."""

from mirrorpo.preference_texts.place import Place
from mirrorpo.preference_texts.prompts import Prompt

from .halves import Prompts

NAME = "reviews"

_OPENINGS = (
    "Review of {}: I",
    "We tried {} last week, and",
    "An honest opinion about {}:",
    "What I told my sister about {}:",
    "After a whole month with {}, I",
    "My first impression of {} was",
    "The truth about {} is that",
    "Somebody asked me about {}, so here it is:",
    "Notes on {}, written the same evening:",
    "Before you pay for {}, you should know that",
    "I had read a lot about {}, but",
    "To everyone who is thinking about {}:",
)

_TRAIN = (
    "the new film about the lighthouse",
    "the small hotel behind the station",
    "these running shoes",
    "the fish restaurant at the harbour",
    "the third season of the series",
    "the evening train to the coast",
    "this coffee machine",
    "the guided tour of the castle",
    "the novel that won the prize",
    "the swimming pool in the old town",
    "this mobile phone",
    "the bakery on the corner",
    "the play at the city theatre",
    "the camping site by the lake",
    "this pair of headphones",
    "the noodle bar near the office",
    "the museum of clocks",
    "the online course in drawing",
    "this winter coat",
    "the album of the young singer",
    "the bicycle shop in our street",
    "the ferry to the islands",
    "this vacuum cleaner",
    "the zoo outside the city",
    "the thriller set in the mountains",
    "the dentist on the second floor",
    "this set of kitchen knives",
    "the vegetarian cafe",
    "the concert in the park",
    "the language app",
    "this office chair",
    "the city bus at night",
    "the documentary about bees",
    "the pizza place with the blue door",
    "this electric kettle",
    "the yoga class for beginners",
    "the airport lounge",
    "the board game with the dragons",
    "this rain jacket",
    "the hairdresser at the market",
    "the comedy with the talking dog",
    "the farm shop",
    "this washing machine",
    "the sushi delivery",
    "the climbing hall",
    "the history podcast",
    "this garden hose",
    "the ice cream van",
)

_TEST = (
    "the musical about the baker",
    "the guest house in the vineyard",
    "this tablet computer",
    "the burger stand at the beach",
    "the biography of the pilot",
    "the ski school",
    "this desk lamp",
    "the tea room in the garden",
    "the horror film in the cellar",
    "the car hire at the airport",
    "this backpack",
    "the puppet theatre",
)


def _asked(things: tuple[str, ...]) -> tuple[Prompt, ...]:
    # Round by round another opening for each thing: the first few have all openings already.
    texts = [
        _OPENINGS[(number + number // len(things)) % len(_OPENINGS)].format(
            things[number % len(things)]
        )
        for number in range(len(things) * len(_OPENINGS))
    ]
    return tuple(Prompt(text, Place(NAME, number)) for number, text in enumerate(texts))


PROMPTS = Prompts(NAME, _asked(_TRAIN), _asked(_TEST), are_openings=True)
"""Training and test prompts name different things."""
