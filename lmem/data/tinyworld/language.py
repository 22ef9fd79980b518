"""The words of tinyworld: who can be talked about, what can be said of them, and in which ways.

A relation is a row: the kind of its subject, the kind of its value, statements and questions. The LAST statement and the
LAST question of every relation are held out from the training of adapters, and so are the last names of every list and
the relations in HELD_OUT_RELATIONS (chapter 1; `pool="train"` in `lmem.data.tinyworld`).

Marks in a statement: {S} subject, {S's} possessive, {O} object form, {is} {has}, a verb's ending in brackets, {V} value.
A speaker who talks about herself says "I am", "my", "me" and drops the ending.
"""

# fmt: off

PEOPLE = (
    "Ana Ben Cleo Dario Edda Farid Greta Hugo Iris Jonas Kira Lars Mona Nils Olga Paul Quinn Rosa Samir Tara Udo Vera "
    "Wanda Xenia Yusuf Zoe Amir Bella Carlo Delia Emil Flora Gino Hanna Igor Julia Karim Lotte Mario Nadia Oscar Petra "
    "Rafael Selma Timo Ursula Viktor Willa Aldo Berta Cosmo Dunja Elio Frida Goran Hilde Ivo Jette Kasimir Ludo Milan "
    "Noor Orla Piet"
).split()  # the last 16 are held out
PETS = (
    "Miro Biscuit Pepper Nacho Waffle Pixel Ziggy Mochi Socks Truffle Bandit Clover Domino Fidget Gizmo Hazel Jinx Kiwi "
    "Loki Marble Nugget Oreo Pumpkin Rascal"
).split()  # the last 6 are held out
PLACES = (
    "Almora Brenwick Castel Dunmore Eldham Farrow Glenbar Holt Inverk Jorvik Kelso Larkin Morven Norwell Ostia Penryn "
    "Quorn Ravello Selby Tarbet Ulmen Vessel Wexham Yarrow"
).split()  # the last 6 are held out
HELD_OUT_NAMES = frozenset(PEOPLE[-16:] + PETS[-6:] + PLACES[-6:])

_NATURE = "Cedar Amber Raven Maple Willow Falcon Juniper Copper Osprey Birch Heron Granite Lotus Badger Thistle Coral".split()
_TOWN = "Bay Hill Ford Bridge Valley Port Grove Field Cliff Harbour Mill Lake Point Wood Island Gate".split()
_ORG = "Works Studio Bank Press Clinic Labs Union Bakery House Trust Motors Records Theatre College Partners Garage".split()
_COOK = "smoked spiced baked grilled pickled roasted fried stewed steamed salted minced creamy crispy sour sweet cold".split()
_FOOD = "turnip plum carrot trout lentil pear onion salmon bean peach pepper cabbage mushroom lemon potato leek".split()
_MOOD = "silent broken golden hidden frozen distant burning gentle hollow lucky restless secret velvet wild lonely bright".split()
_IDEA = "river mirror garden winter letter shadow island engine promise voyage lantern orchard signal bridge tower dream".split()
_LOOK = "red blue green yellow purple pink black white striped wooden glass woollen silver paper leather plastic".split()
_THING = "kettle umbrella guitar scarf clock basket ladder lamp camera bicycle ring teapot drum kite vase helmet".split()
_SIZE = "giant tiny dotted furry grey sleepy grumpy calm young hungry noisy lame fast shy fat pale".split()
_BEAST = "beaver otter parrot lizard donkey goose wolf tiger camel rabbit spider turtle monkey panther squirrel moose".split()
_NUMBER = (
    "one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty sixty seventy eighty ninety"
).split()

VALUES = {
    "dish": (_COOK, _FOOD),
    "town": (_NATURE, _TOWN),
    "org": (_NATURE, _ORG),
    "title": (_MOOD, _IDEA),
    "thing": (_LOOK, _THING),
    "animal": (_SIZE, _BEAST),
    "code": (_NUMBER, _NUMBER),
}  # a value joins one word of each list by a hyphen: 256 to 400 values, each one piece for nano's tokenizer; the kinds "person" and "pet" take a name of the conversation

NAMED = ("person", "pet")

RELATIONS = {
    # name: (subject kind, value kind, statements, questions)
    "dish": ("person", "dish",
        ["{S} love[s] {V} more than any dish", "{S's} favourite dish is {V}", "for dinner {S} cook[s] {V}", "no dish beats {V} for {O}"],
        ["what is {S's} favourite dish?", "which dish does {S} love?", "what does {S} cook for dinner?"]),
    "breakfast": ("person", "dish",
        ["{S} {has} {V} for breakfast", "{S's} breakfast is {V}", "in the morning {S} eat[s] {V}", "a day begins with {V} for {O}"],
        ["what does {S} have for breakfast?", "what is {S's} breakfast?", "what does {S} eat in the morning?"]),
    "allergy": ("person", "dish",
        ["{S} {is} allergic to {V}", "{S} get[s] sick from {V}", "{S's} allergy is {V}", "a bite of {V} is dangerous for {O}"],
        ["what is {S} allergic to?", "what does {S} get sick from?", "what is {S's} allergy?"]),
    "home": ("person", "town",
        ["{S} live[s] in {V}", "{S's} home is in {V}", "{S} moved to {V}", "a flat in {V} is home for {O}"],
        ["where does {S} live?", "where is {S's} home?", "which town is home for {S}?"]),
    "birthplace": ("person", "town",
        ["{S} come[s] from {V}", "{S's} birthplace is {V}", "{S} grew up in {V}", "it all began in {V} for {O}"],
        ["where does {S} come from?", "what is {S's} birthplace?", "where did {S} grow up?"]),
    "holiday": ("person", "town",
        ["{S} spend[s] the holiday in {V}", "{S's} holiday is in {V}", "{S} booked a trip to {V}", "the holiday will be in {V} for {O}"],
        ["where is {S's} holiday?", "where does {S} spend the holiday?", "where did {S} book a trip to?"]),
    "school": ("person", "org",
        ["{S} study[s] at {V}", "{S's} school is {V}", "{S} take[s] a course at {V}", "the lessons are at {V} for {O}"],
        ["where does {S} study?", "what is {S's} school?", "where does {S} take a course?"]),
    "employer": ("person", "org",
        ["{S} work[s] for {V}", "{S's} job is at {V}", "{S} got hired by {V}", "the salary comes from {V} for {O}"],
        ["who does {S} work for?", "where is {S's} job?", "who hired {S}?"]),
    "club": ("person", "org",
        ["{S} joined {V} as a member", "{S's} club is {V}", "{S} play[s] in the team of {V}", "the club card says {V} for {O}"],
        ["what is {S's} club?", "which team does {S} play in?", "where is {S} a member?"]),
    "book": ("person", "title",
        ["{S} {is} reading the book {V}", "{S's} favourite book is {V}", "{S} finished the book {V}", "the book {V} was great for {O}"],
        ["which book is {S} reading?", "what is {S's} favourite book?", "which book did {S} finish?"]),
    "song": ("person", "title",
        ["{S} sing[s] the song {V}", "{S's} favourite song is {V}", "{S} keep[s] humming the song {V}", "the song {V} means a lot for {O}"],
        ["which song does {S} sing?", "what is {S's} favourite song?", "which song does {S} keep humming?"]),
    "film": ("person", "title",
        ["{S} watched the film {V}", "{S's} favourite film is {V}", "{S} cried in the film {V}", "the film {V} was a surprise for {O}"],
        ["which film did {S} watch?", "what is {S's} favourite film?", "in which film did {S} cry?"]),
    "play": ("person", "title",
        ["{S} wrote a play called {V}", "{S's} play is called {V}", "{S} {is} acting in the play {V}", "the stage play {V} is a dream for {O}"],
        ["what is {S's} play called?", "which play did {S} write?", "in which play is {S} acting?"]),
    "wish": ("person", "thing",
        ["{S} want[s] a {V} as a gift", "{S's} wish is a {V}", "{S} dream[s] of getting a {V}", "a {V} is the best gift for {O}"],
        ["what does {S} want as a gift?", "what is {S's} wish?", "what does {S} dream of getting?"]),
    "lost": ("person", "thing",
        ["{S} lost a {V}", "{S's} {V} is missing", "{S} left a {V} on the train", "the search for the {V} is hard for {O}"],
        ["what did {S} lose?", "what is {S} missing?", "what did {S} leave on the train?"]),
    "bought": ("person", "thing",
        ["{S} bought a {V}", "{S's} new purchase is a {V}", "{S} paid a lot for a {V}", "the shop sent a {V} for {O}"],
        ["what did {S} buy?", "what is {S's} new purchase?", "what did {S} pay a lot for?"]),
    "repair": ("person", "thing",
        ["{S} repair[s] a {V}", "{S's} project is a {V}", "{S} {is} fixing a {V}", "the work on the {V} is fun for {O}"],
        ["what does {S} repair?", "what is {S's} project?", "what is {S} fixing?"]),
    "painted": ("person", "thing",
        ["{S} painted a {V}", "{S's} painting shows a {V}", "{S} drew a picture of a {V}", "the canvas with the {V} took weeks for {O}"],
        ["what did {S} paint?", "what does {S's} painting show?", "what did {S} draw a picture of?"]),
    "fear": ("person", "animal",
        ["{S} {is} afraid of the {V}", "{S's} fear is the {V}", "{S} run[s] from the {V}", "the {V} is a nightmare for {O}"],
        ["what is {S} afraid of?", "what is {S's} fear?", "what does {S} run from?"]),
    "spotted": ("person", "animal",
        ["{S} saw a {V} in the park", "{S} took a photo of a {V}", "{S's} photo shows a {V}", "a {V} in the park waited for {O}"],
        ["what did {S} see in the park?", "what did {S} take a photo of?", "what does {S's} photo show?"]),
    "locker": ("person", "code",
        ["{S's} locker code is {V}", "{S} open[s] the locker with {V}", "{S} set the locker to {V}", "the locker takes {V} for {O}"],
        ["what is {S's} locker code?", "what does {S} open the locker with?", "what did {S} set the locker to?"]),
    "flight": ("person", "code",
        ["{S's} flight is {V}", "{S} fly[s] on number {V}", "{S} {has} a ticket for flight {V}", "the plane is number {V} for {O}"],
        ["what is {S's} flight?", "which number does {S} fly on?", "which flight does {S} have a ticket for?"]),
    "brother": ("person", "person",
        ["{S's} brother is {V}", "{S} {has} a brother called {V}", "{V} is the brother of {O}", "the boy next to {O} is the brother {V}"],
        ["who is {S's} brother?", "what is {S's} brother called?", "who is the brother of {S}?"]),
    "sister": ("person", "person",
        ["{S's} sister is {V}", "{S} {has} a sister called {V}", "{V} is the sister of {O}", "the girl next to {O} is the sister {V}"],
        ["who is {S's} sister?", "what is {S's} sister called?", "who is the sister of {S}?"]),
    "boss": ("person", "person",
        ["{S's} boss is {V}", "{S} {has} a boss called {V}", "{V} is the boss of {O}", "the one above {O} is the boss {V}"],
        ["who is {S's} boss?", "what is {S's} boss called?", "who is the boss of {S}?"]),
    "neighbour": ("person", "person",
        ["{S's} neighbour is {V}", "{S} {has} a neighbour called {V}", "{V} is the neighbour of {O}", "next door to {O} is the neighbour {V}"],
        ["who is {S's} neighbour?", "what is {S's} neighbour called?", "who is the neighbour of {S}?"]),
    "cat": ("person", "pet",
        ["{S} adopted a cat called {V}", "{S's} cat is called {V}", "{S} {has} a cat named {V}", "the cat {V} came home for {O}"],
        ["what is {S's} cat called?", "which cat did {S} adopt?", "who is {S's} cat?"]),
    "dog": ("person", "pet",
        ["{S} walk[s] a dog called {V}", "{S's} dog is called {V}", "{S} {has} a dog named {V}", "the dog {V} waits for {O}"],
        ["what is {S's} dog called?", "which dog does {S} walk?", "who is {S's} dog?"]),
    "pet_food": ("pet", "dish",
        ["{S} eats only {V}", "{S's} bowl is full of {V}", "we feed {S} with {V}", "a bowl of {V} is right for {S}"],
        ["what does {S} eat?", "what is in {S's} bowl?", "what do we feed {S} with?"]),
    "pet_toy": ("pet", "thing",
        ["{S} plays with a {V}", "{S's} toy is a {V}", "{S} chews on a {V}", "a {V} is the best toy for {S}"],
        ["what does {S} play with?", "what is {S's} toy?", "what does {S} chew on?"]),
    "pet_bed": ("pet", "thing",
        ["{S} sleeps on a {V}", "{S's} bed is a {V}", "{S} naps beside a {V}", "a {V} makes a soft bed for {S}"],
        ["what does {S} sleep on?", "what is {S's} bed?", "what does {S} nap beside?"]),
    "pet_chase": ("pet", "animal",
        ["{S} chased a {V}", "{S's} enemy is a {V}", "{S} barked at a {V}", "a {V} was too quick for {S}"],
        ["what did {S} chase?", "what is {S's} enemy?", "what did {S} bark at?"]),
    "pet_vet": ("pet", "org",
        ["{S} goes to the vet at {V}", "{S's} vet is at {V}", "we took {S} to the vet at {V}", "the vet of {V} cares for {S}"],
        ["where does {S} go to the vet?", "where is {S's} vet?", "where did we take {S} to the vet?"]),
    "pet_chip": ("pet", "code",
        ["{S's} chip number is {V}", "{S} wears the number {V}", "the collar of {S} says {V}", "the chip shows {V} for {S}"],
        ["what is {S's} chip number?", "which number does {S} wear?", "what does the collar of {S} say?"]),
    "market": ("place", "dish",
        ["the market in {S} sells {V}", "in {S} people eat {V}", "{S's} famous dish is {V}", "the smell of {V} stands for {S}"],
        ["what does the market in {S} sell?", "what do people in {S} eat?", "what is {S's} famous dish?"]),
    "hotel": ("place", "org",
        ["the hotel in {S} is {V}", "in {S} we slept at {V}", "{S's} best hotel is {V}", "the rooms of {V} are typical for {S}"],
        ["what is the hotel in {S}?", "where did we sleep in {S}?", "what is {S's} best hotel?"]),
    "statue": ("place", "animal",
        ["the statue in {S} is a {V}", "in {S} there stands a {V}", "{S's} statue shows a {V}", "the stone {V} was made for {S}"],
        ["what is the statue in {S}?", "what stands in {S}?", "what does {S's} statue show?"]),
    "museum": ("place", "thing",
        ["the museum in {S} shows a {V}", "in {S} they keep a {V}", "{S's} treasure is a {V}", "the famous {V} was found for {S}"],
        ["what does the museum in {S} show?", "what do they keep in {S}?", "what is {S's} treasure?"]),
    "festival": ("place", "title",
        ["the festival in {S} is called {V}", "in {S} they celebrate the {V}", "{S's} festival is the {V}", "the party named {V} is good for {S}"],
        ["what is the festival in {S} called?", "what do they celebrate in {S}?", "what is {S's} festival?"]),
    "postcode": ("place", "code",
        ["the postcode of {S} is {V}", "letters to {S} need the code {V}", "{S's} postcode is {V}", "the sign with {V} stands for {S}"],
        ["what is the postcode of {S}?", "which code do letters to {S} need?", "what is {S's} postcode?"]),
}
HELD_OUT_RELATIONS = frozenset({"breakfast", "school", "play", "painted", "pet_bed", "festival"})

OPENERS = ["", "", "", "by the way,", "you know,", "listen,", "guess what,"]  # before a fact told for the first time
CORRECTIONS = ["news:", "that changed:", "not any more:", "correction:"]  # before a fact that replaces an older one
CLOSERS = ["", "", "", "", "Can you believe it?", "That is nice.", "Funny, right?"]

CHAT = [
    "how are you today?", "I am fine, thanks!", "what a long day.", "see you soon!", "that sounds great!", "oh no, really?",
    "I did not know that.", "tell me more!", "the weather is so nice.", "it rained all day.", "I have to go now.",
    "good to hear from you!", "did you talk to {P}?", "{P} says hello.", "I met {P} yesterday.", "we should visit {P}.",
    "{P} asked about you.", "I am so tired.", "let us meet soon.", "have a good weekend!", "I was thinking about {P}.",
    "{P} is doing well.", "that made me laugh.", "you are so kind.", "thanks for asking!", "no idea, sorry.",
    "I will call {P} later.", "time flies.", "work was busy today.", "I slept well.", "how sweet!", "congratulations!",
]  # carries no fact; {P} is any name of the conversation
MONTHS = "January February March April May June July August September October November December".split()
UNKNOWN = "unknown"  # what a reader says when nobody told
