"""Words that a backbone cannot read: its tokenizer has no piece for them, or spells them letter by letter.

nano: "Thistlewick" is T h i s t l e w i c k; it knows no such word, and a memory cannot keep what the encoder did not read
"""

import re
from typing import Any

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
_START = "▁Ġ"  # how tokenizers mark the beginning of a word


def unreadable_words(tokenizer: Any, text: str) -> list[str]:
    """Return the words of a text that the tokenizer does not know, each once, in their order.

    Args:
        tokenizer: A tokenizer of transformers.
        text: Any text.
    """
    if getattr(tokenizer, "vocab_size", 0) < 512:  # every tokenizer of bytes reads everything
        return []
    words = dict.fromkeys(match[0] for match in _WORD.finditer(text))
    return [word for word in words if _is_unknown(tokenizer, word)]


def _is_unknown(tokenizer: Any, word: str) -> bool:
    ids = tokenizer(word, add_special_tokens=False, verbose=False).input_ids
    if tokenizer.unk_token_id is not None and tokenizer.unk_token_id in ids:
        return True
    pieces = [piece.lstrip(_START) for piece in tokenizer.convert_ids_to_tokens(ids)]
    if any(_BYTE.fullmatch(piece) for piece in pieces):
        return True
    return len(ids) > 1 and all(len(piece) <= 1 for piece in pieces)
