"""What the pages of the book load: the engine, the pieces, and the weights of backbone and adapters as scripts."""

from pathlib import Path

HERE = Path(__file__).parent
ENGINE = [
    HERE / "engine" / f"{name}.js"
    for name in ("matrix", "tokenizer", "t5", "writes", "reads", "memory")
]
