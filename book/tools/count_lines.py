"""Count lines of code per folder: blank lines, comments and docstrings left out.

    python book/tools/count_lines.py [FOLDER ...]

Every file is first formatted by ruff at 100 columns with its `fmt` comments removed, so that lines mean the same everywhere.
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections import Counter
from pathlib import Path

SPARE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}


def formatted(code: str) -> str:
    """The code as ruff formats it without exceptions."""
    code = re.sub(r"#\s*fmt:\s*(skip|off|on)\b", "#", code)
    command = ["ruff", "format", "--isolated", "--line-length", "100", "-"]
    return subprocess.run(command, input=code, capture_output=True, text=True, check=True).stdout


def code_lines(code: str) -> int:
    """How many lines hold code: no blank line, no comment, no docstring."""
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type not in SPARE and token.string:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(code)):
        body = getattr(node, "body", None)
        for child in body if isinstance(body, list) else ():
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                lines -= set(range(child.lineno, child.end_lineno + 1))
    return len(lines)


def main(roots: list[str]) -> None:
    """Print lines of code for each folder below the roots, and their sum."""
    counts = Counter()
    for root in map(Path, roots):
        for path in sorted(root.rglob("*.py")):
            counts[path.parent.as_posix()] += code_lines(formatted(path.read_text("utf-8")))
    for folder, lines in sorted(counts.items()):
        print(f"{lines:6,} {folder}")
    print(f"{counts.total():6,} in all")


if __name__ == "__main__":
    main(sys.argv[1:] or ["lmem", "book/tools", "book/_ext"])
