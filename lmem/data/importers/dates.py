"""The order of day, month and year, decided by all dates of a file together.

05/08/23 is a day in May or in August. The order must make every date exist, and since an export runs from old to new, it
must not run backwards. Where more than one order is left, nothing is guessed.
"""

import re
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise

from lmem.errors import DataError

ORDERS = ("dmy", "mdy", "ymd")
NUMERIC = r"\d{1,4}[./-] ?\d{1,2}[./-] ?\d{1,4}"
FIRST_YEAR = 1900
CHATS_BEGIN = date(
    2009, 1, 1
)  # an order that gives older or future dates is chosen only if no other fits
_PARTS = re.compile(r"\d+")

Dates = dict[str, list[date]]  # by order


def read_dates(texts: Sequence[str], order: str | None, name: str) -> tuple[list[date], str]:
    """Read numeric dates, all in the same order.

    Args:
        texts: Dates in the form NUMERIC, oldest first.
        order: "dmy", "mdy" or "ymd"; None to find it out.
        name: Name of the file, for messages.

    Returns:
        The dates, and the order.

    Raises:
        DataError: No order fits, or more than one.
    """
    if order is not None and order not in ORDERS:
        raise DataError(f"expected the order of dates as one of {', '.join(ORDERS)}, not {order!r}")
    possible = _possible(texts, (order,) if order else ORDERS)
    if not possible:
        wanted = order or "one order of day, month and year"
        bad = next((text for text in texts if _read(text, order or "dmy") is None), texts[0])
        raise DataError(f"expected dates of {name} in {wanted}, {bad!r} is none")
    for better in (_is_of_chats, _runs_forward):
        possible = {each: days for each, days in possible.items() if better(days)} or possible
    if len(possible) > 1 and len(_PARTS.findall(texts[0])[0]) < 4:
        possible.pop("ymd", None)  # two digits of a year hardly ever come first
    chosen, *others = possible
    for other in others:
        for text, here, there in zip(texts, possible[chosen], possible[other], strict=True):
            if here != there:
                raise DataError(
                    f"expected dates of {name} that can be read in one way only, {text!r} and all others fit "
                    f"{chosen} and {other}: say which with --dates {chosen} or --dates {other}"
                )
    return possible[chosen], chosen


def _possible(texts: Sequence[str], orders: Sequence[str]) -> Dates:
    """Read all texts in each order in which every one of them is a date."""
    possible: Dates = {}
    for order in orders:
        known = {text: _read(text, order) for text in dict.fromkeys(texts)}
        days = [day for text in texts if (day := known[text]) is not None]
        if len(days) == len(texts):
            possible[order] = days
    return possible


def _read(text: str, order: str) -> date | None:
    parts = _PARTS.findall(text)
    if len(parts) != 3:
        return None
    by_name = dict(zip(order, parts, strict=True))
    year = by_name["y"]
    if len(year) not in (2, 4) or max(len(by_name["d"]), len(by_name["m"])) > 2:
        return None
    if order == "mdy" and "." in text:  # nobody writes the month first and dots
        return None
    try:
        full = int(year) + (2000 if len(year) == 2 else 0)
        day = date(full, int(by_name["m"]), int(by_name["d"]))
    except ValueError:
        return None
    return day if day.year >= FIRST_YEAR else None


def _is_of_chats(days: Sequence[date]) -> bool:
    return min(days) >= CHATS_BEGIN and max(days) <= date.today() + timedelta(days=1)


def _runs_forward(days: Sequence[date]) -> bool:
    """Whether no date is more than a day before its predecessor; a phone that travels may repeat a day."""
    return all(later >= earlier - timedelta(days=1) for earlier, later in pairwise(days))
