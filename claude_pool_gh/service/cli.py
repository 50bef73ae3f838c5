"""The command line `claude-pool-gh`: its commands are the files of `service/commands`."""

from __future__ import annotations

import click

from claude_pool_gh.service.command_line import streams
from claude_pool_gh.service.command_line.lazy_group import LazyGroup
from claude_pool_gh.service.log import logs


def _begin() -> None:
    click.get_current_context().color = streams.colors()
    streams.prepare()
    logs.configure()


main = LazyGroup(
    "claude_pool_gh.service.commands",
    help="Run pools of Claude agents on GitHub repositories.",
    callback=_begin,
    context_settings={"max_content_width": 110, "help_option_names": ["-h", "--help"]},
)
main = click.version_option(package_name="claude-pool-gh")(main)

if __name__ == "__main__":
    main()
