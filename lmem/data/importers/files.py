"""Files as texts: one file, the members of an archive, or a folder; in whatever encoding.

Nothing of an archive is written to the disk, so no name in it can lead anywhere.
"""

import codecs
import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

from lmem.errors import DataError
from lmem.utils.files import user_path

LARGEST = 2**30  # bytes of all texts, unpacked
ENDINGS = (".txt", ".json", ".jsonl", ".csv", ".tsv")
_MARKS = (  # longest first: the mark of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def read_files(path: str | os.PathLike[str]) -> tuple[str, dict[str, str], list[str]]:
    """Read a file, an archive or a folder.

    Returns:
        The file's name; {name: text}; what a reader should know about the encoding.

    Raises:
        DataError: It is missing, too large, empty, encrypted or damaged.
    """
    notes: list[str] = []
    path = user_path(path)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            contents = dict(_of_folder(path))
        elif not stat.S_ISREG(mode):  # a pipe would wait for ever
            raise OSError("it is no file")
        elif zipfile.is_zipfile(path):
            contents = dict(_of_archive(path))
        else:
            _expect_small(path.stat().st_size, path.name)
            contents = {path.name: path.read_bytes()}
            if contents[path.name].startswith(b"PK\x03\x04"):
                raise DataError(f"expected a whole archive at {path.name}, its end is missing")
    except (OSError, ValueError, RuntimeError) as error:
        if isinstance(error, DataError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"expected a file to import at {str(path)!a}: {reason}") from error
    if not contents:
        raise DataError(f"expected {', '.join(ENDINGS)} in {path.name!r}, found no such file")
    texts = {name: decode(content, name, notes) for name, content in contents.items()}
    if not any(text.strip() for text in texts.values()):
        raise DataError(f"expected a conversation in {path.name}, it is empty")
    return path.name, texts, notes


def decode(content: bytes, name: str, notes: list[str]) -> str:
    """Read bytes as text: by the mark at their start, else UTF-8, else Windows-1252. What does not fit is noted."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            text = content[len(mark) :].decode(encoding, errors="replace")
            return _counted(text, name, notes)
    half = len(content) // 2
    if half and content[:4000].count(0) > len(content[:4000]) // 4:
        odd = content[1:4000:2].count(0) > content[0:4000:2].count(0)
        return _counted(
            content.decode("utf-16-le" if odd else "utf-16-be", errors="replace"), name, notes
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("utf-8", errors="replace")
    letters = sum(character > "\x7f" for character in text) - text.count("\ufffd")
    if letters >= text.count("\ufffd"):  # most of it is UTF-8
        return _counted(text, name, notes)
    notes.append(f"{name} is not UTF-8 and was read as Windows-1252")
    return content.decode("cp1252", errors="replace")


def _counted(text: str, name: str, notes: list[str]) -> str:
    if odd := text.count("\ufffd"):
        notes.append(f"{name} has {odd} odd characters, read as \ufffd")
    return text


def _of_folder(path: Path) -> Iterator[tuple[str, bytes]]:
    """Read the JSON of a folder and of those in it, as Slack's export has them; nothing deeper."""
    size = 0
    for file in sorted([*path.glob("*.json"), *path.glob("*/*.json")]):
        if file.is_file():
            size += file.stat().st_size
            _expect_small(size, path.name)
            yield str(file.relative_to(path)), file.read_bytes()


def _of_archive(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(path) as archive:
            size = 0
            for member in archive.infolist():
                hidden = member.filename.startswith("__MACOSX/")
                if hidden or member.is_dir() or not member.filename.lower().endswith(ENDINGS):
                    continue
                if member.flag_bits & 1:
                    raise DataError(f"expected an archive without a password, {path.name} has one")
                _expect_small(size + member.file_size, path.name)
                with archive.open(member) as file:
                    content = file.read(LARGEST - size + 1)
                size += len(content)
                _expect_small(size, path.name)
                yield member.filename, content
    except (zipfile.BadZipFile, NotImplementedError, EOFError, zipfile.zlib.error) as error:  # pyright: ignore
        raise DataError(f"expected a whole archive at {path.name}: {error}") from error


def _expect_small(size: int, name: str) -> None:
    if size > LARGEST:
        raise DataError(
            f"expected at most {LARGEST // 2**20} MiB in {name}, it has {size // 2**20}"
        )
