"""Two editions of every notebook, out of the one source: the students' and the one with solutions.

python book/tools/editions.py _build/editions notebooks/*.ipynb        `make editions`

In the source an exercise is three cells in a row, told apart by their tags, and all of them run:

    exercise   a stub: `raise NotImplementedError` or `...` where the learner's code goes
    check      the chapter's check of it, which says in words how far it is
    solution   code that answers it, with the same check; folded (a question in words has a solution in `<details>`, and code
               if something is measured)

students/    has no solutions, no sentence that speaks of them, and no outputs: what a student sees there, the student ran
solutions/   has no stubs: the solutions in their places, unfolded, with their outputs

If a notebook breaks this form, so that a solution could reach students, the command names the cells, writes nothing and exits with 1.
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
TAGS = {"exercise", "check", "solution", "hide-input", "hide-output", "hide-cell", "remove-stderr"}
TAGS |= {"raises-exception", "nbval-ignore-output"}
PARTS = ("exercise", "check", "solution")
REPORT = "What a good report contains"  # in the text of an open exercise, in place of a solution


def problems(notebook):
    """What is wrong with a notebook's tags (plain JSON): a list of sentences, each with its cell, counted from 1."""
    cells, found = notebook["cells"], []
    texts = ["".join(cell["source"]) for cell in cells]
    parts = [[part for part in PARTS if part in tags(cell)] for cell in cells]
    solved = {
        number
        for text, part in zip(texts, parts, strict=True)
        if "solution" in part
        for number in re.findall(r"Solution of (\d+\.\d+)", text)
    }
    for i, (cell, text) in enumerate(zip(cells, texts, strict=True)):
        said = [
            f"the tag {tag!r} is unknown; the tags are {', '.join(sorted(TAGS))}"
            for tag in tags(cell)
            if tag not in TAGS
        ]
        if len(parts[i]) > 1:
            said.append(f"it has the tags {' and '.join(parts[i])}; expected one of them")
        if "exercise" in parts[i] and parts[i + 1 : i + 3] != [["check"], ["solution"]]:
            said.append(
                "it is a stub (tag exercise); expected a cell tagged check, then one tagged solution"
            )
        if "check" in parts[i] and (i == 0 or parts[i - 1] != ["exercise"]):
            said.append("it is a check; expected a cell tagged exercise before it")
        if not parts[i]:
            looks = re.search(r"Solution of|@title Solution|<summary>Solution|\bcheck\.\w+\(", text)
            if looks:
                said.append(
                    f"it contains {looks[0]!r}, but has none of the tags {', '.join(PARTS)}"
                )
            for number in re.findall(r"\*\*Exercise (\d+\.\d+)\*\*", text):
                if number not in solved and REPORT not in text:
                    said.append(
                        f"exercise {number} has no solution: expected a cell tagged solution that "
                        f'contains "Solution of {number}", or "{REPORT}" in the text of the exercise'
                    )
        found += [f"cell {i + 1} (id {cell.get('id')}): {one}" for one in said]
    return found


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
    sources = {path: json.loads(notebooks.stored(path)) for path in paths}
    wrong = [f"{path}, {one}" for path, source in sources.items() for one in problems(source)]
    if wrong:
        print("\n".join(wrong), "nothing was written", sep="\n", file=sys.stderr)
        return 1
    for name, edition in EDITIONS.items():
        folder = Path(out) / name
        folder.mkdir(parents=True, exist_ok=True)
        for path, source in sources.items():
            made = edition(source)
            text = json.dumps(made, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
            (folder / Path(path).name).write_text(text, encoding="utf-8")
        print(f"{len(paths)} notebooks: {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
