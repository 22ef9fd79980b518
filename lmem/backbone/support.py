"""What a backbone must be for a bank to be read through it: everything else is refused before anything runs (chapter 15).

Compiled code does not call hooks. A checkpointed layer is computed again when the bank may be detached. Offloaded weights are
not where the adapter expects them. And float16 overflows in T5's feed-forward layers.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from lmem.errors import MethodError, expect_out_of

KERNELS = ("eager", "sdpa")  # others take masks of their own form, which would not include our rows
GROWING_CACHES = ("dynamic", "dynamic_full", "offloaded", "quantized")


def check_weights(model: Any) -> None:
    """Refuse a backbone that cannot encode: in float16, under `autocast` to float16, or offloaded.

    Raises:
        MethodError: One sentence says what was found and what works.
    """
    check_offloading(model)
    if any(p.dtype == torch.float16 for p in model.parameters()):
        raise MethodError(
            "expected a backbone in float32 or bfloat16, this one is in float16, which overflows in T5's feed-forward layers"
        )
    kind = model.device.type
    if kind == "meta":  # planned, not run
        return
    if torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind) == torch.float16:
        raise MethodError(
            "expected autocast to bfloat16 or none, this one is to float16, which overflows in T5's feed-forward layers"
        )


def check_offloading(model: Any) -> None:
    """Refuse a backbone whose weights are moved to the device for each call.

    Raises:
        MethodError: A module is offloaded.
    """
    for name, module in model.named_modules():
        if _is_offloaded(module):
            raise MethodError(
                f"expected a backbone whose weights stay on their device, {name or 'this one'} is offloaded to the CPU or "
                "the disk: load a smaller backbone, or take a machine with more memory"
            )


@contextmanager
def eager_attention(model: Any) -> Iterator[None]:
    """Use attention kernels that return their shares, and whose operations can be counted, for the length of the block."""
    kernel = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(kernel)


def check_hooks(model: Any) -> None:
    """Refuse a backbone whose calls would not read a bank, or not correctly; includes `check_weights`.

    Raises:
        MethodError: It is compiled, its layers are checkpointed, or its attention kernel was not tried.
    """
    kernel = model.config._attn_implementation
    expect_out_of("attention", KERNELS, kernel, error=MethodError)
    for name, module in model.named_modules():
        place = name or "the model"
        if _is_compiled(module):
            raise MethodError(
                f"expected a backbone that is not compiled, {place} is: compiled code ignores the hooks that read the bank"
            )
        if getattr(module, "gradient_checkpointing", False) and module.training:
            raise MethodError(
                f"expected a backbone without gradient checkpointing, {place} has it: it computes the layers again when the "
                "bank may no longer be attached (turn it off, or call eval())"
            )
    check_weights(model)


def check_cache(cache: Any) -> None:
    """Refuse a static cache: it has no room for the bank's rows, and `generate` compiles its decoding steps on a GPU.

    Args:
        cache: `past_key_values` of a decoder's call, or the name of a cache in `generate`'s options.

    Raises:
        MethodError: The cache is static.
    """
    static = (
        cache not in GROWING_CACHES
        if isinstance(cache, str)
        else getattr(cache, "is_compileable", False)
    )
    if static:
        raise MethodError(
            "expected the default cache, which grows, while a bank is attached: a static one has no room for its rows"
        )


def _is_compiled(module: nn.Module) -> bool:
    """Whether `torch.compile(module)`, `module.compile()` or `module.forward = torch.compile(...)` was called."""
    forward = vars(module).get("forward")
    return (
        "_orig_mod" in module._modules
        or module._compiled_call_impl is not None
        or hasattr(forward, "_torchdynamo_orig_callable")
    )


def _is_offloaded(module: nn.Module) -> bool:
    """Whether accelerate moves the module's weights to the device for each call only."""
    hook: Any = getattr(module, "_hf_hook", None)
    return any(getattr(part, "offload", False) for part in getattr(hook, "hooks", (hook,)))
