"""Write files and folders completely or not at all: under a temporary name, renamed when they are complete.

A new file gets the mode that the umask gives it. A file that is replaced keeps its mode, and a link to it stays a link. Where
nothing can be written (a full disk, a folder without permission), the old file stays and one sentence says why.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from lmem.errors import InputError

PRIVATE = 0o600  # read and written by its owner alone
FILE_BITS = 0o666  # permissions of a file: those of a folder without the right to enter it


@contextmanager
def write_file(path: str | os.PathLike[str], private: bool = False) -> Iterator[Path]:
    """Yield a temporary path next to `path`, renamed to it on success and removed on failure.

    Args:
        path: The file to write.
        private: Give it mode 600, whatever the umask and an existing file say. Write into the temporary file then, do not
            replace it.

    Raises:
        InputError: `path` is a folder, a device or read-only, or it cannot be written; then it is unchanged.
    """
    path = _target(path)
    if os.path.isdir(path):
        raise InputError(f"expected a file to write, {path} is a folder")
    if os.path.exists(path) and not os.path.isfile(path):  # a device or a pipe must not be replaced
        raise InputError(f"expected a file to write, {path} is none")
    if os.path.exists(path) and not os.access(path, os.W_OK):
        raise InputError(f"expected a file that can be written, {path} is read-only")
    fresh = _make_next_to(path, folder=False, mode=PRIVATE if private else FILE_BITS)
    mode = PRIVATE if private else _mode(path if os.path.exists(path) else fresh)
    try:
        with _one_sentence(path):
            yield fresh
            os.chmod(fresh, mode)  # safetensors makes a file of its own
            os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str, private: bool = False) -> None:
    """Write a text in UTF-8, as `write_file` writes a file."""
    with write_file(path, private) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def write_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary folder next to `path`, renamed to it on success and removed on failure.

    If `path` exists, the new files replace the old ones one by one, and its other files stay.

    Raises:
        InputError: `path` is a file, or it cannot be written.
    """
    path = _target(path)
    expect_folder(path)
    fresh = _make_next_to(path, folder=True)
    new_mode = _mode(fresh) & FILE_BITS
    try:
        with _one_sentence(path):
            yield fresh
            files = sorted(fresh.iterdir())
            for file in files:
                old = path / file.name
                file.chmod(_mode(old) if old.exists() else new_mode)
            if path.exists():
                for file in files:
                    os.replace(file, path / file.name)
            else:
                os.replace(fresh, path)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def user_path(path: str | os.PathLike[str]) -> Path:
    """Return a path with ~ expanded, as a shell does.

    Raises:
        InputError: It begins with ~ and the name of nobody whom this machine knows.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(f"expected the name of a file, not {str(path)!r}: {error}") from error


def expect_folder(path: str | os.PathLike[str]) -> None:
    """Raise an InputError if `path` cannot be a folder; worth a check before an hour of training."""
    path = _target(path)
    if os.path.exists(path) and not os.path.isdir(path):
        raise InputError(f"expected a folder to write, {path} is a file")


def expect_file(path: Path | None) -> Path | None:
    """Return the path, for an option of the command line; raise an InputError if it cannot be a file."""
    if path is not None and os.path.isdir(_target(path)):
        raise InputError(f"expected a file to write, {path} is a folder")
    return path


@contextmanager
def _one_sentence(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into an InputError."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).splitlines()[0]
        raise InputError(f"expected to write {path}, which was left unchanged: {reason}") from error


def _target(path: str | os.PathLike[str]) -> Path:
    """Return the path that a link leads to; one that begins with ~ would make a folder of that name."""
    if str(path).startswith("~"):
        raise InputError(
            f"expected a path as it is, and {path} begins with ~, which a shell replaces: "
            "pass os.path.expanduser(path)"
        )
    try:
        return Path(os.path.realpath(path))
    except (TypeError, ValueError) as error:  # no path, a null byte, half a character
        raise InputError(f"expected the name of a file, not {str(path)!a}: {error}") from error


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def _make_next_to(path: Path, folder: bool, mode: int = FILE_BITS) -> Path:
    """Make a temporary file or folder next to `path`, with the umask's permissions, and the folder above it."""
    fresh = path.parent / f".{path.name[:100]}.{secrets.token_hex(6)}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if folder:
            fresh.mkdir()
        else:
            fresh.touch(mode, exist_ok=False)
    except OSError as error:
        raise InputError(
            f"expected a folder that can be written at {path.parent}: {error}"
        ) from error
    return fresh
