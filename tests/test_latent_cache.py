"""Latents on disk: the same numbers, made once, mapped, shared by processes, and refused where they are damaged."""

import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from lmem.backbone.backbone import Backbone, load_backbone
from lmem.backbone.latent_cache import cached
from lmem.errors import DataError, InputError
from lmem.memory.model import MemoryModel
from lmem.training.train import TrainConfig, train


def files(folder):
    return sorted(folder.rglob("*.safetensors"))


def equal(found, expected):
    return all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_what_was_made_once_is_not_made_again(tiny, talk, tmp_path, monkeypatch):
    texts = [f"context: {turn}" for turn in talk]
    fresh = cached(tiny, tmp_path)
    first = fresh.encode(texts[:3])
    assert equal(first, tiny.encode(texts[:3]))
    made = []
    encode = Backbone.encode
    monkeypatch.setattr(
        Backbone, "encode", lambda self, texts, *a, **k: made.extend(texts) or encode(self, texts)
    )
    again = cached(tiny, tmp_path)  # as another process would
    found = again.encode([texts[1], texts[3], texts[1]])
    assert made == [texts[3]]
    assert equal(found, [first[1], *encode(tiny, texts[3:4]), first[1]])
    assert fresh.encode([]) == []
    assert len(files(tmp_path)) == 2


def test_a_memory_does_not_see_the_difference(tiny, conversations, tmp_path):
    models = [MemoryModel(backbone, "m2") for backbone in (tiny, cached(tiny, tmp_path))]
    config = TrainConfig(steps=3, batch=4, warmup=1, lr=1e-2)
    losses = [train(m, conversations[:2], config, progress=False)["losses"] for m in models]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert files(tmp_path)


def test_other_weights_and_other_types_have_other_folders(tiny, nano, tiny_folder, tmp_path):
    half = load_backbone(tiny_folder, dtype=torch.bfloat16)
    for backbone in (tiny, half, nano):
        [found] = cached(backbone, tmp_path).encode(["context: Ana: Hello."])
        assert found.dtype == backbone.dtype
        assert equal([found], backbone.encode(["context: Ana: Hello."]))
    assert len({path.parent for path in files(tmp_path)}) == 3


def test_long_turns_are_refused_or_cut_as_ever(tiny, tmp_path):
    long = "context: " + "hello " * 600
    kept = cached(tiny, tmp_path)
    with pytest.raises(InputError, match="at most 384"):
        kept.encode([long])
    assert equal(kept.encode([long], truncate=True), tiny.encode([long], truncate=True))
    with pytest.raises(InputError, match="at most 384"):
        kept.encode([long])


def damaged(path, how):
    content = bytearray(path.read_bytes())
    keys = load_file(path)["keys"].numel()  # they lie behind the latents
    place = {"cut": None, "latents": -keys - 3, "keys": -3, "header": 30}[how]
    if place is None:
        del content[-9:]
    else:
        content[place] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["cut", "latents", "keys", "header"])
def test_damaged_files_are_refused(tiny, talk, tmp_path, how):
    texts = [f"context: {turn}" for turn in talk]
    cached(tiny, tmp_path).encode(texts)
    [path] = files(tmp_path)
    damaged(path, how)
    with pytest.raises(DataError, match="remove the file"):
        cached(tiny, tmp_path).encode(texts)


def test_a_changed_key_is_refused(tiny, talk, tmp_path):
    """The keys, ends and sums stand under a sum of their own."""
    cached(tiny, tmp_path).encode([f"context: {turn}" for turn in talk])
    [path] = files(tmp_path)
    keys = load_file(path)["keys"][0].numpy().tobytes()
    content = path.read_bytes()
    assert content.count(keys) == 1
    path.write_bytes(content.replace(keys, bytes([keys[0] ^ 1]) + keys[1:]))
    with pytest.raises(DataError, match="remove the file"):
        cached(tiny, tmp_path).encode(["context: x"])


def test_a_file_of_another_backbone_is_refused(tiny, nano, talk, tmp_path):
    cached(nano, tmp_path).encode([f"context: {turn}" for turn in talk])
    [path] = files(tmp_path)
    mine = cached(tiny, tmp_path)
    mine.store.folder.mkdir()
    path.rename(mine.store.folder / path.name)
    with pytest.raises(DataError, match="expected latents of"):
        mine.encode(["context: x"])


MAPPED = """
import sys, torch
from pathlib import Path
from lmem.backbone import latent_cache

status = lambda name: int(next(l for l in Path("/proc/self/status").read_text().splitlines() if l.startswith(name)).split()[1])
store = latent_cache.LatentStore(sys.argv[1], "x")
if sys.argv[2] == "make":
    store.add({bytes([i]) * 32: torch.full((64, 1024), float(i)) for i in range(256)})  # 64 MiB
else:
    keys, before = sorted(store.update()), status("VmRSS")
    assert float(store[bytes([9]) * 32].mean()) == 9
    opened = status("VmRSS") - before
    held = status("RssAnon")
    assert all(float(store[key].mean()) == key[0] for key in keys)
    print(opened, status("RssAnon") - held, len(keys))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status; runs on Linux")
def test_files_are_mapped_and_not_loaded(tmp_path):
    """Of 64 MiB one piece is looked at, then all: in KiB what that took, and what of it no file stands behind."""
    for what in ("make", "read"):
        command = [sys.executable, "-c", MAPPED, str(tmp_path), what]
        run = subprocess.run(command, check=True, capture_output=True, text=True)
    opened, anonymous, keys = map(int, run.stdout.split())
    assert keys == 256
    assert opened < 16 * 1024
    assert anonymous < 8 * 1024
