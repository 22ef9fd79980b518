"""The sentences with numbers on the live pages, which are otherwise written by hand, from book/texts.yml and the result files.

python book/tools/live_pages.py write    fill them in
python book/tools/live_pages.py check    say whether they are what the files say

A page marks the place of a sentence by a line `% often, by book/tools/live_pages.py` before it and a line `% end` after it.
"""

import re
import sys
from functools import partial
from pathlib import Path

from page_numbers import TEXTS, check_condition, fill, read_numbers, write_or_check

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "book" / name for name in ("intro.md", "read_plain_english.md")]
PLACE = re.compile(r"(% (\w+), by book/tools/live_pages.py\n).*?(?=% end\n)", re.S)

ENTRIES = {entry["id"]: entry for entry in TEXTS["live"]}


def sentence(name):
    """A text of book/texts.yml with its numbers."""
    known = read_numbers(ENTRIES[name])
    check_condition(ENTRIES[name], known)
    return fill(ENTRIES[name], "text", known)


def page(path, root):
    """The text of a page with its sentences as the files say."""
    text = path.read_text(encoding="utf-8")
    return PLACE.sub(lambda place: f"{place[1]}{sentence(place[2])}\n", text)


def main(verb="check"):
    return max(write_or_check(partial(page, path), path, __doc__, verb) for path in PAGES)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
