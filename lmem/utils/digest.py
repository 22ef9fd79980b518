"""SHA-256 of tensors, by which a bank, a cache and a backbone are recognised."""

import hashlib
from collections.abc import Mapping

import torch


def digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """Return the SHA-256 of the names, shapes, types and values of tensors on any device: 64 hexadecimal characters."""
    digest_of_all = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest_of_all.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest_of_all.update(
            tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data
        )
    return digest_of_all.hexdigest()
