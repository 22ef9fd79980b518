"""One run, one small JSON file: settings that differ from the defaults, scores of each question, seed, versions, machine, seconds.

If a result has `questions`, one row each, the file stores them as columns, which takes a tenth of the space. A name
that ends in .gz is compressed, which takes a seventh of that.
"""

import gzip
import json
import zlib
from importlib.resources import files
from pathlib import Path
from typing import Any

from lmem.errors import DataError, InputError
from lmem.utils.files import write_file

SUFFIXES = (".json", ".json.gz")


def save(result: Any, path: str | Path) -> None:
    """Write one result as JSON, completely or not at all; compressed if the path ends in .gz."""
    content = _to_json(result).encode()
    if Path(path).suffix == ".gz":
        content = gzip.compress(content, mtime=0)  # the same bytes for the same result
    with write_file(path) as temporary:
        temporary.write_bytes(content)


def _to_json(result: Any) -> str:
    """Return JSON that can be read and compared: indented, but long columns of numbers on one line."""
    if not isinstance(result, dict):
        return json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    lines = []
    for key, value in result.items():
        if key == "questions" and isinstance(value, list):
            value = _to_columns(value)
        if key in ("questions", "losses"):
            text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        else:
            text = json.dumps(value, ensure_ascii=False, indent=1)
        lines.append(f" {json.dumps(key)}: " + text.replace("\n", "\n "))
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _to_columns(rows: list[dict]) -> dict[str, Any]:
    """Turn rows of the same keys into {key: column}; a column of texts into {"texts": the distinct ones, "at": places}."""
    columns = {}
    for key in rows[0] if rows else ():
        column: Any = [row[key] for row in rows]
        if isinstance(column[0], dict):
            column = _to_columns(column)
        elif all(isinstance(value, str) for value in column):
            places = {text: place for place, text in enumerate(dict.fromkeys(column))}
            column = {"texts": list(places), "at": [places[text] for text in column]}
        columns[key] = column
    return columns


def _to_rows(columns: dict[str, Any]) -> list[dict]:
    """Undo `_to_columns`."""
    lists = {}
    for key, column in columns.items():
        if isinstance(column, dict) and set(column) == {"texts", "at"}:
            column = [column["texts"][place] for place in column["at"]]
        lists[key] = _to_rows(column) if isinstance(column, dict) else column
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def load(name: str | Path) -> dict[str, Any]:
    """Load a result by path, or by the name of one that is shipped with the package (`tinyworld/recent`).

    Raises:
        DataError: There is no such file, or it is not JSON.
    """
    candidates = [Path(name), *(shipped_folder() / f"{name}{suffix}" for suffix in SUFFIXES)]
    path = next((path for path in candidates if path.is_file()), None)
    if path is None:
        raise DataError(f"expected a result file or one of {', '.join(names())}, not {name}")
    try:
        content = path.read_bytes()
        result = json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
    except (ValueError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"expected a result file in JSON at {path}: {error}") from error
    if isinstance(result, dict) and isinstance(result.get("questions"), dict):
        result["questions"] = _to_rows(result["questions"])
    return result


def without_answers(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result without the texts of its answers, which may be copied from turns; scores and summary stay.

    Args:
        result: Of `lmem.evaluation.evaluate.evaluate`; it is not changed.

    Raises:
        InputError: It has none.
    """
    rows = [dict(row) for row in result["questions"]]
    for row in rows:
        for name, scores in row.items():
            if isinstance(scores, dict):
                if "answer" not in scores:
                    raise InputError("expected a result with the texts of its answers")
                row[name] = {key: value for key, value in scores.items() if key != "answer"}
    return {**result, "questions": rows}


def exists(path: str | Path, key: str, settings: dict[str, Any]) -> bool:
    """Say whether a result file exists and was made with these settings.

    Args:
        path: The file.
        key: The name under which the result has its settings.
        settings: What they must be.

    Raises:
        InputError: The file exists and has other settings.
    """
    if not Path(path).exists():
        return False
    if load(path).get(key) != json.loads(json.dumps(settings)):
        raise InputError(
            f"expected results of these settings in {Path(path).parent}, {Path(path).name} is of others"
        )
    return True


def stem(name: str | Path) -> str:
    """Return a result file's name without its folder and suffix."""
    return Path(name).name.removesuffix(".gz").removesuffix(".json")


def names() -> list[str]:
    """List the names of the shipped results."""
    root = shipped_folder()
    paths = (path for suffix in SUFFIXES for path in root.rglob(f"*{suffix}"))
    return sorted((path.relative_to(root).parent / stem(path)).as_posix() for path in paths)


def shipped_folder() -> Path:
    """Return the folder of the shipped results."""
    installed = Path(str(files("lmem") / "_results"))  # copied into the wheel
    return installed if installed.is_dir() else Path(__file__).parents[2] / "results"
