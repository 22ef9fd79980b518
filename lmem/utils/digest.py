"""SHA-256 of tensors, by which a bank, a cache and a backbone are recognised."""

import hashlib
from collections.abc import Iterable, Mapping

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


def versions(tensors: Iterable[torch.Tensor]) -> tuple:
    """Return what changes if a tensor is replaced or edited in place, but not by an edit through `.data`.

    An edit of a tensor made under `inference_mode` leaves no trace, so two results with such a tensor are never equal.
    """
    return tuple(
        (tensor.data_ptr(), object() if tensor.is_inference() else tensor._version)
        for tensor in tensors
    )
