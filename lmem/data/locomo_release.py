"""LoCoMo's release: where its file is, how it is downloaded, and how it is verified.

The text of LoCoMo is under CC BY-NC 4.0, so it is never part of this package. It is downloaded from its release for each
user, and its checksum is verified (chapter 1).
"""

import hashlib
import os
import sys
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

from platformdirs import user_cache_path

from lmem.errors import DataError
from lmem.utils.files import write_file
from lmem.utils.progress import track

RELEASE = "https://raw.githubusercontent.com/snap-research/locomo/main/data/locomo10.json"
SHA256 = "79fa87e90f04081343b8c8debecb80a9a6842b76a7aa537dc9fdf651ea698ff4"
LICENCE = (
    "LoCoMo (snap-research/locomo) is under CC BY-NC 4.0: name its authors, no commercial use."
)
VARIABLE = "LMEM_LOCOMO"


def cache_path() -> Path:
    """Return where a downloaded release is: in the user's cache folder."""
    return user_cache_path("lmem", appauthor=False) / "locomo10.json"


def find() -> Path | None:
    """Find the file that LMEM_LOCOMO names, else the cached release, else None. Never downloads."""
    if os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE]).expanduser()
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
