"""The book's running conversation: what Ana and Ben tell each other, in chapter 1 and in all later chapters."""

from importlib.resources import files

TALK = tuple(
    files("lmem.data").joinpath("running_conversation.txt").read_text("utf-8").splitlines()
)
"""28 turns as "SPEAKER: TEXT"; five of them state a fact, the others are small talk."""
