"""What the generated world knows: kinds of things, relations between them, how both are said.

`{s}` stands for the thing an article is about, `{o}` for the other thing or value.
"""

from __future__ import annotations

from dataclasses import dataclass

WORLD = "multihop-1"
"""Name and version of the generator; any change of what is generated changes the version."""


@dataclass(frozen=True, slots=True)
class Relation:
    """One kind of fact.

    Attributes:
        name: its name, unique.
        subject: kind of thing it is said of.
        target: kind of thing it leads to, or the kind of value ("year", "count", "length", "word").
        says: sentences that state it in an article.
        noun: phrases for its target in a question, with {s}: "the mayor of {s}".
        asks: whole questions for its target, with {s}.
        clause: what is said of the subject in "Which novel ...?", with {o}; entities only.
        keywords: what one would search for beside the subject's name.
        lists: sentences in the *target's* article that list all subjects, with {s} and {o}.
        held_out: whether only the split `ood_relations` asks for it.
    """

    name: str
    subject: str
    target: str
    says: tuple[str, ...]
    noun: tuple[str, ...]
    asks: tuple[str, ...]
    clause: str = ""
    keywords: str = ""
    lists: tuple[str, ...] = ()
    held_out: bool = False


SHARES = {
    "person": 0.40,
    "novel": 0.14,
    "film": 0.12,
    "company": 0.09,
    "city": 0.09,
    "university": 0.06,
    "band": 0.04,
    "museum": 0.03,
    "river": 0.02,
    "country": 0.01,
}
"""Share of each kind among the things of a world."""

OCCUPATIONS = (
    "novelist", "film director", "novelist", "film director", "chemist", "architect", "composer",
    "painter", "engineer", "botanist", "singer", "historian", "surgeon", "astronomer",
)  # fmt: skip
INDUSTRIES = (
    "shipbuilding", "textiles", "glassmaking", "publishing", "railway equipment", "chemicals",
    "watchmaking", "brewing", "printing", "insurance", "furniture", "ceramics",
)  # fmt: skip
CURRENCIES = (
    "crown", "florin", "mark", "thaler", "ducat", "shilling", "guilder", "lira", "talent", "rand",
    "peso", "dinar",
)  # fmt: skip
SEAS = (
    "Northern Sea", "Amber Sea", "Gulf of Tarn", "Western Ocean", "Bay of Lorn", "Salt Lake",
    "Inner Sea", "Strait of Veld", "Quiet Ocean", "Sea of Reeds", "Long Lagoon", "Iron Gulf",
)  # fmt: skip

RELATIONS = (
    Relation(
        "birthplace", "person", "city",
        ("{s} was born in {o}.", "{s} is a native of {o}.", "The birthplace of {s} is {o}."),
        ("the birthplace of {s}", "the city where {s} was born"),
        ("In which city was {s} born?", "Where was {s} born?", "Which city is {s} a native of?"),
        "was born in {o}", "born birthplace",
    ),
    Relation(
        "birth_year", "person", "year",
        ("{s} was born in the year {o}.", "The year of birth of {s} is {o}."),
        ("the year of birth of {s}",),
        ("In what year was {s} born?", "What is the year of birth of {s}?"),
        keywords="born year",
    ),
    Relation(
        "education", "person", "university",
        ("{s} studied at {o}.", "{s} graduated from {o}.", "{s} took a degree at {o}."),
        ("the university where {s} studied", "the alma mater of {s}"),
        ("Where did {s} study?", "Which university did {s} graduate from?"),
        "studied at {o}", "studied graduated",
        ("Alumni of {o}: {s}.", "{o} lists as its alumni {s}."),
    ),
    Relation(
        "employer", "person", "company",
        ("{s} worked for {o}.", "For many years {s} was employed by {o}.", "{s} joined {o} early."),
        ("the company that {s} worked for", "the employer of {s}"),
        ("Which company did {s} work for?", "Who was the employer of {s}?"),
        "worked for {o}", "worked employed company",
        ("Staff of {o}: {s}.", "{o} had on its staff {s}."),
    ),
    Relation(
        "spouse", "person", "person",
        ("{s} was married to {o}.", "The spouse of {s} was {o}.", "{s} and {o} were married."),
        ("the spouse of {s}", "the person {s} was married to"),
        ("Who was {s} married to?", "Who was the spouse of {s}?"),
        keywords="married spouse",
    ),
    Relation(
        "mentor", "person", "person",
        ("{s} was taught by {o}.", "The mentor of {s} was {o}."),
        ("the mentor of {s}", "the person who taught {s}"),
        ("Who taught {s}?", "Who was the mentor of {s}?"),
        "was taught by {o}", "mentor taught", held_out=True,
    ),
    Relation(
        "country", "city", "country",
        ("{s} is a city in {o}.", "{s} lies in {o}.", "{s} belongs to {o}."),
        ("the country of {s}", "the country in which {s} lies"),
        ("In which country is {s}?", "Which country does {s} belong to?"),
        "lies in {o}", "city country",
    ),
    Relation(
        "mayor", "city", "person",
        ("The mayor of {s} is {o}.", "{s} is governed by mayor {o}."),
        ("the mayor of {s}", "the person who governs {s} as mayor"),
        ("Who is the mayor of {s}?",),
        keywords="mayor governed",
    ),
    Relation(
        "population", "city", "count",
        ("{s} has {o} inhabitants.", "The population of {s} is {o}."),
        ("the population of {s}",),
        ("How many inhabitants does {s} have?", "What is the population of {s}?"),
        keywords="population inhabitants",
    ),
    Relation(
        "founded", "city", "year",
        ("{s} was founded in {o}.", "The founding of {s} dates to {o}."),
        ("the founding year of {s}",),
        ("In what year was {s} founded?", "When was {s} founded?"),
        keywords="founded founding",
    ),
    Relation(
        "river", "city", "river",
        ("{s} lies on the {o}.", "The {o} flows through {s}."),
        ("the river that flows through {s}", "the river on which {s} lies"),
        ("Which river flows through {s}?", "On which river does {s} lie?"),
        "lies on the {o}", "river flows", held_out=True,
    ),
    Relation(
        "capital", "country", "city",
        ("The capital of {s} is {o}.", "{s} is ruled from its capital, {o}."),
        ("the capital of {s}",),
        ("What is the capital of {s}?", "Which city is the capital of {s}?"),
        keywords="capital",
    ),
    Relation(
        "language", "country", "word",
        ("The official language of {s} is {o}.", "People in {s} speak {o}."),
        ("the official language of {s}",),
        ("What is the official language of {s}?", "Which language is spoken in {s}?"),
        keywords="language speak",
    ),
    Relation(
        "currency", "country", "word",
        ("The currency of {s} is the {o}.", "In {s} one pays with the {o}."),
        ("the currency of {s}",),
        ("What is the currency of {s}?",),
        keywords="currency pays",
    ),
    Relation(
        "ruler", "country", "person",
        ("The head of state of {s} is {o}.", "{o} is the head of state of {s}."),
        ("the head of state of {s}",),
        ("Who is the head of state of {s}?",),
        keywords="head state",
    ),
    Relation(
        "length", "river", "length",
        ("{s} is {o} long.", "The length of {s} is {o}."),
        ("the length of the {s}",),
        ("How long is the {s}?", "What is the length of the {s}?"),
        keywords="length long",
    ),
    Relation(
        "mouth", "river", "word",
        ("{s} flows into the {o}.", "{s} ends in the {o}."),
        ("the body of water that the {s} flows into",),
        ("What does the {s} flow into?",),
        keywords="flows ends",
    ),
    Relation(
        "source", "river", "country",
        ("{s} rises in {o}.", "The source of {s} is in {o}."),
        ("the country in which the {s} rises",),
        ("In which country does the {s} rise?",),
        "rises in {o}", "rises source",
    ),
    Relation(
        "city", "university", "city",
        ("{s} is a university in {o}.", "{s} teaches in {o}.", "The seat of {s} is {o}."),
        ("the city of {s}", "the city in which {s} teaches"),
        ("In which city is {s}?", "Where is the seat of {s}?"),
        "has its seat in {o}", "university seat",
    ),
    Relation(
        "established", "university", "year",
        ("{s} was established in {o}.", "The charter of {s} dates from {o}."),
        ("the year in which {s} was established",),
        ("In what year was {s} established?", "When was {s} established?"),
        keywords="established charter",
    ),
    Relation(
        "patron", "university", "person",
        ("{s} was endowed by {o}.", "The patron of {s} was {o}."),
        ("the patron of {s}", "the person who endowed {s}"),
        ("Who endowed {s}?", "Who was the patron of {s}?"),
        "was endowed by {o}", "endowed patron",
    ),
    Relation(
        "rector", "university", "person",
        ("The rector of {s} is {o}.", "{s} is headed by {o}."),
        ("the rector of {s}",),
        ("Who is the rector of {s}?", "Who heads {s}?"),
        "is headed by {o}", "rector headed", held_out=True,
    ),
    Relation(
        "headquarters", "company", "city",
        ("{s} has its headquarters in {o}.", "{s} is based in {o}.", "{s} is run from {o}."),
        ("the city where {s} is based", "the seat of {s}"),
        ("Where is {s} based?", "In which city does {s} have its headquarters?"),
        "is based in {o}", "headquarters based",
        ("Companies based in {o}: {s}.", "{o} is home to {s}."),
    ),
    Relation(
        "founder", "company", "person",
        ("{s} was founded by {o}.", "The founder of {s} was {o}.", "{o} set up {s}."),
        ("the founder of {s}", "the person who set up {s}"),
        ("Who founded {s}?", "Who was the founder of {s}?"),
        "was founded by {o}", "founded founder",
    ),
    Relation(
        "started", "company", "year",
        ("{s} began trading in {o}.", "{s} opened for business in {o}."),
        ("the year in which {s} began trading",),
        ("In what year did {s} begin trading?", "When did {s} open for business?"),
        keywords="began trading business",
    ),
    Relation(
        "industry", "company", "word",
        ("{s} is active in {o}.", "The business of {s} is {o}."),
        ("the industry of {s}",),
        ("In which industry is {s} active?", "What is the business of {s}?"),
        keywords="active business",
    ),
    Relation(
        "author", "novel", "person",
        ("{s} was written by {o}.", "The author of {s} is {o}.", "{o} wrote {s}."),
        ("the author of {s}", "the person who wrote {s}"),
        ("Who wrote {s}?", "Who is the author of {s}?"),
        "was written by {o}", "novel author",
        ("Novels by {o}: {s}.", "{o} published {s}."),
    ),
    Relation(
        "published", "novel", "year",
        ("{s} was published in {o}.", "The first edition of {s} appeared in {o}."),
        ("the year in which {s} was published",),
        ("In what year was {s} published?", "When did {s} appear?"),
        keywords="published edition",
    ),
    Relation(
        "setting", "novel", "city",
        ("{s} is set in {o}.", "The story of {s} takes place in {o}."),
        ("the city in which {s} is set", "the setting of {s}"),
        ("In which city is {s} set?", "Where does the story of {s} take place?"),
        "is set in {o}", "set story",
    ),
    Relation(
        "director", "film", "person",
        ("{s} was directed by {o}.", "The director of {s} is {o}.", "{o} directed {s}."),
        ("the director of {s}", "the person who directed {s}"),
        ("Who directed {s}?", "Who is the director of {s}?"),
        "was directed by {o}", "film director",
        ("Films by {o}: {s}.", "{o} made {s}."),
    ),
    Relation(
        "released", "film", "year",
        ("{s} was released in {o}.", "{s} came to the cinemas in {o}."),
        ("the year in which {s} was released",),
        ("In what year was {s} released?", "When did {s} come to the cinemas?"),
        keywords="released cinemas",
    ),
    Relation(
        "studio", "film", "company",
        ("{s} was produced by {o}.", "{o} paid for {s}.", "The producer of {s} is {o}."),
        ("the company that produced {s}", "the producer of {s}"),
        ("Which company produced {s}?", "Who was the producer of {s}?"),
        "was produced by {o}", "produced producer",
    ),
    Relation(
        "composer", "film", "person",
        ("The music of {s} is by {o}.", "{o} composed the score of {s}."),
        ("the composer of the music of {s}", "the person who scored {s}"),
        ("Who composed the music of {s}?", "Who scored {s}?"),
        "has music by {o}", "music score composed", held_out=True,
    ),
    Relation(
        "location", "museum", "city",
        ("{s} is a museum in {o}.", "{s} stands in {o}.", "Visitors find {s} in {o}."),
        ("the city where {s} stands", "the location of {s}"),
        ("In which city is {s}?", "Where does {s} stand?"),
        "stands in {o}", "museum stands",
    ),
    Relation(
        "opened", "museum", "year",
        ("{s} opened in {o}.", "The doors of {s} were first opened in {o}."),
        ("the year in which {s} opened",),
        ("In what year did {s} open?", "When did {s} open?"),
        keywords="opened doors",
    ),
    Relation(
        "architect", "museum", "person",
        ("{s} was designed by {o}.", "The architect of {s} was {o}."),
        ("the architect of {s}", "the person who designed {s}"),
        ("Who designed {s}?", "Who was the architect of {s}?"),
        "was designed by {o}", "architect designed", held_out=True,
    ),
    Relation(
        "origin", "band", "city",
        ("{s} comes from {o}.", "{s} played its first concerts in {o}, where it was formed."),
        ("the city that {s} comes from", "the home city of {s}"),
        ("Which city does {s} come from?", "In which city was {s} formed?"),
        "comes from {o}", "band comes formed",
    ),
    Relation(
        "leader", "band", "person",
        ("The singer of {s} is {o}.", "{s} is fronted by {o}."),
        ("the singer of {s}", "the person who fronts {s}"),
        ("Who is the singer of {s}?", "Who fronts {s}?"),
        "is fronted by {o}", "singer fronted",
    ),
    Relation(
        "formed", "band", "year",
        ("{s} was formed in {o}.", "{s} has played since {o}."),
        ("the year in which {s} was formed",),
        ("In what year was {s} formed?", "Since when has {s} played?"),
        keywords="formed played since",
    ),
    Relation(
        "label", "band", "company",
        ("The records of {s} are issued by {o}.", "{s} is under contract with {o}."),
        ("the company that issues the records of {s}", "the label of {s}"),
        ("Which company issues the records of {s}?",),
        "is under contract with {o}", "records label contract", held_out=True,
    ),
)  # fmt: skip
"""Every relation; each thing has all relations of its kind (the spouse: half of the people)."""

BY_NAME = {r.name: r for r in RELATIONS}
OF_KIND = {kind: tuple(r for r in RELATIONS if r.subject == kind) for kind in SHARES}
LISTS = {kind: tuple(r for r in RELATIONS if r.lists and r.target == kind) for kind in SHARES}
"""The relations whose subjects an article of each kind lists."""

COMPARED = {
    "birth_year": ("Who was born {later}, {a} or {b}?", "earlier", "later"),
    "founded": ("Which city was founded {later}, {a} or {b}?", "earlier", "later"),
    "population": ("Which city has {later} inhabitants, {a} or {b}?", "fewer", "more"),
    "length": ("Which river is {later}, the {a} or the {b}?", "shorter", "longer"),
    "established": ("Which university was established {later}, {a} or {b}?", "earlier", "later"),
    "started": ("Which company began trading {later}, {a} or {b}?", "earlier", "later"),
    "published": ("Which novel appeared {later}, {a} or {b}?", "earlier", "later"),
    "released": ("Which film was released {later}, {a} or {b}?", "earlier", "later"),
    "opened": ("Which museum opened {later}, {a} or {b}?", "earlier", "later"),
    "formed": ("Which band was formed {later}, {a} or {b}?", "earlier", "later"),
}
"""Relation -> (question, word for the lesser value, word for the greater)."""

SAME = {
    "birthplace": "Were {a} and {b} born in the same city?",
    "education": "Did {a} and {b} study at the same university?",
    "employer": "Did {a} and {b} work for the same company?",
    "country": "Are {a} and {b} in the same country?",
    "headquarters": "Are {a} and {b} based in the same city?",
    "author": "Were {a} and {b} written by the same person?",
    "setting": "Are {a} and {b} set in the same city?",
    "director": "Were {a} and {b} directed by the same person?",
    "studio": "Were {a} and {b} produced by the same company?",
    "mentor": "Were {a} and {b} taught by the same person?",
    "river": "Do {a} and {b} lie on the same river?",
    "composer": "Does the music of {a} and {b} come from the same composer?",
    "label": "Are the records of {a} and {b} issued by the same company?",
}
"""Relation -> question whether two things share its target."""

COUNTED = {
    "author": ("How many novels of {o} were published {when} {x}?", "published"),
    "director": ("How many films of {o} were released {when} {x}?", "released"),
    "headquarters": ("How many of the companies based in {o} began trading {when} {x}?", "started"),
    "employer": ("How many of the people on the staff of {o} were born {when} {x}?", "birth_year"),
    "education": ("How many of the alumni of {o} were born {when} {x}?", "birth_year"),
}
"""Listed relation -> (question, the year that is compared with {x})."""
