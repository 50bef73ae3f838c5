"""A group whose commands are the files of a package; a file is imported when its command is called.

A file `some_name.py` holds the command `some-name`, under the name `command`; a keyword of Python is followed by `_`. A
folder holds a group of its own. The first line of a file's docstring is its line in the list of commands. Names that
begin with `_` are no commands.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, MutableMapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from claude_pool_gh.extras import MissingExtra, extras_named
from claude_pool_gh.service.ending import ending
from claude_pool_gh.service.plain import echo, plain

_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DOCSTRING: Final = re.compile(r'\A"""(.+?)(?:"""|\Z)', re.DOTALL)


class LazyGroup(click.Group):
    """The commands of a package."""

    commands: CommandFiles

    def __init__(self, package: str, **attributes: Any) -> None:
        super().__init__(commands=CommandFiles(package), **attributes)

    def format_commands(  # click passes the context, which this has no use for
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the list of commands, from the first lines of their files."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.commands.summary(name)) for name in self.commands])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands whose names begin so, without importing them, and the group's own flags."""
        begun = [name for name in self.commands if name.startswith(incomplete)]
        found = [CompletionItem(name, help=self.commands.summary(name)) for name in begun]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Ctrl-C and `kill` end it with one line; a package that is missing is named with its extra.

        What an error quotes of a repository cannot drive the terminal. A file that the system refuses is named.
        """
        ending.listen()
        try:
            with extras_named():
                return super().invoke(ctx)
        except MissingExtra as error:
            raise click.ClickException(str(error)) from error
        except click.ClickException as error:
            error.message = plain(error.message)  # type: ignore[misc]  # the same error, and click shows it
            raise
        except OSError as error:
            if error.filename is None:
                if error.errno not in _NO_ROOM:
                    raise
                raise click.ClickException(
                    f"nothing more can be written: {error.strerror}"
                ) from error
            name = plain(os.fsdecode(error.filename))
            raise click.ClickException(f"{name}: {error.strerror}") from error
        except (
            click.Abort
        ) as error:  # what click makes of Ctrl-C at a question, and of the input's end
            if not isinstance(error.__context__, KeyboardInterrupt):
                said = "the input ended at a question: answer it with a flag, as --help says"
                raise click.ClickException(said) from error
        except KeyboardInterrupt:
            pass
        echo("interrupted", err=True)
        return ctx.exit(ending.exit_code)


class CommandFiles(MutableMapping[str, click.Command]):
    """The commands of a package by their names; to look one up imports its file."""

    def __init__(self, package: str) -> None:
        self.package = package
        self._added: dict[str, click.Command] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._added, *(name for name, _ in self._files())}))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __getitem__(self, name: str) -> click.Command:
        """The command. Raises KeyError where there is none, TypeError for a file without one."""
        if name in self._added:
            return self._added[name]
        file = dict(self._files())[name]
        if file.name == "__init__.py":
            package = f"{self.package}.{file.parent.name}"
            return LazyGroup(package, name=name, help=_docstring(file))
        module = f"{self.package}.{file.stem}"
        command = import_module(module).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}.command is no command of click's")
        command.name = name
        return command

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._added[name] = command

    def __delitem__(self, name: str) -> None:
        del self._added[name]

    def summary(self, name: str) -> str:
        """One line that says what a command does."""
        if name in self._added:
            return self._added[name].get_short_help_str()
        return _docstring(dict(self._files())[name]).partition("\n")[0]

    def _files(self) -> Iterator[tuple[str, Path]]:
        spec = find_spec(self.package)
        for folder in (spec and spec.submodule_search_locations) or ():
            for file in Path(folder).iterdir():
                name = file.stem.rstrip("_").replace("_", "-")
                if file.suffix == ".py" and not file.name.startswith("_"):
                    yield name, file
                elif (inside := file / "__init__.py").is_file():
                    yield name, inside


def _docstring(file: Path) -> str:
    found = _DOCSTRING.match(file.read_text("utf-8"))
    return found[1].strip() if found else ""
