"""The agent behind a declaration with a purpose: beside answering it has goals, and its turns are scored."""

from __future__ import annotations

from aos.agents.declaration import Declaration
from aos.agents.declarative_agent import DeclarativeAgent, Remembered
from aos.agents.purpose_driven_agent import PurposeDrivenAgent
from aos.agents.turn import Turn


class PurposefulDeclaredAgent(DeclarativeAgent, PurposeDrivenAgent[Remembered]):
    """A declared agent that pursues the declaration's purpose: scope, success criteria, goals, metrics, flags."""

    def __init__(self, declaration: Declaration) -> None:
        self.purpose_scope = declaration.purpose_scope or self.purpose_scope
        self.success_criteria = declaration.success_criteria
        self.adapter_name = declaration.domain
        self.system_message = declaration.instructions
        super().__init__(declaration)

    @property
    def message_types(self) -> list[str]:
        return sorted({*super().message_types, *self.message_handlers, *self._subscriptions})

    async def _take(self, turn: Turn) -> None:
        # Past the declared agent, whose turn is scored as a whole: see `_take_event`.
        await super(DeclarativeAgent, self)._take(turn)

    async def _take_event(self, turn: Turn) -> None:
        known = {*self.message_handlers, *self._subscriptions}
        if turn.message.type in known and turn.request is None and turn.message.topic is None:
            await super()._take_event(turn)
        else:
            await super()._take(turn)


def agent_of(declaration: Declaration) -> DeclarativeAgent:
    """The agent that a declaration is for; a `perpetual` one is not measured by its purpose."""
    if declaration.kind == "perpetual":
        return DeclarativeAgent(declaration)
    return PurposefulDeclaredAgent(declaration)
