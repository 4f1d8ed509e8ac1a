"""Tables of the generated world: object and receptacle types, what fits where, the four rooms.

The types and the relations between them follow the ALFRED household domain, so that a scene made
from these tables is a legal game of that domain.
"""

from __future__ import annotations

from dataclasses import dataclass


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


CLEANABLE = _set(
    "apple bowl butterknife cloth cup dishsponge egg fork kettle knife ladle lettuce mug pan plate "
    "pot potato soapbar spatula spoon tomato"
)
HEATABLE = _set("apple bread cup egg mug plate potato tomato")
COOLABLE = _set("apple bowl bread cup egg lettuce mug pan plate pot potato tomato winebottle")
SLICEABLE = _set("apple bread egg lettuce potato tomato")
VESSELS = _set("bowl box cup mug plate pan pot")
KNIVES = frozenset(("knife", "butterknife"))
LAMPS = frozenset(("desklamp", "floorlamp"))
OPENABLE = _set("fridge cabinet microwave drawer safe")
CLEANER, HEATER, COOLER = "sinkbasin", "microwave", "fridge"

_FOOD = "apple bread egg lettuce potato tomato"
_CUTLERY = "butterknife fork knife ladle spatula spoon"
_DISHES = "bowl cup mug pan plate pot"
_SPICE = "peppershaker saltshaker"
_SMALL = "alarmclock book candle cd cellphone creditcard keychain pen pencil remotecontrol watch"
_PAPER = "newspaper tissuebox toiletpaper"
_WASH = "cloth dishsponge handtowel soapbar soapbottle spraybottle"
_DECOR = "box statue vase wateringcan winebottle kettle glassbottle"
_LARGE = "baseballbat basketball laptop tennisracket"
_LAMP = "desklamp"
_TABLE = " ".join((_FOOD, _CUTLERY, _DISHES, _SPICE, _SMALL, _PAPER, _WASH, _DECOR, _LARGE, _LAMP))
_DESK = (
    f"{_SMALL} {_PAPER} {_LAMP} basketball bowl box cup glassbottle laptop mug plate spraybottle "
    "statue tennisracket vase wateringcan winebottle"
)
_SEAT = (
    "basketball book box cellphone cloth creditcard keychain laptop newspaper pillow remotecontrol"
)
_COLD = "apple bowl bread cup egg glassbottle lettuce mug pan plate pot potato tomato winebottle"

HOLDS: dict[str, frozenset[str]] = {
    receptacle: frozenset(objects.split())
    for receptacle, objects in {
        "armchair": _SEAT,
        "bathtubbasin": "cloth dishsponge handtowel soapbar",
        "bed": "baseballbat basketball book cellphone laptop newspaper pillow tennisracket",
        "cabinet": "book bowl box candle cd cloth cup dishsponge glassbottle handtowel kettle "
        "ladle mug newspaper pan peppershaker plate plunger pot saltshaker soapbar soapbottle "
        "spraybottle tissuebox toiletpaper vase wateringcan winebottle",
        "cart": "candle cloth dishsponge handtowel mug plunger soapbar soapbottle spraybottle "
        "statue tissuebox toiletpaper vase",
        "coffeemachine": "mug",
        "coffeetable": _TABLE,
        "countertop": _TABLE,
        "desk": _DESK,
        "diningtable": _TABLE,
        "drawer": "book butterknife candle cd cellphone cloth creditcard dishsponge fork handtowel "
        "keychain knife ladle newspaper pen pencil peppershaker remotecontrol saltshaker soapbar "
        "soapbottle spatula spoon spraybottle tissuebox toiletpaper watch wateringcan",
        "dresser": _DESK,
        "fridge": _COLD,
        "garbagecan": f"{_FOOD} cd cloth dishsponge handtowel newspaper pen pencil soapbar "
        "soapbottle spraybottle tissuebox toiletpaper winebottle",
        "handtowelholder": "handtowel",
        "laundryhamper": "cloth",
        "microwave": "apple bowl bread cup egg glassbottle mug plate potato tomato",
        "ottoman": _SEAT,
        "safe": "cd cellphone creditcard keychain statue vase watch",
        "shelf": f"{_SMALL} {_PAPER} {_SPICE} {_WASH} {_DECOR} bowl cup mug plate pot",
        "sidetable": _TABLE,
        "sinkbasin": f"apple egg lettuce potato tomato {_CUTLERY} {_DISHES} cloth dishsponge "
        "glassbottle handtowel kettle soapbar",
        "sofa": _SEAT,
        "stoveburner": "kettle pan pot",
        "toaster": "",
        "toilet": f"{_WASH} candle newspaper tissuebox toiletpaper",
        "toiletpaperhanger": "toiletpaper",
        "towelholder": "towel",
        "tvstand": "tissuebox",
    }.items()
}
"""Object types that each receptacle type can hold."""

FIXED = frozenset(("desklamp", "floorlamp"))
"""Object types that cannot be picked up."""


def order_key(kind: str) -> str:
    """Returns what the original's identifiers of this type sort by.

    A basin is part of its sink there ("Sink|...|SinkBasin"), so it sorts under "sink".
    """
    return {"sinkbasin": "sink", "bathtubbasin": "bathtub"}.get(kind, kind) + "_bar_"


@dataclass(frozen=True, eq=False)
class Room:
    """What a kind of room may contain.

    Attributes:
        name: "kitchen", "livingroom", "bedroom" or "bathroom".
        required: receptacle types that are always there, once.
        optional: further receptacle types with the most there may be of each.
        objects: movable object types.
        lamps: receptacle types that a lamp stands on; () for rooms without.
    """

    name: str
    required: tuple[str, ...]
    optional: dict[str, int]
    objects: frozenset[str]
    lamps: tuple[str, ...] = ()


ROOMS: dict[str, tuple[Room, ...]] = {
    "full": (
        Room(
            "kitchen",
            ("countertop", "fridge", "garbagecan", "microwave", "sinkbasin", "toaster"),
            {
                "cabinet": 10,
                "coffeemachine": 1,
                "countertop": 2,
                "diningtable": 1,
                "drawer": 6,
                "shelf": 3,
                "sidetable": 1,
                "stoveburner": 4,
            },
            _set(
                f"{_FOOD} {_CUTLERY} {_DISHES} {_SPICE} dishsponge soapbottle kettle glassbottle "
                "winebottle book creditcard"
            ),
        ),
        Room(
            "livingroom",
            ("coffeetable", "garbagecan", "sidetable", "sofa"),
            {
                "armchair": 2,
                "cabinet": 4,
                "diningtable": 1,
                "drawer": 6,
                "dresser": 1,
                "ottoman": 1,
                "safe": 1,
                "shelf": 4,
                "sidetable": 1,
                "sofa": 1,
                "tvstand": 1,
            },
            _set(
                "book box candle cellphone creditcard keychain laptop newspaper pillow plate "
                "remotecontrol statue tissuebox vase watch wateringcan pen pencil bowl"
            ),
            ("coffeetable", "dresser", "sidetable"),
        ),
        Room(
            "bedroom",
            ("bed", "desk", "garbagecan"),
            {
                "armchair": 1,
                "cabinet": 3,
                "drawer": 8,
                "dresser": 1,
                "laundryhamper": 1,
                "safe": 1,
                "shelf": 6,
                "sidetable": 2,
            },
            _set(
                "alarmclock baseballbat basketball book bowl box cd cellphone cloth creditcard "
                "keychain laptop mug pen pencil pillow tennisracket tissuebox vase watch"
            ),
            ("desk", "dresser", "sidetable"),
        ),
        Room(
            "bathroom",
            ("countertop", "garbagecan", "sinkbasin", "toilet", "toiletpaperhanger"),
            {
                "bathtubbasin": 1,
                "cabinet": 5,
                "cart": 1,
                "drawer": 4,
                "handtowelholder": 2,
                "laundryhamper": 1,
                "shelf": 3,
                "sidetable": 1,
                "sinkbasin": 1,
                "towelholder": 1,
            },
            _set(
                "candle cloth dishsponge handtowel plunger soapbar soapbottle spraybottle "
                "tissuebox toiletpaper towel"
            ),
        ),
    ),
    "small": (
        Room(
            "kitchen",
            ("countertop", "fridge", "microwave", "sinkbasin"),
            {"cabinet": 3, "diningtable": 1, "drawer": 2, "shelf": 2, "countertop": 1},
            _set("apple cup egg mug plate potato"),
        ),
        Room(
            "bedroom",
            ("bed", "desk"),
            {"cabinet": 2, "drawer": 3, "dresser": 1, "shelf": 2, "sidetable": 2},
            _set("book cellphone mug pen pillow watch"),
            ("desk", "sidetable"),
        ),
    ),
}
"""Rooms of the two sizes of world; the small one keeps its vocabulary small."""
