"""Reference pages out of the docstrings, read from the source: the site needs neither the package's imports nor PyTorch.

    ```{lmem-reference} write/attention
    ```

shows a module of the package: what its head says, then each public class and function with its signature and docstring. A
docstring's blocks become paragraphs, its indented lines stay as they are (equations), and its `name  meaning` lines become a
list of definitions. What a class takes over from another module is said by that module's own page.
"""

import ast
import inspect
import re
import textwrap
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive

WIDTH = 78  # of a signature in one line
PACKAGE = Path(__file__).parents[2] / "lmem"
ITEM = re.compile(r"(?P<name>[\w`][\w`, ./*]*?)\s{2,}(?P<text>\S.*)")


def blocks(text):
    """A docstring as a list of ("code", str), ("text", str) and ("items", [(name, text)])."""
    found = []
    for part in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        if part.startswith("    "):
            found.append(("code", textwrap.dedent(part)))
            continue
        prose, items = [], []
        for line in part.split("\n"):
            match = None if line.startswith(" ") else ITEM.fullmatch(line)
            if match:
                items.append([match["name"], match["text"]])
            elif items:
                items[-1][1] += " " + line.strip()
            else:
                prose.append(line.strip())
        found += [("text", " ".join(prose))] if prose else []
        found += [("items", [tuple(item) for item in items])] if items else []
    return found


def render(text):
    """The nodes of a docstring."""
    for kind, value in blocks(text):
        if kind == "code":
            yield nodes.literal_block(value, value, language="text")
        elif kind == "text":
            yield paragraph(value)
        else:
            entries = [
                nodes.definition_list_item(
                    "",
                    nodes.term("", "", nodes.literal(name, name)),
                    nodes.definition("", paragraph(meaning)),
                )
                for name, meaning in value
            ]
            yield nodes.definition_list("", *entries)


def paragraph(text):
    """Prose with its `code` set as code."""
    found = nodes.paragraph()
    for i, part in enumerate(text.split("`")):
        found += nodes.literal(part, part) if i % 2 else nodes.Text(part)
    return found


def public(body):
    """Classes and functions whose names do not begin with an underscore, if they have a docstring or methods that do."""
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            yield node


def signature(node, prefix=""):
    """`name(arguments)` of a function; of a class the arguments of its `__init__`, or its fields with their defaults."""
    made = node
    if isinstance(node, ast.ClassDef):
        made = next((n for n in node.body if getattr(n, "name", "") == "__init__"), None)
    if made is None:
        parts = [field(n) for n in node.body if isinstance(n, ast.AnnAssign)]
        if not parts:
            return node.name
    else:
        own = [argument.arg for argument in made.args.args[:1] if argument.arg in ("self", "cls")]
        parts = ast.unparse(made.args).split(", ")[len(own) :]
    line = f"{prefix}{node.name}({', '.join(parts)})"
    return (
        line
        if len(line) <= WIDTH
        else line.replace("(", "(\n    ", 1)[:-1].replace(", ", ",\n    ") + ",\n)"
    )


def field(node):
    """`name=default` of a field of a dataclass or a named tuple; what a factory makes is left open."""
    if not node.value:
        return node.target.id
    made = ast.unparse(node.value)
    return f"{node.target.id}={'...' if made.startswith('field(') else made}"


class Reference(Directive):
    """`{lmem-reference} write/attention`: the module lmem/memory/write/attention.py."""

    required_arguments = 1

    def run(self):
        path = PACKAGE / f"{self.arguments[0]}.py"
        if not path.is_file():
            raise self.error(
                f"expected a module of the package, there is no lmem/{self.arguments[0]}.py"
            )
        self.state.document.settings.env.note_dependency(str(path))
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found = [*render(ast.get_docstring(tree, clean=False) or "")]
        for node in public(tree.body):
            found += self.entry(node)
            if isinstance(node, ast.ClassDef):
                for method in public(node.body):
                    if ast.get_docstring(method):
                        found += self.entry(method, f"{node.name}.")
        return found

    def entry(self, node, prefix=""):
        """One class or function: its signature as a line of code, its docstring below."""
        head = signature(node, prefix)
        block = nodes.literal_block(head, head, language="python", classes=["lmem-signature"])
        documented = ast.get_docstring(node, clean=False)
        return [block, nodes.block_quote("", *render(documented))] if documented else [block]


def setup(app):
    app.add_directive("lmem-reference", Reference)
    return {"version": "2", "parallel_read_safe": True, "parallel_write_safe": True}
