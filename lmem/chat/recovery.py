"""The recovery file: the newest bank of a chat that was not saved, in the user's state folder and for its owner alone.

It is written after every turn that is kept, so nothing has to run when a terminal is closed. The bank alone is in it, not the
ledger; the speaker's name is in the file's name, so that nobody is offered the chat of another. It is deleted when the bank is saved, and when the chat is left with /quit.
"""

import os
import re
import time
from pathlib import Path

from platformdirs import user_state_path

from lmem.errors import InputError
from lmem.memory.bank import Bank

PREFIX, ENDING = "chat-", ".safetensors"
KEPT = 3  # of one speaker; older ones are deleted


def file_name(name: str) -> str:
    """Return a speaker's name as a part of a file's name: "Ana Maria" as ana-maria."""
    return re.sub(r"\W+", "-", name.lower()).strip("-") or "bank"


def state_folder() -> Path:
    """Return the folder for files of this kind: ~/.local/state/lmem on Linux."""
    return user_state_path("lmem", appauthor=False)


def remove(path: Path | None) -> None:
    """Remove a file if there is one."""
    try:
        if path:
            path.unlink(missing_ok=True)
    except OSError:  # a folder that became read-only
        pass


class Recovery:
    """The recovery file of one chat, and those that earlier chats left behind."""

    def __init__(self, folder: str | os.PathLike[str] | None = None):
        """Name a file; nothing is written yet.

        Args:
            folder: Where; default: `state_folder()`.
        """
        self.folder = Path(folder) if folder is not None else state_folder()
        self.path: Path | None = None  # as long as nothing is written
        self.aside: list[Path] = []
        self.stamp = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"

    def save(self, bank: Bank, name: str) -> None:
        """Write the bank of a speaker.

        Raises:
            InputError: It cannot be written.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"expected a folder for recovery files at {self.folder}: {error}"
            ) from error
        number = f".{len(self.aside)}" if self.aside else ""
        file = f"{PREFIX}{file_name(name)}-{self.stamp}{number}{ENDING}"
        self.path = self.path or self.folder / file
        bank.save(self.path, private=True)
        for old in self.others(name)[KEPT:]:
            old.unlink(missing_ok=True)

    def put_aside(self) -> Path | None:
        """Leave the file as it is, since its bank was not saved, and begin another; return its path."""
        path, self.path = self.path, None
        if path:
            self.aside.append(path)
        return path

    def delete(self) -> None:
        """Remove the file of this chat's bank, if there is one."""
        remove(self.path)

    def delete_all(self) -> None:
        """Remove the files of this chat, those put aside too."""
        for path in (self.path, *self.aside):
            remove(path)

    def others(self, name: str) -> list[Path]:
        """Return the files of a speaker's other chats, the newest first."""
        own = f"{PREFIX}{file_name(name)}"  # in front of date, time and process
        try:
            files = [
                path
                for path in self.folder.glob(f"{PREFIX}*{ENDING}")
                if path != self.path and path.name.rsplit("-", 3)[0] == own
            ]
            return sorted(files, key=lambda path: path.stat().st_mtime, reverse=True)
        except OSError:
            return []
