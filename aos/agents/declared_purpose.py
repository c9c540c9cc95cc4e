"""The agent behind a declaration with a purpose: beside answering it has goals, and its turns are scored."""

from __future__ import annotations

from aos.agents.declaration import Declaration
from aos.agents.declarative_agent import DeclarativeAgent, Remembered
from aos.agents.leadership_agent import LeadershipAgent
from aos.agents.leadership_roles import ROLE_FOCUS, focus_of
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


class DeclaredLeader(PurposefulDeclaredAgent, LeadershipAgent[Remembered]):
    """A declared agent that leads: it understands the messages of leadership besides.

    Its role is `metadata.role`, or its id in capitals, where that is one; else that of a CEO.
    """

    def __init__(self, declaration: Declaration) -> None:
        stated = str(declaration.metadata.get("role", declaration.id)).upper()
        if "role" in declaration.metadata or stated in ROLE_FOCUS:
            focus_of(stated)
            self.role = stated
        super().__init__(declaration)

    async def _take_event(self, turn: Turn) -> None:
        if turn.request is None:
            await super()._take_event(turn)
        else:
            # A stakeholder's opinion, or that there is none; a declared agent itself asks nobody.
            await super(DeclarativeAgent, self)._take_event(turn)


def agent_of(declaration: Declaration) -> DeclarativeAgent:
    """The agent that a declaration is for; a `perpetual` one is not measured by its purpose.

    Raises:
        SettingInvalid: a leader's `metadata.role` is none.
    """
    if declaration.kind == "perpetual":
        return DeclarativeAgent(declaration)
    if declaration.kind == "leadership":
        return DeclaredLeader(declaration)
    return PurposefulDeclaredAgent(declaration)
