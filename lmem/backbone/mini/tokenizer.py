"""The tokenizer of mini: BPE with byte fallback, trained on everyday's generated text (training pool).

Whitespace is normalised: any run of blanks is one space, none at the ends. Curly quotes become straight, as the
generated text has them. Whatever has no piece is spelled in UTF-8 bytes.
"""

import json
from collections.abc import Iterator
from itertools import islice

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from lmem.backbone.pretrain import SPECIALS, finished_tokenizer
from lmem.data import everyday
from lmem.data.everyday.reading import listings, readings

_ALONE = r"▁?[0-9]{1,2}|n't|'(?:s|re|m|ve|ll|d)|▁?[.,:;!?()\"'\-/$£€&]"
_QUOTES = {"’": "'", "‘": "'", "“": '"', "”": '"', "…": "..."}


def train_tokenizer(size: int = 4096, texts: int = 24000) -> PreTrainedTokenizerFast:
    """Train the tokenizer.

    Args:
        size: Pieces, the 256 bytes among them.
        texts: Sources and answers to learn the pieces from.

    Returns:
        A BPE model of the library tokenizers; end of text is added to every text.
    """
    core = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=False))
    quotes = [normalizers.Replace(curly, straight) for curly, straight in _QUOTES.items()]
    blanks = [normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    core.normalizer = normalizers.Sequence([normalizers.NFC(), *quotes, *blanks])
    words = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    alone = pre_tokenizers.Split(Regex(_ALONE), "isolated")
    core.pre_tokenizer = pre_tokenizers.Sequence([words, alone])
    back = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    core.decoder = decoders.Sequence([decoders.ByteFallback(), back])
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=[*SPECIALS, *bytes_], show_progress=False,
        limit_alphabet=160, min_frequency=4,
    )  # fmt: skip
    core.train_from_iterator(_texts(texts), trainer)
    made = json.loads(core.to_str())  # bytes are ordinary pieces: they must not vanish from answers
    made["added_tokens"] = [token for token in made["added_tokens"] if token["content"] in SPECIALS]
    return finished_tokenizer(Tokenizer.from_str(json.dumps(made)))


def _texts(n: int) -> Iterator[str]:
    """Draw sources and targets of the training pool."""
    world = everyday.World(turns=24, facts=0.6, pool="train")
    for reading in islice(readings("tokenizer", 3, world, undated=0.6), n):
        yield reading.source
        yield reading.target
    for listing in islice(listings("tokenizer", 2, lambda rng: world), n // 8):
        for key, value in listing.facts:
            yield f"{key} {value}"
