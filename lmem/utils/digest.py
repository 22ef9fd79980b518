"""SHA-256 of tensors, by which a bank, a cache and a backbone are recognised."""

import hashlib

import torch


def digest(tensors):
    """SHA-256 over names, shapes, types and values of a mapping of tensors, wherever they lie: 64 hexadecimal characters."""
    found = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        found.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return found.hexdigest()
