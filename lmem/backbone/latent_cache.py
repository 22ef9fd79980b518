"""Latents on disk: the frozen encoder encodes each text only once, for all runs of a backbone (chapter 15).

    key of a text = SHA-256 of its token ids;   folder = fingerprint of the backbone's weights, and its dtype

Files are written as a whole and never changed, so several processes may share a folder. They are mapped into memory, so only the
latents that are used are loaded. The latents of each text have a checksum, which is compared when they are first used.
"""

import hashlib
import json
import zlib
from collections.abc import KeysView, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from platformdirs import user_cache_path
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from lmem.backbone.backbone import Backbone
from lmem.errors import DataError
from lmem.utils.digest import digest
from lmem.utils.files import expect_folder, write_file

FORMAT = "lmem-latents-1"
TENSORS = ("ends", "keys", "sums", "latents")


def cached(backbone: Backbone, folder: str | Path | None = None) -> Backbone:
    """Return the same backbone with an `encode` that reads latents from a folder, and adds those that are missing.

    Args:
        backbone: From `load_backbone`.
        folder: Default: the user's cache folder.

    Returns:
        A backbone. On a CPU the latents from its `encode` are mapped files, so do not change them in place.

    Raises:
        InputError: `folder` is a file.
    """
    folder = user_cache_path("lmem", appauthor=False) / "latents" if folder is None else folder
    return CachedBackbone(backbone, folder)


class CachedBackbone(Backbone):
    """A backbone with latents on disk. Use `cached`."""

    def __init__(self, backbone: Backbone, folder: str | Path) -> None:
        """Share the model of `backbone`, and open the files of its weights and dtype in `folder`."""
        super().__init__(backbone.model, backbone.tokenizer, backbone.name)
        self._hashed = backbone._hashed  # hashing the weights takes seconds
        self.folder = folder
        self.store = LatentStore(folder, self.owner)

    @property
    def owner(self) -> str:
        """The subfolder of these weights and their dtype."""
        return f"{self.fingerprint[:32]}-{str(self.dtype).removeprefix('torch.')}"

    def encode(
        self, texts: Sequence[str], truncate: bool = False, batch_tokens: int | None = None
    ) -> list[Tensor]:
        """Return the latents of each text, (N, D), as `Backbone.encode` does."""
        ids = self.tokenize(texts, truncate=truncate)
        keys = [hashlib.sha256(np.asarray(row, dtype="<i8").tobytes()).digest() for row in ids]
        if self.store.owner != self.owner:  # the weights were edited
            self.store = LatentStore(self.folder, self.owner)
        known = self.store.update()
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            latents = super().encode(list(missing.values()), truncate, batch_tokens)
            self.store.add(dict(zip(missing, latents, strict=True)))
        return [self.store[key].to(self.device) for key in keys]


class Place(NamedTuple):
    """Where the latents of one text are: rows `start` to `end` of a file's latents, and their checksum."""

    path: Path
    latents: Tensor
    start: int
    end: int
    checksum: int


class LatentStore:
    """Latents by key, in the files of one folder."""

    def __init__(self, folder: str | Path, owner: str) -> None:
        """Open the subfolder of `owner` (backbone and dtype); InputError if `folder` is a file."""
        expect_folder(folder)
        self.folder, self.owner = Path(folder) / owner, owner
        self.places: dict[bytes, Place] = {}
        self.opened: set[Path] = set()
        self.checked: set[bytes] = set()

    def update(self) -> KeysView[bytes]:
        """Open new files, also those of other processes, and return all keys.

        Raises:
            DataError: A file is damaged, or of another backbone.
        """
        for path in sorted(set(self.folder.glob("*.safetensors")) - self.opened):
            about, tensors, latents = _open(path)
            if about.get("owner") != self.owner or about.get("digest") != digest(tensors):
                raise DataError(f"expected latents of {self.owner} at {path}; remove the file")
            starts = [0, *tensors["ends"].tolist()]
            checksums = tensors["sums"].tolist()
            for i, key in enumerate(tensors["keys"]):
                place = Place(path, latents, starts[i], starts[i + 1], checksums[i])
                self.places.setdefault(bytes(key.tolist()), place)
            self.opened.add(path)
        return self.places.keys()

    def __getitem__(self, key: bytes) -> Tensor:
        """Return the latents of a text, (N, D), mapped; DataError if they differ from what was saved."""
        place = self.places[key]
        latents = place.latents[place.start : place.end]
        if key not in self.checked:
            if _checksum(latents) != place.checksum:
                raise DataError(
                    f"expected latents as they were saved in {place.path}; remove the file"
                )
            self.checked.add(key)
        return latents

    def add(self, latents: Mapping[bytes, Tensor]) -> None:
        """Write one file with {key: (N, D)}, and open it."""
        pieces = [piece.detach().cpu().contiguous() for piece in latents.values()]
        tensors = {
            "ends": torch.tensor([len(piece) for piece in pieces]).cumsum(0),
            "keys": torch.tensor([list(key) for key in latents], dtype=torch.uint8),
            "sums": torch.tensor([_checksum(piece) for piece in pieces]),
        }
        about = {"format": FORMAT, "owner": self.owner, "digest": digest(tensors)}
        name = hashlib.sha256(b"".join(latents)).hexdigest()[:32]
        tensors["latents"] = torch.cat(pieces)
        with write_file(self.folder / f"{name}.safetensors") as temporary:
            save_file(tensors, str(temporary), metadata={"lmem": json.dumps(about)})
        self.update()


def _open(path: Path) -> tuple[dict, dict[str, Tensor], Tensor]:
    """Return a file's metadata, its small tensors, and its latents, which are mapped and not loaded."""
    try:
        with safe_open(str(path), framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("lmem", "{}"))
            tensors = {name: file.get_tensor(name) for name in TENSORS}
    except (OSError, SafetensorError, ValueError) as error:
        raise DataError(f"expected latents at {path}; remove the file: {error}") from error
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise DataError(f"expected a file of the form {FORMAT} at {path}; remove the file")
    return about, tensors, tensors.pop("latents")


def _checksum(latents: Tensor) -> int:
    return zlib.crc32(latents.view(torch.uint8).numpy().data)
