"""Two editions of every notebook, out of the one source: the students' and the one with solutions.

python book/tools/editions.py _build/editions notebooks/*.ipynb        `make editions`

In the source an exercise is three cells in a row, told apart by their tags, and all of them run:

    exercise   a stub: `raise NotImplementedError` or `...` where the learner's code goes
    check      the chapter's check of it, which says in words how far it is
    solution   code that answers it, with the same check; folded (a question in words has a solution in `<details>`, and code
               if something is measured)

students/    has no solutions, no sentence that speaks of them, and no outputs: what a student sees there, the student ran
solutions/   has no stubs: the solutions in their places, unfolded, with their outputs
"""

import copy
import json
import re
import sys
from pathlib import Path

import notebooks

ABOUT = re.compile(
    r"\s*(?:In the solution|The solutions?(?:'s output)? (?:is|are|stands?|then))\b(?:[^.]|\.(?=\d))*\."
)


def students(notebook):
    """A notebook (plain JSON) without its solutions, its outputs and the state of its widgets; returns a new one."""
    found = without(notebook, {"solution"})
    found["metadata"].pop("widgets", None)
    for cell in found["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
        else:
            cell["source"] = ABOUT.sub("", "".join(cell["source"]))
    return found


def solutions(notebook):
    """A notebook (plain JSON) with its solutions in the stubs' places, unfolded; returns a new one."""
    found = without(notebook, {"exercise", "check"})
    count = 0
    for cell in found["cells"]:
        if "solution" in tags(cell):
            cell["metadata"] = {"tags": [tag for tag in tags(cell) if tag != "hide-input"]}
            cell["source"] = "".join(cell["source"]).replace("<details>", "<details open>")
        if cell["cell_type"] == "code":
            count += 1
            cell["execution_count"] = count
            for output in cell["outputs"]:
                if "execution_count" in output:
                    output["execution_count"] = count
    return found


def without(notebook, unwanted):
    """A copy of a notebook without the cells that bear one of these tags."""
    found = copy.deepcopy(notebook)
    found["cells"] = [cell for cell in found["cells"] if not unwanted & set(tags(cell))]
    return found


def tags(cell):
    return cell["metadata"].get("tags", [])


EDITIONS = {"students": students, "solutions": solutions}


def main(out="", *paths):
    if not paths:
        print(__doc__)
        return 2
    for name, edition in EDITIONS.items():
        folder = Path(out) / name
        folder.mkdir(parents=True, exist_ok=True)
        for path in paths:
            made = edition(json.loads(notebooks.stored(path)))
            text = json.dumps(made, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
            (folder / Path(path).name).write_text(text, encoding="utf-8")
        print(f"{len(paths)} notebooks: {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
