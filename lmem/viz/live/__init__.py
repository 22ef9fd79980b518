"""A memory that runs in the reader's browser: the engine in plain JavaScript, its weights, and the pieces of the pages.

`engine/` holds what computes: tokenizer, T5, writes, reads. `pieces/` holds what the reader sees. Both are classic scripts
without dependencies, so a page works from a folder and without a network. `weights` stores the frozen backbone and the adapters
in 8 bits, `site` copies everything next to the pages of the book, and `widget` shows the same pieces in a notebook.
"""
