"""Latents on disk: what the frozen encoder makes of a turn is made once, for all runs of a backbone (chapter 15).

    key of a latent = SHA-256 of the text's token ids;   folder = fingerprint of the backbone's weights, and its dtype

Files are written whole and never changed, so several processes may share a folder. They are mapped into memory: what is not
looked at is not loaded. Each text's latents carry their own sum, which is checked when they are first handed out.
"""

import hashlib
import json
import zlib
from pathlib import Path

import numpy as np
import torch
from platformdirs import user_cache_path
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from lmem.backbone.backbone import Backbone
from lmem.errors import DataError
from lmem.utils.digest import digest
from lmem.utils.files import expect_folder, write_file

FORMAT = "lmem-latents-1"
PARTS = ("ends", "keys", "sums")


def cached(backbone, folder=None):
    """The same backbone, whose `encode` looks into a folder first, and leaves there what it had to make.

    folder   default: the user's cache folder
    returns  Backbone; what its `encode` gives on a CPU lies in the files, so do not write into it
    raises   InputError if a file stands where the folder should
    """
    folder = user_cache_path("lmem", appauthor=False) / "latents" if folder is None else folder
    return _Cached(backbone, folder)


class _Cached(Backbone):
    def __init__(self, backbone, folder):
        super().__init__(backbone.model, backbone.tokenizer, backbone.name)
        kind = str(backbone.dtype).removeprefix("torch.")
        self.fingerprint = backbone.fingerprint
        self.store = Store(folder, f"{self.fingerprint[:32]}-{kind}")

    def encode(self, texts, truncate=False, batch_tokens=None):
        ids = self.tokenize(texts, truncate=truncate)
        keys = [hashlib.sha256(np.asarray(row, dtype="<i8").tobytes()).digest() for row in ids]
        known = self.store.known()
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            fresh = super().encode(list(missing.values()), truncate, batch_tokens)
            self.store.add(dict(zip(missing, fresh, strict=True)))
        return [self.store[key].to(self.device) for key in keys]


class Store:
    """Latents by key, in the files of one folder: `known()`, `store[key]` (N, D), `add({key: (N, D)})`."""

    def __init__(self, folder, owner):
        expect_folder(folder)
        self.folder, self.owner = Path(folder) / owner, owner
        self.places, self.read, self.checked = {}, set(), set()

    @property
    def nbytes(self):
        """What its files take on the disk."""
        return sum(path.stat().st_size for path in self.folder.glob("*.safetensors"))

    def known(self):
        """The keys there are by now, those of other processes too.

        raises  DataError for a file that is damaged, or of another backbone
        """
        for path in sorted(set(self.folder.glob("*.safetensors")) - self.read):
            about, tensors, latents = _opened(path)
            if about.get("owner") != self.owner or about.get("digest") != digest(tensors):
                raise DataError(f"expected latents of {self.owner} at {path}; remove the file")
            starts = [0, *tensors["ends"].tolist()]
            for i, key in enumerate(tensors["keys"]):
                place = (path, latents, starts[i], starts[i + 1], tensors["sums"][i].item())
                self.places.setdefault(bytes(key.tolist()), place)
            self.read.add(path)
        return self.places.keys()

    def __getitem__(self, key):
        path, latents, start, end, expected = self.places[key]
        found = latents[start:end]
        if key not in self.checked:
            if _sum(found) != expected:
                raise DataError(f"expected latents as they were saved in {path}; remove the file")
            self.checked.add(key)
        return found

    def add(self, latents):
        """Write one file with all of these, {key: (N, D)}, and look into it."""
        pieces = [one.detach().cpu().contiguous() for one in latents.values()]
        tensors = {
            "ends": torch.tensor([len(one) for one in pieces]).cumsum(0),
            "keys": torch.tensor(list(map(list, latents)), dtype=torch.uint8),
            "sums": torch.tensor([_sum(one) for one in pieces]),
        }
        about = {"format": FORMAT, "owner": self.owner, "digest": digest(tensors)}
        name = hashlib.sha256(b"".join(latents)).hexdigest()[:32]
        with write_file(self.folder / f"{name}.safetensors") as temporary:
            save_file(
                {**tensors, "latents": torch.cat(pieces)},
                str(temporary),
                metadata={"lmem": json.dumps(about)},
            )
        self.known()


def _opened(path):
    """What a file says of itself, its small tensors, and its latents, which are mapped and not loaded."""
    try:
        with safe_open(str(path), framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("lmem", "{}"))
            tensors = {name: file.get_tensor(name) for name in (*PARTS, "latents")}
    except (OSError, SafetensorError, ValueError) as error:
        raise DataError(f"expected latents at {path}; remove the file: {error}") from error
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise DataError(f"expected a file of the form {FORMAT} at {path}; remove the file")
    return about, tensors, tensors.pop("latents")


def _sum(latents):
    return zlib.crc32(latents.view(torch.uint8).numpy())
