"""LoCoMo's release: where its file is, how it is downloaded, and how it is verified.

The text of LoCoMo is under CC BY-NC 4.0, so it is never part of this package. It is downloaded from its release for each
user, and its checksum is verified (chapter 1).
"""

import hashlib
import json
import os
import re
import sys
from http.client import HTTPException
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from platformdirs import user_cache_path

from lmem.errors import DataError
from lmem.utils.files import user_path, write_file
from lmem.utils.progress import track

RELEASE = "https://raw.githubusercontent.com/snap-research/locomo/main/data/locomo10.json"
SHA256 = "79fa87e90f04081343b8c8debecb80a9a6842b76a7aa537dc9fdf651ea698ff4"
LICENCE = (
    "LoCoMo (snap-research/locomo) is under CC BY-NC 4.0: name its authors, no commercial use."
)
VARIABLE = "LMEM_LOCOMO"
OTHER = "another file in LoCoMo's form"


def cache_path() -> Path:
    """Return where a downloaded release is: in the user's cache folder."""
    return user_cache_path("lmem", appauthor=False) / "locomo10.json"


def find() -> Path | None:
    """Find the file that LMEM_LOCOMO names, else the cached release, else None. Never downloads."""
    if os.environ.get(VARIABLE):
        return user_path(os.environ[VARIABLE])
    return cache_path() if cache_path().is_file() else None


def download() -> Path:
    """Download the release into the user's cache, verify it, and show its licence.

    Raises:
        DataError: It cannot be downloaded, or is not the release. Then nothing is left behind.
    """
    print(LICENCE, file=sys.stderr)
    with write_file(cache_path()) as temporary:
        try:
            with urlopen(RELEASE, timeout=60) as source, temporary.open("wb") as out:
                for block in track(iter(lambda: source.read(1 << 16), b""), "downloading LoCoMo"):
                    out.write(block)
        except (OSError, HTTPException) as error:
            raise DataError(
                f"expected to download LoCoMo from {RELEASE}, got {error}; "
                f"give a path or set {VARIABLE}"
            ) from error
        check(temporary.read_bytes(), RELEASE)
    return cache_path()


def is_release(content: bytes) -> bool:
    """Say whether bytes are the release."""
    return hashlib.sha256(content).hexdigest() == SHA256


def variant(samples: Any) -> str:
    """Say what samples in LoCoMo's form are: LoCoMo, with or without changed answers, or something else.

    Files in circulation have corrected answers, or the tempting answer of category 5 as its right one.
    """
    known, filled, changed = answer_digests(), 0, 0
    if not isinstance(samples, list):
        return OTHER
    for sample in samples:
        name = str(sample.get("sample_id")) if isinstance(sample, dict) else ""
        questions = sample.get("qa") if isinstance(sample, dict) else None
        digests = known.get(name)
        if digests is None or not isinstance(questions, list) or len(questions) != len(digests):
            return OTHER
        for i, (question, released) in enumerate(zip(questions, digests, strict=True)):
            answer = question.get("answer") if isinstance(question, dict) else None
            if answer_digest(name, i, answer) == released:
                continue
            if released == answer_digest(name, i, None):
                filled += 1
            else:
                changed += 1
    if not samples or (not filled and not changed):
        return "LoCoMo, with the release's answers" if samples else OTHER
    return f"LoCoMo with {filled} answers filled in and {changed} changed, not the release's"


def answer_digest(sample: str, place: int, answer: Any) -> str:
    """Return 4 hexadecimal characters by which a changed answer is noticed."""
    text = json.dumps([sample, place, answer], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:4]


def answer_digests() -> dict[str, list[str]]:
    """Return {sample_id: digest of each of the release's answers}; the answers themselves are not ours to ship."""
    lines = files("lmem.data").joinpath("locomo_answers.txt").read_text("utf-8").splitlines()
    return {name: re.findall("....", digests) for name, digests in map(str.split, lines)}


def check(content: bytes, place: str | Path) -> None:
    """Verify that bytes are the release.

    Args:
        content: The bytes.
        place: Where they came from, for the message.

    Raises:
        DataError: They are not the release.
    """
    came = hashlib.sha256(content).hexdigest()
    if came != SHA256:
        raise DataError(
            f"expected LoCoMo's release (SHA-256 {SHA256[:12]}...) at {place}, "
            f"got {len(content)} bytes with {came[:12]}..."
        )
