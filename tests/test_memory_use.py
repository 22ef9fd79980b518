"""Writing goes on for ever in the same memory: resident memory in a process of its own, since torch's is seen nowhere else."""

import os
import subprocess
import sys

import pytest

WRITE = """
import resource, sys, torch
from pathlib import Path
from lmem import Ledger, MemoryModel, load_backbone

torch.set_num_threads(1)
page = resource.getpagesize() / 2**20
def resident():  # without files that are mapped: the system takes those pages and gives them back as it likes
    _, all, files, *_ = map(int, Path("/proc/self/statm").read_text().split())
    return (all - files) * page

model = MemoryModel(load_backbone(sys.argv[1]), "m3")
turns = [f"Ana: I live in Cedar-Bay, and {i} is my number. " + "How are you? " * 20 for i in range(100)]
def grown(hundreds, leak=None):
    bank, sizes = model.new_bank(), []
    for _ in range(hundreds):
        bank = model.write(bank, turns, ledger=leak)
        sizes.append(resident())
    return sizes[-1] - sizes[1]

print(grown(20), grown(20, Ledger()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/statm; runs on Linux")
def test_two_thousand_turns_take_no_more_memory_than_a_hundred(tiny_folder):
    """MiB between turn 200 and turn 2,000; a ledger, which keeps every turn's latents, is the leak that must show."""
    command = [sys.executable, "-c", WRITE, str(tiny_folder)]
    own = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}  # what is free goes back at once
    ran = subprocess.run(command, check=True, capture_output=True, text=True, env=own)
    grown, leaked = map(float, ran.stdout.split())
    assert grown < 10
    assert leaked > 20
