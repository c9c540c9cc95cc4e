"""What is done about events: a message to an agent, a workflow, or another event, filled in from what happened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from aos.agents import Turn
from aos.kernel.address import check_address
from aos.workflows.definition.templates import render

StartWorkflow = Callable[[Turn, str, dict[str, Any]], Awaitable[None]]
"""Starts a workflow in a turn: its name, and its inputs. Raises `NotFound`."""

_TOPIC = r"^[a-z0-9][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)*$"


class Action(BaseModel):
    """One thing to do; exactly one of `agent`, `workflow` and `publish`.

    Attributes:
        agent: The agent that is sent a message. It may be a template: `customer:${{ event.data.customer }}`.
        action: The message's type.
        workflow: The workflow that is started.
        publish: The topic of an event that is published; `action` is then its type.
        content: What the message or the event holds, or the workflow's inputs; with templates. Without it, what
            happened. Written `with` in files.
        leads_to: Topics that the agent publishes to in turn. It is said so that rules in a circle are found.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    agent: str | None = None
    action: str = Field(default="", max_length=200)
    workflow: str | None = None
    publish: str | None = Field(default=None, pattern=_TOPIC)
    content: Any = Field(default=None, alias="with")
    leads_to: tuple[str, ...] = ()

    @field_validator("agent")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        return value if value is None or "${{" in value else check_address(value)

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in ("agent", "workflow", "publish") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("an action needs exactly one of `agent`, `workflow` and `publish`")
        if self.workflow is None and not self.action:
            raise ValueError(f"an action with `{given[0]}` needs `action`: the type of what is sent")
        if self.workflow is not None and not isinstance(self.content, dict | None):
            raise ValueError("an action with `workflow` needs its inputs `with` names")
        return self

    @property
    def topics(self) -> tuple[str, ...]:
        """Topics of the events it leads to, as far as it is known."""
        return (*self.leads_to, *([self.publish] if self.publish else []))

    async def do(
        self, turn: Turn, context: Mapping[str, Any], happened: Mapping[str, Any], start: StartWorkflow | None
    ) -> None:
        """Do it once the turn is committed.

        Args:
            turn: Of the agent that does it.
            context: The names that templates may use.
            happened: What is sent where the action does not say what.
            start: Starts workflows.

        Raises:
            ExpressionError: a template has no value.
            InvalidInput: it gives no address.
        """
        content = dict(happened) if self.content is None else render(self.content, context, where="with")
        if self.publish is not None:
            turn.publish(self.publish, self.action, content)
        elif self.workflow is not None:
            assert start is not None  # noqa: S101  # refused when the declarations were read
            await start(turn, self.workflow, content)
        else:
            turn.send(str(render(self.agent, context, where="agent")), self.action, content)
