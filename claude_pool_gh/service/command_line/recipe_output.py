"""Prints what was found in workflows and skills."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from claude_pool_gh.service.plain import echo, echo_json
from claude_pool_gh.service.shell.recipe_files import CheckedFile, ListedRecipe


def print_checks(checked: Sequence[CheckedFile], *, as_json: bool) -> int:
    """Print faults to standard error and notes to standard output. The exit code: 1 where there is a fault."""
    if as_json:
        echo_json(json.dumps([asdict(each) for each in checked], indent=2))
    else:
        for each in checked:
            for fault in each.faults:
                echo(f"{each.path}: {fault}", err=True)
            for note in each.notes:
                echo(f"{each.path}: note: {note}")
        faulty = sum(bool(each.faults) for each in checked)
        if not faulty:
            many = "1 file" if len(checked) == 1 else f"{len(checked)} files"
            echo(f"no errors in {many}" if checked else "there is nothing to check here")
    return 1 if any(each.faults for each in checked) else 0


def print_recipes(found: Sequence[ListedRecipe], *, as_json: bool) -> None:
    """Print names, arguments, descriptions and sources."""
    if as_json:
        echo_json(json.dumps([asdict(each) for each in found], indent=2))
        return
    for each in found:
        arguments = " ".join(f"{name}=..." for name in each.arguments)
        echo(f"{each.name} {arguments}".rstrip(), bold=True)
        echo(f"    {each.description}")
        if each.source != "built-in":
            echo(f"    from {each.source}")
