"""A YAML file's values, and where they stand. Imported when a file is read: PyYAML takes a while to import."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import yaml
from yaml.constructor import SafeConstructor

_DEPTH_LIMIT: Final = 20
_OPENING: Final = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
_CLOSING: Final = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)

_FAST: Final[type[yaml.SafeLoader]] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's parser, several times as fast, where PyYAML was built with it. Values are made by PyYAML either way."""

Path = tuple[str, ...]
"""Keys and indices from the top of a file to one of its values."""


def values_of(node: yaml.Node) -> Any:
    """The values of a document. Raises yaml.YAMLError, and what PyYAML's readers of values raise."""
    return SafeConstructor().construct_document(node)


def compose(text: str) -> yaml.Node | None:
    """The tree of a text. Raises yaml.YAMLError."""
    try:
        return _composed(text, _FAST)
    except yaml.YAMLError:  # PyYAML's own parser says more exactly what is wrong, and where
        return _composed(text, yaml.SafeLoader)


def _composed(text: str, loader: type[yaml.SafeLoader]) -> yaml.Node | None:
    depth = 0
    for token in yaml.scan(text, Loader=loader):
        depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
        if depth > _DEPTH_LIMIT:
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=token.start_mark)
        # a few of them expand to gigabytes
        if isinstance(token, yaml.AliasToken | yaml.AnchorToken):
            raise yaml.MarkedYAMLError(
                problem="anchors and aliases are not used here", problem_mark=token.start_mark
            )
    node: yaml.Node | None = yaml.compose(text, Loader=loader)
    return node


def lines_of(node: yaml.Node, path: Path) -> Iterator[tuple[Path, int]]:
    """Every part of a tree, and its line."""
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            own = (*path, str(key.value))
            yield own, key.start_mark.line + 1
            yield from (item for item in lines_of(value, own) if item[0] != own)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from lines_of(value, (*path, str(index)))
