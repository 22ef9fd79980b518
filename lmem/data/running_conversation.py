"""The book's running conversation: what Ana and Ben tell each other, in chapter 1 and in all after it."""

TALK = (
    "Ana: I adopted a cat called Miro.", "Ben: How sweet!", "Ben: I live in Cedar-Bay.", "Ana: I did not know that.",
    "Ana: My favourite dish is spiced-turnip.", "Ben: Tell me more!", "Ben: My brother is Hugo.", "Ana: That sounds great!",
    "Ben: Hugo works for Falcon-Studio.", "Ana: What a long day.", "Ben: I am so tired.", "Ana: Hugo says hello.",
    "Ben: The weather is so nice.", "Ana: Let us meet soon.", "Ben: Have a good weekend!", "Ana: I slept well.",
    "Ben: I have to go now.", "Ana: See you soon!", "Ana: How are you today?", "Ben: I am fine, thanks!",
    "Ana: It rained all day.", "Ben: Oh no, really?", "Ana: I was thinking about Hugo.", "Ben: Time flies.",
    "Ana: I will call Hugo later.", "Ben: Work was busy today.", "Ana: You are so kind.", "Ben: Thanks for asking!",
)  # fmt: skip
"""28 turns as "SPEAKER: TEXT"; five of them tell a fact, the others are chit-chat."""
