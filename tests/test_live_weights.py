"""Weights in 8 bits, the list of adapters, and the widget, without a browser."""

import json
import re

import numpy as np
import pytest
import torch

from lmem.errors import BankError, MethodError
from lmem.memory.model import MemoryModel
from lmem.viz.live import adapters, site, weights
from lmem.viz.live.widget import live


def bytes_of(text):
    """Decode as the engine does."""
    return bytes((ord(character) - 64) % 256 for character in text)


def unpacked(file, name):
    """Read a tensor as the engine does."""
    place, data = file["tensors"][name], bytes_of(file["data"])
    count = int(np.prod(place["shape"]))
    if place["kind"] == "f32":
        return np.frombuffer(data, "<f4", count, place["offset"]).reshape(place["shape"])
    rows = count // place["shape"][-1]
    scales = np.frombuffer(data, "<f4", rows, place["offset"])
    whole = np.frombuffer(data, "i1", count, place["offset"] + 4 * rows)
    return (whole.reshape(rows, -1) * scales[:, None]).reshape(place["shape"])


def test_packed_tensors_come_back_within_half_a_step():
    rng = np.random.default_rng(0)
    tensors = {
        "matrix": rng.normal(size=(60, 70)).astype("f4"),
        "sets": rng.normal(size=(3, 40, 50)).astype("f4"),
        "odd": np.zeros((50, 41), "f4"),
        "vector": rng.normal(size=5).astype("f4"),
        "number": np.array(1.5, "f4"),
    }
    tensors["matrix"][3] *= 1000  # a large row does not spoil the others
    file, coarse = weights.packed(tensors), weights.dequantised(tensors)
    for name, tensor in tensors.items():
        back = unpacked(file, name)
        assert np.array_equal(back, coarse[name]), name
        step = np.abs(tensor).max(-1, keepdims=True) / 127 if tensor.ndim > 1 else 0
        assert (np.abs(back - tensor) <= 0.5001 * step).all(), name


def test_a_script_keeps_every_byte_and_most_take_one():
    rng = np.random.default_rng(0)
    data = bytes(range(256)) + rng.bytes(10_000)
    script = weights.script("name", {"tokenizer": "▁ü", "data": weights.coded(data)})
    [written] = re.findall(r'^lmemLive.files\["name"\].data = ("[^\n\r]*");$', script, re.M)
    assert bytes_of(json.loads(written, strict=False)) == data  # JSON with any character inside
    small = np.arange(-64, 64, dtype="i1").tobytes()
    assert len(weights.coded(small).encode()) == len(small)


def test_the_list_of_adapters_is_what_the_package_has():
    assert site.known_adapters() == adapters.describe_shipped()


def test_a_method_without_memory_has_no_adapter(nano):
    with pytest.raises(MethodError, match="expected a method with a memory, none has none"):
        adapters.describe(MemoryModel(nano, "m0"), "none")


def test_the_widget_takes_a_bank_and_gives_one_back(nano):
    model = MemoryModel.from_shipped("nano-keyed", nano)
    bank = model.write(model.new_bank(), ["Ana: I adopted a cat called Miro."])
    widget = live(model, bank)
    assert widget.bank == bank
    told = model.write(bank, ["Ana: I live in Cedar-Bay."])
    widget._hear(widget, {"told": live(model, told)._file("bank")}, [])  # as the browser sends it
    assert widget.bank == told
    assert torch.equal(widget.bank.state.rows, told.state.rows)
    assert model.answer(widget.bank, "Where does Ana live?") == "Cedar-Bay"
    widget.bank = bank
    assert widget._file("bank")["turns"] == 1


def test_the_widget_sends_the_files_that_the_engine_asks_for(nano, monkeypatch):
    model, sent = MemoryModel.from_shipped("nano-keyed", nano), []
    widget = live(model)
    monkeypatch.setattr(widget, "send", lambda *message: sent.append(message))
    for name in ("backbone", "adapter", "words"):
        widget._hear(widget, {"ask": name}, [])
    assert [message["file"] for message, _ in sent] == ["backbone", "adapter", "words"]
    assert '"kind": "recall"' in sent[1][0]["text"]
    wanted = [[widget._file(name)["data"]] for name in ("backbone", "adapter")]
    assert [[data.decode() for data in buffers] for _, buffers in sent] == [*wanted, []]
    assert len(str(widget.get_state())) < 120_000  # what a notebook stores


def test_the_widget_refuses_banks_that_do_not_fit(nano):
    model = MemoryModel.from_shipped("nano-keyed", nano)
    with pytest.raises(BankError, match="expected one bank, not 2"):
        live(model, model.new_bank(2))
    with pytest.raises(BankError, match="belongs to"):
        live(model, MemoryModel(nano, "m2").new_bank())
