"""Prompts of declared agents: their instructions with a question, and what their triggers ask them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError

from aos.agents import Agent
from aos.agents.declarative_agent import DeclarativeAgent

_QUESTION = types.PromptArgument(name="prompt", description="What is asked", required=True)


class Prompts:
    """The prompts of some agents. Agents with code of their own have none."""

    def __init__(self, agents: Sequence[Agent[Any]]) -> None:
        self._declared = {agent.type: agent for agent in agents if isinstance(agent, DeclarativeAgent)}

    def list(self) -> list[types.Prompt]:
        """All prompts: `<agent>`, and `<agent>/<trigger>` for each trigger with a prompt."""
        found: list[types.Prompt] = []
        for name, agent in self._declared.items():
            about = agent.declaration.description
            found.append(types.Prompt(name=name, title=agent.name, description=about, arguments=[_QUESTION]))
            found += [
                types.Prompt(name=f"{name}/{trigger}", description=f"What wakes {agent.name}: {trigger}", arguments=[])
                for trigger in _triggers(agent)
            ]
        return found

    def get(self, name: str, arguments: dict[str, str]) -> types.GetPromptResult:
        """A prompt as messages. Raises `MCPError`."""
        type_, _, trigger = name.partition("/")
        agent = self._declared.get(type_)
        asked = arguments.get("prompt", "") if not trigger else _triggers(agent).get(trigger) if agent else None
        if agent is None or asked is None:
            known = ", ".join(prompt.name for prompt in self.list()) or "none"
            raise MCPError(types.INVALID_PARAMS, f"There is no prompt {name!r} here. There are: {known}.")
        if not asked:
            raise MCPError(types.INVALID_PARAMS, f"Prompt {name!r} needs the argument `prompt`: what is asked.")
        text = types.TextContent(text=f"{agent.declaration.instructions}\n\n{asked}")
        message = types.PromptMessage(role="user", content=text)
        return types.GetPromptResult(description=agent.declaration.description, messages=[message])


def _triggers(agent: DeclarativeAgent) -> dict[str, str]:
    """Prompts of the triggers, by their names, or by what they wait for."""
    return {
        trigger.name or trigger.topic or trigger.message or f"wake-{place}": trigger.prompt
        for place, trigger in enumerate(agent.declaration.triggers, start=1)
        if trigger.prompt
    }
