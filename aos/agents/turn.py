"""The turn an agent's code gets: the kernel's, with what the agent finds in its surroundings."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from aos.agents.answers import HELD_FACT
from aos.agents.surroundings import Surroundings
from aos.kernel.address import agent_type
from aos.kernel.outgoing import IN_JOURNAL
from aos.kernel.turn import Turn as KernelTurn

if TYPE_CHECKING:
    from aos.llm.request import ModelRequest
    from aos.llm.response import ModelResponse
    from aos.llm.route import Route

Level = Literal["debug", "info", "warning", "error", "critical"]

_log = logging.getLogger("aos.agent")


@dataclass(frozen=True, slots=True)
class Done:
    """What a turn has done so far.

    Attributes:
        sent: Types of the messages it sends, reminders included.
        decisions: What it decided.
        usage: What it spent.
    """

    sent: tuple[str, ...]
    decisions: tuple[Mapping[str, Any], ...]
    usage: Mapping[str, float]


class Turn(KernelTurn):
    """The handling of one message; see `aos.kernel.turn.Turn` for the rest of what it offers."""

    _surroundings: Surroundings

    def __init__(self, turn: KernelTurn, surroundings: Surroundings) -> None:
        # One turn in two views: whatever is buffered through this one is in the kernel's.
        self.__dict__ = turn.__dict__
        self._surroundings = surroundings

    @property
    def done(self) -> Done:
        """What the handling of this message has done so far."""
        effects = self._effects
        sent = tuple(str(outgoing.body.get("type", "")) for outgoing in effects.outgoing)
        return Done(sent, tuple(effects.decisions), dict(effects.usage))

    def broadcast(self, type: str, data: Any = None, **options: Any) -> list[str]:
        """Send a copy to every listed agent that handles this type of message, but not to this one.

        Args:
            type: What the message means.
            data: Its JSON payload.
            **options: As for `send`.

        Returns:
            The addresses it is sent to.

        Raises:
            NotAllowedNow: the agent is not registered, and so knows no others.
        """
        others = [to for to in self._roster_takers(type) if to != self.agent]
        for to in others:
            self.send(to, type, data, **options)
        return others

    def publish_fact(self, name: str, value: Any) -> str:
        """Tell those who wait for it (`Wake.when`) what a fact about this agent is now; returns the event's id.

        Args:
            name: Of the fact: `balance`.
            value: JSON.
        """
        from aos.agents.fact_wake import FACT_TYPE, fact_topic

        order = [self.version, self._number + len(self._effects.outgoing)]
        data = {"agent": self.agent, "fact": name, "value": value, "order": order}
        return self.publish(fact_topic(self.agent, name), FACT_TYPE, data)

    async def think(
        self, request: ModelRequest | str, *, name: str = "think", route: Route | None = None
    ) -> ModelResponse:
        """Ask a model, as a step of the turn: a message that comes back is not paid for twice.

        Args:
            request: What to ask; plain words are a single question.
            name: Of the step.
            route: Who may answer.

        Raises:
            SettingMissing: no model is configured.
            AllModelsFailed, BudgetExceeded, ModelError: as the router raises them.
        """
        from aos.llm.thinking import think

        return await think(self, self._surroundings.router, request, name=name, route=route)

    @property
    def trace_id(self) -> str:
        """Of the trace that the turn belongs to."""
        return self._scope.trace.trace_id

    @property
    def can_think(self) -> bool:
        """Whether a model is configured."""
        return self._surroundings.router is not None

    def log(self, text: str, *, level: Level = "info", **facts: Any) -> None:
        """Write a line to the log at once, with the ids that tie it to this turn. Facts for good go to `record`."""
        _log.log(
            logging.getLevelNamesMapping()[level.upper()],
            "%s",
            text,
            extra={
                "agent": self.agent,
                "version": self.version,
                "trace_id": self._scope.trace.trace_id,
                "message_id": self.message.id,
                "message_type": self.message.type,
                "conversation_id": self.message.conversation_id,
                "facts": facts,
            },
        )

    def hold_reply(self) -> dict[str, Any] | None:
        """What is needed to answer the message in a later turn, as JSON to keep; None where no reply is expected."""
        message = self.message
        if message.reply_to is None:
            return None
        if message.reply_to == IN_JOURNAL:
            self.record(HELD_FACT, request=message.id)
        return {
            "to": message.reply_to,
            "id": message.id,
            "type": message.type,
            "conversation": message.conversation_id,
        }

    def reply_to_held(self, held: Mapping[str, Any] | None, data: Any = None, *, type: str | None = None) -> str | None:
        """Answer a message of an earlier turn. None, and nothing sent, where no reply was expected."""
        if held is None:
            return None
        return self._answer(
            str(held["to"]),
            type or f"{held['type']}.reply",
            data,
            request=str(held["id"]),
            conversation_id=held["conversation"],
        )

    def _roster_takers(self, message_type: str) -> list[str]:
        return self._surroundings.expect_roster(agent_type(self.agent)).takers(message_type)
