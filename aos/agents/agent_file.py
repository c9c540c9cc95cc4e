"""Reads `.agent.md` files: YAML front matter that declares an agent, and its instructions below.

The front matter is AOS's own, and that of the serverless agents of Azure Functions as far as it is public
(https://azure.github.io/azure-functions-agents-runtime/front-matter-spec/): what of the latter has no counterpart here
is passed over with a warning. Any other unknown field is refused.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from aos.agents.declaration import Declaration, agent_id
from aos.agents.placeholders import substituted, substituted_text
from aos.kernel.errors import InvalidInput

SUFFIX = ".agent.md"
_FENCE = "---"
_PASSED_OVER: Mapping[str, str] = {
    "builtin_endpoints": "every agent can be asked through /api/v1/agents, and over MCP",
    "debug": "every agent can be asked through /api/v1/agents",
    "input_schema": "what an agent is asked is text",
    "logger": "every answer is in the journal",
    "response_example": "put the example into the instructions, or its schema into `response_schema`",
    "skills": "put what it should know into the instructions",
    "subagents": "agents send each other messages",
    "system_tools": "name the tools it may use in `tools`",
    "workflows": "task types are Python",
}
"""Fields of Azure Functions' format without a counterpart here, and what there is in their place."""
_THEIRS = ("trigger", "timeout", "substitute_variables")

log = logging.getLogger("aos.agents")


@dataclass(frozen=True, slots=True)
class AgentFile:
    """What a file declares.

    Attributes:
        warnings: What it says that has no effect, each with its line.
    """

    declaration: Declaration
    warnings: tuple[str, ...] = ()


def read_agent_file(path: Path, *, environ: Mapping[str, str]) -> AgentFile:
    """Read one file.

    Args:
        path: The file; without an `id` in it, its name up to `.agent.md` is the agent's.
        environ: For `$NAME` and `%NAME%` in it, unless it says `substitute_variables: false`.

    Raises:
        InvalidInput: it is not such a file; the message names the file, the line, and what to do.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}. It must be a text file in UTF-8.") from error
    return parse_agent_file(text, source=str(path), stem=path.name.removesuffix(SUFFIX), environ=environ)


def find_agent_files(folders: Iterable[str]) -> list[Path]:
    """The `.agent.md` files of folders and of the folders right below them, in order."""
    found: list[Path] = []
    for folder in folders:
        found += [*Path(folder).glob(f"*{SUFFIX}"), *Path(folder).glob(f"*/*{SUFFIX}")]
    return sorted(found)


def parse_agent_file(text: str, *, source: str, stem: str, environ: Mapping[str, str]) -> AgentFile:
    """As `read_agent_file`, for text that was read already."""
    head, body, lines = _split(text, source)
    where = _Lines(source, head)
    fields = dict(where.fields)
    if fields.pop("substitute_variables", True) is not False:
        fields, body = substituted(fields, environ), substituted_text(body, environ)
    warnings = [*_pass_over(fields, where), *_translate(fields, where)]
    if not body.strip():
        raise InvalidInput(f"{source}, line {lines}: there are no instructions. Write them below the front matter.")
    values = {"id": agent_id(stem), **fields, "instructions": body.strip()}
    try:
        declaration = Declaration.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(f"line {where.line(e['loc'])}: {_problem(e['loc'], e['msg'])}" for e in error.errors()[:5])
        raise InvalidInput(f"{source}, {problems}. Correct it; docs/declarative-agents.md lists the fields.") from error
    return AgentFile(declaration, tuple(warnings))


class _Lines:
    """The front matter as values, and the line each of them is on."""

    def __init__(self, source: str, head: str) -> None:
        import yaml

        self.source = source
        try:
            self._node = yaml.compose(head, Loader=yaml.SafeLoader)
            fields = yaml.safe_load(head) or {}
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = 2 if mark is None else mark.line + 2
            problem = getattr(error, "problem", None) or str(error)
            raise InvalidInput(
                f"{source}, line {line}: the front matter is not YAML: {problem}. Correct it."
            ) from error
        if not isinstance(fields, dict) or not all(isinstance(name, str) for name in fields):
            raise InvalidInput(f"{source}, line 2: the front matter must be a list of fields such as `name: Writer`.")
        self.fields: dict[str, Any] = fields

    def line(self, place: Sequence[str | int]) -> int:
        """Line of a field in the file, or of the nearest thing around it that is there."""
        node, line = self._node, 1
        for part in place:
            for name, value in _children(node):
                if name == part:
                    node, line = value, name_line(node, part) + 2
                    break
            else:
                break
        return line

    def at(self, field: str, text: str) -> str:
        return f"{self.source}, line {self.line((field,))}: {text}"


def name_line(node: Any, part: str | int) -> int:
    """The line, from 0, on which a member of a YAML node starts."""
    if isinstance(part, int):
        return int(node.value[part].start_mark.line)
    return int(next(key.start_mark.line for key, _ in node.value if key.value == part))


def _children(node: Any) -> list[tuple[str | int, Any]]:
    import yaml

    if isinstance(node, yaml.MappingNode):
        return [(key.value, value) for key, value in node.value]
    if isinstance(node, yaml.SequenceNode):
        return list(enumerate(node.value))
    return []


def _split(text: str, source: str) -> tuple[str, str, int]:
    """Front matter, body, and the line the body starts on."""
    lines = text.removeprefix("\ufeff").splitlines()
    if not lines or lines[0].strip() != _FENCE:
        raise InvalidInput(f"{source}, line 1: the file must start with `---`, the front matter, and `---` again.")
    for number, line in enumerate(lines[1:], start=1):
        if line.strip() == _FENCE:
            return "\n".join(lines[1:number]), "\n".join(lines[number + 1 :]), number + 2
    raise InvalidInput(f"{source}, line {len(lines)}: the front matter has no end. Put `---` on a line below it.")


def _pass_over(fields: dict[str, Any], where: _Lines) -> list[str]:
    known = [name for name in Declaration.model_fields if name != "instructions"]
    warnings: list[str] = []
    for name in list(fields):
        if name in _PASSED_OVER:
            warnings.append(where.at(name, f"`{name}` has no effect: {_PASSED_OVER[name]}."))
            del fields[name]
        elif name not in known and name not in _THEIRS:
            near = get_close_matches(name, [*known, *_THEIRS, *_PASSED_OVER], n=1)
            remedy = f"Did you mean `{near[0]}`?" if near else "Remove it, or put it under `metadata`."
            raise InvalidInput(where.at(name, f"there is no field `{name}`. {remedy}"))
    return warnings


def _translate(fields: dict[str, Any], where: _Lines) -> list[str]:
    """Put what Azure Functions says otherwise into AOS's words."""
    warnings: list[str] = []
    if "timeout" in fields:
        fields["limits"] = {"seconds": fields.pop("timeout"), **(fields.get("limits") or {})}
    tools = fields.get("tools")
    if isinstance(tools, bool | dict):
        del fields["tools"]
        if tools is not False:
            warnings.append(where.at("tools", "`tools` excludes; here an agent has the tools it is granted by name."))
    if isinstance(fields.get("mcp"), bool | dict) and fields.pop("mcp") is not False:
        warnings.append(where.at("mcp", "`mcp` excludes; here an agent has the tools it is granted: `search.*`."))
    if "trigger" in fields:
        trigger, warning = _their_trigger(fields.pop("trigger"), where)
        fields["triggers"] = [*(fields.get("triggers") or []), *trigger]
        warnings += warning
    return warnings


def _their_trigger(trigger: Any, where: _Lines) -> tuple[list[dict[str, Any]], list[str]]:
    if not isinstance(trigger, dict) or not isinstance(trigger.get("type"), str):
        raise InvalidInput(where.at("trigger", "`trigger` needs a `type`, such as `timer_trigger`, and its `args`."))
    kind, args = trigger["type"], trigger.get("args") or {}
    wanted = {"timer_trigger": ("schedule", "cron"), "service_bus_topic_trigger": ("topic_name", "topic")}.get(kind)
    if wanted is not None:
        theirs, ours = wanted
        if not isinstance(args, dict) or not isinstance(args.get(theirs), str):
            raise InvalidInput(where.at("trigger", f"a `{kind}` needs `{theirs}` under `args`."))
        return [{ours: args[theirs]}], []
    if kind in ("http_trigger", "http"):
        advice = "it gets no route of its own; send `agent.query` to /api/v1/agents/<id>/messages."
    else:
        advice = "nothing here fires it; use `triggers` with `cron`, `every`, `at`, `topic` or `message`."
    return [], [where.at("trigger", f"`{kind}` has no effect: {advice}")]


def _problem(place: Sequence[str | int], problem: str) -> str:
    name = ".".join(str(part) for part in place)
    return f"`{name}`: {problem}" if name else problem
