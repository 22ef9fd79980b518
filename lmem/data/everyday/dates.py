"""When something happened: how people say it, and the answer that follows from the session's date.

"last Friday" said on 22 October 2023  ->  "the Friday before 22 October 2023"      as LoCoMo answers
"yesterday" said on 8 May 2023         ->  "7 May 2023"
"""

import random
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from lmem.data.tinyworld.language import MONTHS

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_FEW = ("two", "three", "four", "five", "six")


def sessions(rng: random.Random, n: int) -> list[datetime]:
    """Draw n moments, oldest first, 1 to 24 days apart."""
    now = datetime(rng.randint(2021, 2025), 1, 1, 8) + timedelta(days=rng.randrange(365))
    moments = []
    for _ in range(n):
        clock = rng.randrange(14 * 60)
        moments.append(now + timedelta(minutes=clock))
        now += timedelta(days=rng.randint(1, 24))
    return moments


def header(moment: datetime) -> str:
    """Write a session's date as LoCoMo writes it: "1:56 pm on 8 May, 2023"."""
    hour = moment.hour % 12 or 12
    half = "am" if moment.hour < 12 else "pm"
    month = MONTHS[moment.month - 1]
    return f"{hour}:{moment.minute:02d} {half} on {moment.day} {month}, {moment.year}"


def plain(day: date) -> str:
    """Write a day as "8 May 2023"."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def when(rng: random.Random, tense: str, moment: datetime) -> tuple[str, str]:
    """Draw a time in words, and the answer to "when" that it gives on that day.

    Args:
        rng: Source of chance.
        tense: "past" or "future".
        moment: Of the session.

    Returns:
        (text, answer): "last Friday", "the Friday before 22 October 2023".
    """
    say, *about = rng.choice(_PAST if tense == "past" else _FUTURE)
    return say(rng, moment.date(), *about)


def _month(day: date, shift: int) -> str:
    """Name the month `shift` months away: "June 2023"."""
    number = day.year * 12 + day.month - 1 + shift
    return f"{MONTHS[number % 12]} {number // 12}"


def _weekday(rng: random.Random, day: date, words: Sequence[str], side: str) -> tuple[str, str]:
    name = rng.choice(WEEKDAYS)
    return rng.choice(words).replace("{D}", name), f"the {name} {side} {plain(day)}"


def _fixed(rng: random.Random, day: date, words: Sequence[str], days: int) -> tuple[str, str]:
    return rng.choice(words), plain(day + timedelta(days=days))


def _relative(rng: random.Random, day: date, words: Sequence[str], answer: str) -> tuple[str, str]:
    return rng.choice(words), answer + plain(day)


def _count(rng: random.Random, day: date, unit: str, words: str, side: str) -> tuple[str, str]:
    n = rng.choice(_FEW)
    return words.replace("{N}", n), f"{n} {unit} {side} {plain(day)}"


def _in_months(rng: random.Random, day: date, words: Sequence[str], shift: int) -> tuple[str, str]:
    return rng.choice(words), _month(day, shift)


def _named_month(rng: random.Random, day: date, sign: int) -> tuple[str, str]:
    name = _month(day, sign * rng.randint(2, 9))
    return f"in {name if rng.random() < 0.3 else name.split()[0]}", name


def _named_day(rng: random.Random, day: date, sign: int) -> tuple[str, str]:
    then = day + timedelta(days=sign * rng.randint(3, 150))
    month = MONTHS[then.month - 1]
    return rng.choice([f"on {then.day} {month}", f"on {month} {then.day}"]), plain(then)


def _named_year(rng: random.Random, day: date) -> tuple[str, str]:
    year = str(rng.randint(day.year - 15, day.year - 2))
    return f"in {year}", year


def _year(rng: random.Random, day: date, words: str, shift: int) -> tuple[str, str]:
    return words, str(day.year + shift)


_PAST: tuple[Any, ...] = (  # a way to say it, and what it says
    (_fixed, ("yesterday", "yesterday", "last night", "yesterday afternoon"), -1),
    (_fixed, ("this morning", "today", "earlier today"), 0),
    (_fixed, ("the day before yesterday", "two days ago"), -2),
    (_weekday, ("last {D}", "last {D}", "on {D}"), "before"),
    (_weekday, ("last {D}", "last {D}", "on {D}"), "before"),
    (_relative, ("last week",), "the week before "),
    (_relative, ("last weekend", "over the weekend", "at the weekend"), "the weekend before "),
    (_relative, ("a few days ago",), "a few days before "),
    (_count, "weeks", "{N} weeks ago", "before"),
    (_count, "months", "{N} months ago", "before"),
    (_count, "years", "{N} years ago", "before"),
    (_in_months, ("last month",), -1),
    (_named_month, -1), (_named_day, -1), (_named_day, -1), (_named_year,),
    (_year, "last year", -1),
)  # fmt: skip
_FUTURE: tuple[Any, ...] = (
    (_fixed, ("tomorrow", "tomorrow", "tomorrow morning"), 1),
    (_fixed, ("tonight", "later today"), 0),
    (_fixed, ("the day after tomorrow", "in two days"), 2),
    (_weekday, ("next {D}", "this {D}", "on {D}"), "after"),
    (_weekday, ("next {D}", "this {D}", "on {D}"), "after"),
    (_relative, ("next week",), "the week after "),
    (_relative, ("next weekend", "this weekend"), "the weekend after "),
    (_relative, ("in a few days",), "a few days after "),
    (_count, "weeks", "in {N} weeks", "after"),
    (_count, "months", "in {N} months", "after"),
    (_in_months, ("next month",), 1),
    (_named_month, 1), (_named_day, 1), (_named_day, 1),
    (_year, "next year", 1),
)  # fmt: skip
