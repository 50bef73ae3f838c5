"""Print its JSON Schema, for editors."""

from __future__ import annotations

import json

import click

from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.service.plain import echo_json


@click.command
def command() -> None:
    """Print the JSON Schema of the configuration file, for editors.

    \b
    Example:
        claude-pool-gh config schema > claude-pool.schema.json
    """  # noqa: D301 - click wants the character itself
    echo_json(json.dumps(RepositoryConfig.model_json_schema(), indent=2))
