"""The `/pool` commands, from the classes of the verbs."""

from __future__ import annotations

from claude_pool_gh.commands.grammar import Verb
from claude_pool_gh.conversation.registry import handlers
from docs._reference.markdown import code, table


def page() -> str:
    """A section for each command, in the order of the help."""
    return "".join(_section(each.verb) for each in handlers().values())


def _section(verb: Verb) -> str:
    where = "pull requests and issues" if len(verb.places) > 1 else "pull requests"
    if verb.places == {"issue"}:
        where = "issues"
    role = f"`{verb.role.name}`" + (", or the thread's author" if verb.tells else "")
    facts = [f"On {where}", f"needs the role {role}"]
    facts.append("runs agents, which costs money" if verb.spends else "free of charge")
    if verb.pushes:
        facts.append("pushes after an approval")
    text = f"## `{verb.usage}`\n\n{verb.summary}\n\n{'; '.join(facts)}.\n\n"
    if verb.flags:
        text += table(("flag", "meaning"), ((code(each.usage), each.what) for each in verb.flags))
    return text
