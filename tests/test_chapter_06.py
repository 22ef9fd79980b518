"""Chapter 6's code in words: the lines that predict a bank without a softmax do what the package does."""

import re

import torch
from chapters import CHAPTERS, read, source

from lmem.analysis import mean_field
from lmem.memory.write import AttentionWrite

[LINES] = [
    block
    for cell in read(CHAPTERS[5])["cells"]
    for block in re.findall(r"```python\n(.*?)```", source(cell), re.S)
    if "predicted = " in block
]


def test_the_bank_is_predicted_in_a_few_lines():
    torch.manual_seed(0)
    rule = AttentionWrite(6, 4).double()
    latents = [torch.randn(tokens, 4).double() for tokens in (3, 5, 2)]
    names = {
        "torch": torch, "p0": rule.p0, "latents": latents, "gamma": rule.gamma, "R": 6, "D": 4,
        "w_q": rule.w_q, "w_k": rule.w_k, "w_v": rule.w_v,
    }  # fmt: skip
    exec(LINES.replace("torch.eye(D)", "torch.eye(D, dtype=torch.double)"), names)
    *_, wanted = mean_field.banks(rule, latents)
    assert torch.allclose(names["predicted"], wanted, rtol=1e-9, atol=1e-12)
    assert not torch.allclose(names["predicted"], rule.p0, atol=0.1)
