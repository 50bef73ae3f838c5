"""Cuts GitHub's GraphQL schema to the types and fields that our documents use.

    npm pack @octokit/graphql-schema@15.26.1
    tar xzf octokit-graphql-schema-15.26.1.tgz package/schema.graphql
    python -m tests.rehearsal.contract.cut_graphql package/schema.graphql

writes `github.graphql` beside this file. What a document uses is found by reading it against the whole schema.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    EnumTypeDefinitionNode,
    FieldNode,
    InputObjectTypeDefinitionNode,
    InputValueDefinitionNode,
    InterfaceTypeDefinitionNode,
    ObjectTypeDefinitionNode,
    ScalarTypeDefinitionNode,
    TypeDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    UnionTypeDefinitionNode,
    Visitor,
    build_ast_schema,
    parse,
    print_ast,
    visit,
)

from claude_pool_gh.github.access import VIEWER
from claude_pool_gh.github.discussion import HIDDEN
from claude_pool_gh.github.effects.threads import RESOLVE, THREADS, UNRESOLVE
from claude_pool_gh.github.overview import OVERVIEW
from claude_pool_gh.github.reads import BY_MAIL
from claude_pool_gh.github.trusted import FOLDER

TARGET = Path(__file__).parent / "github.graphql"
DOCUMENTS = (THREADS, RESOLVE, UNRESOLVE, HIDDEN, BY_MAIL, OVERVIEW, FOLDER, VIEWER)


def used(whole: DocumentNode) -> dict[str, set[str]]:
    """The fields that the documents ask for, by type."""
    info, found = (
        TypeInfo(build_ast_schema(whole, assume_valid_sdl=True)),
        defaultdict[str, set[str]](set),
    )

    class Note(Visitor):
        def enter_field(self, node: FieldNode, *_: Any) -> None:
            parent = info.get_parent_type()
            assert parent is not None, f"there is no {node.name.value} here"
            if not node.name.value.startswith("__"):
                found[parent.name].add(node.name.value)

    found["Node"].add("id")
    for document in DOCUMENTS:
        visit(parse(document), TypeInfoVisitor(info, Note()))
    return found


def arguments(nodes: Sequence[InputValueDefinitionNode]) -> list[str]:
    """Arguments, or the fields of an input type."""
    return [f"{node.name.value}: {print_ast(node.type)}" for node in nodes]


def written(node: Any, fields: set[str], interfaces: Sequence[str] = ()) -> str:
    """A type with the wanted ones of its fields and interfaces, without descriptions and directives."""
    name = node.name.value
    if isinstance(node, ScalarTypeDefinitionNode):
        return f"scalar {name}\n"
    if isinstance(node, UnionTypeDefinitionNode):
        return f"union {name} = {' | '.join(one.name.value for one in node.types or ())}\n"
    if isinstance(node, EnumTypeDefinitionNode):
        return f"enum {name} {{ {' '.join(one.name.value for one in node.values or ())} }}\n"
    if isinstance(node, InputObjectTypeDefinitionNode):
        return "\n".join(
            [f"input {name} {{", *(f"  {each}" for each in arguments(node.fields or ())), "}\n"]
        )
    kind = "interface" if isinstance(node, InterfaceTypeDefinitionNode) else "type"
    also = f" implements {' & '.join(interfaces)}" if interfaces else ""
    lines = [f"{kind} {name}{also} {{"]
    for each in node.fields:
        if each.name.value in fields:
            given = f"({', '.join(arguments(each.arguments))})" if each.arguments else ""
            lines.append(f"  {each.name.value}{given}: {print_ast(each.type)}")
    return "\n".join([*lines, "}\n"])


def interfaces_of(node: Any, wanted: Mapping[str, set[str]]) -> list[str]:
    """The interfaces that documents ask by and that an object has: with `Node`, only where they ask for its id."""
    if not isinstance(node, ObjectTypeDefinitionNode):
        return []
    named = [one.name.value for one in node.interfaces or () if one.name.value in wanted]
    return [name for name in named if name != "Node" or "id" in wanted[node.name.value]]


def cut(text: str) -> str:
    """The part of the schema that the documents use."""
    whole = parse(text, no_location=True)
    wanted = used(whole)
    types = {
        node.name.value: node for node in whole.definitions if isinstance(node, TypeDefinitionNode)
    }
    kept = {}
    for name, fields in wanted.items():
        interfaces = interfaces_of(types[name], wanted)
        kept[name] = written(
            types[name], fields.union(*(wanted[each] for each in interfaces)), interfaces
        )
    while (
        also := (set(re.findall(r": \[?(\w+)", "\n".join(kept.values()))) & types.keys())
        - kept.keys()
    ):
        kept |= {name: written(types[name], set()) for name in sorted(also)}
    return "\n".join(kept.values())


if __name__ == "__main__":
    TARGET.write_text(cut(Path(sys.argv[1]).read_text()))
