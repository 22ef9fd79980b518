"""Weights in 8 bits, as the engine in the browser reads them.

    w = s q,   q a whole number from -127 to 127,   s = max |w| / 127 for each row of the last axis

Small tensors stay 32-bit floats: norms, biases, position biases. The bytes are characters of a text, 1.15 bytes for each in UTF-8
where base 64 needs 1.33. Nothing here imports torch, so that the site can be built without it.
"""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

SMALL = 2048  # tensors with fewer numbers are not quantised
CONFIG = (
    "d_model", "d_kv", "num_heads", "num_layers", "num_decoder_layers", "dense_act_fn", "layer_norm_epsilon",
    "relative_attention_num_buckets", "relative_attention_max_distance", "decoder_start_token_id", "eos_token_id",
)  # fmt: skip
ESCAPED = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"}  # the backslash first
TYPES = {"F32": "<f4", "F64": "<f8", "F16": "<f2", "BF16": "<u2"}


def quantise(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantise (..., C) to whole numbers.

    Returns:
        Scales (...,) and whole numbers (..., C), signed bytes.
    """
    largest = np.abs(weight).max(-1)
    scales = np.where(largest > 0, largest, 1).astype("<f4") / np.float32(127)
    whole = np.rint(weight / scales[..., None]).clip(-127, 127).astype("i1")
    return scales, whole


def is_quantised(weight: np.ndarray) -> bool:
    """Say whether a tensor is stored in 8 bits."""
    return weight.ndim >= 2 and weight.size >= SMALL


def dequantised(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the tensors as the browser has them: the same numbers that `packed` stores."""
    return {
        name: scales[..., None] * whole.astype("<f4") if is_quantised(weight) else weight
        for name, weight in tensors.items()
        for scales, whole in [quantise(weight) if is_quantised(weight) else (weight, weight)]
    }


def coded(data: bytes) -> str:
    """Write each byte as the character with the number `byte + 64 mod 256`.

    In UTF-8 numbers from -64 to 63 take one byte, as most weights do, and the others two.
    """
    return (np.frombuffer(data, "u1") + np.uint8(64)).tobytes().decode("latin-1")


def packed(tensors: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Pack tensors into one text.

    Returns:
        `tensors` {name: shape, kind "q8" or "f32", offset in bytes} and `data`, the bytes as `coded` writes them.
    """
    places, parts, offset = {}, [], 0
    for name, weight in tensors.items():
        whole = is_quantised(weight)
        data = [part.tobytes() for part in (quantise(weight) if whole else [weight.astype("<f4")])]
        data = b"".join(data)
        data += bytes(-len(data) % 4)  # floats begin at a multiple of 4
        kind = "q8" if whole else "f32"
        places[name] = {"shape": list(weight.shape), "kind": kind, "offset": offset}
        parts.append(data)
        offset += len(data)
    return {"tensors": places, "data": coded(b"".join(parts))}


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Read a file of safetensors in float32, float64, float16 or bfloat16; the last becomes float32."""
    data = path.read_bytes()
    [length] = struct.unpack("<Q", data[:8])
    entries = json.loads(data[8 : 8 + length])
    entries.pop("__metadata__", None)
    tensors = {}
    for name, entry in entries.items():
        if (kind := entry["dtype"]) in TYPES:
            start, end = entry["data_offsets"]
            flat = np.frombuffer(data[8 + length + start : 8 + length + end], TYPES[kind])
            if kind == "BF16":  # the upper half of a float32
                flat = (flat.astype("<u4") << 16).view("<f4")
            tensors[name] = flat.reshape(entry["shape"])
    return tensors


def backbone_file(folder: Path, name: str) -> dict[str, Any]:
    """Make the file of a backbone from the folder that `save_pretrained` wrote: a T5 with tied embeddings or without."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    tensors = read_safetensors(folder / "model.safetensors")
    return backbone_file_of(config, tokenizer, tensors, name)


def backbone_file_of(
    config: Mapping[str, Any], tokenizer: Mapping[str, Any], tensors: Mapping[str, Any], name: str
) -> dict[str, Any]:
    """Make the file of a backbone from its parts, as `backbone_file` does."""
    keep = dict(tensors)
    tied = config.get("tie_word_embeddings", True)
    for copy in ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight"):
        keep.pop(copy, None)
    if tied:
        keep.pop("lm_head.weight", None)
    parts = ("normalizer", "pre_tokenizer", "model", "added_tokens")
    return {
        "name": name,
        "config": {key: config[key] for key in CONFIG}
        | {"scale_decoder_outputs": config.get("scale_decoder_outputs", tied)},
        "tokenizer": {part: tokenizer[part] for part in parts},
        **packed(keep),
    }


def adapter_file(tensors: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> dict[str, Any]:
    """Make the file of an adapter from its weights.

    Args:
        tensors: Of its state.
        about: Its entry in `adapters.json`, or `lmem.viz.live.adapters.describe`: name, kinds and options of write and read.
    """
    start = tensors["write_rule.p0"]
    kept = {k: v for k, v in tensors.items() if k != "write_rule.p0" or start.any()}
    return {**about, "p0": list(start.shape), **packed(kept)}


def script(name: str, content: Mapping[str, Any]) -> str:
    """Write a file as a classic script in UTF-8, which a page loads from a folder as well as from a server.

    The data are a string of JavaScript, which may hold any character but four. JSON would need six bytes for each below 32.
    """
    rest = {key: value for key, value in content.items() if key != "data"}
    text = json.dumps(rest, separators=(",", ":"), ensure_ascii=False)
    here = f"lmemLive.files[{json.dumps(name)}]"
    script = f"{here} = {text};\n"
    if "data" in content:
        data = content["data"]
        for plain, escaped in ESCAPED.items():
            data = data.replace(plain, escaped)
        script += f'{here}.data = "{data}";\n'
    return script
