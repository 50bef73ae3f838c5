"""Check the cases of the evaluation: run `python evals/check.py` from anywhere.

Every rule is in README.md beside this file. With `--tests`, the Python tests in the cases are run
too, before and after the change.
"""

from __future__ import annotations

import argparse
import difflib
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

CASES = Path(__file__).resolve().parent / "cases"
COUNTS = {"defect": 12, "clean": 9, "trap": 9}
CATEGORIES = {
    "correctness",
    "security",
    "concurrency",
    "performance",
    "data-loss",
    "compatibility",
}
COMMON = {"title", "body", "kind", "delete"}
EXTRA = {"defect": {"expect"}, "clean": set(), "trap": {"bait", "right_because"}}
EXPECT = {"path", "lines", "category", "why", "accept"}
NEAR = 3  # how many lines from a changed line still count as next to it


def read_tree(root: Path) -> dict[str, str]:
    """The text of every file below a folder, by its path."""
    return {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(root.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def changed_lines(before: str, after: str) -> tuple[set[int], int]:
    """The changed lines as numbered in `after`, and how many lines were added or removed."""
    old, new = before.splitlines(), after.splitlines()
    lines: set[int] = set()
    size = 0
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new, False).get_opcodes():
        if tag != "equal":
            size += (i2 - i1) + (j2 - j1)
            lines.update(range(j1 + 1, max(j2, j1 + 1) + 1))
    return lines, size


def check_expect(
    expect: Any, base: dict[str, str], head: dict[str, str], after: dict[str, str]
) -> list[str]:
    if not isinstance(expect, dict) or set(expect) != EXPECT:
        return [f"expect must have exactly the keys {sorted(EXPECT)}"]
    problems = []
    if expect["category"] not in CATEGORIES:
        problems.append(f"unknown category {expect['category']!r}")
    if not isinstance(expect["why"], str) or "->" not in expect["why"]:
        problems.append("why must be 'input -> wrong result'")
    accept = expect["accept"]
    if not isinstance(accept, list) or not 2 <= len(accept) <= 3:
        problems.append("accept must be a list of two or three keywords")
    elif any(not isinstance(word, str) or not word or word != word.lower() for word in accept):
        problems.append("keywords must be lower-case text")
    path, lines = expect["path"], expect["lines"]
    if path not in after:
        return [*problems, f"expect.path {path!r} is not there after the change"]
    if (
        not isinstance(lines, list)
        or len(lines) != 2
        or not all(type(number) is int for number in lines)
        or not 1 <= lines[0] <= lines[1] <= len(after[path].splitlines())
    ):
        return [*problems, f"expect.lines {lines!r} do not lie within {path}"]
    if path in head:  # otherwise it is an unchanged file that the case names: nothing to compare
        changed, _ = changed_lines(base.get(path, ""), head[path])
        near = {line + step for line in changed for step in range(-NEAR, NEAR + 1)}
        if not near & set(range(lines[0], lines[1] + 1)):
            problems.append(f"expect.lines {lines} are nowhere near a changed line of {path}")
    return problems


def check_compiles(name: str, files: dict[str, str]) -> list[str]:
    problems = []
    for path, text in files.items():
        try:
            if path.endswith(".py"):
                compile(text, path, "exec", dont_inherit=True)
            elif path.endswith((".yml", ".yaml")):
                yaml.safe_load(text)
        except (SyntaxError, ValueError, yaml.YAMLError) as error:
            problems.append(f"{name}/{path}: {error}")
    return problems


def run_tests(name: str, files: dict[str, str]) -> list[str]:
    if not any(path.startswith("tests/") and path.endswith(".py") for path in files):
        return []
    with tempfile.TemporaryDirectory() as folder:
        for path, text in files.items():
            target = Path(folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", folder],
            cwd=folder,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    return [] if done.returncode == 0 else [f"{name}: tests fail\n{done.stdout[-2000:]}"]


def check_case(folder: Path, tests: bool) -> tuple[str, int, list[str]]:
    """The kind of a case, how many lines it changes, and what is wrong with it."""
    try:
        case = yaml.safe_load((folder / "case.yml").read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        return "", 0, [f"case.yml: {error}"]
    kind = case.get("kind") if isinstance(case, dict) else None
    if kind not in EXTRA:
        return "", 0, [f"kind must be one of {sorted(EXTRA)}"]
    problems = []
    if set(case) != COMMON | EXTRA[kind]:
        problems.append(f"keys must be exactly {sorted(COMMON | EXTRA[kind])}, not {sorted(case)}")
    for key in sorted({"title", "body", *EXTRA[kind]} - {"expect"}):
        if not isinstance(case.get(key), str) or not case[key].strip():
            problems.append(f"{key} must be text")
    delete = case.get("delete")
    if not isinstance(delete, list):
        return kind, 0, [*problems, "delete must be a list"]

    base, head = read_tree(folder / "base"), read_tree(folder / "head")
    if not 3 <= len(base) <= 8:
        problems.append(f"base has {len(base)} files, not 3 to 8")
    if not head and not delete:
        problems.append("nothing is changed")
    for path in delete:
        if path not in base or path in head:
            problems.append(f"delete: {path} must be in base and not in head")
    for path, text in head.items():
        if base.get(path) == text:
            problems.append(f"head/{path} is the same as in base")
    for path, text in (*base.items(), *head.items()):
        if not text.endswith("\n"):
            problems.append(f"{path} does not end with a newline")
    after = {path: text for path, text in {**base, **head}.items() if path not in delete}
    size = sum(changed_lines(base.get(path, ""), text)[1] for path, text in head.items())
    size += sum(len(base[path].splitlines()) for path in delete if path in base)
    problems += check_compiles("base", base) + check_compiles("head", head)
    if kind == "defect" and "expect" in case:
        problems += check_expect(case["expect"], base, head, after)
    if tests and not problems:
        problems += run_tests("base", base) + run_tests("head", after)
    return kind, size, problems


def main() -> int:
    parser = argparse.ArgumentParser(description="Check the cases of the evaluation.")
    parser.add_argument("--tests", action="store_true", help="run the cases' Python tests too")
    parser.add_argument("-v", "--verbose", action="store_true", help="list the cases")
    args = parser.parse_args()
    kinds: Counter[str] = Counter()
    failed = False
    for folder in sorted(path for path in CASES.iterdir() if path.is_dir()):
        kind, size, problems = check_case(folder, args.tests)
        kinds[kind] += 1
        failed = failed or bool(problems)
        if args.verbose:
            print(f"{folder.name:24} {kind:7} {size:4} changed lines")
        for problem in problems:
            print(f"{folder.name}: {problem}")
    if dict(kinds) != COUNTS:
        print(f"there must be {COUNTS}, not {dict(kinds)}")
        failed = True
    if not failed:
        print(f"{sum(kinds.values())} cases are fine")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
